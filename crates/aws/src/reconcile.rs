//! One family, from what is seen to what is told.
//!
//! Knows: how often to look again. Must not know: what woke it; the cause of a reconcile is not an argument here.

mod leave;
mod looking;
mod noting;
mod reports;

use crate::act::{Acted, TO_REGISTER, act};
use crate::clients::{CALL, Clients};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::history::Unfinished;
use crate::memory::Memory;
use crate::observe::Sight;
use crate::pace::Urgency;
use crate::rows::{Row, Told};
use crate::settings::{Settings, Writes};
use crate::standing::{self, Standing};
use crate::telling;
use crate::warm::{self, Fetched};
use aws_types::SdkConfig;
use ecs_sidecar_core::ids::{Arn, Family, RoleRef};
use ecs_sidecar_core::observed::RoleState;
use ecs_sidecar_core::plan::{Decision, Fetch, FetchCause, Plan};
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::refusal::Refusal;
use ecs_sidecar_core::report::{Outcome, Report};
pub use ecs_sidecar_core::trigger::ReconcileAction;
use futures_util::future::join;
use leave::{Leave, paused};
use looking::{Footing, View};
use reports::{nothing_active, report, waiting};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// How often a family is looked at before it is left for later. Each round is a registration that was in vain.
pub const ROUNDS: u32 = 3;

/// After how many seconds an event that has not come counts as lost. CloudTrail delivers most within minutes.
const LATE: u64 = 1800;

/// What a fetch leaves of the function's time, so that the answer can still be given.
const RESERVE: Duration = Duration::from_secs(10);

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
    /// When the work under the lease has to be over.
    lease_ends: Option<Instant>,
    /// `ROLE POLICY`: what the row said that the operator attached, before this reconcile took the lease.
    granted_before: BTreeSet<String>,
    /// `ROLE POLICY`: what it attached in this one.
    attached: Mutex<BTreeSet<String>>,
    /// What the last look found: the owner's revision, and the newest one's number.
    seen: Option<Told>,
}

/// A family that something was decided of.
struct Decided {
    standing: Standing,
    row: Option<Row>,
    sight: Sight,
    /// What the look found, as rows have it.
    seen: Told,
    plan: Plan,
    urgency: Urgency,
    footing: Footing,
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

/// What came of looking after the image.
enum Image {
    /// It is there as far as the plan needs it; this is to be noted.
    Ready(Option<String>),
    /// It came: what is to be done has to be decided anew.
    Fetched,
    /// Somebody else wrote the family's row, whose lease was ours.
    Moved,
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
                // Whoever could not even look has nothing to say of the family, and its message comes again.
                if !waits || past.held.is_some() || past.seen.is_some() {
                    self.note_failure(table, family, &past, &error, waits).await;
                }
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
        let writes = action == ReconcileAction::Reconcile && self.settings.writes == Writes::Allowed;
        let registered = match urgency {
            Urgency::Registered(number) if writes => Some(number),
            Urgency::Registered(_) | Urgency::Event | Urgency::Sweep | Urgency::Turn => None,
        };
        let View { standing, row, footing, decided } = Box::pin(self.decide(family, registered, past)).await?;
        let Some((sight, plan)) = decided else {
            let report = nothing_active(family, past);
            let told = Told { standing: Some(standing.fingerprint), ..telling::nothing_active(&report, row.as_ref()) };
            return Ok(Round::Done(Box::new(Done { report, told, row })));
        };
        let seen = telling::seen(&sight, row.as_ref());
        past.seen = Some(seen.clone());
        let mut view = Decided { standing, row, sight, seen, plan, urgency, footing };
        if !writes {
            return Ok(self.done(&view, &Outcome::of_plan_only(&view.plan), Vec::new(), past));
        }
        let acts = view.plan.changes_something() || view.sight.unfinished.is_some();
        if acts && view.standing.switch.paused {
            return Ok(self.done(&view, &paused(&view.standing.switch), Vec::new(), past));
        }
        let note = match &view.sight.unfinished {
            Some(_) => None,
            None => match Box::pin(self.image(&mut view, deadline, past)).await? {
                Image::Ready(note) => note,
                Image::Fetched => return Ok(Round::Fetched),
                Image::Moved => return Ok(Round::Moved),
                Image::NotYet(outcome) => return Ok(self.done(&view, &outcome, Vec::new(), past)),
            },
        };
        if acts {
            match Box::pin(self.leave(&view, past)).await? {
                Leave::Given => {}
                Leave::Refused(outcome) => return Ok(self.done(&view, &outcome, Vec::new(), past)),
                Leave::Moved => return Ok(Round::Moved),
            }
        }
        let deadline = past.lease_ends.map_or(deadline, |end| deadline.no_later_than(end));
        // Whoever waits for no turn takes it while he writes.
        let turn = async {
            if let (Some(table), Footing::Firm(schedule), true) = (&self.clients.table, view.footing, acts)
                && view.writes_revisions()
            {
                table.count_turn(schedule, self.settings.sweep_share).await;
            }
        };
        join(Box::pin(self.act(&view, note, deadline, past)), Box::pin(turn)).await.0
    }

    /// Does what was decided, or first what an act that was cut off could not do any more.
    async fn act(
        &self,
        view: &Decided,
        note: Option<String>,
        deadline: Deadline,
        past: &mut Past,
    ) -> Result<Round, Error> {
        let newest = &view.sight.newest;
        match &view.sight.unfinished {
            Some(Unfinished::Leftover) => {
                self.clients.ecs.deregister(newest).await?;
                past.deregistered.push(newest.clone());
                return Ok(Round::Moved);
            }
            Some(Unfinished::AsksMore(message)) => {
                self.clients.ecs.deregister(newest).await?;
                let refusal = Refusal::new(Reason::RequiresMore, message.clone());
                let outcome = Outcome::Refused { refusal, deregistered: vec![newest.clone()] };
                return Ok(self.done(view, &outcome, Vec::new(), past));
            }
            None => {}
        }
        match Box::pin(act(&self.clients, &view.sight, &view.plan, deadline, &past.attached)).await {
            // Something else is the newest now.
            Ok(Acted::Done { outcome: Outcome::Deregistered { arns }, .. }) => {
                past.deregistered.extend(arns);
                Ok(Round::Moved)
            }
            Ok(Acted::Done { outcome, mut notes }) => {
                self.learn(&view.sight, &view.plan, &outcome);
                notes.extend(note);
                Ok(self.done(view, &outcome, notes, past))
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

    /// Tells what came of a look.
    fn done(&self, view: &Decided, outcome: &Outcome, notes: Vec<String>, past: &Past) -> Round {
        let Decided { standing, row, sight, seen, plan, urgency, footing: _ } = view;
        let mut report = report(sight, plan, outcome, notes, past);
        report.missed_by_events = !urgency.is_event() && self.was_missed(sight, row.as_ref());
        let told = telling::told(seen.clone(), plan, outcome, &report, &past.deregistered);
        let told = Told { standing: Some(standing.fingerprint.clone()), ..told };
        Round::Done(Box::new(Done { report, told, row: row.clone() }))
    }

    /// Whether an event should have brought the revision long ago.
    fn was_missed(&self, sight: &Sight, row: Option<&Row>) -> bool {
        let known = row.and_then(|row| row.told.newest);
        let registered = sight.observed.definition.described().registered_at;
        known.is_some_and(|known| known < sight.number)
            && registered.is_some_and(|registered| registered + LATE <= self.clients.clock.now())
    }

    /// Fetches the image, if the plan says so. The family's lease is not held meanwhile: it takes minutes.
    async fn image(&self, view: &mut Decided, deadline: Deadline, past: &mut Past) -> Result<Image, Error> {
        let Some(fetch) = &view.plan.fetch else { return Ok(Image::Ready(None)) };
        if let (Some(table), Some(held)) = (&self.clients.table, &past.held) {
            let row = table.give_back(held).await?;
            (past.held, past.lease_ends) = (None, None);
            let Some(row) = row else { return Ok(Image::Moved) };
            (view.row, view.footing) = (Some(row), Footing::Loose);
        }
        let plan = &view.plan;
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

/// All of the image came, and a look at ECR does not show it.
fn not_shown(fetch: &Fetch) -> Fetched {
    let refusal = Refusal::new(Reason::ImageWarming, format!("{} came, and ECR does not show it yet", fetch.image));
    Fetched::Later { seconds: 30, refusal }
}
