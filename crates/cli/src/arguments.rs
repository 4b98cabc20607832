//! What can be said on the command line.

mod objects;
mod operator;

pub(crate) use objects::{
    ApplyArguments, DeleteArguments, DocumentFormat, ExplainArguments, GetArguments, ListArguments, ListFormat,
    PermissionsVerb, PolicyFormat, PolicyVerb, PruneArguments, UninstallArguments, ValidateArguments,
};
pub(crate) use operator::{
    AnswerFormat, PauseArguments, ReconcileArguments, ResumeArguments, RolloutArguments, StatusArguments, StatusFormat,
    SweepArguments, WaitArguments,
};

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum, ValueHint};
use ecs_sidecar_core::ids::{AccountId, Family, ImageDigest, Region, SubnetId, VpcId};
use ecs_sidecar_doctor::ServiceName;
use std::path::PathBuf;

/// Adds a sidecar to Amazon ECS task definitions, losslessly and reversibly.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,

    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    pub(crate) color: Color,
}

const EXAMPLES: &str = "\
Examples:
  # What would happen to this definition, and why?
  ecs-sidecar plan --account 111122223333 --region eu-west-1 taskdef.json

  # And to the newest revision of a family, as it is in the account?
  ecs-sidecar plan web

  # In a pipeline without an operator: inject, then register
  ecs-sidecar inject taskdef.json > patched.json
  aws ecs register-task-definition --cli-input-json file://patched.json

  # In a pipeline with one: wait for the revision to deploy
  aws ecs update-service --service web --task-definition \"$(ecs-sidecar wait web:7)\"

  # How do the families stand, and what went wrong?
  ecs-sidecar status
  ecs-sidecar status --state failing

  # Have the operator look at a family now, or at all of them; stop it for a while
  ecs-sidecar reconcile web
  ecs-sidecar sweep
  ecs-sidecar pause --because \"incident 4711\"

  # What it injects, and taking it all back
  ecs-sidecar policy apply -f metrics.yaml
  ecs-sidecar uninstall --plan

Exit codes: 0 done or nothing to do, 1 the input is at fault, 2 anything else.";

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show what would be done to a task definition, and why
    #[command(after_help = "\
Examples:
  ecs-sidecar plan taskdef.json                   a diff with the reasons beside it
  ecs-sidecar plan --format json taskdef.json     decision, reason, digest and edits
  ecs-sidecar plan --format patch taskdef.json    RFC 6902: from the file to what inject prints
  ecs-sidecar plan web                            its newest ACTIVE revision, with its roles, image and log group
  ecs-sidecar plan web:7 --stack ecs-sidecar      as that operator's policies and parameters have it

Asking by hand counts as opting in; an explicit opt-out in the definition still wins.
What is no file is looked up in AWS, by reads alone.")]
    Plan(PlanArguments),

    /// Print the definition with the sidecar, as RegisterTaskDefinition takes it
    #[command(after_help = "\
Examples:
  ecs-sidecar inject --account 111122223333 --region eu-west-1 taskdef.json > patched.json
  ecs-sidecar inject --default-task-role arn:aws:iam::111122223333:role/traced taskdef.json
  aws ecs describe-task-definition --task-definition web --include TAGS | ecs-sidecar inject -
  ecs-sidecar inject web > patched.json           its newest ACTIVE revision, with a look at roles, image and log group

A definition that is left alone is printed unchanged in register form; the reason goes to standard error.
Nothing is written to AWS; `ecs-sidecar reconcile` lets the operator do it.")]
    Inject(PlanArguments),

    /// Print the definition with the injection taken back exactly
    #[command(after_help = "\
Examples:
  ecs-sidecar remove patched.json > taskdef.json
  aws ecs describe-task-definition --task-definition web --include TAGS | ecs-sidecar remove -
  ecs-sidecar remove web > taskdef.json           of its newest ACTIVE revision

Nothing is written to AWS; `ecs-sidecar reconcile` lets the operator do it.")]
    Remove(PlanArguments),

    /// Judge a definition by ECS's documented registration rules
    #[command(after_help = "\
Examples:
  ecs-sidecar check taskdef.json                  exit 1 if ECS would refuse it
  ecs-sidecar check --format json taskdef.json    findings with rule, path and message")]
    Check(Arguments),

    /// Look whether a task with the sidecar reaches what it needs without internet, and whether events will come
    #[command(after_help = "\
Examples:
  ecs-sidecar doctor --service shop/checkout              its network, image, roles and logs; the account's trail
  ecs-sidecar doctor --vpc vpc-0123456789abcdef0          all subnets of it without a way to the internet
  ecs-sidecar doctor --family checkout                    image, roles, logs and trail alone
  ecs-sidecar doctor --vpc vpc-0123456789abcdef0 --family checkout --format json

Nothing is written: every call to AWS is a read, and what AWS refuses to show is not checked, with the action to
grant. Service control policies and what lies behind a NAT or transit gateway are not looked at.
Exit codes: 0 nothing is missing, 1 something is, 2 anything else.")]
    Doctor(DoctorArguments),

    /// Show how each family stands, and the operator itself
    #[command(after_help = "\
Examples:
  ecs-sidecar status                                 every family; what went wrong comes first
  ecs-sidecar status 'shop-*' --state failing,pending
  ecs-sidecar status --reason roleNotAllowed --format json | jq -r '.families[].family'
  ecs-sidecar status --pinned                        rules, schedules and state machines that start an older revision
  ecs-sidecar status --watch                         again every two seconds, until Ctrl-C

States: covered (the newest revision has the sidecar), outdated (a newer sidecar comes with the next registration),
pending (under way), skipped (left alone, for the reason beside it), failing (tried again later), gone (no ACTIVE
revision).")]
    Status(StatusArguments),

    /// Wait until the operator has dealt with a revision, and print the one to deploy
    #[command(after_help = "\
Examples:
  # In a pipeline: register, wait, deploy what has the sidecar
  arn=$(aws ecs register-task-definition --cli-input-json file://taskdef.json \\
    --query taskDefinition.taskDefinitionArn --output text)
  aws ecs update-service --service web --task-definition \"$(ecs-sidecar wait \"$arn\")\"

  ecs-sidecar wait --or-itself web:7    without the sidecar, rather than not at all

Standard output has the ARN alone, or nothing. Exit codes: 0 there it is, 1 the operator leaves the revision alone, a
newer one has superseded it, or it took too long; 2 anything else.")]
    Wait(WaitArguments),

    /// Have the operator write nothing to ECS and IAM until it is resumed
    #[command(after_help = "\
Example:
  ecs-sidecar pause --because \"incident 4711\"")]
    Pause(PauseArguments),

    /// End a pause; what waited for it is looked at
    #[command(after_help = "\
Example:
  ecs-sidecar resume")]
    Resume(ResumeArguments),

    /// Have the operator look at all families that events may have missed, or at those that are named
    #[command(after_help = "\
Examples:
  ecs-sidecar sweep                    those that have changed or are due, as every few hours anyway
  ecs-sidecar sweep 'shop-*'           these, whatever is known of them
  ecs-sidecar sweep --plan             what would be done to all of them: counts by decision and reason")]
    Sweep(SweepArguments),

    /// Have the operator work on one family now, and tell what it did
    #[command(after_help = "\
Examples:
  ecs-sidecar reconcile web                       its newest ACTIVE revision
  ecs-sidecar reconcile --plan web                what would be done, and why
  ecs-sidecar reconcile arn:aws:ecs:eu-west-1:111122223333:task-definition/web:7

It is the operator's own function that works, with its role and its lease on the family. Exit codes: 0 done or nothing
to do, 1 the family is failing, 2 anything else.")]
    Reconcile(ReconcileArguments),

    /// Have the operator look at one service now, and move it if it is to be
    #[command(after_help = "\
Examples:
  ecs-sidecar rollout prod/web             move it to the revision that was patched for it, or say why not
  ecs-sidecar rollout --plan prod/web      only say
  ecs-sidecar rollout --retry prod/web     also where a move failed before, was rolled back or set back

Only a stack whose parameter RolloutServices is true moves services. Needs lambda:InvokeFunction; the operator does the rest.

Exit codes: 0 it is moved, or there is nothing to do yet, 1 it is left alone after a move that ended badly, or there is
none, 2 anything else.")]
    Rollout(RolloutArguments),

    /// Judge and explain policies, and apply, list and delete those of the operator
    #[command(
        arg_required_else_help = true,
        after_help = "\
Examples:
  ecs-sidecar policy validate metrics.yaml        whether it is a policy; AWS is not asked
  ecs-sidecar policy apply -f metrics.yaml        into the operator's table, for all families
  ecs-sidecar policy list                         how each stands, and how many families have its sidecar
  ecs-sidecar policy explain web                  which of them wins for a family, and why"
    )]
    Policy {
        #[command(subcommand)]
        verb: PolicyVerb,
    },

    /// Take back all that the operator injected, before its stack is deleted
    #[command(after_help = "\
Examples:
  ecs-sidecar uninstall --plan                    what would be taken back, and what is in the way
  ecs-sidecar uninstall                           ask, have it taken back, and look on until it is
  ecs-sidecar uninstall --cancel                  all policies are there again

The operator registers revisions without its sidecars, at its own pace; services get them with their next deployment.
Only the looking on ends with Ctrl-C. Exit codes: 0 all is taken back, 1 something is left, 2 anything else.")]
    Uninstall(UninstallArguments),

    /// Take back what the operator attached to roles
    #[command(
        arg_required_else_help = true,
        after_help = "\
Example:
  ecs-sidecar permissions prune --plan            what would be detached from which roles"
    )]
    Permissions {
        #[command(subcommand)]
        verb: PermissionsVerb,
    },

    /// Print a completion script for a shell
    #[command(after_help = "\
Example:
  ecs-sidecar completions bash > /etc/bash_completion.d/ecs-sidecar")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },

    /// Print a reference in Markdown, as it stands in the docs
    #[command(hide = true)]
    Reference {
        /// What of
        topic: ReferenceTopic,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ReferenceTopic {
    /// Verbs and options
    Cli,
    /// Codes of `doctor`
    Doctor,
    /// Reason codes
    Reasons,
    /// Rules of `check`
    Rules,
}

const SUBJECT: &str = "\
Task definition: a RegisterTaskDefinition input, the answer of describe-task-definition, or the bare definition as the \
console saves it; - reads standard input. What is no file is looked up in AWS: a family's newest ACTIVE revision, \
another one of it, or one by its ARN";

#[derive(Debug, Args)]
#[command(mut_arg("file", |file| file.value_name("FILE|-|FAMILY[:REVISION]|ARN").long_help(SUBJECT).help(SUBJECT)))]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    pub(crate) arguments: Arguments,

    /// Name of an operator's CloudFormation stack, to go by its policies and parameters; what is asked about is no
    /// file then
    #[arg(long, value_name = "NAME", conflicts_with_all = ["policy", "account", "cache_prefix", "registry_account", "image_digest", "default_task_role", "default_execution_role", "trust_instance_role"], help_heading = "How AWS is asked")]
    pub(crate) stack: Option<String>,

    /// Endpoint of all services, for emulators [default: AWS_ENDPOINT_URL]
    #[arg(long, value_name = "URL", help_heading = "How AWS is asked")]
    pub(crate) endpoint_url: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Task definition: a RegisterTaskDefinition input, the answer of describe-task-definition, or the bare
    /// definition as the console saves it; - reads standard input
    #[arg(value_name = "FILE|-", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Policy: the name of a preset, or a file
    #[arg(long, value_name = "PRESET|FILE", default_value = "xray-daemon", value_hint = ValueHint::FilePath)]
    pub(crate) policy: String,

    /// How the answer is printed; inject and remove print the definition for both text and json
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    pub(crate) format: Format,

    /// Account that the tasks run in [default: from ARNs in the definition, then from the AWS configuration]
    #[arg(long, value_name = "ID", help_heading = "What cannot be seen in the file")]
    pub(crate) account: Option<AccountId>,

    /// Region that they run in [default: likewise]
    #[arg(long, value_name = "REGION", help_heading = "What cannot be seen in the file")]
    pub(crate) region: Option<Region>,

    /// Profile of the AWS configuration to take them from [default: AWS_PROFILE, then default]
    #[arg(long, value_name = "NAME", help_heading = "What cannot be seen in the file")]
    pub(crate) profile: Option<String>,

    /// Prefix of the pull-through cache rule for public.ecr.aws; ROOT for a rule without one
    #[arg(long, value_name = "PREFIX", default_value = ecs_sidecar_core::names::DEFAULT_CACHE_PREFIX, value_parser = ecs_sidecar_core::image::cache_prefix, help_heading = "What cannot be seen in the file")]
    pub(crate) cache_prefix: String,

    /// Account whose private registry the tasks pull from [default: that of the tasks]
    #[arg(long, value_name = "ID", help_heading = "What cannot be seen in the file")]
    pub(crate) registry_account: Option<AccountId>,

    /// Digest that the image's tag stands for in the private registry; needed by policies with `pin: digest`
    #[arg(long, value_name = "sha256:HEX", help_heading = "What cannot be seen in the file")]
    pub(crate) image_digest: Option<ImageDigest>,

    /// Task role for a Fargate definition that has none
    #[arg(long, value_name = "ARN", help_heading = "What cannot be seen in the file", value_parser = role)]
    pub(crate) default_task_role: Option<String>,

    /// Execution role for a Fargate definition that has none
    #[arg(long, value_name = "ARN", help_heading = "What cannot be seen in the file", value_parser = role)]
    pub(crate) default_execution_role: Option<String>,

    /// The instance's role will do where a definition for EC2 or EXTERNAL has no task role
    #[arg(long, help_heading = "What cannot be seen in the file")]
    pub(crate) trust_instance_role: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["service", "vpc", "family"]))]
pub(crate) struct DoctorArguments {
    /// Service, with the network, roles and images of its task definition
    #[arg(long, value_name = "CLUSTER/NAME", conflicts_with_all = ["family", "subnets"])]
    pub(crate) service: Option<ServiceName>,

    /// VPC; with --service, that of the container instances
    #[arg(long, value_name = "ID")]
    pub(crate) vpc: Option<VpcId>,

    /// Subnets of the VPC that tasks run in [default: all without a way to the internet]
    #[arg(long, value_name = "ID,...", value_delimiter = ',', requires = "vpc")]
    pub(crate) subnets: Vec<SubnetId>,

    /// Family, whose newest ACTIVE revision is looked at
    #[arg(long, value_name = "NAME")]
    pub(crate) family: Option<Family>,

    /// Policy: the name of a preset, or a file
    #[arg(long, value_name = "PRESET|FILE", default_value = "xray-daemon", value_hint = ValueHint::FilePath)]
    pub(crate) policy: String,

    /// Prefix of the pull-through cache rule for public.ecr.aws; ROOT for a rule without one
    #[arg(long, value_name = "PREFIX", default_value = ecs_sidecar_core::names::DEFAULT_CACHE_PREFIX, value_parser = ecs_sidecar_core::image::cache_prefix)]
    pub(crate) cache_prefix: String,

    /// How the answer is printed
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    pub(crate) format: DoctorFormat,

    #[command(flatten)]
    pub(crate) aws: AwsArguments,
}

/// How AWS is asked, as the AWS CLI has it.
#[derive(Debug, Clone, Args)]
pub(crate) struct AwsArguments {
    /// Region to look at [default: AWS_REGION, then that of the profile]
    #[arg(long, value_name = "REGION", help_heading = "How AWS is asked")]
    pub(crate) region: Option<Region>,

    /// Profile of the AWS configuration [default: AWS_PROFILE, then default]
    #[arg(long, value_name = "NAME", help_heading = "How AWS is asked")]
    pub(crate) profile: Option<String>,

    /// Endpoint of all services, for emulators [default: AWS_ENDPOINT_URL]
    #[arg(long, value_name = "URL", help_heading = "How AWS is asked")]
    pub(crate) endpoint_url: Option<String>,
}

/// The operator that is asked.
#[derive(Debug, Clone, Args)]
pub(crate) struct StackArguments {
    /// Name of the operator's CloudFormation stack [default: ECS_SIDECAR_STACK, then ecs-sidecar]
    #[arg(long, value_name = "NAME", env = "ECS_SIDECAR_STACK", hide_env = true, hide_default_value = true, default_value = ecs_sidecar_core::names::OPERATOR, help_heading = "How AWS is asked")]
    pub(crate) stack: String,

    #[command(flatten)]
    pub(crate) aws: AwsArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DoctorFormat {
    /// A tree for people
    Text,
    /// The same tree for machines
    Json,
}

fn role(text: &str) -> Result<String, String> {
    if ecs_sidecar_core::ids::RoleRef::new(text).is_arn() {
        Ok(text.to_owned())
    } else {
        Err("must be a role's ARN, such as arn:aws:iam::111122223333:role/traced".to_owned())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For machines
    Json,
    /// JSON Patch (RFC 6902), from the file as it is to what inject or remove prints
    Patch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    pub(crate) fn write_global(self) {
        match self {
            Self::Auto => {}
            Self::Always => anstream::ColorChoice::Always.write_global(),
            Self::Never => anstream::ColorChoice::Never.write_global(),
        }
    }
}
