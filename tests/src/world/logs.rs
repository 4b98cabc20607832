//! CloudWatch Logs' calls about log groups.
//!
//! Knows: names and retention. Must not know: what is logged.

use crate::world::answer::{Answer, ServiceError, page};
use crate::world::ecs::Deed;
use crate::world::input::Input;
use crate::world::members::list;
use crate::world::state::State;
use crate::world::{Caller, Rules};
use ecs_sidecar_core::json::quote;

/// The deed of that name.
pub(crate) fn deed(operation: &str) -> Option<Deed> {
    Some(match operation {
        "DescribeLogGroups" => Deed::Read(describe),
        "CreateLogGroup" => Deed::Write(create),
        "PutRetentionPolicy" => Deed::Write(keep),
        _ => return None,
    })
}

fn describe(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let prefix = input.text("logGroupNamePrefix").unwrap_or_default();
    let here = state.log_groups.iter().filter(|((place, name), _)| *place == caller.place && name.starts_with(&prefix));
    let names: Vec<(&str, Option<i64>)> = here.map(|((_, name), days)| (name.as_str(), *days)).collect();
    let size = usize::try_from(input.number("limit").unwrap_or(50)).unwrap_or(50);
    let invalid = || ServiceError::new("InvalidParameterException", "The specified nextToken is invalid.");
    let (names, next) = page(names, input.text("nextToken").as_deref(), size, invalid)?;
    let groups = list(names.into_iter().map(|(name, days)| {
        let days = days.map(|days| format!(",\"retentionInDays\":{days}")).unwrap_or_default();
        format!("{{\"logGroupName\":{}{days}}}", quote(name))
    }));
    let next = next.map(|token| format!(",\"nextToken\":{}", quote(&token))).unwrap_or_default();
    Ok(Answer(format!("{{\"logGroups\":{groups}{next}}}")))
}

fn create(state: &mut State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let key = (caller.place.clone(), input.required("logGroupName")?);
    if state.log_groups.contains_key(&key) {
        let message = "The specified log group already exists";
        return Err(ServiceError::new("ResourceAlreadyExistsException", message));
    }
    state.log_groups.insert(key, None);
    Ok(Answer(String::new()))
}

fn keep(state: &mut State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let key = (caller.place.clone(), input.required("logGroupName")?);
    let missing = || ServiceError::new("ResourceNotFoundException", "The specified log group does not exist.");
    *state.log_groups.get_mut(&key).ok_or_else(missing)? = input.number("retentionInDays");
    Ok(Answer(String::new()))
}
