//! Which values may be unknown while a decision is made.
//!
//! Knows: what core's plan reads of a definition. Must not know: any template. What is not listed here decides: a member
//! that a plan will read one day is refused while it is unknown, until somebody says here that it does not matter.

use crate::symbols::{self, Symbols};
use ecs_sidecar_core::image::last_path_part;

/// Why a value that is read may not be unknown.
pub(crate) const UNKNOWN: &str = "its value is only known when the stack is deployed";

/// Where a value may be unknown, with all that is below it. `{}` is a value of a map, whose keys a template spells out.
const PASSES: [&str; 51] = [
    "family", // but for a policy that selects by it
    "taskRoleArn",
    "executionRoleArn",
    "proxyConfiguration",
    "ephemeralStorage",
    "pidMode",
    "ipcMode",
    "enableFaultInjection",
    "inferenceAccelerators",
    "tags[].value", // but for those that ask or select
    "volumes",
    "placementConstraints",
    "containerDefinitions[].image", // but for what tells a daemon
    "containerDefinitions[].repositoryCredentials",
    "containerDefinitions[].entryPoint",
    "containerDefinitions[].command",
    "containerDefinitions[].environment[].value",
    "containerDefinitions[].environmentFiles",
    "containerDefinitions[].mountPoints",
    "containerDefinitions[].volumesFrom",
    "containerDefinitions[].linuxParameters",
    "containerDefinitions[].secrets[].valueFrom",
    "containerDefinitions[].startTimeout",
    "containerDefinitions[].stopTimeout",
    "containerDefinitions[].versionConsistency",
    "containerDefinitions[].hostname",
    "containerDefinitions[].user",
    "containerDefinitions[].workingDirectory",
    "containerDefinitions[].privileged",
    "containerDefinitions[].readonlyRootFilesystem",
    "containerDefinitions[].ulimits",
    "containerDefinitions[].logConfiguration.secretOptions[].valueFrom",
    "containerDefinitions[].healthCheck",
    "containerDefinitions[].systemControls",
    "containerDefinitions[].resourceRequirements",
    "containerDefinitions[].credentialSpecs",
    "containerDefinitions[].dependsOn[].condition",
    "containerDefinitions[].dnsServers",
    "containerDefinitions[].dnsSearchDomains",
    "containerDefinitions[].extraHosts",
    "containerDefinitions[].dockerSecurityOptions",
    "containerDefinitions[].interactive",
    "containerDefinitions[].pseudoTerminal",
    "containerDefinitions[].dockerLabels{}", // but for the one that asks
    "containerDefinitions[].logConfiguration.options{}",
    "containerDefinitions[].firelensConfiguration.type",
    "containerDefinitions[].firelensConfiguration.options",
    "containerDefinitions[].portMappings[].hostPort",
    "containerDefinitions[].portMappings[].protocol",
    "containerDefinitions[].portMappings[].appProtocol",
    "containerDefinitions[].portMappings[].name", // that there is one decides, and not which
];

/// Where it matters that there is a value, so that none may turn out to be absent.
const PRESENCE: [&str; 3] = ["taskRoleArn", "executionRoleArn", "containerDefinitions[].portMappings[].name"];

/// What tells Windows where nothing else does.
const TELLS_WINDOWS: [&str; 13] = [
    "volumes",
    "volumes[]",
    "volumes[].host",
    "volumes[].host.sourcePath",
    "placementConstraints",
    "placementConstraints[]",
    "placementConstraints[].expression",
    "containerDefinitions[].entryPoint",
    "containerDefinitions[].command",
    "containerDefinitions[].mountPoints",
    "containerDefinitions[].mountPoints[]",
    "containerDefinitions[].mountPoints[].containerPath",
    "containerDefinitions[].workingDirectory",
];

/// Why a value that is not known may not be so. `None`: it may.
pub(crate) fn objection(place: &str, text: &str, symbols: &Symbols, may_be_windows: bool) -> Option<&'static str> {
    let below = |listed: &&str| {
        place.strip_prefix(*listed).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '{']))
    };
    if !PASSES.iter().any(below) {
        return Some(UNKNOWN);
    }
    if PRESENCE.contains(&place) && symbols.may_be_absent(text) {
        return Some("whether it has a value is only known when the stack is deployed");
    }
    if place == "containerDefinitions[].image" && !symbols.only_made_up(last_path_part(text)) {
        return Some(
            "which image it is, and so whether it is a daemon for traces, is only known when the stack is deployed",
        );
    }
    if may_be_windows && TELLS_WINDOWS.contains(&place) && symbols::known_beginning(text).is_empty() {
        return Some(
            "whether the task is for Windows is only known when the stack is deployed (RuntimePlatform says it)",
        );
    }
    None
}
