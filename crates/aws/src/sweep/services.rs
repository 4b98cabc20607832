//! A sweep over services: those that pin what was replaced, and those whose move nobody told the end of.
//!
//! Knows: what ECS lists, and the rows. Must not know: what a look at a service decides.

use super::work::{Stop, Work};
use crate::clients::CALL;
use crate::queue::look_at_service;
use crate::rollout::LONG;
use crate::service_rows::ServiceRow;
use crate::services::{DESCRIBED, ServiceRef};
use crate::succession::successor;
use ecs_sidecar_core::ids::Arn;
use ecs_sidecar_core::rollout::{RolloutReason, Service, ServiceState};
use std::collections::{BTreeSet, HashMap};

/// For how long a move is left to its own message and event, in seconds.
const MOVING: u64 = 1800;

/// For how long a service is left alone that its owner does not want to be moved, in seconds: a day.
const LEFT: u64 = 24 * 3600;

impl Work<'_> {
    /// Has those services looked at of which the table does not say how they are now.
    pub(super) async fn services(&mut self) -> Result<(), Stop> {
        let rows = self.sweeper.table.service_rows().await?;
        let mut rows: HashMap<String, ServiceRow> = rows.into_iter().map(|row| (row.service.clone(), row)).collect();
        let listed = self.list_services().await?;
        // What has a row and is not listed is gone.
        for gone in rows.keys().filter_map(|arn| arn.parse().ok()).filter(|service| !listed.contains(service)) {
            self.queue_message(look_at_service(&gone, 0)).await?;
        }
        let left: Vec<ServiceRef> = listed.into_iter().filter(|service| self.is_after(service)).collect();
        // One call takes services of one cluster.
        for batch in left.chunk_by(|one, other| one.cluster() == other.cluster()).flat_map(|of| of.chunks(DESCRIBED)) {
            self.allow(CALL)?;
            let arns: Vec<String> = batch.iter().map(ToString::to_string).collect();
            let services = self.sweeper.clients.services.describe_all(batch[0].cluster(), &arns).await?;
            for service in &services {
                let row = rows.remove(service.arn.as_str());
                let found = batch.iter().find(|found| *found.arn() == service.arn);
                if let (Some(found), true) = (found, self.is_due(service, row.as_ref())) {
                    self.queue_message(look_at_service(found, 0)).await?;
                }
            }
            self.state.services += services.len() as u64;
            self.state.after = arns.into_iter().next_back();
            self.sweeper.read_pause(1).await;
        }
        Ok(())
    }

    /// All services of all clusters, by ARN. Those whose ARN does not name their cluster, as ECS's did until 2018, are
    /// left out.
    async fn list_services(&mut self) -> Result<BTreeSet<ServiceRef>, Stop> {
        let (mut clusters, mut token) = (Vec::new(), None);
        loop {
            self.allow(CALL)?;
            let page = self.sweeper.clients.services.clusters_page(token).await?;
            clusters.extend(page.items);
            token = page.token;
            if token.is_none() {
                break;
            }
            self.sweeper.read_pause(1).await;
        }
        let mut services = BTreeSet::new();
        for cluster in clusters {
            loop {
                self.allow(CALL)?;
                let page = self.sweeper.clients.services.services_page(&cluster, token).await?;
                services.extend(page.items.iter().filter_map(|arn| arn.parse::<ServiceRef>().ok()));
                token = page.token;
                self.sweeper.read_pause(1).await;
                if token.is_none() {
                    break;
                }
            }
        }
        Ok(services)
    }

    fn is_after(&self, service: &ServiceRef) -> bool {
        self.state.after.as_deref().is_none_or(|after| service.arn().as_str() > after)
    }

    fn is_due(&self, service: &Service, row: Option<&ServiceRow>) -> bool {
        let family = service.task_definition.as_ref().and_then(Arn::revision);
        let of_family = family.and_then(|(family, _)| self.rows.get(family.as_str()));
        let pins = service.task_definition.as_ref();
        let to = pins.zip(of_family).and_then(|(pins, row)| successor(&row.successors, pins));
        is_due(pins, to.as_ref(), row, self.standing.switch.paused, self.sweeper.clients.clock.now())
    }
}

/// Whether a service has to be looked at that pins a revision which has perhaps a successor.
fn is_due(pins: Option<&Arn>, to: Option<&Arn>, row: Option<&ServiceRow>, paused: bool, now: u64) -> bool {
    let Some(row) = row else { return to.is_some() };
    let seen = row.seen_at.unwrap_or(0);
    let last = row.history.last.as_ref();
    let same_move = last.is_some_and(|last| Some(&last.from) == pins && Some(&last.to) == to);
    match row.state {
        Some(ServiceState::Moving) => seen.saturating_add(MOVING) <= now,
        // No message has it.
        Some(ServiceState::Waiting) if row.reason.as_deref() == Some(RolloutReason::Paused.label()) => !paused,
        // Its message has it until then.
        Some(ServiceState::Waiting) => {
            row.next_try.is_none_or(|at| at <= now + u64::from(LONG)) && seen.saturating_add(MOVING) <= now
        }
        Some(ServiceState::Left) => to.is_some() && seen.saturating_add(LEFT) <= now,
        Some(ServiceState::Quarantined) => to.is_some() && !same_move,
        Some(ServiceState::Current) | None => to.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Item, SERVICE};
    use ecs_sidecar_core::rollout::{Decided, Deed, History, Move};

    const NOW: u64 = 1_767_323_045;

    fn arn(number: u64) -> Arn {
        format!("arn:aws:ecs:eu-west-1:111122223333:task-definition/web:{number}").parse().expect("an ARN")
    }

    /// A row that was last written so many seconds ago, of a service that was moved from revision 1 to revision 2.
    fn row(state: ServiceState, ago: u64, deed: Deed) -> ServiceRow {
        let last = Move { from: arn(1), to: arn(2), at: NOW - ago, confirmed: true };
        let history = History { last: Some(last), ..History::default() };
        let decided = Decided { state, reason: RolloutReason::Moved, message: String::new(), deed, history };
        let new = ServiceRow::read(Item::new(SERVICE, "arn:aws:ecs:eu-west-1:111122223333:service/prod/web"));
        new.told(&decided, Some("web"), NOW - ago)
    }

    #[test]
    fn what_pins_a_replaced_revision_is_looked_at_unless_its_row_says_why_not() {
        let due = |to: Option<u64>, row: Option<ServiceRow>| {
            is_due(Some(&arn(1)), to.map(arn).as_ref(), row.as_ref(), false, NOW)
        };
        assert!(due(Some(2), None) && !due(None, None));
        for (state, ago, to, expected) in [
            (ServiceState::Current, 60, Some(2), true),
            (ServiceState::Current, 60, None, false),
            (ServiceState::Moving, 1799, None, false),
            (ServiceState::Moving, 1800, None, true),
            (ServiceState::Left, 60, Some(2), false),
            (ServiceState::Left, LEFT, Some(2), true),
            (ServiceState::Quarantined, LEFT, Some(2), false),
            (ServiceState::Quarantined, 60, Some(3), true),
            (ServiceState::Waiting, 60, Some(2), false),
            (ServiceState::Waiting, MOVING, Some(2), true),
        ] {
            assert_eq!(due(to, Some(row(state, ago, Deed::Nothing))), expected, "{state:?} {ago} {to:?}");
        }
        let until = |seconds| Some(row(ServiceState::Waiting, MOVING, Deed::Again(seconds)));
        assert!(due(Some(2), until(9000)) && !due(Some(2), until(9001)), "a window that opens later");
        let mut held = row(ServiceState::Waiting, 60, Deed::Nothing);
        held.reason = Some("paused".to_owned());
        for paused in [true, false] {
            assert_eq!(is_due(Some(&arn(1)), Some(&arn(2)), Some(&held), paused, NOW), !paused);
        }
    }
}
