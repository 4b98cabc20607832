//! The four verbs: each reads a definition or looks it up, has core decide, and prints.

use crate::arguments::{Arguments, Format, PlanArguments};
use crate::diff;
use crate::error::Error;
use crate::input::{self, Input};
use crate::json;
use crate::lookup::{Looked, look};
use crate::settings::settings;
use crate::site::Site;
use crate::subject::Subject;
use ecs_sidecar_core::check::{self, Finding};
use ecs_sidecar_core::edit::PatchOperation;
use ecs_sidecar_core::observed::{ImageState, Observed};
use ecs_sidecar_core::plan::{self, Asked, Decision, Plan};
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::report::{Outcome, Report};
use serde::Serialize;
use serde_json::value::RawValue;
use std::io::{IsTerminal as _, Write};
use std::process::ExitCode;

/// `plan`: what would be done, and why.
pub(crate) fn plan(arguments: &PlanArguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let (input, plan) = decide(arguments, Asked::Inject)?;
    match arguments.arguments.format {
        Format::Text => diff::write(&input.definition, &plan, out)?,
        Format::Json => {
            let source = input.definition.described().arn.as_ref();
            json::write(&Report::new(&plan, source, &Outcome::of_plan_only(&plan)), out)?;
        }
        Format::Patch => patch(&input, &plan, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// `inject`: the definition with the sidecar.
pub(crate) fn inject(arguments: &PlanArguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    change(arguments, Asked::Inject, out)
}

/// `remove`: the definition without what was injected.
pub(crate) fn remove(arguments: &PlanArguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    change(arguments, Asked::Remove, out)
}

/// `check`: what ECS would refuse.
pub(crate) fn check(arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    #[derive(Serialize)]
    struct Answer<'a> {
        family: Option<&'a str>,
        findings: &'a [Finding],
    }
    let input = input::definition(&arguments.file)?;
    // Not needed for the judgement, but a policy that cannot be read is told whatever the verb.
    input::policy(&arguments.policy)?;
    let findings = check::check(&input.definition);
    let family = input.definition.family();
    match arguments.format {
        Format::Text => {
            for finding in &findings {
                writeln!(out, "{}: {} ({})", finding.path, finding.message, finding.rule)?;
            }
            let name = family.as_deref().unwrap_or("the definition");
            match findings.len() {
                0 => writeln!(out, "{name}: nothing that ECS is documented to refuse")?,
                1 => writeln!(out, "{name}: 1 finding")?,
                count => writeln!(out, "{name}: {count} findings")?,
            }
        }
        Format::Json | Format::Patch => json::write(&Answer { family: family.as_deref(), findings: &findings }, out)?,
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn change(arguments: &PlanArguments, asked: Asked, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let (input, plan) = decide(arguments, asked)?;
    match arguments.arguments.format {
        Format::Text | Format::Json => {
            out.write_all(plan.result.text().as_bytes())?;
            // A file that ends without a newline stays so; what was unpacked from an answer, and what a person looks
            // at, ends with one.
            let unpacked = !input.is_file || input.text != input.definition.text();
            if !plan.result.text().ends_with('\n') && (unpacked || std::io::stdout().is_terminal()) {
                writeln!(out)?;
            }
        }
        Format::Patch => patch(&input, &plan, out)?,
    }
    let mut notes = anstream::stderr().lock();
    // Standard error may be closed; the answer is on standard output.
    let _ = diff::headline(&plan, &mut notes).and_then(|()| diff::needs(&plan, &mut notes));
    Ok(ExitCode::SUCCESS)
}

fn decide(arguments: &PlanArguments, asked: Asked) -> Result<(Input, Plan), Error> {
    let (input, mut plan) = match Subject::of(&arguments.arguments.file, arguments.stack.as_deref())? {
        Subject::File(_) => decide_on_file(&arguments.arguments, asked)?,
        Subject::InAws(named) => {
            let Looked { observed, plan: settings } = look(arguments, &named, asked)?;
            let plan = plan::plan(&observed, &settings);
            let definition = observed.definition;
            // It is in register form already; what is printed of it ends with a newline, as no file's would.
            (Input { text: definition.text().to_owned(), definition, is_file: false }, plan)
        }
    };
    let broken = check::check(&input.definition).len();
    if broken > 0 && plan.decision != Decision::Skip {
        plan.notes
            .push(format!("ECS would refuse this definition as it is: `ecs-sidecar check` has {broken} finding(s)"));
    }
    Ok((input, plan))
}

fn decide_on_file(arguments: &Arguments, asked: Asked) -> Result<(Input, Plan), Error> {
    let input = input::definition(&arguments.file)?;
    let settings = settings(arguments, asked)?;
    let (site, unknown) = match Site::find(arguments, &input.definition) {
        Ok(site) => (site, None),
        Err(error) => (Site::nowhere(), Some(error)),
    };
    let prefix = arguments.cache_prefix.clone();
    let mut observed = Observed::unchecked(site.account, site.region, input.definition.clone(), prefix);
    observed.registry = arguments.registry_account.clone().unwrap_or(observed.registry);
    observed.image = ImageState::NotChecked(arguments.image_digest.clone());
    let plan = plan::plan(&observed, &settings);
    // A removal, an opt-out and most skips are the same wherever the tasks run.
    let anywhere = plan.decision == Decision::Remove
        || plan.decision == Decision::Skip && plan.reason != Some(Reason::RoleOtherAccount);
    if let Some(error) = unknown.filter(|_| !anywhere) {
        return Err(error);
    }
    Ok((input, plan))
}

/// The patch from the file as it is to the plan's result. Where the file is not in register form, the first operation
/// brings it there as a whole.
fn patch(input: &Input, plan: &Plan, out: &mut dyn Write) -> Result<(), Error> {
    let register_form = input.definition.text();
    let mut operations = Vec::new();
    if input.text != register_form {
        let value = RawValue::from_string(register_form.trim().to_owned()).expect("a definition's text is JSON");
        operations.push(PatchOperation { op: "replace", path: String::new(), value: Some(value) });
    }
    operations.extend(plan.patch(&input.definition));
    json::write(&operations, out)
}
