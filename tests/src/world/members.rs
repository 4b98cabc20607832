//! Objects taken apart into members whose values are the bytes that came.
//!
//! Knows: JSON text. Must not know: task definitions. The project's own splicing is not used here on purpose: a judge
//! of it must not share its mistakes.

use crate::world::shape::Shape;
use ecs_sidecar_core::json::{Document, JsonError, Value, quote};

/// The members of an object in their order, each value as it was written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Members(Vec<(String, String)>);

impl Members {
    /// Takes an object apart.
    pub(crate) fn of(value: Value<'_>) -> Self {
        Self(value.members().map(|(name, value)| (name.into_owned(), value.raw().to_owned())).collect())
    }

    /// Reads and takes apart an object.
    pub(crate) fn parse(text: &str) -> Result<Self, JsonError> {
        Ok(Self::of(Document::parse(text)?.root()))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// Names and values in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Sets a member where it stands, or behind all others.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value.into(),
            None => self.0.push((name.to_owned(), value.into())),
        }
    }

    /// Adds a member unless it is there.
    pub(crate) fn fill(&mut self, name: &str, value: impl Into<String>) {
        if self.get(name).is_none() {
            self.0.push((name.to_owned(), value.into()));
        }
    }

    /// Takes a member out.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(at).1)
    }

    /// The object as text.
    pub(crate) fn render(&self) -> String {
        let members: Vec<String> = self.0.iter().map(|(name, value)| format!("{}:{value}", quote(name))).collect();
        format!("{{{}}}", members.join(","))
    }
}

/// A list of texts that are JSON already.
pub(crate) fn list<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.as_ref().to_owned()).collect();
    format!("[{}]", items.join(","))
}

/// A list of strings.
pub(crate) fn strings<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    list(items.into_iter().map(|item| quote(item.as_ref())))
}

/// The value without the `null` members of the structures that ECS knows. What it does not know keeps its bytes, and
/// so does every value in which nothing is `null`.
pub(crate) fn without_nulls(value: Value<'_>, shape: &Shape) -> String {
    if !has_nulls(value, shape) {
        return value.raw().to_owned();
    }
    if let Shape::List(item) = shape {
        return list(value.items().map(|one| without_nulls(one, item)));
    }
    let mut members = Members::default();
    for (name, member) in value.members() {
        match shape.member(&name) {
            Some(_) if member.is_null() => {}
            Some(shape) => members.set(&name, without_nulls(member, shape)),
            None => members.set(&name, member.raw()),
        }
    }
    members.render()
}

fn has_nulls(value: Value<'_>, shape: &Shape) -> bool {
    match shape {
        Shape::List(item) => value.items().any(|one| has_nulls(one, item)),
        Shape::Structure(_) | Shape::Map(_) => value.members().any(|(name, member)| {
            shape.member(&name).is_some_and(|shape| member.is_null() || has_nulls(member, shape))
        }),
        Shape::Text | Shape::Whole | Shape::Flag => false,
    }
}
