//! One family, from what is seen to what is told.
//!
//! Knows: how often to look again. Must not know: what woke it; the cause of a reconcile is not an argument here.

use crate::act::{Acted, act};
use crate::clients::{CALL, Clients};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::history::Unfinished;
use crate::memory::Memory;
use crate::observe::{Sight, Trust, observe};
use crate::settings::{Settings, Writes};
use aws_types::SdkConfig;
use ecs_sidecar_core::ids::{Arn, Family, RoleRef};
use ecs_sidecar_core::observed::RoleState;
use ecs_sidecar_core::plan::{Decision, Plan, plan};
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::refusal::Refusal;
use ecs_sidecar_core::report::{Outcome, Report};

/// How often a family is looked at before it is left for later. Each round is a registration that was in vain.
pub const ROUNDS: u32 = 3;

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
        for _ in 0..ROUNDS {
            deadline.allow(CALL, "look at", family)?;
            if let Some(report) = self.round(family, action, deadline, &mut past).await? {
                return Ok(report);
            }
        }
        Err(match past.uncertain {
            Some(error) => error,
            None => Error::Contended { family: family.as_str().to_owned(), rounds: ROUNDS },
        })
    }

    /// Looks, decides and acts once. `None`: the world moved, so once more.
    async fn round(
        &self,
        family: &Family,
        action: ReconcileAction,
        deadline: Deadline,
        past: &mut Past,
    ) -> Result<Option<Report>, Error> {
        let Some((sight, plan)) = self.decide(family).await? else { return Ok(Some(nothing_active(family, past))) };
        let writes = action == ReconcileAction::Reconcile && self.settings.writes == Writes::Allowed;
        if !writes {
            let outcome = if changes_something(&plan) { Outcome::Planned } else { Outcome::Nothing };
            return Ok(Some(self.report(&sight, &plan, &outcome, Vec::new(), past)));
        }
        match sight.unfinished.clone() {
            None => {}
            Some(Unfinished::Leftover) => {
                self.clients.ecs.deregister(&sight.newest).await?;
                past.deregistered.push(sight.newest);
                return Ok(None);
            }
            Some(Unfinished::AsksMore(message)) => {
                self.clients.ecs.deregister(&sight.newest).await?;
                let refusal = Refusal::new(Reason::RequiresMore, message);
                let outcome = Outcome::Refused { refusal, deregistered: vec![sight.newest.clone()] };
                return Ok(Some(self.report(&sight, &plan, &outcome, Vec::new(), past)));
            }
        }
        match act(&self.clients, &sight, &plan, deadline).await {
            Ok(Acted::Done { outcome, notes }) => {
                self.learn(&sight, &plan, &outcome);
                Ok(Some(self.report(&sight, &plan, &outcome, notes, past)))
            }
            Ok(Acted::Conflict { deregistered }) => {
                past.deregistered.push(deregistered);
                Ok(None)
            }
            Err(error) if error.is_uncertain() => {
                past.uncertain = Some(error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Looks and decides. What memory says is enough only for a plan that is content with it.
    async fn decide(&self, family: &Family) -> Result<Option<(Sight, Plan)>, Error> {
        let Some((sight, plan)) = self.decide_by(Trust::Memory, family).await? else { return Ok(None) };
        let content = plan.decision != Decision::Skip && plan.grants.is_empty() && plan.notes.is_empty();
        if sight.remembered && !content {
            return self.decide_by(Trust::Nothing, family).await;
        }
        Ok(Some((sight, plan)))
    }

    async fn decide_by(&self, trust: Trust, family: &Family) -> Result<Option<(Sight, Plan)>, Error> {
        let sight = observe(&self.clients, &self.settings, &self.memory, trust, family).await?;
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

/// Whether acting on a plan would write anything, be it to roles alone.
fn changes_something(plan: &Plan) -> bool {
    match plan.decision {
        Decision::UpToDate | Decision::Skip => !plan.grants.is_empty(),
        Decision::Inject | Decision::Update | Decision::Remove | Decision::Withdraw => true,
    }
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
        grants: Vec::new(),
        notes: Vec::new(),
        outcome: Outcome::Nothing.label(),
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
