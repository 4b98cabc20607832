//! A patched definition whose receipt says what somebody wants it to say: no role is ever set by it. The fuzzing has this
//! law as well (`fuzz/fuzz_targets/receipt.rs`).

use super::paper::{GROWING, planned, with_defaults};
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::names;
use ecs_sidecar_core::plan::{Asked, Decision};
use ecs_sidecar_core::policy::{Capacity, Policy};
use serde_json::{Value, json};

const OWN_ROLE: &str = "arn:aws:iam::111122223333:role/app/web";

/// A definition that has a policy's sidecar, as its second container.
pub(crate) fn patched(policy: &Policy) -> Value {
    let source = json!({
        "family": "web",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "1024",
        "memory": "2048",
        "taskRoleArn": OWN_ROLE,
        "executionRoleArn": OWN_ROLE,
        "containerDefinitions": [{ "name": "web", "image": "web:1", "memory": 512, "environment": [{ "name": "A", "value": "b" }] }],
    });
    let source = TaskDefinition::parse(&source.to_string()).expect("a definition");
    let plan = planned(&source, policy, Asked::Inject);
    assert_eq!(plan.decision, Decision::Inject, "{}: {:?} {}", policy.name(), plan.reason, plan.message);
    serde_json::from_str(plan.result.text()).expect("JSON")
}

/// The same with another text as its receipt.
pub(crate) fn with_label(patched: &Value, label: &str) -> TaskDefinition {
    let mut definition = patched.clone();
    definition["containerDefinitions"][1]["dockerLabels"][names::RECEIPT] = label.into();
    TaskDefinition::parse(&definition.to_string()).expect("a definition")
}

/// Whoever asks for whatever, the roles stay those of the owner.
pub(crate) fn no_role_is_set(definition: &TaskDefinition, policy: &Policy) {
    for asked in [Asked::Standing, Asked::Inject, Asked::Remove] {
        for capacity in [Capacity::Fit, GROWING] {
            let plan = planned(definition, &with_defaults(policy.clone(), capacity), asked);
            for role in plan.result.task_role().into_iter().chain(plan.result.execution_role()) {
                assert_eq!(role.as_str(), OWN_ROLE, "a receipt must not set a role");
            }
        }
    }
}
