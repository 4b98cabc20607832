//! `reconcile`: has the operator's function work on a family, and tells its report.
//!
//! Knows: what a report says. Must not know: how a family is reconciled.

use crate::arguments::{AnswerFormat, ReconcileArguments};
use crate::error::Error;
use crate::json;
use crate::online::{Aws, Function};
use crate::progress::Progress;
use crate::revision::{Named, short};
use anstyle::{AnsiColor, Style};
use ecs_sidecar_core::state::State;
use serde::Deserialize;
use serde_json::json;
use std::io::Write;
use std::process::ExitCode;

const STRONG: Style = Style::new().bold();
const FAILING: Style = AnsiColor::Red.on_default().bold();

/// A report, as far as people are told. Words that this program does not know are told as they are.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    family: Option<String>,
    state: String,
    decision: String,
    reason: Option<String>,
    #[serde(default)]
    message: String,
    policy: Option<String>,
    registered: Option<String>,
    #[serde(default)]
    deregistered: Vec<String>,
    #[serde(default)]
    edits: Vec<Edit>,
    fetch: Option<Fetch>,
    log_group: Option<String>,
    #[serde(default)]
    grants: Vec<Grant>,
    #[serde(default)]
    notes: Vec<String>,
    outcome: String,
    again_in_seconds: Option<u64>,
}

#[derive(Deserialize)]
struct Edit {
    op: String,
    path: String,
    reason: String,
}

#[derive(Deserialize)]
struct Fetch {
    image: String,
    repository: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Grant {
    role: String,
    policy_arn: String,
}

/// Asks and tells. 1 if the family is failing.
pub(crate) fn run(arguments: &ReconcileArguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let aws = Aws::connect(&arguments.stack.aws)?;
    aws.run(async {
        let stack = aws.stack(&arguments.stack).await?;
        let action = if arguments.plan { "plan" } else { "reconcile" };
        let (payload, name) = match &arguments.family {
            Named::Family(family) => (json!({ "action": action, "family": family }), family),
            Named::Revision(revision) => {
                let arn = revision.arn(&stack.settings)?;
                (json!({ "action": action, "taskDefinition": arn }), &revision.family)
            }
        };
        let asked = stack.invoke(Function::Reconcile, &payload);
        let answer = Progress::new().during(&format!("the operator works on {name}"), asked).await?;
        let told: Told = stack.understood(Function::Reconcile, &answer)?;
        match arguments.format {
            AnswerFormat::Text => write(&told, arguments.plan, out)?,
            AnswerFormat::Json => json::write(&answer, out)?,
        }
        Ok(if told.state == State::Failing.label() { ExitCode::from(1) } else { ExitCode::SUCCESS })
    })
}

fn write(told: &Told, plan: bool, out: &mut dyn Write) -> std::io::Result<()> {
    let family = told.family.as_deref().unwrap_or("the family");
    write!(out, "{STRONG}{family}{STRONG:#}: {}", deed(told))?;
    if let Some(registered) = &told.registered {
        write!(out, ", registered {}", short(registered))?;
    } else if !["nothing", "registered", "deregistered"].contains(&told.outcome.as_str()) {
        write!(out, ", {}", told.outcome)?;
    }
    if !told.deregistered.is_empty() {
        let arns: Vec<&str> = told.deregistered.iter().map(|arn| short(arn)).collect();
        write!(out, ", deregistered {}", arns.join(", "))?;
    }
    match &told.reason {
        Some(reason) if told.decision != "upToDate" && told.message.is_empty() => writeln!(out, " ({reason})")?,
        Some(reason) if told.decision != "upToDate" => writeln!(out, " ({reason}): {}", told.message)?,
        Some(_) | None => writeln!(out)?,
    }
    if told.state == State::Failing.label() {
        writeln!(out, "  {FAILING}failing{FAILING:#}: it stays as it is, and is tried again later")?;
    }
    // What was done is in the definition; what would be is nowhere else.
    for edit in told.edits.iter().filter(|_| plan) {
        writeln!(out, "  {} {}: {}", edit.op, edit.path, edit.reason)?;
    }
    for Grant { role, policy_arn } in &told.grants {
        writeln!(out, "  grant: {policy_arn} to {role}")?;
    }
    if let Some(Fetch { image, repository }) = &told.fetch {
        writeln!(out, "  image: {image} into {repository}")?;
    }
    if let Some(group) = &told.log_group {
        writeln!(out, "  log group: {group}")?;
    }
    for note in &told.notes {
        writeln!(out, "  note: {note}")?;
    }
    if let Some(seconds) = told.again_in_seconds {
        writeln!(out, "  the operator goes on with it by itself in {seconds} s")?;
    }
    Ok(())
}

/// What was decided, in the words of `plan`.
fn deed(told: &Told) -> String {
    let policy = told.policy.as_deref().unwrap_or_default();
    match told.decision.as_str() {
        "inject" | "update" | "remove" => format!("{} {policy}", told.decision),
        "upToDate" => format!("up to date with {policy}"),
        "skip" => "left alone".to_owned(),
        "fetch" => format!("fetch the image of {policy}"),
        other => other.to_owned(),
    }
}
