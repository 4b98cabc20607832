//! The policy document as it is read.

#[cfg(feature = "schema")]
use super::schema;
use super::validate;
use serde::{Deserialize, Deserializer, Serialize, de};

/// A JSON object in the order it was written.
pub(crate) type Map = serde_json::Map<String, serde_json::Value>;

/// One sidecar: what it is, who gets it, and what it may cost.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(title = "Sidecar policy"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// Version of this shape.
    pub api_version: ApiVersion,
    /// What kind of document this is.
    pub kind: PolicyKind,
    /// Its name.
    pub metadata: Metadata,
    /// What it asks for.
    pub spec: Spec,
}

/// Versions of the document that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ApiVersion {
    /// The only one so far.
    #[serde(rename = "ecs-sidecar/v1")]
    V1,
}

/// Kinds of documents that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum PolicyKind {
    /// The only one so far.
    SidecarPolicy,
}

/// What identifies the policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Letters, digits, underscores and hyphens; `true` and `false` are taken.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = schema::POLICY_NAME)))]
    #[serde(deserialize_with = "validate::policy_name")]
    pub name: String,
}

/// What the policy asks for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// Whether definitions have to ask.
    #[serde(default)]
    pub mode: Mode,
    /// When a changed policy reaches a definition that has its sidecar.
    #[serde(default)]
    pub updates: Updates,
    /// Which definitions may have it at all.
    #[serde(default)]
    pub selector: Selector,
    /// The sidecar's image.
    pub image: Image,
    /// The sidecar, as ECS spells a container definition, without image and logs.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::container"))]
    #[serde(deserialize_with = "validate::sidecar")]
    pub container: Map,
    /// What the app's containers get.
    #[serde(default)]
    pub application: Application,
    /// What the roles get.
    #[serde(default)]
    pub permissions: Permissions,
    /// What to do where memory is short.
    #[serde(default)]
    pub capacity: Capacity,
    /// Where the sidecar logs.
    #[serde(default)]
    pub logging: Logging,
    /// What is done where the log group is missing.
    #[serde(default)]
    pub log_group: LogGroupRule,
    /// What runs the patched revision.
    #[serde(default)]
    pub rollout: Rollout,
}

/// What runs the patched revision, as far as the stack lets the operator see to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rollout {
    /// Whether services are moved to it. `true` moves none where the stack's parameter RolloutServices is off.
    pub services: bool,
}

impl Default for Rollout {
    fn default() -> Self {
        Self { services: true }
    }
}

/// Whether definitions have to ask for the sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Only definitions that ask.
    #[default]
    OptIn,
    /// All but those that decline.
    OptOut,
}

/// When a changed policy reaches a definition that already has its sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Updates {
    /// When its owner registers it anew.
    #[default]
    OnNextRegistration,
    /// At once.
    Now,
}

/// Which definitions may have the sidecar.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Selector {
    /// Globs of families; one has to match.
    pub families: Vec<String>,
    /// Globs of families; none may match.
    pub exclude_families: Vec<String>,
    /// Tags that the definition must carry.
    pub tags: std::collections::BTreeMap<String, String>,
    /// What the definition may be made for.
    pub compatibilities: Vec<Target>,
    /// Architectures that the image has.
    pub architectures: Vec<Architecture>,
    /// Network modes in which the sidecar can be reached.
    pub network_modes: Vec<NetworkModeName>,
}

impl Default for Selector {
    fn default() -> Self {
        Self {
            families: vec!["*".to_owned()],
            exclude_families: Vec::new(),
            tags: std::collections::BTreeMap::new(),
            compatibilities: vec![Target::Fargate, Target::Ec2, Target::External],
            architectures: Architecture::ALL.to_vec(),
            network_modes: vec![NetworkModeName::Awsvpc, NetworkModeName::Bridge],
        }
    }
}

/// What a task can be made for. Managed instances are left out: ECS runs daemons there by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Target {
    /// Fargate.
    Fargate,
    /// Container instances on EC2.
    Ec2,
    /// ECS Anywhere.
    External,
}

/// Architectures of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Architecture {
    /// 64-bit Intel and AMD; what ECS takes when nothing is said.
    #[serde(rename = "X86_64")]
    X86,
    /// 64-bit Arm.
    #[serde(rename = "ARM64")]
    Arm,
}

/// Network modes in which a sidecar can be reached without being the instance's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum NetworkModeName {
    /// Shared loopback interface.
    Awsvpc,
    /// Links.
    Bridge,
}

/// The sidecar's image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// Registry, repository and tag as they are upstream: `public.ecr.aws/xray/aws-xray-daemon:3.x`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = schema::UPSTREAM)))]
    #[serde(deserialize_with = "validate::upstream")]
    pub upstream: String,
    /// Whether the definition names the tag or what it stands for.
    #[serde(default)]
    pub pin: Pin,
    /// What to do where no pull-through cache rule stands for the registry.
    #[serde(default)]
    pub cache_rule: CacheRuleWish,
    /// How often the tag is looked up upstream again, in hours: 24 to 8760. ECR itself asks no more than once a day.
    #[cfg_attr(feature = "schema", schemars(range(min = 24, max = 8760)))]
    #[serde(default = "validate::usual_refresh_hours", deserialize_with = "validate::refresh_hours")]
    pub refresh_hours: u32,
}

/// How the image is referred to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Pin {
    /// By its tag; ECS resolves it once a deployment.
    #[default]
    Tag,
    /// By the digest that the tag stands for; a newer image makes the definition outdated.
    Digest,
}

/// What to do where no pull-through cache rule stands for the image's registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CacheRuleWish {
    /// Leave the definition alone: the account's rules are somebody else's.
    #[default]
    Find,
    /// Make one, with the prefix that the stack says.
    Create,
}

/// What the app's containers get.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Application {
    /// Environment variables.
    #[serde(deserialize_with = "validate::variables")]
    pub environment: Vec<Variable>,
    /// Whether the app waits for the sidecar.
    pub depends_on: Dependency,
}

/// An environment variable for the app's containers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Variable {
    /// Its name.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = schema::VARIABLE_NAME)))]
    #[serde(deserialize_with = "validate::variable_name")]
    pub name: String,
    /// Its value; `${sidecar}` is the container's name.
    pub value: String,
    /// Network modes in which it is set; in all if the list is absent.
    #[serde(default = "all_network_modes")]
    pub network_modes: Vec<NetworkModeName>,
}

fn all_network_modes() -> Vec<NetworkModeName> {
    Selector::default().network_modes
}

/// Whether the app's containers wait for the sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Dependency {
    /// They do not: an app must start without its sidecar.
    #[default]
    #[serde(rename = "none")]
    None,
    /// Until it has started. On shutdown it then stops after them; if it cannot start, neither can they.
    #[serde(rename = "START")]
    Start,
}

/// What the roles get.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Permissions {
    /// Whether missing policies are attached or only named.
    pub mode: PermissionsMode,
    /// ARNs of managed policies for the task role; `${partition}` and `${account}` are filled in.
    pub task_role: Vec<String>,
    /// The same for the execution role, beside the stack's own policy for the sidecar's repository.
    pub execution_role: Vec<String>,
    /// Task role for Fargate definitions that have none.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = schema::ROLE)))]
    #[serde(deserialize_with = "validate::role")]
    pub default_task_role: Option<String>,
    /// Execution role for Fargate definitions that have none.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = schema::ROLE)))]
    #[serde(deserialize_with = "validate::role")]
    pub default_execution_role: Option<String>,
    /// Whether the instance's role will do where a definition for EC2 or EXTERNAL has no task role.
    #[serde(deserialize_with = "validate::unquoted")]
    pub trust_instance_role: bool,
}

/// How missing permissions are dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum PermissionsMode {
    /// Attach what is missing.
    #[default]
    Attach,
    /// Write no IAM; say what is missing. For roles that Terraform or another tool owns.
    Verify,
}

/// What to do where the task's memory has no room for the sidecar's reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Capacity {
    /// Reserve nothing in a task that has a size of its own.
    Never,
    /// Leave the definition alone.
    #[default]
    Fit,
    /// Take the next size that Fargate has, up to a ceiling.
    Grow(Ceiling),
}

/// The largest size that a task may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Ceiling {
    /// CPU units.
    #[serde(deserialize_with = "validate::unquoted")]
    pub cpu: u64,
    /// MiB.
    #[serde(deserialize_with = "validate::unquoted")]
    pub memory: u64,
}

/// Where the sidecar logs.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Logging {
    /// Where the app does; with `awslogs` without ever blocking.
    #[default]
    Inherit,
    /// Nowhere.
    None,
    /// As the policy says.
    Configuration(LogConfiguration),
}

/// A log configuration as ECS spells it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogConfiguration {
    /// The driver.
    pub log_driver: String,
    /// Its options; `${region}` and `${sidecar}` are filled in.
    #[serde(default, deserialize_with = "validate::log_options")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::log_options"))]
    pub options: Map,
}

/// What is done where the sidecar would log to a group that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LogGroupRule {
    /// Make it, or leave the definition alone.
    pub missing: MissingLogGroup,
    /// Days that lines are kept in a group that is made; for ever if nothing is said.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::retention_days"))]
    #[serde(deserialize_with = "validate::retention_days")]
    pub retention_days: Option<u32>,
}

/// What is done where a log group does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum MissingLogGroup {
    /// The definition is left alone: its tasks would not start.
    #[default]
    Refuse,
    /// The group is made.
    Create,
}

impl<'de> Deserialize<'de> for Logging {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Logging;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("inherit, none or a log configuration")
            }
            fn visit_str<E: de::Error>(self, word: &str) -> Result<Logging, E> {
                match word {
                    "inherit" => Ok(Logging::Inherit),
                    "none" => Ok(Logging::None),
                    _ => Err(E::unknown_variant(word, &["inherit", "none"])),
                }
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Logging, A::Error> {
                LogConfiguration::deserialize(de::value::MapAccessDeserializer::new(map)).map(Logging::Configuration)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fargate => "FARGATE",
            Self::Ec2 => "EC2",
            Self::External => "EXTERNAL",
        })
    }
}

impl Architecture {
    /// All that ECS has.
    pub const ALL: [Self; 2] = [Self::X86, Self::Arm];
}

impl std::fmt::Display for Architecture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::X86 => "X86_64",
            Self::Arm => "ARM64",
        })
    }
}

impl std::fmt::Display for NetworkModeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Awsvpc => "awsvpc",
            Self::Bridge => "bridge",
        })
    }
}
