//! The gap rule: what stands between a revision of ours and the one that it was made from.
//!
//! Knows: which numbers to look at, and what a revision there means. Must not know: what is done about it.
//!
//! ECS has no compare-and-swap. A revision that a user registers between our look and our registration is older than
//! ours by number and newer by intent: ours must go.

use crate::ecs::{Ecs, Listed};
use crate::error::Error;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::ids::{Arn, Family};
use ecs_sidecar_core::{normalize, receipt};
use futures_util::future::try_join_all;
use std::ops::Range;

/// Up to here each number in a gap is asked for; a wider gap is first listed.
const NARROW: u64 = 10;

/// What the revisions in a gap mean for ours behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing: there are none, or only older ones of ours.
    Clear,
    /// A user's newer work is shadowed by ours.
    Shadows(Arn),
    /// Another worker had registered the very same already.
    Surplus(Arn),
}

/// Looks at the ACTIVE revisions whose numbers are in `gap`, and judges the revision of ours that follows them.
///
/// Guarantees: nothing is written. Errors: those of the reads.
pub(crate) async fn judge(
    ecs: &Ecs,
    family: &Family,
    gap: Range<u64>,
    known_inactive: &[Arn],
    ours: &TaskDefinition,
) -> Result<Verdict, Error> {
    let mut between = active_between(ecs, family, gap, known_inactive).await?;
    between.sort_by_key(|(number, ..)| *number);
    let mut verdict = Verdict::Clear;
    for (_, arn, definition) in between {
        if receipt::ours(&definition).is_none() {
            return Ok(Verdict::Shadows(arn));
        }
        // Only the last before ours counts: an older one may be the same after a change that was taken back.
        let same = normalize::canonical(&definition) == normalize::canonical(ours);
        verdict = if same { Verdict::Surplus(arn) } else { Verdict::Clear };
    }
    Ok(verdict)
}

async fn active_between(
    ecs: &Ecs,
    family: &Family,
    gap: Range<u64>,
    known_inactive: &[Arn],
) -> Result<Vec<(u64, Arn, TaskDefinition)>, Error> {
    let inactive = |number: &u64| known_inactive.iter().any(|arn| number_of(arn) == Some(*number));
    let mut numbers: Vec<u64> = if gap.end.saturating_sub(gap.start) <= NARROW {
        gap.clone().filter(|number| !inactive(number)).collect()
    } else {
        let listed = ecs.list(family, Listed::Active).await?;
        listed.iter().filter_map(number_of).filter(|number| gap.contains(number)).collect()
    };
    numbers.sort_unstable();
    let described = numbers.into_iter().map(|number| async move {
        let definition = ecs.describe(&format!("{family}:{number}")).await?;
        Ok::<_, Error>(definition.and_then(|definition| {
            let active = definition.described().status.as_deref() == Some("ACTIVE");
            let arn = definition.described().arn.clone()?;
            active.then_some((number, arn, definition))
        }))
    });
    Ok(try_join_all(described).await?.into_iter().flatten().collect())
}

/// The number of a revision.
pub(crate) fn number_of(arn: &Arn) -> Option<u64> {
    arn.revision().map(|(_, number)| number)
}
