//! The template's conditions, as far as its parameters and mappings decide them.
//!
//! Knows: `Fn::And`, `Fn::Or`, `Fn::Not`, `Fn::Equals` and `Condition`. Must not know: what hangs on a condition.

use crate::evaluate::{Evaluator, as_text};
use crate::{intrinsic, symbols};
use serde_json::Value;

impl Evaluator<'_> {
    /// Whether a condition of that name holds. `None`: only CloudFormation will know.
    pub(crate) fn condition(&self, name: &str) -> Option<bool> {
        if let Some(known) = self.known_conditions.borrow().get(name) {
            return *known;
        }
        // Whoever asks for itself on the way gets no answer.
        self.known_conditions.borrow_mut().insert(name.to_owned(), None);
        let holds = self.template.get("Conditions").and_then(|all| all.get(name)).and_then(|one| self.holds(one));
        self.known_conditions.borrow_mut().insert(name.to_owned(), holds);
        holds
    }

    fn holds(&self, condition: &Value) -> Option<bool> {
        if let Some(name) = condition.get("Condition").and_then(Value::as_str) {
            return self.condition(name);
        }
        let (name, argument) = intrinsic::of(condition)?;
        let operands = argument.as_array()?;
        match name {
            "Fn::Equals" => self.equal(operands.first()?, operands.get(1)?),
            "Fn::Not" => self.holds(operands.first()?).map(|holds| !holds),
            "Fn::And" => self.any(operands, false).map(|one_fails| !one_fails),
            "Fn::Or" => self.any(operands, true),
            _ => None,
        }
    }

    /// Whether any of the operands is that; the others are only asked for if none is.
    fn any(&self, operands: &[Value], wanted: bool) -> Option<bool> {
        let answers: Vec<Option<bool>> = operands.iter().map(|operand| self.holds(operand)).collect();
        if answers.contains(&Some(wanted)) {
            return Some(true);
        }
        (!answers.contains(&None)).then_some(false)
    }

    /// Whether two values are the same text. CloudFormation compares what it substitutes, which is text.
    fn equal(&self, one: &Value, other: &Value) -> Option<bool> {
        let (one, other) = (self.value(one)?, self.value(other)?);
        if symbols::holds_open(&one) || symbols::holds_open(&other) {
            return None;
        }
        Some(as_text(&one)? == as_text(&other)?)
    }
}
