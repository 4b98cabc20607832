//! From an invocation to its answer.
//!
//! Knows: which failures SQS is to bring again, and what is told of each reconcile. Must not know: how a family is
//! reconciled.

mod services;

use crate::trigger::{self, Event, Home, Known, Meaning, Problem, Trigger};
use ecs_sidecar_aws::news::News;
use ecs_sidecar_aws::{Chain, Deadline, Error, ReconcileAction, Reconciler, Urgency, queue};
use ecs_sidecar_core::ids::Family;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::report::Report;
use ecs_sidecar_host::Invocation;
use ecs_sidecar_host::metrics::{Metrics, Unit};
use futures_util::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use services::{Look, Others};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use tracing::{error, info, warn};

/// How many families are worked on side by side. ECS takes one registration a second anyway.
const SIDE_BY_SIDE: usize = 2;

/// What must be left of the function's time when the answer is given.
const RESERVE: Duration = Duration::from_secs(5);

/// How often a family is looked at again whose image is on its way: for ten minutes at least, an hour at most.
const MOST_WAITS: u32 = 60;

/// What the function fails with.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// The input asks for nothing that is known.
    #[error("cannot understand the input: {0}")]
    Input(Problem),
    /// The reconcile failed.
    #[error("cannot reconcile {subject}")]
    Reconcile {
        /// The family, or the service's ARN.
        subject: String,
        /// Why.
        #[source]
        source: Error,
    },
    /// The function's time was over before the reconcile was.
    #[error("cannot finish {subject} in the function's time")]
    TimedOut {
        /// The family, or the service's ARN.
        subject: String,
    },
    /// It has to wait, and could not be put back into the queue.
    #[error("cannot have {subject} wait")]
    NotQueued {
        /// The family, or the service's ARN.
        subject: String,
        /// Why; `None` if there is no queue.
        #[source]
        source: Option<Error>,
    },
    /// The program itself is at fault. What it said is not told: it may quote what was being read.
    #[error("cannot reconcile {subject}: the program is at fault")]
    Panicked {
        /// The family, or the service's ARN.
        subject: String,
    },
}

impl FunctionError {
    /// What kind of error it is.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Input(problem) => problem.label(),
            Self::Reconcile { source, .. } => source.label(),
            Self::TimedOut { .. } => "outOfTime",
            Self::NotQueued { .. } => "notQueued",
            Self::Panicked { .. } => "panicked",
        }
    }
}

/// Answers invocations.
#[derive(Debug)]
pub struct Handler {
    reconciler: Reconciler,
    home: Home,
    /// Whether metrics are written to the log.
    measures: bool,
}

impl Handler {
    /// A handler around a reconciler.
    pub fn new(reconciler: Reconciler) -> Self {
        let settings = reconciler.settings();
        let home =
            Home { account: settings.account.clone(), region: settings.region.clone(), role: settings.role.clone() };
        Self { reconciler, home, measures: false }
    }

    /// The same, with a line of metrics for each reconcile.
    #[must_use]
    pub fn measuring(self) -> Self {
        Self { measures: true, ..self }
    }

    /// Answers an invocation: a report, `{"ignored": ..}`, or `{"batchItemFailures": [..]}` for a batch.
    ///
    /// Guarantees: each family of a batch is reconciled once. A message that nobody understands is in the
    /// dead-letter queue, reduced to its ids, before it counts as done. An event of our own role costs no call. What
    /// goes wrong with one family, a panic included, is no other family's business.
    /// Errors: for a batch none, its failures are in the answer.
    pub async fn handle(&self, input: &Value, invocation: Invocation<'_>) -> Result<Value, FunctionError> {
        match trigger::read(input, &self.home).map_err(FunctionError::Input)? {
            Trigger::ByHand { family, action } => self.tell(&family, action, &Cause::by_hand(), invocation).await,
            Trigger::ServiceByHand { service, action } => self.tell_service(&service, action, invocation).await,
            Trigger::Event(event) => self.event(&event, invocation).await,
            Trigger::Batch(messages) => {
                let failed = self.batch(messages, invocation).await;
                let failed: Vec<Value> = failed.into_iter().map(|id| json!({ "itemIdentifier": id })).collect();
                Ok(json!({ "batchItemFailures": failed }))
            }
        }
    }

    async fn event(&self, event: &Event, invocation: Invocation<'_>) -> Result<Value, FunctionError> {
        match &event.meaning {
            Meaning::Look(family) => {
                self.tell(family, ReconcileAction::Reconcile, &Cause::of(&event.known), invocation).await
            }
            Meaning::LookAtService(service, by) => {
                let report = self.look_at_service(service, &Look::of(&event.known, by.clone()), invocation).await?;
                Ok(serde_json::to_value(report).expect("a report is plain JSON"))
            }
            Meaning::Stopped(event) => Ok(json!({ "stopped": self.stopped(event, invocation).await? })),
            Meaning::Ignore(why) => {
                log_ignored(&event.known, why.label(), invocation);
                Ok(json!({ "ignored": why.label() }))
            }
            Meaning::Unclear(problem) => Err(FunctionError::Input(*problem)),
        }
    }

    async fn tell(
        &self,
        family: &Family,
        action: ReconcileAction,
        cause: &Cause,
        invocation: Invocation<'_>,
    ) -> Result<Value, FunctionError> {
        let report = self.reconcile(family, action, cause, invocation).await?;
        // Whoever asked by hand has the answer, and may ask again.
        let put_back = self.put_back(family, &report, cause, invocation).await;
        put_back.or_else(|failure| if cause.waits.is_none() { Ok(()) } else { Err(failure) })?;
        Ok(serde_json::to_value(report).expect("a report is plain JSON"))
    }

    /// Works on a batch. Returns the ids of the messages that SQS is to bring again.
    async fn batch(&self, messages: Vec<trigger::Message>, invocation: Invocation<'_>) -> BTreeSet<String> {
        let mut failed = BTreeSet::new();
        // Two events of one family are one piece of work: what is there now decides.
        let mut families: BTreeMap<Family, (Cause, Vec<String>)> = BTreeMap::new();
        let mut others = Others::default();
        if self.measures {
            self.measure_waiting(&messages);
        }
        for trigger::Message { id, event, .. } in messages {
            match event.meaning {
                Meaning::Look(family) => {
                    let (cause, ids) = families.entry(family).or_insert_with(|| (Cause::of(&event.known), Vec::new()));
                    // What an event brought goes first, also where a sweep looks at the same family.
                    if event.known.urgency() > cause.urgency {
                        *cause = Cause::of(&event.known);
                    }
                    // What is new has waited for nothing yet, whatever it came with.
                    cause.waits = cause.waits.min(Some(event.known.waits()));
                    ids.push(id);
                }
                Meaning::LookAtService(service, by) => others.look_at(service, Look::of(&event.known, by), id),
                Meaning::Stopped(event) => others.stopped.push((*event, id)),
                Meaning::Ignore(why) => log_ignored(&event.known, why.label(), invocation),
                Meaning::Unclear(problem) => {
                    if !self.set_aside(&id, &event.known, problem, invocation).await {
                        failed.insert(id);
                    }
                }
            }
        }
        let work = families.into_iter().map(|(family, (cause, ids))| async move {
            let done = match self.reconcile(&family, ReconcileAction::Reconcile, &cause, invocation).await {
                Ok(report) => self.put_back(&family, &report, &cause, invocation).await,
                Err(failure) => Err(failure),
            };
            if done.is_err() { ids } else { Vec::new() }
        });
        failed
            .extend(stream::iter(work).buffer_unordered(SIDE_BY_SIDE).collect::<Vec<_>>().await.into_iter().flatten());
        // After the families: a service often waits for just one of them.
        failed.extend(self.others(others, invocation).await);
        failed
    }

    async fn reconcile(
        &self,
        family: &Family,
        action: ReconcileAction,
        cause: &Cause,
        invocation: Invocation<'_>,
    ) -> Result<Report, FunctionError> {
        let (until, deadline) = limits(invocation);
        // Boxed: the compiler gives up on the layout of futures that are nested as deeply as the calls are here.
        let work = Box::pin(self.reconciler.reconcile(family, action, cause.urgency, deadline));
        let started = Instant::now();
        let result = contained(family.as_str(), until, work).await;
        if self.measures {
            self.measure(&result, started.elapsed());
        }
        match &result {
            Ok(report) => log_report(family, report, &cause.name, invocation),
            Err(failure) => log_failure(family.as_str(), failure, &cause.name, invocation),
        }
        result
    }

    /// Writes for how long the oldest message of a batch had been in the queue. Those of a sweep wait on purpose.
    fn measure_waiting(&self, messages: &[trigger::Message]) {
        let events = messages.iter().filter(|message| message.event.known.urgency().is_event());
        let Some(sent) = events.filter_map(|message| message.sent_at).min() else { return };
        let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().saturating_sub(sent);
        let metrics = Metrics::of(&self.reconciler.settings().stack);
        metrics.with("QueueAge", Unit::Seconds, age.as_secs_f64()).emit();
    }

    /// Writes the metrics of a reconcile. Those of calls count what ran beside it as well; the sums are right.
    fn measure(&self, result: &Result<Report, FunctionError>, took: Duration) {
        let (decision, reason) = match result {
            Ok(report) => (report.decision.label(), report.reason.map_or("none", |reason| reason.label())),
            Err(failure) => ("failed", failure.label()),
        };
        let clients = self.reconciler.clients();
        let (calls, stack) = (clients.meter.take(), &self.reconciler.settings().stack);
        let not_sent = clients.news.as_ref().map_or(0, News::take_not_sent);
        let mut metrics = Metrics::of(stack).with("Decisions", Unit::Count, 1.0);
        if matches!(result, Ok(report) if report.registered.is_some()) {
            metrics = metrics.with("ActLatency", Unit::Milliseconds, took.as_secs_f64() * 1000.0);
        }
        for (name, count) in [
            ("EcsReads", calls.reads),
            ("EcsWrites", calls.writes),
            ("EcsThrottles", calls.throttles),
            ("EventsNotSent", not_sent),
            ("MissedByEvents", u64::from(matches!(result, Ok(report) if report.missed_by_events))),
        ] {
            // More than 2^53 calls in one reconcile are not to be feared.
            #[expect(clippy::cast_precision_loss, reason = "counts of calls")]
            let count = count as f64;
            metrics = metrics.with(name, Unit::Count, count);
        }
        metrics.by("Decision", decision).by("Reason", reason).emit();
    }

    /// Has a family looked at again that has to wait: by a new message, since a failed one counts towards the
    /// dead-letter queue. What waits for too long is left as it is, and the log says why.
    async fn put_back(
        &self,
        family: &Family,
        report: &Report,
        cause: &Cause,
        invocation: Invocation<'_>,
    ) -> Result<(), FunctionError> {
        let Some(seconds) = report.again_in_seconds else { return Ok(()) };
        let waits = cause.waits.unwrap_or(0);
        if waits >= MOST_WAITS {
            warn!(request_id = invocation.request_id, family = family.as_str(), waits, "waited for too long");
            return Ok(());
        }
        let refuse = |source| FunctionError::NotQueued { subject: family.as_str().to_owned(), source };
        let queue = self.reconciler.clients().queue.as_ref().ok_or_else(|| refuse(None))?;
        // What waits for its turn has it reserved, and takes no other one when it comes.
        let urgency = if report.reason == Some(Reason::Paced) { Urgency::Turn } else { cause.urgency };
        let message = queue::look_at(family, waits + 1, urgency);
        let sent = queue.send_later(message, seconds).await.map_err(|error| refuse(Some(error)));
        if let Err(failure) = &sent {
            log_failure(family.as_str(), failure, &cause.name, invocation);
        }
        sent
    }

    /// Puts a message that nobody understands where people find it. `false`: it could not be put there.
    async fn set_aside(&self, id: &str, known: &Known, problem: Problem, invocation: Invocation<'_>) -> bool {
        warn!(
            request_id = invocation.request_id,
            message_id = id,
            event_id = known.id.as_deref(),
            problem = problem.label(),
            "message set aside"
        );
        let Some(queue) = &self.reconciler.clients().dead_letters else { return false };
        let mut body = serde_json::to_value(known).expect("scalars are plain JSON");
        body["messageId"] = json!(id);
        match queue.set_aside(problem.label(), body.to_string()).await {
            Ok(()) => true,
            Err(failure) => {
                error!(request_id = invocation.request_id, message_id = id, error = %Chain(&failure), "not set aside");
                false
            }
        }
    }
}

/// When work has to be over, and until when it may begin something.
fn limits(invocation: Invocation<'_>) -> (Option<Instant>, Deadline) {
    let until = invocation.until.map(|end| end.checked_sub(RESERVE).unwrap_or_else(Instant::now));
    (until, until.map_or_else(Deadline::none, Deadline::at))
}

/// Waits for the work on one family or service, and keeps what goes wrong with it from the others of a batch.
async fn contained<T>(
    subject: &str,
    until: Option<Instant>,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, FunctionError> {
    let subject = || subject.to_owned();
    // What the work shares with others is a memory of facts, each of which is written in one step.
    let work = AssertUnwindSafe(work).catch_unwind();
    // The deadline keeps work from being started too late; this ends what hangs all the same.
    let done = match until {
        Some(until) => tokio::time::timeout_at(until, work).await,
        None => Ok(work.await),
    };
    match done {
        Ok(Ok(Ok(report))) => Ok(report),
        Ok(Ok(Err(source))) => Err(FunctionError::Reconcile { subject: subject(), source }),
        Ok(Err(_)) => Err(FunctionError::Panicked { subject: subject() }),
        Err(_) => Err(FunctionError::TimedOut { subject: subject() }),
    }
}

/// What woke us: for the log, for how long it may go on, and who goes first. It decides nothing else.
struct Cause {
    name: String,
    /// How often the family was looked at again already; `None` where a person asks.
    waits: Option<u32>,
    /// Who goes first.
    urgency: Urgency,
}

impl Cause {
    fn by_hand() -> Self {
        Self { name: "by hand".to_owned(), waits: None, urgency: Urgency::Event }
    }

    fn of(known: &Known) -> Self {
        Self { name: name(known), waits: Some(known.waits()), urgency: known.urgency() }
    }
}

fn name(known: &Known) -> String {
    let name = known.name.as_deref().unwrap_or("event");
    known.id.as_deref().map_or_else(|| name.to_owned(), |id| format!("{name} {id}"))
}

fn log_ignored(known: &Known, why: &str, invocation: Invocation<'_>) {
    info!(request_id = invocation.request_id, cause = name(known), why, "event ignored");
}

/// The line for a reconcile. Edits are left out: they hold what is written into containers.
fn log_report(family: &Family, report: &Report, cause: &str, invocation: Invocation<'_>) {
    let grants: Vec<_> = report.grants.iter().map(|grant| format!("{} {}", grant.role, grant.policy_arn)).collect();
    info!(
        request_id = invocation.request_id,
        family = family.as_str(),
        cause,
        decision = report.decision.label(),
        reason = report.reason.map(|reason| reason.label()),
        outcome = report.outcome,
        policy = report.policy.as_deref(),
        source = report.source.as_deref(),
        registered = report.registered.as_deref(),
        deregistered = (!report.deregistered.is_empty()).then(|| report.deregistered.join(" ")),
        grants = (!grants.is_empty()).then(|| grants.join("; ")),
        notes = (!report.notes.is_empty()).then(|| report.notes.join("; ")),
        again_in_seconds = report.again_in_seconds,
        particulars = (!report.message.is_empty()).then_some(report.message.as_str()),
        "reconciled"
    );
}

fn log_failure(subject: &str, failure: &FunctionError, cause: &str, invocation: Invocation<'_>) {
    // Of a service or a task.
    let is_arn = subject.starts_with("arn:");
    error!(
        request_id = invocation.request_id,
        family = (!is_arn).then_some(subject),
        object = is_arn.then_some(subject),
        cause,
        kind = failure.label(),
        error = %Chain(failure),
        "reconcile failed"
    );
}

#[cfg(test)]
mod tests;
