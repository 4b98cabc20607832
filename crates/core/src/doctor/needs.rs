//! Which services a task needs, and what it calls there.
//!
//! Knows: AWS's documentation of endpoints for ECS, ECR and X-Ray, and which services managed policies are for. Must
//! not know: whether any of it is there.

use super::sight::Sight;
use crate::definition::{Container, TaskDefinition};
use crate::ids::{Arn, Region};
use crate::intent::{Place, policy_arns};
use crate::json::Value;
use crate::keys::{container, nested};
use crate::policy::{LogConfiguration, Logging};
use crate::target::MadeFor;
use std::collections::{BTreeMap, BTreeSet};

/// A service that tasks reach through an endpoint of a VPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// ECR's API: the token of a pull.
    EcrApi,
    /// ECR's registry: the manifests of a pull.
    EcrDkr,
    /// S3, where ECR keeps the layers.
    S3,
    /// CloudWatch Logs.
    Logs,
    /// X-Ray.
    Xray,
    /// Secrets Manager.
    SecretsManager,
    /// Systems Manager.
    Ssm,
    /// KMS.
    Kms,
    /// STS.
    Sts,
    /// ECS itself, for container instances.
    Ecs,
    /// The agents' endpoint, for container instances.
    EcsAgent,
    /// The agents' telemetry, for container instances.
    EcsTelemetry,
}

/// What a task calls at a service, and on what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actions {
    /// `xray:PutTraceSegments` and so on.
    pub names: &'static [&'static str],
    /// ARN of the resource, or `*`.
    pub resource: String,
    /// Whether it is this very resource, or only one of its kind because nobody knows which.
    pub is_exact: bool,
}

impl Actions {
    fn on(names: &'static [&'static str], resource: String) -> Self {
        Self { names, resource, is_exact: true }
    }

    fn on_some(names: &'static [&'static str], resource: String) -> Self {
        Self { names, resource, is_exact: false }
    }
}

const AGENT: &[&str] = &[
    "ecs:DiscoverPollEndpoint",
    "ecs:RegisterContainerInstance",
    "ecs:SubmitContainerStateChange",
    "ecs:SubmitTaskStateChange",
];

const PULL: &[&str] = &["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"];

const TRACE: &[&str] = &[
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:GetSamplingStatisticSummaries",
];

const LOG: &[&str] = &["logs:CreateLogStream", "logs:PutLogEvents"];

/// The services that AWS's managed policies are for, as far as a sidecar would have them. Sources: the policies'
/// documents in the AWS managed policy reference.
const MANAGED: [(&str, &[Endpoint]); 6] = [
    ("AWSXRayDaemonWriteAccess", &[Endpoint::Xray]),
    ("AWSXrayWriteOnlyAccess", &[Endpoint::Xray]),
    ("AmazonECSTaskExecutionRolePolicy", &[Endpoint::EcrApi, Endpoint::EcrDkr, Endpoint::Logs]),
    ("AmazonEC2ContainerRegistryReadOnly", &[Endpoint::EcrApi, Endpoint::EcrDkr]),
    ("AmazonEC2ContainerRegistryPullOnly", &[Endpoint::EcrApi, Endpoint::EcrDkr]),
    ("CloudWatchLogsFullAccess", &[Endpoint::Logs]),
];

impl Endpoint {
    /// All of them, in the order of the template's parameters.
    pub const ALL: [Self; 12] = [
        Self::EcrApi,
        Self::EcrDkr,
        Self::S3,
        Self::Logs,
        Self::Xray,
        Self::SecretsManager,
        Self::Ssm,
        Self::Kms,
        Self::Sts,
        Self::Ecs,
        Self::EcsAgent,
        Self::EcsTelemetry,
    ];

    /// The end of the endpoint service's name: `ecr.dkr`.
    pub fn name(self) -> &'static str {
        match self {
            Self::EcrApi => "ecr.api",
            Self::EcrDkr => "ecr.dkr",
            Self::S3 => "s3",
            Self::Logs => "logs",
            Self::Xray => "xray",
            Self::SecretsManager => "secretsmanager",
            Self::Ssm => "ssm",
            Self::Kms => "kms",
            Self::Sts => "sts",
            Self::Ecs => "ecs",
            Self::EcsAgent => "ecs-agent",
            Self::EcsTelemetry => "ecs-telemetry",
        }
    }

    /// The parameter of `infra/cloudformation/endpoints.yaml`.
    pub fn parameter(self) -> &'static str {
        match self {
            Self::EcrApi => "EcrApi",
            Self::EcrDkr => "EcrDkr",
            Self::S3 => "S3",
            Self::Logs => "Logs",
            Self::Xray => "Xray",
            Self::SecretsManager => "SecretsManager",
            Self::Ssm => "Ssm",
            Self::Kms => "Kms",
            Self::Sts => "Sts",
            Self::Ecs => "Ecs",
            Self::EcsAgent => "EcsAgent",
            Self::EcsTelemetry => "EcsTelemetry",
        }
    }

    /// Whether the template creates it unless told otherwise.
    pub(crate) fn is_created_by_default(self) -> bool {
        match self {
            Self::EcrApi | Self::EcrDkr | Self::S3 | Self::Logs | Self::Xray => true,
            Self::SecretsManager
            | Self::Ssm
            | Self::Kms
            | Self::Sts
            | Self::Ecs
            | Self::EcsAgent
            | Self::EcsTelemetry => false,
        }
    }

    /// Whether an endpoint service of that name is this one. China's names begin with `cn.` for some services.
    pub(crate) fn is_service(self, service: &str, region: &Region) -> bool {
        let tail = format!("com.amazonaws.{region}.{}", self.name());
        service == tail || service.strip_suffix(&tail).is_some_and(|head| head == "cn.")
    }

    /// What a task calls there, which the endpoint's policy has to let pass. Empty where AWS does not name the calls.
    pub(crate) fn actions(self, sight: &Sight) -> Vec<Actions> {
        let region = &sight.region;
        let partition = region.partition().name;
        let account = &sight.account;
        let some = |names, service: &str, resource: &str| {
            vec![Actions::on_some(names, format!("arn:{partition}:{service}:{region}:{account}:{resource}"))]
        };
        match self {
            Self::EcrApi => {
                let token = Actions::on(&["ecr:GetAuthorizationToken"], "*".to_owned());
                std::iter::once(token).chain(pulls(sight)).collect()
            }
            Self::EcrDkr => pulls(sight).collect(),
            Self::S3 => {
                let layer = format!("arn:{partition}:s3:::prod-{region}-starport-layer-bucket/layer");
                vec![Actions::on(&["s3:GetObject"], layer)]
            }
            Self::Logs => log_streams(sight),
            Self::Xray => vec![Actions::on(TRACE, "*".to_owned())],
            Self::SecretsManager => some(&["secretsmanager:GetSecretValue"], "secretsmanager", "secret:task"),
            Self::Ssm => some(&["ssm:GetParameters"], "ssm", "parameter/task"),
            Self::Kms => some(&["kms:Decrypt"], "kms", "key/task"),
            Self::Sts => {
                vec![Actions::on_some(&["sts:AssumeRole"], format!("arn:{partition}:iam::{account}:role/task"))]
            }
            Self::Ecs => vec![Actions::on_some(AGENT, "*".to_owned())],
            // AWS does not name all calls that go through it.
            Self::EcsAgent => Vec::new(),
            Self::EcsTelemetry => vec![Actions::on_some(&["ecs:Poll", "ecs:StartTelemetrySession"], "*".to_owned())],
        }
    }
}

/// The pulls of all images of the task that are in this account's registry.
fn pulls(sight: &Sight) -> impl Iterator<Item = Actions> {
    let registry = format!("{}.dkr.ecr.{}.", sight.account, sight.region);
    let mut repositories = BTreeSet::new();
    repositories.extend(sight.image.as_ref().map(|image| image_name(&image.reference).to_owned()));
    for image in sight.task.iter().flat_map(|task| task.containers().filter_map(Container::image).collect::<Vec<_>>()) {
        let path = image.strip_prefix(&registry).and_then(|rest| rest.split_once('/'));
        repositories.extend(path.map(|(_, name)| image_name(name).to_owned()));
    }
    let prefix = format!("arn:{}:ecr:{}:{}:repository", sight.region.partition().name, sight.region, sight.account);
    repositories.into_iter().map(move |name| Actions::on(PULL, format!("{prefix}/{name}")))
}

/// An image without its tag and digest.
fn image_name(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    name.split(':').next().unwrap_or(name)
}

fn log_streams(sight: &Sight) -> Vec<Actions> {
    let prefix = format!("arn:{}:logs:{}:{}:log-group", sight.region.partition().name, sight.region, sight.account);
    let stream = |group: &str| format!("{prefix}:{group}:log-stream:task");
    if sight.log_groups.is_empty() {
        return vec![Actions::on_some(LOG, stream("task"))];
    }
    sight.log_groups.iter().map(|group| Actions::on(LOG, stream(&group.name))).collect()
}

/// The endpoints that the task needs, each with the reason; and ARNs of managed policies that nobody knows.
pub(crate) fn endpoints(sight: &Sight) -> (BTreeMap<Endpoint, String>, Vec<String>) {
    let mut needed = BTreeMap::new();
    let mut need = |endpoint, why: &str| {
        needed.entry(endpoint).or_insert_with(|| why.to_owned());
    };
    need(Endpoint::EcrApi, "the token of a pull");
    need(Endpoint::EcrDkr, "the manifests of a pull");
    need(Endpoint::S3, "the layers of a pull");
    if logs_with_awslogs(sight) {
        let why = if sight.task.is_some() { "containers log with awslogs" } else { "awslogs, taken for granted" };
        need(Endpoint::Logs, why);
    }
    let mut unknown = Vec::new();
    for arn in sidecar_policies(sight) {
        let name = arn.rsplit('/').next().unwrap_or(&arn);
        match MANAGED.iter().find(|(managed, _)| *managed == name) {
            Some((_, endpoints)) => {
                endpoints.iter().for_each(|endpoint| need(*endpoint, &format!("{name} on the task role")));
            }
            None => unknown.push(arn),
        }
    }
    for (endpoint, why) in references(sight) {
        need(endpoint, &why);
    }
    if sidecar_assumes_role(sight) {
        need(Endpoint::Sts, "the sidecar assumes a role");
    }
    if !sight.on_fargate {
        for endpoint in [Endpoint::Ecs, Endpoint::EcsAgent, Endpoint::EcsTelemetry] {
            need(endpoint, "the agents of container instances");
        }
    }
    (needed, unknown)
}

/// ARNs of the managed policies that the sidecar policy wants on the task role.
pub(crate) fn sidecar_policies(sight: &Sight) -> Vec<String> {
    let place = Place { account: &sight.account, region: &sight.region };
    policy_arns(&sight.policy.spec.permissions.task_role, &sight.policy, place)
}

/// With awslogs a container logs to CloudWatch. Without a definition it is taken for granted.
fn logs_with_awslogs(sight: &Sight) -> bool {
    let by_policy = match &sight.policy.spec.logging {
        Logging::Configuration(LogConfiguration { log_driver, .. }) => log_driver == "awslogs",
        Logging::Inherit | Logging::None => false,
    };
    let by_task = sight.task.as_ref().is_none_or(|task| {
        let driver = |app: Container<'_>| {
            let driver = app.get(container::LOG_CONFIGURATION)?.get(nested::LOG_DRIVER)?.as_str()?;
            Some(driver == "awslogs")
        };
        task.containers().any(|app| driver(app).unwrap_or(false))
    });
    by_policy || by_task
}

/// Log groups that containers name in the task's own Region, and whether a container says that the group be created.
pub fn named_log_groups(task: &TaskDefinition, region: &Region) -> BTreeMap<String, bool> {
    let mut groups = BTreeMap::new();
    for log in task.containers().filter_map(|app| app.get(container::LOG_CONFIGURATION)) {
        let option = |name: &str| log.get(nested::OPTIONS)?.get(name)?.as_str();
        let is_awslogs = log.get(nested::LOG_DRIVER).and_then(Value::as_str).as_deref() == Some("awslogs");
        let is_here = option("awslogs-region").is_none_or(|named| named == region.as_str());
        if let Some(group) = option("awslogs-group").filter(|_| is_awslogs && is_here) {
            let is_created = option("awslogs-create-group").as_deref() == Some("true");
            *groups.entry(group.into_owned()).or_insert(false) |= is_created;
        }
    }
    groups
}

/// Whether a definition's tasks run on Fargate: what it requires, or else what ECS says that it could run on.
pub fn runs_on_fargate(task: &TaskDefinition) -> bool {
    let could = task.requires_compatibilities().is_empty()
        && task.described().compatibilities.iter().any(|word| word == "FARGATE");
    could || MadeFor::read(task).includes_fargate()
}

/// Services that secrets of the definition come from. Which key encrypts them does not stand in it.
fn references(sight: &Sight) -> BTreeMap<Endpoint, String> {
    let mut found = BTreeMap::new();
    let Some(task) = &sight.task else { return found };
    for app in task.containers() {
        let name = app.name().unwrap_or_default();
        let options = app.get(container::LOG_CONFIGURATION).and_then(|log| log.get(nested::SECRET_OPTIONS));
        let options = options.map(|list| list.items().collect::<Vec<_>>()).unwrap_or_default();
        let secrets = app.items(container::SECRETS).chain(options);
        for source in secrets.filter_map(|secret| secret.get(nested::VALUE_FROM)?.as_str()) {
            found.insert(secret_service(&source), format!("container {name} has secrets from it"));
        }
        if app.get(container::REPOSITORY_CREDENTIALS).is_some_and(|credentials| !credentials.is_null()) {
            found.insert(Endpoint::SecretsManager, format!("container {name} has repositoryCredentials"));
        }
    }
    found
}

/// A bare name is a parameter of Systems Manager in the task's own Region.
fn secret_service(value_from: &str) -> Endpoint {
    match value_from.parse::<Arn>() {
        Ok(arn) if arn.service() == "secretsmanager" => Endpoint::SecretsManager,
        Ok(_) | Err(_) => Endpoint::Ssm,
    }
}

/// The daemon's option for traces of another account.
fn sidecar_assumes_role(sight: &Sight) -> bool {
    let command = sight.policy.spec.container.get(container::COMMAND).and_then(|command| command.as_array());
    command
        .into_iter()
        .flatten()
        .filter_map(|word| word.as_str())
        .any(|word| ["-r", "--role-arn"].contains(&word) || word.starts_with("--role-arn="))
}

/// What each role of the definition has to be allowed: first the task role's actions, then the execution role's.
pub fn required_actions(sight: &Sight) -> (Vec<Actions>, Vec<Actions>) {
    let (needed, _) = endpoints(sight);
    let mut task = Vec::new();
    for arn in sidecar_policies(sight) {
        let name = arn.rsplit('/').next().unwrap_or(&arn);
        let endpoints: BTreeSet<Endpoint> =
            MANAGED.iter().filter(|(managed, _)| *managed == name).flat_map(|(_, all)| all.iter().copied()).collect();
        task.extend(endpoints.into_iter().flat_map(|endpoint| endpoint.actions(sight)));
    }
    let mut execution = Endpoint::EcrApi.actions(sight);
    if needed.contains_key(&Endpoint::Logs) {
        execution.extend(Endpoint::Logs.actions(sight));
    }
    (task, execution)
}
