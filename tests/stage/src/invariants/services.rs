//! Services: each runs what its owner has it run, with the sidecar that its revision was given.
//!
//! Knows: which revision an owner pinned. Must not know: when a service is moved.

use super::People;
use super::revisions::{is_operators, work};
use crate::stage::Stage;
use ecs_sidecar_aws::service_rows::ServiceRow;
use ecs_sidecar_core::rollout::{RolloutReason, ServiceState};
use ecs_sidecar_tests::RevisionView;

/// What each service pins is its owner's revision or what replaces that, and its row tells so.
pub(super) fn led(stage: &Stage, people: &People, rows: &[ServiceRow]) -> Vec<String> {
    let mut found = Vec::new();
    for (arn, wanted) in &people.pinned {
        let Some(service) = stage.world.service(arn) else { continue };
        let pins = service.task_definition.unwrap_or_default();
        let row = rows.iter().find(|row| row.service == *arn);
        match (revision(stage, &pins), revision(stage, wanted)) {
            (Some(pinned), Some(owners)) => {
                if pinned.arn != owners.arn && (!is_operators(&pinned) || work(&pinned) != work(&owners)) {
                    found.push(format!("{arn} runs {pins}, and its owner wants {wanted}"));
                }
            }
            _ => found.push(format!("{arn} runs {pins}, which nobody registered")),
        }
        if service.course.is_some_and(|course| course.ends_with("IN_PROGRESS")) {
            found.push(format!("{arn} is still being deployed"));
        }
        let Some(row) = row else { continue };
        let to = row.history.last.as_ref().map(|last| last.to.as_str());
        match row.state {
            // One that was set back to what nothing replaces any more is current too, and keeps its last move.
            Some(ServiceState::Current) if is_moved(row) && to != Some(&pins) => {
                found.push(format!("{arn}: the row tells that it runs {to:?}, and it runs {pins}"));
            }
            Some(ServiceState::Moving | ServiceState::Waiting) | None => {
                found.push(format!("{arn}: the row tells {:?} of a quiet service", row.state));
            }
            Some(ServiceState::Current | ServiceState::Left | ServiceState::Quarantined) => {}
        }
    }
    found
}

fn is_moved(row: &ServiceRow) -> bool {
    row.reason.as_deref() == Some(RolloutReason::Moved.label())
}

fn revision(stage: &Stage, arn: &str) -> Option<RevisionView> {
    let family = arn.rsplit('/').next()?.split(':').next()?;
    stage.world.revisions(family).into_iter().find(|view| view.arn == arn)
}
