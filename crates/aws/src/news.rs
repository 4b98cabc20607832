//! The operator's own events: a family or a service stands otherwise than it did, or the breaker has tripped.
//!
//! Knows: the shape of the event, which README.md documents, and that PutEvents may refuse single entries. Must not know:
//! who listens.
//!
//! Best effort: the table says how a family stands, an event only that it changed. So a failure is counted and logged.

use crate::error::Chain;
use crate::rows::Row;
use crate::service_rows::ServiceRow;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_types::SdkConfig;
use ecs_sidecar_core::ids::Arn;
use ecs_sidecar_core::names;
use ecs_sidecar_core::rollout::ServiceState;
use ecs_sidecar_core::state::State;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// What the event of a family is called.
pub const DETAIL_TYPE: &str = "ECS Sidecar Family State Change";

/// What the event of a service is called.
pub const SERVICE_DETAIL_TYPE: &str = "ECS Sidecar Service State Change";

/// What the event is called that tells that nothing is written any more.
pub const BREAKER_DETAIL_TYPE: &str = "ECS Sidecar Breaker Tripped";

/// Version of the detail's shape. It goes up when a member changes its meaning or goes; new members do not count.
const DETAIL_VERSION: u32 = 1;

/// An event bus.
#[derive(Debug)]
pub struct News {
    client: aws_sdk_eventbridge::Client,
    bus: String,
    not_sent: AtomicU64,
}

impl News {
    /// That bus.
    pub fn new(config: &SdkConfig, bus: String) -> Self {
        Self { client: aws_sdk_eventbridge::Client::new(config), bus, not_sent: AtomicU64::new(0) }
    }

    /// How many events could not be sent since this was last asked.
    pub fn take_not_sent(&self) -> u64 {
        self.not_sent.swap(0, Ordering::Relaxed)
    }

    /// Tells that a family stands otherwise than it did, if it does.
    pub(crate) async fn tell(&self, before: &Row, after: &Row) {
        let (was, is) = (&before.told, &after.told);
        if before.state == after.state && was.reason == is.reason && was.patched == is.patched {
            return;
        }
        let detail = json!({
            "version": DETAIL_VERSION,
            "family": after.family,
            "state": after.state.map(State::label),
            "previousState": before.state.map(State::label),
            "decision": is.decision,
            "reason": is.reason,
            "message": is.message,
            "policy": is.policy,
            "source": is.source,
            "patched": is.patched,
            "since": after.since,
        });
        let resources = [&is.patched, &is.source].into_iter().flatten().cloned().collect();
        self.send(DETAIL_TYPE, &detail, resources).await;
    }

    /// Tells that a service stands otherwise than it did, if it does.
    pub(crate) async fn tell_service(&self, before: &ServiceRow, after: &ServiceRow) {
        if before.state == after.state && before.reason == after.reason {
            return;
        }
        let last = after.history.last.as_ref();
        let detail = json!({
            "version": DETAIL_VERSION,
            "service": after.service,
            "family": after.family,
            "state": after.state.map(ServiceState::label),
            "previousState": before.state.map(ServiceState::label),
            "reason": after.reason,
            "message": after.message,
            "from": last.map(|last| last.from.as_str()),
            "to": last.map(|last| last.to.as_str()),
            "changedBy": after.history.changed_by,
            "since": after.since,
        });
        self.send(SERVICE_DETAIL_TYPE, &detail, vec![after.service.clone()]).await;
    }

    /// Tells that the breaker has tripped.
    pub(crate) async fn tell_breaker(&self, message: &str, revision: &Arn) {
        let detail = json!({ "version": DETAIL_VERSION, "message": message, "taskDefinition": revision.as_str() });
        self.send(BREAKER_DETAIL_TYPE, &detail, vec![revision.to_string()]).await;
    }

    async fn send(&self, detail_type: &str, detail: &Value, resources: Vec<String>) {
        let subject = resources.first().cloned().unwrap_or_default();
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus)
            .source(names::OPERATOR)
            .detail_type(detail_type)
            .set_resources(Some(resources))
            .detail(detail.to_string())
            .build();
        let problem = match self.client.put_events().entries(entry).send().await {
            // A success says nothing of the entries.
            Ok(answer) => answer.entries().iter().find_map(|entry| {
                let code = entry.error_code()?;
                Some(format!("{code}: {}", entry.error_message().unwrap_or_default()))
            }),
            Err(error) => Some(Chain(&error).to_string()),
        };
        if let Some(problem) = problem {
            self.not_sent.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(subject, bus = self.bus, error = problem, "an event was not sent");
        }
    }
}
