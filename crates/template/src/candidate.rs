//! The task definitions that a template deploys, as far as they can be seen.
//!
//! Knows: conditions of resources, metadata that decline, and what a policy may select or be asked by. Must not know: what
//! is decided.

use crate::doubt::UNKNOWN;
use crate::evaluate::Evaluator;
use crate::problem::{Problem, Problems};
use crate::symbols;
use crate::view::Reader;
use ecs_sidecar_core::keys::{container, nested, task};
use ecs_sidecar_core::names;
use ecs_sidecar_core::plan::Settings;
use serde_json::{Map, Value};

const TASK_DEFINITION: &str = "AWS::ECS::TaskDefinition";

/// The definitions that the template deploys, by their logical ids, in register form; `None` for one that declines.
pub(crate) fn all<'a>(
    evaluator: &Evaluator<'a>,
    settings: &Settings,
) -> Result<Vec<(&'a str, Option<String>)>, Problems> {
    let resources = evaluator.template.get("Resources").and_then(Value::as_object).ok_or(Problem::NoTemplate)?;
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for (id, resource) in resources {
        if id.starts_with("Fn::") && resource.to_string().contains(TASK_DEFINITION) {
            problems.push(Problem::Loop(id.clone()));
        }
        let condition = resource.get("Condition").and_then(Value::as_str);
        let deployed = condition.and_then(|name| evaluator.condition(name)) != Some(false);
        if resource.get("Type").is_none_or(|kind| kind != TASK_DEFINITION) || !deployed {
            continue;
        }
        match read(evaluator, id, resource, settings) {
            Ok(definition) => found.push((id.as_str(), definition)),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(Problems(problems)) }
}

/// Reads one definition. `None`: its metadata declines.
fn read(evaluator: &Evaluator<'_>, id: &str, resource: &Value, settings: &Settings) -> Result<Option<String>, Problem> {
    if !wanted(evaluator, id, resource)? {
        return Ok(None);
    }
    let reader = || Reader::new(evaluator, id);
    let properties = resource.get("Properties").unwrap_or(&Value::Null);
    let definition = reader().definition(properties)?;
    match unknown_question(&definition, settings) {
        Some((property, why)) => Err(reader().undecidable(&property, why)),
        None => Ok(Some(Value::Object(definition).to_string())),
    }
}

/// The first property that is not known and by which a policy may select a definition, or the definition ask or decline.
fn unknown_question(definition: &Map<String, Value>, settings: &Settings) -> Option<(String, &'static str)> {
    let selectors = || settings.policies.iter().map(|policy| &policy.spec.selector);
    let selects = |globs: &[String]| globs != ["*"] && !globs.is_empty();
    let family = text(definition.get(task::FAMILY)).unwrap_or_default();
    if selectors().any(|selector| selects(&selector.families) || selects(&selector.exclude_families))
        && (family.is_empty() || symbols::is_open(family))
    {
        return Some(("Family".to_owned(), "a policy selects by the family, which only the deployment makes known"));
    }
    let tag = items(definition.get(task::TAGS)).find_map(|tag| {
        let key = text(tag.get(nested::KEY))?;
        let is_read = key == names::INJECT || selectors().any(|selector| selector.tags.contains_key(key));
        (is_read && tag.get(nested::VALUE).is_some_and(symbols::holds_open)).then(|| format!("Tags[{key}].Value"))
    });
    let in_container = || items(definition.get(task::CONTAINER_DEFINITIONS)).find_map(unknown_in_container);
    tag.or_else(in_container).map(|property| (property, UNKNOWN))
}

fn unknown_in_container(app: &Value) -> Option<String> {
    let name = text(app.get(container::NAME)).unwrap_or_default();
    let label = app.get(container::DOCKER_LABELS).and_then(|labels| labels.get(names::INJECT));
    if label.is_some_and(symbols::holds_open) {
        return Some(format!("ContainerDefinitions[{name}].DockerLabels.{}", names::INJECT));
    }
    let told = |variable: &Value| text(variable.get(nested::NAME)) == Some(names::MANAGED_INSTANCES);
    let told = items(app.get(container::ENVIRONMENT)).any(|variable| told(variable) && symbols::holds_open(variable));
    told.then(|| format!("ContainerDefinitions[{name}].Environment[{}].Value", names::MANAGED_INSTANCES))
}

fn text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str)
}

fn items(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}

/// Whether the resource's metadata let it have a sidecar.
fn wanted(evaluator: &Evaluator<'_>, id: &str, resource: &Value) -> Result<bool, Problem> {
    let told = resource.get("Metadata").and_then(|metadata| metadata.get("EcsSidecar"));
    let Some(told) = told else { return Ok(true) };
    let inject = told.get("Inject").and_then(|inject| evaluator.value(inject));
    let word = inject.map(|inject| inject.as_str().map_or_else(|| inject.to_string(), str::to_owned));
    match word.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(_) | None => {
            Err(Problem::Metadata { resource: id.to_owned(), property: "Metadata.EcsSidecar.Inject".to_owned() })
        }
    }
}
