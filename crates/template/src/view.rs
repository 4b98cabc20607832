//! A task definition of a template as core reads one: ECS's names and types, everything resolved that can be.
//!
//! Knows: the types of the members, by core's table, and that CloudFormation takes a number for a text and a text for a
//! number. Must not know: what is decided. What may be unknown and is no text is left out of the view: nothing reads it.

use crate::doubt;
use crate::evaluate::{Evaluator, as_text};
use crate::problem::Problem;
use crate::spelling;
use crate::symbols;
use ecs_sidecar_core::check::model::TASK;
use ecs_sidecar_core::check::shape::{Field, Shape};
use serde_json::{Map, Value};

/// A place in a definition, as ECS calls it without names and as the template's reader looks for it.
#[derive(Clone, Default)]
struct At {
    shape: String,
    shown: String,
    /// The member that holds it.
    holder: &'static str,
    /// The position in a list.
    index: usize,
}

impl At {
    fn member(&self, name: &'static str) -> Self {
        let property = spelling::property(self.holder, name);
        let joint = if self.shape.is_empty() { "" } else { "." };
        Self {
            shape: format!("{}{joint}{name}", self.shape),
            shown: format!("{}{joint}{property}", self.shown),
            holder: name,
            index: 0,
        }
    }

    fn item(&self, index: usize, value: &Value) -> Self {
        let name = ["Name", "Key", "ContainerName"].iter().find_map(|key| value.get(*key)?.as_str());
        let name = name.filter(|name| !symbols::is_open(name)).map_or_else(|| index.to_string(), str::to_owned);
        Self { shape: format!("{}[]", self.shape), shown: format!("{}[{name}]", self.shown), index, ..self.clone() }
    }

    fn key(&self, key: &str) -> Self {
        Self { shape: format!("{}{{}}", self.shape), shown: format!("{}.{key}", self.shown), ..self.clone() }
    }
}

/// Reads the properties of a resource into a definition.
pub(crate) struct Reader<'a> {
    pub(crate) evaluator: &'a Evaluator<'a>,
    /// Logical id of the resource.
    pub(crate) resource: &'a str,
    may_be_windows: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(evaluator: &'a Evaluator<'a>, resource: &'a str) -> Self {
        Self { evaluator, resource, may_be_windows: false }
    }

    /// The definition, in register form.
    pub(crate) fn definition(mut self, properties: &Value) -> Result<Map<String, Value>, Problem> {
        let Some(known) = self.evaluator.value(properties) else { return Ok(Map::new()) };
        let fargate = known.get("RequiresCompatibilities").and_then(Value::as_array);
        let fargate = fargate.is_some_and(|words| words.iter().any(|word| word == "FARGATE"));
        let system = known.get("RuntimePlatform").and_then(|platform| platform.get("OperatingSystemFamily"));
        self.may_be_windows = !fargate && system.is_none();
        if known.as_str().is_some_and(symbols::is_open) {
            return Err(self.undecidable("Properties", doubt::UNKNOWN));
        }
        match self.value(&known, &Shape::Object(&TASK), &At::default())? {
            Some(Value::Object(definition)) => Ok(definition),
            Some(_) | None => Ok(Map::new()),
        }
    }

    fn value(&self, value: &Value, shape: &Shape, at: &At) -> Result<Option<Value>, Problem> {
        if let Value::String(text) = value
            && symbols::is_open(text)
        {
            return self.open(text, shape, at);
        }
        Ok(match (shape, value) {
            (_, Value::Null) => None,
            (Shape::Text | Shape::Choice(_) | Shape::Prefix(_, _), value) => {
                Some(as_text(value).unwrap_or_else(|| value.clone()))
            }
            (Shape::Whole(_, _), Value::String(text)) => {
                Some(text.trim().parse::<i64>().map_or_else(|_| value.clone(), Value::from))
            }
            (Shape::Flag, Value::String(text)) => {
                Some(text.to_ascii_lowercase().parse::<bool>().map_or_else(|_| value.clone(), Value::from))
            }
            (Shape::Map, Value::Object(members)) => {
                let entries = members.iter().map(|(key, member)| {
                    Ok(self.value(member, &Shape::Text, &at.key(key))?.map(|value| (key.clone(), value)))
                });
                Some(Value::Object(entries.filter_map(Result::transpose).collect::<Result<_, _>>()?))
            }
            (Shape::List(item) | Shape::Named(item), Value::Array(items)) => {
                let items =
                    items.iter().enumerate().map(|(index, value)| self.value(value, item, &at.item(index, value)));
                Some(Value::Array(items.filter_map(Result::transpose).collect::<Result<_, _>>()?))
            }
            (Shape::Object(fields), Value::Object(_)) => Some(self.object(value, fields, at)?),
            // Of another type than it must be: core says so.
            (_, value) => Some(value.clone()),
        })
    }

    fn object(&self, value: &Value, fields: &[Field], at: &At) -> Result<Value, Problem> {
        let mut members = Map::new();
        for field in fields {
            let Some(found) = value.get(spelling::property(at.holder, field.name)) else { continue };
            if let Some(known) = self.value(found, &field.shape, &at.member(field.name))? {
                members.insert(field.name.to_owned(), known);
            }
        }
        Ok(Value::Object(members))
    }

    /// A value of which something is not known.
    fn open(&self, text: &str, shape: &Shape, at: &At) -> Result<Option<Value>, Problem> {
        // Only the first word of a command names a shell.
        let later_word =
            at.index > 0 && ["command", "entryPoint"].iter().any(|list| at.shape.ends_with(&format!("{list}[]")));
        let place =
            at.shape.strip_suffix("[]").filter(|place| place.ends_with("command") || place.ends_with("entryPoint"));
        let place = place.unwrap_or(&at.shape);
        let may_be_windows = self.may_be_windows && !later_word;
        match doubt::objection(place, text, &self.evaluator.symbols, may_be_windows) {
            Some(why) => Err(self.undecidable(&at.shown, why)),
            None => Ok(matches!(shape, Shape::Text).then(|| text.into())),
        }
    }

    pub(crate) fn undecidable(&self, property: &str, why: &str) -> Problem {
        Problem::Undecidable { resource: self.resource.to_owned(), property: property.to_owned(), why: why.to_owned() }
    }
}
