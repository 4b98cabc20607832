//! The shapes of a RegisterTaskDefinition input.
//!
//! Transcribed from ECS's service model of 2014-11-13 as of botocore 1.43.106, ranges from the text of the same
//! model. `tests/python` compares every member with botocore's copy.

use super::shape::Shape::{Choice, Flag, List, Map, Named, Object, Prefix, Text, Whole};
use super::shape::{Field, Shape, WHOLE};
use crate::keys::{container, nested, task};

const fn may(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: false }
}

const fn must(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: true }
}

const TEXTS: Shape = List(&Text);
const TOGGLE: Shape = Choice(&["ENABLED", "DISABLED"]);
const PORT: Shape = Whole(1, 65_535);

/// The members of a task definition.
pub static TASK: [Field; 18] = [
    must(task::FAMILY, Text),
    must(task::CONTAINER_DEFINITIONS, Named(&Object(&CONTAINER))),
    may(task::TASK_ROLE_ARN, Text),
    may(task::EXECUTION_ROLE_ARN, Text),
    may(task::NETWORK_MODE, Choice(&["bridge", "host", "awsvpc", "none"])),
    may(task::VOLUMES, Named(&Object(&VOLUME))),
    may(
        task::PLACEMENT_CONSTRAINTS,
        List(&Object(&[may(nested::TYPE, Choice(&["memberOf"])), may(nested::EXPRESSION, Text)])),
    ),
    may(task::REQUIRES_COMPATIBILITIES, List(&Choice(&["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"]))),
    may(task::CPU, Text),
    may(task::MEMORY, Text),
    may(task::TAGS, List(&Object(&[may(nested::KEY, Text), may(nested::VALUE, Text)]))),
    may(task::PID_MODE, Choice(&["host", "task"])),
    may(task::IPC_MODE, Choice(&["host", "task", "none"])),
    may(task::PROXY_CONFIGURATION, Object(&PROXY)),
    may(
        task::INFERENCE_ACCELERATORS,
        List(&Object(&[must(nested::DEVICE_NAME, Text), must(nested::DEVICE_TYPE, Text)])),
    ),
    may(task::EPHEMERAL_STORAGE, Object(&[must(nested::SIZE_IN_GIB, Whole(21, 200))])),
    may(task::RUNTIME_PLATFORM, Object(&PLATFORM)),
    may(task::ENABLE_FAULT_INJECTION, Flag),
];

const PLATFORM: [Field; 2] = [
    may(nested::CPU_ARCHITECTURE, Choice(&["X86_64", "ARM64"])),
    may(nested::OPERATING_SYSTEM_FAMILY, Prefix(&["LINUX"], "WINDOWS_SERVER_")),
];

const PROXY: [Field; 3] =
    [may(nested::TYPE, Choice(&["APPMESH"])), must(nested::CONTAINER_NAME, Text), may(nested::PROPERTIES, List(&PAIR))];

const PAIR: Shape = Object(&[may(nested::NAME, Text), may(nested::VALUE, Text)]);
const SECRET: Shape = Object(&[must(nested::NAME, Text), must(nested::VALUE_FROM, Text)]);

/// The members of a container definition.
pub(crate) static CONTAINER: [Field; 42] = [
    must(container::NAME, Text),
    must(container::IMAGE, Text),
    may(container::REPOSITORY_CREDENTIALS, Object(&[must(nested::CREDENTIALS_PARAMETER, Text)])),
    may(container::CPU, WHOLE),
    may(container::MEMORY, WHOLE),
    may(container::MEMORY_RESERVATION, WHOLE),
    may(container::LINKS, TEXTS),
    may(container::PORT_MAPPINGS, List(&Object(&PORT_MAPPING))),
    may(container::ESSENTIAL, Flag),
    may(container::RESTART_POLICY, Object(&RESTART_POLICY)),
    may(container::ENTRY_POINT, TEXTS),
    may(container::COMMAND, TEXTS),
    may(container::ENVIRONMENT, Named(&PAIR)),
    may(container::ENVIRONMENT_FILES, List(&Object(&[must(nested::VALUE, Text), must(nested::TYPE, Choice(&["s3"]))]))),
    may(container::MOUNT_POINTS, List(&Object(&MOUNT_POINT))),
    may(container::VOLUMES_FROM, List(&Object(&[may(nested::SOURCE_CONTAINER, Text), may(nested::READ_ONLY, Flag)]))),
    may(container::LINUX_PARAMETERS, Object(&LINUX_PARAMETERS)),
    may(container::SECRETS, Named(&SECRET)),
    may(container::DEPENDS_ON, List(&Object(&DEPENDENCY))),
    may(container::START_TIMEOUT, WHOLE),
    may(container::STOP_TIMEOUT, WHOLE),
    may(container::VERSION_CONSISTENCY, Choice(&["enabled", "disabled"])),
    may(container::HOSTNAME, Text),
    may(container::USER, Text),
    may(container::WORKING_DIRECTORY, Text),
    may(container::DISABLE_NETWORKING, Flag),
    may(container::PRIVILEGED, Flag),
    may(container::READONLY_ROOT_FILESYSTEM, Flag),
    may(container::DNS_SERVERS, TEXTS),
    may(container::DNS_SEARCH_DOMAINS, TEXTS),
    may(container::EXTRA_HOSTS, List(&Object(&[must(nested::HOSTNAME, Text), must(nested::IP_ADDRESS, Text)]))),
    may(container::DOCKER_SECURITY_OPTIONS, TEXTS),
    may(container::INTERACTIVE, Flag),
    may(container::PSEUDO_TERMINAL, Flag),
    may(container::DOCKER_LABELS, Map),
    may(container::ULIMITS, List(&Object(&ULIMIT))),
    may(container::LOG_CONFIGURATION, Object(&LOG_CONFIGURATION)),
    may(container::HEALTH_CHECK, Object(&HEALTH_CHECK)),
    may(container::SYSTEM_CONTROLS, List(&Object(&[may(nested::NAMESPACE, Text), may(nested::VALUE, Text)]))),
    may(
        container::RESOURCE_REQUIREMENTS,
        List(&Object(&[
            must(nested::VALUE, Text),
            must(nested::TYPE, Choice(&["GPU", "InferenceAccelerator", "NeuronDevice"])),
        ])),
    ),
    may(
        container::FIRELENS_CONFIGURATION,
        Object(&[must(nested::TYPE, Choice(&["fluentd", "fluentbit"])), may(nested::OPTIONS, Map)]),
    ),
    may(container::CREDENTIAL_SPECS, TEXTS),
];

const PORT_MAPPING: [Field; 6] = [
    may(nested::CONTAINER_PORT, PORT),
    may(nested::HOST_PORT, Whole(0, 65_535)),
    // A string and not a choice: "Amazon ECS treats any other specified value as tcp" (API reference, PortMapping).
    may(nested::PROTOCOL, Text),
    may(nested::NAME, Text),
    may(nested::APP_PROTOCOL, Choice(&["http", "http2", "grpc"])),
    may(nested::CONTAINER_PORT_RANGE, Text),
];

const RESTART_POLICY: [Field; 3] = [
    must(nested::ENABLED, Flag),
    may(nested::IGNORED_EXIT_CODES, List(&WHOLE)),
    may(nested::RESTART_ATTEMPT_PERIOD, Whole(60, 1800)),
];

const MOUNT_POINT: [Field; 3] =
    [may(nested::SOURCE_VOLUME, Text), may(nested::CONTAINER_PATH, Text), may(nested::READ_ONLY, Flag)];

const LINUX_PARAMETERS: [Field; 7] = [
    may(nested::CAPABILITIES, Object(&[may(nested::ADD, TEXTS), may(nested::DROP, TEXTS)])),
    may(nested::DEVICES, List(&Object(&DEVICE))),
    may(nested::INIT_PROCESS_ENABLED, Flag),
    may(nested::SHARED_MEMORY_SIZE, WHOLE),
    may(nested::TMPFS, List(&Object(&TMPFS))),
    may(nested::MAX_SWAP, Whole(0, i32::MAX as i64)),
    may(nested::SWAPPINESS, Whole(0, 100)),
];

const DEVICE: [Field; 3] = [
    must(nested::HOST_PATH, Text),
    may(nested::CONTAINER_PATH, Text),
    may(nested::PERMISSIONS, List(&Choice(&["read", "write", "mknod"]))),
];

const TMPFS: [Field; 3] =
    [must(nested::CONTAINER_PATH, Text), must(nested::SIZE, WHOLE), may(nested::MOUNT_OPTIONS, TEXTS)];

const DEPENDENCY: [Field; 2] =
    [must(nested::CONTAINER_NAME, Text), must(nested::CONDITION, Choice(&["START", "COMPLETE", "SUCCESS", "HEALTHY"]))];

const ULIMIT: [Field; 3] = [
    must(
        nested::NAME,
        Choice(&[
            "core",
            "cpu",
            "data",
            "fsize",
            "locks",
            "memlock",
            "msgqueue",
            "nice",
            "nofile",
            "nproc",
            "rss",
            "rtprio",
            "rttime",
            "sigpending",
            "stack",
        ]),
    ),
    must(nested::SOFT_LIMIT, WHOLE),
    must(nested::HARD_LIMIT, WHOLE),
];

const LOG_CONFIGURATION: [Field; 3] = [
    must(
        nested::LOG_DRIVER,
        Choice(&["json-file", "syslog", "journald", "gelf", "fluentd", "awslogs", "splunk", "awsfirelens"]),
    ),
    may(nested::OPTIONS, Map),
    may(nested::SECRET_OPTIONS, Named(&SECRET)),
];

const HEALTH_CHECK: [Field; 5] = [
    must(nested::COMMAND, TEXTS),
    may(nested::INTERVAL, Whole(5, 300)),
    may(nested::TIMEOUT, Whole(2, 60)),
    may(nested::RETRIES, Whole(1, 10)),
    may(nested::START_PERIOD, Whole(0, 300)),
];

static VOLUME: [Field; 7] = [
    may(nested::NAME, Text),
    may(nested::HOST, Object(&[may(nested::SOURCE_PATH, Text)])),
    may(nested::DOCKER_VOLUME_CONFIGURATION, Object(&DOCKER_VOLUME)),
    may(nested::EFS_VOLUME_CONFIGURATION, Object(&EFS_VOLUME)),
    may(nested::S3_FILES_VOLUME_CONFIGURATION, Object(&S3_FILES_VOLUME)),
    may(nested::FSX_VOLUME_CONFIGURATION, Object(&FSX_VOLUME)),
    may(nested::CONFIGURED_AT_LAUNCH, Flag),
];

const DOCKER_VOLUME: [Field; 5] = [
    may(nested::SCOPE, Choice(&["task", "shared"])),
    may(nested::AUTOPROVISION, Flag),
    may(nested::DRIVER, Text),
    may(nested::DRIVER_OPTS, Map),
    may(nested::LABELS, Map),
];

const EFS_VOLUME: [Field; 5] = [
    must(nested::FILE_SYSTEM_ID, Text),
    may(nested::ROOT_DIRECTORY, Text),
    may(nested::TRANSIT_ENCRYPTION, TOGGLE),
    may(nested::TRANSIT_ENCRYPTION_PORT, WHOLE),
    may(nested::AUTHORIZATION_CONFIG, Object(&[may(nested::ACCESS_POINT_ID, Text), may(nested::IAM, TOGGLE)])),
];

const S3_FILES_VOLUME: [Field; 4] = [
    must(nested::FILE_SYSTEM_ARN, Text),
    may(nested::ROOT_DIRECTORY, Text),
    may(nested::TRANSIT_ENCRYPTION_PORT, WHOLE),
    may(nested::ACCESS_POINT_ARN, Text),
];

const FSX_VOLUME: [Field; 3] = [
    must(nested::FILE_SYSTEM_ID, Text),
    must(nested::ROOT_DIRECTORY, Text),
    must(
        nested::AUTHORIZATION_CONFIG,
        Object(&[must(nested::CREDENTIALS_PARAMETER, Text), must(nested::DOMAIN, Text)]),
    ),
];
