//! What an event asks for: a family, or nothing.
//!
//! Knows: the shapes in which the news of a registration arrives. Must not know: what a task definition looks like;
//! members that are not needed are never given a type, since CloudTrail may put anything there, or nothing.

use ecs_sidecar_aws::queue::{LOOK_AGAIN, SWEEP, TURN};
use ecs_sidecar_aws::{ReconcileAction, Urgency};
use ecs_sidecar_core::ids::{AccountId, Arn, Family, Region, RoleRef};
use serde::Serialize;
use serde_json::Value;
use std::cell::Cell;
use std::time::Duration;

/// The calls that change what a family's newest revision is.
const CALLS: [&str; 2] = ["RegisterTaskDefinition", "DeregisterTaskDefinition"];

/// The names of our own messages, by which a family is looked at.
const OURS: [&str; 3] = [LOOK_AGAIN, SWEEP, TURN];

/// How many characters a scalar may have: more than any id or ARN has. What is longer is none, and is never cut: the
/// beginning of an ARN may be another family's.
const LONGEST: usize = 2048;

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
}

impl Ignored {
    /// The stable word for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::OtherCall => "otherCall",
            Self::FailedCall => "failedCall",
            Self::OwnCall => "ownCall",
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
         \"plan\", \"family\": ..}}"
    )]
    UnknownShape,
    /// It names no family.
    #[error("it names no task definition family")]
    NoFamily,
    /// What it names is none.
    #[error("what it names is no task definition family: letters, digits, underscores and hyphens, 255 at most")]
    BadFamily,
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
    #[error("its action is none; allowed: reconcile, plan")]
    UnknownAction,
    /// A person names the family not at all or twice.
    #[error("it must name either a family or a taskDefinition")]
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
            Self::TooLong => "tooLong",
            Self::OtherAccount => "otherAccount",
            Self::OtherRegion => "otherRegion",
            Self::UnknownAction => "unknownAction",
            Self::NotOneFamily => "notOneFamily",
        }
    }
}

/// All that is ever kept of an event: ids, names and ARNs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Known {
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    /// The event's own id, for the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The call that it tells of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_family: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_task_definition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
    /// How often the family was looked at again already, in digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<String>,
    /// Whether one of them was longer than any can be, and is missing for that.
    #[serde(skip)]
    too_long: bool,
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
    let action = match input.get("action").and_then(Value::as_str) {
        Some("reconcile") => ReconcileAction::Reconcile,
        Some("plan") => ReconcileAction::Plan,
        Some(_) | None => return Err(Problem::UnknownAction),
    };
    let scalars = Scalars::of(input);
    let named = match (scalars.get("/family"), scalars.get("/taskDefinition")) {
        _ if scalars.too_long.get() => return Err(Problem::TooLong),
        (Some(name), None) | (None, Some(name)) => name,
        (Some(_), Some(_)) | (None, None) => return Err(Problem::NotOneFamily),
    };
    Ok(Trigger::ByHand { family: family_of(&named, home)?, action })
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
        known.meaning(home)
    };
    Event { known, meaning }
}

impl Known {
    /// Who goes first.
    pub fn urgency(&self) -> Urgency {
        match self.name.as_deref() {
            Some(SWEEP) => Urgency::Sweep,
            Some(TURN) => Urgency::Turn,
            Some(_) | None => Urgency::Event,
        }
    }

    /// How often the family was looked at again already.
    pub fn waits(&self) -> u32 {
        self.waits.as_deref().and_then(|digits| digits.parse().ok()).unwrap_or(0)
    }

    /// Of what the rule's InputTransformer made.
    fn of_transformed(input: &Value) -> Self {
        let input = Scalars::of(input);
        Self {
            account: input.get("/account"),
            region: input.get("/region"),
            id: input.get("/id"),
            name: input.get("/name"),
            family: input.get("/family"),
            request_family: input.get("/requestFamily"),
            arn: input.get("/arn"),
            request_task_definition: input.get("/requestTaskDefinition"),
            issuer: input.get("/issuer"),
            error_code: input.get("/errorCode"),
            waits: input.get("/waits"),
            too_long: input.too_long.get(),
        }
    }

    /// Of a CloudTrail record.
    fn of_record(record: &Value) -> Self {
        let record = Scalars::of(record);
        Self {
            account: record.get("/recipientAccountId"),
            region: record.get("/awsRegion"),
            id: record.get("/eventID"),
            name: record.get("/eventName"),
            family: record.get("/responseElements/taskDefinition/family"),
            request_family: record.get("/requestParameters/family"),
            arn: record.get("/responseElements/taskDefinition/taskDefinitionArn"),
            request_task_definition: record.get("/requestParameters/taskDefinition"),
            issuer: record.get("/userIdentity/sessionContext/sessionIssuer/arn"),
            error_code: record.get("/errorCode"),
            waits: None,
            too_long: record.too_long.get(),
        }
    }

    /// Of an EventBridge event around a record; what the envelope says counts.
    fn of_event(input: &Value, detail: &Value) -> Self {
        let (record, input) = (Self::of_record(detail), Scalars::of(input));
        Self {
            account: input.get("/account").or(record.account),
            region: input.get("/region").or(record.region),
            id: input.get("/id").or(record.id),
            // An event of ECS's own, such as a deployment's state change, has no call in it.
            name: record.name.or_else(|| input.get("/detail-type")),
            too_long: record.too_long || input.too_long.get(),
            ..record
        }
    }

    fn meaning(&self, home: &Home) -> Meaning {
        match self.name.as_deref() {
            Some(name) if CALLS.contains(&name) || OURS.contains(&name) => {}
            // The name itself may be what was too long.
            None if self.too_long => return Meaning::Unclear(Problem::TooLong),
            Some(_) | None => return Meaning::Ignore(Ignored::OtherCall),
        }
        // Before the length: ECS refuses what is too long, so that its callers' slips would fill the dead-letter queue.
        if self.error_code.is_some() {
            return Meaning::Ignore(Ignored::FailedCall);
        }
        if self.too_long {
            return Meaning::Unclear(Problem::TooLong);
        }
        if self.issuer.as_deref().is_some_and(|issuer| is_role(issuer, &home.role)) {
            return Meaning::Ignore(Ignored::OwnCall);
        }
        match self.family(home) {
            Ok(family) => Meaning::Look(family),
            Err(problem) => Meaning::Unclear(problem),
        }
    }

    fn family(&self, home: &Home) -> Result<Family, Problem> {
        if self.account.as_deref().is_some_and(|account| account != home.account.as_str()) {
            return Err(Problem::OtherAccount);
        }
        if self.region.as_deref().is_some_and(|region| region != home.region.as_str()) {
            return Err(Problem::OtherRegion);
        }
        // What ECS answered counts before what it was asked; CloudTrail omits either when it is large.
        [&self.arn, &self.family, &self.request_family, &self.request_task_definition]
            .into_iter()
            .flatten()
            .next()
            .ok_or(Problem::NoFamily)
            .and_then(|named| family_of(named, home))
    }
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

/// What is read of an input: strings that say something.
struct Scalars<'a> {
    input: &'a Value,
    /// Whether one was longer than any can be; it counts as absent.
    too_long: Cell<bool>,
}

impl<'a> Scalars<'a> {
    fn of(input: &'a Value) -> Self {
        Self { input, too_long: Cell::new(false) }
    }

    fn get(&self, pointer: &str) -> Option<String> {
        let text = self.input.pointer(pointer)?.as_str()?.trim();
        if text.len() > LONGEST {
            self.too_long.set(true);
            return None;
        }
        (!is_absent(text)).then(|| text.to_owned())
    }
}

/// A rule leaves `""` or its own `<placeholder>` where the event had nothing.
fn is_absent(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.starts_with('<') && text.ends_with('>')
}

#[cfg(test)]
mod tests;
