//! What a family's other revisions tell of the newest one: what it was made from, whether an earlier act was cut off
//! behind it, and which of our revisions somebody has taken back.
//!
//! Knows: which revisions to ask for. Must not know: roles, images, policies.

use crate::demands::requires_more;
use crate::ecs::{Ecs, Listed};
use crate::error::Error;
use crate::gap::{self, Gap, Verdict, number_of};
use crate::rows::Row;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::digest::Digest;
use ecs_sidecar_core::ids::{Arn, Family, RoleRef};
use ecs_sidecar_core::normalize;
use ecs_sidecar_core::observed::Registrar;
use ecs_sidecar_core::receipt::{self, ReceiptError, Undone};
use ecs_sidecar_core::request::{self, Request};
use ecs_sidecar_core::target::MadeFor;
use futures_util::future::try_join_all;
use std::collections::BTreeSet;

/// How many deregistered revisions behind the newest ACTIVE one are looked at for withdrawals.
const WITHDRAWALS: usize = 5;

/// How many numbers before the newest one are tried before ECS is asked for a list.
const NEAR: usize = 3;

/// What an act that was cut off could not do any more; the newest revision is ours then, and has to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfinished {
    /// It shadows somebody's newer work, or is the double of another worker's.
    Leftover,
    /// It asks more of an instance than what it was made from; for people.
    AsksMore(String),
}

/// Our revisions that somebody deregistered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Withdrawn {
    /// Digests of patches of the newest revision, or of the one that it was made from.
    pub(crate) digests: Vec<Digest>,
    /// Whether one by which the newest revision's injection was taken back is among them.
    pub(crate) removal: bool,
}

/// The newest ACTIVE revision among the others of its family.
pub(crate) struct History<'a> {
    ecs: &'a Ecs,
    role: &'a RoleRef,
    family: &'a Family,
    definition: &'a TaskDefinition,
    arn: &'a Arn,
    number: u64,
    /// First page of the INACTIVE revisions, newest first.
    inactive: &'a [Arn],
    undone: Result<Option<Undone>, ReceiptError>,
    /// The revision that the newest one was made from, if its receipt is good.
    source: Option<(Arn, u64)>,
    /// Who registered the newest revision.
    pub(crate) registrar: Registrar,
    /// ARNs of revisions that the operator itself deregistered.
    own_deregistrations: BTreeSet<String>,
    /// Digests of patches that were seen to be withdrawn earlier.
    withdrawn_before: Vec<Digest>,
}

impl<'a> History<'a> {
    pub(crate) fn new(
        ecs: &'a Ecs,
        role: &'a RoleRef,
        family: &'a Family,
        definition: &'a TaskDefinition,
        (arn, number): (&'a Arn, u64),
        inactive: &'a [Arn],
    ) -> Self {
        let registrar = gap::registrar(definition, role);
        let undone = receipt::undo(definition);
        let source = undone.as_ref().ok().and_then(Option::as_ref).and_then(|undone| source(undone, arn));
        Self {
            ecs,
            role,
            family,
            definition,
            arn,
            number,
            inactive,
            undone,
            source,
            registrar,
            own_deregistrations: BTreeSet::new(),
            withdrawn_before: Vec::new(),
        }
    }

    /// Takes into account what the table knows: which revision is ours, whatever our role was called then, and which
    /// ones nobody withdrew but us.
    pub(crate) fn remember(&mut self, row: &Row) {
        if row.told.patched.as_deref() == Some(self.arn.as_str()) {
            self.registrar = Registrar::Operator;
        }
        self.own_deregistrations.clone_from(&row.told.deregistered);
        let source = self.source.as_ref().map_or(self.arn, |(source, _)| source).as_str();
        let of_source = row.told.withdrawn.iter().filter_map(|text| text.strip_prefix(source)?.strip_prefix(' '));
        self.withdrawn_before = of_source.filter_map(|digest| digest.parse().ok()).collect();
    }

    /// Whether what the newest revision was made from is INACTIVE.
    pub(crate) fn source_inactive(&self) -> bool {
        self.source.as_ref().is_some_and(|(source, _)| self.inactive.contains(source))
    }

    /// Whether nothing has to be asked for what the other revisions tell.
    pub(crate) fn tells_by_itself(&self) -> bool {
        let has_past = match (&self.undone, self.registrar) {
            (Ok(Some(_)), Registrar::Operator) => self.source.is_some(),
            (Ok(None), Registrar::Operator) => true,
            (Err(_), _) | (_, Registrar::Other | Registrar::Unknown) => false,
        };
        !has_past && self.newer().next().is_none()
    }

    /// Newer revisions that somebody else than the operator deregistered.
    fn newer(&self) -> impl Iterator<Item = &'a Arn> {
        let newer = self.inactive.iter().filter(|arn| number_of(arn).is_some_and(|number| number > self.number));
        newer.filter(|arn| !self.own_deregistrations.contains(arn.as_str()))
    }

    /// Which of our newer revisions somebody deregistered.
    ///
    /// Errors: those of the reads. A revision that ECS does not keep any more is ignored, and so is one that cannot be
    /// read: nothing of ours is that.
    pub(crate) async fn withdrawn(&self) -> Result<Withdrawn, Error> {
        let described = self.newer().take(WITHDRAWALS).map(|arn| self.readable(arn));
        let described: Vec<_> = try_join_all(described).await?.into_iter().flatten().collect();
        let source = self.source.as_ref().map(|(source, _)| source);
        let known = |arn: &Arn| arn == self.arn || Some(arn) == source;
        let receipts = described.iter().filter_map(|definition| receipt::read(definition).ok().flatten());
        let patches = receipts.filter(|receipt| receipt.source_arn().is_some_and(|arn| known(&arn)));
        let mut digests: Vec<Digest> = patches.map(|receipt| receipt.digest).collect();
        digests.extend(
            self.withdrawn_before.iter().filter(|digest| !digests.contains(digest)).cloned().collect::<Vec<_>>(),
        );
        let taken_back = self.undone.as_ref().ok().and_then(Option::as_ref);
        let taken_back = taken_back.map(|undone| normalize::canonical(&undone.source));
        let removal = described.iter().any(|definition| {
            gap::registrar(definition, self.role) == Registrar::Operator
                && Some(normalize::canonical(definition)) == taken_back
        });
        Ok(Withdrawn { digests, removal })
    }

    /// What an act that was cut off left behind; and of a removal, the owner's revision that it was made from. Only what
    /// the operator registered is ever deregistered for it.
    ///
    /// Errors: those of the reads.
    pub(crate) async fn unfinished(&self) -> Result<(Option<Unfinished>, Option<Arn>), Error> {
        match (&self.undone, self.registrar) {
            (Ok(Some(_)), Registrar::Operator) => match &self.source {
                Some((source, number)) => Ok((self.unfinished_patch(source, *number).await?, None)),
                None => Ok((None, None)),
            },
            (Ok(None), Registrar::Operator) => self.unfinished_removal().await,
            // A broken receipt is told by the plan; what others registered is theirs.
            (Err(_), _) | (_, Registrar::Other | Registrar::Unknown) => Ok((None, None)),
        }
    }

    async fn unfinished_patch(&self, source: &Arn, number: u64) -> Result<Option<Unfinished>, Error> {
        let (ecs, family, role, inactive) = (self.ecs, self.family, self.role, self.inactive);
        // The source is below the newest, so this is no overflow.
        let gap = Gap { ecs, family, role, numbers: number + 1..self.number, inactive };
        let before = async {
            if MadeFor::read(self.definition).is_fargate_only() { Ok(None) } else { self.readable(source).await }
        };
        let (verdict, before) = futures_util::future::try_join(gap.judge(self.definition), before).await?;
        match verdict {
            Verdict::Shadows | Verdict::Surplus => return Ok(Some(Unfinished::Leftover)),
            Verdict::Clear => {}
        }
        Ok(before.and_then(|before| requires_more(&before, self.definition)).map(Unfinished::AsksMore))
    }

    /// A removal carries no receipt, so it is told by its content: undone, the revision before it is the same.
    async fn unfinished_removal(&self) -> Result<(Option<Unfinished>, Option<Arn>), Error> {
        let Some(before) = self.active_before().await? else { return Ok((None, None)) };
        let text = normalize::canonical(self.definition);
        let is_double =
            gap::registrar(&before, self.role) == Registrar::Operator && normalize::canonical(&before) == text;
        let is_made_of_it = gap::undone_text(&before).is_some_and(|undone| undone == text)
            // A removal opts out only if its source did. (Not the reverse: tags of a revision may be changed later.)
            && (request::read(self.definition) != Request::OptOut || request::read(&before) == Request::OptOut);
        let leftover = is_double || !is_made_of_it;
        Ok((leftover.then_some(Unfinished::Leftover), (!leftover).then(|| self.owners(&before)).flatten()))
    }

    /// The owner's revision: that one, or what it was made from if it is ours.
    fn owners(&self, definition: &TaskDefinition) -> Option<Arn> {
        let arn = definition.described().arn.clone()?;
        let ours = receipt::ours(definition).filter(|_| gap::registrar(definition, self.role) == Registrar::Operator);
        ours.map_or(Some(arn.clone()), |receipt| receipt.source_before(&arn))
    }

    /// The ACTIVE revision right before the newest one.
    async fn active_before(&self) -> Result<Option<TaskDefinition>, Error> {
        let inactive = |number: &u64| self.inactive.iter().any(|arn| number_of(arn) == Some(*number));
        let mut before = (1..self.number).rev().filter(|number| !inactive(number));
        for number in before.by_ref().take(NEAR) {
            if let Some(definition) = gap::active(self.ecs, self.family, number).await? {
                return Ok(Some(definition));
            }
        }
        if before.next().is_none() {
            return Ok(None);
        }
        let listed = self.ecs.list(self.family, Listed::Active).await?;
        match listed.iter().filter_map(number_of).find(|number| *number < self.number) {
            Some(number) => gap::active(self.ecs, self.family, number).await,
            None => Ok(None),
        }
    }

    async fn readable(&self, arn: &Arn) -> Result<Option<TaskDefinition>, Error> {
        match self.ecs.describe(arn.as_str()).await {
            Err(Error::Unreadable { .. }) => Ok(None),
            answer => answer,
        }
    }
}

/// The revision that one was made from, and its number, if its receipt is good.
fn source(undone: &Undone, newest: &Arn) -> Option<(Arn, u64)> {
    let source = undone.receipt.source_before(newest).filter(|_| undone.is_ours())?;
    let number = number_of(&source)?;
    Some((source, number))
}
