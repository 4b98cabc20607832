//! What the fuzz targets have in common: the policies that come with the program, and the laws of the tests.
//!
//! Knows: how a law is tried. Must not know: a law that the tests do not have as well; they are included from there.

#[path = "../../tests/tests/laws/labels.rs"]
mod labels;
#[path = "../../tests/tests/laws/lossless.rs"]
mod lossless;
#[path = "../../tests/tests/laws/paper.rs"]
mod paper;

use ecs_sidecar_core::check;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::normalize::canonical;
use ecs_sidecar_core::plan::{Asked, Decision, Settings};
use ecs_sidecar_core::policy::{Capacity, PRESETS, Policy};
use ecs_sidecar_core::receipt;
use serde_json::Value;
use std::sync::LazyLock;

/// The policies that come with the program, each as it is and with room to grow.
pub static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(|| {
    let preset = |(name, _): &(&str, &str)| Policy::preset(name).expect("a preset");
    let both = |policy: Policy| [Capacity::Fit, paper::GROWING].map(|room| paper::with_defaults(policy.clone(), room));
    PRESETS.iter().map(preset).flat_map(both).collect()
});

/// A definition with the sidecar of each of [`POLICIES`], as its second container.
pub static PATCHED: LazyLock<Vec<Value>> = LazyLock::new(|| POLICIES.iter().map(labels::patched).collect());

/// A policy's settings, for whoever asks.
pub fn settings(policy: &Policy, asked: Asked) -> Settings {
    paper::settings(policy, asked)
}

/// What holds for any definition and policy: no panic, no change without a decision, and the laws of who has no receipt.
pub fn holds(source: &TaskDefinition, policy: &Policy) {
    for asked in [Asked::Standing, Asked::Inject, Asked::Remove] {
        let plan = paper::planned(source, policy, asked);
        if plan.decision == Decision::Skip {
            assert_eq!(plan.result.text(), source.text(), "a definition that is skipped stays as it is");
        }
        if plan.decision.registers() {
            settles(source, policy, asked);
        }
    }
    if matches!(receipt::read(source), Ok(None)) {
        paper::hold(source, policy);
    }
}

/// What was registered is left alone when the same is asked again, and ECS has nothing new to say against a sidecar.
fn settles(source: &TaskDefinition, policy: &Policy, asked: Asked) {
    let first = paper::planned(source, policy, asked);
    let result = TaskDefinition::parse(first.result.text()).expect("a definition");
    let again = paper::planned(&result, policy, asked);
    assert!(!again.decision.registers(), "{:?}, then {:?} ({})", first.decision, again.decision, again.message);
    // What is taken back leaves what its owner had, also if ECS would refuse that.
    if first.decision != Decision::Remove {
        let new = check::new_findings(&check::check(source), &check::check(&result));
        assert!(new.is_empty(), "findings that the original had not: {new:?}");
    }
}

/// Register form is register form, whatever came; and nothing that reads a definition panics.
pub fn is_readable(source: &TaskDefinition) {
    check::check(source);
    canonical(source);
    let again = TaskDefinition::parse(source.text()).expect("register form is a definition");
    assert_eq!(again.text(), source.text(), "register form stays as it is");
}

/// Whatever a receipt says, the roles stay those of the owner.
pub fn sets_no_role(patched: &Value, label: &str, policy: &Policy) {
    labels::no_role_is_set(&labels::with_label(patched, label), policy);
}

/// The definition with that text as its receipt.
pub fn with_label(patched: &Value, label: &str) -> TaskDefinition {
    labels::with_label(patched, label)
}
