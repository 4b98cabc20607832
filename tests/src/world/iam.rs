//! IAM's calls about roles and their policies.
//!
//! Knows: which errors each call has. Must not know: what a policy says.

use crate::world::answer::{Answer, ServiceError, page, xml};
use crate::world::ecs::Deed;
use crate::world::input::Input;
use crate::world::state::{Role, State};
use crate::world::{Caller, Rules};
use std::sync::Arc;
use std::time::Duration;

/// The deed of that name.
pub(crate) fn deed(operation: &str) -> Option<Deed> {
    Some(match operation {
        "GetRole" => Deed::Read(get_role),
        "ListAttachedRolePolicies" => Deed::Read(list_attached),
        "AttachRolePolicy" => Deed::Write(attach),
        "DetachRolePolicy" => Deed::Write(detach),
        "SimulatePrincipalPolicy" => Deed::Read(simulate),
        _ => return None,
    })
}

fn no_such_role(name: &str) -> ServiceError {
    ServiceError::new("NoSuchEntity", format!("The role with name {name} cannot be found."))
}

fn no_such_policy(arn: &str) -> ServiceError {
    ServiceError::new("NoSuchEntity", format!("Policy {arn} does not exist or is not attachable."))
}

fn role_of<'a>(state: &'a State, caller: &Caller, input: &Input) -> Result<(String, &'a Role), ServiceError> {
    let name = input.required("RoleName")?;
    let role = state.roles.get(&(caller.place.account.clone(), name.clone()));
    let role = role.ok_or_else(|| no_such_role(&name))?;
    Ok((name, role))
}

/// The role to be changed; a service's own role may not be.
fn role_to_change<'a>(state: &'a mut State, caller: &Caller, input: &Input) -> Result<&'a mut Role, ServiceError> {
    let (name, role) = role_of(state, caller, input)?;
    if role.path.starts_with("/aws-service-role/") {
        let message = format!(
            "Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
        );
        return Err(ServiceError::new("UnmodifiableEntity", message));
    }
    let role = state.roles.get_mut(&(caller.place.account.clone(), name.clone()));
    role.map(Arc::make_mut).ok_or_else(|| no_such_role(&name))
}

fn get_role(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let (name, role) = role_of(state, caller, input)?;
    Ok(Answer(format!(
        "<Role><Path>{}</Path><RoleName>{}</RoleName><RoleId>AROA{:0>17}</RoleId><Arn>{}</Arn>\
         <CreateDate>2026-01-01T00:00:00Z</CreateDate></Role>",
        xml(&role.path),
        xml(&name),
        name.len(),
        xml(&role.arn),
    )))
}

fn list_attached(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let (_, role) = role_of(state, caller, input)?;
    let size = match input.number("MaxItems") {
        None => 100,
        Some(size @ 1..=1000) => usize::try_from(size).unwrap_or(100),
        Some(_) => return Err(ServiceError::new("ValidationError", "MaxItems is not between 1 and 1000")),
    };
    let invalid = || ServiceError::new("ValidationError", "Invalid Marker");
    let shown = role.attached.iter().filter(|arn| role.shown_from.get(*arn).is_none_or(|from| *from <= caller.at));
    let (arns, next) = page(shown, input.text("Marker").as_deref(), size, invalid)?;
    let members: String = arns
        .iter()
        .map(|arn| {
            let name = xml(arn.rsplit('/').next().unwrap_or_default());
            format!("<member><PolicyName>{name}</PolicyName><PolicyArn>{}</PolicyArn></member>", xml(arn))
        })
        .collect();
    let truncated = next.is_some();
    let marker = next.map(|marker| format!("<Marker>{marker}</Marker>")).unwrap_or_default();
    Ok(Answer(format!("<AttachedPolicies>{members}</AttachedPolicies><IsTruncated>{truncated}</IsTruncated>{marker}")))
}

/// What a role may do is what the test says that it may.
fn simulate(state: &State, _: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let (role, action) = (input.required("PolicySourceArn")?, input.required("ActionNames.member.1")?);
    if !state.roles.values().any(|known| known.arn == role) {
        return Err(no_such_role(&role));
    }
    let resource = input.text("ResourceArns.member.1").unwrap_or_else(|| "*".to_owned());
    let decision = if state.may.contains(&(role, action.clone())) { "allowed" } else { "implicitDeny" };
    Ok(Answer(format!(
        "<IsTruncated>false</IsTruncated><EvaluationResults><member><EvalActionName>{}</EvalActionName>\
         <EvalResourceName>{}</EvalResourceName><EvalDecision>{decision}</EvalDecision></member></EvaluationResults>",
        xml(&action),
        xml(&resource)
    )))
}

fn attach(state: &mut State, caller: &Caller, rules: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let arn = input.required("PolicyArn")?;
    let known = state.policies.contains(&arn);
    let only_for_services = state.service_policies.contains(&arn);
    let role = role_to_change(state, caller, input)?;
    if only_for_services {
        return Err(ServiceError::new(
            "PolicyNotAttachable",
            format!("Cannot attach a Service Role Policy to a Customer Role: {arn}"),
        ));
    }
    if !known {
        return Err(no_such_policy(&arn));
    }
    if role.attached.contains(&arn) {
        return Ok(Answer(String::new()));
    }
    if role.attached.len() >= rules.policy_quota {
        let message = format!("Cannot exceed quota for PoliciesPerRole: {}", rules.policy_quota);
        return Err(ServiceError::new("LimitExceeded", message));
    }
    if rules.policy_lag > 0 {
        role.shown_from.insert(arn.clone(), caller.at + Duration::from_secs(rules.policy_lag));
    }
    role.attached.push(arn);
    Ok(Answer(String::new()))
}

fn detach(state: &mut State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let arn = input.required("PolicyArn")?;
    let role = role_to_change(state, caller, input)?;
    let at = role.attached.iter().position(|attached| *attached == arn);
    role.attached.remove(at.ok_or_else(|| no_such_policy(&arn))?);
    Ok(Answer(String::new()))
}
