//! A sweep under work: what is compared, what is queued, how it ends.
//!
//! Knows: one invocation's part of a sweep. Must not know: what woke it.

use super::{AHEAD, FAILED, SweepReport, Sweeper, report};
use crate::clients::CALL;
use crate::deadline::Deadline;
use crate::due::Known;
use crate::error::Error;
use crate::pace::Urgency;
use crate::queue::{BATCH, LONGEST_DELAY, look_at};
use crate::standing::Standing;
use crate::sweep_state::{Phase, SweepState};
use ecs_sidecar_core::ids::Family;
use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::time::Duration;

/// How long a sweep that is that far ahead waits, in seconds.
const PAUSE: u32 = 600;

/// After how many seconds it goes on that ran out of time or was throttled.
const SOON: u32 = 5;

/// After how many seconds it goes on where AWS said that it was called too often.
const THROTTLED: u32 = 15;

/// The message that begins a sweep.
const BEGIN: &str = r#"{"name":"Begin"}"#;

/// For how long what waits is come back for before the schedule does, in seconds.
const LONG: u64 = 3600;

/// How long after the last queued family another round looks whether all came to an end, in seconds.
const SETTLE: u64 = 30;

/// After how many seconds another round looks whether what waited at the end of this one has come to its end.
const WAITS: u32 = 300;

/// Why an invocation stopped before the sweep was finished.
pub(super) enum Stop {
    /// After so many seconds it goes on.
    GoesOn(u32),
    /// A call failed.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A sweep under work.
pub(super) struct Work<'a> {
    pub(super) sweeper: &'a Sweeper,
    pub(super) state: SweepState,
    /// The same as it was when all that had been found was also sent.
    pub(super) safe: SweepState,
    /// What the table has of each family.
    pub(super) rows: BTreeMap<String, Known>,
    pub(super) standing: Standing,
    pub(super) deadline: Deadline,
    /// Families that this invocation has queued.
    pub(super) queued: HashSet<String>,
    /// Messages that are not sent yet, with their delays in seconds.
    pub(super) pending: Vec<(String, u32)>,
}

impl Work<'_> {
    /// Works until the end, or until it has to stop.
    pub(super) async fn go(&mut self) -> Result<(), Stop> {
        if self.state.phase == Phase::Listing {
            for (family, newest) in self.list().await? {
                if self.state.after.as_deref().is_some_and(|after| family.as_str() <= after) {
                    continue;
                }
                let newest = match newest {
                    Some(number) => number,
                    None => {
                        self.allow(CALL)?;
                        self.sweeper.read_pause(1).await;
                        self.sweeper.clients.ecs.newest_number(&family).await?.unwrap_or(0)
                    }
                };
                self.compare(&family, newest).await?;
            }
            self.state.enter_rows();
        }
        if self.state.phase == Phase::Rows {
            self.rows_that_are_due().await?;
            self.state.enter_services();
        }
        if self.sweeper.settings.rollout.is_some() {
            self.services().await?;
        }
        self.flush().await
    }

    /// Looks through the rows, whatever ECS lists.
    async fn rows_that_are_due(&mut self) -> Result<(), Stop> {
        let after = |family: &Option<String>| family.clone().map_or(Bound::Unbounded, Bound::Excluded);
        while let Some((family, row)) = self.rows.range((after(&self.state.after), Bound::Unbounded)).next() {
            let (family, now) = (family.clone(), self.sweeper.clients.clock.now());
            if row.is_forgotten(now) {
                self.forget(&family).await?;
            } else if row.is_due(&family, &self.standing, now) {
                self.queue(&family).await?;
            }
            self.state.after = Some(family);
        }
        Ok(())
    }

    /// Takes a row away that is still what it was.
    async fn forget(&self, family: &str) -> Result<(), Error> {
        let Ok(name) = family.parse() else { return Ok(()) };
        let (table, now) = (&self.sweeper.table, self.sweeper.clients.clock.now());
        let row = table.row(&name).await?;
        if Known::of(row.clone(), &self.standing).is_forgotten(now) {
            table.forget(&row).await?;
        }
        Ok(())
    }

    /// All families that have an ACTIVE revision, with the number of the newest one where the listing has it. Whoever goes
    /// on lists anew: that is little beside what feeding the queue takes, and nothing depends on the order of pages.
    async fn list(&mut self) -> Result<BTreeMap<Family, Option<u64>>, Stop> {
        let (mut found, mut token) = (BTreeMap::new(), None);
        self.state.pages = 0;
        loop {
            if !self.deadline.leaves(CALL) && !self.state.by_family {
                // Too many revisions for the function's time.
                self.state.list_by_family();
            }
            self.allow(CALL)?;
            if self.state.by_family {
                let page = self.sweeper.clients.ecs.families_page(token).await?;
                found.extend(page.items.into_iter().map(|family| (family, None)));
                token = page.token;
            } else {
                let page = self.sweeper.clients.ecs.revisions_page(token).await?;
                for (family, number) in page.items {
                    let newest = found.entry(family).or_insert(Some(number));
                    *newest = (*newest).max(Some(number));
                }
                token = page.token;
            }
            self.state.pages += 1;
            self.state.families = found.len() as u64;
            if token.is_none() {
                break;
            }
            self.sweeper.read_pause(1).await;
        }
        if !self.state.by_family {
            self.state.listing_pages = Some(self.state.pages);
        }
        Ok(found)
    }

    /// Stops where there is no time for what may take that long.
    pub(super) fn allow(&self, needed: Duration) -> Result<(), Stop> {
        if self.deadline.leaves(needed) { Ok(()) } else { Err(Stop::GoesOn(SOON)) }
    }

    async fn compare(&mut self, family: &Family, newest: u64) -> Result<(), Stop> {
        let now = self.sweeper.clients.clock.now();
        let row = self.rows.get(family.as_str());
        if row.is_none_or(|row| row.differs(newest) && !row.waits_for_its_next_try(now)) {
            self.queue(family.as_str()).await?;
        }
        self.state.after = Some(family.as_str().to_owned());
        Ok(())
    }

    /// Has a family looked at when its slot comes.
    async fn queue(&mut self, family: &str) -> Result<(), Stop> {
        let Ok(name) = family.parse() else { return Ok(()) };
        if !self.queued.insert(family.to_owned()) {
            return Ok(());
        }
        self.queue_message(look_at(&name, 0, Urgency::Sweep)).await
    }

    /// Sends a message when its slot comes.
    pub(super) async fn queue_message(&mut self, message: String) -> Result<(), Stop> {
        let now = self.sweeper.clients.clock.milliseconds();
        let slot = self.state.next_slot.max(now);
        if slot - now > AHEAD {
            return Err(Stop::GoesOn(PAUSE));
        }
        self.allow(CALL)?;
        let seconds = u32::try_from((slot - now) / 1000).unwrap_or(LONGEST_DELAY);
        self.pending.push((message, seconds));
        self.state.next_slot = slot + self.sweeper.step();
        self.state.queued += 1;
        if self.pending.len() == BATCH { self.flush().await } else { Ok(()) }
    }

    /// Sends what is pending. All that was dealt with until now need not be dealt with again.
    async fn flush(&mut self) -> Result<(), Stop> {
        self.sweeper.queue.send_all(&std::mem::take(&mut self.pending)).await?;
        self.safe = self.state.clone();
        Ok(())
    }

    /// Writes down how far it came, and leaves word for the next invocation.
    pub(super) async fn settle(mut self, result: Result<(), Stop>) -> Result<SweepReport, Error> {
        let result = match result {
            Err(Stop::GoesOn(seconds)) => self.flush().await.and(Err(Stop::GoesOn(seconds))),
            result => result,
        };
        let (seconds, failure) = match result {
            Ok(()) => return self.finish().await,
            Err(Stop::GoesOn(seconds)) => (seconds, None),
            Err(Stop::Failed(error)) if error.is_throttled() => {
                self.sweeper.table.slow_down().await;
                (THROTTLED, None)
            }
            Err(Stop::Failed(error)) => (FAILED, Some(error)),
        };
        if failure.is_some() {
            self.state = self.safe.clone();
        }
        self.sweeper.leave_word(self.state, seconds, failure).await
    }

    /// After how many seconds another round has to look, if one has.
    fn next_round(&self) -> Option<u32> {
        let now = self.sweeper.clients.clock.milliseconds();
        let settled = self.state.next_slot.saturating_sub(now) / 1000 + SETTLE;
        let waits = self.rows.values().any(|row| row.waits_since((now / 1000).saturating_sub(LONG)));
        // Services are what follows from families, and are no reason for a round: of one that nobody can look at, the table
        // would say the same after each.
        match (self.state.queued_families, self.state.again) {
            (1.., _) => Some(u32::try_from(settled).unwrap_or(LONGEST_DELAY)),
            (0, true) => Some(0),
            (0, false) => waits.then_some(WAITS),
        }
    }

    async fn finish(mut self) -> Result<SweepReport, Error> {
        let clock = &self.sweeper.clients.clock;
        let mut gone = Vec::new();
        // Only where nothing is on its way does the table say how all families are.
        if self.state.queued_families == 0 {
            for stored in self.standing.stored.iter().filter(|stored| stored.deleting) {
                // Of a family that nobody could look at, nobody knows.
                let injected = |row: &Known| row.is_unknown() || row.injected.as_deref() == Some(stored.name.as_str());
                // Where the stack has a policy of that name, its sidecars stay.
                let is_clean = !self.standing.plan.deletes(&stored.name) || !self.rows.values().any(injected);
                if is_clean && self.sweeper.table.forget_policy(stored).await? {
                    gone.push(stored.name.clone());
                }
            }
        }
        self.state.phase = Phase::Done;
        self.state.finished_at = Some(clock.now());
        let again = self.next_round();
        self.state.again_at = again.map(|seconds| clock.now() + u64::from(seconds));
        let at = self.state.again_at;
        let Some(state) = self.sweeper.let_go(self.state).await? else {
            return Ok(report(&self.safe, "joined"));
        };
        // Somebody may have asked for a round at the last moment.
        match (again, at) {
            (Some(seconds), Some(at)) => self.sweeper.own_queue.send_later(again_message(at), seconds).await?,
            _ if state.again => self.sweeper.own_queue.send_later(BEGIN.to_owned(), 0).await?,
            _ => {}
        }
        let mut states = BTreeMap::new();
        for row in self.rows.values() {
            *states.entry(row.label()).or_default() += 1;
        }
        Ok(SweepReport { states, policies_gone: gone, ..report(&state, "finished") })
    }
}

/// The message for another round, which counts as long as no later one was asked for.
fn again_message(at: u64) -> String {
    serde_json::json!({ "name": "Again", "round": at }).to_string()
}
