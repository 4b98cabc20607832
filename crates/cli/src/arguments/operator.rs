//! What can be said to the operator: how it is looked at, waited for, stopped and woken.

use super::StackArguments;
use crate::revision::{Named, Revision};
use crate::rollout::NamedService;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, ValueEnum};
use ecs_sidecar_core::state::State;

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// Families, by globs (* and ?) [default: all]
    #[arg(value_name = "FAMILY-GLOB")]
    pub(crate) families: Vec<String>,

    /// Only families that this policy decided on, or whose sidecar is of it
    #[arg(long, value_name = "NAME")]
    pub(crate) policy: Option<String>,

    /// Only families with this reason, or kind of failure
    #[arg(long, value_name = "CODE")]
    pub(crate) reason: Option<String>,

    /// Only families in one of these states
    #[arg(long = "state", value_name = "STATE,...", value_delimiter = ',', value_parser = states())]
    pub(crate) states: Vec<State>,

    /// Show what pins a revision that the operator patched: rules, schedules and state machines, with the command that
    /// moves each
    #[arg(long, conflicts_with_all = ["policy", "reason", "states", "watch"])]
    pub(crate) pinned: bool,

    /// Show it again whenever it changes, until Ctrl-C
    #[arg(long, help_heading = "Output")]
    pub(crate) watch: bool,

    /// How the answer is printed; with --watch, and not to a terminal, always JSON, one document to a line
    #[arg(long, value_name = "FORMAT", default_value = "table", help_heading = "Output")]
    pub(crate) format: StatusFormat,

    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Debug, Args)]
pub(crate) struct WaitArguments {
    /// Revision that was registered
    #[arg(value_name = "ARN|FAMILY:REVISION")]
    pub(crate) revision: Revision,

    /// For how long to wait; 0 looks once
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    pub(crate) timeout: u32,

    /// Print the revision itself where the operator leaves it alone
    #[arg(long)]
    pub(crate) or_itself: bool,

    /// How the answer is printed
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    pub(crate) format: AnswerFormat,

    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PauseArguments {
    /// Why, for whoever asks
    #[arg(long, value_name = "TEXT")]
    pub(crate) because: Option<String>,

    /// How the answer is printed
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    pub(crate) format: AnswerFormat,

    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArguments {
    /// How the answer is printed
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    pub(crate) format: AnswerFormat,

    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Debug, Args)]
pub(crate) struct SweepArguments {
    /// Families, by globs (* and ?), which are looked at whatever is known of them [default: those that have changed, or
    /// are due]
    #[arg(value_name = "FAMILY-GLOB")]
    pub(crate) families: Vec<String>,

    /// Tell what would be done, and write nothing
    #[arg(long)]
    pub(crate) plan: bool,

    /// Do not wait for the end of the sweep
    #[arg(long, conflicts_with = "plan")]
    pub(crate) no_wait: bool,

    /// How the answer is printed
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    pub(crate) format: AnswerFormat,

    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ReconcileArguments {
    /// Family, by its name or by a revision of it; the newest ACTIVE revision is looked at
    #[arg(value_name = "FAMILY|ARN")]
    pub(crate) family: Named,

    /// Tell what would be done, and write nothing
    #[arg(long)]
    pub(crate) plan: bool,

    /// How the answer is printed
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    pub(crate) format: AnswerFormat,

    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RolloutArguments {
    /// Service
    #[arg(value_name = "CLUSTER/SERVICE|ARN")]
    pub(crate) service: NamedService,

    /// Tell what would be done, and write nothing
    #[arg(long)]
    pub(crate) plan: bool,

    /// Try a move again that failed, was rolled back or set back
    #[arg(long, conflicts_with = "plan")]
    pub(crate) retry: bool,

    /// How the answer is printed
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    pub(crate) format: AnswerFormat,

    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusFormat {
    /// For people
    #[value(alias = "text")]
    Table,
    /// For machines; times are in seconds since 1970
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AnswerFormat {
    /// For people
    Text,
    /// For machines; times are in seconds since 1970
    Json,
}

fn states() -> impl clap::builder::TypedValueParser<Value = State> {
    let known = PossibleValuesParser::new(State::ALL.map(State::label));
    known.map(|label| State::from_label(&label).expect("nothing else is possible"))
}
