//! The sweep: finds what events missed, at a cost that goes with what has changed.
//!
//! Knows: how to compare what ECS lists with the table, and how to feed the queue at the operator's pace. Must not know:
//! what a look at a family decides; it only has families looked at.
//!
//! A sweep runs as one chain of invocations, each of which ends before its time does and leaves a message for the next.
//! A second sweep while one runs only asks for another round. Whatever is cut off goes on from where it was written
//! down last; a family that was queued twice for that is looked at twice.

mod services;
mod work;

use crate::clients::Clients;
use crate::deadline::Deadline;
use crate::due::Known;
use crate::error::Error;
use crate::meter::Counts;
use crate::pace::{Urgency, interval};
use crate::queue::{LONGEST_DELAY, Queue, look_at};
use crate::settings::{Settings, Writes};
use crate::standing::Standing;
use crate::sweep_state::{Phase, SweepState};
use crate::table::Table;
use aws_types::SdkConfig;
use ecs_sidecar_core::ids::Family;
pub use ecs_sidecar_core::names::GO_ON;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;
use work::Work;

/// What an invocation keeps of its time for writing down how far it came.
const RESERVE: Duration = Duration::from_secs(30);

/// How far ahead of its slot a message is sent, in milliseconds: SQS holds one for 15 minutes at most.
const AHEAD: u64 = (LONGEST_DELAY as u64 - 20) * 1000;

/// After how many seconds it goes on where something else failed.
const FAILED: u32 = 60;

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
    /// Services that it has seen so far.
    #[serde(skip_serializing_if = "is_zero")]
    pub services: u64,
    /// Families and services that it has had looked at so far.
    pub queued: u64,
    /// Families by state, once it is finished.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub states: BTreeMap<&'static str, u64>,
    /// Policies that were being deleted and are gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policies_gone: Vec<String>,
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
            Phase::Listing | Phase::Rows | Phase::Services => state,
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
        let (standing, rows) = match self.known().await {
            Ok(known) => known,
            Err(error) => return self.leave_word(state, FAILED, Some(error)).await,
        };
        let deadline = deadline.earlier(RESERVE);
        let (queued, pending, safe) = (HashSet::new(), Vec::new(), state.clone());
        let mut work = Work { sweeper: self, state, safe, rows, standing, deadline, queued, pending };
        let result = work.go().await;
        work.settle(result).await
    }

    /// What stands for all families, and what the table has of each.
    async fn known(&self) -> Result<(Standing, BTreeMap<String, Known>), Error> {
        let standing = self.table.standing(&self.settings).await?;
        let mut rows = BTreeMap::new();
        let rolls_out = self.settings.rollout.is_some();
        self.table
            .each_row(|mut row| {
                // Only services ask for them, and there are as many as revisions.
                if !rolls_out {
                    row.told.successors.clear();
                }
                rows.insert(std::mem::take(&mut row.family), Known::of(row, &standing));
            })
            .await?;
        Ok((standing, rows))
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

/// The message by which a sweep goes on.
fn go_on_message(run: &str) -> String {
    serde_json::json!({ "name": GO_ON, "run": run }).to_string()
}

fn report(state: &SweepState, outcome: &'static str) -> SweepReport {
    let (sweep, families, pages) = (state.run.clone(), state.families, state.pages);
    let (services, queued) = (state.services, state.queued);
    SweepReport {
        sweep,
        outcome,
        families,
        pages,
        services,
        queued,
        states: BTreeMap::new(),
        policies_gone: Vec::new(),
    }
}

/// Where services are not moved, nobody counts them.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
