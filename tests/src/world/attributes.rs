//! What a definition asks of the instance that it is to run on.
//!
//! Knows: the attribute names of ECS's agent, for the features that this project's plans touch. Must not know: requests.

use ecs_sidecar_core::definition::{Container, NetworkMode, TaskDefinition};
use ecs_sidecar_core::json::Value;

/// Attributes by the log driver.
const LOGGING: &str = "com.amazonaws.ecs.capability.logging-driver.";

/// The names of the attributes that an instance must have, sorted.
pub(crate) fn required(definition: &TaskDefinition) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut need = |name: &str| names.push(name.to_owned());
    if definition.task_role().is_some() {
        need("com.amazonaws.ecs.capability.task-iam-role");
        need("com.amazonaws.ecs.capability.docker-remote-api.1.17");
        if definition.network_mode() == NetworkMode::Host {
            need("com.amazonaws.ecs.capability.task-iam-role-network-host");
        }
    }
    if definition.network_mode() == NetworkMode::AwsVpc {
        need("ecs.capability.task-eni");
        need("com.amazonaws.ecs.capability.docker-remote-api.1.18");
    }
    let has_execution_role = definition.execution_role().is_some();
    for container in definition.containers() {
        for name in of_container(container, has_execution_role) {
            need(&name);
        }
    }
    if definition
        .root()
        .get("volumes")
        .is_some_and(|volumes| volumes.items().any(|volume| volume.get("efsVolumeConfiguration").is_some()))
    {
        need("ecs.capability.efs");
    }
    if definition.root().get("pidMode").is_some() || definition.root().get("ipcMode").is_some() {
        need("ecs.capability.pid-ipc-namespace-sharing");
    }
    names.sort();
    names.dedup();
    names
}

fn of_container(container: Container<'_>, has_execution_role: bool) -> Vec<String> {
    let mut names = Vec::new();
    let mut need = |name: &str| names.push(name.to_owned());
    if let Some(log) = container.get("logConfiguration") {
        let driver = log.get("logDriver").and_then(Value::as_str).unwrap_or_default();
        need(&format!("{LOGGING}{driver}"));
        need(match &*driver {
            "awslogs" | "splunk" | "awsfirelens" => "com.amazonaws.ecs.capability.docker-remote-api.1.19",
            _ => "com.amazonaws.ecs.capability.docker-remote-api.1.18",
        });
        if driver == "awslogs" && has_execution_role {
            need("ecs.capability.execution-role-awslogs");
        }
    }
    let image = container.image().unwrap_or_default();
    if image.contains(".dkr.ecr.") || image.contains(".dkr-ecr.") {
        need("com.amazonaws.ecs.capability.ecr-auth");
        if has_execution_role {
            need("ecs.capability.execution-role-ecr-pull");
        }
    }
    for (member, attribute) in [
        ("dependsOn", "ecs.capability.container-ordering"),
        ("healthCheck", "ecs.capability.container-health-check"),
        ("secrets", "ecs.capability.secrets.ssm.environment-variables"),
        ("environmentFiles", "ecs.capability.env-files.s3"),
        ("firelensConfiguration", "ecs.capability.firelens.fluentbit"),
        ("restartPolicy", "ecs.capability.container-restart-policy"),
        ("repositoryCredentials", "ecs.capability.private-registry-authentication.secretsmanager"),
        ("privileged", "com.amazonaws.ecs.capability.privileged-container"),
    ] {
        let wanted = container
            .get(member)
            .is_some_and(|value| value.as_bool() != Some(false) && !(matches!(value.raw(), "[]" | "{}")));
        if wanted {
            need(attribute);
        }
    }
    if container.items("portMappings").any(|port| port.get("containerPortRange").is_some()) {
        need("ecs.capability.container-port-range");
    }
    if container.get("memoryReservation").is_some() {
        need("com.amazonaws.ecs.capability.docker-remote-api.1.21");
    }
    names
}
