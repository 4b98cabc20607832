//! ECS's calls about task definitions, and where the others are.
//!
//! Knows: what each call reads and writes. Must not know: how it came here, or what may go wrong on the way.

use crate::World;
use crate::world::answer::{Answer, ServiceError, page};
use crate::world::input::Input;
use crate::world::members::{list, strings};
use crate::world::state::{Place, Revision, State, Status};
use crate::world::{Caller, Rules};
use crate::world::{cluster, register, service_lists, services};
use ecs_sidecar_core::json::{Value, quote};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// What an operation does to the world.
pub(crate) enum Deed {
    /// Only looks at it.
    Read(fn(&State, &Caller, &Rules, &Input) -> Result<Answer, ServiceError>),
    /// Changes it.
    Write(fn(&mut State, &Caller, &Rules, &Input) -> Result<Answer, ServiceError>),
    /// Does something that nobody may hold a lock for.
    Run(fn(&World, &Caller, &Input) -> Result<Answer, ServiceError>),
}

/// The deed of that name.
pub(crate) fn deed(operation: &str) -> Option<Deed> {
    Some(match operation {
        "RegisterTaskDefinition" => Deed::Write(register::register),
        "DeregisterTaskDefinition" => Deed::Write(deregister),
        "DescribeTaskDefinition" => Deed::Read(describe),
        "ListTaskDefinitions" => Deed::Read(list_revisions),
        "ListTaskDefinitionFamilies" => Deed::Read(list_families),
        _ => {
            return cluster::deed(operation)
                .or_else(|| services::deed(operation))
                .or_else(|| service_lists::deed(operation));
        }
    })
}

fn describe(state: &State, caller: &Caller, rules: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let name = input.required("taskDefinition")?;
    let (family, number) = named(&caller.place, &name)?;
    let known = state.family(&caller.place, &family);
    let revision = match number {
        Some(number) => known.and_then(|family| family.revisions.get(&number)),
        None => known.and_then(|family| family.newest_active()),
    };
    let revision = revision.ok_or_else(no_such)?;
    let include = input.texts("include");
    if let Some(unknown) = include.iter().find(|word| *word != "TAGS") {
        return Err(ServiceError::new("InvalidParameterException", format!("include: {unknown} is not TAGS")));
    }
    Ok(answer(revision, rules, !include.is_empty()))
}

fn deregister(state: &mut State, caller: &Caller, rules: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let name = input.required("taskDefinition")?;
    let (family, number) = named(&caller.place, &name)?;
    let number = number.ok_or_else(|| ServiceError::client("Revision is missing."))?;
    if state.family(&caller.place, &family).is_none_or(|family| !family.revisions.contains_key(&number)) {
        return Err(no_such());
    }
    let family = state.family_mut(&caller.place, &family);
    let revision = family.revisions.get_mut(&number).ok_or_else(no_such)?;
    if revision.status == Status::Active {
        let revision = Arc::make_mut(revision);
        revision.status = Status::Inactive;
        revision.deregistered_at = Some(caller.now.clone());
    }
    Ok(answer(revision, rules, false))
}

/// Removes a revision for good, as DeleteTaskDefinitions does in the end. Its number is never given again.
pub(crate) fn delete(state: &mut State, place: &Place, name: &str) -> Result<(), ServiceError> {
    let (family, number) = named(place, name)?;
    let number = number.ok_or_else(|| ServiceError::client("Revision is missing."))?;
    match state.family(place, &family).and_then(|family| family.revisions.get(&number)).map(|found| found.status) {
        None => Err(no_such()),
        Some(Status::Active) => Err(ServiceError::client("The task definition is still ACTIVE. Deregister it first.")),
        Some(Status::Inactive) => {
            state.family_mut(place, &family).revisions.remove(&number);
            Ok(())
        }
    }
}

fn list_revisions(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let status = match input.text("status").as_deref() {
        None | Some("ACTIVE") => Some(Status::Active),
        Some("INACTIVE") => Some(Status::Inactive),
        Some("DELETE_IN_PROGRESS") => None,
        Some(other) => return Err(bad_parameter(&format!("status: {other}"))),
    };
    // The name says prefix, but what counts is the whole name of the family.
    let only = input.text("familyPrefix");
    let families = state
        .families
        .iter()
        .filter(|((place, name), _)| *place == caller.place && only.as_ref().is_none_or(|only| only == name));
    let revisions =
        families.flat_map(|(_, family)| family.revisions.values()).filter(|revision| Some(revision.status) == status);
    let text = |revision: &Arc<Revision>| quote(&revision.arn());
    match input.text("sort").as_deref() {
        None | Some("ASC") => paged("taskDefinitionArns", revisions, text, input, 100),
        Some("DESC") => paged("taskDefinitionArns", revisions.rev(), text, input, 100),
        Some(other) => Err(bad_parameter(&format!("sort: {other}"))),
    }
}

fn list_families(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let wanted: fn(bool) -> bool = match input.text("status").as_deref() {
        None | Some("ALL") => |_| true,
        Some("ACTIVE") => |has_active| has_active,
        Some("INACTIVE") => |has_active| !has_active,
        Some(other) => return Err(bad_parameter(&format!("status: {other}"))),
    };
    let prefix = input.text("familyPrefix").unwrap_or_default();
    let families = state
        .families
        .iter()
        .filter(|((place, name), family)| {
            *place == caller.place
                && name.starts_with(&prefix)
                && !family.revisions.is_empty()
                && wanted(family.newest_active().is_some())
        })
        .map(|((_, name), _)| name);
    paged("families", families, |name| quote(name), input, 100)
}

/// A page of items, of which `text` makes JSON; `usual` is how many there are on one if the request does not say.
pub(crate) fn paged<T>(
    member: &str,
    items: impl IntoIterator<Item = T>,
    text: impl Fn(T) -> String,
    input: &Input,
    usual: usize,
) -> Result<Answer, ServiceError> {
    let size = match input.number("maxResults") {
        None => usual,
        Some(size @ 1..=100) => usize::try_from(size).unwrap_or(usual),
        Some(size) => return Err(bad_parameter(&format!("maxResults: {size} is not between 1 and 100"))),
    };
    // A token is good for the question that it was given for; only how much is wanted at once may change.
    let members = input.json().map(Value::members).into_iter().flatten();
    let question = members.filter(|(name, value)| !["maxResults", "nextToken"].contains(&&**name) && !value.is_null());
    let mut asked: Vec<String> = question.map(|(name, value)| format!("{name}={};", value.raw())).collect();
    asked.sort();
    let hash: String = Sha256::digest(asked.concat()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let mark = format!("{member}-{hash}-");
    let invalid = || bad_parameter("Invalid token");
    let token = input.text("nextToken");
    let token = token.as_deref().map(|token| token.strip_prefix(&mark).ok_or_else(invalid)).transpose()?;
    let (items, next) = page(items, token, size, invalid)?;
    let next = next.map(|token| format!(",\"nextToken\":{}", quote(&format!("{mark}{token}")))).unwrap_or_default();
    Ok(Answer(format!("{{{}:{}{next}}}", quote(member), list(items.into_iter().map(text)))))
}

fn bad_parameter(message: &str) -> ServiceError {
    ServiceError::new("InvalidParameterException", message)
}

fn no_such() -> ServiceError {
    ServiceError::client("Unable to describe task definition.")
}

/// Reads `family`, `family:revision` or an ARN with either.
pub(crate) fn named(place: &Place, name: &str) -> Result<(String, Option<u64>), ServiceError> {
    let short = match name.strip_prefix(&place.arn("ecs", "task-definition/")) {
        Some(short) => short,
        // Somebody else's revision is as good as none.
        None if name.starts_with("arn:") => return Err(no_such()),
        None => name,
    };
    match short.split_once(':') {
        None => Ok((short.to_owned(), None)),
        Some((family, number)) => {
            let number = number
                .parse()
                .map_err(|_| ServiceError::client(format!("Invalid revision number. Number: {number}")))?;
            Ok((family.to_owned(), Some(number)))
        }
    }
}

/// A revision as all three calls answer it.
pub(crate) fn answer(revision: &Revision, rules: &Rules, with_tags: bool) -> Answer {
    let tags = if with_tags { format!(",\"tags\":{}", revision.tags) } else { String::new() };
    Answer(format!("{{\"taskDefinition\":{}{tags}}}", described(revision, rules)))
}

/// The definition with what ECS writes around it.
pub(crate) fn described(revision: &Revision, rules: &Rules) -> String {
    let members = &revision.definition[1..revision.definition.len() - 1];
    let attributes = list(revision.requires_attributes.iter().map(|name| format!("{{\"name\":{}}}", quote(name))));
    let compatibilities = strings(&revision.compatibilities);
    let deregistered = revision.deregistered_at.as_ref().map(|at| format!(",\"deregisteredAt\":{at}"));
    let ahead: String = rules.read_only.iter().map(|(name, value)| format!(",{}:{value}", quote(name))).collect();
    format!(
        "{{\"taskDefinitionArn\":{},{members},\"revision\":{},\"status\":{},\"requiresAttributes\":{attributes},\
         \"compatibilities\":{compatibilities},\"registeredAt\":{}{},\"registeredBy\":{}{ahead}}}",
        quote(&revision.arn()),
        revision.number,
        quote(revision.status.label()),
        revision.registered_at,
        deregistered.unwrap_or_default(),
        quote(&revision.registered_by),
    )
}

/// The text of a member that is a string, for messages.
pub(crate) fn text_of<'a>(value: Value<'a>, name: &str) -> std::borrow::Cow<'a, str> {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
