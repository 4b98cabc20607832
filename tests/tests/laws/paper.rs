//! The laws that need no AWS, for any definition and any policy. The fuzzing has them as well (`fuzz/src/lib.rs`).

use super::lossless;
use ecs_sidecar_core::check;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::observed::{ImageState, Observed};
use ecs_sidecar_core::plan::{Asked, Decision, Plan, Settings, plan};
use ecs_sidecar_core::policy::{Capacity, Ceiling, Pin, Policy};
use ecs_sidecar_core::receipt::Injector;
use std::collections::BTreeSet;

/// As much as a task may grow in the tests.
pub(crate) const GROWING: Capacity = Capacity::Grow(Ceiling { cpu: 4096, memory: 30720 });

/// What is observed of a definition that nobody looked up anything for.
pub(crate) fn observed(definition: TaskDefinition) -> Observed {
    let (account, region) = ("111122223333".parse().expect("an account"), "eu-west-1".parse().expect("a Region"));
    Observed::unchecked(account, region, definition, "ecr-public".to_owned())
}

/// A policy as it is for a person who gave default roles and trusts instance roles.
pub(crate) fn with_defaults(mut policy: Policy, capacity: Capacity) -> Policy {
    policy.spec.capacity = capacity;
    policy.spec.permissions.default_task_role = Some("arn:aws:iam::111122223333:role/traced".to_owned());
    policy.spec.permissions.default_execution_role = Some("arn:aws:iam::111122223333:role/pulls".to_owned());
    policy.spec.permissions.trust_instance_role = true;
    policy
}

/// Settings with one policy.
pub(crate) fn settings(policy: &Policy, asked: Asked) -> Settings {
    Settings {
        policies: vec![policy.clone()],
        deleted: BTreeSet::new(),
        bounds: ecs_sidecar_core::bounds::Bounds::unbounded(),
        asked,
        injector: Injector::Operator,
        version: "1.2.3".to_owned(),
        execution_policy_arn: None,
    }
}

/// The plan for a definition. What a tag stands for is told where the policy has to know.
pub(crate) fn planned(definition: &TaskDefinition, policy: &Policy, asked: Asked) -> Plan {
    let digest = || format!("sha256:{}", "0".repeat(64)).parse().expect("a digest");
    let told = (policy.spec.image.pin == Pin::Digest).then(digest);
    let observed = Observed { image: ImageState::NotChecked(told), ..observed(definition.clone()) };
    plan(&observed, &settings(policy, asked))
}

/// The laws for a definition without a receipt. Answers the decision.
pub(crate) fn hold(source: &TaskDefinition, policy: &Policy) -> Decision {
    let first = planned(source, policy, Asked::Inject);
    if first.decision == Decision::Skip {
        assert_eq!(first.result.text(), source.text(), "a definition that is skipped stays as it is");
        return first.decision;
    }
    assert_eq!(first.decision, Decision::Inject);
    lossless::assert_nothing_else_changed(source, &first);

    let before = check::check(source);
    let new = check::new_findings(&before, &check::check(&first.result));
    assert!(new.is_empty(), "findings that the original had not: {new:?}");

    let parsed = TaskDefinition::parse(first.result.text()).expect("a definition");
    let second = planned(&parsed, policy, Asked::Inject);
    assert_eq!(second.decision, Decision::UpToDate, "{}: {}", second.message, first.result.text());
    assert_eq!(second.result.text(), first.result.text(), "injecting twice is injecting once");

    let removed = planned(&first.result, policy, Asked::Remove);
    assert_eq!(removed.decision, Decision::Remove);
    assert_eq!(removed.result.text(), source.text(), "removal restores the bytes");
    first.decision
}
