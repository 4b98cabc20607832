//! Cases of rules about a definition as a whole.

use super::{Case, EC2, FARGATE, case, list};
use crate::check::Rule;

pub(super) fn shapes() -> Vec<Case> {
    vec![
        case(Rule::WrongType, FARGATE, [("/cpu", "1024")], "cpu"),
        case(Rule::WrongType, EC2, [("./memory", "\"128\"")], "containerDefinitions[web].memory"),
        case(Rule::WrongType, EC2, [("./cpu", "1.5")], "containerDefinitions[web].cpu"),
        case(Rule::WrongType, EC2, [("./dockerLabels", r#"{"a.b": 1}"#)], "containerDefinitions[web].dockerLabels.a.b"),
        case(
            Rule::WrongType,
            EC2,
            [("./environment", r#"[{"name": "N", "value": 1}]"#)],
            "containerDefinitions[web].environment[N].value",
        ),
        case(Rule::MissingMember, FARGATE, [("/family", "\"\"")], "family"),
        case(
            Rule::MissingMember,
            EC2,
            [("/containerDefinitions/1/image", "null")],
            "containerDefinitions[redis].image",
        ),
        case(
            Rule::MissingMember,
            EC2,
            [("/containerDefinitions/-", r#"{"image": "i", "memory": 4}"#)],
            "containerDefinitions[2].name",
        ),
        case(
            Rule::MissingMember,
            FARGATE,
            [("/volumes/1/name", "null"), ("/volumes/0/name", "\"scratch\"")],
            "volumes[1].name",
        ),
        case(Rule::InvalidValue, EC2, [("/networkMode", "\"vpc\"")], "networkMode"),
        case(Rule::InvalidValue, EC2, [("/requiresCompatibilities/-", "\"MOON\"")], "requiresCompatibilities[2]"),
        case(
            Rule::InvalidValue,
            FARGATE,
            [("/runtimePlatform/operatingSystemFamily", "\"WINDOWS\"")],
            "runtimePlatform.operatingSystemFamily",
        ),
        case(Rule::OutOfRange, FARGATE, [("/ephemeralStorage/sizeInGiB", "20")], "ephemeralStorage.sizeInGiB"),
        case(
            Rule::OutOfRange,
            FARGATE,
            [("./portMappings/1/containerPort", "65536")],
            "containerDefinitions[web].portMappings[1].containerPort",
        ),
        case(
            Rule::OutOfRange,
            FARGATE,
            [("/containerDefinitions/1/healthCheck/timeout", "1")],
            "containerDefinitions[router].healthCheck.timeout",
        ),
        case(
            Rule::OutOfRange,
            FARGATE,
            [("./restartPolicy/restartAttemptPeriod", "59")],
            "containerDefinitions[web].restartPolicy.restartAttemptPeriod",
        ),
    ]
}

pub(super) fn names() -> Vec<Case> {
    let long = format!("\"{}\"", "a".repeat(256));
    let long_port = format!("\"{}\"", "a".repeat(65));
    vec![
        case(Rule::FamilyName, FARGATE, [("/family", "\"web.app\"")], "family"),
        case(Rule::FamilyName, FARGATE, [("/family", &long)], "family"),
        case(Rule::ContainerName, EC2, [("./name", "\"we b\"")], "containerDefinitions[we b].name"),
        case(Rule::VolumeName, EC2, [("/volumes/0/name", "\"a/b\"")], "volumes[a/b].name"),
        case(
            Rule::PortName,
            FARGATE,
            [("./portMappings/0/name", "\"-http\"")],
            "containerDefinitions[web].portMappings[0].name",
        ),
        case(
            Rule::PortName,
            FARGATE,
            [("./portMappings/0/name", &long_port)],
            "containerDefinitions[web].portMappings[0].name",
        ),
        case(Rule::ImageTooLong, EC2, [("./image", &long)], "containerDefinitions[web].image"),
        case(Rule::RoleMalformed, FARGATE, [("/taskRoleArn", "\"<TASK_ROLE_ARN>\"")], "taskRoleArn"),
        case(
            Rule::DuplicateContainer,
            EC2,
            [("/containerDefinitions/-", r#"{"name": "web", "image": "i", "memory": 4}"#)],
            "containerDefinitions[web].name",
        ),
        case(
            Rule::NoEssentialContainer,
            EC2,
            [("./essential", "false"), ("/containerDefinitions/1/essential", "false")],
            "containerDefinitions",
        ),
        case(Rule::TooLarge, EC2, [("./command", &format!("[\"{}\"]", "x".repeat(64 * 1024)))], "containerDefinitions"),
        case(
            Rule::TooManyConstraints,
            EC2,
            [("/placementConstraints", &list(r#"{"type": "memberOf"}"#, 11))],
            "placementConstraints",
        ),
        case(
            Rule::ProxyUnknown,
            FARGATE,
            [("/proxyConfiguration/containerName", "\"envoy\"")],
            "proxyConfiguration.containerName",
        ),
    ]
}

pub(super) fn sizes() -> Vec<Case> {
    let eleven: Vec<_> = (0..11).map(|n| format!(r#"{{"name": "c{n}", "image": "i", "memory": 4}}"#)).collect();
    vec![
        case(
            Rule::TooManyContainers,
            EC2,
            [("/containerDefinitions", &format!("[{}]", eleven.join(",")))],
            "containerDefinitions",
        ),
        case(Rule::SizeUnreadable, EC2, [("/memory", "\"a lot\"")], "memory"),
        case(Rule::TaskCpuRange, EC2, [("/cpu", "\"127\"")], "cpu"),
        case(Rule::CpuSum, FARGATE, [("/containerDefinitions/1/cpu", "25")], "cpu"),
        case(Rule::MemorySum, FARGATE, [("/containerDefinitions/1/memory", "257")], "memory"),
        case(Rule::MemoryAboveTask, FARGATE, [("./memory", "2049")], "containerDefinitions[web].memory"),
        case(Rule::MemoryMissing, EC2, [("./memory", "0")], "containerDefinitions[web].memory"),
        case(Rule::MemoryTooSmall, EC2, [("./memory", "3")], "containerDefinitions[web].memory"),
        case(Rule::MemoryBelowReservation, FARGATE, [("./memory", "1791")], "containerDefinitions[web].memory"),
        case(Rule::FargateSizeMissing, FARGATE, [("/cpu", "null")], "cpu"),
        case(Rule::FargateSize, FARGATE, [("/cpu", "\"1000\"")], "cpu"),
        case(Rule::FargateSize, FARGATE, [("/cpu", "\"32 vCPU\""), ("/memory", "\"64 GB\"")], "memory"),
        case(
            Rule::FargateWindowsSize,
            FARGATE,
            [
                ("/runtimePlatform", r#"{"operatingSystemFamily": "WINDOWS_SERVER_2031_CORE"}"#),
                ("/cpu", "\"512\""),
                ("./cpu", "0"),
            ],
            "cpu",
        ),
    ]
}

pub(super) fn fargate() -> Vec<Case> {
    vec![
        case(Rule::FargateNetworkMode, FARGATE, [("/networkMode", "null")], "networkMode"),
        case(Rule::FargateUnsupported, FARGATE, [("./privileged", "true")], "containerDefinitions[web].privileged"),
        case(
            Rule::FargateUnsupported,
            FARGATE,
            [("./resourceRequirements", r#"[{"type": "GPU", "value": "1"}]"#)],
            "containerDefinitions[web].resourceRequirements[0]",
        ),
        case(
            Rule::FargateUnsupported,
            FARGATE,
            [("./linuxParameters/sharedMemorySize", "64")],
            "containerDefinitions[web].linuxParameters.sharedMemorySize",
        ),
        case(
            Rule::FargateUnsupported,
            FARGATE,
            [("/placementConstraints", r#"[{"type": "memberOf"}]"#)],
            "placementConstraints",
        ),
        case(Rule::FargateUnsupported, FARGATE, [("/ipcMode", "\"task\"")], "ipcMode"),
        case(
            Rule::FargateCapability,
            FARGATE,
            [("./linuxParameters/capabilities/add/-", "\"NET_ADMIN\"")],
            "containerDefinitions[web].linuxParameters.capabilities.add[1]",
        ),
        case(Rule::FargatePidMode, FARGATE, [("/pidMode", "\"host\"")], "pidMode"),
        case(
            Rule::FargateVolume,
            FARGATE,
            [("/volumes/0/host/sourcePath", "\"/\"")],
            "volumes[scratch].host.sourcePath",
        ),
        case(
            Rule::FargateVolume,
            FARGATE,
            [("/volumes/-", r#"{"name": "d", "dockerVolumeConfiguration": {"scope": "task"}}"#)],
            "volumes[d].dockerVolumeConfiguration",
        ),
        case(
            Rule::FargateLogDriver,
            FARGATE,
            [("./logConfiguration/logDriver", "\"json-file\"")],
            "containerDefinitions[web].logConfiguration.logDriver",
        ),
        case(
            Rule::FargateStreamPrefix,
            FARGATE,
            [("/containerDefinitions/1/logConfiguration/options/awslogs-stream-prefix", "\"\"")],
            "containerDefinitions[router].logConfiguration.options",
        ),
        case(
            Rule::FargateRouterFile,
            FARGATE,
            [("/containerDefinitions/1/firelensConfiguration/options/config-file-type", "\"s3\"")],
            "containerDefinitions[router].firelensConfiguration.options",
        ),
        case(
            Rule::FargateExecutionRole,
            FARGATE,
            [("/executionRoleArn", "null"), ("./secrets", "[]")],
            "executionRoleArn",
        ),
        case(Rule::FargateTimeout, FARGATE, [("./stopTimeout", "121")], "containerDefinitions[web].stopTimeout"),
    ]
}
