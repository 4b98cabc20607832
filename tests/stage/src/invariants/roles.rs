//! Roles: nobody has more than the list allows, and nothing of anybody's is gone.
//!
//! Knows: which roles definitions name, and what a sidecar's roles may get. Must not know: why they got it.

use super::People;
use super::revisions::is_operators;
use crate::stage::{Stage, TRACES, parsed};
use ecs_sidecar_aws::rows::Row;
use ecs_sidecar_core::ids::RoleRef;
use std::collections::{BTreeMap, BTreeSet};

/// What the operator may attach, by the role's name: to roles that a revision of somebody's names, within the stack's
/// pattern, and no other policies.
fn allowed(stage: &Stage) -> BTreeMap<String, BTreeSet<String>> {
    let bounds = stage.another_settings().plan.bounds;
    let mut allowed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let revisions = stage.world.families().into_iter().flat_map(|family| stage.world.revisions(&family));
    for view in revisions.filter(|view| !is_operators(view)) {
        let definition = parsed(&view);
        for (role, policy) in
            [(definition.task_role(), TRACES), (definition.execution_role(), stage.execution_policy.as_str())]
        {
            let Some(role) = role.filter(|role| bounds.allow_role(role)) else {
                continue;
            };
            allowed.entry(role.name().to_owned()).or_default().insert(policy.to_owned());
        }
    }
    allowed
}

/// Policies that the operator attached to a role: what people did not.
fn beyond(stage: &Stage, people: &People, role: &str) -> BTreeSet<String> {
    let own = people.attached.get(role).cloned().unwrap_or_default();
    stage.world.attached(role).into_iter().filter(|policy| !own.contains(policy)).collect()
}

/// No permission beyond the list, and nothing of people's detached.
pub(super) fn bounded(stage: &Stage, people: &People) -> Vec<String> {
    let (mut found, allowed) = (Vec::new(), allowed(stage));
    for role in stage.world.roles() {
        let may = allowed.get(&role).cloned().unwrap_or_default();
        let beyond = beyond(stage, people, &role);
        found.extend(beyond.difference(&may).map(|policy| format!("role {role} was given {policy}")));
        let has: BTreeSet<String> = stage.world.attached(&role).into_iter().collect();
        let own = people.attached.get(&role).cloned().unwrap_or_default();
        found.extend(own.difference(&has).map(|policy| format!("role {role} was deprived of {policy}")));
    }
    found
}

/// What the operator attached is in a row, so that it can be taken back; and what is in a row is attached, as long as
/// there is the role, unless somebody detached it: who has nothing to grant does not look at roles, and a row tells what was
/// granted (design, 5).
pub(super) fn noted(stage: &Stage, people: &People, rows: &[Row]) -> Vec<String> {
    let mut found = Vec::new();
    let named = |pair: &String| pair.split_once(' ').map(|(role, policy)| (RoleRef::new(role), policy.to_owned()));
    let pairs: BTreeSet<(String, String)> = rows
        .iter()
        .flat_map(|row| row.grants.iter().filter_map(named))
        .map(|(role, policy)| (role.name().to_owned(), policy))
        .collect();
    for role in stage.world.roles() {
        for policy in beyond(stage, people, &role) {
            if !pairs.contains(&(role.clone(), policy.clone())) {
                found.push(format!("no row tells that role {role} was given {policy}"));
            }
        }
    }
    let there = stage.world.roles();
    for (role, policy) in pairs.into_iter().filter(|(role, _)| there.contains(role)) {
        let detached = people.detached.get(&role).is_some_and(|policies| policies.contains(&policy));
        if !detached && !stage.world.attached(&role).contains(&policy) {
            found.push(format!("a row tells that role {role} was given {policy}, and it has it not"));
        }
    }
    found
}
