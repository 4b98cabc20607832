//! Which families a sweep has looked at: those of which the table does not say how they are now.
//!
//! Knows: rows, and what ECS lists. Must not know: how a sweep goes about it.

use crate::rows::Row;
use crate::standing::Standing;
use ecs_sidecar_core::digest::Digest;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::state::State;

/// Every family is looked at whole once in this time, in seconds: a day, less what a look may take.
const WHOLE: u64 = 23 * 3600;

/// For how long a family that was just looked at is not looked at again for its turn's sake, in seconds.
const RECENT: u64 = 3600;

/// For how long a family that waits is left to its message in the queue, in seconds.
const WAITING: u64 = 900;

/// For how long a row stays whose family has no ACTIVE revision any more, in seconds: a week.
const GONE: u64 = 7 * 24 * 3600;

/// Whether a family has to be looked at whose newest ACTIVE revision has this number.
pub(crate) fn differs(row: Option<&Row>, newest: u64) -> bool {
    row.is_none_or(|row| row.told.newest != Some(newest))
}

/// Whether a family has to be looked at whatever ECS lists.
pub(crate) fn is_due(row: &Row, standing: &Standing, now: u64) -> bool {
    let seen = row.seen_at.unwrap_or(0);
    let (Some(state), true) = (row.state, row.told.standing.as_ref() == Some(&standing.fingerprint)) else {
        return true;
    };
    // Whoever acted on it did not come to an end.
    if row.lease.is_some() && !row.is_leased(now) {
        return true;
    }
    match state {
        State::Failing if !waits_for_its_next_try(row, standing, now) => return true,
        State::Pending if row.told.reason.as_deref() == Some(Reason::Paused.label()) => return !standing.switch.paused,
        State::Pending if is_waiting(row) && seen + WAITING <= now => return true,
        State::Gone => return false,
        State::Covered | State::Outdated | State::Pending | State::Skipped | State::Failing => {}
    }
    seen < turn(&row.family, now) && seen + RECENT <= now
}

/// Whether a family failed, and is to be left alone until its next try.
pub(crate) fn waits_for_its_next_try(row: &Row, standing: &Standing, now: u64) -> bool {
    let same = row.told.standing.as_ref() == Some(&standing.fingerprint);
    row.state == Some(State::Failing) && same && row.next_try.is_some_and(|at| at > now)
}

/// Whether what is in the way passes by itself, so that a message in the queue is to bring the family again.
pub(crate) fn is_waiting(row: &Row) -> bool {
    let reason = row.told.reason.as_deref();
    let passes = |known: &&Reason| known.passes() && **known != Reason::Paused;
    row.state == Some(State::Pending) && Reason::ALL.iter().filter(passes).any(|known| Some(known.label()) == reason)
}

/// The family's latest turn of the whole looks, which are spread over a day by its name.
fn turn(family: &str, now: u64) -> u64 {
    let digest = Digest::of(family);
    let phase = u64::from_str_radix(&digest.as_str()[7..15], 16).unwrap_or(0) % WHOLE;
    now - (now.saturating_sub(phase)) % WHOLE
}

/// Whether the family is gone for so long that its row may go. What was attached for it has to be taken back first.
pub(crate) fn is_forgotten(row: &Row, now: u64) -> bool {
    row.state == Some(State::Gone) && row.grants.is_empty() && row.since.is_some_and(|since| since + GONE <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_once_a_period_and_are_spread() {
        let now = 1_767_323_045;
        let turns: Vec<u64> = (0..200).map(|n| turn(&format!("web-{n}"), now)).collect();
        assert!(turns.iter().all(|turn| (now - WHOLE..=now).contains(turn)));
        let in_last_hour = turns.iter().filter(|turn| **turn > now - 3600).count();
        assert!((2..=20).contains(&in_last_hour), "{in_last_hour}");
        assert_eq!(turn("web", now), turn("web", turn("web", now)));
        assert_eq!(turn("web", now) + WHOLE, turn("web", now + WHOLE));
    }
}
