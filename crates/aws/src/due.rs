//! Which families a sweep has looked at: those of which the table does not say how they are now.
//!
//! Knows: rows, and what ECS lists. Must not know: how a sweep goes about it.
//!
//! A sweep has all families in hand at once, and there may be a hundred thousand. So it keeps of each row what these
//! questions are about, and no more.

use crate::rows::{Row, still_holds};
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

/// What a sweep keeps of a family's row. Times are in seconds since 1970; 0 where there is none.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    state: Option<State>,
    /// What it waits for, if it does.
    waits: Waits,
    /// Whether the last look went by what stands now.
    up_to_date: bool,
    has_grants: bool,
    newest: Option<u64>,
    since: Option<u64>,
    seen_at: u64,
    next_try: u64,
    /// Until when somebody acts on it; `None`: nobody does.
    leased_until: Option<u64>,
    /// The policy whose sidecar the newest revision has.
    pub(crate) injected: Option<Box<str>>,
    /// Which of its revisions replaces which, see [`succession`](crate::succession).
    pub(crate) successors: Box<[String]>,
}

/// What a family waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// For nothing that would pass.
    No,
    /// For people to use the switch.
    ForTheSwitch,
    /// For what passes by itself, so that a message in the queue is to bring the family again.
    ForItsMessage,
}

impl Waits {
    fn of(row: &Row) -> Self {
        let reason = row.told.reason.as_deref().filter(|_| row.state == Some(State::Pending));
        match Reason::ALL.iter().find(|known| Some(known.label()) == reason) {
            Some(Reason::Paused) => Self::ForTheSwitch,
            Some(known) if known.passes() => Self::ForItsMessage,
            Some(_) | None => Self::No,
        }
    }
}

impl Known {
    /// What there is to know of a row.
    pub(crate) fn of(row: Row, standing: &Standing) -> Self {
        Self {
            state: row.state,
            waits: Waits::of(&row),
            up_to_date: row.told.standing.as_ref() == Some(&standing.fingerprint),
            has_grants: !row.grants.is_empty(),
            newest: row.told.newest,
            since: row.since,
            seen_at: row.seen_at.unwrap_or(0),
            next_try: row.next_try.unwrap_or(0),
            leased_until: row.lease.map(|(_, until)| until),
            injected: row.told.injected.map(String::into_boxed_str),
            successors: row.told.successors.into_iter().collect(),
        }
    }

    /// The word for how it stands.
    pub(crate) fn label(&self) -> &'static str {
        self.state.map_or("pending", State::label)
    }

    /// Whether nobody has looked since something happened to the family that nobody has seen the end of.
    pub(crate) fn is_unknown(&self) -> bool {
        self.newest.is_none() && self.state != Some(State::Gone)
    }

    /// Whether the family has to be looked at whose newest ACTIVE revision has this number.
    pub(crate) fn differs(&self, newest: u64) -> bool {
        self.newest != Some(newest)
    }

    /// Whether a family has to be looked at whatever ECS lists.
    pub(crate) fn is_due(&self, family: &str, standing: &Standing, now: u64) -> bool {
        let (Some(state), true) = (self.state, self.up_to_date) else { return true };
        // Whoever acted on it did not come to an end.
        if self.leased_until.is_some_and(|until| !still_holds(until, now)) {
            return true;
        }
        match (state, self.waits) {
            (State::Failing, _) if !self.waits_for_its_next_try(now) => return true,
            (_, Waits::ForTheSwitch) => return !standing.switch.paused,
            (_, Waits::ForItsMessage) if self.seen_at + WAITING <= now => return true,
            (State::Gone, _) => return false,
            (State::Covered | State::Outdated | State::Pending | State::Skipped | State::Failing, _) => {}
        }
        self.seen_at < turn(family, now) && self.seen_at + RECENT <= now
    }

    /// Whether the family failed, and is to be left alone until its next try.
    pub(crate) fn waits_for_its_next_try(&self, now: u64) -> bool {
        self.state == Some(State::Failing) && self.up_to_date && self.next_try > now
    }

    /// Whether what is in the way passes by itself, and has been there for no longer than that.
    pub(crate) fn waits_since(&self, earliest: u64) -> bool {
        self.waits == Waits::ForItsMessage && self.since.is_some_and(|since| since >= earliest)
    }

    /// Whether the family is gone for so long that its row may go. What was attached for it has to be taken back first.
    pub(crate) fn is_forgotten(&self, now: u64) -> bool {
        self.state == Some(State::Gone) && !self.has_grants && self.since.is_some_and(|since| since + GONE <= now)
    }
}

/// The family's latest turn of the whole looks, which are spread over a day by its name.
fn turn(family: &str, now: u64) -> u64 {
    let digest = Digest::of(family);
    let phase = u64::from_str_radix(&digest.as_str()[7..15], 16).unwrap_or(0) % WHOLE;
    now - (now.saturating_sub(phase)) % WHOLE
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
