//! Whether to act on a family now: pace, lease, switch.
//!
//! Knows: whom to ask, and in which order. Must not know: what is to be done.

use super::{Past, Reconciler};
use crate::error::Error;
use crate::observe::{Sight, is_newest};
use crate::pace::{Turn, Urgency};
use crate::rows::{Row, Taken};
use crate::standing::Switch;
use crate::telling;
use ecs_sidecar_core::plan::{Decision, Plan};
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::refusal::Refusal;
use ecs_sidecar_core::report::Outcome;
use futures_util::future::try_join;
use std::collections::BTreeSet;

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

impl Reconciler {
    /// Asks whether to act now: the share of ECS's bucket, then the family's lease, then whether all is still as it was
    /// seen. Without a table, anybody may.
    pub(super) async fn leave(
        &self,
        row: Option<&Row>,
        sight: &Sight,
        plan: &Plan,
        urgency: Urgency,
        past: &mut Past,
    ) -> Result<Leave, Error> {
        let (Some(table), Some(row)) = (&self.clients.table, row) else { return Ok(Leave::Given) };
        let busy = |seconds: u64| {
            let seconds = u32::try_from(seconds + 1).unwrap_or(BUSY).min(BUSY);
            Ok(Leave::Refused(Outcome::Waiting { seconds, refusal: Reason::BeingReconciled.into() }))
        };
        let now = self.clients.clock.now();
        if let (None, Some((_, until)), true) = (&past.held, &row.lease, row.is_leased(now)) {
            // Whoever waits for it takes no turn.
            return busy(until - now);
        }
        let registers = plan.decision.registers() || plan.decision == Decision::Withdraw || sight.unfinished.is_some();
        if registers {
            let wait = |milliseconds: u64, reason: Reason| {
                let seconds = u32::try_from(milliseconds.div_ceil(1000)).unwrap_or(u32::MAX);
                Ok(Leave::Refused(Outcome::Waiting { seconds, refusal: reason.into() }))
            };
            match table.take_turn(urgency, self.settings.sweep_share).await? {
                Turn::Now => {}
                Turn::Later(milliseconds) => return wait(milliseconds, Reason::Paced),
                Turn::Slow(milliseconds) => return wait(milliseconds, Reason::Throttled),
            }
        }
        let grants: BTreeSet<String> = plan.grants.iter().map(telling::pair).collect();
        if let Some(held) = &past.held {
            // A later round may attach something else.
            return Ok(match table.note_grants(held, grants).await? {
                Some(held) => {
                    past.held = Some(held);
                    Leave::Given
                }
                None => Leave::Moved,
            });
        }
        match table.take_lease(row, grants).await? {
            Taken::Ours(held) => {
                past.granted_before.clone_from(&row.grants);
                past.held = Some(*held);
            }
            Taken::Theirs(seconds) => return busy(seconds),
            Taken::Moved => return Ok(Leave::Moved),
        }
        // Between the look and the lease somebody may have acted, and given the lease back.
        let (newest, switch) = try_join(is_newest(&self.clients, &sight.family, &sight.newest), table.switch()).await?;
        match (newest, switch.paused) {
            (_, true) => Ok(Leave::Refused(paused(&switch))),
            (false, _) => Ok(Leave::Moved),
            (true, false) => Ok(Leave::Given),
        }
    }
}

/// Somebody paused the operator.
pub(super) fn paused(switch: &Switch) -> Outcome {
    let because = switch.because.clone().unwrap_or_default();
    Outcome::Held { refusal: Refusal::new(Reason::Paused, because) }
}
