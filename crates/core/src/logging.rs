//! Where the sidecar logs.
//!
//! The sidecar logs where the app does, so that whoever runs the app finds it. With `awslogs` it never blocks: a container
//! whose log destination stalls stops at its next line, and a tracer must not. ECS documents no such option for the other
//! drivers; their options are taken over as they are.

use crate::definition::{Container, TaskDefinition};
use crate::keys::{container, nested};
use crate::policy::{Logging, Policy};
use crate::target::MadeFor;
use serde_json::{Value, json};

/// The options of `awslogs` that say where logs go. Others say how the app's own lines are to be read.
const AWSLOGS_WHERE: [&str; 5] =
    ["awslogs-group", "awslogs-region", "awslogs-stream-prefix", "awslogs-create-group", "awslogs-endpoint"];

/// How much is kept while the destination stalls; above it lines are dropped. AWS advises 25 MiB for `awslogs`.
const BUFFER: &str = "25m";

/// The sidecar's log configuration, if it has one; `fill` fills in the policy's own text.
pub(crate) fn configuration(
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
