//! How fast ECS is written to, agreed upon by all who do it.
//!
//! Knows: ECS's bucket for registrations (burst 20, then one a second, for an account and Region), and the share of it
//! that is the operator's. Must not know: what is registered.
//!
//! | attribute | type | of the item `pace`, `ecs` |
//! | --- | --- | --- |
//! | `tat` | N | the time at which the share is unused again, in milliseconds since 1970 (a virtual schedule, as GCRA has it) |
//! | `slowUntil` | N | until when nobody writes, since AWS said that it was called too often; in milliseconds since 1970 |
//!
//! What an event brought is written at once, and counts; what a sweep brought waits until the share has room, in a turn
//! that is reserved for it. So events go first, and both together stay within the share as long as events alone do.

use crate::error::Error;
use crate::table::{ID, Item, KIND, LAYOUT, PACE, Table, V, number, text};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
pub use ecs_sidecar_core::trigger::Urgency;
use std::time::Duration;

/// The one item.
const ECS: &str = "ecs";

/// Registrations a second that ECS takes in the long run (aws-facts: one, after a burst of 20).
const WRITES_A_SECOND: f64 = 1.0;

/// How many writes of a sweep may be ahead of its share, and for how many milliseconds at least: messages do not come to
/// the millisecond, and SQS delays them by whole seconds.
const AHEAD: (u64, u64) = (5, 2000);

/// How far events may push the share's schedule into the future. Beyond it a sweep would starve.
const LONGEST_DEBT: Duration = Duration::from_secs(300);

/// How long everybody waits after AWS said that it was called too often.
const SLOW: Duration = Duration::from_secs(10);

/// How often a lost race is run again before the write waits.
const ATTEMPTS: usize = 4;

/// Whether a write may be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It may.
    Now,
    /// Its turn, which is reserved for it, comes in so many milliseconds: the share is used up until then.
    Later(u64),
    /// Not before so many milliseconds: AWS said that it was called too often.
    Slow(u64),
}

/// How far the schedule goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// For how many milliseconds nobody writes, since AWS said that it was called too often; 0: somebody may.
    pub(crate) slow_for: u64,
    /// When the share is unused again, in milliseconds since 1970.
    tat: u64,
}

/// What came of an attempt, and the item as it was before.
enum Paced {
    /// It is written.
    Set(Item),
    /// The condition did not hold.
    Refused(Item),
}

/// The time that one write of the operator takes of the bucket, in milliseconds.
pub(crate) fn interval(share_percent: u32) -> u64 {
    let interval = 1000.0 / (WRITES_A_SECOND * f64::from(share_percent.max(1)) / 100.0);
    // At most 100,000 ms, at least one.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 100,000")]
    let interval = interval.clamp(1.0, 100_000.0) as u64;
    interval
}

impl Table {
    /// Takes a turn to write to ECS, or reserves one for later: who waits comes back once, and not with all the others.
    ///
    /// Guarantees: in the long run, sweeps take no more turns than the share has, less those of events.
    /// Assumptions: `UpdateItem`. Errors: [`Error::Call`].
    pub(crate) async fn take_turn(&self, urgency: Urgency, share_percent: u32) -> Result<Turn, Error> {
        let interval = interval(share_percent);
        for _ in 0..ATTEMPTS {
            let now = self.clock.milliseconds();
            // The share is unused: the schedule begins anew. Or the turn is taken already.
            let (set, condition, tat) = match urgency {
                Urgency::Event | Urgency::Registered(_) | Urgency::Sweep => {
                    ("tat = :tat", "(attribute_not_exists(tat) OR tat < :now)", now + interval)
                }
                Urgency::Turn => ("tat = if_not_exists(tat, :tat)", "(attribute_not_exists(tat) OR tat >= :tat)", 0),
            };
            let item = match self.pace(set, condition, tat, now).await? {
                Paced::Set(_) => return Ok(Turn::Now),
                Paced::Refused(item) => item,
            };
            let (tat, slow) = (item.number("tat").unwrap_or(0), item.number("slowUntil").unwrap_or(0));
            if slow > now {
                return Ok(Turn::Slow(slow - now));
            }
            // The debt is as large as it may become, and events do not wait for it.
            if urgency.is_event() && tat > now + duration_ms(LONGEST_DEBT) {
                return Ok(Turn::Now);
            }
            let Paced::Set(before) = self.pace("tat = tat + :tat", "tat >= :now", interval, now).await? else {
                continue;
            };
            let (turn, slack) = (before.number("tat").unwrap_or(now), (AHEAD.0 * interval).max(AHEAD.1));
            return Ok(if urgency.is_event() || turn <= now + slack { Turn::Now } else { Turn::Later(turn - now) });
        }
        Ok(Turn::Slow(interval))
    }

    /// How far the schedule goes, for a write that waits for no turn.
    ///
    /// Errors: those of [`Table::get`].
    pub(crate) async fn schedule(&self) -> Result<Schedule, Error> {
        let item = self.get(PACE, ECS).await?.unwrap_or_default();
        let slow_until = item.number("slowUntil").unwrap_or(0);
        let slow_for = slow_until.saturating_sub(self.clock.milliseconds());
        Ok(Schedule { slow_for, tat: item.number("tat").unwrap_or(0) })
    }

    /// Counts a write that an event brought while it is made. Best effort: were it not counted, a sweep would write once too
    /// often.
    pub(crate) async fn count_turn(&self, schedule: Schedule, share_percent: u32) {
        let (now, interval) = (self.clock.milliseconds(), interval(share_percent));
        if schedule.tat > now + duration_ms(LONGEST_DEBT) {
            return;
        }
        let mut attempts = [
            ("tat = :tat", "(attribute_not_exists(tat) OR tat < :now)", now + interval),
            ("tat = tat + :tat", "tat >= :now", interval),
        ];
        // What was so a moment ago is so most probably.
        if schedule.tat >= now {
            attempts.reverse();
        }
        for (set, condition, tat) in attempts {
            match self.pace(set, condition, tat, now).await {
                Ok(Paced::Set(_)) => return,
                Ok(Paced::Refused(_)) => {}
                Err(error) => {
                    tracing::warn!(error = %crate::error::Chain(&error), "a write was not counted");
                    return;
                }
            }
        }
    }

    /// One attempt.
    async fn pace(&self, set: &str, condition: &str, tat: u64, now: u64) -> Result<Paced, Error> {
        let request = self.client.update_item().table_name(&self.name).key(KIND, text(PACE)).key(ID, text(ECS));
        let request = request
            .update_expression(format!("SET {set}, v = :v"))
            .condition_expression(format!("{condition} AND (attribute_not_exists(slowUntil) OR slowUntil <= :now)"))
            .expression_attribute_values(":tat", number(tat))
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":v", number(LAYOUT))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match request.send().await {
            Ok(answer) => Ok(Paced::Set(Item(answer.attributes.unwrap_or_default()))),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(lost)) => {
                    Ok(Paced::Refused(Item(lost.item().cloned().unwrap_or_default())))
                }
                Some(_) | None => Err(Error::call("UpdateItem", ECS, &error)),
            },
        }
    }

    /// Has everybody wait: AWS said that it was called too often. Best effort, since nothing depends on it but haste.
    pub(crate) async fn slow_down(&self) {
        let until = self.clock.milliseconds() + duration_ms(SLOW);
        let request = self.client.update_item().table_name(&self.name).key(KIND, text(PACE)).key(ID, text(ECS));
        let request = request
            .update_expression(format!("SET slowUntil = :until, {V} = :v"))
            .condition_expression("attribute_not_exists(slowUntil) OR slowUntil < :until")
            .expression_attribute_values(":until", number(until))
            .expression_attribute_values(":v", number(LAYOUT));
        if let Err(error) = request.send().await {
            let error = Error::call("UpdateItem", ECS, &error);
            if !crate::table::is_lost(&error) {
                tracing::warn!(error = %crate::error::Chain(&error), "others were not told to slow down");
            }
        }
    }
}

fn duration_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_bucket_is_a_write_every_two_seconds() {
        assert_eq!((interval(50), interval(100), interval(10_000), interval(0)), (2000, 1000, 10, 100_000));
    }
}
