//! The rules, each with what it says and who says so.
//!
//! Knows: the names of the rules. Must not know: how any of them is judged.

macro_rules! rules {
    ($($name:ident $label:literal $description:literal [$source:literal])+) => {
        /// A documented rule of RegisterTaskDefinition.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(
                #[doc = concat!($description, " Source: ", $source, ".")]
                $name,
            )+
        }

        impl Rule {
            /// Every rule, in the order of the documentation's table.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The stable code, as reports and metrics show it.
            pub fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)+ }
            }

            /// What the rule asks for, in a sentence.
            pub fn description(self) -> &'static str {
                match self { $(Self::$name => $description,)+ }
            }

            /// Where it is written: AWS's documentation, its service model, or the error that ECS answers.
            pub fn source(self) -> &'static str {
                match self { $(Self::$name => $source,)+ }
            }
        }
    };
}

rules! {
    WrongType "wrongType" "Every known member has the JSON type of the service model; ECS answers SerializationException otherwise." ["service model"]
    MissingMember "missingMember" "What the service model requires is there: a family, a container's name and image, and so on." ["service model; developer guide, task definition parameters"]
    InvalidValue "invalidValue" "A member with a fixed set of values has one of them." ["service model"]
    OutOfRange "outOfRange" "A number is within its documented range: ports, health checks, restart policies, ephemeral storage." ["API reference"]
    FamilyName "familyName" "A family has up to 255 letters, digits, underscores and hyphens." ["API reference, RegisterTaskDefinition"]
    ContainerName "containerName" "A container's name has up to 255 letters, digits, underscores and hyphens." ["API reference, ContainerDefinition"]
    VolumeName "volumeName" "A volume's name has up to 255 letters, digits, underscores and hyphens." ["API reference, Volume"]
    PortName "portName" "A port mapping's name has up to 64 lower-case letters, digits, underscores and hyphens, and does not begin with a hyphen." ["API reference, PortMapping"]
    ImageTooLong "imageTooLong" "An image reference has up to 255 characters, a digest not counted." ["API reference, ContainerDefinition"]
    RoleMalformed "roleMalformed" "A role is named by its ARN or its bare name." ["API reference, RegisterTaskDefinition; bare execution roles as seen in use"]
    TooManyContainers "tooManyContainers" "A task definition has up to ten containers." ["service quotas; ECS answers: Too many containers"]
    DuplicateContainer "duplicateContainer" "Containers of a task have different names." ["developer guide, task definition parameters"]
    NoEssentialContainer "noEssentialContainer" "At least one container is essential." ["API reference, ContainerDefinition"]
    TooLarge "tooLarge" "A task definition has up to 64 KiB." ["service quotas"]
    SizeUnreadable "sizeUnreadable" "A task's cpu and memory are whole units or vCPU and GB." ["API reference, RegisterTaskDefinition"]
    TaskCpuRange "taskCpuRange" "A task's cpu outside Fargate is between 128 and 196608 units." ["API reference, RegisterTaskDefinition"]
    CpuSum "cpuSum" "The cpu of all containers together is at most the task's." ["ECS answers: The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'"]
    MemorySum "memorySum" "The hard memory limits of all containers together are at most the task's memory." ["API reference, ContainerDefinition"]
    MemoryAboveTask "memoryAboveTask" "A container's hard memory limit is at most the task's memory." ["ECS answers: The 'memory' setting for container is greater than for the task"]
    MemoryMissing "memoryMissing" "Without memory of the task, every container has memory or memoryReservation." ["ECS answers: At least one of 'memory' or 'memoryReservation' must be specified"]
    MemoryTooSmall "memoryTooSmall" "A container has at least 4 MiB." ["API reference, ContainerDefinition"]
    MemoryBelowReservation "memoryBelowReservation" "A container's memory is not below its memoryReservation." ["API reference, ContainerDefinition"]
    PortsWithoutNetwork "portsWithoutNetwork" "Network mode none has no port mappings." ["API reference, RegisterTaskDefinition"]
    HostPortMismatch "hostPortMismatch" "In network modes awsvpc and host, hostPort is absent or equal to containerPort." ["ECS answers: When networkMode=awsvpc, the host ports and container ports in port mappings must match"]
    PortRange "portRange" "A containerPortRange is first-last within 1 and 65535, without a hostPort, in network mode bridge or awsvpc." ["API reference, PortMapping"]
    TooManyPortRanges "tooManyPortRanges" "A container has up to 100 port ranges." ["API reference, PortMapping"]
    DuplicatePort "duplicatePort" "Where containers share a network, and within one port range, no port and protocol is mapped twice." ["API reference, PortMapping; developer guide, task networking"]
    DuplicateHostPort "duplicateHostPort" "In network mode bridge, no fixed hostPort and protocol is mapped twice." ["developer guide, port mappings"]
    LinksNeedBridge "linksNeedBridge" "Links are for network mode bridge only." ["API reference, ContainerDefinition"]
    LinkUnknown "linkUnknown" "A link names another container of the task." ["API reference, ContainerDefinition"]
    NotInAwsvpc "notInAwsvpc" "In network mode awsvpc there is no hostname and no extraHosts." ["API reference, ContainerDefinition"]
    DependsOnUnknown "dependsOnUnknown" "A dependency names a container of the task." ["API reference, ContainerDependency"]
    DependsOnItself "dependsOnItself" "No container depends on itself." ["developer guide, container dependency"]
    DependsOnCycle "dependsOnCycle" "Dependencies form no cycle." ["developer guide, container dependency"]
    DependsOnEssential "dependsOnEssential" "COMPLETE and SUCCESS wait for containers that are not essential." ["ECS answers: A dependency container with SUCCESS or COMPLETE condition cannot be an essential container"]
    DependsOnUnhealthy "dependsOnUnhealthy" "HEALTHY waits for a container with a health check." ["API reference, ContainerDependency"]
    TooManyExitCodes "tooManyExitCodes" "A restart policy ignores up to 50 exit codes." ["API reference, ContainerRestartPolicy"]
    DuplicateVariable "duplicateVariable" "A secret's name is no other secret's and no environment variable's of its container." ["ECS answers: The secret name must be unique and not shared with any environment variables"]
    TooManyEnvironmentFiles "tooManyEnvironmentFiles" "A container has up to ten environment files." ["API reference, ContainerDefinition"]
    TooManyCredentialSpecs "tooManyCredentialSpecs" "A container has one credential spec at most." ["API reference, ContainerDefinition"]
    VolumeUnknown "volumeUnknown" "A mount point names a volume of the task." ["API reference, MountPoint"]
    VolumesFromUnknown "volumesFromUnknown" "volumesFrom names another container of the task." ["API reference, VolumeFrom"]
    DuplicateVolume "duplicateVolume" "Volumes of a task have different names." ["developer guide, volumes"]
    TooManyLaunchVolumes "tooManyLaunchVolumes" "One volume at most is configured at launch." ["API reference, Volume"]
    EfsEncryption "efsEncryption" "IAM authorization or an access point on EFS needs transit encryption." ["API reference, EFSVolumeConfiguration"]
    AccessPointRoot "accessPointRoot" "With an access point, a file system's root directory is absent or /." ["API reference, EFSVolumeConfiguration and S3FilesVolumeConfiguration"]
    ProxyUnknown "proxyUnknown" "The proxy configuration names a container of the task." ["API reference, ProxyConfiguration"]
    TooManyConstraints "tooManyConstraints" "A task definition has up to ten placement constraints." ["API reference, RegisterTaskDefinition"]
    LogOptionMissing "logOptionMissing" "awslogs has a group and a Region, splunk a token and a URL." ["API reference, LogConfiguration"]
    TooManyLogRouters "tooManyLogRouters" "One container at most is a FireLens log router." ["developer guide, FireLens"]
    LogRouterMissing "logRouterMissing" "The log driver awsfirelens needs a container that is a FireLens log router." ["developer guide, FireLens"]
    ExecutionRoleMissing "executionRoleMissing" "Secrets and registry credentials need an execution role." ["ECS answers: When you are specifying container secrets, you must also specify a value for 'executionRoleArn'"]
    TooManyTags "tooManyTags" "A task definition has up to 50 tags, those of AWS not counted." ["API reference, RegisterTaskDefinition"]
    TagKey "tagKey" "A tag's key has 1 to 128 letters, digits, spaces and _.:/=+-@." ["service model"]
    TagValue "tagValue" "A tag's value has up to 256 letters, digits, spaces and _.:/=+-@." ["service model"]
    TagReserved "tagReserved" "No tag's key or value begins with aws: in any case." ["API reference, Tag"]
    DuplicateTag "duplicateTag" "Tags have different keys." ["API reference, RegisterTaskDefinition"]
    ExternalUnsupported "externalUnsupported" "External instances have no awsvpc, no EFS volumes and no App Mesh proxy." ["developer guide, external launch type"]
    FargateNetworkMode "fargateNetworkMode" "Fargate needs network mode awsvpc." ["API reference, RegisterTaskDefinition"]
    FargateSizeMissing "fargateSizeMissing" "Fargate needs the task's cpu and memory." ["ECS answers: Fargate requires that 'cpu' be defined at the task level"]
    FargateSize "fargateSize" "Fargate has a table of cpu and memory pairs." ["developer guide, task size; ECS answers: No Fargate configuration exists for given values"]
    FargateWindowsSize "fargateWindowsSize" "Windows on Fargate has 1, 2 or 4 vCPU." ["developer guide, task definition differences for Fargate"]
    FargateUnsupported "fargateUnsupported" "Fargate refuses parameters that reach for the host, such as privileged, devices, GPUs or placement constraints." ["developer guide, task definition differences for Fargate"]
    FargateCapability "fargateCapability" "The one capability that can be added on Fargate is SYS_PTRACE." ["API reference, KernelCapabilities"]
    FargatePidMode "fargatePidMode" "On Fargate, pidMode is task or absent." ["API reference, RegisterTaskDefinition"]
    FargateVolume "fargateVolume" "Fargate has no Docker volumes and no paths of the host." ["API reference, Volume and HostVolumeProperties"]
    FargateLogDriver "fargateLogDriver" "Log drivers on Fargate are awslogs, splunk and awsfirelens." ["API reference, LogConfiguration"]
    FargateStreamPrefix "fargateStreamPrefix" "awslogs on Fargate needs awslogs-stream-prefix." ["API reference, LogConfiguration"]
    FargateRouterFile "fargateRouterFile" "A FireLens router on Fargate takes its configuration from a file of its image, not from S3." ["API reference, FirelensConfiguration"]
    FargateExecutionRole "fargateExecutionRole" "awslogs and private ECR images need an execution role on Fargate." ["ECS answers: Fargate requires task definition to have execution role ARN to support ECR images"]
    FargateTimeout "fargateTimeout" "On Fargate, startTimeout and stopTimeout are 2 to 120 seconds." ["API reference, ContainerDefinition"]
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.label())
    }
}

impl serde::Serialize for Rule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}
