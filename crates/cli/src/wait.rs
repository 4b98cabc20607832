//! `wait`: until the operator has dealt with a revision.
//!
//! Knows: what a family's row says of a revision. Must not know: how the operator comes to it.

use crate::arguments::{AnswerFormat, WaitArguments};
use crate::error::Error;
use crate::online::{Aws, Stack};
use crate::progress::Progress;
use crate::revision::short;
use crate::{json, switch};
use ecs_sidecar_aws::clock::Clock;
use ecs_sidecar_aws::rows::Row;
use ecs_sidecar_aws::settings::Writes;
use ecs_sidecar_core::ids::Arn;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::state::State;
use serde::Serialize;
use std::cmp::Ordering;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often the row is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// What a row says of a revision.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing yet; in which state it is meanwhile.
    NotYet(String),
    /// This one has the sidecar. With a reason, if its newest wish could not be fulfilled.
    Patched(String, Option<Why>),
    /// It is left alone.
    LeftAlone(Why),
    /// The owner registered this one since.
    Superseded(String),
}

/// Why a revision is left alone.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Why {
    state: &'static str,
    reason: String,
    message: String,
}

/// The answer for machines.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    revision: &'a str,
    outcome: &'static str,
    /// What is to be deployed, if anything is.
    task_definition: Option<&'a str>,
    #[serde(flatten)]
    why: Option<&'a Why>,
}

/// Waits and tells. 1 if there is nothing to deploy.
pub(crate) fn run(arguments: &WaitArguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let aws = Aws::connect(&arguments.stack.aws)?;
    let clock = Clock::of(&aws.config);
    let (arn, verdict) = aws.run(async {
        let stack = aws.stack(&arguments.stack).await?;
        let arn = arguments.revision.arn(&stack.settings)?;
        let verdict = wait(arguments, &stack, &arn, &clock).await?;
        Ok::<_, Error>((arn, verdict))
    })?;
    let itself = arguments.or_itself.then_some(arn.as_str());
    let (outcome, deploy, why) = match &verdict {
        Verdict::NotYet(stands) => return Err(too_late(arguments, stands)),
        Verdict::Patched(patched, why) => ("patched", Some(patched.as_str()), why.as_ref()),
        Verdict::LeftAlone(why) => ("leftAlone", itself, Some(why)),
        Verdict::Superseded(_) => ("superseded", None, None),
    };
    tell(&arn, &verdict);
    match arguments.format {
        AnswerFormat::Text => deploy.map_or(Ok(()), |deploy| writeln!(out, "{deploy}"))?,
        AnswerFormat::Json => {
            let answer = Answer { revision: arn.as_str(), outcome, task_definition: deploy, why };
            json::write(&answer, out)?;
        }
    }
    Ok(if deploy.is_some() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn wait(arguments: &WaitArguments, stack: &Stack, arn: &Arn, clock: &Clock) -> Result<Verdict, Error> {
    let revision = &arguments.revision;
    let until = Instant::now() + Duration::from_secs(u64::from(arguments.timeout));
    let mut progress = Progress::new();
    let (mut first_seen, mut pause_is_told) = (None, false);
    loop {
        let row = stack.table.row(&revision.family).await?;
        let before = *first_seen.get_or_insert(row.seen_at);
        let verdict = judge(&row, arn, revision.number, stack.settings.writes, before);
        let Verdict::NotYet(stands) = &verdict else { return Ok(verdict) };
        let switch = stack.table.switch().await?;
        if switch.paused && !pause_is_told {
            progress.clear();
            note(&format!("the operator was paused {}; waiting", switch::told(&switch, clock.now())));
        }
        pause_is_told = switch.paused;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(verdict);
        }
        let text = format!("waiting for {}:{}: {stands}", revision.family, revision.number);
        progress.during(&text, tokio::time::sleep(EVERY.min(left))).await;
    }
}

/// What a row says of a revision. `before`: when the family had last been looked at when the waiting began.
fn judge(row: &Row, arn: &Arn, number: u64, writes: Writes, before: Option<u64>) -> Verdict {
    let told = &row.told;
    if told.patched.as_deref() == Some(arn.as_str()) {
        return Verdict::Patched(arn.to_string(), None);
    }
    let source = told.source.as_deref().and_then(|source| Some((source, source.parse::<Arn>().ok()?.revision()?.1)));
    match source.map(|(source, of)| (source, of.cmp(&number))) {
        Some((source, Ordering::Greater)) => Verdict::Superseded(source.to_owned()),
        Some((_, Ordering::Equal)) => judge_seen(row, arn, writes),
        // A failure keeps what was known before it. One that came while we wait is of this revision.
        Some((_, Ordering::Less)) | None => match row.state {
            Some(State::Failing | State::Gone) if row.seen_at != before => Verdict::LeftAlone(why(row)),
            Some(state @ (State::Failing | State::Pending)) => {
                Verdict::NotYet(format!("its family is {state} ({})", reason(row)))
            }
            Some(State::Covered | State::Outdated | State::Skipped | State::Gone) | None => {
                Verdict::NotYet("the operator has not looked at it yet".to_owned())
            }
        },
    }
}

/// The same for the revision that the row is about.
fn judge_seen(row: &Row, arn: &Arn, writes: Writes) -> Verdict {
    let patched = row.told.patched.clone();
    match row.state {
        // Somebody else's injection is just as wanted.
        Some(State::Covered | State::Outdated) => Verdict::Patched(patched.unwrap_or_else(|| arn.to_string()), None),
        Some(State::Skipped | State::Failing | State::Gone) => match patched {
            // An earlier look has made it, and it is the newest.
            Some(patched) => Verdict::Patched(patched, Some(why(row))),
            None => Verdict::LeftAlone(why(row)),
        },
        Some(State::Pending) | None if writes == Writes::Forbidden => {
            let message = "the operator is in audit mode: it reports and writes nothing".to_owned();
            Verdict::LeftAlone(Why { state: State::Pending.label(), reason: "audit".to_owned(), message })
        }
        Some(State::Pending) | None => Verdict::NotYet(format!("it is pending ({})", reason(row))),
    }
}

fn reason(row: &Row) -> &str {
    row.told.reason.as_deref().unwrap_or("under way")
}

fn why(row: &Row) -> Why {
    let state = crate::status::state(row).label();
    let (reason, message) = (row.told.reason.clone(), row.told.message.clone());
    Why { state, reason: reason.unwrap_or_else(|| state.to_owned()), message: message.unwrap_or_default() }
}

/// What came of it, on standard error.
fn tell(arn: &Arn, verdict: &Verdict) {
    let revision = short(arn.as_str());
    match verdict {
        Verdict::NotYet(_) | Verdict::Patched(_, None) => {}
        Verdict::Patched(patched, Some(why)) => {
            note(&format!("{revision} has its sidecar in {}, though it is {}", short(patched), words(why)));
        }
        Verdict::LeftAlone(why) => note(&format!("{revision} is left alone: it is {}", words(why))),
        Verdict::Superseded(by) => {
            note(&format!("{revision} is superseded by {}, which was registered since", short(by)))
        }
    }
}

/// `skipped (notRequested): the message`, and what the reason means.
fn words(why: &Why) -> String {
    let Why { state, reason, message } = why;
    let meaning = Reason::ALL.iter().find(|known| known.label() == reason).map(|known| known.meaning());
    let mut text = format!("{state} ({reason})");
    if !message.is_empty() {
        text.push_str(&format!(": {message}"));
    }
    if let Some(meaning) = meaning.filter(|meaning| meaning != message) {
        text.push_str(&format!("\n  {reason}: {meaning}"));
    }
    text
}

fn note(text: &str) {
    // Standard error may be closed; the answer is on standard output.
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

fn too_late(arguments: &WaitArguments, stands: &str) -> Error {
    let revision = &arguments.revision;
    Error::NotInTime {
        revision: format!("{}:{}", revision.family, revision.number),
        family: revision.family.to_string(),
        seconds: arguments.timeout,
        stands: stands.to_owned(),
    }
}
