//! How what a policy wants of a definition differs from what was injected into it.
//!
//! Knows: a receipt and an intent. Must not know: what is done about it.

use crate::edit::{Edit, Path};
use crate::intent::Intent;
use crate::json::Document;
use crate::keys::container;
use crate::normalize::same_json;
use crate::reason::Reason;
use crate::receipt::{Entry, Undone};
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
        .filter(|(entry, edit)| entry.path != edit.path.to_string() || !same_json(entry.after.get(), &receipted(edit)));
    match (all_there, differing.next(), differing.next()) {
        (true, None, _) => None,
        (true, Some((entry, edit)), None) if other_image_only(entry, edit) => Some(Some(Reason::ImageChanged)),
        _ => Some(Some(Reason::Drifted)),
    }
}

/// Whether the sidecar differs from what was injected by its image alone, and that by what stands behind the
/// repository's name.
fn other_image_only(entry: &Entry, edit: &Edit) -> bool {
    let wanted = receipted(edit);
    let (Ok(made), Ok(wanted)) = (Document::parse(entry.after.get()), Document::parse(wanted)) else { return false };
    let image = Path::member(container::IMAGE);
    let (Some(before), Some(after)) = (image.find(made.root()), image.find(wanted.root())) else { return false };
    let (Some(before_name), Some(after_name)) = (before.as_str(), after.as_str()) else { return false };
    let repository = |image: &str| image.split(['@', ':']).next().map(str::to_owned);
    let same_place = entry.path == edit.path.to_string() && repository(&before_name) == repository(&after_name);
    let with_other = splice::change(&wanted, &image, Some(before.raw()));
    same_place && with_other.is_ok_and(|(document, _)| same_json(entry.after.get(), document.text()))
}

/// What a receipt says that an edit wrote.
pub(crate) fn receipted(edit: &Edit) -> String {
    mask::fingerprinted(edit.after.as_deref().unwrap_or("null"))
}
