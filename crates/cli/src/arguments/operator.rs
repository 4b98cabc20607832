//! What can be said to the operator: how it is looked at, waited for, stopped and woken.

use super::StackArguments;
use crate::revision::Named;
use clap::{Args, ValueEnum};

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AnswerFormat {
    /// For people
    Text,
    /// For machines; times are in seconds since 1970
    Json,
}
