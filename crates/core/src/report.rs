//! What is told about one family: the answer to a person, and the line in the log.
//!
//! Holds no values of a definition but those that the operator writes itself.

use crate::decision::{Decision, Plan};
use crate::ids::Arn;
use crate::mask::tellable;
pub use crate::outcome::Outcome;
use crate::reason::Reason;
use crate::state::State;
use serde::Serialize;
use serde_json::value::RawValue;

/// The report, as it is serialized.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The family, if the definition names one.
    pub family: Option<String>,
    /// How the family stands now.
    pub state: State,
    /// What was decided; `skip` where AWS refused to let it be done, or the image cannot be had for now.
    pub decision: Decision,
    /// Why; `null` for an injection.
    pub reason: Option<Reason>,
    /// The particulars, for people.
    pub message: String,
    /// The policy that decided.
    pub policy: Option<String>,
    /// Digest of what the policy wants here.
    pub digest: Option<String>,
    /// The revision that was looked at.
    pub source: Option<String>,
    /// The revision that was registered.
    pub registered: Option<String>,
    /// Revisions of ours that were deregistered.
    pub deregistered: Vec<String>,
    /// What changes, with a reason each.
    pub edits: Vec<ReportedEdit>,
    /// The image that has to be fetched first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetch: Option<ReportedFetch>,
    /// The log group that is made first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_group: Option<String>,
    /// What roles get.
    pub grants: Vec<ReportedGrant>,
    /// What else a person would want to know.
    pub notes: Vec<String>,
    /// `nothing`, `planned`, `granted`, `waiting`, `held`, `registered`, `deregistered` or `refused`.
    pub outcome: &'static str,
    /// Whether a registration was found that an event should have brought long ago.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub missed_by_events: bool,
    /// After so many seconds the family is to be looked at again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again_in_seconds: Option<u32>,
}

/// One edit in a report.
#[derive(Debug, Clone, Serialize)]
pub struct ReportedEdit {
    /// `add`, `replace` or `remove`.
    pub op: &'static str,
    /// The place, by names: `containerDefinitions[web].links[xray-daemon]`.
    pub path: String,
    /// What is written there, with log options that may be secret hidden; absent for a removal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<RawValue>>,
    /// Why.
    pub reason: String,
}

/// One grant in a report.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportedGrant {
    /// The role as the definition names it.
    pub role: String,
    /// ARN of the managed policy that it gets.
    pub policy_arn: String,
}

/// An image that has to be in the private registry.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportedFetch {
    /// The image upstream.
    pub image: String,
    /// The private repository.
    pub repository: String,
    /// The architectures, as `runtimePlatform` has them.
    pub architectures: Vec<String>,
    /// The prefix of the cache rule that is made for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_rule: Option<String>,
}

impl Report {
    /// Tells a plan and what came of it.
    pub fn new(plan: &Plan, source: Option<&Arn>, outcome: &Outcome) -> Self {
        let (decision, reason, message) = match outcome {
            Outcome::Refused { refusal, .. } => (Decision::Skip, Some(refusal.reason), refusal.message.clone()),
            // What passes by itself leaves the decision as it is; what is in the way leaves the definition alone until later.
            Outcome::Waiting { refusal, .. } | Outcome::Held { refusal } => {
                let decision = if refusal.reason.passes() { plan.decision } else { Decision::Skip };
                (decision, Some(refusal.reason), refusal.message.clone())
            }
            Outcome::Nothing
            | Outcome::Planned
            | Outcome::Granted
            | Outcome::Registered { .. }
            | Outcome::Deregistered { .. } => (plan.decision, plan.reason, plan.message.clone()),
        };
        let registered = match outcome {
            Outcome::Registered { arn, .. } => Some(arn.to_string()),
            Outcome::Nothing
            | Outcome::Planned
            | Outcome::Granted
            | Outcome::Waiting { .. }
            | Outcome::Held { .. }
            | Outcome::Deregistered { .. }
            | Outcome::Refused { .. } => None,
        };
        Self {
            state: State::of(decision, reason, outcome),
            family: plan.family.clone(),
            decision,
            reason,
            message,
            policy: plan.policy.clone(),
            digest: plan.digest.as_ref().map(ToString::to_string),
            source: source.map(ToString::to_string),
            registered,
            deregistered: outcome.deregistered().iter().map(ToString::to_string).collect(),
            edits: plan.edits.iter().map(ReportedEdit::new).collect(),
            fetch: plan.fetch.as_ref().map(ReportedFetch::new),
            log_group: plan.log_group.as_ref().map(|group| group.name.clone()),
            grants: plan.grants.iter().map(ReportedGrant::new).collect(),
            notes: plan.notes.clone(),
            outcome: outcome.label(),
            missed_by_events: false,
            again_in_seconds: outcome.again_in_seconds(),
        }
    }
}

impl ReportedEdit {
    fn new(edit: &crate::edit::Edit) -> Self {
        Self {
            op: match (&edit.before, &edit.after) {
                (_, None) => "remove",
                (None, Some(_)) => "add",
                (Some(_), Some(_)) => "replace",
            },
            path: edit.path.to_string(),
            value: edit.after.as_deref().map(|text| RawValue::from_string(tellable(text)).expect("edits hold JSON")),
            reason: edit.reason.clone(),
        }
    }
}

impl ReportedFetch {
    fn new(fetch: &crate::decision::Fetch) -> Self {
        Self {
            image: fetch.image.to_string(),
            repository: fetch.repository.clone(),
            architectures: fetch.architectures.iter().map(ToString::to_string).collect(),
            create_rule: fetch.rule.as_ref().map(|rule| rule.prefix.clone()),
        }
    }
}

impl ReportedGrant {
    fn new(grant: &crate::decision::Grant) -> Self {
        Self { role: grant.role.to_string(), policy_arn: grant.policy_arn.clone() }
    }
}
