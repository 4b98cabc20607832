//! A definition as people may see it.

use ecs_sidecar_core::definition::{Container, TaskDefinition};
use ecs_sidecar_core::edit::{Edit, Path};
use ecs_sidecar_core::json::Document;
use ecs_sidecar_core::keys::{container, task};
use ecs_sidecar_core::mask::{HIDDEN, secrets_of};
use ecs_sidecar_core::splice::replaced;
use ecs_sidecar_core::{names, receipt, splice};
use std::ops::Range;

/// The definition over several lines, with what may be secret hidden. What the plan itself writes is shown.
pub(crate) fn masked(definition: &TaskDefinition, edits: &[Edit]) -> String {
    let mut replacements: Vec<(Range<usize>, String)> = Vec::new();
    for app in definition.containers() {
        let variables = Path::member(task::CONTAINER_DEFINITIONS)
            .item(&app.name().unwrap_or_default())
            .then(container::ENVIRONMENT);
        let injected = receipt::is_injected(app);
        let shown = |name: &str| injected || edits.iter().any(|edit| edit.path == variables.clone().item(name));
        replacements.extend(secrets_of(app, shown).into_iter().map(|span| (span, HIDDEN.to_owned())));
        replacements.extend(abbreviated_receipt(app));
    }
    let text = replaced(definition.text(), replacements);
    if text.trim().contains('\n') {
        return text;
    }
    let document = Document::parse(text).expect("strings were replaced by strings");
    splice::indented(document.root())
}

/// A receipt is a long line that says to people what the diff shows anyway.
fn abbreviated_receipt(app: Container<'_>) -> Option<(Range<usize>, String)> {
    let label = app.get(container::DOCKER_LABELS)?.get(names::RECEIPT)?;
    Some((label.span(), "\"(what remove needs to undo this)\"".to_owned()))
}
