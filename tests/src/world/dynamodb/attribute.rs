//! Attributes and items.
//!
//! Knows: DynamoDB's types, their JSON, their order and their size. Must not know: tables and expressions.

use crate::world::answer::ServiceError;
use crate::world::dynamodb::number::Number;
use crate::world::dynamodb::validation;
use crate::world::members;
use ecs_sidecar_core::json::{JsonType, Value, quote};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// The greatest item, in bytes.
const MAX_ITEM: usize = 400 * 1024;

/// Attributes by name.
pub(crate) type Item = BTreeMap<String, Attribute>;

/// A value with its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Attribute {
    Text(String),
    Number(Number),
    /// In base 64, as it came.
    Binary(String),
    Flag(bool),
    Null,
    Texts(BTreeSet<String>),
    Numbers(BTreeSet<Number>),
    Binaries(BTreeSet<String>),
    List(Vec<Self>),
    Map(Item),
}

impl Attribute {
    /// Reads `{"S":"text"}` and the like.
    pub(crate) fn read(value: Value<'_>) -> Result<Self, ServiceError> {
        let mut members = value.members().filter(|(_, value)| !value.is_null());
        let (Some((kind, value)), None) = (members.next(), members.next()) else {
            return Err(validation(
                "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported \
                 datatypes",
            ));
        };
        let text = || value.as_str().map(std::borrow::Cow::into_owned).ok_or_else(|| wrong(&kind));
        Ok(match &*kind {
            "S" => Self::Text(text()?),
            "N" => Self::Number(Number::parse(&text()?)?),
            "B" => Self::Binary(text()?),
            "BOOL" => Self::Flag(value.as_bool().ok_or_else(|| wrong(&kind))?),
            "NULL" if value.as_bool() == Some(true) => Self::Null,
            "SS" => Self::Texts(set(value, "string", |text| Ok(text.to_owned()))?),
            "NS" => Self::Numbers(set(value, "number", Number::parse)?),
            "BS" => Self::Binaries(set(value, "binary", |text| Ok(text.to_owned()))?),
            "L" if value.json_type() == JsonType::Array => {
                Self::List(value.items().map(Self::read).collect::<Result<_, _>>()?)
            }
            "M" if value.json_type() == JsonType::Object => Self::Map(item(value)?),
            other => return Err(wrong(other)),
        })
    }

    /// DynamoDB's name of the type.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "S",
            Self::Number(_) => "N",
            Self::Binary(_) => "B",
            Self::Flag(_) => "BOOL",
            Self::Null => "NULL",
            Self::Texts(_) => "SS",
            Self::Numbers(_) => "NS",
            Self::Binaries(_) => "BS",
            Self::List(_) => "L",
            Self::Map(_) => "M",
        }
    }

    /// As JSON.
    pub(crate) fn render(&self) -> String {
        let value = match self {
            Self::Text(text) | Self::Binary(text) => quote(text),
            Self::Number(number) => quote(&number.to_string()),
            Self::Flag(flag) => flag.to_string(),
            Self::Null => "true".to_owned(),
            Self::Texts(texts) | Self::Binaries(texts) => members::strings(texts),
            Self::Numbers(numbers) => members::strings(numbers.iter().map(ToString::to_string)),
            Self::List(list) => members::list(list.iter().map(Self::render)),
            Self::Map(map) => render(map),
        };
        format!("{{\"{}\":{value}}}", self.kind())
    }

    /// Which is greater; nothing if they have different types or a type that has no order here: base 64 has another
    /// one than the bytes that it stands for.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(one), Self::Text(two)) => Some(one.cmp(two)),
            (Self::Number(one), Self::Number(two)) => Some(one.compare(*two)),
            _ => None,
        }
    }

    /// Bytes that it counts for the size of an item.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(text) => text.len() / 4 * 3,
            Self::Number(number) => number.size(),
            Self::Flag(_) | Self::Null => 1,
            Self::Texts(texts) => texts.iter().map(String::len).sum(),
            Self::Binaries(texts) => texts.iter().map(|text| text.len() / 4 * 3).sum(),
            Self::Numbers(numbers) => numbers.iter().map(|number| number.size()).sum(),
            Self::List(list) => 3 + list.iter().map(|one| 1 + one.size()).sum::<usize>(),
            Self::Map(map) => 3 + map.len() + size(map),
        }
    }
}

fn wrong(kind: &str) -> ServiceError {
    ServiceError::serialization(format!("a value is not what {kind} stands for"))
}

/// Sets are never empty and name nothing twice.
fn set<T: Ord>(
    value: Value<'_>,
    word: &str,
    read: impl Fn(&str) -> Result<T, ServiceError>,
) -> Result<BTreeSet<T>, ServiceError> {
    let mut all = BTreeSet::new();
    for one in value.items() {
        let text = one.as_str().ok_or_else(|| wrong(word))?;
        if !all.insert(read(&text)?) {
            let message = format!("Input collection {} contains duplicates.", value.raw());
            return Err(validation(format!("One or more parameter values were invalid: {message}")));
        }
    }
    if all.is_empty() {
        return Err(validation(format!("One or more parameter values were invalid: An {word} set  may not be empty")));
    }
    Ok(all)
}

/// Reads an object of attributes.
pub(crate) fn item(value: Value<'_>) -> Result<Item, ServiceError> {
    value.members().map(|(name, value)| Ok((name.into_owned(), Attribute::read(value)?))).collect()
}

/// An item as JSON.
pub(crate) fn render(item: &Item) -> String {
    let members: Vec<String> = item.iter().map(|(name, value)| format!("{}:{}", quote(name), value.render())).collect();
    format!("{{{}}}", members.join(","))
}

/// Names and values, in bytes.
pub(crate) fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value.size()).sum()
}

/// Refuses an item that is too great.
pub(crate) fn check_size(item: &Item, message: &str) -> Result<(), ServiceError> {
    if size(item) > MAX_ITEM { Err(validation(message)) } else { Ok(()) }
}
