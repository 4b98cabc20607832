//! Rules about what containers say of each other and of volumes.

use super::place::{Findings, Place};
use super::{Holder, Rule, Task};
use crate::definition::NetworkMode;
use crate::json::Value;
use crate::keys::{container as keys, nested, task};

pub(super) fn check(task: &Task<'_>, holder: &Holder<'_>, place: &Place<'_>, findings: &mut Findings) {
    check_depends_on(task, holder, place, findings);
    check_links(task, holder, place, findings);
    check_volumes_from(task, holder, place, findings);
    check_mounts(task, holder, place, findings);
}

fn is_self(holder: &Holder<'_>, name: &str) -> bool {
    holder.name.as_deref() == Some(name)
}

fn check_depends_on(task: &Task<'_>, holder: &Holder<'_>, place: &Place<'_>, findings: &mut Findings) {
    let list = place.then(keys::DEPENDS_ON);
    for (index, dependency) in holder.fields.items(keys::DEPENDS_ON).enumerate() {
        let Some(name) = super::text(dependency, nested::CONTAINER_NAME) else {
            continue;
        };
        let place = list.item(index);
        if is_self(holder, &name) {
            findings.add(Rule::DependsOnItself, &place, "a container cannot wait for itself");
            continue;
        }
        let Some(other) = task.named(&name) else {
            findings.add(Rule::DependsOnUnknown, &place, format!("no container is named {name:?}"));
            continue;
        };
        let condition = super::text(dependency, nested::CONDITION);
        match condition.as_deref() {
            Some(condition @ ("COMPLETE" | "SUCCESS")) if other.container.is_essential() => {
                let message = format!("{condition} waits for {name:?}, which is essential");
                findings.add(Rule::DependsOnEssential, &place, message);
            }
            Some("HEALTHY") if other.fields.get(keys::HEALTH_CHECK).is_none() => {
                let message = format!("HEALTHY waits for {name:?}, which has no health check");
                findings.add(Rule::DependsOnUnhealthy, &place, message);
            }
            Some(_) | None => {}
        }
    }
}

fn check_links(task: &Task<'_>, holder: &Holder<'_>, place: &Place<'_>, findings: &mut Findings) {
    let list = place.then(keys::LINKS);
    if holder.fields.get(keys::LINKS).is_some()
        && matches!(task.mode, NetworkMode::AwsVpc | NetworkMode::Host | NetworkMode::None)
    {
        findings.add(Rule::LinksNeedBridge, &list, "links are for network mode bridge only");
    }
    for (index, link) in holder.fields.items(keys::LINKS).enumerate() {
        let Some(link) = link.as_str().filter(|link| !link.is_empty()) else {
            continue;
        };
        let name = link.split_once(':').map_or(&*link, |(name, _)| name);
        if is_self(holder, name) || task.named(name).is_none() {
            findings.add(Rule::LinkUnknown, &list.item(index), format!("no other container is named {name:?}"));
        }
    }
}

fn check_volumes_from(task: &Task<'_>, holder: &Holder<'_>, place: &Place<'_>, findings: &mut Findings) {
    let list = place.then(keys::VOLUMES_FROM);
    for (index, from) in holder.fields.items(keys::VOLUMES_FROM).enumerate() {
        let Some(name) = super::text(from, nested::SOURCE_CONTAINER) else {
            continue;
        };
        if is_self(holder, &name) || task.named(&name).is_none() {
            let message = format!("no other container is named {name:?}");
            findings.add(Rule::VolumesFromUnknown, &list.item(index), message);
        }
    }
}

fn check_mounts(task: &Task<'_>, holder: &Holder<'_>, place: &Place<'_>, findings: &mut Findings) {
    let list = place.then(keys::MOUNT_POINTS);
    for (index, mount) in holder.fields.items(keys::MOUNT_POINTS).enumerate() {
        let Some(name) = super::text(mount, nested::SOURCE_VOLUME) else {
            continue;
        };
        if !task.volumes.contains(&name) {
            findings.add(Rule::VolumeUnknown, &list.item(index), format!("no volume is named {name:?}"));
        }
    }
}

/// Finds containers in a cycle of dependencies, or between two: those that are left when every container that waits
/// for none of the rest, or that none of the rest waits for, is taken away again and again. The order of containers
/// does not matter to it, so a finding does not move when one is added.
pub(super) fn check_cycles(task: &Task<'_>, findings: &mut Findings) {
    let edges: Vec<(usize, usize)> = task.containers.iter().flat_map(|holder| edges_of(task, holder)).collect();
    if edges.is_empty() {
        return;
    }
    let forward = left_over(task.containers.len(), edges.iter().copied());
    let backward = left_over(task.containers.len(), edges.iter().map(|(from, to)| (*to, *from)));
    let list = Place::member(task::CONTAINER_DEFINITIONS);
    for holder in &task.containers {
        if forward[holder.index] && backward[holder.index] {
            let place = list.step(holder.step());
            findings.add(Rule::DependsOnCycle, &place.then(keys::DEPENDS_ON), "this dependency leads back to itself");
        }
    }
}

fn edges_of<'t>(task: &'t Task<'_>, holder: &'t Holder<'_>) -> impl Iterator<Item = (usize, usize)> + 't {
    holder.fields.items(keys::DEPENDS_ON).filter_map(move |dependency: Value<'_>| {
        let other = task.named(&super::text(dependency, nested::CONTAINER_NAME)?)?;
        (other.index != holder.index).then_some((holder.index, other.index))
    })
}

/// Which nodes stay when those without incoming edges are taken away until there are none.
fn left_over(nodes: usize, edges: impl Iterator<Item = (usize, usize)>) -> Vec<bool> {
    let mut outgoing = vec![Vec::new(); nodes];
    let mut incoming = vec![0_usize; nodes];
    for (from, to) in edges {
        outgoing[from].push(to);
        incoming[to] += 1;
    }
    let mut free: Vec<usize> = (0..nodes).filter(|node| incoming[*node] == 0).collect();
    let mut left = vec![true; nodes];
    while let Some(node) = free.pop() {
        left[node] = false;
        for to in &outgoing[node] {
            incoming[*to] -= 1;
            if incoming[*to] == 0 {
                free.push(*to);
            }
        }
    }
    left
}
