//! The look at a family, and what it rests on.
//!
//! Knows: what is asked for side by side, and whether the lease was ours by then. Must not know: what follows.

use super::{Past, Reconciler};
use crate::clients::CALL;
use crate::error::Error;
use crate::observe::{Before, FirstLook, Sight, Trust, first_look, observe};
use crate::pace::Schedule;
use crate::rows::{Claim, LEASE, Row};
use crate::standing::Standing;
use ecs_sidecar_core::ids::Family;
use ecs_sidecar_core::plan::{Decision, Plan, plan};
use ecs_sidecar_core::reason::Reason;
use futures_util::future::join4;
use tokio::time::Instant;

/// A family as it was seen, and what is known beside it.
pub(super) struct View {
    pub(super) standing: Standing,
    pub(super) row: Option<Row>,
    pub(super) footing: Footing,
    /// `None`: it has no ACTIVE revision.
    pub(super) decided: Option<(Sight, Plan)>,
}

/// What a look rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Footing {
    /// On nothing: whoever acts has to take the lease, and to see that all is still so.
    Loose,
    /// The lease is ours, and nobody else can have acted on what was seen since. How far the pace's schedule goes was read
    /// beside the look.
    Firm(Schedule),
}

impl Reconciler {
    /// Looks and decides. What memory says is enough only for a plan that is content with it. `registered` is the number of
    /// a revision that somebody is told to have registered: the lease is asked for beside the look if it is news.
    pub(super) async fn decide(
        &self,
        family: &Family,
        registered: Option<u64>,
        past: &mut Past,
    ) -> Result<View, Error> {
        let view = Box::pin(self.decide_by(Trust::Memory, family, registered, past)).await?;
        let Some((sight, plan)) = &view.decided else { return Ok(view) };
        let content = match plan.decision {
            Decision::Skip | Decision::Fetch => false,
            Decision::Inject | Decision::Update | Decision::Remove | Decision::UpToDate | Decision::Withdraw => {
                plan.grants.is_empty() && plan.notes.is_empty() && plan.fetch.is_none() && plan.log_group.is_none()
            }
        };
        if sight.remembered && !content {
            return Box::pin(self.decide_by(Trust::Nothing, family, registered, past)).await;
        }
        Ok(view)
    }

    async fn decide_by(
        &self,
        trust: Trust,
        family: &Family,
        registered: Option<u64>,
        past: &mut Past,
    ) -> Result<View, Error> {
        let (first, standing, row, footing) = Box::pin(self.look(family, registered, past)).await?;
        let Some(first) = first else { return Ok(View { standing, row, footing, decided: None }) };
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
        Ok(View { standing, row, footing, decided: Some((sight, plan)) })
    }

    /// All that is asked for at once. Where the lease comes too late to vouch for what was seen beside it, the look is made
    /// once more.
    async fn look(
        &self,
        family: &Family,
        registered: Option<u64>,
        past: &mut Past,
    ) -> Result<(Option<FirstLook>, Standing, Option<Row>, Footing), Error> {
        loop {
            let was_held = past.held.is_some();
            let asked_at = Instant::now();
            let answers = join4(
                Box::pin(first_look(&self.clients, family)),
                Box::pin(self.stands()),
                Box::pin(self.row(family, registered, past.held.as_ref())),
                Box::pin(self.schedule(registered)),
            );
            let (first, standing, row, schedule) = answers.await;
            let (row, claim) = row?;
            // Before anything that went wrong beside it is told: a lease has to be given back.
            if let Some(Claim { row, held: Some(held), .. }) = &claim {
                past.hold(held.clone(), row, asked_at);
            }
            let (first, standing, schedule) = (first?, standing?, schedule?);
            if registered.is_none() || past.held.is_none() {
                return Ok((first, standing, row, Footing::Loose));
            }
            let number = first.as_ref().map_or(0, FirstLook::number);
            if was_held || claim.is_some_and(|claim| claim.proves_untouched(number)) {
                return Ok((first, standing, row, Footing::Firm(schedule)));
            }
        }
    }

    pub(crate) async fn stands(&self) -> Result<Standing, Error> {
        match &self.clients.table {
            Some(table) => table.cached_standing(&self.settings, &self.standing).await,
            None => Ok(Standing::of_settings(&self.settings)),
        }
    }

    /// The family's row, and what came of asking for the lease if it was asked for.
    async fn row(
        &self,
        family: &Family,
        registered: Option<u64>,
        held: Option<&Row>,
    ) -> Result<(Option<Row>, Option<Claim>), Error> {
        match (&self.clients.table, held, registered) {
            (None, ..) => Ok((None, None)),
            // Nobody else writes it meanwhile.
            (Some(_), Some(held), _) => Ok((Some(held.clone()), None)),
            (Some(table), None, Some(registered)) => {
                let claim = table.claim(family, registered).await?;
                Ok((Some(claim.row.clone()), Some(claim)))
            }
            (Some(table), None, None) => Ok((Some(table.row(family).await?), None)),
        }
    }

    /// Whoever asks for the lease beside the look has no other time to ask for this.
    async fn schedule(&self, registered: Option<u64>) -> Result<Schedule, Error> {
        match (&self.clients.table, registered) {
            (Some(table), Some(_)) => table.schedule().await,
            (Some(_) | None, _) => Ok(Schedule::default()),
        }
    }
}

impl Past {
    /// The lease of a row that was as it was `before` is ours, and was asked for at that moment.
    pub(super) fn hold(&mut self, held: Row, before: &Row, asked_at: Instant) {
        self.granted_before.clone_from(&before.grants);
        // What is begun must end before others may think that whoever had it is dead.
        self.lease_ends = Some(asked_at + (LEASE - CALL));
        self.held = Some(held);
    }
}
