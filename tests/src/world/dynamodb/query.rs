//! Query: the items of a partition, page by page.
//!
//! Knows: key conditions, pages, filters and projections. Must not know: writes.

use crate::world::answer::{Answer, ServiceError};
use crate::world::dynamodb::attribute::{Attribute, Item, item, render, size};
use crate::world::dynamodb::condition::{Comparison, Condition, Operand};
use crate::world::dynamodb::table::{Key, Table};
use crate::world::dynamodb::token::{Given, Tokens};
use crate::world::dynamodb::{known, table, validation};
use crate::world::input::Input;
use crate::world::members::list;
use crate::world::state::State;
use crate::world::{Caller, Rules};
use std::ops::Bound;
use std::sync::Arc;

/// How many bytes of items a page looks at.
const MAX_PAGE: usize = 1024 * 1024;

const KNOWN: [&str; 12] = [
    "TableName",
    "KeyConditionExpression",
    "FilterExpression",
    "ProjectionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ScanIndexForward",
    "Limit",
    "ExclusiveStartKey",
    "Select",
    "ConsistentRead",
    "ReturnConsumedCapacity",
];

/// What is wanted of the items that are found.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    All,
    These(Vec<String>),
    Count,
}

/// The call.
pub(crate) fn query(state: &State, caller: &Caller, rules: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    known(input, &KNOWN)?;
    let table = table(state, caller, input)?;
    let given = Given::of(input, &["FilterExpression", "KeyConditionExpression", "ProjectionExpression"])?;
    let condition = Condition::read(input, "KeyConditionExpression", &given)?.ok_or_else(|| {
        validation("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
    })?;
    let filter = Condition::read(input, "FilterExpression", &given)?;
    let wanted = wanted(input, &given)?;
    given.all_used()?;
    let (partition, sort) = key_condition(table, condition)?;
    if let Some(name) = filter.iter().flat_map(Condition::paths).find(|name| table.is_key(name)) {
        let why = "Filter Expression can only contain non-primary key attributes: Primary key attribute: ";
        return Err(validation(format!("{why}{name}")));
    }
    let page = page(table, &partition, sort.as_ref(), rules, input)?;
    let found: Vec<&Arc<Item>> =
        page.seen.iter().copied().filter(|item| filter.as_ref().is_none_or(|filter| filter.holds(item))).collect();
    let items = match &wanted {
        Wanted::Count => String::new(),
        Wanted::All => format!("\"Items\":{},", list(found.iter().map(|item| render(item)))),
        Wanted::These(names) => format!("\"Items\":{},", list(found.iter().map(|item| render(&only(item, names))))),
    };
    let next = page.next.map(|item| format!(",\"LastEvaluatedKey\":{}", render(&table.only_key(item))));
    let (count, scanned) = (found.len(), page.seen.len());
    Ok(Answer(format!("{{{items}\"Count\":{count},\"ScannedCount\":{scanned}{}}}", next.unwrap_or_default())))
}

fn wanted(input: &Input, given: &Given) -> Result<Wanted, ServiceError> {
    let names = projection(input, given)?;
    match (input.text("Select").as_deref(), names) {
        (None | Some("SPECIFIC_ATTRIBUTES"), Some(names)) => Ok(Wanted::These(names)),
        (None | Some("ALL_ATTRIBUTES"), None) => Ok(Wanted::All),
        (Some("COUNT"), None) => Ok(Wanted::Count),
        (Some("SPECIFIC_ATTRIBUTES"), None) => Err(validation(
            "Must specify the AttributesToGet or ProjectionExpression when choosing SPECIFIC_ATTRIBUTES",
        )),
        (Some(other), _) => Err(validation(format!("Cannot choose {other} with these parameters"))),
    }
}

/// The names in a request's ProjectionExpression.
pub(crate) fn projection(input: &Input, given: &Given) -> Result<Option<Vec<String>>, ServiceError> {
    let Some(mut tokens) = Tokens::of(input, "ProjectionExpression", given)? else { return Ok(None) };
    let mut names = vec![tokens.path()?];
    while tokens.takes(",") {
        names.push(tokens.path()?);
    }
    tokens.end()?;
    Ok(Some(names))
}

/// An item's attributes of these names.
pub(crate) fn only(item: &Item, names: &[String]) -> Item {
    let wanted = item.iter().filter(|(name, _)| names.contains(name));
    wanted.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The partition, and what has to hold for the sort key.
fn key_condition(table: &Table, condition: Condition) -> Result<(String, Option<Condition>), ServiceError> {
    let (one, two) = if let Condition::And(one, two) = condition { (*one, Some(*two)) } else { (condition, None) };
    let is_partition = |condition: &Condition| condition.paths() == [table.schema[0].as_str()];
    let (partition, sort) = match two {
        Some(two) if !is_partition(&one) => (two, Some(one)),
        two => (one, two),
    };
    if !is_partition(&partition) {
        return Err(validation(format!("Query condition missed key schema element: {}", table.schema[0])));
    }
    let Condition::Compare(one, Comparison::Equal, two) = partition else {
        return Err(validation("Query key condition not supported"));
    };
    let partition = match (one, two) {
        (Operand::Path(_), Operand::Value(value)) | (Operand::Value(value), Operand::Path(_)) => value,
        _ => return Err(validation("Query key condition not supported")),
    };
    let mismatch = || {
        let why = "One or more parameter values were invalid: Condition parameter type does not match schema type";
        validation(why)
    };
    let Attribute::Text(partition) = partition else { return Err(mismatch()) };
    if let Some(sort) = &sort {
        let name = table.schema.get(1).map(String::as_str);
        if sort.paths().iter().any(|path| Some(*path) != name) {
            let missing = name.unwrap_or("a sort key that the table has not");
            return Err(validation(format!("Query condition missed key schema element: {missing}")));
        }
        let values = sort_values(sort).ok_or_else(|| validation("Query key condition not supported"))?;
        if !values.iter().all(|value| matches!(value, Operand::Value(Attribute::Text(_)))) {
            return Err(mismatch());
        }
    }
    Ok((partition, sort))
}

/// What the sort key is compared with, if it is in a way that a query can.
fn sort_values(condition: &Condition) -> Option<Vec<&Operand>> {
    if let Condition::Compare(Operand::Path(_), how, value) = condition {
        (*how != Comparison::Unequal).then_some(vec![value])
    } else if let Condition::Between(Operand::Path(_), low, high) = condition {
        Some(vec![low, high])
    } else if let Condition::BeginsWith(Operand::Path(_), start) = condition {
        Some(vec![start])
    } else {
        None
    }
}

/// What a page looked at, and the last item of it if there may be more.
struct Page<'a> {
    seen: Vec<&'a Arc<Item>>,
    next: Option<&'a Arc<Item>>,
}

fn page<'a>(
    table: &'a Table,
    partition: &str,
    sort: Option<&Condition>,
    rules: &Rules,
    input: &Input,
) -> Result<Page<'a>, ServiceError> {
    let limit = input.number("Limit").map(|limit| usize::try_from(limit).unwrap_or(0));
    if limit == Some(0) {
        return Err(validation(
            "Value at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ));
    }
    let most = limit.unwrap_or(usize::MAX).min(rules.page.unwrap_or(usize::MAX));
    let root = input.json();
    let backwards = root.and_then(|root| root.get("ScanIndexForward")?.as_bool()) == Some(false);
    let start =
        root.and_then(|root| root.get("ExclusiveStartKey")).map(|key| start(table, partition, key)).transpose()?;
    let first: Key = (partition.to_owned(), String::new());
    let (from, to) = match (start, backwards) {
        (None, _) => (Bound::Included(first), Bound::Unbounded),
        (Some(start), false) => (Bound::Excluded(start), Bound::Unbounded),
        (Some(start), true) => (Bound::Included(first), Bound::Excluded(start)),
    };
    let all = table.items.range::<Key, _>((from, to)).take_while(|((found, _), _)| found == partition);
    let mut all: Vec<&Arc<Item>> =
        all.map(|(_, item)| item).filter(|item| sort.is_none_or(|sort| sort.holds(item))).collect();
    if backwards {
        all.reverse();
    }
    let (mut seen, mut bytes) = (Vec::new(), 0);
    for item in all {
        seen.push(item);
        bytes += size(item);
        // That nothing comes behind it does not matter: a page that is full has a next one, which may be empty.
        if seen.len() >= most || bytes > MAX_PAGE {
            return Ok(Page { seen, next: Some(item) });
        }
    }
    Ok(Page { seen, next: None })
}

fn start(table: &Table, partition: &str, key: ecs_sidecar_core::json::Value<'_>) -> Result<Key, ServiceError> {
    let key = table.key(&item(key)?).map_err(|_| validation("The provided starting key is invalid"))?;
    if key.0 == partition {
        return Ok(key);
    }
    Err(validation("The provided starting key is outside query boundaries based on provided conditions"))
}
