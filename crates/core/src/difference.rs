//! How what a policy wants of a definition differs from what was injected into it.
//!
//! Knows: a receipt and an intent. Must not know: what is done about it.

use crate::edit::{Edit, Path};
use crate::intent::Intent;
use crate::json::{Document, JsonType};
use crate::keys::{container, log_option, nested};
use crate::normalize::{canonical_container, same_json};
use crate::reason::Reason;
use crate::receipt::{Entry, Injector, Undone};
use crate::{mask, splice};

/// How what is wanted differs from what is there. `None`: not at all. `Some(None)`: nothing is there.
pub(crate) fn difference(intent: &Intent, undone: Option<&Undone>) -> Option<Option<Reason>> {
    let Some(undone) = undone else { return Some(None) };
    if undone.receipt.digest != intent.digest {
        return Some(Some(Reason::PolicyChanged));
    }
    let (made, wanted) = (&undone.receipt.edits, &intent.edits);
    let all_there = undone.missing.is_empty() && undone.kept.is_empty() && made.len() == wanted.len();
    let mut differing = made
        .iter()
        .zip(wanted)
        .filter(|(entry, edit)| entry.path != edit.path.to_string() || !same(&undone.written(entry), edit, undone));
    match (all_there, differing.next(), differing.next()) {
        (true, None, _) => None,
        (true, Some((entry, edit)), None) if other_image_only(entry, edit, undone) => Some(Some(Reason::ImageChanged)),
        _ => Some(Some(Reason::Drifted)),
    }
}

/// Whether the sidecar differs from what was injected by its image alone, and that by what stands behind the
/// repository's name.
fn other_image_only(entry: &Entry, edit: &Edit, undone: &Undone) -> bool {
    let written = undone.written(entry);
    let (Ok(made), Ok(wanted)) = (Document::parse(written.as_str()), Document::parse(receipted(edit))) else {
        return false;
    };
    let image = Path::member(container::IMAGE);
    let (Some(before), Some(after)) = (image.find(made.root()), image.find(wanted.root())) else { return false };
    let (Some(before_name), Some(after_name)) = (before.as_str(), after.as_str()) else { return false };
    let repository = |image: &str| image.split(['@', ':']).next().map(str::to_owned);
    let same_place = entry.path == edit.path.to_string() && repository(&before_name) == repository(&after_name);
    let with_other = splice::change(&wanted, &image, Some(before.raw()));
    same_place && with_other.is_ok_and(|(document, _)| same_value(&written, document.text(), undone))
}

/// Whether what was written is what an edit would write.
fn same(written: &str, edit: &Edit, undone: &Undone) -> bool {
    let wanted = receipted(edit);
    // Whether a role may make the log group, nobody knows before the role is there. The app has the same option, so that
    // whatever comes of it comes to the app first; it is no reason for one more revision.
    let only_group = undone.receipt.by == Injector::Macro
        && same_value(&without_create_group(written), &without_create_group(&wanted), undone);
    only_group || same_value(written, &wanted, undone)
}

fn without_create_group(container: &str) -> String {
    let option =
        Path::member(container::LOG_CONFIGURATION).then(nested::OPTIONS).then(log_option::AWSLOGS_CREATE_GROUP);
    let document = Document::parse(container).ok();
    let changed = document.and_then(|document| splice::change(&document, &option, None).ok());
    changed.map_or_else(|| container.to_owned(), |(document, _)| document.text().to_owned())
}

/// Whether two values are the same to ECS: a log configuration that was read back has what ECS filled in.
fn same_value(one: &str, other: &str, undone: &Undone) -> bool {
    let (Ok(left), Ok(right)) = (Document::parse(one), Document::parse(other)) else { return false };
    let canonical = |document: &Document| canonical_container(document.root(), undone.source.network_mode());
    same_json(one, other) || left.root().json_type() == JsonType::Object && canonical(&left) == canonical(&right)
}

/// What a receipt says that an edit wrote.
pub(crate) fn receipted(edit: &Edit) -> String {
    mask::fingerprinted(edit.after.as_deref().unwrap_or("null"))
}
