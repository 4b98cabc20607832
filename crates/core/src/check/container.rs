//! Rules about one container by itself: image, memory, counts, variables.
//!
//! Not a rule: that a health check's command begins with CMD or CMD-SHELL. The API reference says so, but ECS takes
//! other commands, and AWS's own collector needs one (aws-observability/aws-otel-collector issue 2034).

use super::place::{Findings, Place, Step, name_of};
use super::{Holder, Rule, Task};
use crate::definition::{NetworkMode, Size};
use crate::keys::{container as keys, nested};
use std::collections::HashSet;

const MAX_IMAGE: usize = 255;
const MAX_ENVIRONMENT_FILES: usize = 10;
const MAX_EXIT_CODES: usize = 50;
const MAX_CREDENTIAL_SPECS: usize = 1;

/// What every Docker daemon demands, in MiB; since Docker 20.10 it is 6, which ECS cannot know at registration.
const MIN_MEMORY: i64 = 4;

pub(super) fn check(task: &Task<'_>, holder: &Holder<'_>, place: &Place<'_>, findings: &mut Findings) {
    check_image(holder, place, findings);
    check_memory(task, holder, place, findings);
    check_counts(holder, place, findings);
    check_variables(holder, place, findings);
    if task.mode == NetworkMode::AwsVpc {
        for key in [keys::HOSTNAME, keys::EXTRA_HOSTS] {
            if holder.fields.get(key).is_some() {
                let message = format!("{key} is not supported in network mode awsvpc");
                findings.add(Rule::NotInAwsvpc, &place.then(key), message);
            }
        }
    }
}

fn check_image(holder: &Holder<'_>, place: &Place<'_>, findings: &mut Findings) {
    let Some(image) = holder.fields.text(keys::IMAGE) else {
        return;
    };
    let counted = image.split_once("@sha256:").map_or(&*image, |(name, _)| name);
    let length = counted.chars().count();
    if length > MAX_IMAGE {
        let message = format!("{length} characters before the digest are more than {MAX_IMAGE}");
        findings.add(Rule::ImageTooLong, &place.then(keys::IMAGE), message);
    }
}

fn check_memory(task: &Task<'_>, holder: &Holder<'_>, place: &Place<'_>, findings: &mut Findings) {
    // "You must specify a non-zero integer": 0 is as good as nothing.
    let number = |key| holder.fields.number(key).filter(|number| *number != 0);
    let (limit, reservation) = (number(keys::MEMORY), number(keys::MEMORY_RESERVATION));
    let is_given = holder.fields.get(keys::MEMORY).or(holder.fields.get(keys::MEMORY_RESERVATION));
    let nothing = limit.or(reservation).is_none() && is_given.is_none_or(|given| given.as_i64().is_some());
    if task.memory == Size::Absent && nothing && !task.requires("FARGATE") {
        let message = "the task has no memory, so memory or memoryReservation is required here";
        findings.add(Rule::MemoryMissing, &place.then(keys::MEMORY), message);
    }
    for (key, size) in [(keys::MEMORY, limit), (keys::MEMORY_RESERVATION, reservation)] {
        if size.is_some_and(|size| size < MIN_MEMORY) {
            let message = format!("a container has at least {MIN_MEMORY} MiB");
            findings.add(Rule::MemoryTooSmall, &place.then(key), message);
        }
    }
    // The API reference wants memory to be greater; its authors' own correction (awsdocs/amazon-ecs-developer-guide
    // pull request 242) is "greater than or equal", which is also what Docker and the CDK accept.
    if let (Some(limit), Some(reservation)) = (limit, reservation)
        && limit < reservation
    {
        let message = format!("{limit} MiB are less than the reservation of {reservation}");
        findings.add(Rule::MemoryBelowReservation, &place.then(keys::MEMORY), message);
    }
}

fn check_counts(holder: &Holder<'_>, place: &Place<'_>, findings: &mut Findings) {
    for (rule, key, most) in [
        (Rule::TooManyEnvironmentFiles, keys::ENVIRONMENT_FILES, MAX_ENVIRONMENT_FILES),
        (Rule::TooManyCredentialSpecs, keys::CREDENTIAL_SPECS, MAX_CREDENTIAL_SPECS),
    ] {
        let count = holder.fields.count(key);
        if count > most {
            findings.add(rule, &place.then(key), format!("{count} are more than {most}"));
        }
    }
    let codes = holder.fields.get(keys::RESTART_POLICY).and_then(|policy| policy.get(nested::IGNORED_EXIT_CODES));
    let count = codes.map_or(0, |codes| codes.items().len());
    if count > MAX_EXIT_CODES {
        let place = place.then(keys::RESTART_POLICY);
        let message = format!("{count} exit codes are more than {MAX_EXIT_CODES}");
        findings.add(Rule::TooManyExitCodes, &place.then(nested::IGNORED_EXIT_CODES), message);
    }
}

/// A variable twice in `environment` alone is not refused; the last one counts.
fn check_variables(holder: &Holder<'_>, place: &Place<'_>, findings: &mut Findings) {
    if holder.fields.get(keys::SECRETS).is_none() {
        return;
    }
    // Variables are many and secrets few: only what one of these might meet is kept.
    let mut secrets: Vec<_> = holder.fields.items(keys::SECRETS).filter_map(name_of).collect();
    secrets.sort_unstable();
    let variables = holder.fields.items(keys::ENVIRONMENT).filter_map(name_of);
    let mut seen: HashSet<_> = variables.filter(|name| secrets.binary_search(name).is_ok()).collect();
    let list = place.then(keys::SECRETS);
    for (index, secret) in holder.fields.items(keys::SECRETS).enumerate() {
        let Some(name) = name_of(secret).filter(|name| !name.is_empty()) else {
            continue;
        };
        if !seen.insert(name.clone()) {
            let place = list.step(Step::to(Some(&name), index));
            findings.add(Rule::DuplicateVariable, &place, "another secret or variable has this name");
        }
    }
}
