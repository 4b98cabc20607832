//! Where the sidecar logs.
//!
//! The sidecar logs where the app does, so that whoever runs the app finds it. With `awslogs` it never blocks: a container
//! whose log destination stalls stops at its next line, and a tracer must not. ECS documents no such option for the other
//! drivers; their options are taken over as they are.

use crate::definition::{Container, TaskDefinition};
use crate::ids::Region;
use crate::keys::{container, log_option, nested};
use crate::observed::{LogGroup, Permission};
use crate::policy::{Logging, Policy};
use crate::target::MadeFor;
use serde_json::{Value, json};

/// The options of `awslogs` that say where logs go. Others say how the app's own lines are to be read.
const AWSLOGS_WHERE: [&str; 5] = [
    log_option::AWSLOGS_GROUP,
    log_option::AWSLOGS_REGION,
    log_option::AWSLOGS_STREAM_PREFIX,
    log_option::AWSLOGS_CREATE_GROUP,
    "awslogs-endpoint",
];

/// How much is kept while the destination stalls; above it lines are dropped. AWS advises 25 MiB for `awslogs`.
const BUFFER: &str = "25m";

/// The sidecar's log configuration, if it has one; `fill` fills in the policy's own text.
///
/// The log driver is left to make the group only if the execution role is not known to lack the right: it would fail.
pub(crate) fn configuration(
    source: &TaskDefinition,
    policy: &Policy,
    made_for: &MadeFor,
    may_create_group: Permission,
    fill: impl Fn(&Value) -> Value,
) -> Option<Value> {
    let mut configuration = wished(source, policy, made_for, fill)?;
    if let (Permission::Denied, Some(options)) = (may_create_group, options_mut(&mut configuration)) {
        options.shift_remove(log_option::AWSLOGS_CREATE_GROUP);
    }
    Some(configuration)
}

/// The group that a log configuration leads to, if it does so by `awslogs` in that Region.
pub(crate) fn group(configuration: &Value, region: &Region) -> Option<LogGroup> {
    if configuration.get(nested::LOG_DRIVER)? != "awslogs" {
        return None;
    }
    let option = |key: &str| configuration.get(nested::OPTIONS)?.get(key)?.as_str();
    let elsewhere = option(log_option::AWSLOGS_REGION).is_some_and(|other| other != region.as_str());
    let name = option(log_option::AWSLOGS_GROUP).filter(|_| !elsewhere)?.to_owned();
    let created_by_driver = option(log_option::AWSLOGS_CREATE_GROUP).is_some_and(|word| word == "true");
    Some(LogGroup { name, created_by_driver })
}

fn options_mut(configuration: &mut Value) -> Option<&mut serde_json::Map<String, Value>> {
    configuration.get_mut(nested::OPTIONS)?.as_object_mut()
}

/// The configuration as the policy wants it.
fn wished(
    source: &TaskDefinition,
    policy: &Policy,
    made_for: &MadeFor,
    fill: impl Fn(&Value) -> Value,
) -> Option<Value> {
    match &policy.spec.logging {
        Logging::None => None,
        Logging::Inherit => inherited(source),
        Logging::Configuration(configuration) => {
            // On an instance, only a driver that the definition uses already is certain to be there.
            let known =
                source.containers().any(|app| driver(app).is_some_and(|driver| driver == configuration.log_driver));
            (made_for.is_fargate_only() || known).then(|| {
                let options = Value::Object(configuration.options.clone());
                json!({ nested::LOG_DRIVER: configuration.log_driver, nested::OPTIONS: fill(&options) })
            })
        }
    }
}

fn driver(app: Container<'_>) -> Option<String> {
    Some(app.get(container::LOG_CONFIGURATION)?.get(nested::LOG_DRIVER)?.as_str()?.into_owned())
}

/// The configuration of an essential container of the app, or else of any: the first by name, so that the order of
/// containers does not matter. The log router's own logs are not the app's.
fn inherited(source: &TaskDefinition) -> Option<Value> {
    let mut apps: Vec<Container<'_>> = source
        .containers()
        .filter(|app| driver(*app).is_some() && app.get(container::FIRELENS_CONFIGURATION).is_none())
        .collect();
    apps.sort_by_key(|app| (!app.is_essential(), app.name().map(std::borrow::Cow::into_owned)));
    let configuration = apps.first()?.get(container::LOG_CONFIGURATION)?;
    let mut configuration: Value = serde_json::from_str(configuration.raw()).ok()?;
    if configuration.get(nested::LOG_DRIVER)? == "awslogs" {
        let options = configuration.get(nested::OPTIONS).and_then(Value::as_object).cloned().unwrap_or_default();
        let mut kept: serde_json::Map<String, Value> =
            options.into_iter().filter(|(key, _)| AWSLOGS_WHERE.contains(&key.as_str())).collect();
        kept.insert("mode".to_owned(), "non-blocking".into());
        kept.insert("max-buffer-size".to_owned(), BUFFER.into());
        configuration = json!({ nested::LOG_DRIVER: "awslogs", nested::OPTIONS: kept });
    }
    Some(configuration)
}
