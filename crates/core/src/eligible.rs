//! Whether a definition can have a policy's sidecar: the table of cases, in the order in which they are told.
//!
//! When unsure, the answer is no, with the reason: a definition that is left alone works as it did.

use crate::bounds::matches_any;
use crate::definition::{Container, NetworkMode, TaskDefinition};
use crate::image::last_path_part;
use crate::json::Value;
use crate::keys::{container, nested};
use crate::names;
use crate::policy::{Architecture, NetworkModeName, Policy};
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::target::{self, MadeFor};
use std::collections::HashSet;

/// What is known of a definition once it is eligible.
#[derive(Debug, Clone)]
pub(crate) struct Eligible {
    pub(crate) made_for: MadeFor,
    pub(crate) network: NetworkModeName,
    pub(crate) architecture: Architecture,
}

/// Refuses a definition that cannot or need not have the policy's sidecar.
pub(crate) fn eligible(definition: &TaskDefinition, policy: &Policy) -> Result<Eligible, Refusal> {
    addressable(definition)?;
    let made_for = MadeFor::read(definition);
    match &made_for {
        MadeFor::ManagedInstances => return Err(Reason::ManagedInstances.into()),
        MadeFor::Unknown(word) => {
            return Err(Refusal::new(Reason::UnknownCompatibility, format!("requiresCompatibilities names {word:?}")));
        }
        MadeFor::Targets(_) => {}
    }
    // On Fargate, where nothing is said, it is Linux.
    let is_silent = made_for.includes_fargate() && definition.operating_system().is_none();
    if !is_silent && target::is_windows(definition) {
        return Err(Reason::Windows.into());
    }
    let network = match definition.network_mode() {
        NetworkMode::AwsVpc => NetworkModeName::Awsvpc,
        NetworkMode::Bridge => NetworkModeName::Bridge,
        NetworkMode::Host => return Err(Reason::NetworkModeHost.into()),
        NetworkMode::None => return Err(Reason::NetworkModeNone.into()),
        NetworkMode::Unknown => return Err(Reason::UnknownNetworkMode.into()),
    };
    brings_its_own(definition, policy)?;
    let architecture = selected(definition, policy, &made_for, network)?;
    if !definition.containers().any(can_reach_sidecar) {
        return Err(Reason::NetworkDisabled.into());
    }
    Ok(Eligible { made_for, network, architecture })
}

/// Refuses containers that cannot be told apart by name: edits and receipts go by names.
fn addressable(definition: &TaskDefinition) -> Result<(), Refusal> {
    let mut names = HashSet::new();
    for (index, app) in definition.containers().enumerate() {
        let name = app.name().unwrap_or_default();
        let problem = if name.is_empty() {
            "has no name"
        } else if name.contains(']') {
            "has a name with a bracket"
        } else if names.insert(name) {
            continue;
        } else {
            "has the name of another one"
        };
        return Err(Refusal::new(Reason::InvalidDefinition, format!("containerDefinitions[{index}] {problem}")));
    }
    Ok(())
}

/// Containers that send to the sidecar: not those without a network, nor the log router. The router starts before all
/// that log through it, the sidecar perhaps among them, so binding it to the sidecar would make a circle.
pub(crate) fn can_reach_sidecar(app: Container<'_>) -> bool {
    let disabled = app.get(container::DISABLE_NETWORKING).and_then(|value| value.as_bool()).unwrap_or(false);
    !disabled && app.get(container::FIRELENS_CONFIGURATION).is_none()
}

fn brings_its_own(definition: &TaskDefinition, policy: &Policy) -> Result<(), Refusal> {
    let theirs =
        |app: &Container<'_>| names::TRACE_RECEIVERS.contains(&last_path_part(&app.image().unwrap_or_default()));
    if let Some(app) = definition.containers().find(theirs) {
        let message = format!("container {} runs {}", label(app), last_path_part(&app.image().unwrap_or_default()));
        return Err(Refusal::new(Reason::OwnDaemon, message));
    }
    let ours = policy.spec.application.environment.iter().map(|variable| variable.name.as_str());
    let told: Vec<&str> = ours.chain([names::DAEMON_ADDRESS]).collect();
    for app in definition.containers() {
        if let Some(name) = app.variable_names().find(|name| told.contains(&&**name)) {
            return Err(Refusal::new(Reason::OwnDaemon, format!("container {} has {name} set", label(app))));
        }
    }
    let sidecar = policy.container_name();
    if definition.containers().any(|app| app.name().is_some_and(|name| name == sidecar)) {
        return Err(Refusal::new(Reason::NameTaken, format!("a container is called {sidecar}")));
    }
    for port in sidecar_ports(policy) {
        let taker =
            definition.containers().find(|app| app.ports().any(|ports| (ports.first..=ports.last).contains(&port)));
        if let Some(app) = taker {
            return Err(Refusal::new(Reason::PortTaken, format!("container {} listens on port {port}", label(app))));
        }
    }
    Ok(())
}

fn label(app: Container<'_>) -> String {
    app.name().unwrap_or_default().into_owned()
}

/// The ports of the sidecar. TCP and UDP count alike: the X-Ray daemon listens on both, whatever the mapping says.
fn sidecar_ports(policy: &Policy) -> Vec<u64> {
    let mappings = policy.spec.container.get(container::PORT_MAPPINGS).and_then(|mappings| mappings.as_array());
    mappings.into_iter().flatten().filter_map(|mapping| mapping.get(nested::CONTAINER_PORT)?.as_u64()).collect()
}

/// Refuses what the policy's selector leaves out, and tells the architecture.
fn selected(
    definition: &TaskDefinition,
    policy: &Policy,
    made_for: &MadeFor,
    network: NetworkModeName,
) -> Result<Architecture, Refusal> {
    let selector = &policy.spec.selector;
    let refuse = |what: String| -> Result<Architecture, Refusal> {
        Err(Refusal::new(Reason::NotSelected, format!("policy {} leaves out {what}", policy.name())))
    };
    let family = definition.family().unwrap_or_default();
    if !matches_any(&selector.families, &family) || matches_any(&selector.exclude_families, &family) {
        return refuse(format!("family {family}"));
    }
    let tagged = |key: &str, value: &str| definition.tags().any(|(tag, has)| tag == key && has == value);
    if let Some((key, value)) = selector.tags.iter().find(|(key, value)| !tagged(key, value)) {
        return refuse(format!("definitions without the tag {key} = {value}"));
    }
    if let MadeFor::Targets(targets) = made_for
        && let Some(target) = targets.iter().find(|target| !selector.compatibilities.contains(target))
    {
        return refuse(format!("definitions for {target}"));
    }
    let architecture = match architecture(definition) {
        Ok(architecture) => architecture,
        Err(other) => return refuse(format!("architecture {other}")),
    };
    if !selector.architectures.contains(&architecture) {
        return refuse(format!("architecture {architecture}"));
    }
    if !selector.network_modes.contains(&network) {
        return refuse(format!("network mode {network}"));
    }
    Ok(architecture)
}

/// Refuses a result in which a container waits for the sidecar to end, which it does only with the task. Where there is
/// no sidecar, ECS refuses such a definition; with one it would start tasks that hang.
pub(crate) fn nobody_waits_for_its_end(policy: &Policy, result: &TaskDefinition) -> Result<(), Refusal> {
    let sidecar = policy.container_name();
    let text = |wait: Value<'_>, key: &str| wait.get(key).and_then(Value::as_str).unwrap_or_default().into_owned();
    let waits = |app: &Container<'_>| {
        app.items(container::DEPENDS_ON).any(|wait| {
            let condition = text(wait, nested::CONDITION);
            text(wait, nested::CONTAINER_NAME) == sidecar && ["COMPLETE", "SUCCESS"].contains(&condition.as_str())
        })
    };
    let Some(app) = result.containers().find(waits) else { return Ok(()) };
    let app = app.name().unwrap_or_default();
    let message = format!("container {app} waits for {sidecar} to end, which a sidecar never does by itself");
    Err(Refusal::new(Reason::InvalidDefinition, message))
}

/// The architecture that a definition's tasks run on, which is X86_64 where it says none; else what it says.
pub(crate) fn architecture(definition: &TaskDefinition) -> Result<Architecture, String> {
    match definition.architecture().as_deref() {
        None | Some("X86_64") => Ok(Architecture::X86),
        Some("ARM64") => Ok(Architecture::Arm),
        Some(other) => Err(other.to_owned()),
    }
}
