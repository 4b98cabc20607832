//! What can be said of the operator's objects: its policies, what it injected, and what it attached to roles.

use super::{AnswerFormat, AwsArguments, StackArguments};
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyVerb {
    /// Judge policy files, and warn of what is allowed but probably not meant
    #[command(after_help = "\
Examples:
  ecs-sidecar policy validate policies/*.yaml
  ecs-sidecar policy validate --format json policy.yaml

Exit codes: 0 all are valid, 1 one is not, 2 anything else.")]
    Validate(ValidateArguments),

    /// Print a JSON Schema of policies, for editors and other checkers
    #[command(after_help = "\
Example:
  ecs-sidecar policy schema > policy.schema.json

The schema refuses nothing that `policy validate` takes; a few rules only `policy validate` knows.")]
    Schema,

    /// Tell which policy wins for a task definition, by which rule, and why not each of the others
    #[command(after_help = "\
Examples:
  ecs-sidecar policy explain taskdef.json
  ecs-sidecar policy explain --policy metrics.yaml --policy xray-daemon taskdef.json
  ecs-sidecar policy explain web                  the newest ACTIVE revision, among the operator's policies

Policies are tried in the order in which they are named. The operator tries those of its table by name, then the
stack's own. What is no file is looked up in AWS, and explained among the operator's policies. This is the choice alone:
whether image, roles and log groups are in the way, `plan` tells.")]
    Explain(ExplainArguments),

    /// Put policies into the operator's table, where they are there for all families
    #[command(after_help = "\
Examples:
  ecs-sidecar policy apply -f metrics.yaml
  ecs-sidecar policy apply -f metrics.yaml -f traces.yaml --dry-run

Nothing is written unless all are valid. The operator looks at all families then, at its own pace. A policy that was
being deleted is there again.")]
    Apply(ApplyArguments),

    /// Print a policy of the operator as it was applied
    #[command(after_help = "\
Examples:
  ecs-sidecar policy get metrics > metrics.yaml
  ecs-sidecar policy get metrics --format json    with who changed it, and when")]
    Get(GetArguments),

    /// List the operator's policies: how they stand, and how many families have their sidecars
    #[command(after_help = "\
Examples:
  ecs-sidecar policy list
  ecs-sidecar policy list --format json")]
    List(ListArguments),

    /// Delete a policy: what it injected is taken back, then it is gone
    #[command(after_help = "\
Examples:
  ecs-sidecar policy delete metrics
  ecs-sidecar policy delete metrics --yes

The sweep takes the sidecars back at the operator's pace; `policy list` tells how many are left, and what is in the way.")]
    Delete(DeleteArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArguments {
    /// Policies, one to a file; - reads standard input
    #[arg(value_name = "FILE|-", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,

    /// How the answer is printed
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    pub(crate) format: PolicyFormat,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// Task definition, in any of the forms that `plan` takes; - reads standard input. What is no file is looked up in
    /// AWS
    #[arg(value_name = "FILE|-|FAMILY[:REVISION]|ARN", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Policy that there is: the name of a preset, or a file; may be given several times [default: for a file
    /// xray-daemon, else those of the operator]
    #[arg(long = "policy", value_name = "PRESET|FILE", value_hint = ValueHint::FilePath)]
    pub(crate) policies: Vec<String>,

    /// How the answer is printed
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    pub(crate) format: PolicyFormat,

    /// Name of the operator's CloudFormation stack, whose policies there are; what is asked about is no file then
    /// [default: ECS_SIDECAR_STACK, then ecs-sidecar]
    #[arg(long, value_name = "NAME", conflicts_with = "policies", help_heading = "How AWS is asked")]
    pub(crate) stack: Option<String>,

    #[command(flatten)]
    pub(crate) aws: AwsArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArguments {
    /// Policy, one to a file; - reads standard input; may be given several times
    #[arg(short, long = "file", value_name = "FILE|-", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,

    /// Tell what would be done, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Debug, Args)]
pub(crate) struct GetArguments {
    /// Name of the policy
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// How the answer is printed
    #[arg(long, value_name = "FORMAT", default_value = "yaml", help_heading = "Output")]
    pub(crate) format: DocumentFormat,

    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// How the answer is printed
    #[arg(long, value_name = "FORMAT", default_value = "table", help_heading = "Output")]
    pub(crate) format: ListFormat,

    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArguments {
    /// Name of the policy
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DocumentFormat {
    /// The document as it was applied
    Yaml,
    /// The same with what is known of it
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people
    Table,
    /// For machines
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolicyFormat {
    /// For people
    Text,
    /// For machines
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct UninstallArguments {
    /// Tell what would be taken back, and write nothing
    #[arg(long, conflicts_with_all = ["cancel", "yes", "no_wait"])]
    pub(crate) plan: bool,

    /// Take nothing back any more: all policies are there again
    #[arg(long, conflicts_with_all = ["yes", "no_wait"])]
    pub(crate) cancel: bool,

    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Do not look on until all is taken back
    #[arg(long)]
    pub(crate) no_wait: bool,

    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PermissionsVerb {
    /// Detach what the operator attached to roles and no family's sidecar rests on any more
    #[command(after_help = "\
Examples:
  ecs-sidecar permissions prune --plan            what would be detached from which roles
  ecs-sidecar permissions prune --plan --format json
  ecs-sidecar permissions prune

Older revisions and running tasks may still use a role, and so may operators in other Regions: IAM is global.
It is done with your credentials (iam:ListAttachedRolePolicies, iam:DetachRolePolicy); the operator never detaches.")]
    Prune(PruneArguments),
}

#[derive(Debug, Args)]
pub(crate) struct PruneArguments {
    /// Tell what would be detached, and write nothing
    #[arg(long)]
    pub(crate) plan: bool,

    /// Do not ask
    #[arg(short, long, conflicts_with = "plan")]
    pub(crate) yes: bool,

    /// How the plan is printed
    #[arg(long, value_name = "FORMAT", default_value = "text", requires = "plan", help_heading = "Output")]
    pub(crate) format: AnswerFormat,

    #[command(flatten)]
    pub(crate) stack: StackArguments,
}
