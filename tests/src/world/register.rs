//! RegisterTaskDefinition: what is read, what is refused, what is stored.
//!
//! Knows: the order of ECS's deeds. Must not know: the rules themselves; those are core's, judged by other linters.

use crate::world::answer::{Answer, ServiceError};
use crate::world::ecs::answer;
use crate::world::input::Input;
use crate::world::members::Members;
use crate::world::shape::{self, REGISTRATION};
use crate::world::state::{Revision, State, Status};
use crate::world::{Caller, Rules, attributes, fill};
use ecs_sidecar_core::check::{Rule, check, compatibilities};
use ecs_sidecar_core::definition::TaskDefinition;
use std::sync::Arc;

/// The call as it came over the wire.
pub(crate) fn register(
    state: &mut State,
    caller: &Caller,
    rules: &Rules,
    input: &Input,
) -> Result<Answer, ServiceError> {
    let Input::Json(document) = input else {
        return Err(ServiceError::serialization("the body is not JSON"));
    };
    shape::check(document.root(), REGISTRATION, "")?;
    if let Some((name, _)) = rules.read_only.iter().find(|(name, _)| document.root().get(name).is_some()) {
        return Err(ServiceError::client(format!("Unknown parameter in input: \"{name}\"")));
    }
    let mut members = fill::as_read(document)?;
    let definition = accepted(&members)?;
    let tags = members.take("tags");
    let family = definition.family().map(std::borrow::Cow::into_owned).unwrap_or_default();
    let stored = fill::as_stored(members)?;

    let known = state.family_mut(&caller.place, &family);
    known.last += 1;
    let revision = Arc::new(Revision {
        place: caller.place.clone(),
        family: family.clone(),
        number: known.last,
        status: Status::Active,
        definition: stored.render().into(),
        tags: tags.unwrap_or_else(|| "[]".to_owned()).into(),
        requires_attributes: attributes::required(&definition),
        compatibilities: compatibilities(&definition).into_iter().map(|fit| fit.label().to_owned()).collect(),
        registered_at: caller.now.clone(),
        registered_by: caller.principal.clone(),
        deregistered_at: None,
    });
    known.revisions.insert(known.last, revision.clone());
    Ok(answer(&revision, rules, true))
}

/// Refuses what ECS is documented to refuse.
fn accepted(members: &Members) -> Result<TaskDefinition, ServiceError> {
    let text = members.render();
    if members.get("family").is_none_or(|family| family == "\"\"") {
        return Err(ServiceError::client("Family should not be null or empty."));
    }
    if members.get("containerDefinitions").is_none_or(|list| list.trim_matches(['[', ']', ' ', '\n']).is_empty()) {
        return Err(ServiceError::client("Container list cannot be empty."));
    }
    let definition = TaskDefinition::parse(&text).map_err(|error| ServiceError::client(error.to_string()))?;
    match check(&definition).first() {
        None => Ok(definition),
        Some(finding) => Err(ServiceError::new(code(finding.rule), finding.to_string())),
    }
}

/// The error that ECS answers a breach of the rule with.
fn code(rule: Rule) -> &'static str {
    let tags = [Rule::TooManyTags, Rule::TagKey, Rule::TagValue, Rule::TagReserved, Rule::DuplicateTag];
    if rule == Rule::WrongType {
        "SerializationException"
    } else if tags.contains(&rule) {
        "InvalidParameterException"
    } else {
        "ClientException"
    }
}
