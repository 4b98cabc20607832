//! Rules about the definition as a whole: names, roles, counts, sizes.

use super::place::{Findings, Place};
use super::{Rule, Task};
use crate::definition::Size;
use crate::json::Value;
use crate::keys::{container, nested, task as keys};
use std::collections::HashSet;

const MAX_CONTAINERS: usize = 10;
const MAX_BYTES: usize = 64 * 1024;
const MAX_CONSTRAINTS: usize = 10;

/// CPU units that a task outside Fargate may have: 0.125 to 192 vCPU.
const TASK_CPU: std::ops::RangeInclusive<u64> = 128..=196_608;

pub(super) fn check(task: &Task<'_>, findings: &mut Findings) {
    check_family(task, findings);
    check_roles(task, findings);
    check_counts(task, findings);
    check_names(task, findings);
    check_sizes(task, findings);
    check_sums(task, findings);
    check_proxy(task, findings);
}

/// Letters, digits, underscores and hyphens, up to 255.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn check_family(task: &Task<'_>, findings: &mut Findings) {
    if task.definition.family().is_some_and(|family| !is_name(&family)) {
        let message = "a family has up to 255 letters, digits, underscores and hyphens";
        findings.add(Rule::FamilyName, &Place::member(keys::FAMILY), message);
    }
}

fn check_roles(task: &Task<'_>, findings: &mut Findings) {
    let roles = [
        (keys::TASK_ROLE_ARN, task.definition.task_role()),
        (keys::EXECUTION_ROLE_ARN, task.definition.execution_role()),
    ];
    for (key, role) in roles {
        if role.is_some_and(|role| !role.is_well_formed()) {
            findings.add(Rule::RoleMalformed, &Place::member(key), "this is neither the ARN nor the name of a role");
        }
    }
}

fn check_counts(task: &Task<'_>, findings: &mut Findings) {
    let containers = Place::member(keys::CONTAINER_DEFINITIONS);
    let count = task.containers.len();
    if count > MAX_CONTAINERS {
        let message = format!("{count} containers are more than {MAX_CONTAINERS}");
        findings.add(Rule::TooManyContainers, &containers, message);
    }
    if !task.containers.iter().any(|holder| holder.container.is_essential()) {
        findings.add(Rule::NoEssentialContainer, &containers, "no container is essential");
    }
    let count = task.fields.count(keys::PLACEMENT_CONSTRAINTS);
    if count > MAX_CONSTRAINTS {
        let message = format!("{count} constraints are more than {MAX_CONSTRAINTS}");
        findings.add(Rule::TooManyConstraints, &Place::member(keys::PLACEMENT_CONSTRAINTS), message);
    }
    // No page says what is counted. Taken here: bytes of the compact JSON, and not the tags, which ECS keeps beside
    // the definition and limits by themselves. A text that is short enough as it stands needs no counting.
    if task.definition.text().len() > MAX_BYTES {
        let size = task.definition.root().members().filter(|(key, _)| key != keys::TAGS);
        let bytes: usize = 1 + size.map(|(key, value)| key.len() + 4 + compact_length(value)).sum::<usize>();
        if bytes > MAX_BYTES {
            let message = format!("{bytes} bytes are more than {MAX_BYTES}");
            findings.add(Rule::TooLarge, &containers, message);
        }
    }
}

/// Length of a value's text without white space between its parts.
fn compact_length(value: Value<'_>) -> usize {
    let items = value.items().len();
    if items > 0 {
        return 1 + items + value.items().map(compact_length).sum::<usize>();
    }
    match value.raw().as_bytes() {
        [b'{', ..] => {
            let members = value.members().map(|(key, value)| key.len() + 4 + compact_length(value));
            members.sum::<usize>().max(1) + 1
        }
        [b'[', ..] => 2,
        raw => raw.len(),
    }
}

fn check_names(task: &Task<'_>, findings: &mut Findings) {
    let list = Place::member(keys::CONTAINER_DEFINITIONS);
    let mut seen = HashSet::new();
    for holder in &task.containers {
        let Some(name) = holder.name.as_deref() else {
            continue;
        };
        let place = list.step(holder.step());
        if !is_name(name) {
            let message = "a container's name has up to 255 letters, digits, underscores and hyphens";
            findings.add(Rule::ContainerName, &place.then(container::NAME), message);
        }
        if !seen.insert(name) {
            findings.add(Rule::DuplicateContainer, &place.then(container::NAME), "another container has this name");
        }
    }
}

fn check_sizes(task: &Task<'_>, findings: &mut Findings) {
    for (key, size, wanted) in [
        (keys::CPU, task.cpu, "CPU units (1024) or vCPU (1 vCPU)"),
        (keys::MEMORY, task.memory, "MiB (1024) or GB (1 GB)"),
    ] {
        // A value of another type is a finding already.
        if size == Size::Unreadable && task.fields.text(key).is_some() {
            findings.add(Rule::SizeUnreadable, &Place::member(key), format!("this is no size in {wanted}"));
        }
    }
    if let Some(cpu) = task.cpu.known()
        && !task.requires("FARGATE")
        && !TASK_CPU.contains(&cpu)
    {
        let message = format!("{cpu} CPU units are not between {} and {}", TASK_CPU.start(), TASK_CPU.end());
        findings.add(Rule::TaskCpuRange, &Place::member(keys::CPU), message);
    }
}

/// What containers ask for against what the task has. The sizes of the task are ignored for Windows outside Fargate.
fn check_sums(task: &Task<'_>, findings: &mut Findings) {
    if task.is_windows && !task.requires("FARGATE") {
        return;
    }
    let sum = |key| -> u64 {
        let numbers = task.containers.iter().filter_map(|holder| u64::try_from(holder.fields.number(key)?).ok());
        numbers.fold(0, u64::saturating_add)
    };
    if let (Some(has), asked) = (task.cpu.known(), sum(container::CPU))
        && asked > has
    {
        let message = format!("the containers ask for {asked} CPU units, more than the task's {has}");
        findings.add(Rule::CpuSum, &Place::member(keys::CPU), message);
    }
    let Some(has) = task.memory.known() else {
        return;
    };
    let list = Place::member(keys::CONTAINER_DEFINITIONS);
    let mut alone = false;
    for holder in &task.containers {
        let Some(limit) = holder.fields.number(container::MEMORY).and_then(|limit| u64::try_from(limit).ok()) else {
            continue;
        };
        if limit > has {
            alone = true;
            let message = format!("{limit} MiB are more than the task's {has}");
            findings.add(Rule::MemoryAboveTask, &list.step(holder.step()).then(container::MEMORY), message);
        }
    }
    let asked = sum(container::MEMORY);
    if asked > has && !alone {
        let message = format!("the containers' limits are {asked} MiB together, more than the task's {has}");
        findings.add(Rule::MemorySum, &Place::member(keys::MEMORY), message);
    }
}

fn check_proxy(task: &Task<'_>, findings: &mut Findings) {
    let Some(proxy) = task.fields.get(keys::PROXY_CONFIGURATION) else {
        return;
    };
    if super::text(proxy, nested::CONTAINER_NAME).is_some_and(|name| task.named(&name).is_none()) {
        let place = Place::member(keys::PROXY_CONFIGURATION);
        findings.add(Rule::ProxyUnknown, &place.then(nested::CONTAINER_NAME), "no container has this name");
    }
}
