//! Laws that hold for every definition, whatever is in it: arbitrary ones with unknown members, and the corpus.

mod arbitrary;
mod corpus;
mod forged;
mod jobs;
mod labels;
mod lossless;
mod paper;
mod shapes;

use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::normalize::canonical;
use ecs_sidecar_core::plan::{Asked, Decision, Plan, Settings};
use ecs_sidecar_core::policy::{Capacity, Policy};
use ecs_sidecar_tests::World;
use paper::{GROWING, observed};

/// The preset, for a person who gave default roles and trusts instance roles.
fn preset(capacity: Capacity) -> Policy {
    paper::with_defaults(Policy::preset("xray-daemon").expect("the preset"), capacity)
}

fn settings(asked: Asked, capacity: Capacity) -> Settings {
    paper::settings(&preset(capacity), asked)
}

fn parse(text: &str) -> TaskDefinition {
    TaskDefinition::parse(text).expect("a definition")
}

fn inject(definition: &TaskDefinition, capacity: Capacity) -> Plan {
    paper::planned(definition, &preset(capacity), Asked::Inject)
}

fn remove(definition: &TaskDefinition, capacity: Capacity) -> Plan {
    paper::planned(definition, &preset(capacity), Asked::Remove)
}

/// The laws that need no AWS. Answers the decision.
fn hold_on_paper(source: &TaskDefinition, capacity: Capacity) -> Decision {
    paper::hold(source, &preset(capacity))
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
