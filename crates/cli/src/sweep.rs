//! `sweep`: has families looked at, or tells what would be done to them.
//!
//! Knows: what the sweep's function is asked and answers, and how a sweep's progress is seen. Must not know: which families
//! a sweep has looked at.

use crate::arguments::{AnswerFormat, SweepArguments};
use crate::columns::{self, Cell};
use crate::error::Error;
use crate::online::{Aws, Function, Stack};
use crate::progress::Progress;
use crate::status::{self, Totals};
use crate::{count, json};
use ecs_sidecar_aws::clock::Clock;
use ecs_sidecar_aws::sweep_state::{Phase, SweepState};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// How often a sweep's state is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// What the function answers about a sweep.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Begun {
    sweep: String,
    outcome: String,
    families: u64,
    pages: u64,
    queued: u64,
    #[serde(default)]
    policies_gone: Vec<String>,
}

/// What it answers where families are named.
#[derive(Deserialize)]
struct Queued {
    queued: u64,
    next: Option<String>,
}

/// What it answers to a plan.
#[derive(Deserialize)]
struct Planned {
    looked: u64,
    counts: Vec<Count>,
    next: Option<String>,
}

/// Families of one decision and reason.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
struct Count {
    decision: String,
    reason: Option<String>,
    count: u64,
    first: String,
}

/// The answer for machines about a sweep.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Swept {
    sweep: String,
    outcome: &'static str,
    /// Whether it was under way already; then another round follows it.
    joined: bool,
    families: u64,
    pages: u64,
    queued: u64,
    states: Totals,
    policies_gone: Vec<String>,
}

/// Does what is asked.
pub(crate) fn run(arguments: &SweepArguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let aws = Aws::connect(&arguments.stack.aws)?;
    let clock = Clock::of(&aws.config);
    aws.run(async {
        let stack = aws.stack(&arguments.stack).await?;
        if arguments.plan {
            return plan(arguments, &stack, out).await;
        }
        if !arguments.families.is_empty() {
            return look_at(arguments, &stack, out).await;
        }
        if arguments.no_wait {
            return begin(arguments, &stack, out).await;
        }
        sweep(arguments, &stack, &clock, out).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Has a sweep begin, and leaves it alone.
async fn begin(arguments: &SweepArguments, stack: &Stack, out: &mut dyn Write) -> Result<(), Error> {
    stack.start(Function::Sweep, &json!({ "action": "reconcile" })).await?;
    match arguments.format {
        AnswerFormat::Text => {
            writeln!(out, "a sweep is asked for; `ecs-sidecar status --watch` shows how it gets on")?;
        }
        AnswerFormat::Json => json::write(&json!({ "outcome": "asked" }), out)?,
    }
    Ok(())
}

/// Has a sweep begin, and waits for its end.
async fn sweep(arguments: &SweepArguments, stack: &Stack, clock: &Clock, out: &mut dyn Write) -> Result<(), Error> {
    let mut progress = Progress::new();
    let begun: Begun = {
        let payload = json!({ "action": "reconcile" });
        let mut answer = std::pin::pin!(stack.invoke(Function::Sweep, &payload));
        loop {
            match tokio::time::timeout(EVERY, answer.as_mut()).await {
                Ok(answer) => break stack.understood(Function::Sweep, &answer?)?,
                Err(_) if progress.is_watched() => progress.tell(&words(&stack.table.sweep_state().await?)),
                Err(_) => {}
            }
        }
    };
    let joined = begun.outcome == "joined";
    if joined {
        progress.clear();
        // Standard error may be closed; the answer is on standard output.
        let _ = writeln!(anstream::stderr().lock(), "a sweep is under way already; another round follows it");
    }
    let (mut pages, mut families, mut queued) = (begun.pages, begun.families, begun.queued);
    if begun.outcome != "finished" {
        let state = end_of(&begun.sweep, stack, clock, &mut progress).await?;
        // Where the next one has begun, what is known of this one is what its beginning told.
        if let Some(state) = state {
            (pages, families, queued) = (state.pages, state.families, state.queued);
        }
    }
    let rows = stack.table.rows().await?;
    drop(progress);
    let states = Totals::of(&rows);
    if arguments.format == AnswerFormat::Json {
        let Begun { sweep, policies_gone, .. } = begun;
        let swept = Swept { sweep, outcome: "finished", joined, families, pages, queued, states, policies_gone };
        json::write(&swept, out)?;
        return Ok(());
    }
    let (pages, families) = (count::pages(pages), count::families(families));
    writeln!(out, "swept: {pages}, {families}, {queued} queued to be looked at")?;
    status::totals(&states, rows.len() as u64, out)?;
    for policy in &begun.policies_gone {
        writeln!(out, "policy {policy} is gone")?;
    }
    if queued > 0 {
        writeln!(out, "`ecs-sidecar status --watch` shows how those that are queued get on")?;
    }
    Ok(())
}

/// Waits for the end of that sweep. `None`: the next one has begun since.
async fn end_of(run: &str, stack: &Stack, clock: &Clock, progress: &mut Progress) -> Result<Option<SweepState>, Error> {
    loop {
        let state = stack.table.sweep_state().await?;
        if state.run != run {
            return Ok(None);
        }
        if state.phase == Phase::Done {
            return Ok(Some(state));
        }
        if !state.is_under_way(clock.now()) {
            return Err(Error::CutOff { function: Function::Sweep.name(&stack.name) });
        }
        progress.during(&words(&state), tokio::time::sleep(EVERY)).await;
    }
}

/// How far a sweep has come.
fn words(state: &SweepState) -> String {
    let (pages, families, queued) = (count::pages(state.pages), count::families(state.families), state.queued);
    match state.phase {
        Phase::Listing => format!("sweeping: {pages}, {families}, {queued} queued"),
        Phase::Rows => format!("looking for what is due: {families}, {queued} queued"),
        Phase::Services => format!("looking through services: {}, {queued} queued", count::services(state.services)),
        Phase::Done => "having a sweep begin".to_owned(),
    }
}

/// Has the families that are named looked at.
async fn look_at(arguments: &SweepArguments, stack: &Stack, out: &mut dyn Write) -> Result<(), Error> {
    let (mut queued, mut from) = (0, None);
    let mut progress = Progress::new();
    loop {
        let payload = payload("reconcile", &arguments.families, from.as_deref());
        let asked = stack.invoke(Function::Sweep, &payload);
        let answer = progress.during(&format!("having families looked at: {queued} so far"), asked).await?;
        let answer: Queued = stack.understood(Function::Sweep, &answer)?;
        queued += answer.queued;
        match answer.next {
            Some(next) => from = Some(gets_on(stack, from.as_deref(), next)?),
            None => break,
        }
    }
    drop(progress);
    match arguments.format {
        AnswerFormat::Text if queued == 0 => writeln!(out, "no family with an ACTIVE revision has such a name")?,
        AnswerFormat::Text => {
            writeln!(out, "{queued} queued to be looked at; `ecs-sidecar status --watch` shows how they get on")?;
        }
        AnswerFormat::Json => json::write(&json!({ "outcome": "queued", "queued": queued }), out)?,
    }
    Ok(())
}

/// Tells what would be done.
async fn plan(arguments: &SweepArguments, stack: &Stack, out: &mut dyn Write) -> Result<(), Error> {
    let (mut looked, mut from) = (0, None);
    let mut counts: BTreeMap<(String, Option<String>), Count> = BTreeMap::new();
    let mut progress = Progress::new();
    loop {
        let payload = payload("plan", &arguments.families, from.as_deref());
        let asked = stack.invoke(Function::Sweep, &payload);
        let answer = progress.during(&format!("planning: {} so far", count::families(looked)), asked).await?;
        let answer: Planned = stack.understood(Function::Sweep, &answer)?;
        looked += answer.looked;
        for count in answer.counts {
            let all = counts.entry((count.decision.clone(), count.reason.clone()));
            // The families come in their order, so the first one stays.
            all.and_modify(|all| all.count += count.count).or_insert(count);
        }
        match answer.next {
            Some(next) => from = Some(gets_on(stack, from.as_deref(), next)?),
            None => break,
        }
    }
    drop(progress);
    let mut counts: Vec<Count> = counts.into_values().collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.count));
    match arguments.format {
        AnswerFormat::Text => table(&counts, looked, out)?,
        AnswerFormat::Json => json::write(&json!({ "looked": looked, "counts": counts }), out)?,
    }
    Ok(())
}

fn table(counts: &[Count], looked: u64, out: &mut dyn Write) -> std::io::Result<()> {
    let cells = |count: &Count| {
        let reason = count.reason.clone().unwrap_or_else(|| "-".to_owned());
        [Cell::number(count.count), count.decision.clone().into(), reason.into(), count.first.clone().into()]
    };
    if !counts.is_empty() {
        let rows: Vec<_> = counts.iter().map(cells).collect();
        columns::write(["COUNT", "DECISION", "REASON", "FIRST"], &rows, out)?;
    }
    match looked {
        0 => writeln!(out, "no family with an ACTIVE revision has such a name"),
        _ => writeln!(out, "{}; nothing was written", count::families(looked)),
    }
}

fn payload(action: &str, families: &[String], from: Option<&str>) -> Value {
    match from {
        Some(from) => json!({ "action": action, "families": families, "from": from }),
        None => json!({ "action": action, "families": families }),
    }
}

/// The family to go on with. An answer that leads back would be asked for ever.
fn gets_on(stack: &Stack, from: Option<&str>, next: String) -> Result<String, Error> {
    if from.is_some_and(|from| from >= next.as_str()) {
        return Err(Error::Answer { function: Function::Sweep.name(&stack.name) });
    }
    Ok(next)
}
