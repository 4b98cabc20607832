//! The sweep: finds what events missed, at a cost that goes with what has changed.
//!
//! Knows: how to compare what ECS lists with the table, and how to feed the queue at the operator's pace. Must not know:
//! what a look at a family decides; it only has families looked at.
//!
//! A sweep runs as one chain of invocations, each of which ends before its time does and leaves a message for the next.
//! A second sweep while one runs only asks for another round. Whatever is cut off goes on from where it was written
//! down last; a family that was queued twice for that is looked at twice.

use crate::clients::{CALL, Clients};
use crate::deadline::Deadline;
use crate::due::{differs, is_due, is_forgotten, is_waiting, waits_for_its_next_try};
use crate::ecs::{Ecs, Page};
use crate::error::Error;
use crate::pace::{Urgency, interval};
use crate::queue::{BATCH, LONGEST_DELAY, Queue, look_at};
use crate::rows::Row;
use crate::settings::Settings;
use crate::standing::Standing;
use crate::sweep_state::{Phase, SweepState};
use crate::table::Table;
use aws_types::SdkConfig;
use ecs_sidecar_core::ids::Family;
use ecs_sidecar_core::state::State;
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

/// What an invocation keeps of its time for writing down how far it came.
const RESERVE: Duration = Duration::from_secs(30);

/// How far ahead of its slot a message is sent, in milliseconds: SQS holds one for 15 minutes at most.
const AHEAD: u64 = (LONGEST_DELAY as u64 - 20) * 1000;

/// How long a sweep that is that far ahead waits, in seconds.
const PAUSE: u32 = 600;

/// After how many seconds it goes on that ran out of time or was throttled.
const SOON: u32 = 5;

/// After how many seconds it goes on where AWS said that it was called too often.
const THROTTLED: u32 = 15;

/// After how many seconds it goes on where something else failed.
const FAILED: u32 = 60;

/// Codes by which ECS may say that it does not know a token any more.
const STALE_TOKEN: [&str; 2] = ["InvalidParameterException", "ClientException"];

/// Name of the message by which a sweep goes on.
pub const GO_ON: &str = "GoOn";

/// The message for another round.
const AGAIN: &str = r#"{"name":"Again"}"#;

/// How long after the last queued family another round looks whether all came to an end, in seconds.
const SETTLE: u64 = 30;

/// After how many seconds another round looks whether what waited at the end of this one has come to its end.
const WAITS: u32 = 300;

/// Reads a second that ECS takes in the long run (aws-facts: 20, after a burst of 50).
const READS_A_SECOND: f64 = 20.0;

/// Sweeps an account and Region.
#[derive(Debug)]
pub struct Sweeper {
    clients: Clients,
    settings: Settings,
    table: Table,
    queue: Queue,
    /// Where it leaves word for itself.
    own_queue: Queue,
}

/// What an invocation of a sweep came to.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepReport {
    /// The sweep's name.
    pub sweep: String,
    /// `running`: it goes on by itself; `finished`; `joined`: another one runs, and will make another round; `ignored`: a
    /// message of an earlier one.
    pub outcome: &'static str,
    /// Families that it has seen so far.
    pub families: u64,
    /// Pages that ECS has listed so far.
    pub pages: u64,
    /// Families that it has had looked at so far.
    pub queued: u64,
    /// Families by state, once it is finished.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub states: BTreeMap<&'static str, u64>,
    /// Policies that were being deleted and are gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policies_gone: Vec<String>,
}

/// Why an invocation stopped before the sweep was finished.
enum Stop {
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
struct Work<'a> {
    sweeper: &'a Sweeper,
    state: SweepState,
    /// The same as it was when all that had been found was also sent.
    safe: SweepState,
    rows: HashMap<String, Row>,
    standing: Standing,
    deadline: Deadline,
    /// Families that this invocation has queued.
    queued: HashSet<String>,
    /// Messages that are not sent yet, with their delays in seconds.
    pending: Vec<(String, u32)>,
}

impl Sweeper {
    /// A sweeper with clients of its own. `None`: it has no table, or not both queues.
    pub fn new(config: &SdkConfig, settings: Settings) -> Option<Self> {
        let clients = Clients::new(config, &settings);
        let (table, queue) = (clients.table.clone()?, clients.queue.clone()?);
        let own_queue = Queue::new(config, settings.sweep_queue.clone()?);
        Some(Self { clients, settings, table, queue, own_queue })
    }

    /// Begins a sweep, or joins the one that runs.
    ///
    /// Guarantees: one sweep runs at a time. Nothing is written to ECS or IAM. Assumptions: reads of ECS and of the
    /// table, writes to `sweep`, `family` and `standing`, `SendMessage` to both queues.
    /// Errors: those of the calls; what was found until then is queued, and the next invocation goes on from there.
    pub async fn begin(&self, run: &str, deadline: Deadline) -> Result<SweepReport, Error> {
        let now = self.clients.clock.now();
        let state = self.table.sweep_state().await?;
        if state.is_under_way(now) {
            if state.again || self.table.put_sweep_state(&state.asked_again()).await?.is_some() {
                return Ok(report(&state, "joined"));
            }
            // It came to its end at this very moment, or another one joined it.
            return Box::pin(self.begin(run, deadline)).await;
        }
        let state = match state.phase {
            Phase::Done => state.begin(run.to_owned(), now),
            // Its word to itself was lost.
            Phase::Listing | Phase::Rows => state,
        };
        self.run(state, deadline).await
    }

    /// Goes on with a sweep that has stopped.
    ///
    /// Guarantees, assumptions and errors as with [`Sweeper::begin`].
    pub async fn go_on(&self, run: &str, deadline: Deadline) -> Result<SweepReport, Error> {
        let state = self.table.sweep_state().await?;
        if state.run != run || state.phase == Phase::Done || state.is_leased(self.clients.clock.now()) {
            return Ok(report(&state, "ignored"));
        }
        self.run(state, deadline).await
    }

    async fn run(&self, state: SweepState, deadline: Deadline) -> Result<SweepReport, Error> {
        let now = self.clients.clock.now();
        let owner = format!("{}-{}", std::process::id(), self.clients.clock.nanoseconds());
        let Some(state) = self.table.put_sweep_state(&state.leased(owner, now)).await? else {
            return Ok(report(&self.table.sweep_state().await?, "joined"));
        };
        let standing = self.table.standing(&self.settings).await?;
        let rows = self.table.rows().await?.into_iter().map(|row| (row.family.clone(), row)).collect();
        let deadline = deadline.earlier(RESERVE);
        let (queued, pending, safe) = (HashSet::new(), Vec::new(), state.clone());
        let mut work = Work { sweeper: self, state, safe, rows, standing, deadline, queued, pending };
        let result = work.go().await;
        work.settle(result).await
    }

    /// Gives the sweep out of hand, with what others asked of it meanwhile. `None`: somebody else runs it by now.
    async fn let_go(&self, mut state: SweepState) -> Result<Option<SweepState>, Error> {
        loop {
            if let Some(state) = self.table.put_sweep_state(&state.clone().free()).await? {
                return Ok(Some(state));
            }
            match state.merged(self.table.sweep_state().await?) {
                Some(merged) => state = merged,
                None => return Ok(None),
            }
        }
    }

    /// Has families looked at whose names match, whatever the table says of them. Answers how many, and the family to go
    /// on with if there are more than can be queued at once.
    ///
    /// Guarantees: nothing is written to ECS or IAM. Errors: those of the calls.
    pub async fn look_at(
        &self,
        matches: impl Fn(&str) -> bool,
        from: Option<&str>,
        deadline: Deadline,
    ) -> Result<(u64, Option<Family>), Error> {
        let step = interval(self.settings.sweep_share);
        let mut names = self.families(deadline).await?;
        names.retain(|family| matches(family.as_str()) && from.is_none_or(|from| family.as_str() >= from));
        let fits = usize::try_from(AHEAD / step).unwrap_or(usize::MAX).max(1);
        let next = names.get(fits).cloned();
        names.truncate(fits);
        let messages = names.iter().zip(0_u64..).map(|(family, index)| {
            let seconds = u32::try_from(index * step / 1000).unwrap_or(LONGEST_DELAY);
            (look_at(family, 0, Urgency::Sweep), seconds)
        });
        let messages: Vec<_> = messages.collect();
        self.queue.send_all(&messages).await?;
        Ok((messages.len() as u64, next))
    }

    /// All families that have an ACTIVE revision, by name.
    ///
    /// Errors: those of the calls; [`Error::OutOfTime`] if there are too many for the time.
    pub async fn families(&self, deadline: Deadline) -> Result<Vec<Family>, Error> {
        let (mut families, mut token) = (Vec::new(), None);
        loop {
            let page = self.clients.ecs.families_page(token).await?;
            families.extend(page.items);
            token = page.token;
            if token.is_none() {
                families.sort();
                return Ok(families);
            }
            self.read_pause(1).await;
            if let (false, Some(last)) = (deadline.leaves(RESERVE), families.last()) {
                return Err(Error::OutOfTime { deed: "list families after", family: last.as_str().to_owned() });
            }
        }
    }

    /// Waits so long that so many reads of ECS stay within the share.
    pub async fn read_pause(&self, reads: u64) {
        let share = f64::from(self.settings.sweep_share) / 100.0;
        let reads = f64::from(u32::try_from(reads).unwrap_or(u32::MAX));
        self.clients.clock.wait(Duration::from_secs_f64(reads / (READS_A_SECOND * share))).await;
    }
}

impl Work<'_> {
    /// Works until the end, or until it has to stop.
    async fn go(&mut self) -> Result<(), Stop> {
        if self.state.phase == Phase::Listing {
            if self.state.by_family {
                self.list_families().await?
            } else {
                self.list_revisions().await?
            }
            self.state.enter_rows();
        }
        let mut families: Vec<String> = self.rows.keys().cloned().collect();
        families.sort();
        families.retain(|family| self.state.after.as_ref().is_none_or(|after| family > after));
        for family in families {
            let (row, now) = (&self.rows[&family], self.sweeper.clients.clock.now());
            if is_forgotten(row, now) {
                self.sweeper.table.forget(row).await?;
            } else if is_due(row, &self.standing, now) {
                self.queue(&family).await?;
            }
            self.state.after = Some(family);
        }
        self.flush().await
    }

    /// Compares all ACTIVE revisions: ECS lists the newest of a family first.
    async fn list_revisions(&mut self) -> Result<(), Stop> {
        loop {
            let page = self.page(async |ecs, token| ecs.revisions_page(token).await).await?;
            let after = self.state.after.clone();
            for (family, number) in
                from(&page.items, after.as_deref(), Ordering::Greater, |(family, _)| family.as_str())
            {
                if self.state.after.as_deref() != Some(family.as_str()) {
                    self.state.families += 1;
                    self.compare(family, *number).await?;
                }
            }
            if !self.turn_page(page.token).await? {
                self.state.listing_pages = Some(self.state.pages);
                return Ok(());
            }
        }
    }

    /// Compares the newest ACTIVE revision of each family, one call for each.
    async fn list_families(&mut self) -> Result<(), Stop> {
        loop {
            let page = self.page(async |ecs, token| ecs.families_page(token).await).await?;
            let after = self.state.after.clone();
            for family in from(&page.items, after.as_deref(), Ordering::Less, Family::as_str) {
                self.sweeper.read_pause(1).await;
                let newest = self.sweeper.clients.ecs.newest_number(family).await?;
                self.state.families += 1;
                self.compare(family, newest.unwrap_or(0)).await?;
            }
            if !self.turn_page(page.token).await? {
                return Ok(());
            }
        }
    }

    /// The page that is next. A token that ECS does not know any more begins the listing anew.
    async fn page<T>(
        &mut self,
        list: impl AsyncFn(&Ecs, Option<String>) -> Result<Page<T>, Error>,
    ) -> Result<Page<T>, Stop> {
        if !self.deadline.leaves(CALL) {
            return Err(Stop::GoesOn(SOON));
        }
        let ecs = &self.sweeper.clients.ecs;
        match list(ecs, self.state.token.clone()).await {
            Err(error) if self.state.token.is_some() && error.is_code(&STALE_TOKEN) => {
                self.state.listing_anew();
                Ok(list(ecs, None).await?)
            }
            page => Ok(page?),
        }
    }

    /// `false`: it was the last one.
    async fn turn_page(&mut self, token: Option<String>) -> Result<bool, Stop> {
        self.state.pages += 1;
        // The last family may go on over the next page, so it stays known.
        self.state.token = token;
        if self.state.token.is_none() {
            return Ok(false);
        }
        self.flush().await?;
        self.sweeper.read_pause(1).await;
        Ok(true)
    }

    async fn compare(&mut self, family: &Family, newest: u64) -> Result<(), Stop> {
        let now = self.sweeper.clients.clock.now();
        let row = self.rows.get(family.as_str());
        if differs(row, newest) && row.is_none_or(|row| !waits_for_its_next_try(row, &self.standing, now)) {
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
        let now = self.sweeper.clients.clock.milliseconds();
        let slot = self.state.next_slot.max(now);
        if slot - now > AHEAD || !self.deadline.leaves(CALL) {
            self.flush().await?;
            return Err(Stop::GoesOn(if slot - now > AHEAD { PAUSE } else { SOON }));
        }
        let seconds = u32::try_from((slot - now) / 1000).unwrap_or(LONGEST_DELAY);
        self.pending.push((look_at(&name, 0, Urgency::Sweep), seconds));
        self.state.next_slot = slot + interval(self.sweeper.settings.sweep_share);
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
    async fn settle(mut self, result: Result<(), Stop>) -> Result<SweepReport, Error> {
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
        self.state.goes_on_at = Some(self.sweeper.clients.clock.now() + u64::from(seconds));
        let Some(state) = self.sweeper.let_go(self.state).await? else {
            return Ok(report(&self.safe, "joined"));
        };
        self.sweeper.own_queue.send_later(go_on_message(&state.run), seconds).await?;
        failure.map_or_else(|| Ok(report(&state, "running")), Err)
    }

    async fn finish(mut self) -> Result<SweepReport, Error> {
        let clock = &self.sweeper.clients.clock;
        let mut gone = Vec::new();
        // Only where nothing is on its way does the table say how all families are.
        if self.state.queued == 0 {
            for stored in self.standing.stored.iter().filter(|stored| stored.deleting) {
                let injected = |row: &Row| row.told.injected.as_deref() == Some(stored.name.as_str());
                // Where the stack has a policy of that name, its sidecars stay.
                let is_clean = !self.standing.plan.deletes(&stored.name) || !self.rows.values().any(injected);
                if is_clean && self.sweeper.table.forget_policy(stored).await? {
                    gone.push(stored.name.clone());
                }
            }
        }
        self.state.phase = Phase::Done;
        self.state.finished_at = Some(clock.now());
        let Some(state) = self.sweeper.let_go(self.state).await? else {
            return Ok(report(&self.safe, "joined"));
        };
        let waits = self.rows.values().any(is_waiting);
        if state.again || state.queued > 0 || waits {
            let settled = state.next_slot.saturating_sub(clock.milliseconds()) / 1000 + SETTLE;
            let seconds = match (state.again, state.queued) {
                (true, _) => 0,
                (false, 0) => WAITS,
                (false, _) => u32::try_from(settled).unwrap_or(LONGEST_DELAY),
            };
            self.sweeper.own_queue.send_later(AGAIN.to_owned(), seconds).await?;
        }
        let mut states = BTreeMap::new();
        for row in self.rows.values() {
            *states.entry(row.state.map_or("pending", State::label)).or_default() += 1;
        }
        Ok(SweepReport { states, policies_gone: gone, ..report(&state, "finished") })
    }
}

/// What of a page was not dealt with yet, when `after` was the last family that was.
///
/// ECS lists by name. What is registered between two pages may shift them, so that families come a second time; those
/// were queued, and the table need not know of it yet. Where a page is in no order, its part behind that family counts.
fn from<'a, T>(items: &'a [T], after: Option<&str>, order: Ordering, name: impl Fn(&T) -> &str) -> &'a [T] {
    let Some(after) = after else { return items };
    let in_order = items.is_sorted_by(|one, other| [order, Ordering::Equal].contains(&name(one).cmp(name(other))));
    let first = if in_order {
        items.iter().position(|item| after.cmp(name(item)) == order).unwrap_or(items.len())
    } else {
        items.iter().rposition(|item| name(item) == after).map_or(0, |last| last + 1)
    };
    &items[first..]
}

/// The message by which a sweep goes on.
fn go_on_message(run: &str) -> String {
    serde_json::json!({ "name": GO_ON, "run": run }).to_string()
}

fn report(state: &SweepState, outcome: &'static str) -> SweepReport {
    let (sweep, families, pages, queued) = (state.run.clone(), state.families, state.pages, state.queued);
    SweepReport { sweep, outcome, families, pages, queued, states: BTreeMap::new(), policies_gone: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_behind_the_last_family_that_was_dealt_with() {
        fn left<'a>(items: &'a [&'static str], after: &str, order: Ordering) -> &'a [&'static str] {
            from(items, Some(after), order, |item| item)
        }
        let down = ["d", "c", "c", "a"];
        assert_eq!(left(&down, "c", Ordering::Greater), ["a"]);
        // What was last is gone, or the page begins behind it, or all of it came already.
        assert_eq!(left(&down, "b", Ordering::Greater), ["a"]);
        assert_eq!(left(&down, "e", Ordering::Greater), down);
        assert!(left(&down, "a", Ordering::Greater).is_empty());
        assert_eq!(left(&["a", "b", "c"], "a", Ordering::Less), ["b", "c"]);
        assert_eq!(left(&["b", "a", "b", "c"], "b", Ordering::Less), ["c"], "in no order");
        assert_eq!(from(&down, None, Ordering::Greater, |item| *item), down);
    }
}
