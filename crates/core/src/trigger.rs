//! What an event asks for: a look at a family or at a service, or nothing.
//!
//! Knows: the shapes in which news arrive. Must not know: what a task definition looks like;
//! members that are not needed are never given a type, since CloudTrail may put anything there, or nothing.

mod asked;
mod known;
mod scalars;
mod services;
mod stopped;
pub mod sweep;

use crate::ids::{AccountId, Arn, Family, Region, RoleRef, ServiceRef};
pub use asked::{ReconcileAction, RolloutAction, Urgency};
pub use known::Known;
use scalars::{Scalars, is_absent};
use serde_json::Value;
use std::time::Duration;
pub use stopped::StoppedEvent;

/// Where we are and who we are.
#[derive(Debug, Clone)]
pub struct Home {
    /// Our account.
    pub account: AccountId,
    /// Our Region.
    pub region: Region,
    /// The operator's own role.
    pub role: RoleRef,
}

/// An invocation, understood as far as it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// A person asks.
    ByHand {
        /// For this family.
        family: Family,
        /// To have this done.
        action: ReconcileAction,
    },
    /// A person asks about a service.
    ServiceByHand {
        /// This one.
        service: ServiceRef,
        /// To have this done.
        action: RolloutAction,
    },
    /// One event.
    Event(Box<Event>),
    /// Messages of the queue.
    Batch(Vec<Message>),
}

/// A message of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// SQS's id of it, by which a failure is reported.
    pub id: String,
    /// What is in it.
    pub event: Event,
    /// When it was sent, since 1970.
    pub sent_at: Option<Duration>,
}

/// An event and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// All that is kept of it.
    pub known: Known,
    /// What it means.
    pub meaning: Meaning,
}

/// What an event means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// Look at this family.
    Look(Family),
    /// Look at this service, which somebody changed, as far as the event tells.
    LookAtService(ServiceRef, Option<String>),
    /// A task stopped.
    Stopped(Box<StoppedEvent>),
    /// Nothing for us.
    Ignore(Ignored),
    /// Nobody can tell.
    Unclear(Problem),
}

/// Why an event is nothing for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// It tells of another call.
    OtherCall,
    /// The call failed, so nothing changed.
    FailedCall,
    /// We made the call ourselves.
    OwnCall,
    /// The service's ARN does not name its cluster, as ARNs did until 2018; such services are not moved.
    OldServiceArn,
}

impl Ignored {
    /// The stable word for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::OtherCall => "otherCall",
            Self::FailedCall => "failedCall",
            Self::OwnCall => "ownCall",
            Self::OldServiceArn => "oldServiceArn",
        }
    }
}

/// Why an input is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text is not JSON.
    #[error("it is not JSON")]
    NotJson,
    /// The JSON is none of the shapes that are known.
    #[error(
        "it is neither an event of a rule, nor a CloudTrail record, nor a batch of SQS, nor {{\"action\": \"reconcile\" or \
         \"plan\", \"family\" or \"service\": ..}}"
    )]
    UnknownShape,
    /// It names no family.
    #[error("it names no task definition family")]
    NoFamily,
    /// What it names is none.
    #[error("what it names is no task definition family: letters, digits, underscores and hyphens, 255 at most")]
    BadFamily,
    /// It names no service.
    #[error("it names no ECS service by an ARN")]
    NoService,
    /// It does not say which task stopped.
    #[error("it does not name the task that stopped, and what it ran")]
    NoTask,
    /// A name or an id in it is longer than any.
    #[error("a name, an id or an ARN in it is longer than any can be")]
    TooLong,
    /// It is about another account.
    #[error("it is about another account than the function's")]
    OtherAccount,
    /// It is about another Region.
    #[error("it is about another Region than the function's")]
    OtherRegion,
    /// A person asks for something that does not exist.
    #[error("its action is none; allowed: reconcile, plan, and retry for a service")]
    UnknownAction,
    /// A person names what he asks about not at all or twice.
    #[error("it must name either a family, a taskDefinition or a service")]
    NotOneFamily,
}

impl Problem {
    /// The stable word for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::NotJson => "notJson",
            Self::UnknownShape => "unknownShape",
            Self::NoFamily => "noFamily",
            Self::BadFamily => "badFamily",
            Self::NoService => "noService",
            Self::NoTask => "noTask",
            Self::TooLong => "tooLong",
            Self::OtherAccount => "otherAccount",
            Self::OtherRegion => "otherRegion",
            Self::UnknownAction => "unknownAction",
            Self::NotOneFamily => "notOneFamily",
        }
    }
}

/// Understands an invocation.
pub fn read(input: &Value, home: &Home) -> Result<Trigger, Problem> {
    if input.get("action").is_some() {
        return by_hand(input, home);
    }
    match input.get("Records").and_then(Value::as_array) {
        Some(records) if !records.is_empty() && records.iter().all(|record| record.get("body").is_some()) => {
            Ok(Trigger::Batch(records.iter().map(|record| message(record, home)).collect()))
        }
        Some(_) | None => Ok(Trigger::Event(Box::new(event(input, home)))),
    }
}

fn by_hand(input: &Value, home: &Home) -> Result<Trigger, Problem> {
    let scalars = Scalars::of(input);
    let named = [scalars.get("/family"), scalars.get("/taskDefinition"), scalars.get("/service")];
    if scalars.too_long() {
        return Err(Problem::TooLong);
    }
    let action = input.get("action").and_then(Value::as_str);
    match (named, action) {
        ([Some(family), None, None] | [None, Some(family), None], Some("reconcile" | "plan")) => {
            let action = if action == Some("plan") { ReconcileAction::Plan } else { ReconcileAction::Reconcile };
            Ok(Trigger::ByHand { family: family_of(&family, home)?, action })
        }
        ([None, None, Some(service)], Some("reconcile" | "plan" | "retry")) => {
            let action = match action {
                Some("plan") => RolloutAction::Plan,
                Some("retry") => RolloutAction::Retry,
                Some(_) | None => RolloutAction::Move,
            };
            Ok(Trigger::ServiceByHand { service: services::named(&service, home)?, action })
        }
        (_, Some("reconcile" | "plan" | "retry")) => Err(Problem::NotOneFamily),
        (_, Some(_) | None) => Err(Problem::UnknownAction),
    }
}

fn message(record: &Value, home: &Home) -> Message {
    // As it came: SQS wants just this back.
    let id = record.get("messageId").and_then(Value::as_str).unwrap_or_default().to_owned();
    let body = record.get("body").and_then(Value::as_str).unwrap_or_default();
    let event = match serde_json::from_str::<Value>(body) {
        Ok(body) => event(&body, home),
        Err(_) => Event { known: Known::default(), meaning: Meaning::Unclear(Problem::NotJson) },
    };
    let sent_at = record.pointer("/attributes/SentTimestamp").and_then(Value::as_str);
    let sent_at = sent_at.and_then(|digits| digits.parse().ok()).map(Duration::from_millis);
    Message { id, event, sent_at }
}

fn event(input: &Value, home: &Home) -> Event {
    let known = match (input.get("detail"), input.get("eventName"), input.get("name")) {
        (Some(detail), ..) => Known::of_event(input, detail),
        (None, Some(_), _) => Known::of_record(input),
        (None, None, Some(_)) => Known::of_transformed(input),
        (None, None, None) => {
            return Event { known: Known::default(), meaning: Meaning::Unclear(Problem::UnknownShape) };
        }
    };
    let record = input.get("detail").unwrap_or(input);
    let source = record.get("eventSource").and_then(Value::as_str).unwrap_or_default();
    let meaning = if !is_absent(source) && source != "ecs.amazonaws.com" {
        Meaning::Ignore(Ignored::OtherCall)
    } else {
        services::meaning(&known, input, home)
            .or_else(|| stopped::meaning(&known, input, home))
            .unwrap_or_else(|| known.meaning(home))
    };
    Event { known, meaning }
}

/// The family that is named by an ARN, by `web:3` or by `web`.
fn family_of(named: &str, home: &Home) -> Result<Family, Problem> {
    let name = match named.parse::<Arn>() {
        Ok(arn) => {
            if arn.account().is_none_or(|account| account != home.account) {
                return Err(Problem::OtherAccount);
            }
            if arn.region().is_none_or(|region| region != home.region) {
                return Err(Problem::OtherRegion);
            }
            arn.resource().strip_prefix("task-definition/").ok_or(Problem::BadFamily)?.to_owned()
        }
        Err(_) => named.to_owned(),
    };
    let family = match name.rsplit_once(':') {
        Some((family, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => family,
        Some(_) | None => &name,
    };
    family.parse().map_err(|_| Problem::BadFamily)
}

/// Whether an ARN is that role's. A role's name is its own in its account, whatever the path, and some stand-ins for
/// AWS leave the path out.
fn is_role(arn: &str, role: &RoleRef) -> bool {
    let other = RoleRef::new(arn);
    other.account().is_some() && other.account() == role.account() && other.name() == role.name()
}

#[cfg(test)]
mod tests;
