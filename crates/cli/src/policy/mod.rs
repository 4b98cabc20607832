//! `policy`: those of an operator, policies by themselves, and which of them wins for a definition.

mod apply;
mod delete;
mod explain;
mod get;
mod validate;

use crate::arguments::PolicyVerb;
use crate::error::Error;
use crate::json;
use ecs_sidecar_core::policy::schema;
use std::io::Write;
use std::process::ExitCode;

/// Runs one of the verbs.
pub(crate) fn run(verb: &PolicyVerb, out: &mut dyn Write) -> Result<ExitCode, Error> {
    match verb {
        PolicyVerb::Apply(arguments) => apply::run(arguments, out),
        PolicyVerb::Get(arguments) => get::get(arguments, out),
        PolicyVerb::List(arguments) => get::list(arguments, out),
        PolicyVerb::Delete(arguments) => delete::run(arguments, out),
        PolicyVerb::Validate(arguments) => validate::run(arguments, out),
        PolicyVerb::Schema => json::write(&schema(), out).map(|()| ExitCode::SUCCESS),
        PolicyVerb::Explain(arguments) => explain::run(arguments, out),
    }
}
