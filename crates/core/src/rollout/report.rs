//! What is told of a look at a service.

use super::{Decided, Deed, RolloutReason, ServiceState};
use serde::Serialize;

/// A look at a service, for logs, metrics and whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReport {
    /// ARN of the service.
    pub service: String,
    /// How it stands; `None`: there is none of that name any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<ServiceState>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<RolloutReason>,
    /// The particulars, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The revision that it was or would be moved from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// And the one that it was or would be moved to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// `moved`: ECS was told to; `nothing`; `gone`; `refused`; `audit`: it would be moved, and the stack writes nothing;
    /// `off`: the stack does not move services.
    pub outcome: &'static str,
    /// After how many seconds it is to be looked at again, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again_in_seconds: Option<u32>,
}

impl ServiceReport {
    /// Of a service of which there is nothing to decide.
    pub fn without_decision(service: &str, outcome: &'static str) -> Self {
        Self {
            service: service.to_owned(),
            state: None,
            reason: None,
            message: String::new(),
            from: None,
            to: None,
            outcome,
            again_in_seconds: None,
        }
    }

    /// Of a decision, and of what came of it.
    pub fn new(service: &str, decided: &Decided, outcome: &'static str) -> Self {
        let last = match &decided.deed {
            Deed::Move(next) => Some(next),
            Deed::Nothing | Deed::Again(_) => decided.history.last.as_ref(),
        };
        Self {
            service: service.to_owned(),
            state: Some(decided.state),
            reason: Some(decided.reason),
            message: decided.message.clone(),
            from: last.map(|last| last.from.to_string()),
            to: last.map(|last| last.to.to_string()),
            outcome,
            again_in_seconds: match decided.deed {
                Deed::Again(seconds) => Some(seconds),
                Deed::Nothing | Deed::Move(_) => None,
            },
        }
    }
}
