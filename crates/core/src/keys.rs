//! Every member name of a task definition that the code touches, in one place.
//!
//! The names are the API's (camelCase), the service model of 2014-11-13 as of botocore 1.43. CloudFormation spells
//! the same members in PascalCase; because no name stands anywhere else, a second spelling has one place to go.

/// The task definition itself.
pub mod task {
    /// What the API calls `family`.
    pub const FAMILY: &str = "family";
    /// The list of containers.
    pub const CONTAINER_DEFINITIONS: &str = "containerDefinitions";
    /// The role that the app has.
    pub const TASK_ROLE_ARN: &str = "taskRoleArn";
    /// The role that pulls images, reads secrets and writes logs.
    pub const EXECUTION_ROLE_ARN: &str = "executionRoleArn";
    /// `bridge`, `host`, `awsvpc` or `none`.
    pub const NETWORK_MODE: &str = "networkMode";
    /// Volumes that containers mount.
    pub const VOLUMES: &str = "volumes";
    /// Where tasks may be placed; not on Fargate.
    pub const PLACEMENT_CONSTRAINTS: &str = "placementConstraints";
    /// What the definition must run on.
    pub const REQUIRES_COMPATIBILITIES: &str = "requiresCompatibilities";
    /// Size of the task, in CPU units.
    pub const CPU: &str = "cpu";
    /// Size of the task, in MiB.
    pub const MEMORY: &str = "memory";
    /// Tags; beside the definition in a Describe answer, inside it in a registration.
    pub const TAGS: &str = "tags";
    /// Whose process namespace it shares.
    pub const PID_MODE: &str = "pidMode";
    /// Whose IPC namespace it shares.
    pub const IPC_MODE: &str = "ipcMode";
    /// App Mesh.
    pub const PROXY_CONFIGURATION: &str = "proxyConfiguration";
    /// Deprecated by AWS, still in old definitions.
    pub const INFERENCE_ACCELERATORS: &str = "inferenceAccelerators";
    /// Fargate's disk.
    pub const EPHEMERAL_STORAGE: &str = "ephemeralStorage";
    /// Operating system and architecture.
    pub const RUNTIME_PLATFORM: &str = "runtimePlatform";
    /// Whether faults may be injected.
    pub const ENABLE_FAULT_INJECTION: &str = "enableFaultInjection";

    /// All members of a RegisterTaskDefinition input.
    pub const REGISTRABLE: [&str; 18] = [
        FAMILY,
        CONTAINER_DEFINITIONS,
        TASK_ROLE_ARN,
        EXECUTION_ROLE_ARN,
        NETWORK_MODE,
        VOLUMES,
        PLACEMENT_CONSTRAINTS,
        REQUIRES_COMPATIBILITIES,
        CPU,
        MEMORY,
        TAGS,
        PID_MODE,
        IPC_MODE,
        PROXY_CONFIGURATION,
        INFERENCE_ACCELERATORS,
        EPHEMERAL_STORAGE,
        RUNTIME_PLATFORM,
        ENABLE_FAULT_INJECTION,
    ];
}

/// What only a Describe answer has.
pub mod described {
    /// The envelope's member that holds the definition.
    pub const TASK_DEFINITION: &str = "taskDefinition";
    /// ARN of the revision.
    pub const ARN: &str = "taskDefinitionArn";
    /// Number of the revision.
    pub const REVISION: &str = "revision";
    /// `ACTIVE`, `INACTIVE` or `DELETE_IN_PROGRESS`.
    pub const STATUS: &str = "status";
    /// What an instance must offer.
    pub const REQUIRES_ATTRIBUTES: &str = "requiresAttributes";
    /// What the definition could run on.
    pub const COMPATIBILITIES: &str = "compatibilities";
    /// When it was registered.
    pub const REGISTERED_AT: &str = "registeredAt";
    /// Who registered it.
    pub const REGISTERED_BY: &str = "registeredBy";
    /// When it was deregistered.
    pub const DEREGISTERED_AT: &str = "deregisteredAt";
    /// When its deletion was asked for.
    pub const DELETE_REQUESTED_AT: &str = "deleteRequestedAt";

    /// What a registration must not contain: the set difference of the two shapes in ECS's service model.
    pub const READ_ONLY: [&str; 9] = [
        ARN,
        REVISION,
        STATUS,
        REQUIRES_ATTRIBUTES,
        COMPATIBILITIES,
        REGISTERED_AT,
        REGISTERED_BY,
        DEREGISTERED_AT,
        DELETE_REQUESTED_AT,
    ];
}

/// A container definition.
pub mod container {
    /// The container's name, unique in its task.
    pub const NAME: &str = "name";
    /// Image reference.
    pub const IMAGE: &str = "image";
    /// Credentials for a private registry other than ECR.
    pub const REPOSITORY_CREDENTIALS: &str = "repositoryCredentials";
    /// CPU units.
    pub const CPU: &str = "cpu";
    /// Hard limit in MiB.
    pub const MEMORY: &str = "memory";
    /// Soft limit in MiB.
    pub const MEMORY_RESERVATION: &str = "memoryReservation";
    /// Names of containers, in bridge mode.
    pub const LINKS: &str = "links";
    /// Ports.
    pub const PORT_MAPPINGS: &str = "portMappings";
    /// Whether the task ends when it does. Default true.
    pub const ESSENTIAL: &str = "essential";
    /// Whether it is started again alone.
    pub const RESTART_POLICY: &str = "restartPolicy";
    /// Overrides the image's.
    pub const ENTRY_POINT: &str = "entryPoint";
    /// Overrides the image's.
    pub const COMMAND: &str = "command";
    /// Variables in plain text.
    pub const ENVIRONMENT: &str = "environment";
    /// Files with variables, in S3.
    pub const ENVIRONMENT_FILES: &str = "environmentFiles";
    /// Where volumes appear.
    pub const MOUNT_POINTS: &str = "mountPoints";
    /// Volumes of another container.
    pub const VOLUMES_FROM: &str = "volumesFrom";
    /// Capabilities, devices, shared memory.
    pub const LINUX_PARAMETERS: &str = "linuxParameters";
    /// Variables whose values ECS fetches.
    pub const SECRETS: &str = "secrets";
    /// Order of start.
    pub const DEPENDS_ON: &str = "dependsOn";
    /// Seconds.
    pub const START_TIMEOUT: &str = "startTimeout";
    /// Seconds.
    pub const STOP_TIMEOUT: &str = "stopTimeout";
    /// Whether a tag is resolved once a deployment.
    pub const VERSION_CONSISTENCY: &str = "versionConsistency";
    /// Host name inside the container.
    pub const HOSTNAME: &str = "hostname";
    /// User to run as.
    pub const USER: &str = "user";
    /// Directory to run in.
    pub const WORKING_DIRECTORY: &str = "workingDirectory";
    /// No network at all.
    pub const DISABLE_NETWORKING: &str = "disableNetworking";
    /// All rights on the host.
    pub const PRIVILEGED: &str = "privileged";
    /// The image's file system cannot be written.
    pub const READONLY_ROOT_FILESYSTEM: &str = "readonlyRootFilesystem";
    /// DNS servers.
    pub const DNS_SERVERS: &str = "dnsServers";
    /// DNS search domains.
    pub const DNS_SEARCH_DOMAINS: &str = "dnsSearchDomains";
    /// Additional lines of the hosts file.
    pub const EXTRA_HOSTS: &str = "extraHosts";
    /// SELinux, AppArmor.
    pub const DOCKER_SECURITY_OPTIONS: &str = "dockerSecurityOptions";
    /// Keeps standard input open.
    pub const INTERACTIVE: &str = "interactive";
    /// Allocates a terminal.
    pub const PSEUDO_TERMINAL: &str = "pseudoTerminal";
    /// Labels, which travel with the definition.
    pub const DOCKER_LABELS: &str = "dockerLabels";
    /// Limits of the process.
    pub const ULIMITS: &str = "ulimits";
    /// Where logs go.
    pub const LOG_CONFIGURATION: &str = "logConfiguration";
    /// How health is told.
    pub const HEALTH_CHECK: &str = "healthCheck";
    /// Kernel parameters.
    pub const SYSTEM_CONTROLS: &str = "systemControls";
    /// GPUs and accelerators.
    pub const RESOURCE_REQUIREMENTS: &str = "resourceRequirements";
    /// Makes the container the task's log router.
    pub const FIRELENS_CONFIGURATION: &str = "firelensConfiguration";
    /// Credential specs of Active Directory.
    pub const CREDENTIAL_SPECS: &str = "credentialSpecs";

    /// All members that ECS's service model knows.
    pub const KNOWN: [&str; 42] = [
        NAME,
        IMAGE,
        REPOSITORY_CREDENTIALS,
        CPU,
        MEMORY,
        MEMORY_RESERVATION,
        LINKS,
        PORT_MAPPINGS,
        ESSENTIAL,
        RESTART_POLICY,
        ENTRY_POINT,
        COMMAND,
        ENVIRONMENT,
        ENVIRONMENT_FILES,
        MOUNT_POINTS,
        VOLUMES_FROM,
        LINUX_PARAMETERS,
        SECRETS,
        DEPENDS_ON,
        START_TIMEOUT,
        STOP_TIMEOUT,
        VERSION_CONSISTENCY,
        HOSTNAME,
        USER,
        WORKING_DIRECTORY,
        DISABLE_NETWORKING,
        PRIVILEGED,
        READONLY_ROOT_FILESYSTEM,
        DNS_SERVERS,
        DNS_SEARCH_DOMAINS,
        EXTRA_HOSTS,
        DOCKER_SECURITY_OPTIONS,
        INTERACTIVE,
        PSEUDO_TERMINAL,
        DOCKER_LABELS,
        ULIMITS,
        LOG_CONFIGURATION,
        HEALTH_CHECK,
        SYSTEM_CONTROLS,
        RESOURCE_REQUIREMENTS,
        FIRELENS_CONFIGURATION,
        CREDENTIAL_SPECS,
    ];
}

/// Members of the structures inside containers, volumes, tags and platforms.
pub mod nested {
    /// Of a port mapping.
    pub const CONTAINER_PORT: &str = "containerPort";
    /// Of a port mapping.
    pub const HOST_PORT: &str = "hostPort";
    /// Of a port mapping: `tcp` or `udp`.
    pub const PROTOCOL: &str = "protocol";
    /// Of a port mapping: `first-last`.
    pub const CONTAINER_PORT_RANGE: &str = "containerPortRange";
    /// Of a port mapping: `http`, `http2` or `grpc`.
    pub const APP_PROTOCOL: &str = "appProtocol";
    /// Of variables, ports, volumes, secrets, ulimits.
    pub const NAME: &str = "name";
    /// Of variables and tags.
    pub const VALUE: &str = "value";
    /// Of tags.
    pub const KEY: &str = "key";
    /// Of secrets.
    pub const VALUE_FROM: &str = "valueFrom";
    /// Of a dependency.
    pub const CONTAINER_NAME: &str = "containerName";
    /// Of a dependency: `START`, `COMPLETE`, `SUCCESS` or `HEALTHY`.
    pub const CONDITION: &str = "condition";
    /// Of a log configuration.
    pub const LOG_DRIVER: &str = "logDriver";
    /// Of a log configuration, FireLens and the like.
    pub const OPTIONS: &str = "options";
    /// Of a log configuration.
    pub const SECRET_OPTIONS: &str = "secretOptions";
    /// Of a mount point.
    pub const SOURCE_VOLUME: &str = "sourceVolume";
    /// Of a mount point.
    pub const CONTAINER_PATH: &str = "containerPath";
    /// Of `volumesFrom`.
    pub const SOURCE_CONTAINER: &str = "sourceContainer";
    /// Of mount points and `volumesFrom`.
    pub const READ_ONLY: &str = "readOnly";
    /// Of a volume: a path of the instance.
    pub const HOST: &str = "host";
    /// Of a volume's `host`.
    pub const SOURCE_PATH: &str = "sourcePath";
    /// Of a volume.
    pub const DOCKER_VOLUME_CONFIGURATION: &str = "dockerVolumeConfiguration";
    /// Of a volume.
    pub const EFS_VOLUME_CONFIGURATION: &str = "efsVolumeConfiguration";
    /// Of a volume.
    pub const FSX_VOLUME_CONFIGURATION: &str = "fsxWindowsFileServerVolumeConfiguration";
    /// Of a volume on EFS.
    pub const FILE_SYSTEM_ID: &str = "fileSystemId";
    /// Of a volume on EFS.
    pub const ROOT_DIRECTORY: &str = "rootDirectory";
    /// Of a volume on EFS: `ENABLED` or `DISABLED`.
    pub const TRANSIT_ENCRYPTION: &str = "transitEncryption";
    /// Of a volume on EFS or FSx.
    pub const AUTHORIZATION_CONFIG: &str = "authorizationConfig";
    /// Of a volume's authorization: `ENABLED` or `DISABLED`.
    pub const IAM: &str = "iam";
    /// Of a platform.
    pub const OPERATING_SYSTEM_FAMILY: &str = "operatingSystemFamily";
    /// Of a platform: `X86_64` or `ARM64`.
    pub const CPU_ARCHITECTURE: &str = "cpuArchitecture";
    /// Of ephemeral storage.
    pub const SIZE_IN_GIB: &str = "sizeInGiB";
    /// Of a health check.
    pub const INTERVAL: &str = "interval";
    /// Of a health check.
    pub const TIMEOUT: &str = "timeout";
    /// Of a health check.
    pub const RETRIES: &str = "retries";
    /// Of a health check.
    pub const START_PERIOD: &str = "startPeriod";
    /// Of a restart policy.
    pub const ENABLED: &str = "enabled";
    /// Of a restart policy.
    pub const IGNORED_EXIT_CODES: &str = "ignoredExitCodes";
    /// Of a restart policy, in seconds.
    pub const RESTART_ATTEMPT_PERIOD: &str = "restartAttemptPeriod";
    /// Of Linux parameters.
    pub const CAPABILITIES: &str = "capabilities";
    /// Of capabilities.
    pub const ADD: &str = "add";
    /// Of Linux parameters.
    pub const DEVICES: &str = "devices";
    /// Of Linux parameters.
    pub const SHARED_MEMORY_SIZE: &str = "sharedMemorySize";
    /// Of Linux parameters.
    pub const TMPFS: &str = "tmpfs";
    /// Of Linux parameters.
    pub const MAX_SWAP: &str = "maxSwap";
    /// Of Linux parameters.
    pub const SWAPPINESS: &str = "swappiness";
    /// Of constraints, environment files, resources, FireLens.
    pub const TYPE: &str = "type";
    /// Of a placement constraint.
    pub const EXPRESSION: &str = "expression";
    /// Of an additional host.
    pub const IP_ADDRESS: &str = "ipAddress";
    /// Of an additional host.
    pub const HOSTNAME: &str = "hostname";
    /// Of kernel parameters.
    pub const NAMESPACE: &str = "namespace";
    /// Of a proxy configuration.
    pub const PROPERTIES: &str = "properties";
    /// Of a repository's or file system's credentials.
    pub const CREDENTIALS_PARAMETER: &str = "credentialsParameter";
    /// Of FSx's authorization.
    pub const DOMAIN: &str = "domain";
    /// Of capabilities.
    pub const DROP: &str = "drop";
    /// Of Linux parameters.
    pub const INIT_PROCESS_ENABLED: &str = "initProcessEnabled";
    /// Of a device.
    pub const HOST_PATH: &str = "hostPath";
    /// Of a device: `read`, `write`, `mknod`.
    pub const PERMISSIONS: &str = "permissions";
    /// Of a tmpfs mount, in MiB.
    pub const SIZE: &str = "size";
    /// Of a tmpfs mount.
    pub const MOUNT_OPTIONS: &str = "mountOptions";
    /// Of a limit of the process.
    pub const SOFT_LIMIT: &str = "softLimit";
    /// Of a limit of the process.
    pub const HARD_LIMIT: &str = "hardLimit";
    /// Of a health check.
    pub const COMMAND: &str = "command";
    /// Of a Docker volume: `task` or `shared`.
    pub const SCOPE: &str = "scope";
    /// Of a Docker volume.
    pub const AUTOPROVISION: &str = "autoprovision";
    /// Of a Docker volume.
    pub const DRIVER: &str = "driver";
    /// Of a Docker volume.
    pub const DRIVER_OPTS: &str = "driverOpts";
    /// Of a Docker volume.
    pub const LABELS: &str = "labels";
    /// Of a volume on EFS or S3 Files.
    pub const TRANSIT_ENCRYPTION_PORT: &str = "transitEncryptionPort";
    /// Of a volume's authorization on EFS.
    pub const ACCESS_POINT_ID: &str = "accessPointId";
    /// Of a volume.
    pub const S3_FILES_VOLUME_CONFIGURATION: &str = "s3filesVolumeConfiguration";
    /// Of a volume on S3 Files.
    pub const FILE_SYSTEM_ARN: &str = "fileSystemArn";
    /// Of a volume on S3 Files.
    pub const ACCESS_POINT_ARN: &str = "accessPointArn";
    /// Of a volume whose disk a service or a task brings.
    pub const CONFIGURED_AT_LAUNCH: &str = "configuredAtLaunch";
    /// Of an inference accelerator.
    pub const DEVICE_NAME: &str = "deviceName";
    /// Of an inference accelerator.
    pub const DEVICE_TYPE: &str = "deviceType";
}

/// Options of log drivers and of FireLens that a rule reads.
pub mod log_option {
    /// `awslogs`: the log group.
    pub const AWSLOGS_GROUP: &str = "awslogs-group";
    /// `awslogs`: the Region of the log group.
    pub const AWSLOGS_REGION: &str = "awslogs-region";
    /// `awslogs`: what a stream's name begins with.
    pub const AWSLOGS_STREAM_PREFIX: &str = "awslogs-stream-prefix";
    /// `awslogs`: whether the driver makes the log group if it is missing.
    pub const AWSLOGS_CREATE_GROUP: &str = "awslogs-create-group";
    /// `splunk`: the token.
    pub const SPLUNK_TOKEN: &str = "splunk-token";
    /// `splunk`: the endpoint.
    pub const SPLUNK_URL: &str = "splunk-url";
    /// FireLens: where the router's own configuration comes from, `s3` or `file`.
    pub const CONFIG_FILE_TYPE: &str = "config-file-type";
}
