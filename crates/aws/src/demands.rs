//! What a revision asks of the instance that its tasks are to run on.
//!
//! Knows: ECS's own words for it, as Describe answers them. Must not know: what is done about it.

use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::target::MadeFor;

/// What any sidecar from a private registry with a memory reservation needs. That every agent still in use offers it
/// is our judgement and nobody's promise (docs/decisions.md): without it no sidecar could ever be given to an
/// instance. Whatever else is new might leave a task without one.
const OFFERED_BY_ALL: [&str; 2] = ["com.amazonaws.ecs.capability.ecr-auth", "ecs.capability.execution-role-ecr-pull"];

/// Versions of Docker's API: judged in the same way.
const DOCKER_API: &str = "com.amazonaws.ecs.capability.docker-remote-api.";

/// What a revision asks of an instance that the one before did not, if tasks run on instances at all.
pub(crate) fn requires_more(before: &TaskDefinition, after: &TaskDefinition) -> Option<String> {
    if MadeFor::read(before).is_fargate_only() {
        return None;
    }
    let (before, after) = (before.described(), after.described());
    let harmless = |name: &str| name.starts_with(DOCKER_API) || OFFERED_BY_ALL.contains(&name);
    let more = after.requires_attributes.iter().filter(|name| !before.requires_attributes.contains(name));
    let more: Vec<&str> = more.map(String::as_str).filter(|name| !harmless(name)).collect();
    let lost = before.compatibilities.iter().filter(|word| !after.compatibilities.contains(word));
    let lost: Vec<&str> = lost.map(String::as_str).collect();
    match (more.as_slice(), lost.as_slice()) {
        ([], []) => None,
        (more, []) => Some(format!("it would need {}", more.join(", "))),
        ([], lost) => Some(format!("it would no longer run on {}", lost.join(", "))),
        (more, lost) => Some(format!("it would need {}, and not run on {}", more.join(", "), lost.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(compatibility: &str, attributes: &[&str], compatibilities: &[&str]) -> TaskDefinition {
        let attributes: Vec<_> = attributes.iter().map(|name| serde_json::json!({ "name": name })).collect();
        let answer = serde_json::json!({ "taskDefinition": {
            "family": "web",
            "requiresCompatibilities": [compatibility],
            "containerDefinitions": [{ "name": "web" }],
            "requiresAttributes": attributes,
            "compatibilities": compatibilities,
        }});
        TaskDefinition::parse(&answer.to_string()).expect("a definition")
    }

    #[test]
    fn on_instances_nothing_may_be_asked_for_that_was_not_before() {
        let before = described("EC2", &["a"], &["EC2", "EXTERNAL"]);
        let same = described(
            "EC2",
            &["a", OFFERED_BY_ALL[0], "com.amazonaws.ecs.capability.docker-remote-api.1.21"],
            &["EC2", "EXTERNAL"],
        );
        assert_eq!(requires_more(&before, &same), None);
        let more = described("EC2", &["a", "ecs.capability.container-restart-policy"], &["EC2"]);
        let message = requires_more(&before, &more).expect("more");
        assert!(message.contains("restart-policy") && message.contains("EXTERNAL"), "{message}");
        assert_eq!(requires_more(&described("FARGATE", &[], &[]), &more), None);
    }
}
