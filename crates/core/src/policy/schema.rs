//! A JSON Schema of policies, for editors and for whoever checks a document without the program.
//!
//! Knows: how to say in a schema what [`validate`](super::validate) judges by hand; all else is derived from the
//! document's types. What `validate` takes the schema takes too; that needs no schema to be as strict.

use super::validate;
use super::{LogConfiguration, Logging, Policy};
use crate::check::model;
use crate::check::shape::Shape;
use crate::keys::{container as keys, nested};
use crate::names;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// A name that a definition can ask for.
pub(super) const POLICY_NAME: &str = "^(?!(?:[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$)[A-Za-z0-9_-]{1,255}$";

/// What [`Upstream`](crate::image::Upstream) reads.
pub(super) const UPSTREAM: &str = r"^public\.ecr\.aws/[a-z0-9/._-]+:[A-Za-z0-9._-]+$";

/// The name of an environment variable.
pub(super) const VARIABLE_NAME: &str = "^[^\\]=]+$";

/// The ARN of a role.
pub(super) const ROLE: &str = r"^arn:aws[^:\s]*:iam:[^:\s]*:[0-9]{12}:role/(?:\S*/)?[A-Za-z0-9+=,.@_-]{1,64}$";

/// The name of a container.
const CONTAINER_NAME: &str = "^[A-Za-z0-9_-]{1,255}$";

/// The schema of a policy document.
pub fn schema() -> Value {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Policy>();
    schema.to_value()
}

/// The sidecar: of ECS's container definition the members that a policy may set, with the types that ECS has for them.
pub(super) fn container(_: &mut SchemaGenerator) -> Schema {
    let fields = model::CONTAINER.iter().filter(|field| validate::ALLOWED.contains(&field.name));
    let mut members: Map<String, Value> = fields.map(|field| (field.name.to_owned(), of_shape(&field.shape))).collect();
    let mut refine = |member: &str, key: &str, value: Value| members[member][key] = value;
    refine(keys::NAME, "pattern", json!(CONTAINER_NAME));
    for size in [keys::CPU, keys::MEMORY, keys::MEMORY_RESERVATION] {
        refine(size, "minimum", json!(0));
    }
    refine(keys::ESSENTIAL, "const", json!(false));
    refine(keys::STOP_TIMEOUT, "maximum", json!(validate::LONGEST_STOP));
    members[keys::PORT_MAPPINGS]["items"]["required"] = json!([nested::CONTAINER_PORT]);
    members[keys::DOCKER_LABELS]["propertyNames"] = json!({ "not": { "enum": [names::RECEIPT, names::INJECT] } });
    json_schema!({
        "type": "object",
        "properties": members,
        "required": [keys::NAME],
        "additionalProperties": false,
    })
}

/// Members that the table does not name stay allowed within a member: a future ECS may have them.
fn of_shape(shape: &Shape) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Choice(words) => json!({ "type": "string", "enum": words }),
        Shape::Prefix(words, prefix) => {
            json!({ "type": "string", "anyOf": [{ "enum": words }, { "pattern": format!("^{prefix}") }] })
        }
        Shape::Whole(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Map => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Shape::List(item) | Shape::Named(item) => json!({ "type": "array", "items": of_shape(item) }),
        Shape::Object(fields) => {
            let members: Map<String, Value> =
                fields.iter().map(|field| (field.name.to_owned(), of_shape(&field.shape))).collect();
            let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
            let mut object = json!({ "type": "object", "properties": members });
            if !required.is_empty() {
                object["required"] = json!(required);
            }
            object
        }
    }
}

/// What CloudWatch Logs takes.
pub(super) fn retention_days(_: &mut SchemaGenerator) -> Schema {
    let mut days: Vec<Value> = validate::RETENTIONS.iter().map(|days| json!(days)).collect();
    days.push(Value::Null);
    json_schema!({ "type": ["integer", "null"], "enum": days })
}

/// Options of a log driver.
pub(super) fn log_options(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": { "type": "string" } })
}

impl JsonSchema for Logging {
    fn schema_name() -> Cow<'static, str> {
        "Logging".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Where the sidecar logs.",
            "oneOf": [
                {
                    "description": "Where the app does; with `awslogs` without ever blocking.",
                    "type": "string",
                    "const": "inherit",
                },
                { "description": "Nowhere.", "type": "string", "const": "none" },
                generator.subschema_for::<LogConfiguration>(),
            ],
        })
    }
}
