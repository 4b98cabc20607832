//! What a policy may say and probably does not mean.
//!
//! Knows: policies alone. Must not know: whether anybody listens; nothing is refused for it.

use super::{Dependency, MissingLogGroup, Pin, Policy};
use crate::bounds::matches_any;
use crate::keys::container;
use serde::Serialize;

/// A place in a policy that somebody should look at again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Advice {
    /// Path in the document, such as `spec.selector.families`.
    pub place: String,
    /// What comes of it.
    pub message: &'static str,
}

/// Looks for what is allowed and probably not meant.
pub fn advice(policy: &Policy) -> Vec<Advice> {
    let mut found = Vec::new();
    let mut say = |place: &str, message| found.push(Advice { place: place.to_owned(), message });
    selector(policy, &mut say);
    container(policy, &mut say);
    let spec = &policy.spec;
    if spec.image.pin == Pin::Tag && policy.upstream().tag == "latest" {
        say(
            "spec.image.upstream",
            "each deployment runs what `latest` is by then; a version, or `pin: digest`, is steadier",
        );
    }
    if spec.application.depends_on == Dependency::Start {
        say("spec.application.dependsOn", "where the sidecar cannot start, the app does not start either");
    }
    for (index, variable) in spec.application.environment.iter().enumerate() {
        if variable.network_modes.is_empty() {
            let place = format!("spec.application.environment[{index}].networkModes");
            say(&place, "with an empty list it is never set; without the list it always is");
        }
    }
    if spec.log_group.retention_days.is_some() && spec.log_group.missing == MissingLogGroup::Refuse {
        say("spec.logGroup.retentionDays", "only groups that are made get it, and `missing: refuse` makes none");
    }
    found
}

fn selector(policy: &Policy, say: &mut impl FnMut(&str, &'static str)) {
    let selector = &policy.spec.selector;
    let nothing = "with an empty list nothing is selected; without the list everything is";
    for (list, is_empty) in [
        ("families", selector.families.is_empty()),
        ("compatibilities", selector.compatibilities.is_empty()),
        ("architectures", selector.architectures.is_empty()),
        ("networkModes", selector.network_modes.is_empty()),
    ] {
        if is_empty {
            say(&format!("spec.selector.{list}"), nothing);
        }
    }
    // A glob without `?` that matches the text of another one matches all that the other does.
    let globs: Vec<String> = selector.exclude_families.iter().filter(|glob| !glob.contains('?')).cloned().collect();
    let excludes = |family: &String| matches_any(&globs, family);
    if !selector.families.is_empty() && selector.families.iter().all(excludes) {
        say("spec.selector.excludeFamilies", "all that `families` selects is excluded again");
    }
}

fn container(policy: &Policy, say: &mut impl FnMut(&str, &'static str)) {
    let has = |key: &str| policy.spec.container.get(key);
    if has(container::MEMORY).or(has(container::MEMORY_RESERVATION)).is_none() {
        say(
            "spec.container.memoryReservation",
            "definitions whose task has no memory of its own are left alone without it",
        );
    }
}
