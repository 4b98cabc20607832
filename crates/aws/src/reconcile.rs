//! One family, from what is seen to what is told.
//!
//! Knows: how often to look again. Must not know: what woke it; the cause of a reconcile is not an argument here.

use crate::act::{Acted, TO_REGISTER, act};
use crate::clients::{CALL, Clients};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::history::Unfinished;
use crate::memory::Memory;
use crate::observe::{Sight, Trust, observe};
use crate::settings::{Settings, Writes};
use crate::warm::{self, Fetched};
use aws_types::SdkConfig;
use ecs_sidecar_core::ids::{Arn, Family, RoleRef};
use ecs_sidecar_core::observed::RoleState;
use ecs_sidecar_core::plan::{Decision, Fetch, FetchCause, Plan, plan};
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::refusal::Refusal;
use ecs_sidecar_core::report::{Outcome, Report};
use std::time::Duration;

/// How often a family is looked at before it is left for later. Each round is a registration that was in vain.
pub const ROUNDS: u32 = 3;

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
}

/// What came of a round.
enum Round {
    /// This is to be told.
    Done(Box<Report>),
    /// The world moved: once more.
    Moved,
    /// The image came: once more, which is no round in vain.
    Fetched,
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
        Self { clients: Clients::new(config, &settings), settings, memory: Memory::default() }
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
    /// Guarantees: called twice, the second call writes nothing. Called from two places at once, one patched revision
    /// stays ACTIVE. A registration is never sent again before the family was looked at.
    /// Assumptions: what [`observe`] and [`act`] assume.
    /// Errors: all of [`Error`] but those of the settings. After a retryable one the same call continues where this
    /// one stopped.
    pub async fn reconcile(
        &self,
        family: &Family,
        action: ReconcileAction,
        deadline: Deadline,
    ) -> Result<Report, Error> {
        let mut past = Past::default();
        while past.rounds < ROUNDS {
            deadline.allow(CALL, "look at", family)?;
            match self.round(family, action, deadline, &mut past).await? {
                Round::Done(report) => return Ok(*report),
                Round::Moved => past.rounds += 1,
                Round::Fetched => past.fetched = true,
            }
        }
        Err(match past.uncertain {
            Some(error) => error,
            None => Error::Contended { family: family.as_str().to_owned(), rounds: ROUNDS },
        })
    }

    /// Looks, decides and acts once.
    async fn round(
        &self,
        family: &Family,
        action: ReconcileAction,
        deadline: Deadline,
        past: &mut Past,
    ) -> Result<Round, Error> {
        let Some((sight, plan)) = self.decide(family).await? else {
            return Ok(Round::Done(Box::new(nothing_active(family, past))));
        };
        let done = |outcome: &Outcome, notes, past: &Past| {
            Ok(Round::Done(Box::new(self.report(&sight, &plan, outcome, notes, past))))
        };
        let writes = action == ReconcileAction::Reconcile && self.settings.writes == Writes::Allowed;
        if !writes {
            return done(&Outcome::of_plan_only(&plan), Vec::new(), past);
        }
        if let Some(unfinished) = sight.unfinished.clone() {
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
        let note = match self.image(&plan, deadline, past).await? {
            Image::Ready(note) => note,
            Image::Fetched => return Ok(Round::Fetched),
            Image::NotYet(outcome) => return done(&outcome, Vec::new(), past),
        };
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
    async fn decide(&self, family: &Family) -> Result<Option<(Sight, Plan)>, Error> {
        let Some((sight, plan)) = self.decide_by(Trust::Memory, family).await? else { return Ok(None) };
        let content = match plan.decision {
            Decision::Skip | Decision::Fetch => false,
            Decision::Inject | Decision::Update | Decision::Remove | Decision::UpToDate | Decision::Withdraw => {
                plan.grants.is_empty() && plan.notes.is_empty() && plan.fetch.is_none() && plan.log_group.is_none()
            }
        };
        if sight.remembered && !content {
            return self.decide_by(Trust::Nothing, family).await;
        }
        Ok(Some((sight, plan)))
    }

    async fn decide_by(&self, trust: Trust, family: &Family) -> Result<Option<(Sight, Plan)>, Error> {
        // Boxed, like what is acted on below: unpolled futures of many calls would lie on the stack one in the other.
        let sight = Box::pin(observe(&self.clients, &self.settings, &self.memory, trust, family)).await?;
        Ok(sight.map(|sight| {
            let plan = plan(&sight.observed, &self.settings.plan);
            let (family, decision, reason) = (family.as_str(), plan.decision.label(), plan.reason.map(Reason::label));
            tracing::debug!(family, number = sight.number, remembered = sight.remembered, decision, reason, "decided");
            (sight, plan)
        }))
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

    fn report(&self, sight: &Sight, plan: &Plan, outcome: &Outcome, notes: Vec<String>, past: &Past) -> Report {
        let mut report = Report::new(plan, Some(&sight.newest), outcome);
        report.notes.extend(notes);
        told(&mut report, past);
        report
    }
}

/// All of the image came, and a look at ECR does not show it.
fn not_shown(fetch: &Fetch) -> Fetched {
    let refusal = Refusal::new(Reason::ImageWarming, format!("{} came, and ECR does not show it yet", fetch.image));
    Fetched::Later { seconds: 30, refusal }
}

/// Nothing is there to decide on: all revisions were deregistered, or there never was one.
fn nothing_active(family: &Family, past: &Past) -> Report {
    let mut report = Report {
        family: Some(family.as_str().to_owned()),
        decision: Decision::Skip,
        reason: Some(Reason::NoActiveRevision),
        message: Reason::NoActiveRevision.meaning().to_owned(),
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
        outcome: Outcome::Nothing.label(),
        again_in_seconds: None,
    };
    told(&mut report, past);
    report
}

/// Adds what earlier rounds did.
fn told(report: &mut Report, past: &Past) {
    let earlier = past.deregistered.iter().map(ToString::to_string);
    report.deregistered.splice(0..0, earlier);
    if past.uncertain.is_some() {
        report.notes.push("the answer to a registration was lost, so the family was looked at again".to_owned());
    }
}
