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
use crate::error::Error;
use crate::meter::Counts;
use crate::pace::{Urgency, interval};
use crate::queue::{BATCH, LONGEST_DELAY, Queue, look_at};
use crate::rows::Row;
use crate::settings::{Settings, Writes};
use crate::standing::Standing;
use crate::sweep_state::{Phase, SweepState};
use crate::table::Table;
use aws_types::SdkConfig;
use ecs_sidecar_core::ids::Family;
use ecs_sidecar_core::state::State;
use futures_util::future::try_join;
use serde::Serialize;
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

/// Name of the message by which a sweep goes on.
pub const GO_ON: &str = "GoOn";

/// The message that begins a sweep.
const BEGIN: &str = r#"{"name":"Begin"}"#;

/// For how long what waits is come back for before the schedule does, in seconds.
const LONG: u64 = 3600;

/// How long after the last queued family another round looks whether all came to an end, in seconds.
const SETTLE: u64 = 30;

/// After how many seconds another round looks whether what waited at the end of this one has come to its end.
const WAITS: u32 = 300;

/// Reads a second that ECS takes in the long run (aws-facts: 20, after a burst of 50).
const READS_A_SECOND: f64 = 20.0;

/// The same in relation to registrations.
const READS_PER_WRITE: u64 = 20;

/// Reads that a look takes, with one for a withdrawal now and then.
const READS_OF_A_LOOK: u64 = 4;

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
    ///
    /// `round` names the round that a message of an earlier sweep asks for; another one may have taken its place.
    pub async fn begin(&self, run: &str, round: Option<u64>, deadline: Deadline) -> Result<SweepReport, Error> {
        let now = self.clients.clock.now();
        let state = self.table.sweep_state().await?;
        if round.is_some() && round != state.again_at {
            return Ok(report(&state, "ignored"));
        }
        // What the last one queued is still on its way, and another round comes when it is done.
        if round.is_none() && state.settles(self.clients.clock.milliseconds()) {
            return Ok(report(&state, "joined"));
        }
        if state.is_under_way(now) {
            if state.again || self.table.put_sweep_state(&state.asked_again()).await?.is_some() {
                return Ok(report(&state, "joined"));
            }
            // It came to its end at this very moment, or another one joined it.
            return Box::pin(self.begin(run, round, deadline)).await;
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

    async fn run(&self, mut state: SweepState, deadline: Deadline) -> Result<SweepReport, Error> {
        let now = self.clients.clock.now();
        let owner = format!("{}-{}", std::process::id(), self.clients.clock.nanoseconds());
        let state = loop {
            if let Some(state) = self.table.put_sweep_state(&state.clone().leased(owner.clone(), now)).await? {
                break state;
            }
            // Who only joined it does not run it.
            let other = self.table.sweep_state().await?;
            if other.run != state.run || other.phase == Phase::Done || other.is_leased(now) {
                return Ok(report(&other, "joined"));
            }
            state = other;
        };
        let (standing, rows) = match try_join(self.table.standing(&self.settings), self.table.rows()).await {
            Ok((standing, rows)) => (standing, rows.into_iter().map(|row| (row.family.clone(), row)).collect()),
            Err(error) => return self.leave_word(state, FAILED, Some(error)).await,
        };
        let deadline = deadline.earlier(RESERVE);
        let (queued, pending, safe) = (HashSet::new(), Vec::new(), state.clone());
        let mut work = Work { sweeper: self, state, safe, rows, standing, deadline, queued, pending };
        let result = work.go().await;
        work.settle(result).await
    }

    /// Lets the next invocation go on after a while.
    async fn leave_word(
        &self,
        mut state: SweepState,
        seconds: u32,
        failure: Option<Error>,
    ) -> Result<SweepReport, Error> {
        state.goes_on_at = Some(self.clients.clock.now() + u64::from(seconds));
        let Some(state) = self.let_go(state).await? else {
            return Ok(report(&self.table.sweep_state().await?, "joined"));
        };
        self.own_queue.send_later(go_on_message(&state.run), seconds).await?;
        failure.map_or_else(|| Ok(report(&state, "running")), Err)
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
        let step = self.step();
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

    /// What was called since this was last asked.
    pub fn calls(&self) -> Counts {
        self.clients.meter.take()
    }

    /// The time between two families, in milliseconds: each may have to be registered, unless nothing is written at all.
    fn step(&self) -> u64 {
        match self.settings.writes {
            Writes::Allowed => interval(self.settings.sweep_share),
            Writes::Forbidden => (interval(self.settings.sweep_share) * READS_OF_A_LOOK / READS_PER_WRITE).max(1),
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
    fn allow(&self, needed: Duration) -> Result<(), Stop> {
        if self.deadline.leaves(needed) { Ok(()) } else { Err(Stop::GoesOn(SOON)) }
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
        if slot - now > AHEAD {
            return Err(Stop::GoesOn(PAUSE));
        }
        self.allow(CALL)?;
        let seconds = u32::try_from((slot - now) / 1000).unwrap_or(LONGEST_DELAY);
        self.pending.push((look_at(&name, 0, Urgency::Sweep), seconds));
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
    async fn settle(mut self, result: Result<(), Stop>) -> Result<SweepReport, Error> {
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
        let waits =
            self.rows.values().any(|row| is_waiting(row) && row.since.is_some_and(|at| at + LONG >= now / 1000));
        match (self.state.queued, self.state.again) {
            (1.., _) => Some(u32::try_from(settled).unwrap_or(LONGEST_DELAY)),
            (0, true) => Some(0),
            (0, false) => waits.then_some(WAITS),
        }
    }

    async fn finish(mut self) -> Result<SweepReport, Error> {
        let clock = &self.sweeper.clients.clock;
        let mut gone = Vec::new();
        // Only where nothing is on its way does the table say how all families are.
        if self.state.queued == 0 {
            for stored in self.standing.stored.iter().filter(|stored| stored.deleting) {
                // Of a family that nobody could look at, nobody knows.
                let injected = |row: &Row| {
                    let unknown = row.told.newest.is_none() && row.state != Some(State::Gone);
                    unknown || row.told.injected.as_deref() == Some(stored.name.as_str())
                };
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
            *states.entry(row.state.map_or("pending", State::label)).or_default() += 1;
        }
        Ok(SweepReport { states, policies_gone: gone, ..report(&state, "finished") })
    }
}

/// The message by which a sweep goes on.
fn go_on_message(run: &str) -> String {
    serde_json::json!({ "name": GO_ON, "run": run }).to_string()
}

/// The message for another round, which counts as long as no later one was asked for.
fn again_message(at: u64) -> String {
    serde_json::json!({ "name": "Again", "round": at }).to_string()
}

fn report(state: &SweepState, outcome: &'static str) -> SweepReport {
    let (sweep, families, pages, queued) = (state.run.clone(), state.families, state.pages, state.queued);
    SweepReport { sweep, outcome, families, pages, queued, states: BTreeMap::new(), policies_gone: Vec::new() }
}
