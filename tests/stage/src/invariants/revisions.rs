//! Revisions: whose each is, what it holds, and which one is the newest.
//!
//! Knows: what an owner wants to have run. Must not know: how the operator comes to its decisions.

use super::People;
use crate::stage::{SESSION, Stage, parsed};
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::json::Document;
use ecs_sidecar_core::normalize;
use ecs_sidecar_core::receipt::{self, Receipt};
use ecs_sidecar_core::request::{self, Request};
use ecs_sidecar_tests::{RevisionView, Status};
use std::collections::BTreeMap;

/// Whether the operator registered it, as the world knows and no receipt can say.
pub(super) fn is_operators(view: &RevisionView) -> bool {
    view.registered_by == SESSION
}

/// What the owner wants to have run, whatever was injected: canonical, with the tags.
pub(super) fn work(view: &RevisionView) -> (String, String) {
    let definition = parsed(view);
    let undone = receipt::undo(&definition).ok().flatten().map(|undone| undone.source);
    (normalize::canonical(undone.as_ref().unwrap_or(&definition)), tags(view))
}

/// Tags have no order.
fn tags(view: &RevisionView) -> String {
    let Ok(document) = Document::parse(view.tags.as_str()) else { return view.tags.clone() };
    let mut tags: Vec<String> = document.root().items().map(normalize::canonical_json).collect();
    tags.sort();
    tags.join(",")
}

/// What a definition's receipt says, if it is one that the definition bears out.
pub(super) fn receipt_of(view: &RevisionView) -> Option<Receipt> {
    receipt::ours(&parsed(view))
}

pub(super) fn has_sidecar(view: &RevisionView) -> bool {
    parsed(view).containers().any(receipt::is_injected)
}

/// A family's revisions as its owner sees them.
pub(super) struct Standing {
    /// The newest ACTIVE revision.
    pub(super) newest: RevisionView,
    /// The newest ACTIVE one that the operator did not register; `None` if all of those are gone.
    pub(super) owners: Option<RevisionView>,
}

/// `None`: the family has no ACTIVE revision.
pub(super) fn standing(stage: &Stage, family: &str) -> Option<Standing> {
    let newest = stage.world.newest_active(family)?;
    let mut revisions = stage.world.revisions(family);
    revisions.retain(|view| view.status == Status::Active && !is_operators(view));
    Some(Standing { newest, owners: revisions.pop() })
}

/// Whether the owner's revision is to have a sidecar; `None` where both are right.
fn wanted(stage: &Stage, owners: &RevisionView, people: &People) -> Option<bool> {
    if people.no_policies {
        // What a pipeline injects is the pipeline's.
        return (!has_sidecar(owners)).then_some(false);
    }
    let took_back = |view: &RevisionView| {
        people.deregistered.contains(&view.arn)
            && is_operators(view)
            && receipt_of(view).is_some_and(|receipt| receipt.source.arn.as_deref() == Some(&owners.arn))
    };
    let definition: TaskDefinition = parsed(owners);
    match request::read(&definition) {
        // Not again until source or policy changes.
        Request::OptIn | Request::Policy(_) => {
            let family = definition.family().unwrap_or_default();
            (!stage.world.revisions(&family).iter().any(took_back)).then_some(true)
        }
        // A removal that somebody took back is not made again either: what is left is the owner's, as it is.
        Request::OptOut | Request::Silent => Some(has_sidecar(owners) && is_removal_taken_back(stage, owners, people)),
        Request::Conflicting(_) => None,
    }
}

fn is_removal_taken_back(stage: &Stage, owners: &RevisionView, people: &People) -> bool {
    let definition = parsed(owners);
    let family = definition.family().unwrap_or_default();
    stage.world.revisions(&family).iter().any(|view| {
        people.deregistered.contains(&view.arn)
            && is_operators(view)
            && !has_sidecar(view)
            && view.number > owners.number
            && work(view) == work(owners)
    })
}

/// The judge of the desired state: the newest ACTIVE revision is the owner's newest or was made from that, with a sidecar
/// exactly where one is asked for.
pub(super) fn judge(stage: &Stage, people: &People) -> Vec<String> {
    let mut found = Vec::new();
    for family in stage.world.families() {
        let Some(Standing { newest, owners }) = standing(stage, &family) else { continue };
        let Some(owners) = owners else {
            found.push(format!("{family}: only {} is ACTIVE, and its owner has nothing there", newest.arn));
            continue;
        };
        if newest.arn != owners.arn && !is_made_of(&newest, &owners) {
            found.push(format!("{family}: {} shadows {}", newest.arn, owners.arn));
        }
        let (has, wants) = (has_sidecar(&newest), wanted(stage, &owners, people));
        if wants.is_some_and(|wants| wants != has) {
            found.push(format!("{family}: {} has a sidecar: {has}, and one is wanted: {wants:?}", newest.arn));
        }
    }
    found
}

/// Whether one of the operator's revisions is what was made from the owner's, or from a removal of that.
fn is_made_of(newest: &RevisionView, owners: &RevisionView) -> bool {
    newest.number > owners.number && work(newest) == work(owners)
}

/// Everything that the operator registered, ACTIVE or not, has what its owner wrote, and nothing else but what the
/// receipt tells.
pub(super) fn lossless(stage: &Stage) -> Vec<String> {
    let mut found = Vec::new();
    for family in stage.world.families() {
        let revisions = stage.world.revisions(&family);
        for (index, view) in revisions.iter().enumerate().filter(|(_, view)| is_operators(view)) {
            let source = receipt_of(view).and_then(|receipt| receipt.source.arn);
            let kept = match source {
                Some(arn) => revisions.iter().find(|other| other.arn == arn).is_some_and(|of| work(of) == work(view)),
                // A removal has no receipt: it is what somebody had before.
                None => !has_sidecar(view) && revisions[..index].iter().any(|of| work(of) == work(view)),
            };
            if !kept {
                found.push(format!("{}: a field of its owner's is not what it was", view.arn));
            }
        }
    }
    found
}

/// Nobody but people deregistered what people registered.
pub(super) fn owners_stay(stage: &Stage, people: &People) -> Vec<String> {
    let revisions = stage.world.families().into_iter().flat_map(|family| stage.world.revisions(&family));
    let lost = revisions.filter(|view| {
        view.status == Status::Inactive && !is_operators(view) && !people.deregistered.contains(&view.arn)
    });
    lost.map(|view| format!("{}: its owner's revision was deregistered", view.arn)).collect()
}

/// At most one ACTIVE patch of a source for each digest, and no removal beside the same one.
pub(super) fn one_each(stage: &Stage) -> Vec<String> {
    let mut found = Vec::new();
    for family in stage.world.families() {
        let mut patches: BTreeMap<(Option<String>, String), String> = BTreeMap::new();
        let mut removal: Option<(String, String)> = None;
        let revisions = stage.world.revisions(&family).into_iter().filter(|view| view.status == Status::Active);
        for view in revisions {
            let receipt = receipt_of(&view).filter(|_| is_operators(&view));
            if let Some(receipt) = receipt {
                let key = (receipt.source.arn.clone(), receipt.digest.to_string());
                if let Some(other) = patches.insert(key, view.arn.clone()) {
                    found.push(format!("{} and {other} are both ACTIVE patches of one source", view.arn));
                }
                removal = None;
            } else if is_operators(&view) {
                let text = work(&view);
                let double = removal.replace((text.0.clone(), text.1.clone())).filter(|before| *before == text);
                found.extend(double.map(|_| format!("{} is the double of a removal", view.arn)));
            } else {
                removal = None;
            }
        }
    }
    found
}

/// What a newest revision refers to is in the private registry.
pub(super) fn images(stage: &Stage) -> Vec<String> {
    let mut found = Vec::new();
    let newest = stage.world.families().into_iter().filter_map(|family| stage.world.newest_active(&family));
    for view in newest.filter(is_operators) {
        let definition = parsed(&view);
        for container in definition.containers().filter(|container| receipt::is_injected(*container)) {
            let image = container.image().unwrap_or_default().into_owned();
            let repository = image.split_once('/').map_or("", |(_, rest)| rest);
            let repository = repository.split(['@', ':']).next().unwrap_or_default();
            if stage.world.stored(repository).0.is_empty() {
                found.push(format!("{} refers to {image}, which is not there", view.arn));
            }
        }
    }
    found
}

/// How many revisions the operator registered in vain: they are INACTIVE, and people made neither them so nor what they
/// were made from.
pub fn surplus(stage: &Stage, people: &People) -> usize {
    let revisions = stage.world.families().into_iter().flat_map(|family| stage.world.revisions(&family));
    let is_gone = |arn: &String| people.deregistered.contains(arn);
    let in_vain = |view: &RevisionView| {
        let source = || receipt_of(view).and_then(|receipt| receipt.source.arn);
        view.status == Status::Inactive
            && is_operators(view)
            && !is_gone(&view.arn)
            && !source().is_some_and(|source| is_gone(&source))
    };
    revisions.filter(in_vain).count()
}
