//! Laws that hold for every definition, whatever is in it: arbitrary ones with unknown members, and the corpus.

mod arbitrary;
mod corpus;
mod forged;
mod jobs;
mod lossless;
mod shapes;

use ecs_sidecar_core::check;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::normalize::canonical;
use ecs_sidecar_core::observed::Observed;
use ecs_sidecar_core::plan::{Asked, Decision, Plan, Settings, plan};
use ecs_sidecar_core::policy::{Capacity, Ceiling, Policy};
use ecs_sidecar_core::receipt::Injector;
use ecs_sidecar_tests::World;

/// What is observed of a definition that nobody looked up anything for.
fn observed(definition: TaskDefinition) -> Observed {
    let (account, region) = ("111122223333".parse().expect("an account"), "eu-west-1".parse().expect("a Region"));
    Observed::unchecked(account, region, definition, "ecr-public".to_owned())
}

/// The preset, for a person who gave default roles and trusts instance roles.
fn settings(asked: Asked, capacity: Capacity) -> Settings {
    let mut policy = Policy::preset("xray-daemon").expect("the preset");
    policy.spec.capacity = capacity;
    policy.spec.permissions.default_task_role = Some("arn:aws:iam::111122223333:role/traced".to_owned());
    policy.spec.permissions.default_execution_role = Some("arn:aws:iam::111122223333:role/pulls".to_owned());
    policy.spec.permissions.trust_instance_role = true;
    Settings {
        policies: vec![policy],
        deleted: std::collections::BTreeSet::new(),
        bounds: ecs_sidecar_core::bounds::Bounds::unbounded(),
        asked,
        injector: Injector::Operator,
        version: "1.2.3".to_owned(),
        execution_policy_arn: None,
    }
}

const GROWING: Capacity = Capacity::Grow(Ceiling { cpu: 4096, memory: 30720 });

fn parse(text: &str) -> TaskDefinition {
    TaskDefinition::parse(text).expect("a definition")
}

fn inject(definition: &TaskDefinition, capacity: Capacity) -> Plan {
    plan(&observed(definition.clone()), &settings(Asked::Inject, capacity))
}

fn remove(definition: &TaskDefinition, capacity: Capacity) -> Plan {
    plan(&observed(definition.clone()), &settings(Asked::Remove, capacity))
}

/// The laws that need no AWS. Answers the decision.
fn hold_on_paper(source: &TaskDefinition, capacity: Capacity) -> Decision {
    let first = inject(source, capacity);
    if first.decision == Decision::Skip {
        assert_eq!(first.result.text(), source.text(), "a definition that is skipped stays as it is");
        return first.decision;
    }
    assert_eq!(first.decision, Decision::Inject);
    lossless::assert_nothing_else_changed(source, &first);

    let before = check::check(source);
    let new = check::new_findings(&before, &check::check(&first.result));
    assert!(new.is_empty(), "findings that the original had not: {new:?}");

    let second = inject(&parse(first.result.text()), capacity);
    assert_eq!(second.decision, Decision::UpToDate, "{}: {}", second.message, first.result.text());
    assert_eq!(second.result.text(), first.result.text(), "injecting twice is injecting once");

    let removed = remove(&first.result, capacity);
    assert_eq!(removed.decision, Decision::Remove);
    assert_eq!(removed.result.text(), source.text(), "removal restores the bytes");
    first.decision
}

/// The laws that need an ECS: what it fills in and reorders must make no difference.
fn hold_in_the_world(source: &TaskDefinition, capacity: Capacity) {
    let world = World::new();
    let register = |definition: &TaskDefinition| {
        let arn = world.register(definition.text()).expect("registers, for it has no finding");
        parse(&world.describe(&arn).expect("it was registered"))
    };
    let described = register(source);
    let plan = inject(&described, capacity);
    if plan.decision != Decision::Inject {
        return;
    }
    lossless::assert_nothing_else_changed(&described, &plan);
    let patched = register(&plan.result);
    let again = inject(&patched, capacity);
    assert_eq!(
        again.decision,
        Decision::UpToDate,
        "planning over what was done is empty: {:?} {}",
        again.reason,
        again.message
    );
    let removed = remove(&patched, capacity);
    assert_eq!(removed.decision, Decision::Remove);
    let restored = register(&removed.result);
    assert_eq!(canonical(&restored), canonical(source), "removal restores the definition, but for what ECS fills in");
}
