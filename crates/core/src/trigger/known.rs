//! All that is kept of an event, and what it means for a family.
//!
//! Knows: where each shape has its ids, names and ARNs. Must not know: anything else that is in an event.

use super::scalars::Scalars;
use super::{Home, Ignored, Meaning, Problem, Urgency, family_of, is_role};
use crate::ids::{Arn, Family};
use crate::names::{LOOK_AGAIN, SWEEP, TURN};
use serde::Serialize;
use serde_json::Value;

/// The type of the events that tell of calls.
const CLOUDTRAIL: &str = "AWS API Call via CloudTrail";

/// The calls that change what a family's newest revision is.
const CALLS: [&str; 2] = [REGISTRATION, "DeregisterTaskDefinition"];

/// The one by which there is a new one.
const REGISTRATION: &str = "RegisterTaskDefinition";

/// The names of our own messages, by which a family is looked at.
const OURS: [&str; 3] = [LOOK_AGAIN, SWEEP, TURN];

/// All that is ever kept of an event: ids, names and ARNs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Known {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) region: Option<String>,
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
    pub(super) issuer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error_code: Option<String>,
    /// ARN of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    /// ARN of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    /// How often the family or service was looked at again already, in digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<String>,
    /// Whether one of them was longer than any can be, and is missing for that.
    #[serde(skip)]
    pub(super) too_long: bool,
}

impl Known {
    /// Who goes first.
    pub fn urgency(&self) -> Urgency {
        match self.name.as_deref() {
            Some(SWEEP) => Urgency::Sweep,
            Some(TURN) => Urgency::Turn,
            Some(REGISTRATION) => self.revision().map_or(Urgency::Event, Urgency::Registered),
            Some(_) | None => Urgency::Event,
        }
    }

    /// The number of the revision that ECS answered.
    fn revision(&self) -> Option<u64> {
        let arn: Arn = self.arn.as_deref()?.parse().ok()?;
        arn.revision().map(|(_, number)| number)
    }

    /// How often the family was looked at again already.
    pub fn waits(&self) -> u32 {
        self.waits.as_deref().and_then(|digits| digits.parse().ok()).unwrap_or(0)
    }

    /// Of what the rule's InputTransformer made.
    pub(super) fn of_transformed(input: &Value) -> Self {
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
            service: input.get("/service"),
            task: input.get("/task"),
            waits: input.get("/waits"),
            too_long: input.too_long(),
        }
    }

    /// Of a CloudTrail record.
    pub(super) fn of_record(record: &Value) -> Self {
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
            service: record.get("/responseElements/service/serviceArn"),
            task: record.get("/taskArn"),
            waits: None,
            too_long: record.too_long(),
        }
    }

    /// Of an EventBridge event around a record; what the envelope says counts.
    pub(super) fn of_event(input: &Value, detail: &Value) -> Self {
        let (record, input) = (Self::of_record(detail), Scalars::of(input));
        Self {
            account: input.get("/account").or(record.account),
            region: input.get("/region").or(record.region),
            id: input.get("/id").or(record.id),
            // Only CloudTrail's tell of calls; an event of ECS's own is named by its type.
            name: input.get("/detail-type").filter(|kind| kind != CLOUDTRAIL).or(record.name),
            too_long: record.too_long || input.too_long(),
            ..record
        }
    }

    pub(super) fn meaning(&self, home: &Home) -> Meaning {
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

    /// Whether it is about our account and Region, as far as it says.
    pub(super) fn is_at(&self, home: &Home) -> Result<(), Problem> {
        if self.account.as_deref().is_some_and(|account| account != home.account.as_str()) {
            return Err(Problem::OtherAccount);
        }
        if self.region.as_deref().is_some_and(|region| region != home.region.as_str()) {
            return Err(Problem::OtherRegion);
        }
        Ok(())
    }

    fn family(&self, home: &Home) -> Result<Family, Problem> {
        self.is_at(home)?;
        // What ECS answered counts before what it was asked; CloudTrail omits either when it is large.
        [&self.arn, &self.family, &self.request_family, &self.request_task_definition]
            .into_iter()
            .flatten()
            .next()
            .ok_or(Problem::NoFamily)
            .and_then(|named| family_of(named, home))
    }
}
