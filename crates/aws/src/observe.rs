//! Everything that is read before a decision. Decides nothing, writes nothing.
//!
//! Knows: which calls answer which question, and which of them can run side by side. Must not know: why it was asked.

use crate::clients::Clients;
use crate::ecs::Listed;
use crate::error::{Error, Failure, Said};
use crate::gap::{self, Verdict, number_of};
use crate::memory::Memory;
use crate::settings::Settings;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::digest::Digest;
use ecs_sidecar_core::ids::{Arn, Family, RoleRef};
use ecs_sidecar_core::observed::{ImageState, Needs, Observed, Registrar, RoleState};
use ecs_sidecar_core::{plan, receipt};
use futures_util::future::{join_all, try_join, try_join3};

/// How many deregistered revisions behind the newest ACTIVE one are looked at for withdrawals.
const WITHDRAWALS: usize = 5;

/// Whether facts from earlier reconciles may stand in for calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// They may.
    Memory,
    /// Everything is asked for anew.
    Nothing,
}

/// A family as it was seen.
#[derive(Debug, Clone)]
pub struct Sight {
    /// What the decision is made from.
    pub observed: Observed,
    /// The revision that was seen as the newest ACTIVE one.
    pub newest: Arn,
    /// Its family.
    pub family: Family,
    /// Its number.
    pub number: u64,
    /// What the decision needed to know of roles and image.
    pub needs: Option<Needs>,
    /// Whether a fact came from memory.
    pub remembered: bool,
    /// What an interrupted act left behind: the newest revision is ours, and should not be there.
    pub leftover: Option<Arn>,
}

/// Looks at a family. `None`: it has no ACTIVE revision.
///
/// Guarantees: nothing is written. Three levels of calls at most: the newest revision beside the list of INACTIVE
/// ones; then roles, image, withdrawals and gap side by side. (An emulator's INACTIVE answer adds two.)
/// Assumptions: `DescribeTaskDefinition`, `ListTaskDefinitions`; without `ListAttachedRolePolicies` or
/// `DescribeImages` the observation says so instead of failing.
/// Errors: those of the calls; all of them may be retried.
pub async fn observe(
    clients: &Clients,
    settings: &Settings,
    memory: &Memory,
    trust: Trust,
    family: &Family,
) -> Result<Option<Sight>, Error> {
    let (newest, inactive) = try_join(newest(clients, family), clients.ecs.list(family, Listed::Inactive)).await?;
    let Some(definition) = newest else { return Ok(None) };
    let arn = definition.described().arn.clone();
    let Some((arn, number)) = arn.and_then(|arn| number_of(&arn).map(|number| (arn, number))) else {
        return Err(nameless(family));
    };
    let registrar = registrar(&definition, &settings.role);
    let needs = plan::needs(&definition, &settings.plan);
    let ours = receipt::ours(&definition).and_then(|receipt| receipt.source_arn());
    let source_inactive = ours.as_ref().is_some_and(|source| inactive.contains(source));
    let sources = [Some(&arn), ours.as_ref()];
    let mut look = Look { clients, settings, memory, trust, remembered: false };
    let (withdrawn, leftover, facts) = try_join3(
        async { Ok(withdrawn(clients, &inactive, number, &sources).await) },
        leftover(clients, family, &definition, number, registrar, ours.as_ref(), &inactive),
        look.facts(needs.as_ref()),
    )
    .await?;
    let observed = Observed {
        account: settings.account.clone(),
        region: settings.region.clone(),
        definition,
        cache_prefix: settings.cache_prefix.clone(),
        image: facts.image,
        task_role: facts.task_role,
        execution_role: facts.execution_role,
        withdrawn,
        removal_withdrawn: false,
        source_inactive,
        registrar,
    };
    let remembered = look.remembered;
    Ok(Some(Sight { observed, newest: arn, family: family.clone(), number, needs, remembered, leftover }))
}

/// The newest ACTIVE revision. ECS answers it to the bare family; some emulators answer the newest of any status.
async fn newest(clients: &Clients, family: &Family) -> Result<Option<TaskDefinition>, Error> {
    let described = clients.ecs.describe(family.as_str()).await?;
    match described {
        Some(definition) if matches!(definition.described().status.as_deref(), None | Some("ACTIVE")) => {
            Ok(Some(definition))
        }
        Some(_) => match clients.ecs.list(family, Listed::Active).await?.first() {
            Some(arn) => clients.ecs.describe(arn.as_str()).await,
            None => Ok(None),
        },
        None => Ok(None),
    }
}

/// Who registered a revision: a session of our role, somebody else, or nobody says.
fn registrar(definition: &TaskDefinition, role: &RoleRef) -> Registrar {
    let Some(by) = definition.described().registered_by.as_deref() else { return Registrar::Unknown };
    let Ok(by) = by.parse::<Arn>() else { return Registrar::Other };
    // A session's ARN has the role's name without its path.
    let session = by.resource().strip_prefix("assumed-role/").and_then(|rest| rest.split('/').next());
    let same = session == Some(role.name()) && by.account() == role.account();
    if same { Registrar::Operator } else { Registrar::Other }
}

/// Digests of patches of the newest revision (or of the one that it was made from) that somebody deregistered.
///
/// A revision that cannot be described any more is ignored: ECS keeps INACTIVE ones only as long as it likes.
async fn withdrawn(clients: &Clients, inactive: &[Arn], newest: u64, sources: &[Option<&Arn>]) -> Vec<Digest> {
    let newer = inactive.iter().filter(|arn| number_of(arn).is_some_and(|number| number > newest));
    let described = newer.take(WITHDRAWALS).map(|arn| clients.ecs.describe(arn.as_str()));
    let described = join_all(described).await.into_iter().filter_map(|answer| answer.ok().flatten());
    let receipts = described.filter_map(|definition| receipt::read(&definition).ok().flatten());
    receipts
        .filter(|receipt| receipt.source_arn().is_some_and(|arn| sources.iter().flatten().any(|known| **known == arn)))
        .map(|receipt| receipt.digest)
        .collect()
}

/// Whether the newest revision is one that an earlier act should have deregistered but could not any more.
async fn leftover(
    clients: &Clients,
    family: &Family,
    newest: &TaskDefinition,
    number: u64,
    registrar: Registrar,
    source: Option<&Arn>,
    inactive: &[Arn],
) -> Result<Option<Arn>, Error> {
    let (Some(source), Registrar::Operator) = (source.and_then(number_of), registrar) else { return Ok(None) };
    match gap::judge(&clients.ecs, family, source + 1..number, inactive, newest).await? {
        Verdict::Clear => Ok(None),
        Verdict::Shadows(arn) | Verdict::Surplus(arn) => Ok(Some(arn)),
    }
}

/// What was found out of roles and image.
struct Facts {
    image: ImageState,
    task_role: RoleState,
    execution_role: RoleState,
}

/// A look at roles and image, with or without the help of memory.
struct Look<'a> {
    clients: &'a Clients,
    settings: &'a Settings,
    memory: &'a Memory,
    trust: Trust,
    remembered: bool,
}

impl Look<'_> {
    async fn facts(&mut self, needs: Option<&Needs>) -> Result<Facts, Error> {
        let Some(needs) = needs else {
            let nobody = || RoleState::NotChecked;
            return Ok(Facts { image: ImageState::NotChecked, task_role: nobody(), execution_role: nobody() });
        };
        let same = needs.task_role == needs.execution_role;
        let execution_role = needs.execution_role.as_ref().filter(|_| !same);
        let ((image, image_remembered), (task_role, task_remembered), (execution, execution_remembered)) = {
            let look = &*self;
            try_join3(look.image(needs), look.role(needs.task_role.as_ref()), look.role(execution_role)).await?
        };
        self.remembered = image_remembered || task_remembered || execution_remembered;
        let execution_role = if same { task_role.clone() } else { execution };
        Ok(Facts { image, task_role, execution_role })
    }

    async fn image(&self, needs: &Needs) -> Result<(ImageState, bool), Error> {
        let repository = needs.image.cached_repository(&self.settings.cache_prefix);
        if self.trust == Trust::Memory && self.memory.has_image(&repository, &needs.image.tag) {
            return Ok((ImageState::Present, true));
        }
        let image = self.clients.ecr.image(&repository, &needs.image.tag).await?;
        if image == ImageState::Present {
            self.memory.remember_image(&repository, &needs.image.tag);
        }
        Ok((image, false))
    }

    async fn role(&self, role: Option<&RoleRef>) -> Result<(RoleState, bool), Error> {
        let Some(role) = role.filter(|role| self.in_reach(role)) else { return Ok((RoleState::NotChecked, false)) };
        match self.memory.attached(role).filter(|_| self.trust == Trust::Memory) {
            Some(policies) => Ok((RoleState::Attached(policies), true)),
            None => Ok((self.clients.iam.attached(role).await?, false)),
        }
    }

    /// Whether it makes sense to ask IAM: it knows a role by its bare name, so that it would answer for another one
    /// of our own account, and it lets us see only what the stack lists. The plan refuses such roles by themselves.
    fn in_reach(&self, role: &RoleRef) -> bool {
        role.account().is_none_or(|account| account == self.settings.account)
            && role.is_well_formed()
            && !role.is_service_linked()
            && self.settings.plan.bounds.allow_role(role)
    }
}

fn nameless(family: &Family) -> Error {
    let said = Said { code: None, message: "an answer without the ARN of a revision".to_owned() };
    let failure = Failure::Unavailable;
    Error::Call { operation: "DescribeTaskDefinition", object: family.as_str().to_owned(), failure, said }
}
