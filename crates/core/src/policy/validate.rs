//! What no policy may ask for, whoever wrote it. Judged while the document is read, so that errors know their line.

use super::document::{Map, Variable};
use crate::check::shape::{Shape, json_type};
use crate::check::{check, model};
use crate::definition::TaskDefinition;
use crate::ids::RoleRef;
use crate::image::Upstream;
use crate::keys::{container, nested, task};
use crate::names;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Value, json};

/// Members that a policy's container may have. Whoever may write a policy can put a container beside every app, so
/// this lists what is harmless rather than what is not: no privileges, devices, capabilities, volumes of anybody, and
/// nothing that the plan itself decides (image, logs, links, dependencies); and no secrets, which the app's execution
/// role would fetch for whoever writes the policy.
pub(super) const ALLOWED: [&str; 19] = [
    container::NAME,
    container::CPU,
    container::MEMORY,
    container::MEMORY_RESERVATION,
    container::PORT_MAPPINGS,
    container::ESSENTIAL,
    container::RESTART_POLICY,
    container::ENTRY_POINT,
    container::COMMAND,
    container::ENVIRONMENT,
    container::START_TIMEOUT,
    container::STOP_TIMEOUT,
    container::VERSION_CONSISTENCY,
    container::USER,
    container::WORKING_DIRECTORY,
    container::READONLY_ROOT_FILESYSTEM,
    container::DOCKER_LABELS,
    container::ULIMITS,
    container::HEALTH_CHECK,
];

/// Seconds that the sidecar may take to stop: what Fargate allows. A task that has done its work ends no sooner than all
/// of its containers, and whoever runs it waits for that.
pub(super) const LONGEST_STOP: u64 = 120;

/// The name of a policy.
pub(super) fn policy_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = match Value::deserialize(deserializer)? {
        Value::String(name) => name,
        Value::Number(number) => {
            return Err(D::Error::custom(format!("must be a string, so {number} stands in quotes")));
        }
        // Taken, or missing.
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
    };
    let taken = ["true", "false"].contains(&name.to_ascii_lowercase().as_str());
    if is_name(&name) && !taken {
        return Ok(name);
    }
    Err(D::Error::custom("must be letters, digits, underscores and hyphens, and neither true nor false"))
}

/// A number or a boolean as it is. The YAML reader would take one in quotes too, and other readers would not.
pub(super) fn unquoted<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    T::deserialize(value).map_err(D::Error::custom)
}

/// The upstream of an image.
pub(super) fn upstream<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let upstream = String::deserialize(deserializer)?;
    upstream.parse::<Upstream>().map_err(D::Error::custom)?;
    Ok(upstream)
}

/// How often a tag is looked up upstream where nothing is said, in hours.
pub(super) fn usual_refresh_hours() -> u32 {
    24
}

/// How often a tag is looked up upstream, in hours. Below a day ECR would answer from its cache.
pub(super) fn refresh_hours<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let hours: u32 = unquoted(deserializer)?;
    if (24..=8760).contains(&hours) { Ok(hours) } else { Err(D::Error::custom("must be 24 to 8760 hours")) }
}

/// What CloudWatch Logs takes as a group's retention, in days (API reference, PutRetentionPolicy).
pub(super) const RETENTIONS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// The retention of a log group, in days.
pub(super) fn retention_days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let days: Option<u32> = unquoted(deserializer)?;
    if days.is_none_or(|days| RETENTIONS.contains(&days)) {
        return Ok(days);
    }
    let allowed: Vec<String> = RETENTIONS.iter().map(u32::to_string).collect();
    Err(D::Error::custom(format!("must be one of {}", allowed.join(", "))))
}

/// The options of a log driver.
pub(super) fn log_options<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map, D::Error> {
    let options = Map::deserialize(deserializer)?;
    match options.iter().find(|(_, value)| !value.is_string()) {
        Some((option, _)) => Err(D::Error::custom(format!("{option} must be a string, so in quotes"))),
        None => Ok(options),
    }
}

/// The name of an environment variable.
pub(super) fn variable_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    if name.is_empty() || name.contains([']', '=']) {
        return Err(D::Error::custom("is no name of an environment variable"));
    }
    Ok(name)
}

/// The sidecar's container.
pub(super) fn sidecar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map, D::Error> {
    struct Sidecar;
    impl<'de> Visitor<'de> for Sidecar {
        type Value = Map;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a container definition")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Map, A::Error> {
            let mut sidecar = Map::new();
            while let Some(key) = members.next_key::<String>()? {
                if !ALLOWED.contains(&key.as_str()) {
                    return Err(A::Error::unknown_field(&key, &ALLOWED));
                }
                let value: Value = members.next_value()?;
                if let Some(problem) = problem_of(&key, &value).or_else(|| unlike_ecs(&key, &value)) {
                    return Err(A::Error::custom(format!("{key} {problem}")));
                }
                sidecar.insert(key, value);
            }
            if !sidecar.contains_key(container::NAME) {
                return Err(A::Error::missing_field(container::NAME));
            }
            match refused_by_ecs(&sidecar) {
                Some(finding) => Err(A::Error::custom(finding)),
                None => Ok(sidecar),
            }
        }
    }
    deserializer.deserialize_map(Sidecar)
}

/// What is wrong with a member of the sidecar, as far as the plan relies on it.
fn problem_of(key: &str, value: &Value) -> Option<String> {
    let has_port = |mapping: &Value| mapping.get(nested::CONTAINER_PORT).is_some_and(Value::is_u64);
    let fine = match key {
        container::NAME => value.as_str().is_some_and(is_name),
        container::CPU | container::MEMORY | container::MEMORY_RESERVATION => value.is_u64(),
        container::ESSENTIAL => value.as_bool() != Some(true),
        container::STOP_TIMEOUT => value.as_u64().is_none_or(|seconds| seconds <= LONGEST_STOP),
        container::PORT_MAPPINGS => value.as_array().is_some_and(|mappings| mappings.iter().all(has_port)),
        container::DOCKER_LABELS => value.as_object().is_some_and(|labels| {
            labels.values().all(Value::is_string)
                && ![names::RECEIPT, names::INJECT].iter().any(|own| labels.contains_key(*own))
        }),
        _ => true,
    };
    let wanted = match key {
        container::NAME => "must be letters, digits, underscores and hyphens",
        container::ESSENTIAL => "must be false, or ECS would stop the task when the sidecar stops",
        container::STOP_TIMEOUT => "must be at most 120 seconds, for a finished task lasts as long as its sidecar",
        container::PORT_MAPPINGS => "must be a list of mappings with a containerPort",
        container::DOCKER_LABELS => "must be a map of strings without the operator's own labels",
        _ => "must be a whole number",
    };
    (!fine).then(|| wanted.to_owned())
}

/// What ECS's model has otherwise. In a definition nothing said may be spelled in many ways, which [`check`] passes; in
/// a policy it is left out, so that a key without a value is told.
fn unlike_ecs(key: &str, value: &Value) -> Option<String> {
    let field = model::CONTAINER.iter().find(|field| field.name == key)?;
    unlike(value, &field.shape).map(|(place, wanted)| format!("{place}must be {wanted}"))
}

/// The place within the value that has another type than its shape, and what it should be.
fn unlike(value: &Value, shape: &Shape) -> Option<(String, String)> {
    let within = |step: String| move |(place, wanted): (String, String)| (format!("{step}{place}"), wanted);
    match (shape, value) {
        (Shape::Choice(words), Value::String(word)) => {
            (!words.contains(&word.as_str())).then(|| (String::new(), format!("one of {}", words.join(", "))))
        }
        (Shape::Text | Shape::Prefix(..), Value::String(_))
        | (Shape::Whole(..), Value::Number(_))
        | (Shape::Flag, Value::Bool(_)) => None,
        (Shape::Map, Value::Object(members)) => {
            members.iter().find_map(|(key, member)| unlike(member, &Shape::Text).map(within(format!("[{key}] "))))
        }
        (Shape::List(shape) | Shape::Named(shape), Value::Array(items)) => {
            items.iter().enumerate().find_map(|(index, item)| unlike(item, shape).map(within(format!("[{index}] "))))
        }
        (Shape::Object(fields), Value::Object(members)) => fields.iter().find_map(|field| {
            let member = members.get(field.name)?;
            unlike(member, &field.shape).map(within(format!("{} ", field.name)))
        }),
        (_, Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_))
        | (_, Value::Array(_) | Value::Object(_)) => Some((String::new(), json_type(shape).label().to_owned())),
    }
}

/// What ECS would refuse of the container wherever it is added, or else each definition would be told to be at fault.
fn refused_by_ecs(sidecar: &Map) -> Option<String> {
    let mut container = sidecar.clone();
    container.insert(container::IMAGE.to_owned(), "image:tag".into());
    container.entry(container::MEMORY_RESERVATION).or_insert_with(|| 4.into());
    let app = json!({ nested::NAME: "-", container::IMAGE: "app:tag", container::MEMORY: 4 });
    let text = json!({ task::FAMILY: "any", task::CONTAINER_DEFINITIONS: [app, container] }).to_string();
    let definition = TaskDefinition::parse(&text).ok()?;
    let finding = check(&definition).into_iter().find(|finding| !finding.path.contains("[-]"))?;
    let place = finding.path.split_once("].").map_or(finding.path.as_str(), |(_, place)| place);
    Some(format!("{place}: {}", finding.message))
}

/// The ARN of a role, if there is one.
pub(super) fn role<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let role = Option::<String>::deserialize(deserializer)?;
    if role.as_ref().is_none_or(|arn| RoleRef::new(arn).is_arn()) {
        return Ok(role);
    }
    Err(D::Error::custom("must be the ARN of a role, such as arn:aws:iam::111122223333:role/traced"))
}

/// The variables of the app, each set once in a network mode.
pub(super) fn variables<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Variable>, D::Error> {
    let variables = Vec::<Variable>::deserialize(deserializer)?;
    for (index, variable) in variables.iter().enumerate() {
        let twice = variables[..index].iter().any(|other| {
            other.name == variable.name && other.network_modes.iter().any(|mode| variable.network_modes.contains(mode))
        });
        if twice {
            return Err(D::Error::custom(format!("{} is set twice for a network mode", variable.name)));
        }
    }
    Ok(variables)
}

fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}
