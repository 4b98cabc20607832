//! What stands in a resolved text for a value that nobody knows yet, and how the intrinsic comes back from it.
//!
//! Knows: marks. Must not know: what an intrinsic means.
//!
//! A mark is a number between two characters of Unicode's private use area. No template has a use for them; one that
//! has them all the same is not decided on.

use serde_json::{Value, json};
use std::cell::RefCell;

const OPEN: char = '\u{E000}';
const CLOSE: char = '\u{E001}';

/// A value that is not known.
#[derive(Debug, Clone, PartialEq)]
struct Symbol {
    intrinsic: Value,
    /// It is a name that CloudFormation makes up, so that it is none that anybody would look for.
    made_up: bool,
}

/// The values that are not known, by their marks.
#[derive(Debug, Default)]
pub(crate) struct Symbols(RefCell<Vec<Symbol>>);

impl Symbols {
    /// A mark for an intrinsic, or for a dynamic reference.
    pub(crate) fn hold(&self, intrinsic: &Value) -> String {
        self.add(intrinsic, false)
    }

    /// A mark for a name that CloudFormation makes up.
    pub(crate) fn made_up(&self, intrinsic: &Value) -> String {
        self.add(intrinsic, true)
    }

    fn add(&self, intrinsic: &Value, made_up: bool) -> String {
        let mut held = self.0.borrow_mut();
        let symbol = Symbol { intrinsic: intrinsic.clone(), made_up };
        // Equal intrinsics come to equal values.
        let index = held.iter().position(|before| *before == symbol).unwrap_or_else(|| {
            held.push(symbol);
            held.len() - 1
        });
        format!("{OPEN}{index}{CLOSE}")
    }

    /// The text with its intrinsics in their places: itself, one intrinsic, or a join of all.
    pub(crate) fn restored(&self, text: &str) -> Value {
        let mut parts = Vec::new();
        for part in parts_of(text) {
            let value = match part {
                Part::Text(text) => Value::from(text),
                Part::Mark(index) => self.intrinsic(index),
            };
            match (parts.last_mut(), value) {
                // A dynamic reference is text too.
                (Some(Value::String(before)), Value::String(text)) => before.push_str(&text),
                (_, value) => parts.push(value),
            }
        }
        match parts.len() {
            0 => Value::from(""),
            1 => parts.remove(0),
            _ => json!({ "Fn::Join": ["", parts] }),
        }
    }

    /// The text for people: a mark as `Fn::Sub` would write what it stands for.
    pub(crate) fn readable(&self, text: &str) -> String {
        let part = |part| match part {
            Part::Text(text) => text.to_owned(),
            Part::Mark(index) => written(&self.intrinsic(index)),
        };
        parts_of(text).into_iter().map(part).collect()
    }

    fn intrinsic(&self, index: usize) -> Value {
        self.0.borrow().get(index).map_or(Value::Null, |symbol| symbol.intrinsic.clone())
    }

    /// Whether nothing in a text is unknown but names that CloudFormation makes up.
    pub(crate) fn only_made_up(&self, text: &str) -> bool {
        parts_of(text).into_iter().all(|part| match part {
            Part::Text(_) => true,
            Part::Mark(index) => self.0.borrow().get(index).is_some_and(|symbol| symbol.made_up),
        })
    }

    /// Whether a text is one mark of a value that may turn out to be absent.
    pub(crate) fn may_be_absent(&self, text: &str) -> bool {
        match parts_of(text).as_slice() {
            [Part::Mark(index)] => self.intrinsic(*index).get("Fn::If").is_some(),
            _ => false,
        }
    }

    /// Whether a text is one mark of a value that a branch leaves out, so that a list may have one item less.
    pub(crate) fn may_vanish(&self, text: &str) -> bool {
        match parts_of(text).as_slice() {
            [Part::Mark(index)] => crate::intrinsic::may_vanish(&self.intrinsic(*index)),
            _ => false,
        }
    }
}

/// Whether something in a text is not known.
pub(crate) fn is_open(text: &str) -> bool {
    text.contains([OPEN, CLOSE])
}

/// Whether anything in a value is not known.
pub(crate) fn holds_open(value: &Value) -> bool {
    match value {
        Value::String(text) => is_open(text),
        Value::Array(items) => items.iter().any(holds_open),
        Value::Object(members) => members.values().any(holds_open),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What a text begins with that is known.
pub(crate) fn known_beginning(text: &str) -> &str {
    text.split([OPEN, CLOSE]).next().unwrap_or_default()
}

fn written(intrinsic: &Value) -> String {
    let attribute = |argument| crate::intrinsic::attribute(argument).map(|(id, name)| format!("{id}.{name}"));
    let name = match crate::intrinsic::of(intrinsic) {
        Some(("Ref", id)) => id.as_str().map(str::to_owned),
        Some(("Fn::GetAtt", argument)) => attribute(argument),
        Some((name, _)) => Some(name.to_owned()),
        None => None,
    };
    format!("${{{}}}", name.unwrap_or_else(|| "?".to_owned()))
}

enum Part<'a> {
    Text(&'a str),
    Mark(usize),
}

fn parts_of(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let Some((number, behind)) = after.split_once(CLOSE) else { break };
        if !before.is_empty() {
            parts.push(Part::Text(before));
        }
        parts.push(Part::Mark(number.parse().unwrap_or(usize::MAX)));
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intrinsic_comes_back_alone_or_joined_with_what_is_around_it() {
        let symbols = Symbols::default();
        let group = json!({ "Ref": "Group" });
        let mark = symbols.hold(&group);
        assert_eq!(symbols.restored(&mark), group);
        assert_eq!(symbols.restored("plain"), json!("plain"));
        assert_eq!(symbols.restored(&format!("/a/{mark}-b")), json!({ "Fn::Join": ["", ["/a/", group, "-b"]] }));
        let dynamic = symbols.hold(&json!("{{resolve:ssm:/g}}"));
        assert_eq!(symbols.restored(&format!("/a/{dynamic}")), json!("/a/{{resolve:ssm:/g}}"));
    }

    #[test]
    fn people_read_what_a_mark_stands_for() {
        let symbols = Symbols::default();
        let all = [json!({ "Ref": "A" }), json!({ "Fn::GetAtt": ["B", "Arn"] }), json!({ "Fn::ImportValue": "c" })];
        let text: Vec<String> = all.iter().map(|intrinsic| symbols.hold(intrinsic)).collect();
        assert_eq!(symbols.readable(&text.join("/")), "${A}/${B.Arn}/${Fn::ImportValue}");
    }

    #[test]
    fn only_a_name_that_is_made_up_is_none_that_anybody_looks_for() {
        let symbols = Symbols::default();
        let (made_up, held) = (symbols.made_up(&json!({ "Ref": "A" })), symbols.hold(&json!({ "Ref": "B" })));
        assert!(symbols.only_made_up(&format!("x{made_up}")));
        assert!(!symbols.only_made_up(&format!("{made_up}{held}")));
    }
}
