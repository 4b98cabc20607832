//! What a part of the benchmarks prints: one JSON document on standard output.
//!
//! Knows: the shape that the driver reads. Must not know: what is measured.

use serde_json::{Value, json};
use std::io::Write as _;

/// A figure, which does not depend on how fast the machine is.
pub(crate) struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    goal: Value,
    note: Option<String>,
}

impl Figure {
    /// A figure without a goal.
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, unit, goal: Value::Null, note: None }
    }

    /// The same, which should be no more than that.
    pub(crate) fn at_most(self, goal: f64) -> Self {
        Self { goal: json!({ "at_most": goal }), ..self }
    }

    /// The same with a word for people.
    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }
}

/// Prints the figures of a part.
pub(crate) fn print(part: &str, figures: Vec<Figure>) -> std::io::Result<()> {
    let figures: Vec<Value> = figures
        .into_iter()
        .map(|Figure { name, value, unit, goal, note }| {
            json!({
                "name": name,
                "value": value,
                "unit": unit,
                "spread": null,
                "goal": goal,
                "note": note,
                "fixed": true,
            })
        })
        .collect();
    writeln!(std::io::stdout(), "{}", json!({ "part": part, "figures": figures }))
}
