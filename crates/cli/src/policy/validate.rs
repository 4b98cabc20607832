//! `policy validate`: whether files are policies, and what in them is probably not meant.

use crate::arguments::{PolicyFormat, ValidateArguments};
use crate::error::Error;
use crate::{input, json};
use anstyle::{AnsiColor, Style};
use ecs_sidecar_core::policy::{Advice, Policy, PolicyError, advice};
use serde::Serialize;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// What there is to say of a file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Judged {
    file: String,
    /// The policy's name, if it is one.
    policy: Option<String>,
    valid: bool,
    error: Option<Fault>,
    warnings: Vec<Advice>,
}

/// Why a file is no policy.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fault {
    /// Path in the document; absent if there is no document.
    place: Option<String>,
    message: String,
    hint: Option<String>,
}

/// Judges the files in the order in which they are named. 1 if one of them is no policy, 2 if one cannot be read.
pub(crate) fn run(arguments: &ValidateArguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let mut judged = Vec::new();
    let mut code = 0;
    for path in &arguments.files {
        let read = input::policy_file(path);
        code = code.max(read.as_ref().err().map_or(0, Error::code));
        match arguments.format {
            PolicyFormat::Text => tell(path, &read, out)?,
            PolicyFormat::Json => judged.push(judge(path, &read)),
        }
    }
    if arguments.format == PolicyFormat::Json {
        json::write(&judged, out)?;
    }
    Ok(ExitCode::from(code))
}

fn tell(path: &Path, read: &Result<Policy, Error>, out: &mut dyn Write) -> Result<(), Error> {
    match read {
        Ok(policy) => {
            writeln!(out, "{}: policy {} is valid", input::name(path), policy.name())?;
            for Advice { place, message } in advice(policy) {
                writeln!(out, "  {WARNING}warning:{WARNING:#} {place}: {message}")?;
            }
        }
        Err(error) => error.tell(&mut anstream::stderr().lock()),
    }
    Ok(())
}

fn judge(path: &Path, read: &Result<Policy, Error>) -> Judged {
    let file = input::name(path);
    match read {
        Ok(policy) => {
            let (name, warnings) = (Some(policy.name().to_owned()), advice(policy));
            Judged { file, policy: name, valid: true, error: None, warnings }
        }
        Err(error) => {
            let (place, message) = if let Error::Policy { source, .. } = error
                && let PolicyError::Document { place, problem } = source.as_ref()
            {
                (Some(place.clone()), problem.clone())
            } else {
                (None, error.with_causes())
            };
            Judged {
                file,
                policy: None,
                valid: false,
                error: Some(Fault { place, message, hint: error.hint() }),
                warnings: Vec::new(),
            }
        }
    }
}
