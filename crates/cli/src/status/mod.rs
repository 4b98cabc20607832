//! `status`: how the families stand, as the operator's table has it. Nothing is asked of ECS, but for `--pinned`.
//!
//! Knows: which families are shown, and when again. Must not know: how states come about.

mod answer;
mod pinned;
mod services;
mod table;

use crate::arguments::{StatusArguments, StatusFormat};
use crate::error::Error;
use crate::online::{Aws, Stack};
use crate::progress::Progress;
use answer::Answer;
pub(crate) use answer::{Totals, state};
use ecs_sidecar_aws::clock::Clock;
use ecs_sidecar_aws::rows::Row;
use ecs_sidecar_core::bounds::matches_any;
use ecs_sidecar_core::state::State;
use services::Service;
use std::io::{IsTerminal as _, Write};
use std::process::ExitCode;
use std::time::Duration;
pub(crate) use table::totals;

/// How often a watcher looks.
const EVERY: Duration = Duration::from_secs(2);

/// Clears the screen, and begins at its top.
const CLEAR_SCREEN: &[u8] = b"\x1b[H\x1b[2J";

/// Shows the families that are asked for, once or again and again.
pub(crate) fn run(arguments: &StatusArguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let aws = Aws::connect(&arguments.stack.aws)?;
    let clock = Clock::of(&aws.config);
    if arguments.pinned {
        aws.run(pinned::run(arguments, &aws, out))?;
        return Ok(ExitCode::SUCCESS);
    }
    aws.run(async {
        let mut progress = Progress::new();
        let stack = progress.during("reading the operator's table", aws.stack(&arguments.stack)).await?;
        if arguments.watch {
            drop(progress);
            return watch(arguments, &stack, &clock, out).await;
        }
        let answer = progress.during("reading the operator's table", look(arguments, &stack, &clock)).await?;
        drop(progress);
        match arguments.format {
            StatusFormat::Table => table::write(&answer, clock.now(), out)?,
            StatusFormat::Json => writeln!(out, "{}", answer.pretty())?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Shows it until nobody reads any more.
async fn watch(
    arguments: &StatusArguments,
    stack: &Stack,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<ExitCode, Error> {
    let is_shown = arguments.format == StatusFormat::Table && std::io::stdout().is_terminal();
    let mut before = String::new();
    loop {
        let answer = look(arguments, stack, clock).await?;
        if is_shown {
            // Past what strips colours: without it the screen would be no screen.
            std::io::stdout().write_all(CLEAR_SCREEN)?;
            table::write(&answer, clock.now(), out)?;
        } else {
            let line = answer.line();
            if line != before {
                writeln!(out, "{line}")?;
                before = line;
            }
        }
        out.flush()?;
        tokio::time::sleep(EVERY).await;
    }
}

async fn look(arguments: &StatusArguments, stack: &Stack, clock: &Clock) -> Result<Answer, Error> {
    let standing = stack.table.standing(&stack.settings).await?;
    let sweep = stack.table.sweep_state().await?;
    let services = services::asked_for(stack.table.service_rows().await?, arguments);
    let rows = stack.table.rows().await?;
    let known = rows.len();
    let mut rows: Vec<Row> = rows.into_iter().filter(|row| is_asked_for(row, arguments)).collect();
    rows.sort_by(|one, other| (rank(state(one)), &one.family).cmp(&(rank(state(other)), &other.family)));
    let answer = Answer::new(stack, &standing, &sweep, &rows, known, clock.now());
    Ok(Answer { services: services.iter().map(Service::new).collect(), ..answer })
}

fn is_asked_for(row: &Row, arguments: &StatusArguments) -> bool {
    let is = |found: &Option<String>, wanted: &String| found.as_ref() == Some(wanted);
    let told = &row.told;
    let of = |policy: &String| is(&told.policy, policy) || is(&told.injected, policy);
    (arguments.families.is_empty() || matches_any(&arguments.families, &row.family))
        && arguments.policy.as_ref().is_none_or(of)
        && arguments.reason.as_ref().is_none_or(|reason| is(&told.reason, reason))
        && (arguments.states.is_empty() || arguments.states.contains(&state(row)))
}

/// What a person wants to see first.
fn rank(state: State) -> u8 {
    match state {
        State::Failing => 0,
        State::Pending => 1,
        State::Outdated => 2,
        State::Covered => 3,
        State::Skipped => 4,
        State::Gone => 5,
    }
}
