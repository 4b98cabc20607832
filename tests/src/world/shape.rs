//! The types of ECS's task definition, as its service model of 2014-11-13 has them (botocore 1.43).
//!
//! Knows: which member is a string, a number, a list. A member that is not here is none of ECS's business yet, and is
//! kept as it came. Must not know: which values are sensible.

use crate::world::answer::ServiceError;
use ecs_sidecar_core::json::{JsonType, Value};

/// The type of a value.
pub(crate) enum Shape {
    Text,
    Whole,
    Flag,
    List(&'static Shape),
    /// An object with any names and values of one type.
    Map(&'static Shape),
    Structure(Members),
}

/// Names and types of a structure's members.
pub(crate) type Members = &'static [(&'static str, &'static Shape)];

use Shape::{Flag, List, Map, Structure, Text, Whole};

const TEXTS: &Shape = &List(&Text);
const NAMED_VALUES: &Shape = &List(&Structure(&[("name", &Text), ("value", &Text)]));
const SECRETS: &Shape = &List(&Structure(&[("name", &Text), ("valueFrom", &Text)]));
const TYPED_VALUES: &Shape = &List(&Structure(&[("value", &Text), ("type", &Text)]));

/// Tags stand in a registration as a member, in an answer beside the definition.
pub(crate) const TAGS: &Shape = &List(&Structure(&[("key", &Text), ("value", &Text)]));

const LINUX_PARAMETERS: &Shape = &Structure(&[
    ("capabilities", &Structure(&[("add", TEXTS), ("drop", TEXTS)])),
    ("devices", &List(&Structure(&[("hostPath", &Text), ("containerPath", &Text), ("permissions", TEXTS)]))),
    ("initProcessEnabled", &Flag),
    ("sharedMemorySize", &Whole),
    ("tmpfs", &List(&Structure(&[("containerPath", &Text), ("size", &Whole), ("mountOptions", TEXTS)]))),
    ("maxSwap", &Whole),
    ("swappiness", &Whole),
]);

const PORT_MAPPING: &Shape = &Structure(&[
    ("containerPort", &Whole),
    ("hostPort", &Whole),
    ("protocol", &Text),
    ("name", &Text),
    ("appProtocol", &Text),
    ("containerPortRange", &Text),
]);

const RESTART_POLICY: &Shape =
    &Structure(&[("enabled", &Flag), ("ignoredExitCodes", &List(&Whole)), ("restartAttemptPeriod", &Whole)]);

const HEALTH_CHECK: &Shape = &Structure(&[
    ("command", TEXTS),
    ("interval", &Whole),
    ("timeout", &Whole),
    ("retries", &Whole),
    ("startPeriod", &Whole),
]);

const LOG_CONFIGURATION: &Shape =
    &Structure(&[("logDriver", &Text), ("options", &Map(&Text)), ("secretOptions", SECRETS)]);

/// A container definition.
pub(crate) const CONTAINER: &Shape = &Structure(&[
    ("name", &Text),
    ("image", &Text),
    ("repositoryCredentials", &Structure(&[("credentialsParameter", &Text)])),
    ("cpu", &Whole),
    ("memory", &Whole),
    ("memoryReservation", &Whole),
    ("links", TEXTS),
    ("portMappings", &List(PORT_MAPPING)),
    ("essential", &Flag),
    ("restartPolicy", RESTART_POLICY),
    ("entryPoint", TEXTS),
    ("command", TEXTS),
    ("environment", NAMED_VALUES),
    ("environmentFiles", TYPED_VALUES),
    ("mountPoints", &List(&Structure(&[("sourceVolume", &Text), ("containerPath", &Text), ("readOnly", &Flag)]))),
    ("volumesFrom", &List(&Structure(&[("sourceContainer", &Text), ("readOnly", &Flag)]))),
    ("linuxParameters", LINUX_PARAMETERS),
    ("secrets", SECRETS),
    ("dependsOn", &List(&Structure(&[("containerName", &Text), ("condition", &Text)]))),
    ("startTimeout", &Whole),
    ("stopTimeout", &Whole),
    ("versionConsistency", &Text),
    ("hostname", &Text),
    ("user", &Text),
    ("workingDirectory", &Text),
    ("disableNetworking", &Flag),
    ("privileged", &Flag),
    ("readonlyRootFilesystem", &Flag),
    ("dnsServers", TEXTS),
    ("dnsSearchDomains", TEXTS),
    ("extraHosts", &List(&Structure(&[("hostname", &Text), ("ipAddress", &Text)]))),
    ("dockerSecurityOptions", TEXTS),
    ("interactive", &Flag),
    ("pseudoTerminal", &Flag),
    ("dockerLabels", &Map(&Text)),
    ("ulimits", &List(&Structure(&[("name", &Text), ("softLimit", &Whole), ("hardLimit", &Whole)]))),
    ("logConfiguration", LOG_CONFIGURATION),
    ("healthCheck", HEALTH_CHECK),
    ("systemControls", &List(&Structure(&[("namespace", &Text), ("value", &Text)]))),
    ("resourceRequirements", TYPED_VALUES),
    ("firelensConfiguration", &Structure(&[("type", &Text), ("options", &Map(&Text))])),
    ("credentialSpecs", TEXTS),
]);

const VOLUME: &Shape = &Structure(&[
    ("name", &Text),
    ("host", &Structure(&[("sourcePath", &Text)])),
    (
        "dockerVolumeConfiguration",
        &Structure(&[
            ("scope", &Text),
            ("autoprovision", &Flag),
            ("driver", &Text),
            ("driverOpts", &Map(&Text)),
            ("labels", &Map(&Text)),
        ]),
    ),
    (
        "efsVolumeConfiguration",
        &Structure(&[
            ("fileSystemId", &Text),
            ("rootDirectory", &Text),
            ("transitEncryption", &Text),
            ("transitEncryptionPort", &Whole),
            ("authorizationConfig", &Structure(&[("accessPointId", &Text), ("iam", &Text)])),
        ]),
    ),
    (
        "fsxWindowsFileServerVolumeConfiguration",
        &Structure(&[
            ("fileSystemId", &Text),
            ("rootDirectory", &Text),
            ("authorizationConfig", &Structure(&[("credentialsParameter", &Text), ("domain", &Text)])),
        ]),
    ),
    ("configuredAtLaunch", &Flag),
]);

/// The input of RegisterTaskDefinition.
pub(crate) const REGISTRATION: &Shape = &Structure(&[
    ("family", &Text),
    ("taskRoleArn", &Text),
    ("executionRoleArn", &Text),
    ("networkMode", &Text),
    ("containerDefinitions", &List(CONTAINER)),
    ("volumes", &List(VOLUME)),
    ("placementConstraints", &List(&Structure(&[("type", &Text), ("expression", &Text)]))),
    ("requiresCompatibilities", TEXTS),
    ("cpu", &Text),
    ("memory", &Text),
    ("tags", TAGS),
    ("pidMode", &Text),
    ("ipcMode", &Text),
    ("proxyConfiguration", &Structure(&[("type", &Text), ("containerName", &Text), ("properties", NAMED_VALUES)])),
    ("inferenceAccelerators", &List(&Structure(&[("deviceName", &Text), ("deviceType", &Text)]))),
    ("ephemeralStorage", &Structure(&[("sizeInGiB", &Whole)])),
    ("runtimePlatform", &Structure(&[("cpuArchitecture", &Text), ("operatingSystemFamily", &Text)])),
    ("enableFaultInjection", &Flag),
]);

impl Shape {
    /// The type of a member, if this is a structure that has it or a map.
    pub(crate) fn member(&self, name: &str) -> Option<&'static Shape> {
        match self {
            Structure(members) => members.iter().find(|(known, _)| *known == name).map(|(_, shape)| *shape),
            Map(values) => Some(values),
            Text | Whole | Flag | List(_) => None,
        }
    }

    fn label(&self) -> &'static str {
        match self {
            Text => "a String",
            Whole => "an Integer",
            Flag => "a Boolean",
            List(_) => "a List",
            Map(_) => "a Map",
            Structure(_) => "a Structure",
        }
    }
}

/// Refuses what ECS's parser cannot read into its types. `null` is absence for it.
pub(crate) fn check(value: Value<'_>, shape: &Shape, path: &str) -> Result<(), ServiceError> {
    match (value.json_type(), shape) {
        (JsonType::Null, _) | (JsonType::String, Text) | (JsonType::Boolean, Flag) => Ok(()),
        (JsonType::Number, Whole) if value.as_i64().is_some() => Ok(()),
        (JsonType::Array, List(item)) => {
            value.items().enumerate().try_for_each(|(index, one)| check(one, item, &format!("{path}[{index}]")))
        }
        (JsonType::Object, Structure(_) | Map(_)) => value.members().try_for_each(|(name, member)| {
            let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
            shape.member(&name).map_or(Ok(()), |shape| check(member, shape, &path))
        }),
        (JsonType::Boolean | JsonType::Number | JsonType::String | JsonType::Array | JsonType::Object, _) => {
            let found = match value.json_type() {
                JsonType::Number if value.as_i64().is_none() => "DECIMAL_VALUE",
                JsonType::Number => "NUMBER_VALUE",
                JsonType::String => "STRING_VALUE",
                JsonType::Boolean if value.as_bool() == Some(true) => "TRUE_VALUE",
                JsonType::Boolean => "FALSE_VALUE",
                JsonType::Array => "START_ARRAY",
                JsonType::Object | JsonType::Null => "START_OBJECT",
            };
            Err(ServiceError::serialization(format!("{found} can not be converted to {} at {path}", shape.label())))
        }
    }
}
