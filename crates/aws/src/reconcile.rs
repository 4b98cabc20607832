//! One family, from what is seen to what is told.
//!
//! Knows: how often to look again. Must not know: what woke it; the cause of a reconcile is not an argument here.

use crate::act::{Acted, TO_REGISTER, act};
use crate::clients::{CALL, Clients};
use crate::deadline::Deadline;
use crate::error::{Chain, Error};
use crate::history::Unfinished;
use crate::memory::Memory;
use crate::observe::{Before, Sight, Trust, first_look, is_newest, observe};
use crate::pace::{Turn, Urgency};
use crate::rows::{Deeds, LEASE, Row, Taken, Told};
use crate::settings::{Settings, Writes};
use crate::standing::{self, Standing, Switch};
use crate::table::Table;
use crate::telling;
use crate::warm::{self, Fetched};
use aws_types::SdkConfig;
use ecs_sidecar_core::ids::{Arn, Family, RoleRef};
use ecs_sidecar_core::observed::RoleState;
use ecs_sidecar_core::plan::{Decision, Fetch, FetchCause, Plan, plan};
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::refusal::Refusal;
use ecs_sidecar_core::report::{Outcome, Report};
use ecs_sidecar_core::state::State;
use futures_util::future::{try_join, try_join3};
use std::time::Duration;

/// How often a family is looked at before it is left for later. Each round is a registration that was in vain.
pub const ROUNDS: u32 = 3;

/// After how many seconds a family is looked at again that another invocation is at work on, at most. Most work is done
/// in a few; and a worker that died holds its lease for minutes.
const BUSY: u32 = 5;

/// After how many seconds a family is looked at again where AWS wants to be left alone.
const SLOW_AGAIN: u32 = 15;

/// After how many seconds an event that has not come counts as lost. CloudTrail delivers most within minutes.
const LATE: u64 = 1800;

/// What a fetch leaves of the function's time, so that the answer can still be given.
const RESERVE: Duration = Duration::from_secs(10);

/// What may be done with a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReconcileAction {
    /// Act on it.
    Reconcile,
    /// Report it.
    Plan,
}

/// Reconciles families, one at a call; several calls may run side by side.
#[derive(Debug)]
pub struct Reconciler {
    clients: Clients,
    settings: Settings,
    memory: Memory,
    standing: standing::Cache,
}

/// What happened in earlier rounds of a reconcile.
#[derive(Default)]
struct Past {
    /// Revisions of ours that had to go.
    deregistered: Vec<Arn>,
    /// A registration whose answer nobody saw.
    uncertain: Option<Error>,
    /// Whether the image was fetched; once is enough.
    fetched: bool,
    /// Rounds that were in vain.
    rounds: u32,
    /// The family's row while its lease is ours.
    held: Option<Row>,
    /// Whether ECS or IAM was written to.
    wrote: bool,
    /// What the last look found: the owner's revision, and the newest one's number.
    seen: Option<Told>,
}

/// A family as it was seen, and what is known beside it.
struct View {
    standing: Standing,
    row: Option<Row>,
    /// `None`: it has no ACTIVE revision.
    decided: Option<(Sight, Plan)>,
}

/// What came of a round.
enum Round {
    /// This is to be told and noted.
    Done(Box<Done>),
    /// The world moved: once more.
    Moved,
    /// The image came: once more, which is no round in vain.
    Fetched,
}

/// A reconcile that came to its end.
struct Done {
    report: Report,
    /// For the family's row.
    told: Told,
    /// The row that was read before the look.
    row: Option<Row>,
}

/// Whether somebody may act on a family now.
enum Leave {
    /// He may.
    Given,
    /// Not now.
    Refused(Outcome),
    /// The family is not any more what it was seen to be.
    Moved,
}

/// What came of looking after the image.
enum Image {
    /// It is there as far as the plan needs it; this is to be noted.
    Ready(Option<String>),
    /// It came: what is to be done has to be decided anew.
    Fetched,
    /// It is not there, so nothing else is done.
    NotYet(Outcome),
}

impl Reconciler {
    /// A reconciler with clients of its own.
    pub fn new(config: &SdkConfig, settings: Settings) -> Self {
        let clients = Clients::new(config, &settings);
        Self { clients, settings, memory: Memory::default(), standing: standing::Cache::default() }
    }

    /// Its clients.
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Brings a family to what its policy asks for, or tells what would be done.
    ///
    /// Guarantees: called twice, the second call writes nothing to ECS or IAM. Called from many places at once, one acts
    /// and the others are told to wait; without a table, one patched revision stays ACTIVE. A registration is never sent
    /// again before the family was looked at. `urgency` decides who goes first, and nothing else.
    /// Assumptions: what [`observe`] and [`act`] assume; with a table, what [`Table`](crate::table::Table) does.
    /// Errors: all of [`Error`] but those of the settings. After a retryable one the same call continues where this
    /// one stopped.
    pub async fn reconcile(
        &self,
        family: &Family,
        action: ReconcileAction,
        urgency: Urgency,
        deadline: Deadline,
    ) -> Result<Report, Error> {
        let mut past = Past::default();
        // Boxed, like what is called below: unpolled futures of many calls would lie on the stack one in the other.
        let done = Box::pin(self.rounds(family, action, urgency, deadline, &mut past)).await;
        let (Some(table), ReconcileAction::Reconcile) = (&self.clients.table, action) else {
            return done.map(|done| done.report);
        };
        match done {
            Ok(done) => self.note(table, &past, done).await,
            Err(error) => {
                let waits = error.is_throttled() || matches!(error, Error::Contended { .. });
                if error.is_throttled() {
                    table.slow_down().await;
                }
                self.note_failure(table, family, &past, &error, waits).await;
                if waits { Ok(waiting(family, &error, &past)) } else { Err(error) }
            }
        }
    }

    async fn rounds(
        &self,
        family: &Family,
        action: ReconcileAction,
        urgency: Urgency,
        deadline: Deadline,
        past: &mut Past,
    ) -> Result<Done, Error> {
        while past.rounds < ROUNDS {
            deadline.allow(CALL, "look at", family)?;
            match Box::pin(self.round(family, action, urgency, deadline, past)).await? {
                Round::Done(done) => return Ok(*done),
                Round::Moved => past.rounds += 1,
                Round::Fetched => past.fetched = true,
            }
        }
        Err(match past.uncertain.take() {
            Some(error) => error,
            None => Error::Contended { family: family.as_str().to_owned(), rounds: ROUNDS },
        })
    }

    /// Looks, decides and acts once.
    async fn round(
        &self,
        family: &Family,
        action: ReconcileAction,
        urgency: Urgency,
        deadline: Deadline,
        past: &mut Past,
    ) -> Result<Round, Error> {
        let View { standing, row, decided } = self.decide(family).await?;
        let Some((sight, plan)) = decided else {
            let report = nothing_active(family, past);
            let told = Told { standing: Some(standing.fingerprint), ..telling::nothing_active(&report, row.as_ref()) };
            return Ok(Round::Done(Box::new(Done { report, told, row })));
        };
        let seen = telling::seen(&sight, row.as_ref());
        past.seen = Some(seen.clone());
        let done = |outcome: &Outcome, notes: Vec<String>, past: &Past| {
            let mut report = report(&sight, &plan, outcome, notes, past);
            report.missed_by_events = urgency == Urgency::Sweep && self.was_missed(&sight, row.as_ref());
            let told = telling::told(seen.clone(), &plan, outcome, &report, &past.deregistered);
            let told = Told { standing: Some(standing.fingerprint.clone()), ..told };
            Ok(Round::Done(Box::new(Done { report, told, row: row.clone() })))
        };
        let writes = action == ReconcileAction::Reconcile && self.settings.writes == Writes::Allowed;
        if !writes {
            return done(&Outcome::of_plan_only(&plan), Vec::new(), past);
        }
        let acts = plan.changes_something() || sight.unfinished.is_some();
        if acts && standing.switch.paused {
            return done(&paused(&standing.switch), Vec::new(), past);
        }
        let note = match &sight.unfinished {
            Some(_) => None,
            None => match self.image(&plan, deadline, past).await? {
                Image::Ready(note) => note,
                Image::Fetched => return Ok(Round::Fetched),
                Image::NotYet(outcome) => return done(&outcome, Vec::new(), past),
            },
        };
        if acts {
            match Box::pin(self.leave(row.as_ref(), &sight, &plan, urgency, past)).await? {
                Leave::Given => {}
                Leave::Refused(outcome) => return done(&outcome, Vec::new(), past),
                Leave::Moved => return Ok(Round::Moved),
            }
        }
        let deadline = if past.held.is_some() { deadline.bounded(LEASE - CALL) } else { deadline };
        if let Some(unfinished) = sight.unfinished.clone() {
            past.wrote = true;
            self.clients.ecs.deregister(&sight.newest).await?;
            return match unfinished {
                Unfinished::Leftover => {
                    past.deregistered.push(sight.newest);
                    Ok(Round::Moved)
                }
                Unfinished::AsksMore(message) => {
                    let refusal = Refusal::new(Reason::RequiresMore, message);
                    done(&Outcome::Refused { refusal, deregistered: vec![sight.newest.clone()] }, Vec::new(), past)
                }
            };
        }
        past.wrote |= acts;
        match Box::pin(act(&self.clients, &sight, &plan, deadline)).await {
            Ok(Acted::Done { outcome, mut notes }) => {
                self.learn(&sight, &plan, &outcome);
                notes.extend(note);
                done(&outcome, notes, past)
            }
            Ok(Acted::Conflict { deregistered }) => {
                past.deregistered.push(deregistered);
                Ok(Round::Moved)
            }
            Err(error) if error.is_uncertain() => {
                past.uncertain = Some(error);
                Ok(Round::Moved)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether an event should have brought the revision long ago.
    fn was_missed(&self, sight: &Sight, row: Option<&Row>) -> bool {
        let known = row.and_then(|row| row.told.newest);
        let registered = sight.observed.definition.described().registered_at;
        known.is_some_and(|known| known < sight.number)
            && registered.is_some_and(|registered| registered + LATE <= self.clients.clock.now())
    }

    /// Asks whether to act now: the share of ECS's bucket, then the family's lease, then whether all is still as it was
    /// seen. Without a table, anybody may.
    async fn leave(
        &self,
        row: Option<&Row>,
        sight: &Sight,
        plan: &Plan,
        urgency: Urgency,
        past: &mut Past,
    ) -> Result<Leave, Error> {
        let (Some(table), Some(row)) = (&self.clients.table, row) else { return Ok(Leave::Given) };
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
        if past.held.is_some() {
            return Ok(Leave::Given);
        }
        let grants = plan.grants.iter().map(telling::pair).collect();
        match table.take_lease(row, grants).await? {
            Taken::Ours(row) => past.held = Some(*row),
            Taken::Theirs(seconds) => {
                let seconds = u32::try_from(seconds + 1).unwrap_or(BUSY).min(BUSY);
                return Ok(Leave::Refused(Outcome::Waiting { seconds, refusal: Reason::BeingReconciled.into() }));
            }
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

    /// Writes what came of it into the family's row, which gives the lease back. What was seen before somebody else wrote
    /// the row is no news.
    async fn note(&self, table: &Table, past: &Past, done: Done) -> Result<Report, Error> {
        let Done { report, told, row } = done;
        let deeds = Deeds { held: past.held.is_some(), changed: past.wrote };
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
    async fn note_failure(&self, table: &Table, family: &Family, past: &Past, error: &Error, waits: bool) {
        let noted = async {
            let row = match &past.held {
                Some(row) => row.clone(),
                None => table.row(family).await?,
            };
            let seen = past.seen.clone().unwrap_or_else(|| row.told.clone());
            let reason = if waits { passing(error).label() } else { error.label() };
            let told = Told {
                standing: Some(self.stands().await?.fingerprint),
                reason: Some(reason.to_owned()),
                message: Some(Chain(error).to_string()),
                ..seen
            };
            let deeds = Deeds { held: past.held.is_some(), changed: past.wrote };
            let state = if waits { State::Pending } else { State::Failing };
            let after = table.note(&row, told, state, deeds).await?;
            self.tell(&row, after.as_ref()).await;
            Ok::<_, Error>(())
        };
        if let Err(problem) = noted.await {
            tracing::warn!(family = family.as_str(), error = %Chain(&problem), "the failure is not in the table");
        }
    }

    /// Fetches the image, if the plan says so.
    async fn image(&self, plan: &Plan, deadline: Deadline, past: &Past) -> Result<Image, Error> {
        let Some(fetch) = &plan.fetch else { return Ok(Image::Ready(None)) };
        let fetched = if past.fetched { not_shown(fetch) } else { self.fetch(fetch, deadline).await? };
        let refusal = match &fetched {
            // Somebody else's invocation has the time for what comes then.
            Fetched::Done if !deadline.leaves(CALL + TO_REGISTER) => {
                return Ok(Image::NotYet(Outcome::Waiting { seconds: 1, refusal: Reason::ImageWarming.into() }));
            }
            Fetched::Done => return Ok(Image::Fetched),
            Fetched::Later { refusal, .. } | Fetched::Refused(refusal) => refusal.clone(),
        };
        // What is there will do where upstream is only asked for news; and what is registered stays as it is.
        let waits = plan.decision.registers() && fetch.cause == FetchCause::Missing;
        if !waits && plan.decision != Decision::Fetch {
            return Ok(Image::Ready(Some(format!("{}: {}", refusal.reason, refusal.message))));
        }
        Ok(Image::NotYet(match fetched {
            Fetched::Later { seconds, .. } => Outcome::Waiting { seconds, refusal },
            Fetched::Done | Fetched::Refused(_) => Outcome::Refused { refusal, deregistered: Vec::new() },
        }))
    }

    async fn fetch(&self, fetch: &Fetch, deadline: Deadline) -> Result<Fetched, Error> {
        let work = Box::pin(warm::fetch(&self.clients, &self.settings, fetch, deadline.earlier(RESERVE)));
        let fetched = work.await?;
        let answer = match &fetched {
            Fetched::Done => None,
            Fetched::Later { refusal, .. } | Fetched::Refused(refusal) => Some(refusal.reason.label()),
        };
        tracing::info!(image = %fetch.image, repository = fetch.repository, in_the_way = answer, "fetch of an image ended");
        self.memory.forget_images();
        Ok(fetched)
    }

    /// Looks and decides. What memory says is enough only for a plan that is content with it.
    async fn decide(&self, family: &Family) -> Result<View, Error> {
        let view = self.decide_by(Trust::Memory, family).await?;
        let Some((sight, plan)) = &view.decided else { return Ok(view) };
        let content = match plan.decision {
            Decision::Skip | Decision::Fetch => false,
            Decision::Inject | Decision::Update | Decision::Remove | Decision::UpToDate | Decision::Withdraw => {
                plan.grants.is_empty() && plan.notes.is_empty() && plan.fetch.is_none() && plan.log_group.is_none()
            }
        };
        if sight.remembered && !content {
            return self.decide_by(Trust::Nothing, family).await;
        }
        Ok(view)
    }

    async fn decide_by(&self, trust: Trust, family: &Family) -> Result<View, Error> {
        let (first, standing, row) =
            try_join3(first_look(&self.clients, family), self.stands(), self.row(family)).await?;
        let Some(first) = first else { return Ok(View { standing, row, decided: None }) };
        let before = Before { plan: &standing.plan, row: row.as_ref(), trust };
        let look = observe(&self.clients, &self.settings, &self.memory, before, family, first);
        let sight = Box::pin(look).await?;
        let plan = plan(&sight.observed, &standing.plan);
        let (name, decision, reason) = (family.as_str(), plan.decision.label(), plan.reason.map(Reason::label));
        tracing::debug!(
            family = name,
            number = sight.number,
            remembered = sight.remembered,
            decision,
            reason,
            "decided"
        );
        Ok(View { standing, row, decided: Some((sight, plan)) })
    }

    async fn stands(&self) -> Result<Standing, Error> {
        match &self.clients.table {
            Some(table) => table.cached_standing(&self.settings, &self.standing).await,
            None => Ok(Standing::of_settings(&self.settings)),
        }
    }

    async fn row(&self, family: &Family) -> Result<Option<Row>, Error> {
        match &self.clients.table {
            Some(table) => table.row(family).await.map(Some),
            None => Ok(None),
        }
    }

    /// Remembers what the roles have now, or forgets everything if AWS was of another opinion.
    fn learn(&self, sight: &Sight, plan: &Plan, outcome: &Outcome) {
        if matches!(outcome, Outcome::Refused { .. }) {
            return self.memory.forget();
        }
        let Some(needs) = sight.needs.as_ref().filter(|_| plan.decision != Decision::Skip) else { return };
        let roles: [(Option<&RoleRef>, &RoleState); 2] = [
            (needs.task_role.as_ref(), &sight.observed.task_role),
            (needs.execution_role.as_ref(), &sight.observed.execution_role),
        ];
        for (role, state) in roles {
            let (Some(role), RoleState::Attached(policies)) = (role, state) else { continue };
            if !sight.fresh.contains(role) {
                continue;
            }
            let granted = plan.grants.iter().filter(|grant| grant.role == *role);
            let mut policies = policies.clone();
            policies.extend(granted.map(|grant| grant.policy_arn.clone()));
            self.memory.remember_attached(role, policies);
        }
    }
}

fn report(sight: &Sight, plan: &Plan, outcome: &Outcome, notes: Vec<String>, past: &Past) -> Report {
    let mut report = Report::new(plan, Some(&sight.newest), outcome);
    report.notes.extend(notes);
    told(&mut report, past);
    report
}

/// Somebody paused the operator.
fn paused(switch: &Switch) -> Outcome {
    let because = switch.because.clone().unwrap_or_default();
    Outcome::Held { refusal: Refusal::new(Reason::Paused, because) }
}

/// What is in the way where a failure passes by itself.
fn passing(error: &Error) -> Reason {
    if error.is_throttled() { Reason::Throttled } else { Reason::BeingReconciled }
}

/// What is told where AWS wants to be left alone for a while, or others were faster again and again.
fn waiting(family: &Family, error: &Error, past: &Past) -> Report {
    let outcome = Outcome::Waiting { seconds: SLOW_AGAIN, refusal: passing(error).into() };
    let mut report = blank(family, Decision::Skip, passing(error), &outcome);
    report.message = Chain(error).to_string();
    told(&mut report, past);
    report
}

/// All of the image came, and a look at ECR does not show it.
fn not_shown(fetch: &Fetch) -> Fetched {
    let refusal = Refusal::new(Reason::ImageWarming, format!("{} came, and ECR does not show it yet", fetch.image));
    Fetched::Later { seconds: 30, refusal }
}

/// Nothing is there to decide on: all revisions were deregistered, or there never was one.
fn nothing_active(family: &Family, past: &Past) -> Report {
    let mut report = blank(family, Decision::Skip, Reason::NoActiveRevision, &Outcome::Nothing);
    told(&mut report, past);
    report
}

fn blank(family: &Family, decision: Decision, reason: Reason, outcome: &Outcome) -> Report {
    Report {
        family: Some(family.as_str().to_owned()),
        state: State::of(decision, Some(reason), outcome),
        decision,
        reason: Some(reason),
        message: reason.meaning().to_owned(),
        policy: None,
        digest: None,
        source: None,
        registered: None,
        deregistered: Vec::new(),
        edits: Vec::new(),
        fetch: None,
        log_group: None,
        grants: Vec::new(),
        notes: Vec::new(),
        outcome: outcome.label(),
        missed_by_events: false,
        again_in_seconds: outcome.again_in_seconds(),
    }
}

/// Adds what earlier rounds did.
fn told(report: &mut Report, past: &Past) {
    let earlier = past.deregistered.iter().map(ToString::to_string);
    report.deregistered.splice(0..0, earlier);
    if past.uncertain.is_some() {
        report.notes.push("the answer to a registration was lost, so the family was looked at again".to_owned());
    }
}
