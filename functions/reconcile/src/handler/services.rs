//! Services and stopped tasks: from their messages to what is told of them.
//!
//! Knows: which failures SQS is to bring again, and what is logged and measured. Must not know: how a service is moved.

use super::{FunctionError, Handler, MOST_WAITS, contained, limits, log_failure, name};
use crate::trigger::{Known, StoppedEvent};
use ecs_sidecar_aws::breaker::Stopped;
use ecs_sidecar_aws::queue;
use ecs_sidecar_aws::rollout::RolloutAction;
use ecs_sidecar_aws::services::ServiceRef;
use ecs_sidecar_core::rollout::{RolloutReason, ServiceReport};
use ecs_sidecar_host::Invocation;
use ecs_sidecar_host::metrics::{Metrics, Unit};
use serde_json::Value;
use std::collections::BTreeMap;
use tracing::{error, info, warn};

/// What of a batch is about no family.
#[derive(Default)]
pub(super) struct Others {
    services: BTreeMap<ServiceRef, (Look, Vec<String>)>,
    pub(super) stopped: Vec<(StoppedEvent, String)>,
}

/// Why a service is looked at: for the log, and for how long it may go on. It decides nothing else.
pub(super) struct Look {
    cause: String,
    /// Who changed it, if an event told.
    by: Option<String>,
    /// How often it was looked at in vain.
    waits: u32,
}

impl Look {
    pub(super) fn of(known: &Known, by: Option<String>) -> Self {
        Self { cause: name(known), by, waits: known.waits() }
    }
}

impl Others {
    /// Two messages of one service are one look: what is there now decides.
    pub(super) fn look_at(&mut self, service: ServiceRef, look: Look, id: String) {
        match self.services.get_mut(&service) {
            Some((known, ids)) => {
                known.by = look.by.or(known.by.take());
                // What is new has waited for nothing yet, whatever it came with.
                known.waits = known.waits.min(look.waits);
                ids.push(id);
            }
            None => drop(self.services.insert(service, (look, vec![id]))),
        }
    }
}

impl Handler {
    /// Works on what of a batch is about no family. Returns the ids of the messages that SQS is to bring again.
    pub(super) async fn others(&self, others: Others, invocation: Invocation<'_>) -> Vec<String> {
        let mut failed = Vec::new();
        for (service, (look, ids)) in others.services {
            if self.look_at_service(&service, &look, invocation).await.is_err() {
                failed.extend(ids);
            }
        }
        for (event, id) in others.stopped {
            if self.stopped(&event, invocation).await.is_err() {
                failed.push(id);
            }
        }
        failed
    }

    /// Answers a person who asks about a service, who may ask again.
    pub(super) async fn tell_service(
        &self,
        service: &ServiceRef,
        action: RolloutAction,
        invocation: Invocation<'_>,
    ) -> Result<Value, FunctionError> {
        let report = self.roll_out(service, None, action, "by hand", invocation).await?;
        if let Some(seconds) = report.again_in_seconds.filter(|_| action != RolloutAction::Plan) {
            // Best effort: he has the answer, and a sweep finds the service too.
            drop(self.put_service_back(service, 0, seconds).await);
        }
        Ok(serde_json::to_value(report).expect("a report is plain JSON"))
    }

    /// Looks at a service, and has it looked at again if it has to wait.
    pub(super) async fn look_at_service(
        &self,
        service: &ServiceRef,
        look: &Look,
        invocation: Invocation<'_>,
    ) -> Result<ServiceReport, FunctionError> {
        let report = self.roll_out(service, look.by.as_deref(), RolloutAction::Move, &look.cause, invocation).await?;
        let Some(seconds) = report.again_in_seconds else { return Ok(report) };
        if look.waits >= MOST_WAITS {
            // A sweep finds it again.
            warn!(
                request_id = invocation.request_id,
                service = report.service,
                waits = look.waits,
                "waited for too long"
            );
            return Ok(report);
        }
        // A deployment may take hours, and has an event of its own for its end.
        let waits = if report.reason == Some(RolloutReason::Deploying) { look.waits } else { look.waits + 1 };
        self.put_service_back(service, waits, seconds).await.inspect_err(|failure| {
            log_failure(service.arn().as_str(), failure, &look.cause, invocation);
        })?;
        Ok(report)
    }

    async fn put_service_back(&self, service: &ServiceRef, waits: u32, seconds: u32) -> Result<(), FunctionError> {
        let refuse = |source| FunctionError::NotQueued { subject: service.to_string(), source };
        let queue = self.reconciler.clients().queue.as_ref().ok_or_else(|| refuse(None))?;
        let message = queue::look_at_service(service, waits);
        queue.send_later(message, seconds).await.map_err(|error| refuse(Some(error)))
    }

    async fn roll_out(
        &self,
        service: &ServiceRef,
        by: Option<&str>,
        action: RolloutAction,
        cause: &str,
        invocation: Invocation<'_>,
    ) -> Result<ServiceReport, FunctionError> {
        let (until, deadline) = limits(invocation);
        let work = Box::pin(self.reconciler.roll_out(service, by, action, deadline));
        let result = contained(service.arn().as_str(), until, work).await;
        match &result {
            Ok(report) => log_service(report, cause, by, invocation),
            Err(failure) => log_failure(service.arn().as_str(), failure, cause, invocation),
        }
        if self.measures {
            let reason = result.as_ref().map_or("failed", |report| report.reason.map_or("none", RolloutReason::label));
            let metrics = Metrics::of(&self.reconciler.settings().stack).with("Services", Unit::Count, 1.0);
            metrics.by("Reason", reason).emit();
        }
        result
    }

    /// Counts a task that stopped because of a container that was injected into it. Answers what came of it.
    pub(super) async fn stopped(
        &self,
        event: &StoppedEvent,
        invocation: Invocation<'_>,
    ) -> Result<&'static str, FunctionError> {
        let (until, _) = limits(invocation);
        let work = Box::pin(self.reconciler.stopped(&event.task, &event.of, &event.what));
        let result = contained(&event.task, until, work).await;
        let (request_id, revision) = (invocation.request_id, event.of.as_str());
        let (label, trips) = match &result {
            Ok(Stopped::NotOurs) => ("notOurs", 0.0),
            Ok(Stopped::Counted(count)) => {
                warn!(request_id, revision, count, "a task stopped because of its sidecar");
                ("counted", 0.0)
            }
            Ok(Stopped::Tripped(because)) => {
                error!(request_id, revision, because, "the breaker has tripped, nothing is written any more");
                ("tripped", 1.0)
            }
            Err(failure) => {
                log_failure(&event.task, failure, "a task stopped", invocation);
                ("failed", 0.0)
            }
        };
        if self.measures {
            Metrics::of(&self.reconciler.settings().stack).with("BreakerTripped", Unit::Count, trips).emit();
        }
        result.map(|_| label)
    }
}

fn log_service(report: &ServiceReport, cause: &str, by: Option<&str>, invocation: Invocation<'_>) {
    info!(
        request_id = invocation.request_id,
        service = report.service,
        cause,
        by,
        state = report.state.map(|state| state.label()),
        reason = report.reason.map(|reason| reason.label()),
        outcome = report.outcome,
        from = report.from.as_deref(),
        to = report.to.as_deref(),
        again_in_seconds = report.again_in_seconds,
        particulars = (!report.message.is_empty()).then_some(report.message.as_str()),
        "looked at a service"
    );
}
