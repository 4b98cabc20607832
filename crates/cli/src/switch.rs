//! `pause` and `resume`: the operator's switch.

use crate::age::since;
use crate::arguments::{AnswerFormat, PauseArguments, ResumeArguments, StackArguments};
use crate::error::Error;
use crate::json;
use crate::online::Aws;
use ecs_sidecar_aws::clock::Clock;
use ecs_sidecar_aws::standing::Switch;
use serde::Serialize;
use std::io::Write;
use std::process::ExitCode;

/// How often the switch is thrown while others throw it too.
const ATTEMPTS: u32 = 3;

/// The answer for machines, named as the operator's table has it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    paused: bool,
    /// Whether it was otherwise before.
    changed: bool,
    paused_because: Option<&'a str>,
    uninstalling: bool,
    changed_at: Option<u64>,
    changed_by: Option<&'a str>,
}

/// What came of throwing the switch.
struct Thrown {
    switch: Switch,
    changed: bool,
    now: u64,
}

/// `pause`: nothing is written until somebody resumes.
pub(crate) fn pause(arguments: &PauseArguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let because = arguments.because.as_deref();
    let Thrown { switch, changed, now } = throw(&arguments.stack, true, because)?;
    if arguments.format == AnswerFormat::Json {
        return in_json(&switch, changed, out);
    }
    if changed {
        writeln!(
            out,
            "paused: nothing is written to ECS and IAM from now on; what is under way may still be finished"
        )?;
        writeln!(out, "`ecs-sidecar resume` ends it")?;
    } else {
        writeln!(out, "it is paused already, {}", told(&switch, now))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `resume`: what waited is looked at.
pub(crate) fn resume(arguments: &ResumeArguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let Thrown { switch, changed, now } = throw(&arguments.stack, false, None)?;
    if arguments.format == AnswerFormat::Json {
        return in_json(&switch, changed, out);
    }
    if changed {
        writeln!(out, "resumed: a sweep has what waited looked at; `ecs-sidecar status --watch` shows how it gets on")?;
    } else if switch.changed_at.is_some() {
        writeln!(out, "it is not paused; the switch was last thrown {}", told(&switch, now))?;
    } else {
        writeln!(out, "it is not paused, and never was")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `since 3h, by ARN: why`.
pub(crate) fn told(switch: &Switch, now: u64) -> String {
    let mut text = match switch.changed_at {
        Some(at) => format!("{} ago", since(at, now)),
        None => "at some time".to_owned(),
    };
    if let Some(by) = &switch.changed_by {
        text.push_str(&format!(", by {by}"));
    }
    if let Some(because) = &switch.because {
        text.push_str(&format!(": {because}"));
    }
    text
}

/// Throws the switch, unless it is as wanted.
fn throw(arguments: &StackArguments, paused: bool, because: Option<&str>) -> Result<Thrown, Error> {
    let aws = Aws::connect(&arguments.aws)?;
    let clock = Clock::of(&aws.config);
    aws.run(async {
        let table = aws.stack(arguments).await?.table;
        for _ in 0..ATTEMPTS {
            let switch = table.switch().await?;
            if switch.paused == paused {
                return Ok(Thrown { switch, changed: false, now: clock.now() });
            }
            let caller = aws.caller().await?;
            let change = |switch: &mut Switch| {
                switch.paused = paused;
                switch.because = because.map(str::to_owned);
            };
            if table.set_switch(&caller, change).await? {
                return Ok(Thrown { switch: table.switch().await?, changed: true, now: clock.now() });
            }
        }
        Err(Error::SwitchMoved)
    })
}

fn in_json(switch: &Switch, changed: bool, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let answer = Answer {
        paused: switch.paused,
        changed,
        paused_because: switch.because.as_deref(),
        uninstalling: switch.uninstalling,
        changed_at: switch.changed_at,
        changed_by: switch.changed_by.as_deref(),
    };
    json::write(&answer, out)?;
    Ok(ExitCode::SUCCESS)
}
