//! What starts tasks, and which task definition it names.
//!
//! Knows: where such a name stands. Must not know: whether anything is wrong with it.

use ecs_sidecar_aws::{Chain, Error};
use serde::Serialize;

/// Something that starts tasks of a task definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) place: Place,
    /// The task definition as it is written there: an ARN, `web:7` or `web`.
    pub(super) names: String,
}

/// Where a task definition is named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum Place {
    /// A target of an EventBridge rule.
    Target {
        bus: String,
        rule: String,
        target: String,
        /// The service that owns the rule, and lets nobody change it.
        #[serde(skip_serializing_if = "Option::is_none")]
        managed_by: Option<String>,
    },
    /// A schedule of EventBridge Scheduler.
    Schedule {
        group: String,
        name: String,
        /// Whether the name stands in the input of a universal target.
        #[serde(skip)]
        in_input: bool,
    },
    /// A state machine's definition.
    StateMachine { arn: String, name: String },
}

/// What came of looking through one service.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// How many rules, schedules or state machines there are.
    pub(super) seen: usize,
    pub(super) found: Vec<Found>,
    pub(super) refused: Vec<Refused>,
}

/// What could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refused {
    /// The action of IAM that it takes.
    pub(super) action: &'static str,
    /// Whether the caller may not do it; else the call failed in another way.
    pub(super) denied: bool,
    pub(super) message: String,
}

impl Looked {
    /// Notes what could not be looked at; each action once, with what was said first.
    pub(super) fn refuse(&mut self, action: &'static str, error: &Error) {
        if self.refused.iter().all(|refused| refused.action != action) {
            let denied = error.label() == "denied";
            self.refused.push(Refused { action, denied, message: Chain(error).to_string() });
        }
    }
}

impl Place {
    /// What it is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Target { .. } => "rule",
            Self::Schedule { .. } => "schedule",
            Self::StateMachine { .. } => "state machine",
        }
    }

    /// Its name, for people.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Target { bus, rule, target, .. } => format!("{bus}/{rule}, target {target}"),
            Self::Schedule { group, name, .. } => format!("{group}/{name}"),
            Self::StateMachine { name, .. } => name.clone(),
        }
    }
}
