//! Fills in what ECS fills in when it stores a registration.
//!
//! Knows: ECS's defaults, as its answers show them. Must not know: what is refused. What it does not mention keeps
//! its bytes.

use crate::world::answer::ServiceError;
use crate::world::members::{Members, list, without_nulls};
use crate::world::shape::REGISTRATION;
use ecs_sidecar_core::json::{Document, JsonError, Value, quote};
use ecs_sidecar_core::size::{parse_cpu, parse_memory};

/// Members that ECS itself writes; in a registration they are not read.
const READ_ONLY: [&str; 9] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
];

/// Lists that a container always has in an answer.
const CONTAINER_LISTS: [&str; 5] = ["portMappings", "environment", "mountPoints", "volumesFrom", "systemControls"];

/// The registration without what ECS does not read: nulls and read-only members.
pub(crate) fn as_read(document: &Document) -> Result<Members, ServiceError> {
    let mut members = Members::parse(&without_nulls(document.root(), REGISTRATION)).map_err(unreadable)?;
    for name in READ_ONLY {
        members.take(name);
    }
    Ok(members)
}

/// The definition as ECS answers it: defaults filled in.
pub(crate) fn as_stored(mut members: Members) -> Result<Members, ServiceError> {
    members.fill("networkMode", quote("bridge"));
    let mode = Mode::of(members.get("networkMode").unwrap_or_default());
    for (name, parse) in [("cpu", parse_cpu as fn(&str) -> Option<u64>), ("memory", parse_memory)] {
        let text = members.get(name).map(Document::parse).transpose().map_err(unreadable)?;
        let units = text.and_then(|text| text.root().as_str().and_then(|text| parse(&text)));
        if let Some(units) = units {
            members.set(name, quote(&units.to_string()));
        }
    }
    if let Some(text) = members.get("containerDefinitions") {
        let containers = Document::parse(text).map_err(unreadable)?;
        let filled = containers.root().items().map(|container| container_as_stored(container, mode));
        let filled = list(filled.collect::<Result<Vec<_>, _>>()?);
        members.set("containerDefinitions", filled);
    }
    members.fill("volumes", "[]");
    let volumes = Document::parse(members.get("volumes").unwrap_or("[]")).map_err(unreadable)?;
    members.set("volumes", list(volumes.root().items().map(volume_as_stored)));
    members.fill("placementConstraints", "[]");
    Ok(members)
}

/// What decides about a port's default on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// `awsvpc` and `host`: the same port.
    Same,
    /// `bridge` and whatever else: any free port, which is written 0.
    Any,
}

impl Mode {
    fn of(raw: &str) -> Self {
        if matches!(raw, "\"awsvpc\"" | "\"host\"") { Self::Same } else { Self::Any }
    }
}

fn container_as_stored(container: Value<'_>, mode: Mode) -> Result<String, ServiceError> {
    let mut members = Members::of(container);
    members.fill("cpu", "0");
    for name in CONTAINER_LISTS {
        members.fill(name, "[]");
    }
    members.fill("essential", "true");
    if let Some(ports) = container.get("portMappings") {
        members.set("portMappings", list(ports.items().map(|port| port_as_stored(port, mode))));
    }
    if let Some(environment) = container.get("environment") {
        // ECS is known to hand the variables back in another order than they came in; by name is the order it uses.
        let mut variables: Vec<Value<'_>> = environment.items().collect();
        let name = |variable: &Value<'_>| variable.get("name").and_then(Value::as_str).unwrap_or_default().into_owned();
        variables.sort_by_key(name);
        members.set("environment", list(variables.into_iter().map(Value::raw)));
    }
    if let Some(check) = container.get("healthCheck") {
        members.set("healthCheck", with_defaults(check, &[("interval", "30"), ("timeout", "5"), ("retries", "3")]));
    }
    Ok(members.render())
}

fn with_defaults(value: Value<'_>, defaults: &[(&str, &str)]) -> String {
    let mut members = Members::of(value);
    defaults.iter().for_each(|(name, default)| members.fill(name, *default));
    members.render()
}

fn port_as_stored(port: Value<'_>, mode: Mode) -> String {
    let mut members = Members::of(port);
    if let (Some(port), None) = (port.get("containerPort"), port.get("containerPortRange")) {
        members.fill("hostPort", if mode == Mode::Same { port.raw() } else { "0" });
    }
    members.fill("protocol", quote("tcp"));
    members.render()
}

/// A volume that says nothing else is one of the host.
fn volume_as_stored(volume: Value<'_>) -> String {
    if let Some(efs) = volume.get("efsVolumeConfiguration") {
        let mut members = Members::of(volume);
        members.set("efsVolumeConfiguration", with_defaults(efs, &[("rootDirectory", "\"/\"")]));
        return members.render();
    }
    let is_plain = volume.members().all(|(name, _)| name == "name");
    if is_plain { with_defaults(volume, &[("host", "{}")]) } else { volume.raw().to_owned() }
}

/// The text was read before, so this cannot happen; if it does, a test must fail and not panic somewhere else.
fn unreadable(error: JsonError) -> ServiceError {
    ServiceError::new("ServerException", format!("the stored definition is unreadable: {error}"))
}
