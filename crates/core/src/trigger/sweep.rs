//! What woke the sweep, and what is asked of it.
//!
//! Knows: the shapes in which a wake-up arrives. Must not know: what a sweep does.

use super::scalars::Scalars;
use crate::names::GO_ON;
use serde::Deserialize;
use serde_json::Value;

/// How many characters are told of what is wrong with a person's request: the words quote it.
const LONGEST_WORDS: usize = 400;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// Sweep, or make another round.
    Begin {
        /// What woke it, for the log.
        cause: String,
        /// The round that an earlier sweep asks for.
        round: Option<u64>,
    },
    /// Go on with that sweep.
    GoOn {
        /// The sweep's name.
        run: String,
    },
    /// A person asks.
    ByHand(ByHand),
}

/// What a person asks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ByHand {
    /// What is to be done.
    pub action: Action,
    /// Globs of families; all if nothing is said.
    #[serde(default)]
    pub families: Vec<String>,
    /// The family to begin with, as an earlier answer said.
    #[serde(default)]
    pub from: Option<String>,
}

/// What is to be done about families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Have them looked at.
    Reconcile,
    /// Tell what would be done.
    Plan,
}

/// Why an input is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It asks for something by an action, but not as it should.
    #[error(
        "it should be {{\"action\": \"reconcile\" or \"plan\", \"families\": [globs], \"from\": a family}}, the last two if \
         need be: {0}"
    )]
    ByHand(String),
    /// It is none of the shapes that are known.
    #[error("it is neither a message of the sweep's queue, nor records of the table's stream, nor has it an action")]
    UnknownShape,
}

impl Problem {
    /// The stable word for it.
    pub fn label(&self) -> &'static str {
        match self {
            Self::ByHand(_) => "badRequest",
            Self::UnknownShape => "unknownShape",
        }
    }
}

/// Understands an invocation.
///
/// Errors: [`Problem`], for an input of another shape.
pub fn read(input: &Value) -> Result<Trigger, Problem> {
    if input.get("action").is_some() {
        let by_hand = ByHand::deserialize(input).map_err(|error| bad_request(&error))?;
        return Ok(Trigger::ByHand(by_hand));
    }
    let records = input.get("Records").and_then(Value::as_array);
    let Some(first) = records.and_then(|records| records.first()) else { return Err(Problem::UnknownShape) };
    // The mapping of the stream lets nothing through but what stands for all families.
    if first.get("eventSource").and_then(Value::as_str) == Some("aws:dynamodb") {
        return Ok(Trigger::Begin { cause: "table".to_owned(), round: None });
    }
    let body = first.get("body").and_then(Value::as_str).ok_or(Problem::UnknownShape)?;
    let body: Value = serde_json::from_str(body).map_err(|_| Problem::UnknownShape)?;
    let body_texts = Scalars::of(&body);
    match (body_texts.get("/name"), body_texts.get("/run")) {
        (_, _) if body_texts.too_long() => Err(Problem::UnknownShape),
        (Some(name), Some(run)) if name == GO_ON => Ok(Trigger::GoOn { run }),
        (Some(name), _) => {
            let round = body.get("round").and_then(Value::as_u64);
            Ok(Trigger::Begin { cause: name, round })
        }
        (None, _) => Err(Problem::UnknownShape),
    }
}

fn bad_request(error: &serde_json::Error) -> Problem {
    Problem::ByHand(error.to_string().chars().take(LONGEST_WORDS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_wake_up_is_understood() {
        let message = |body: Value| json!({ "Records": [{ "messageId": "m", "body": body.to_string() }] });
        let begin = |cause: &str| Ok(Trigger::Begin { cause: cause.to_owned(), round: None });
        assert_eq!(read(&message(json!({ "name": "Schedule" }))), begin("Schedule"));
        let again = Trigger::Begin { cause: "Again".to_owned(), round: Some(17) };
        assert_eq!(read(&message(json!({ "name": "Again", "round": 17 }))), Ok(again));
        let go_on = read(&message(json!({ "name": "GoOn", "run": "r" })));
        assert_eq!(go_on, Ok(Trigger::GoOn { run: "r".to_owned() }));
        assert_eq!(read(&json!({ "Records": [{ "eventSource": "aws:dynamodb" }] })), begin("table"));
        let by_hand = ByHand { action: Action::Plan, families: vec!["web-*".to_owned()], from: None };
        assert_eq!(read(&json!({ "action": "plan", "families": ["web-*"] })), Ok(Trigger::ByHand(by_hand)));
    }

    #[test]
    fn what_is_longer_than_any_name_is_neither_kept_nor_told() {
        let long = "a".repeat(5000);
        for body in [json!({ "name": long }), json!({ "name": GO_ON, "run": long })] {
            let message = json!({ "Records": [{ "body": body.to_string() }] });
            assert_eq!(read(&message), Err(Problem::UnknownShape));
        }
        for input in [
            json!({ "action": long }),
            json!({ "action": "plan", long.as_str(): 1 }),
            json!({ "action": "plan", "from": [long] }),
        ] {
            let told = read(&input).expect_err("not understood").to_string();
            assert!(told.len() < 1000, "{}", told.len());
        }
    }

    #[test]
    fn what_is_not_understood_is_told() {
        for input in [json!({}), json!({ "Records": [] }), json!({ "Records": [{ "body": "x" }] }), json!(null)] {
            assert_eq!(read(&input), Err(Problem::UnknownShape), "{input}");
        }
        for input in [
            json!({ "action": "remove" }),
            json!({ "action": "plan", "family": "web" }),
            json!({ "action": "plan", "families": "web" }),
        ] {
            assert!(matches!(read(&input), Err(Problem::ByHand(_))), "{input}");
        }
    }
}
