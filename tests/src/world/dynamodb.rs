//! DynamoDB's calls on items: GetItem, PutItem, UpdateItem, DeleteItem and Query.
//!
//! Knows: what each call reads and writes. Must not know: what the items are for. What it cannot read is refused, so that
//! a test fails instead of passing by chance.

pub(crate) mod attribute;
mod condition;
mod number;
mod query;
mod reserved;
pub(crate) mod table;
mod token;
mod update;

use crate::world::answer::{Answer, ServiceError};
use crate::world::dynamodb::attribute::{Item, check_size, item, render};
use crate::world::dynamodb::condition::Condition;
use crate::world::dynamodb::table::{Key, Table};
use crate::world::dynamodb::token::Given;
use crate::world::dynamodb::update::Update;
use crate::world::ecs::Deed;
use crate::world::input::Input;
use crate::world::state::State;
use crate::world::{Caller, Rules};
use std::sync::Arc;

/// Members that all calls about one item may have.
const COMMON: [&str; 3] = ["TableName", "ExpressionAttributeNames", "ReturnConsumedCapacity"];

/// Members that all writes may have beside those.
const WRITES: [&str; 5] = [
    "ConditionExpression",
    "ExpressionAttributeValues",
    "ReturnValues",
    "ReturnValuesOnConditionCheckFailure",
    "ReturnItemCollectionMetrics",
];

/// The deed of that name.
pub(crate) fn deed(operation: &str) -> Option<Deed> {
    Some(match operation {
        "GetItem" => Deed::Read(get),
        "Query" => Deed::Read(query::query),
        "PutItem" => Deed::Write(put),
        "UpdateItem" => Deed::Write(update),
        "DeleteItem" => Deed::Write(delete),
        _ => return None,
    })
}

pub(crate) fn validation(message: impl Into<String>) -> ServiceError {
    ServiceError::new("ValidationException", message)
}

/// Refuses members that this fake does not act upon.
fn known(input: &Input, names: &[&str]) -> Result<(), ServiceError> {
    let given = input.json().into_iter().flat_map(ecs_sidecar_core::json::Value::members);
    match given.map(|(name, _)| name).find(|name| !names.contains(&&**name)) {
        Some(name) => Err(validation(format!("{name} is not among the parameters of this fake"))),
        None => Ok(()),
    }
}

fn table_key(caller: &Caller, input: &Input) -> Result<(crate::world::state::Place, String), ServiceError> {
    Ok((caller.place.clone(), input.required("TableName")?))
}

pub(crate) fn no_table() -> ServiceError {
    ServiceError::new("ResourceNotFoundException", "Requested resource not found")
}

fn table<'a>(state: &'a State, caller: &Caller, input: &Input) -> Result<&'a Table, ServiceError> {
    state.tables.get(&table_key(caller, input)?).ok_or_else(no_table)
}

fn table_mut<'a>(state: &'a mut State, caller: &Caller, input: &Input) -> Result<&'a mut Table, ServiceError> {
    state.tables.get_mut(&table_key(caller, input)?).ok_or_else(no_table)
}

/// An object of attributes that must be there.
fn given_item(input: &Input, name: &str) -> Result<Item, ServiceError> {
    let found = input.json().and_then(|root| root.get(name));
    let message = || {
        let member = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
        validation(format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ))
    };
    item(found.ok_or_else(message)?)
}

fn get(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    known(input, &[&COMMON[..], &["Key", "ProjectionExpression", "ConsistentRead"]].concat())?;
    let table = table(state, caller, input)?;
    let given = Given::of(input, &["ProjectionExpression"])?;
    let names = query::projection(input, &given)?;
    given.all_used()?;
    let found = table.items.get(&table.key(&given_item(input, "Key")?)?);
    let text = found.map(|item| match &names {
        Some(names) => render(&query::only(item, names)),
        None => render(item),
    });
    Ok(Answer(text.map_or_else(|| "{}".to_owned(), |item| format!("{{\"Item\":{item}}}"))))
}

/// What a write says about how it wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Nothing,
    AllOld,
    AllNew,
    UpdatedOld,
    UpdatedNew,
}

impl Wanted {
    fn of(input: &Input) -> Result<Self, ServiceError> {
        Ok(match input.text("ReturnValues").as_deref() {
            None | Some("NONE") => Self::Nothing,
            Some("ALL_OLD") => Self::AllOld,
            Some("ALL_NEW") => Self::AllNew,
            Some("UPDATED_OLD") => Self::UpdatedOld,
            Some("UPDATED_NEW") => Self::UpdatedNew,
            Some(other) => return Err(validation(format!("ReturnValues: {other}"))),
        })
    }

    /// Of calls that make no new values out of old ones.
    fn old_at_most(self) -> Result<Self, ServiceError> {
        match self {
            Self::Nothing | Self::AllOld => Ok(self),
            Self::AllNew | Self::UpdatedOld | Self::UpdatedNew => Err(validation("Return values set to invalid value")),
        }
    }
}

fn answer(attributes: Option<&Item>) -> Answer {
    let attributes = attributes.filter(|item| !item.is_empty());
    Answer(attributes.map_or_else(|| "{}".to_owned(), |item| format!("{{\"Attributes\":{}}}", render(item))))
}

/// Refuses a write whose condition does not hold.
fn admit(condition: Option<&Condition>, old: Option<&Arc<Item>>, input: &Input) -> Result<(), ServiceError> {
    let nothing = Item::new();
    if condition.is_none_or(|condition| condition.holds(old.map_or(&nothing, |item| item))) {
        return Ok(());
    }
    let wants_old = match input.text("ReturnValuesOnConditionCheckFailure").as_deref() {
        None | Some("NONE") => false,
        Some("ALL_OLD") => true,
        Some(other) => return Err(validation(format!("ReturnValuesOnConditionCheckFailure: {other}"))),
    };
    let error = ServiceError::new("ConditionalCheckFailedException", "The conditional request failed");
    Err(match old.filter(|_| wants_old) {
        Some(old) => error.with_members(format!("\"Item\":{}", render(old))),
        None => error,
    })
}

fn put(state: &mut State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    known(input, &[&COMMON[..], &WRITES, &["Item"]].concat())?;
    let table = table_mut(state, caller, input)?;
    let given = Given::of(input, &["ConditionExpression"])?;
    let condition = Condition::read(input, "ConditionExpression", &given)?;
    given.all_used()?;
    let wanted = Wanted::of(input)?.old_at_most()?;
    let new = given_item(input, "Item")?;
    let (key, old) = insertable(table, &new)?;
    admit(condition.as_ref(), old.as_ref(), input)?;
    table.items.insert_mut(key, Arc::new(new));
    Ok(answer(old.as_deref().filter(|_| wanted == Wanted::AllOld)))
}

/// The key of an item that may be put, and what stands there.
pub(crate) fn insertable(table: &Table, new: &Item) -> Result<(Key, Option<Arc<Item>>), ServiceError> {
    let key = table.key_of(new)?;
    check_size(new, "Item size has exceeded the maximum allowed size")?;
    let old = table.items.get(&key).cloned();
    Ok((key, old))
}

fn delete(state: &mut State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    known(input, &[&COMMON[..], &WRITES, &["Key"]].concat())?;
    let table = table_mut(state, caller, input)?;
    let given = Given::of(input, &["ConditionExpression"])?;
    let condition = Condition::read(input, "ConditionExpression", &given)?;
    given.all_used()?;
    let wanted = Wanted::of(input)?.old_at_most()?;
    let key = table.key(&given_item(input, "Key")?)?;
    let old = table.items.get(&key).cloned();
    admit(condition.as_ref(), old.as_ref(), input)?;
    table.items.remove_mut(&key);
    Ok(answer(old.as_deref().filter(|_| wanted == Wanted::AllOld)))
}

fn update(state: &mut State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    known(input, &[&COMMON[..], &WRITES, &["Key", "UpdateExpression"]].concat())?;
    let table = table_mut(state, caller, input)?;
    let given = Given::of(input, &["UpdateExpression", "ConditionExpression"])?;
    let update = Update::read(input, &given)?;
    let condition = Condition::read(input, "ConditionExpression", &given)?;
    given.all_used()?;
    let wanted = Wanted::of(input)?;
    if let Some(name) = update.paths().find(|name| table.is_key(name)) {
        return Err(validation(format!(
            "One or more parameter values were invalid: Cannot update attribute {name}. This attribute is part of the key"
        )));
    }
    let key_attributes = given_item(input, "Key")?;
    let key = table.key(&key_attributes)?;
    let old = table.items.get(&key).cloned();
    admit(condition.as_ref(), old.as_ref(), input)?;
    let new = update.of(old.as_deref().unwrap_or(&key_attributes))?;
    check_size(&new, "Item size to update has exceeded the maximum allowed size")?;
    let updated = |item: &Item| query::only(item, &update.paths().map(str::to_owned).collect::<Vec<_>>());
    let answer = match wanted {
        Wanted::Nothing => answer(None),
        Wanted::AllOld => answer(old.as_deref()),
        Wanted::AllNew => answer(Some(&new)),
        Wanted::UpdatedOld => answer(old.as_deref().map(updated).as_ref()),
        Wanted::UpdatedNew => answer(Some(&updated(&new))),
    };
    table.items.insert_mut(key, Arc::new(new));
    Ok(answer)
}
