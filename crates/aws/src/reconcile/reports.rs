//! What is told of a family, with what earlier rounds did.

use super::Past;
use crate::error::{Chain, Error};
use crate::observe::Sight;
use ecs_sidecar_core::ids::Family;
use ecs_sidecar_core::plan::{Decision, Plan};
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::report::{Outcome, Report};
use ecs_sidecar_core::state::State;

/// After how many seconds a family is looked at again where AWS wants to be left alone.
const SLOW_AGAIN: u32 = 15;

/// What came of a plan.
pub(super) fn report(sight: &Sight, plan: &Plan, outcome: &Outcome, notes: Vec<String>, past: &Past) -> Report {
    let mut report = Report::new(plan, Some(&sight.newest), outcome);
    report.notes.extend(notes);
    told(&mut report, past);
    report
}

/// What is in the way where a failure passes by itself.
pub(super) fn passing(error: &Error) -> Reason {
    if error.is_throttled() { Reason::Throttled } else { Reason::BeingReconciled }
}

/// What is told where AWS wants to be left alone for a while, or others were faster again and again.
pub(super) fn waiting(family: &Family, error: &Error, past: &Past) -> Report {
    let outcome = Outcome::Waiting { seconds: SLOW_AGAIN, refusal: passing(error).into() };
    let mut report = blank(family, Decision::Skip, passing(error), &outcome);
    report.message = Chain(error).to_string();
    told(&mut report, past);
    report
}

/// Nothing is there to decide on: all revisions were deregistered, or there never was one.
pub(super) fn nothing_active(family: &Family, past: &Past) -> Report {
    let mut report = blank(family, Decision::Skip, Reason::NoActiveRevision, &Outcome::Nothing);
    told(&mut report, past);
    report
}

fn blank(family: &Family, decision: Decision, reason: Reason, outcome: &Outcome) -> Report {
    Report {
        family: Some(family.as_str().to_owned()),
        state: State::of(decision, Some(reason), outcome),
        decision,
        reason: Some(reason),
        message: reason.meaning().to_owned(),
        policy: None,
        digest: None,
        source: None,
        registered: None,
        deregistered: Vec::new(),
        edits: Vec::new(),
        fetch: None,
        log_group: None,
        grants: Vec::new(),
        notes: Vec::new(),
        outcome: outcome.label(),
        missed_by_events: false,
        again_in_seconds: outcome.again_in_seconds(),
    }
}

/// Adds what earlier rounds did.
fn told(report: &mut Report, past: &Past) {
    let earlier = past.deregistered.iter().map(ToString::to_string);
    report.deregistered.splice(0..0, earlier);
    if !past.deregistered.is_empty() && report.outcome == Outcome::Nothing.label() {
        report.outcome = Outcome::Deregistered { arns: Vec::new() }.label();
    }
    if past.uncertain.is_some() {
        report.notes.push("the answer to a registration was lost, so the family was looked at again".to_owned());
    }
}
