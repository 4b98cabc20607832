//! `ecs-sidecar`: the operator's decisions on the command line, for files and pipelines, and a doctor for networks.
//!
//! Exit codes: 0 done or nothing to do, 1 the input is at fault, 2 anything else.

mod age;
mod arguments;
mod columns;
mod confirm;
mod count;
mod diff;
mod doctor;
mod error;
mod families;
mod input;
mod json;
mod lookup;
mod mask;
mod online;
mod permissions;
mod policy;
mod progress;
mod reconcile;
mod reference;
mod revision;
mod rollout;
mod settings;
mod site;
mod status;
mod subject;
mod sweep;
mod switch;
mod tree;
mod uninstall;
mod verbs;
mod wait;

use arguments::{Cli, Verb};
use clap::{CommandFactory as _, Parser as _};
use error::Error;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.color.write_global();
    let mut stdout = anstream::stdout().lock();
    let done = run(cli.verb, &mut stdout).and_then(|code| stdout.flush().map_err(Error::Write).map(|()| code));
    match done {
        Ok(code) => code,
        // Whoever reads has had enough, as `head` does.
        Err(Error::Write(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            error.tell(&mut anstream::stderr().lock());
            error.exit_code()
        }
    }
}

fn run(verb: Verb, out: &mut dyn std::io::Write) -> Result<ExitCode, Error> {
    match verb {
        Verb::Plan(arguments) => verbs::plan(&arguments, out),
        Verb::Inject(arguments) => verbs::inject(&arguments, out),
        Verb::Remove(arguments) => verbs::remove(&arguments, out),
        Verb::Check(arguments) => verbs::check(&arguments, out),
        Verb::Doctor(arguments) => doctor::run(&arguments, out),
        Verb::Status(arguments) => status::run(&arguments, out),
        Verb::Wait(arguments) => wait::run(&arguments, out),
        Verb::Pause(arguments) => switch::pause(&arguments, out),
        Verb::Resume(arguments) => switch::resume(&arguments, out),
        Verb::Sweep(arguments) => sweep::run(&arguments, out),
        Verb::Reconcile(arguments) => reconcile::run(&arguments, out),
        Verb::Rollout(arguments) => rollout::run(&arguments, out),
        Verb::Policy { verb } => policy::run(&verb, out),
        Verb::Uninstall(arguments) => uninstall::run(&arguments, out),
        Verb::Permissions { verb } => permissions::run(&verb, out),
        Verb::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "ecs-sidecar", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Verb::Reference { topic } => reference::write(topic, out).map(|()| ExitCode::SUCCESS),
    }
}
