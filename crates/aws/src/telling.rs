//! What a family's row is to say after a look at it.
//!
//! Knows: what a plan and its outcome make of a family. Must not know: how rows are written.

use crate::gap::number_of;
use crate::observe::Sight;
use crate::rows::{Row, Told};
use crate::succession;
use ecs_sidecar_core::ids::Arn;
use ecs_sidecar_core::observed::Registrar;
use ecs_sidecar_core::plan::{Decision, Grant, Plan};
use ecs_sidecar_core::receipt;
use ecs_sidecar_core::report::{Outcome, Report};
use std::collections::BTreeSet;

/// `ROLE POLICY`.
pub(crate) fn pair(grant: &Grant) -> String {
    format!("{} {}", grant.role, grant.policy_arn)
}

/// What a look found, on top of what the row says: the revisions, and whose sidecar the newest one has.
pub(crate) fn seen(sight: &Sight, row: Option<&Row>) -> Told {
    let definition = &sight.observed.definition;
    let before = row.map(|row| row.told.clone()).unwrap_or_default();
    let ours = receipt::ours(definition).filter(|_| sight.observed.registrar != Registrar::Other);
    let made_of = ours.as_ref().and_then(|receipt| receipt.source_before(&sight.newest)).map(|arn| arn.to_string());
    // What we registered ourselves, be it a removal, is no owner's revision: theirs is what it was. One that nobody came
    // to note tells by the revision before it.
    let theirs = before.source.clone().filter(|_| before.newest == Some(sight.number));
    let removed_from = || sight.removed_from.as_ref().map(ToString::to_string);
    let source = made_of.or(theirs).or_else(removed_from).unwrap_or_else(|| sight.newest.to_string());
    let mut withdrawn = before.withdrawn.clone();
    withdrawn.extend(sight.observed.withdrawn.iter().map(|digest| format!("{source} {digest}")));
    let successors = successors(sight, ours.is_some(), &source, &before);
    Told {
        source: Some(source),
        successors,
        withdrawn,
        // Only what is known to be ours: the next look goes by it.
        patched: ours.filter(|_| sight.observed.registrar == Registrar::Operator).map(|_| sight.newest.to_string()),
        injected: receipt::read(definition).ok().flatten().map(|receipt| receipt.policy),
        newest: Some(sight.number),
        ..before
    }
}

/// Which revision replaces which, with the newest one that somebody registered and did not come to note.
fn successors(sight: &Sight, has_sidecar: bool, source: &str, before: &Told) -> BTreeSet<String> {
    let (pairs, newest) = (&before.successors, sight.newest.as_str());
    if sight.observed.registrar != Registrar::Operator || before.newest == Some(sight.number) {
        return pairs.clone();
    }
    match (has_sidecar, &before.patched) {
        (true, _) => succession::patched(pairs, source, source, newest),
        (false, Some(replaced)) => {
            succession::removed(pairs, before.source.as_deref().unwrap_or_default(), replaced, newest)
        }
        (false, None) => pairs.clone(),
    }
}

/// What is known of the family once something came of the look.
pub(crate) fn told(seen: Told, plan: &Plan, outcome: &Outcome, report: &Report, conflicts: &[Arn]) -> Told {
    let (injected, patched, newest) = match (outcome, plan.decision) {
        (Outcome::Registered { arn, .. }, Decision::Inject | Decision::Update) => {
            (plan.policy.clone(), Some(arn.to_string()), number_of(arn))
        }
        (Outcome::Registered { arn, .. }, _) => (None, None, number_of(arn)),
        // What is the newest now, nobody has looked.
        (Outcome::Deregistered { .. }, _) => (None, None, None),
        (Outcome::Refused { deregistered, .. }, _) if !deregistered.is_empty() => (None, None, None),
        _ => (seen.injected, seen.patched, seen.newest),
    };
    let (source, replaced) = (seen.source.as_deref().unwrap_or_default(), report.source.as_deref().unwrap_or_default());
    let successors = match (outcome, plan.decision) {
        (Outcome::Registered { arn, .. }, Decision::Inject | Decision::Update) => {
            succession::patched(&seen.successors, source, replaced, arn.as_str())
        }
        (Outcome::Registered { arn, .. }, _) => succession::removed(&seen.successors, source, replaced, arn.as_str()),
        _ => seen.successors,
    };
    let uses = plan.uses.iter().map(pair).collect();
    let mut deregistered = seen.deregistered;
    // Those of a refusal are not among them: that they are gone is why they are not made again.
    deregistered.extend(conflicts.iter().map(ToString::to_string));
    if let Outcome::Deregistered { arns } = outcome {
        deregistered.extend(arns.iter().map(ToString::to_string));
    }
    Told {
        decision: Some(report.decision.label().to_owned()),
        reason: report.reason.map(|reason| reason.label().to_owned()),
        message: (!report.message.is_empty()).then(|| report.message.clone()),
        policy: report.policy.clone(),
        digest: report.digest.clone(),
        source: seen.source,
        patched,
        newest,
        standing: None, // whoever reads it fills it in
        // A definition that keeps its sidecar though nobody could say what it uses, uses what it did.
        uses: if plan.uses.is_empty() && injected.is_some() { seen.uses } else { uses },
        injected,
        deregistered,
        withdrawn: seen.withdrawn,
        successors,
    }
}

/// What is known of a family without an ACTIVE revision.
pub(crate) fn nothing_active(report: &Report, row: Option<&Row>) -> Told {
    Told {
        decision: Some(report.decision.label().to_owned()),
        reason: report.reason.map(|reason| reason.label().to_owned()),
        newest: Some(0),
        deregistered: row.map(|row| row.told.deregistered.clone()).unwrap_or_default(),
        withdrawn: row.map(|row| row.told.withdrawn.clone()).unwrap_or_default(),
        ..Told::default()
    }
}
