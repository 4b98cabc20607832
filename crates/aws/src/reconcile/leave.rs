//! Whether to act on a family now: pace, lease, switch.
//!
//! Knows: whom to ask, and in which order. Must not know: what is to be done.

use super::looking::Footing;
use super::{Decided, Past, Reconciler};
use crate::error::Error;
use crate::observe::{Sight, is_newest};
use crate::pace::{Schedule, Turn};
use crate::rows::Taken;
use crate::standing::Switch;
use crate::table::Table;
use crate::telling;
use ecs_sidecar_core::plan::Decision;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::refusal::Refusal;
use ecs_sidecar_core::report::Outcome;
use futures_util::future::try_join;
use std::collections::BTreeSet;
use tokio::time::Instant;

/// After how many seconds a family is looked at again that another invocation is at work on, at most. Most work is done
/// in a few; and a worker that died holds its lease for minutes.
const BUSY: u32 = 5;

/// Whether somebody may act on a family now.
pub(super) enum Leave {
    /// He may.
    Given,
    /// Not now.
    Refused(Outcome),
    /// The family is not any more what it was seen to be.
    Moved,
}

impl Decided {
    /// Whether it takes of ECS's bucket for registrations.
    pub(super) fn writes_revisions(&self) -> bool {
        let decision = self.plan.decision;
        decision.registers() || decision == Decision::Withdraw || self.sight.unfinished.is_some()
    }
}

impl Reconciler {
    /// Asks whether to act now: the share of ECS's bucket, then the family's lease, then whether all is still as it was
    /// seen. What the look has brought already is not asked for again. Without a table, anybody may.
    pub(super) async fn leave(&self, view: &Decided, past: &mut Past) -> Result<Leave, Error> {
        let (Some(table), Some(row)) = (&self.clients.table, &view.row) else { return Ok(Leave::Given) };
        if let Footing::Firm(schedule) = view.footing {
            return Box::pin(self.confirm(table, view, schedule, past)).await;
        }
        let now = self.clients.clock.now();
        if let (None, Some((_, until)), true) = (&past.held, &row.lease, row.is_leased(now)) {
            // Whoever waits for it takes no turn.
            return Ok(busy(until - now));
        }
        if view.writes_revisions() {
            match table.take_turn(view.urgency, self.settings.sweep_share).await? {
                Turn::Now => {}
                Turn::Later(milliseconds) => return Ok(wait(milliseconds, Reason::Paced)),
                Turn::Slow(milliseconds) => return Ok(wait(milliseconds, Reason::Throttled)),
            }
        }
        if past.held.is_some() {
            return self.note_grants(table, view, past).await;
        }
        let asked_at = Instant::now();
        match table.take_lease(row, grants(view)).await? {
            Taken::Ours(held) => past.hold(*held, row, asked_at),
            Taken::Theirs(seconds) => return Ok(busy(seconds)),
            Taken::Moved => return Ok(Leave::Moved),
        }
        // Between the look and the lease somebody may have acted, and given the lease back.
        self.still_so(table, &view.sight).await
    }

    /// The same where the lease is ours, and nobody else can have acted since the look. If that was all that was asked for,
    /// the switch and the newest revision are as fresh as a further look would have them.
    async fn confirm(
        &self,
        table: &Table,
        view: &Decided,
        schedule: Schedule,
        past: &mut Past,
    ) -> Result<Leave, Error> {
        if view.writes_revisions() && schedule.slow_for > 0 {
            return Ok(wait(schedule.slow_for, Reason::Throttled));
        }
        if view.sight.at_once && view.plan.decision.registers() {
            return self.note_grants(table, view, past).await;
        }
        let (noted, still_so) =
            try_join(self.note_grants(table, view, past), self.still_so(table, &view.sight)).await?;
        Ok(match noted {
            Leave::Given => still_so,
            Leave::Refused(_) | Leave::Moved => noted,
        })
    }

    /// Notes what is to be attached in the row that is held. A later round may attach something else.
    async fn note_grants(&self, table: &Table, view: &Decided, past: &mut Past) -> Result<Leave, Error> {
        let Some(held) = &past.held else { return Ok(Leave::Moved) };
        let noted = table.note_grants(held, grants(view)).await?;
        Ok(match noted {
            Some(held) => {
                past.held = Some(held);
                Leave::Given
            }
            None => Leave::Moved,
        })
    }

    /// Whether the revision is still the newest, and the operator not paused.
    async fn still_so(&self, table: &Table, sight: &Sight) -> Result<Leave, Error> {
        let (newest, switch) = try_join(is_newest(&self.clients, &sight.family, &sight.newest), table.switch()).await?;
        match (newest, switch.paused) {
            (_, true) => Ok(Leave::Refused(paused(&switch))),
            (false, _) => Ok(Leave::Moved),
            (true, false) => Ok(Leave::Given),
        }
    }
}

/// `ROLE POLICY`: what is to be attached.
fn grants(view: &Decided) -> BTreeSet<String> {
    view.plan.grants.iter().map(telling::pair).collect()
}

/// Another invocation is at work on it, for so many seconds at most.
fn busy(seconds: u64) -> Leave {
    let seconds = u32::try_from(seconds + 1).unwrap_or(BUSY).min(BUSY);
    Leave::Refused(Outcome::Waiting { seconds, refusal: Reason::BeingReconciled.into() })
}

fn wait(milliseconds: u64, reason: Reason) -> Leave {
    let seconds = u32::try_from(milliseconds.div_ceil(1000)).unwrap_or(u32::MAX);
    Leave::Refused(Outcome::Waiting { seconds, refusal: reason.into() })
}

/// Somebody paused the operator.
pub(super) fn paused(switch: &Switch) -> Outcome {
    let because = switch.because.clone().unwrap_or_default();
    Outcome::Held { refusal: Refusal::new(Reason::Paused, because) }
}
