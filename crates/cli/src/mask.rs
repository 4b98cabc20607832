//! Hides what may be secret in a definition that is shown to people.
//!
//! Values of environment variables, references to secrets and options of log drivers (a Splunk token is one) are
//! somebody's. What the operator itself wrote is not, and neither is where `awslogs` sends its lines.

use ecs_sidecar_core::definition::{Container, TaskDefinition};
use ecs_sidecar_core::edit::Edit;
use ecs_sidecar_core::json::{Document, Value};
use ecs_sidecar_core::keys::{container, nested};
use ecs_sidecar_core::{names, receipt, splice};
use std::ops::Range;

const HIDDEN: &str = "\"********\"";

/// The definition over several lines, with what may be secret hidden.
pub(crate) fn masked(definition: &TaskDefinition, edits: &[Edit]) -> String {
    let mut replacements: Vec<(Range<usize>, String)> = Vec::new();
    for app in definition.containers() {
        if receipt::is_injected(app) {
            abbreviate_receipt(app, &mut replacements);
        } else {
            hide(app, edits, &mut replacements);
        }
    }
    replacements.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut text = definition.text().to_owned();
    for (span, replacement) in replacements {
        text.replace_range(span, &replacement);
    }
    if text.trim().contains('\n') {
        return text;
    }
    let document = Document::parse(text).expect("strings were replaced by strings");
    splice::indented(document.root())
}

fn hide(app: Container<'_>, edits: &[Edit], replacements: &mut Vec<(Range<usize>, String)>) {
    let mut hide = |value: Option<Value<'_>>| {
        if let Some(value) = value {
            replacements.push((value.span(), HIDDEN.to_owned()));
        }
    };
    let name = app.name().unwrap_or_default();
    for variable in app.items(container::ENVIRONMENT) {
        let variable_name = variable.get(nested::NAME).and_then(Value::as_str).unwrap_or_default();
        let written_by_us = edits.iter().any(|edit| {
            edit.path.to_string() == format!("containerDefinitions[{name}].{}[{variable_name}]", container::ENVIRONMENT)
        });
        if !written_by_us {
            hide(variable.get(nested::VALUE));
        }
    }
    app.items(container::SECRETS).for_each(|secret| hide(secret.get(nested::VALUE_FROM)));
    for holder in [container::LOG_CONFIGURATION, container::FIRELENS_CONFIGURATION] {
        let Some(holder) = app.get(holder) else { continue };
        for (key, value) in holder.get(nested::OPTIONS).iter().flat_map(|options| options.members()) {
            if !key.starts_with("awslogs-") {
                hide(Some(value));
            }
        }
        let options =
            holder.get(nested::SECRET_OPTIONS).into_iter().flat_map(|options| options.items().collect::<Vec<_>>());
        options.for_each(|option| hide(option.get(nested::VALUE_FROM)));
    }
}

/// A receipt is a long line that says to people what the diff shows anyway.
fn abbreviate_receipt(app: Container<'_>, replacements: &mut Vec<(Range<usize>, String)>) {
    let label = app.get(container::DOCKER_LABELS).and_then(|labels| labels.get(names::RECEIPT));
    if let Some(label) = label {
        replacements.push((label.span(), "\"(what remove needs to undo this)\"".to_owned()));
    }
}
