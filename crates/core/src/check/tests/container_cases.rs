//! Cases of rules about containers, ports, references and tags.

use super::{Case, EC2, FARGATE, case, list};
use crate::check::Rule;

pub(super) fn ports() -> Vec<Case> {
    vec![
        case(
            Rule::PortsWithoutNetwork,
            EC2,
            [("/networkMode", "\"none\""), ("./links", "[]")],
            "containerDefinitions[web].portMappings",
        ),
        case(
            Rule::HostPortMismatch,
            FARGATE,
            [("./portMappings/0/hostPort", "0")],
            "containerDefinitions[web].portMappings[0].hostPort",
        ),
        case(
            Rule::PortRange,
            EC2,
            [("./portMappings/2/containerPortRange", "\"9-9\"")],
            "containerDefinitions[web].portMappings[2].containerPortRange",
        ),
        case(
            Rule::PortRange,
            EC2,
            [("./portMappings/2/hostPort", "9000")],
            "containerDefinitions[web].portMappings[2].containerPortRange",
        ),
        case(
            Rule::TooManyPortRanges,
            EC2,
            [(
                "./portMappings",
                &format!(
                    "[{}]",
                    (0..101)
                        .map(|n| format!(r#"{{"containerPortRange": "{}-{}"}}"#, 2 * n + 1, 2 * n + 2))
                        .collect::<Vec<_>>()
                        .join(",")
                ),
            )],
            "containerDefinitions[web].portMappings",
        ),
        case(
            Rule::DuplicatePort,
            FARGATE,
            [("/containerDefinitions/2/portMappings", r#"[{"containerPort": 80}]"#)],
            "containerDefinitions[init].portMappings[0]",
        ),
        case(
            Rule::DuplicatePort,
            FARGATE,
            [
                ("/containerDefinitions/2/portMappings", r#"[{"containerPortRange": "79-81"}]"#),
                ("./portMappings/1", r#"{"containerPort": 7}"#),
            ],
            "containerDefinitions[web].portMappings[0]",
        ),
        case(
            Rule::DuplicatePort,
            EC2,
            [("./portMappings/-", r#"{"containerPort": 9010}"#)],
            "containerDefinitions[web].portMappings[3]",
        ),
        case(
            Rule::DuplicateHostPort,
            EC2,
            [("/containerDefinitions/1/portMappings", r#"[{"containerPort": 1, "hostPort": 8080}]"#)],
            "containerDefinitions[redis].portMappings[0]",
        ),
    ]
}

pub(super) fn references() -> Vec<Case> {
    let cycle = r#"[{"containerName": "web", "condition": "START"}]"#;
    let waits = |condition: &str| format!(r#"[{{"containerName": "redis", "condition": "{condition}"}}]"#);
    let mappings = list(r#"{"containerPort": 7}"#, 1);
    vec![
        case(
            Rule::LinksNeedBridge,
            EC2,
            [("/networkMode", "\"host\""), ("./portMappings", &mappings)],
            "containerDefinitions[web].links",
        ),
        case(Rule::LinkUnknown, EC2, [("./links/0", "\"mysql:redis\"")], "containerDefinitions[web].links[0]"),
        case(Rule::LinkUnknown, EC2, [("./links/0", "\"web\"")], "containerDefinitions[web].links[0]"),
        case(
            Rule::NotInAwsvpc,
            FARGATE,
            [("./extraHosts", r#"[{"hostname": "h", "ipAddress": "::1"}]"#)],
            "containerDefinitions[web].extraHosts",
        ),
        case(
            Rule::DependsOnUnknown,
            FARGATE,
            [("./dependsOn/0/containerName", "\"db\"")],
            "containerDefinitions[web].dependsOn[0]",
        ),
        case(
            Rule::DependsOnItself,
            FARGATE,
            [("./dependsOn/0/containerName", "\"web\"")],
            "containerDefinitions[web].dependsOn[0]",
        ),
        case(
            Rule::DependsOnCycle,
            FARGATE,
            [("/containerDefinitions/1/dependsOn", cycle)],
            "containerDefinitions[web].dependsOn",
        ),
        case(
            Rule::DependsOnEssential,
            EC2,
            [("./dependsOn", &waits("COMPLETE"))],
            "containerDefinitions[web].dependsOn[0]",
        ),
        case(
            Rule::DependsOnUnhealthy,
            EC2,
            [("./dependsOn", &waits("HEALTHY"))],
            "containerDefinitions[web].dependsOn[0]",
        ),
        case(
            Rule::VolumeUnknown,
            FARGATE,
            [("./mountPoints/0/sourceVolume", "\"gone\"")],
            "containerDefinitions[web].mountPoints[0]",
        ),
        case(
            Rule::VolumesFromUnknown,
            FARGATE,
            [("/containerDefinitions/2/volumesFrom/0/sourceContainer", "\"init\"")],
            "containerDefinitions[init].volumesFrom[0]",
        ),
        case(Rule::DuplicateVolume, EC2, [("/volumes/1/name", "\"host\"")], "volumes[host].name"),
        case(
            Rule::TooManyLaunchVolumes,
            FARGATE,
            [(
                "/volumes",
                r#"[{"name": "scratch", "configuredAtLaunch": true}, {"name": "b", "configuredAtLaunch": true}]"#,
            )],
            "volumes",
        ),
        case(
            Rule::EfsEncryption,
            FARGATE,
            [("/volumes/1/efsVolumeConfiguration/transitEncryption", "\"DISABLED\"")],
            "volumes[files].efsVolumeConfiguration.transitEncryption",
        ),
        case(
            Rule::AccessPointRoot,
            FARGATE,
            [("/volumes/1/efsVolumeConfiguration/rootDirectory", "\"/data\"")],
            "volumes[files].efsVolumeConfiguration.rootDirectory",
        ),
    ]
}

pub(super) fn containers_and_tags() -> Vec<Case> {
    let tags: Vec<_> = (0..51).map(|n| format!(r#"{{"key": "k{n}"}}"#)).collect();
    let long = format!("\"{}\"", "ü".repeat(257));
    vec![
        case(
            Rule::TooManyExitCodes,
            FARGATE,
            [("./restartPolicy/ignoredExitCodes", &list("1", 51))],
            "containerDefinitions[web].restartPolicy.ignoredExitCodes",
        ),
        case(
            Rule::DuplicateVariable,
            FARGATE,
            [("./secrets/0/name", "\"MODE\"")],
            "containerDefinitions[web].secrets[MODE]",
        ),
        case(
            Rule::TooManyEnvironmentFiles,
            FARGATE,
            [("./environmentFiles", &list(r#"{"type": "s3", "value": "a"}"#, 11))],
            "containerDefinitions[web].environmentFiles",
        ),
        case(
            Rule::TooManyCredentialSpecs,
            EC2,
            [("./credentialSpecs", &list("\"a\"", 2))],
            "containerDefinitions[web].credentialSpecs",
        ),
        case(
            Rule::LogOptionMissing,
            EC2,
            [("./logConfiguration", r#"{"logDriver": "awslogs", "options": {"awslogs-group": "g"}}"#)],
            "containerDefinitions[web].logConfiguration.options.awslogs-region",
        ),
        case(
            Rule::TooManyLogRouters,
            FARGATE,
            [("/containerDefinitions/2/firelensConfiguration", r#"{"type": "fluentd"}"#)],
            "containerDefinitions[init].firelensConfiguration",
        ),
        case(
            Rule::LogRouterMissing,
            EC2,
            [("./logConfiguration/logDriver", "\"awsfirelens\"")],
            "containerDefinitions[web].logConfiguration",
        ),
        case(
            Rule::ExecutionRoleMissing,
            EC2,
            [("./secrets", r#"[{"name": "N", "valueFrom": "v"}]"#)],
            "executionRoleArn",
        ),
        case(Rule::TooManyTags, FARGATE, [("/tags", &format!("[{}]", tags.join(",")))], "tags"),
        case(Rule::TagKey, FARGATE, [("/tags/0/key", "\"a#b\"")], "tags[0].key"),
        case(Rule::TagKey, FARGATE, [("/tags/0/key", "\"\"")], "tags[0].key"),
        case(Rule::TagValue, FARGATE, [("/tags/0/value", &long)], "tags[0].value"),
        case(Rule::TagReserved, FARGATE, [("/tags/0/key", "\"Aws:team\"")], "tags[0]"),
        case(Rule::DuplicateTag, FARGATE, [("/tags/1/key", "\"team\"")], "tags[1].key"),
        case(
            Rule::ExternalUnsupported,
            EC2,
            [("/volumes/-", r#"{"name": "efs", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}"#)],
            "volumes[efs].efsVolumeConfiguration",
        ),
    ]
}
