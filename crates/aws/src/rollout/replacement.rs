//! What a service is moved to: which revision replaces the one that it pins, and whether it really does.
//!
//! Knows: the family's row, both revisions as ECS has them, and the policies. Must not know: when a service is moved.

use crate::error::Error;
use crate::gap;
use crate::reconcile::Reconciler;
use crate::rows::Row;
use crate::standing::Standing;
use crate::succession::successor;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::normalize::canonical;
use ecs_sidecar_core::observed::Registrar;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::receipt;
use ecs_sidecar_core::rollout::{Move, RolloutReason, Service, Successor};
use ecs_sidecar_core::state::State;
use futures_util::future::try_join;

impl Reconciler {
    /// What replaces the revision that a service pins. A revision that is not ACTIVE gets none any more, so that nobody waits
    /// for it.
    pub(super) async fn succeeds(&self, service: &Service, row: Option<&Row>) -> Result<Successor, Error> {
        let (successor, pins) = (succeeds(service, row), &service.task_definition);
        let (Successor::Pending, Some(pins)) = (&successor, pins) else { return Ok(successor) };
        let pinned = self.clients().ecs.describe(pins.as_str()).await?;
        Ok(if pinned.is_some_and(|pinned| pinned.described().is_active()) { successor } else { Successor::None })
    }

    /// Why a revision is no replacement of another one, if it is none.
    pub(super) async fn is_no_replacement(
        &self,
        wanted: &Move,
        standing: &Standing,
    ) -> Result<Option<RolloutReason>, Error> {
        let ecs = &self.clients().ecs;
        let (from, to) = try_join(ecs.describe(wanted.from.as_str()), ecs.describe(wanted.to.as_str())).await?;
        let (Some(from), Some(to)) = (from, to) else { return Ok(Some(RolloutReason::TargetGone)) };
        let ours = gap::registrar(&to, &self.clients().role) == Registrar::Operator;
        if !ours || !to.described().is_active() {
            return Ok(Some(RolloutReason::TargetGone));
        }
        // The family's row tells of the newest revision, which may be another policy's, or nobody's.
        if let Ok(Some(receipt)) = receipt::read(&to) {
            match standing.plan.policies.iter().find(|policy| policy.name() == receipt.policy) {
                None => return Ok(Some(RolloutReason::PolicyGone)),
                Some(policy) if !policy.spec.rollout.services => return Ok(Some(RolloutReason::PolicyForbids)),
                Some(_) => {}
            }
        }
        Ok((owners(&from) != owners(&to)).then_some(RolloutReason::ContentDiffers))
    }
}

/// What replaces the revision that a service pins, as far as the row tells.
fn succeeds(service: &Service, row: Option<&Row>) -> Successor {
    let (Some(pins), Some(row)) = (&service.task_definition, row) else { return Successor::None };
    if let Some(to) = successor(&row.told.successors, pins) {
        return Successor::Revision(to);
    }
    let Some((_, number)) = pins.revision() else { return Successor::None };
    let passes = |label: &str| Reason::ALL.iter().any(|reason| reason.label() == label && reason.passes());
    let under_way = row.state == Some(State::Pending) && row.told.reason.as_deref().is_none_or(passes);
    match row.told.newest {
        Some(newest) if newest < number || newest == number && under_way => Successor::Pending,
        Some(_) => Successor::None,
        // Nobody has looked at the family since, or at all.
        None => Successor::Pending,
    }
}

/// Whether the policy that decided of the family lets services be moved. One that is gone takes its sidecars with it,
/// also from what runs.
pub(super) fn policy_allows(standing: &Standing, row: Option<&Row>) -> bool {
    let policy = row.and_then(|row| row.told.policy.as_deref());
    let policy = policy.and_then(|name| standing.plan.policies.iter().find(|policy| policy.name() == name));
    policy.is_none_or(|policy| policy.spec.rollout.services)
}

/// What a definition's owner wrote of it, in a form that can be compared.
fn owners(definition: &TaskDefinition) -> String {
    match receipt::undo(definition) {
        Ok(Some(undone)) => canonical(&undone.source),
        // A receipt that cannot be read belongs to the definition as anything else does.
        Ok(None) | Err(_) => canonical(definition),
    }
}
