//! Which of the task definitions that are named are revisions that the operator has a newer one for.
//!
//! Knows: the rows of families, and what a receipt says. Only what is certain is told: the very revision that was patched,
//! and revisions of the operator's own that a later one of the same source, or none at all, has replaced.

use super::found::{Found, Place};
use crate::revision::short;
use ecs_sidecar_aws::ecs::Ecs;
use ecs_sidecar_aws::rows::Row;
use ecs_sidecar_aws::{Error, Settings};
use ecs_sidecar_core::ids::Arn;
use ecs_sidecar_core::receipt;
use serde::Serialize;
use std::collections::BTreeMap;

/// Something that pins a revision for which there is one with the sidecar.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pin {
    #[serde(flatten)]
    pub(super) place: Place,
    pub(super) family: String,
    /// ARN of the revision that it starts.
    pub(super) pins: String,
    /// ARN of the one that it should start.
    pub(super) should_pin: String,
    pub(super) because: Because,
    /// As it is written, and as it should be.
    #[serde(skip)]
    pub(super) written: [String; 2],
}

/// Why another revision is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Because {
    /// It is the owner's, and has no sidecar.
    Patched,
    /// It is the operator's, of the same source, and older.
    Renewed,
    /// It is the operator's, which deregistered it: no task starts from it.
    Deregistered,
}

impl Because {
    /// For people.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Patched => "has no sidecar",
            Self::Renewed => "has an older sidecar",
            Self::Deregistered => "is deregistered",
        }
    }
}

/// Families by name.
pub(super) type Rows = BTreeMap<String, Row>;

/// Judges what was found. A revision between source and patched one is described, since only its receipt tells whose it is.
///
/// Errors: those of DescribeTaskDefinition, with what could be judged without it.
pub(super) async fn judge(found: Vec<Found>, rows: &Rows, home: &Settings, ecs: &Ecs) -> (Vec<Pin>, Option<Error>) {
    let (mut pins, mut failed) = (Vec::new(), None);
    for Found { place, names } in found {
        let Some(pinned) = revision(&names, home) else { continue };
        let Some((family, number)) = pinned.revision() else { continue };
        let Some(row) = rows.get(family.as_str()) else { continue };
        let (Some(source), Some(patched)) = (&row.told.source, &row.told.patched) else { continue };
        let because = if *source == pinned.to_string() {
            Some(Because::Patched)
        } else if row.told.deregistered.contains(&pinned.to_string()) {
            Some(Because::Deregistered)
        } else if is_between(number, source, patched) {
            is_of_source(ecs, &pinned, source)
                .await
                .unwrap_or_else(|error| {
                    failed.get_or_insert(error);
                    false
                })
                .then_some(Because::Renewed)
        } else {
            None
        };
        pins.extend(because.map(|because| pin(place, family.as_str(), &names, &pinned, patched, because)));
    }
    pins.sort_by(|one, other| (&one.family, &one.place).cmp(&(&other.family, &other.place)));
    (pins, failed)
}

fn pin(place: Place, family: &str, names: &str, pinned: &Arn, patched: &str, because: Because) -> Pin {
    let should = if names.starts_with("arn:") { patched } else { short(patched) };
    Pin {
        place,
        family: family.to_owned(),
        pins: pinned.to_string(),
        should_pin: patched.to_owned(),
        because,
        written: [names.to_owned(), should.to_owned()],
    }
}

/// The revision that is named; none if it is a family, or somewhere else.
fn revision(names: &str, home: &Settings) -> Option<Arn> {
    names.parse::<crate::revision::Revision>().ok()?.arn(home).ok()
}

fn is_between(number: u64, source: &str, patched: &str) -> bool {
    let number_of = |arn: &str| arn.parse::<Arn>().ok()?.revision().map(|(_, number)| number);
    matches!((number_of(source), number_of(patched)), (Some(source), Some(patched)) if source < number && number < patched)
}

/// Whether a revision is the operator's, made from this source.
async fn is_of_source(ecs: &Ecs, pinned: &Arn, source: &str) -> Result<bool, Error> {
    let definition = ecs.describe(&pinned.to_string()).await?;
    let receipt = definition.and_then(|definition| receipt::ours(&definition));
    Ok(receipt.and_then(|receipt| receipt.source_arn()).is_some_and(|arn| arn.to_string() == source))
}
