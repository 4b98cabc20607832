//! What came of a reconcile, in the family's row and on the bus.
//!
//! Knows: when the row is written, and that it gives the lease back. Must not know: how the outcome came about.

use super::reports::passing;
use super::{Done, Past, Reconciler};
use crate::error::{Chain, Error};
use crate::rows::{Deeds, Row, Told};
use crate::table::Table;
use ecs_sidecar_core::ids::Family;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::report::Report;
use ecs_sidecar_core::state::State;
use std::sync::PoisonError;

/// Roles got something, or a log group was made.
const GRANTED: &str = "granted";

impl Reconciler {
    /// Writes what came of it into the family's row, which gives the lease back. What was seen before somebody else wrote
    /// the row is no news.
    pub(super) async fn note(&self, table: &Table, past: &Past, done: Done) -> Result<Report, Error> {
        let Done { report, told, row } = done;
        let attached = past.attached.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let changed = report.registered.is_some() || !report.deregistered.is_empty() || report.outcome == GRANTED;
        let grants = past.held.is_some().then(|| past.granted_before.union(&attached).cloned().collect());
        let deeds = Deeds { held: past.held.is_some(), changed: changed || !attached.is_empty(), grants };
        let news = report.reason != Some(Reason::BeingReconciled);
        if let Some(row) = past.held.as_ref().or(row.as_ref()).filter(|_| deeds.held || news) {
            let after = table.note(row, told, report.state, deeds).await?;
            self.tell(row, after.as_ref()).await;
        }
        Ok(report)
    }

    async fn tell(&self, before: &Row, after: Option<&Row>) {
        if let (Some(news), Some(after)) = (&self.clients.news, after) {
            news.tell(before, after).await;
        }
    }

    /// Notes that it went wrong. Best effort: what went wrong is told anyway.
    pub(super) async fn note_failure(&self, table: &Table, family: &Family, past: &Past, error: &Error, waits: bool) {
        let noted = async {
            let row = match &past.held {
                Some(row) => row.clone(),
                None => table.row(family).await?,
            };
            let mut seen = past.seen.clone().unwrap_or_else(|| row.told.clone());
            seen.deregistered.extend(past.deregistered.iter().map(ToString::to_string));
            let reason = if waits { passing(error).label() } else { error.label() };
            let told = Told {
                standing: Some(self.stands().await?.fingerprint),
                reason: Some(reason.to_owned()),
                message: Some(Chain(error).to_string()),
                ..seen
            };
            // Nobody knows what of it was attached, so that all stays noted that was to be.
            let deeds = Deeds { held: past.held.is_some(), changed: !past.deregistered.is_empty(), grants: None };
            let state = if waits { State::Pending } else { State::Failing };
            let after = table.note(&row, told, state, deeds).await?;
            self.tell(&row, after.as_ref()).await;
            Ok::<_, Error>(())
        };
        if let Err(problem) = noted.await {
            tracing::warn!(family = family.as_str(), error = %Chain(&problem), "the failure is not in the table");
        }
    }
}
