//! From a wake-up to its answer.
//!
//! Knows: what is told of a sweep. Must not know: how families are compared.

use crate::trigger::{self, Action, ByHand, Problem, Trigger};
use ecs_sidecar_aws::sweep::{SweepReport, Sweeper};
use ecs_sidecar_aws::{Chain, Deadline, Error, ReconcileAction, Reconciler, Urgency};
use ecs_sidecar_core::bounds::matches_any;
use ecs_sidecar_core::ids::Family;
use ecs_sidecar_core::state::State;
use ecs_sidecar_host::Invocation;
use ecs_sidecar_host::metrics::{Metrics, Unit};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{error, info};

/// What must be left of the function's time when the answer is given.
const RESERVE: Duration = Duration::from_secs(5);

/// What must be left of it to plan one more family.
const TO_PLAN: Duration = Duration::from_secs(40);

/// What the function fails with.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// The input asks for nothing that is known.
    #[error("cannot understand the input: {0}")]
    Input(Problem),
    /// The sweep failed.
    #[error("cannot sweep")]
    Sweep(#[source] Error),
}

impl FunctionError {
    /// What kind of error it is.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Input(problem) => problem.label(),
            Self::Sweep(error) => error.label(),
        }
    }
}

/// Answers wake-ups.
#[derive(Debug)]
pub struct Handler {
    sweeper: Sweeper,
    reconciler: Reconciler,
    /// Whether metrics are written to the log.
    measures: bool,
}

/// Which sweep an invocation is of.
enum Begun<'a> {
    /// A new one, or a round that an earlier one asks for.
    Round(Option<u64>),
    /// One that has stopped.
    Earlier(&'a str),
}

/// What a plan over many families says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// How many families were looked at.
    pub looked: u64,
    /// How many there are of each decision and reason, and the first of each by name.
    pub counts: Vec<Total>,
    /// The family to go on with, if there was no time for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Families of one decision and reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Total {
    /// The decision, or `failed`.
    pub decision: String,
    /// The reason, if there is one; for a failure the error's kind.
    pub reason: Option<String>,
    /// How many.
    pub count: u64,
    /// The first of them by name.
    pub first: String,
}

impl Handler {
    /// A handler around a sweeper, and a reconciler that plans.
    pub fn new(sweeper: Sweeper, reconciler: Reconciler) -> Self {
        Self { sweeper, reconciler, measures: false }
    }

    /// The same, with a line of metrics for each sweep that is finished.
    #[must_use]
    pub fn measuring(self) -> Self {
        Self { measures: true, ..self }
    }

    /// Answers a wake-up: how far the sweep came, what was queued, or [`Totals`].
    ///
    /// Guarantees: nothing is written to ECS or IAM. Errors: [`FunctionError`]; a sweep that failed goes on by itself.
    pub async fn handle(&self, input: &Value, invocation: Invocation<'_>) -> Result<Value, FunctionError> {
        let until = invocation.until.map(|end| end.checked_sub(RESERVE).unwrap_or_else(Instant::now));
        let deadline = until.map_or_else(Deadline::none, Deadline::at);
        let answer = match trigger::read(input).map_err(FunctionError::Input)? {
            Trigger::Begin { cause, round } => self.sweep(&cause, Begun::Round(round), invocation, deadline).await,
            Trigger::GoOn { run } => self.sweep("went on", Begun::Earlier(&run), invocation, deadline).await,
            Trigger::ByHand(ByHand { action: Action::Reconcile, families, from: None }) if families.is_empty() => {
                self.sweep("by hand", Begun::Round(None), invocation, deadline).await
            }
            Trigger::ByHand(ByHand { action: Action::Reconcile, families, from }) => {
                let matches = |family: &str| families.is_empty() || matches_any(&families, family);
                let (queued, next) = self.sweeper.look_at(matches, from.as_deref(), deadline).await.map_err(failed)?;
                Ok(json!({ "outcome": "queued", "queued": queued, "next": next }))
            }
            Trigger::ByHand(ByHand { action: Action::Plan, families, from }) => {
                self.plan(&families, from.as_deref(), deadline).await.map_err(failed)
            }
        };
        if let Err(failure) = &answer {
            error!(request_id = invocation.request_id, kind = failure.label(), error = %Chain(failure), "sweep failed");
        }
        answer
    }

    async fn sweep(
        &self,
        cause: &str,
        begun: Begun<'_>,
        invocation: Invocation<'_>,
        deadline: Deadline,
    ) -> Result<Value, FunctionError> {
        let report = match begun {
            Begun::Round(round) => self.sweeper.begin(invocation.request_id, round, deadline).await,
            Begun::Earlier(run) => self.sweeper.go_on(run, deadline).await,
        }
        .map_err(failed)?;
        info!(
            request_id = invocation.request_id,
            cause,
            sweep = report.sweep,
            outcome = report.outcome,
            families = report.families,
            pages = report.pages,
            queued = report.queued,
            policies_gone = (!report.policies_gone.is_empty()).then(|| report.policies_gone.join(" ")),
            "swept"
        );
        if self.measures {
            self.measure(&report);
        }
        Ok(serde_json::to_value(report).expect("a report is plain JSON"))
    }

    fn measure(&self, report: &SweepReport) {
        let (calls, of) = (self.sweeper.calls(), |state: State| report.states.get(state.label()).copied().unwrap_or(0));
        let mut values = vec![("EcsReads", calls.reads), ("EcsThrottles", calls.throttles)];
        if report.outcome == "finished" {
            values.extend([
                ("SweepFinished", 1),
                ("CoveredFamilies", of(State::Covered)),
                ("OutdatedFamilies", of(State::Outdated)),
                ("SkippedFamilies", of(State::Skipped)),
                ("FailingFamilies", of(State::Failing)),
            ]);
        }
        let mut metrics = Metrics::of(&self.reconciler.settings().stack);
        for (name, count) in values {
            #[expect(clippy::cast_precision_loss, reason = "counts of calls and families")]
            let count = count as f64;
            metrics = metrics.with(name, Unit::Count, count);
        }
        metrics.emit();
    }

    /// Plans over families, one after the other, within the share of ECS's reads.
    async fn plan(&self, globs: &[String], from: Option<&str>, deadline: Deadline) -> Result<Value, Error> {
        let mut families = self.sweeper.families(deadline).await?;
        families.retain(|family| globs.is_empty() || matches_any(globs, family.as_str()));
        families.retain(|family| from.is_none_or(|from| family.as_str() >= from));
        let (mut looked, mut next) = (0, None);
        let mut counts: BTreeMap<(String, Option<String>), (u64, Family)> = BTreeMap::new();
        let meter = &self.reconciler.clients().meter;
        meter.take();
        for family in families {
            if !deadline.leaves(TO_PLAN) {
                next = Some(family.as_str().to_owned());
                break;
            }
            let planned = Box::pin(self.reconciler.reconcile(&family, ReconcileAction::Plan, Urgency::Sweep, deadline));
            let key = match planned.await {
                Ok(report) => {
                    (report.decision.label().to_owned(), report.reason.map(|reason| reason.label().to_owned()))
                }
                Err(error) => ("failed".to_owned(), Some(error.label().to_owned())),
            };
            counts.entry(key).or_insert((0, family)).0 += 1;
            looked += 1;
            self.sweeper.read_pause(meter.take().reads).await;
        }
        let counts = counts.into_iter().map(|((decision, reason), (count, first))| Total {
            decision,
            reason,
            count,
            first: first.as_str().to_owned(),
        });
        let totals = Totals { looked, counts: counts.collect(), next };
        Ok(serde_json::to_value(totals).expect("totals are plain JSON"))
    }
}

fn failed(error: Error) -> FunctionError {
    FunctionError::Sweep(error)
}
