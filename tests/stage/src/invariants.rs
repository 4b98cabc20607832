//! What holds of a world that has become quiet, whatever went wrong before.
//!
//! Knows: the world, the operator's table, and what people did. Must not know: what went wrong. Nothing here panics: what
//! does not hold is told, so that whoever tries many worlds can say of each what is the matter with it.
//!
//! After Anvil's "eventually stable reconciliation": the desired state is reached, and it stays. What is desired is said
//! twice: by the operator's own plan, and by a judge of its own that reads what people registered.

mod revisions;
mod roles;
mod rows;
mod services;

use crate::machine::Machine;
use crate::stage::{SESSION, Stage};
use ecs_sidecar_aws::{Deadline, ReconcileAction, Urgency};
use ecs_sidecar_core::plan::Decision;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_tests::Call;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use revisions::surplus;

/// What people did, as far as the world does not show it by itself. (Whose a revision is, it shows.)
#[derive(Debug, Clone, Default)]
pub struct People {
    /// ARNs of the revisions that they deregistered, whoever registered those.
    pub deregistered: BTreeSet<String>,
    /// ARNs of the policies that they attached and have not detached, by the role's name.
    pub attached: BTreeMap<String, BTreeSet<String>>,
    /// ARNs of the policies that they detached, whoever attached those, by the role's name.
    pub detached: BTreeMap<String, BTreeSet<String>>,
    /// By the service's ARN, the revision that its owner last had it run.
    pub pinned: BTreeMap<String, String>,
    /// Whether they took all policies away, so that nobody is to have a sidecar.
    pub no_policies: bool,
}

/// How long a quiet world is watched: longer than any lease, redelivery or round of a sweep.
const WATCHED: Duration = Duration::from_secs(3 * 3600);

/// Calls that look, and those that only tell or keep the operator's own books. All others are writes to what is the
/// account's.
const NO_WRITES: [&str; 13] = [
    "Describe",
    "List",
    "Get",
    "BatchGet",
    "BatchCheck",
    "Simulate",
    "Query",
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "SendMessage",
    "PutEvents",
    "AssumeRole",
];

/// All that does not hold of a stage with a table.
pub async fn violations(stage: &Stage, people: &People) -> Vec<String> {
    let mut found = desired(stage).await;
    found.extend(revisions::judge(stage, people));
    found.extend(revisions::lossless(stage));
    found.extend(revisions::owners_stay(stage, people));
    found.extend(revisions::one_each(stage));
    found.extend(revisions::images(stage));
    found.extend(roles::bounded(stage, people));
    found.extend(rows::free(stage));
    match stage.table().rows().await {
        Ok(rows) => {
            found.extend(rows::truth(stage, people, &rows));
            found.extend(roles::noted(stage, people, &rows));
        }
        Err(error) => found.push(format!("the families' rows cannot be read: {error}")),
    }
    match stage.table().service_rows().await {
        Ok(rows) => found.extend(services::led(stage, people, &rows)),
        Err(error) => found.push(format!("the services' rows cannot be read: {error}")),
    }
    found
}

/// The operator's own judgement: a fresh function plans nothing for any family.
pub async fn desired(stage: &Stage) -> Vec<String> {
    let stage = stage.fork();
    let mut found = Vec::new();
    for name in stage.world.families() {
        let Ok(family) = name.parse() else { continue };
        let planned =
            stage.reconciler.reconcile(&family, ReconcileAction::Plan, Urgency::Event, Deadline::none()).await;
        match planned {
            Ok(report) => {
                let rests = matches!(report.decision, Decision::UpToDate | Decision::Skip);
                let passes = report.reason.is_some_and(Reason::passes);
                if !rests || passes || !report.grants.is_empty() || report.log_group.is_some() {
                    let reason = report.reason.map(Reason::label);
                    let (decision, grants) = (report.decision.label(), report.grants.len());
                    found.push(format!("{name}: the plan is not empty: {decision}, {reason:?}, {grants} grants"));
                }
            }
            Err(error) => found.push(format!("{name}: cannot be planned: {error}")),
        }
    }
    found
}

/// That it stays so: each family is looked at once more by fresh functions, and a sweep goes over all, in a world of
/// their own. Nothing is written to ECS, IAM, ECR or CloudWatch Logs, and no message is left.
pub async fn stays(machine: &Machine) -> Vec<String> {
    let mut machine = machine.fork();
    let mut found = Vec::new();
    for family in machine.stage.world.families() {
        machine.event(&family);
    }
    machine.wake();
    machine.run_for(WATCHED).await;
    let calls = machine.stage.world.calls();
    let writes = calls.iter().filter(|call| is_write(call));
    found.extend(writes.map(|call| format!("another look wrote: {call}")));
    let left = machine.on_their_way("families") + machine.on_their_way("sweeps");
    if left + machine.dead.len() > 0 {
        let dead = machine.dead.len();
        found.push(format!("after another look {left} messages are on their way, and {dead} are dead letters"));
    }
    found
}

/// Whether the operator changes something that is the account's by this call.
pub fn is_write(call: &Call) -> bool {
    call.principal == SESSION && !NO_WRITES.iter().any(|name| call.operation.starts_with(name))
}
