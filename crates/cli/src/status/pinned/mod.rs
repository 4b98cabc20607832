//! `status --pinned`: what starts tasks from a revision that the operator patched, and how to move it.
//!
//! Rules, schedules and state machines often name a revision by its number, and never come to start the patched one.
//! Knows: where to look, as the caller may. Must not know: how anything is moved but by whoever reads this; it only reads.
//! What may not be looked at hides nothing else.

mod command;
mod found;
mod judge;
mod machines;
mod rules;
mod schedules;
mod told;

use crate::arguments::{StatusArguments, StatusFormat};
use crate::error::Error;
use crate::json;
use crate::online::{Aws, Stack};
use crate::progress::Progress;
use ecs_sidecar_aws::ecs::Ecs;
use ecs_sidecar_aws::meter::Meter;
use ecs_sidecar_core::bounds::matches_any;
use found::{Looked, Refused};
use judge::{Pin, Rows};
use serde::Serialize;
use std::io::Write;

/// How many calls are under way at a time: far below what the services let an account have in a second.
const AT_ONCE: usize = 8;

/// All of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    pinned: Vec<Moved>,
    looked_at: LookedAt,
    not_looked_at: Vec<Refused>,
}

/// A pin, and how to move it.
#[derive(Serialize)]
struct Moved {
    #[serde(flatten)]
    pin: Pin,
    /// For bash; `null` where nobody may move it.
    command: Option<String>,
}

/// How much there is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LookedAt {
    rules: usize,
    schedules: usize,
    state_machines: usize,
}

/// Shows what pins revisions of the families that are asked for.
pub(super) async fn run(arguments: &StatusArguments, aws: &Aws, out: &mut dyn Write) -> Result<(), Error> {
    let mut progress = Progress::new();
    let reading = "reading the operator's table";
    let stack = progress.during(reading, aws.stack(&arguments.stack)).await?;
    let rows = progress.during(reading, rows(arguments, &stack)).await?;
    let rules = progress.during("looking through EventBridge's rules", rules::look(&aws.config)).await;
    let schedules = progress.during("looking through schedules", schedules::look(&aws.config)).await;
    let machines = progress.during("looking through state machines", machines::look(&aws.config)).await;
    let looked_at = LookedAt { rules: rules.seen, schedules: schedules.seen, state_machines: machines.seen };
    let mut all = Looked::default();
    for looked in [rules, schedules, machines] {
        all.found.extend(looked.found);
        all.refused.extend(looked.refused);
    }
    let ecs = Ecs::new(&aws.config, Vec::new(), Meter::default());
    let judging = judge::judge(std::mem::take(&mut all.found), &rows, &stack.settings, &ecs);
    let (pins, failed) = progress.during("looking at revisions", judging).await;
    failed.iter().for_each(|error| all.refuse("ecs:DescribeTaskDefinition", error));
    drop(progress);
    let moved = |pin| Moved { command: command::command(&pin, &aws.region, &arguments.stack.aws), pin };
    let answer = Answer { pinned: pins.into_iter().map(moved).collect(), looked_at, not_looked_at: all.refused };
    match arguments.format {
        StatusFormat::Table => told::write(&answer, out).map_err(Error::Write),
        StatusFormat::Json => json::write(&answer, out),
    }
}

async fn rows(arguments: &StatusArguments, stack: &Stack) -> Result<Rows, Error> {
    let rows = stack.table.rows().await?;
    let is_asked_for = |family: &str| arguments.families.is_empty() || matches_any(&arguments.families, family);
    Ok(rows.into_iter().filter(|row| is_asked_for(&row.family)).map(|row| (row.family.clone(), row)).collect())
}
