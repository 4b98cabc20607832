//! What `status` tells, for machines. Names and times are those of the operator's table.

use super::services::Service;
use crate::online::Stack;
use ecs_sidecar_aws::rows::Row;
use ecs_sidecar_aws::settings::Writes;
use ecs_sidecar_aws::standing::{Standing, StoredPolicy, Switch};
use ecs_sidecar_aws::sweep_state::{Phase, SweepState};
use ecs_sidecar_core::state::State;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// All of it.
#[derive(Serialize)]
pub(super) struct Answer {
    pub(super) operator: Operator,
    pub(super) totals: Totals,
    pub(super) families: Vec<Family>,
    /// Services that are or were to be moved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) services: Vec<Service>,
}

/// Families by state; every state has a number.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct Totals(pub(crate) BTreeMap<State, u64>);

/// The operator.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Operator {
    pub(super) stack: String,
    pub(super) region: String,
    pub(super) account: String,
    /// Whether it may write at all; if not, it reports only.
    pub(super) audit: bool,
    pub(super) paused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) paused_because: Option<String>,
    pub(super) uninstalling: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) changed_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) changed_by: Option<String>,
    pub(super) policies: Vec<Policy>,
    /// How many families the table has, whatever was asked for.
    pub(super) families: usize,
    /// `null`: none has begun yet.
    pub(super) sweep: Option<Sweep>,
    #[serde(skip)]
    pub(super) switch: Switch,
}

/// A policy, in the order in which they are asked.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Policy {
    pub(super) name: String,
    /// Whether it is the stack's own.
    pub(super) own: bool,
    pub(super) deleting: bool,
    /// Why the program cannot read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
}

/// The sweep that runs or ran last.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sweep {
    pub(super) run: String,
    pub(super) phase: &'static str,
    pub(super) under_way: bool,
    pub(super) started_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finished_at: Option<u64>,
    pub(super) pages: u64,
    pub(super) families: u64,
    pub(super) queued: u64,
    /// Whether another one follows it.
    pub(super) again: bool,
}

/// A family.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Family {
    pub(super) family: String,
    pub(super) state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) injected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) patched: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) newest: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seen_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) changed_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_try: Option<u64>,
    pub(super) grants: BTreeSet<String>,
}

/// How a family stands. One that was worked on, and of which nothing has come yet, is pending.
pub(crate) fn state(row: &Row) -> State {
    row.state.unwrap_or(State::Pending)
}

impl Answer {
    pub(super) fn new(
        stack: &Stack,
        standing: &Standing,
        sweep: &SweepState,
        rows: &[Row],
        known: usize,
        now: u64,
    ) -> Self {
        let (settings, switch) = (&stack.settings, standing.switch.clone());
        let operator = Operator {
            stack: stack.name.clone(),
            region: settings.region.to_string(),
            account: settings.account.to_string(),
            audit: settings.writes == Writes::Forbidden,
            paused: switch.paused,
            paused_because: switch.because.clone(),
            uninstalling: switch.uninstalling,
            changed_at: switch.changed_at,
            changed_by: switch.changed_by.clone(),
            policies: policies(standing),
            families: known,
            sweep: (!sweep.run.is_empty()).then(|| Sweep::new(sweep, now)),
            switch,
        };
        let families = rows.iter().map(Family::new).collect();
        Self { operator, totals: Totals::of(rows), families, services: Vec::new() }
    }

    pub(super) fn pretty(&self) -> String {
        serde_json::to_string_pretty(self).expect("an answer is plain JSON")
    }

    pub(super) fn line(&self) -> String {
        serde_json::to_string(self).expect("an answer is plain JSON")
    }
}

impl Totals {
    /// Counts these families.
    pub(crate) fn of(rows: &[Row]) -> Self {
        let mut totals: BTreeMap<State, u64> = State::ALL.into_iter().map(|state| (state, 0)).collect();
        for row in rows {
            *totals.entry(state(row)).or_default() += 1;
        }
        Self(totals)
    }

    /// How many there are of all states.
    pub(crate) fn sum(&self) -> u64 {
        self.0.values().sum()
    }
}

/// Those that are asked, in their order; then those that are not, and why.
fn policies(standing: &Standing) -> Vec<Policy> {
    let stored = |name: &str| standing.stored.iter().any(|stored| stored.name == name && !stored.deleting);
    let asked = standing.plan.policies.iter().map(|policy| policy.name()).map(|name| Policy {
        name: name.to_owned(),
        own: !stored(name),
        deleting: false,
        problem: None,
    });
    let others = standing.stored.iter().filter(|stored| stored.deleting || stored.problem.is_some());
    let others = others.map(|StoredPolicy { name, deleting, problem, .. }| Policy {
        name: name.clone(),
        own: false,
        deleting: *deleting,
        problem: problem.clone(),
    });
    asked.chain(others).collect()
}

impl Sweep {
    fn new(state: &SweepState, now: u64) -> Self {
        Self {
            run: state.run.clone(),
            phase: state.phase.label(),
            under_way: state.phase != Phase::Done && state.is_under_way(now),
            started_at: state.started_at,
            finished_at: state.finished_at,
            pages: state.pages,
            families: state.families,
            queued: state.queued,
            again: state.again,
        }
    }
}

impl Family {
    fn new(row: &Row) -> Self {
        let told = row.told.clone();
        Self {
            family: row.family.clone(),
            state: state(row),
            since: row.since,
            decision: told.decision,
            reason: told.reason,
            message: told.message,
            policy: told.policy,
            injected: told.injected,
            digest: told.digest,
            source: told.source,
            patched: told.patched,
            newest: told.newest,
            seen_at: row.seen_at,
            changed_at: row.changed_at,
            next_try: row.next_try,
            grants: row.grants.clone(),
        }
    }
}
