//! The operator's table: it tells the truth of each family, and nobody holds anything any more.
//!
//! Knows: what each attribute is to say. Must not know: who wrote it when.

use super::People;
use super::revisions::{Standing, has_sidecar, is_operators, receipt_of, standing, work};
use crate::stage::Stage;
use ecs_sidecar_aws::rows::Row;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::state::State;
use ecs_sidecar_tests::{RevisionView, Status};
use serde_json::Value;
use std::fmt::Debug;

/// No lease is held: none of a family, of an image or of the sweep, which is done, and no service has a slot.
pub(super) fn free(stage: &Stage) -> Vec<String> {
    let mut found = Vec::new();
    for text in stage.world.items("operator") {
        let item: Value = serde_json::from_str(&text).unwrap_or_default();
        let word = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
        let (kind, id) = (word("kind"), word("id"));
        if item.get("leaseOwner").is_some() {
            found.push(format!("the lease of {kind} {id} is held"));
        }
        if kind == "sweep" && word("phase") != "done" {
            found.push(format!("the sweep is at {}", word("phase")));
        }
        if kind == "rollout" && item.get("moving").is_some() {
            found.push("a service has a slot for its move".to_owned());
        }
    }
    found
}

/// Each family has a row, and what it tells is so.
pub(super) fn truth(stage: &Stage, people: &People, rows: &[Row]) -> Vec<String> {
    let mut found = Vec::new();
    for family in stage.world.families() {
        match rows.iter().find(|row| row.family == family) {
            Some(row) => found.extend(tells(stage, people, row)),
            None => found.push(format!("{family}: it has no row")),
        }
    }
    found
}

fn tells(stage: &Stage, people: &People, row: &Row) -> Vec<String> {
    let (mut found, family) = (Vec::new(), &row.family);
    let mut expect = |what: &str, told: &dyn Debug, is: &dyn Debug| {
        let (told, is) = (format!("{told:?}"), format!("{is:?}"));
        if told != is {
            found.push(format!("{family}: the row tells {what} {told}, and it is {is}"));
        }
    };
    let Some(Standing { newest, owners }) = standing(stage, family) else {
        expect("state", &row.state, &Some(State::Gone));
        expect("newest", &row.told.newest, &Some(0));
        return found;
    };
    expect("newest", &row.told.newest, &Some(newest.number));
    let patched = (is_operators(&newest) && receipt_of(&newest).is_some()).then(|| newest.arn.clone());
    expect("patched", &row.told.patched, &patched);
    let source = owners.map(|owners| source_of(stage, row, owners));
    expect("source", &row.told.source, &source);
    let state = match (has_sidecar(&newest), row.state) {
        // Which of the two, only the plan knows.
        (true, Some(State::Outdated)) => State::Outdated,
        // A sidecar that a pipeline injects is left alone where no policy asks for it.
        (true, Some(State::Skipped)) if people.no_policies && !is_operators(&newest) => State::Skipped,
        // The newest patch was taken back, and is not made again; the one before it stays what it was (design, 6).
        (true, Some(State::Skipped)) if is_taken_back(people, row) => State::Skipped,
        (true, _) => State::Covered,
        (false, _) => State::Skipped,
    };
    expect("state", &row.state, &Some(state));
    expect("that a sidecar is injected", &row.told.injected.is_some(), &has_sidecar(&newest));
    found
}

/// The owner's newest revision, or the told one if that is the very same work: who registers it again while the operator
/// registers is not overtaken by it (the gap rule; design, 6).
fn source_of(stage: &Stage, row: &Row, owners: RevisionView) -> String {
    let told = stage.world.revisions(&row.family).into_iter().find(|view| Some(&view.arn) == row.told.source.as_ref());
    let same = told.filter(|told| told.status == Status::Active && work(told) == work(&owners));
    same.map_or(owners.arn, |told| told.arn)
}

fn is_taken_back(people: &People, row: &Row) -> bool {
    !people.deregistered.is_empty() && row.told.reason.as_deref() == Some(Reason::Withdrawn.label())
}
