//! DynamoDB's calls on one item: GetItem and UpdateItem.
//!
//! Knows: as much of its expressions as the product writes; others are refused, so that a test fails instead of
//! passing by chance. Must not know: what the items are for.

use crate::world::answer::{Answer, ServiceError};
use crate::world::ecs::Deed;
use crate::world::input::Input;
use crate::world::members::Members;
use crate::world::state::State;
use crate::world::{Caller, Rules};
use ecs_sidecar_core::json::{Document, Value};
use std::collections::BTreeSet;

/// The deed of that name.
pub(crate) fn deed(operation: &str) -> Option<Deed> {
    Some(match operation {
        "GetItem" => Deed::Read(get),
        "UpdateItem" => Deed::Write(update),
        _ => return None,
    })
}

fn validation(message: impl Into<String>) -> ServiceError {
    ServiceError::new("ValidationException", message)
}

fn key(input: &Input) -> Result<(String, String), ServiceError> {
    let table = input.required("TableName")?;
    let key = input.json().and_then(|root| root.get("Key")).ok_or_else(|| validation("Key is missing"))?;
    Ok((table, key.raw().to_owned()))
}

fn no_table() -> ServiceError {
    ServiceError::new("ResourceNotFoundException", "Requested resource not found")
}

fn get(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let (table, key) = key(input)?;
    let table = state.tables.get(&(caller.place.clone(), table)).ok_or_else(no_table)?;
    Ok(Answer(table.get(&key).map_or_else(|| "{}".to_owned(), |item| format!("{{\"Item\":{item}}}"))))
}

fn update(state: &mut State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let (table, key) = key(input)?;
    let table = state.tables.get_mut(&(caller.place.clone(), table)).ok_or_else(no_table)?;
    let values = input.json().and_then(|root| root.get("ExpressionAttributeValues"));
    let values = values.map(Members::of).unwrap_or_default();
    let parsed = |text: &str| Members::parse(text).map_err(|error| validation(error.to_string()));
    let mut item = parsed(table.get(&key).unwrap_or(&key))?;
    let condition = input.text("ConditionExpression").unwrap_or_default();
    if !holds(&condition, &item, &values)? {
        let message = "The conditional request failed";
        return Err(ServiceError::new("ConditionalCheckFailedException", message));
    }
    change(&input.required("UpdateExpression")?, &mut item, &values)?;
    let text = item.render();
    table.insert(key, text.clone());
    let wants = input.text("ReturnValues").is_some_and(|word| word == "ALL_NEW");
    Ok(Answer(if wants { format!("{{\"Attributes\":{text}}}") } else { "{}".to_owned() }))
}

/// `attribute_not_exists(a)`, `a = :v` and `a < :v`, joined by OR.
fn holds(condition: &str, item: &Members, values: &Members) -> Result<bool, ServiceError> {
    if condition.is_empty() {
        return Ok(true);
    }
    for part in condition.split(" OR ") {
        let words: Vec<&str> = part.split_whitespace().collect();
        let holds = match words.as_slice() {
            [absent] => {
                let name = absent.strip_prefix("attribute_not_exists(").and_then(|rest| rest.strip_suffix(')'));
                item.get(name.ok_or_else(|| validation(format!("cannot read {part}")))?).is_none()
            }
            [name, "=", value] => item.get(name).is_some() && item.get(name) == values.get(value),
            [name, "<", value] => match (number(item.get(name)), number(values.get(value))) {
                (Some(one), Some(other)) => one < other,
                _ => false,
            },
            _ => return Err(validation(format!("cannot read {part}"))),
        };
        if holds {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `SET a = :v, ..`, `ADD a :v` (sets of strings) and `REMOVE a, ..`.
fn change(expression: &str, item: &mut Members, values: &Members) -> Result<(), ServiceError> {
    let mut clause = "";
    let text = expression.replace(',', " , ");
    let mut words = text.split_whitespace().filter(|word| *word != ",").peekable();
    while let Some(word) = words.next() {
        if ["SET", "ADD", "REMOVE"].contains(&word) {
            clause = word;
            continue;
        }
        let mut value = || {
            let name = words.next().filter(|word| *word != "=").or_else(|| words.next());
            let found = name.and_then(|name| values.get(name)).map(str::to_owned);
            found.ok_or_else(|| validation(format!("no value for {word}")))
        };
        match clause {
            "SET" => item.set(word, value()?),
            "ADD" => {
                let more = value()?;
                let all: BTreeSet<String> = strings(item.get(word)).into_iter().chain(strings(Some(&more))).collect();
                let all: Vec<String> = all.iter().map(|text| ecs_sidecar_core::json::quote(text)).collect();
                item.set(word, format!("{{\"SS\":[{}]}}", all.join(",")));
            }
            "REMOVE" => drop(item.take(word)),
            _ => return Err(validation(format!("cannot read {expression}"))),
        }
    }
    Ok(())
}

fn number(attribute: Option<&str>) -> Option<i64> {
    let document = Document::parse(attribute?).ok()?;
    document.root().get("N")?.as_str()?.parse().ok()
}

fn strings(attribute: Option<&str>) -> Vec<String> {
    let Some(document) = attribute.and_then(|text| Document::parse(text).ok()) else { return Vec::new() };
    let texts = |set: Value<'_>| set.items().filter_map(|item| Some(item.as_str()?.into_owned())).collect();
    document.root().get("SS").map(texts).unwrap_or_default()
}
