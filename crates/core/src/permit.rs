//! Whether the stack's bounds and the roles let an intent come true.

use crate::bounds::Bounds;
use crate::decision::{Grant, Settings};
use crate::ids::RoleRef;
use crate::intent::{Place, Roles, policy_arns};
use crate::observed::{Observed, RoleState};
use crate::policy::{PermissionsMode, Policy};
use crate::reason::Reason;
use crate::refusal::Refusal;

/// What roles are to have.
#[derive(Debug, Default)]
pub(crate) struct Permits {
    /// All of it.
    pub(crate) wanted: Vec<Grant>,
    /// What they still have to get.
    pub(crate) missing: Vec<Grant>,
}

/// What the roles of the result are to have.
pub(crate) fn permits(
    observed: &Observed,
    settings: &Settings,
    policy: &Policy,
    place: Place<'_>,
    roles: &Roles,
) -> Result<Permits, Refusal> {
    let permissions = &policy.spec.permissions;
    let mut execution = policy_arns(&permissions.execution_role, policy, place);
    // The stack made this one itself, for the sidecar's repository alone, so no bound has to list it.
    let own = settings.execution_policy_arn.clone();
    let bounded = execution.clone();
    execution.extend(own);
    let task = policy_arns(&permissions.task_role, policy, place);
    if let Some(arn) = task.iter().chain(&bounded).find(|arn| !settings.bounds.allow_policy(arn)) {
        return Err(Refusal::new(Reason::PolicyNotAllowed, format!("the stack does not list {arn}")));
    }
    let mut permits = Permits::default();
    for (role, state, wanted) in
        [(&roles.task, &observed.task_role, task), (&roles.execution, &observed.execution_role, execution)]
    {
        let Some(role) = role else { continue };
        role_in_reach(role, observed, &settings.bounds)?;
        let missing = missing(role, state, &wanted)?;
        for policy_arn in wanted {
            let grant = Grant { role: role.clone(), policy_arn };
            // One role may serve as both.
            if permits.wanted.contains(&grant) {
                continue;
            }
            if missing.contains(&grant.policy_arn) {
                permits.missing.push(grant.clone());
            }
            permits.wanted.push(grant);
        }
    }
    if permissions.mode == PermissionsMode::Verify && !permits.missing.is_empty() {
        let missing = permits.missing.iter();
        let lacks: Vec<String> =
            missing.map(|grant| format!("role {} lacks {}", grant.role.name(), grant.policy_arn)).collect();
        return Err(Refusal::new(Reason::PermissionsMissing, lacks.join("; ")));
    }
    Ok(permits)
}

/// Whether the operator may deal with a role at all.
fn role_in_reach(role: &RoleRef, observed: &Observed, bounds: &Bounds) -> Result<(), Refusal> {
    if let Some(account) = role.account().filter(|account| *account != observed.account) {
        let message = format!("role {} belongs to account {account}, not {}", role.name(), observed.account);
        return Err(Refusal::new(Reason::RoleOtherAccount, message));
    }
    if role.is_service_linked() {
        return Err(Refusal::new(Reason::RoleServiceLinked, format!("role {} is service-linked", role.name())));
    }
    if !bounds.allow_role(role) {
        let message = format!("the stack does not let the operator touch role {}", role.path_and_name());
        return Err(Refusal::new(Reason::RoleNotAllowed, message));
    }
    Ok(())
}

fn missing(role: &RoleRef, state: &RoleState, wanted: &[String]) -> Result<Vec<String>, Refusal> {
    match state {
        RoleState::NotChecked => Ok(Vec::new()),
        RoleState::Attached(attached) => Ok(wanted.iter().filter(|arn| !attached.contains(*arn)).cloned().collect()),
        RoleState::Missing => Err(Refusal::new(Reason::RoleNotFound, format!("there is no role {}", role.name()))),
        RoleState::Refused(why) => Err(Refusal::new(Reason::RoleUnreadable, format!("role {}: {why}", role.name()))),
    }
}
