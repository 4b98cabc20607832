//! Makes a plan's edits in the template.
//!
//! Knows: where in the template a container or a list is spelled out, through whatever `Fn::If` leads to it. Must not
//! know: why an edit is wanted. Nothing but the edited places changes.

use crate::evaluate::{Evaluator, as_text};
use crate::intrinsic;
use crate::problem::Problem;
use crate::spelling;
use ecs_sidecar_core::check::model::TASK;
use ecs_sidecar_core::check::shape::Shape;
use ecs_sidecar_core::edit::Edit;
use ecs_sidecar_core::keys::task;
use serde_json::{Value, json};

/// Makes edits in the properties of one resource. The evaluator knows the template as it was.
pub(crate) struct Hand<'a> {
    pub(crate) evaluator: &'a Evaluator<'a>,
    /// Logical id of the resource.
    pub(crate) resource: &'a str,
    /// Its properties.
    pub(crate) properties: &'a mut Value,
}

impl Hand<'_> {
    /// Makes one edit, all of whose values are text or known.
    pub(crate) fn make(&mut self, edit: &Edit) -> Result<(), Problem> {
        let path = edit.path.to_string();
        let after: Value =
            edit.after.as_deref().map_or(Value::Null, |text| serde_json::from_str(text).expect("edits hold JSON"));
        let after = self.restored(after);
        let Some(named) = path.strip_prefix(task::CONTAINER_DEFINITIONS) else {
            return self.set(&path, after);
        };
        let list = spelling::property("", task::CONTAINER_DEFINITIONS);
        let Some((container, rest)) = named.strip_prefix('[').and_then(|named| named.split_once(']')) else {
            return Err(self.no_literal(&list));
        };
        match rest.strip_prefix('.').and_then(|rest| rest.split_once('[')) {
            None => {
                let sidecar = spelling::as_property("", &after, &Shape::Object(spelling::container()));
                self.push("", &list, sidecar, &list)
            }
            Some((member, _)) => {
                let shown = format!("{list}[{container}].{}", spelling::property("", member));
                let at = self.container(container).ok_or_else(|| self.no_literal(&shown))?;
                let item = match spelling::of_container(member) {
                    Some(Shape::List(item) | Shape::Named(item)) => spelling::as_property(member, &after, item),
                    _ => after,
                };
                self.push(&at, &spelling::property("", member), item, &shown)
            }
        }
    }

    /// Sets a member; of one behind an `Fn::If`, the branch that is taken.
    fn set(&mut self, member: &str, value: Value) -> Result<(), Problem> {
        let property = spelling::property("", member);
        let at = self.literal(format!("/{property}"));
        let known = TASK.iter().any(|field| field.name == member);
        let Some(properties) = self.properties.as_object_mut().filter(|_| known) else {
            return Err(self.no_literal(&property));
        };
        properties.entry(property).or_insert(Value::Null);
        if let Some(place) = self.properties.pointer_mut(&at) {
            *place = value;
        }
        Ok(())
    }

    /// Adds an item to a list that is a member of what a pointer leads to; one that is absent is made.
    fn push(&mut self, at: &str, property: &str, item: Value, shown: &str) -> Result<(), Problem> {
        let holder = self.properties.pointer_mut(at).and_then(Value::as_object_mut);
        let Some(holder) = holder else { return Err(self.no_literal(shown)) };
        if !holder.contains_key(property) {
            holder.insert(property.to_owned(), json!([]));
        }
        let at = self.literal(format!("{at}/{property}"));
        let list = self.properties.pointer_mut(&at);
        match list {
            Some(list) if intrinsic::is_no_value(list) => *list = json!([item]),
            Some(Value::Array(items)) => items.push(item),
            Some(_) | None => return Err(self.no_literal(shown)),
        }
        Ok(())
    }

    /// Pointer to the container of that name, below the properties.
    fn container(&self, name: &str) -> Option<String> {
        let list = self.literal(format!("/{}", spelling::property("", task::CONTAINER_DEFINITIONS)));
        let items = self.properties.pointer(&list)?.as_array()?;
        (0..items.len()).map(|index| self.literal(format!("{list}/{index}"))).find(|at| {
            let told = self.properties.pointer(at).and_then(|container| container.get("Name"));
            // A name may be written as a number.
            let told = told.and_then(|told| as_text(&self.evaluator.value(told)?));
            told.is_some_and(|told| told == name)
        })
    }

    /// Where a pointer leads behind every `Fn::If` whose branch is known.
    fn literal(&self, mut at: String) -> String {
        while let Some(index) = self.properties.pointer(&at).and_then(|value| taken(self.evaluator, value)) {
            at = format!("{at}/Fn::If/{index}");
        }
        at
    }

    /// A value with its intrinsics in their places.
    fn restored(&self, value: Value) -> Value {
        match value {
            Value::String(text) => self.evaluator.symbols.restored(&text),
            Value::Array(items) => items.into_iter().map(|item| self.restored(item)).collect(),
            Value::Object(members) => members.into_iter().map(|(key, member)| (key, self.restored(member))).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }

    fn no_literal(&self, property: &str) -> Problem {
        Problem::NoLiteral { resource: self.resource.to_owned(), property: property.to_owned() }
    }
}

/// Position of the branch that an `Fn::If` takes, if a value is one and that can be said.
pub(crate) fn taken(evaluator: &Evaluator<'_>, value: &Value) -> Option<usize> {
    let (name, argument) = intrinsic::of(value)?;
    let condition = argument.get(0)?.as_str().filter(|_| name == "Fn::If")?;
    Some(if evaluator.condition(condition)? { 1 } else { 2 })
}
