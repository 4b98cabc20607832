//! Where in a definition something stands, and the findings that are made there.
//!
//! Knows: paths. Must not know: rules' meanings. A path costs nothing until it is written.

use super::{Finding, Rule};
use crate::json::{JsonType, Value};
use crate::keys::nested;
use std::borrow::Cow;
use std::fmt;

/// A place and what leads to it.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    step: Step<'a>,
}

/// One step down.
#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    Member(&'a str),
    Item(usize),
    Named(&'a str),
    /// An item and its index; whether it has a name is looked up when the path is written.
    Listed(Value<'a>, usize),
}

impl<'a> Place<'a> {
    /// A member of the definition itself.
    pub(super) fn member(name: &'a str) -> Self {
        Self { parent: None, step: Step::Member(name) }
    }

    /// A member of what stands here.
    pub(super) fn then(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Member(name) }
    }

    /// An item of the list that stands here.
    pub(super) fn item(&'a self, index: usize) -> Self {
        self.step(Step::Item(index))
    }

    /// One step further.
    pub(super) fn step(&'a self, step: Step<'a>) -> Self {
        Self { parent: Some(self), step }
    }
}

impl<'a> Step<'a> {
    /// An item by its name if it has one, so that its path stays the same when the list around it changes.
    pub(super) fn to(name: Option<&'a str>, index: usize) -> Self {
        name.filter(|name| !name.is_empty()).map_or(Self::Item(index), Self::Named)
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Member(name) if self.parent.is_some() => write!(f, ".{name}"),
            Step::Member(name) => f.write_str(name),
            Step::Item(index) => write!(f, "[{index}]"),
            Step::Named(name) => write!(f, "[{name}]"),
            Step::Listed(item, index) => match name_of(item).filter(|name| !name.is_empty()) {
                Some(name) => write!(f, "[{name}]"),
                None => write!(f, "[{index}]"),
            },
        }
    }
}

/// What was found so far.
#[derive(Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn add(&mut self, rule: Rule, place: &Place<'_>, message: impl Into<String>) {
        self.0.push(Finding { rule, path: place.to_string(), message: message.into() });
    }
}

/// The name of a list's item.
pub(super) fn name_of(item: Value<'_>) -> Option<Cow<'_, str>> {
    item.get(nested::NAME).and_then(Value::as_str)
}

/// Whether a value is what ECS takes for absence: `null`, an empty string, an empty list or an empty object, as
/// Describe answers and the console write them for members that nobody set.
pub(super) fn is_absent(value: Value<'_>) -> bool {
    match value.json_type() {
        JsonType::Null => true,
        JsonType::String => value.says(""),
        JsonType::Array | JsonType::Object => value.len() == 0,
        JsonType::Boolean | JsonType::Number => false,
    }
}

/// The members of an object that are not absent, read once.
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Fields<'a> {
    pub(super) fn read(object: Value<'a>) -> Self {
        Self(object.members().filter(|(_, value)| !is_absent(*value)).collect())
    }

    pub(super) fn get(&self, key: &str) -> Option<Value<'a>> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| *value)
    }

    pub(super) fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        self.get(key)?.as_str()
    }

    pub(super) fn number(&self, key: &str) -> Option<i64> {
        self.get(key)?.as_i64()
    }

    pub(super) fn is_true(&self, key: &str) -> bool {
        self.get(key).and_then(Value::as_bool) == Some(true)
    }

    pub(super) fn items(&self, key: &str) -> impl Iterator<Item = Value<'a>> + use<'a> {
        self.get(key).into_iter().flat_map(Value::items)
    }

    pub(super) fn count(&self, key: &str) -> usize {
        self.get(key).map_or(0, |list| list.items().len())
    }
}
