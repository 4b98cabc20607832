//! How CloudFormation spells what ECS calls otherwise.
//!
//! Knows: that a property is the API's member with a capital letter, and where it is not. The members themselves are
//! those of core's table, so that no name is written down twice. Must not know: values.

use ecs_sidecar_core::check::model::TASK;
use ecs_sidecar_core::check::shape::{Field, Shape};
use ecs_sidecar_core::keys::{nested, task};
use serde_json::{Map, Value};

/// Where a capital letter is not all, by the member that holds it; nothing for any. Source: the resource's schema.
const SPECIAL: [(Option<&str>, &str, &str); 6] = [
    (None, nested::EFS_VOLUME_CONFIGURATION, "EFSVolumeConfiguration"),
    (None, nested::FSX_VOLUME_CONFIGURATION, "FSxWindowsFileServerVolumeConfiguration"),
    (None, nested::S3_FILES_VOLUME_CONFIGURATION, "S3FilesVolumeConfiguration"),
    (Some(nested::EFS_VOLUME_CONFIGURATION), nested::FILE_SYSTEM_ID, "FilesystemId"),
    (Some(nested::AUTHORIZATION_CONFIG), nested::IAM, "IAM"),
    (Some(task::PROXY_CONFIGURATION), nested::PROPERTIES, "ProxyConfigurationProperties"),
];

/// The property for a member; `holder` is the member that holds it, empty for the definition itself.
pub(crate) fn property(holder: &str, member: &str) -> String {
    let special = SPECIAL
        .iter()
        .find(|(of, name, _)| *name == member && of.is_none_or(|of| of == holder))
        .map(|(_, _, property)| (*property).to_owned());
    special.unwrap_or_else(|| capitalized(member))
}

fn capitalized(member: &str) -> String {
    let mut letters = member.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// A member's value as a property: the same, but for the names of members. Keys of maps are the user's.
pub(crate) fn as_property(holder: &str, value: &Value, shape: &Shape) -> Value {
    match (shape, value) {
        (Shape::Object(fields), Value::Object(members)) => {
            let spelled = members.iter().map(|(name, value)| {
                let field = fields.iter().find(|field| field.name == name);
                let value = field.map_or_else(|| value.clone(), |field| as_property(name, value, &field.shape));
                (property(holder, name), value)
            });
            Value::Object(spelled.collect::<Map<_, _>>())
        }
        (Shape::List(item) | Shape::Named(item), Value::Array(items)) => {
            items.iter().map(|value| as_property(holder, value, item)).collect()
        }
        (_, value) => value.clone(),
    }
}

/// The shape of a member of a container.
pub(crate) fn of_container(member: &str) -> Option<&'static Shape> {
    container().iter().find(|field| field.name == member).map(|field| &field.shape)
}

/// The members of a container.
pub(crate) fn container() -> &'static [Field] {
    let containers = TASK.iter().find(|field| field.name == task::CONTAINER_DEFINITIONS).map(|field| &field.shape);
    match containers {
        Some(Shape::Named(Shape::Object(fields))) => fields,
        _ => &[],
    }
}

/// Every member of a task definition and its property, as paths such as `containerDefinitions[].cpu`: what a judge can
/// compare with CloudFormation's own schema.
pub fn pairs() -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    walk("", "", "", &TASK, &mut pairs);
    pairs
}

fn walk(holder: &str, member: &str, name: &str, fields: &[Field], pairs: &mut Vec<(String, String)>) {
    for field in fields {
        let joint = if member.is_empty() { "" } else { "." };
        let mut member = format!("{member}{joint}{}", field.name);
        let mut name = format!("{name}{joint}{}", property(holder, field.name));
        pairs.push((member.clone(), name.clone()));
        let mut shape = &field.shape;
        while let Shape::List(item) | Shape::Named(item) = shape {
            member.push_str("[]");
            name.push_str("[]");
            shape = item;
        }
        if let Shape::Object(fields) = shape {
            walk(field.name, &member, &name, fields, pairs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_of_maps_are_the_users() {
        let shape = Shape::Object(container());
        let logs = json!({ "logConfiguration": { "logDriver": "awslogs", "options": { "awslogs-group": "g" } } });
        let expected = json!({ "LogConfiguration": { "LogDriver": "awslogs", "Options": { "awslogs-group": "g" } } });
        assert_eq!(as_property("", &logs, &shape), expected);
    }

    #[test]
    fn no_two_members_become_one_property() {
        let mut names: Vec<String> = pairs().into_iter().map(|(_, name)| name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert!(names.len() == count && count > 100);
    }
}
