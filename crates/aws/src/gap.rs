//! The gap rule: what stands between a revision of ours and the one that it was made from.
//!
//! Knows: which numbers to look at, and what a revision there means. Must not know: what is done about it.
//!
//! ECS has no compare-and-swap. A revision that a user registers between our look and our registration is older than
//! ours by number and newer by intent: ours must go.

use crate::ecs::{Ecs, Listed};
use crate::error::Error;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::ids::{Arn, Family, RoleRef};
use ecs_sidecar_core::observed::Registrar;
use ecs_sidecar_core::request::{self, Request};
use ecs_sidecar_core::{normalize, receipt};
use futures_util::future::try_join_all;
use std::ops::Range;

/// Up to here each number in a gap is asked for; a wider gap is first listed.
const NARROW: u64 = 10;

/// What the revisions in a gap mean for ours behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing: there are none, or older ones of ours, or the very work that ours carries.
    Clear,
    /// A user's newer work is shadowed by ours.
    Shadows,
    /// Another worker had registered the very same already.
    Surplus,
}

/// Numbers of a family, and who we are.
#[derive(Debug, Clone)]
pub(crate) struct Gap<'a> {
    pub(crate) ecs: &'a Ecs,
    pub(crate) family: &'a Family,
    /// The operator's own role.
    pub(crate) role: &'a RoleRef,
    /// The numbers in the gap.
    pub(crate) numbers: Range<u64>,
    /// Revisions that need not be asked for.
    pub(crate) inactive: &'a [Arn],
}

impl Gap<'_> {
    /// Looks at the ACTIVE revisions in the gap, and judges the revision of ours that follows them.
    ///
    /// Guarantees: nothing is written. Errors: those of the reads.
    pub(crate) async fn judge(&self, ours: &TaskDefinition) -> Result<Verdict, Error> {
        let between = self.active().await?;
        // What a user registered last is what counts, whatever other workers of ours made of it or of what was before.
        let theirs = between.iter().rev().find(|definition| !is_ours(definition, self.role));
        if theirs.is_some_and(|theirs| Work::of(theirs).is_none_or(|theirs| Some(theirs) != Work::of(ours))) {
            return Ok(Verdict::Shadows);
        }
        // Only the last before ours can be its double: an older one may be the same after a change that was taken back.
        let last = between.last().filter(|definition| is_ours(definition, self.role));
        let double = last.is_some_and(|last| normalize::canonical(last) == normalize::canonical(ours));
        Ok(if double { Verdict::Surplus } else { Verdict::Clear })
    }

    /// The ACTIVE revisions in the gap by number.
    async fn active(&self) -> Result<Vec<TaskDefinition>, Error> {
        let Range { start, end } = self.numbers;
        let inactive = |number: &u64| self.inactive.iter().any(|arn| number_of(arn) == Some(*number));
        let mut numbers: Vec<u64> = if end.saturating_sub(start) <= NARROW {
            (start..end).filter(|number| !inactive(number)).collect()
        } else {
            let listed = self.ecs.list(self.family, Listed::Active).await?;
            listed.iter().filter_map(number_of).filter(|number| self.numbers.contains(number)).collect()
        };
        numbers.sort_unstable();
        let described = numbers.into_iter().map(|number| active(self.ecs, self.family, number));
        Ok(try_join_all(described).await?.into_iter().flatten().collect())
    }
}

/// A revision, if it is ACTIVE.
pub(crate) async fn active(ecs: &Ecs, family: &Family, number: u64) -> Result<Option<TaskDefinition>, Error> {
    let definition = ecs.describe(&format!("{family}:{number}")).await?;
    Ok(definition.filter(|definition| definition.described().is_active()))
}

/// What somebody wants to have run: the definition without what was injected, and what it asks for, be it by a tag.
#[derive(PartialEq, Eq)]
struct Work {
    text: String,
    asks: Request,
}

impl Work {
    /// `None` where a receipt cannot be used, so that nobody can tell.
    fn of(definition: &TaskDefinition) -> Option<Self> {
        Some(Self { text: undone_text(definition)?, asks: request::read(definition) })
    }
}

/// Canonical text of the definition with its injection, if it has one, taken back.
pub(crate) fn undone_text(definition: &TaskDefinition) -> Option<String> {
    let undone = receipt::undo(definition).ok()?;
    Some(normalize::canonical(undone.as_ref().map_or(definition, |undone| &undone.source)))
}

/// Whether the operator registered a revision. Its content proves nothing where ECS names the registrar: pipelines
/// inject as well, and people register copies of ours to go back to them.
fn is_ours(definition: &TaskDefinition, role: &RoleRef) -> bool {
    match registrar(definition, role) {
        Registrar::Operator => true,
        Registrar::Other => false,
        Registrar::Unknown => receipt::ours(definition).is_some(),
    }
}

/// Who registered a revision: a session of our role, somebody else, or nobody says.
pub(crate) fn registrar(definition: &TaskDefinition, role: &RoleRef) -> Registrar {
    let Some(by) = definition.described().registered_by.as_deref() else { return Registrar::Unknown };
    let Ok(by) = by.parse::<Arn>() else { return Registrar::Other };
    // A session's ARN has the role's name without its path.
    let session = by.resource().strip_prefix("assumed-role/").and_then(|rest| rest.split('/').next());
    let same = session == Some(role.name()) && by.account() == role.account();
    if same { Registrar::Operator } else { Registrar::Other }
}

/// The number of a revision.
pub(crate) fn number_of(arn: &Arn) -> Option<u64> {
    arn.revision().map(|(_, number)| number)
}
