//! What no policy may ask for, whoever wrote it.

use super::{Policy, PolicyError};
use crate::image::Upstream;
use crate::keys::{container, nested};
use crate::names;

/// Members that a policy's container may have. Whoever may write a policy can put a container beside every app, so
/// this lists what is harmless rather than what is not: no privileges, devices, capabilities, volumes of anybody, and
/// nothing that the plan itself decides (image, logs, links, dependencies).
const ALLOWED: [&str; 20] = [
    container::NAME,
    container::CPU,
    container::MEMORY,
    container::MEMORY_RESERVATION,
    container::PORT_MAPPINGS,
    container::ESSENTIAL,
    container::RESTART_POLICY,
    container::ENTRY_POINT,
    container::COMMAND,
    container::ENVIRONMENT,
    container::SECRETS,
    container::START_TIMEOUT,
    container::STOP_TIMEOUT,
    container::VERSION_CONSISTENCY,
    container::USER,
    container::WORKING_DIRECTORY,
    container::READONLY_ROOT_FILESYSTEM,
    container::DOCKER_LABELS,
    container::ULIMITS,
    container::HEALTH_CHECK,
];

pub(super) fn validate(policy: &Policy) -> Result<(), PolicyError> {
    let forbid = |path: &str, problem: String| {
        Err(PolicyError::Forbidden { policy: policy.metadata.name.clone(), path: path.to_owned(), problem })
    };
    let name = &policy.metadata.name;
    if !is_name(name) || ["true", "false"].contains(&name.to_ascii_lowercase().as_str()) {
        return forbid("metadata.name", "must be letters, digits and hyphens, and neither true nor false".to_owned());
    }
    let spec = &policy.spec;
    if let Some(member) = spec.container.keys().find(|key| !ALLOWED.contains(&key.as_str())) {
        let allowed = ALLOWED.join(", ");
        return forbid(&format!("spec.container.{member}"), format!("a policy may not set this; allowed: {allowed}"));
    }
    if !spec.container.get(container::NAME).and_then(serde_json::Value::as_str).is_some_and(is_name) {
        return forbid("spec.container.name", "must be there, of letters, digits, underscores and hyphens".to_owned());
    }
    if spec.container.get(container::DOCKER_LABELS).is_some_and(|labels| labels.get(names::RECEIPT).is_some()) {
        return forbid("spec.container.dockerLabels", format!("the label {} is the operator's own", names::RECEIPT));
    }
    for member in [container::CPU, container::MEMORY, container::MEMORY_RESERVATION] {
        if spec.container.get(member).is_some_and(|value| value.as_u64().is_none()) {
            return forbid(&format!("spec.container.{member}"), "must be a whole number".to_owned());
        }
    }
    if let Some(mappings) = spec.container.get(container::PORT_MAPPINGS) {
        let has_port =
            |mapping: &serde_json::Value| mapping.get(nested::CONTAINER_PORT).is_some_and(serde_json::Value::is_u64);
        if !mappings.as_array().is_some_and(|mappings| mappings.iter().all(has_port)) {
            return forbid("spec.container.portMappings", "must be a list of mappings with a containerPort".to_owned());
        }
    }
    if let Err(problem) = spec.image.upstream.parse::<Upstream>() {
        return forbid("spec.image.upstream", problem.to_string());
    }
    let unnamed = spec
        .application
        .environment
        .iter()
        .position(|variable| variable.name.is_empty() || variable.name.contains(']'));
    if let Some(index) = unnamed {
        return forbid(&format!("spec.application.environment[{index}].name"), "is no name of a variable".to_owned());
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}
