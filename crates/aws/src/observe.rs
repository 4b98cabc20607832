//! Everything that is read before a decision. Decides nothing, writes nothing.
//!
//! Knows: which calls answer which question, and which of them can run side by side. Must not know: why it was asked.

use crate::clients::Clients;
use crate::ecs::Listed;
use crate::error::{Error, Failure, Said};
use crate::gap::number_of;
use crate::history::{History, Unfinished};
use crate::memory::Memory;
use crate::settings::Settings;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::ids::{Arn, Family, RoleRef};
use ecs_sidecar_core::observed::{ImageState, Needs, Observed, RoleState};
use ecs_sidecar_core::plan;
use futures_util::future::{try_join, try_join3};

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
    /// The roles of which IAM said just now what they have.
    pub fresh: Vec<RoleRef>,
    /// What an act that was cut off left behind.
    pub unfinished: Option<Unfinished>,
}

/// Looks at a family. `None`: it has no ACTIVE revision.
///
/// Guarantees: nothing is written. Three levels of calls at most: the newest revision beside the list of INACTIVE
/// ones; then roles, image and what other revisions tell, side by side. (An emulator's INACTIVE answer adds two.)
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
    let needs = plan::needs(&definition, &settings.plan);
    let history = History::new(&clients.ecs, &settings.role, family, &definition, (&arn, number), &inactive);
    let (source_inactive, registrar) = (history.source_inactive(), history.registrar);
    let look = Look { clients, settings, memory, trust };
    let (withdrawn, unfinished, facts) =
        try_join3(history.withdrawn(), history.unfinished(), look.facts(needs.as_ref())).await?;
    let observed = Observed {
        account: settings.account.clone(),
        region: settings.region.clone(),
        definition,
        cache_prefix: settings.cache_prefix.clone(),
        image: facts.image,
        task_role: facts.task_role,
        execution_role: facts.execution_role,
        withdrawn: withdrawn.digests,
        removal_withdrawn: withdrawn.removal,
        source_inactive,
        registrar,
    };
    let (remembered, fresh, family) = (facts.remembered, facts.fresh, family.clone());
    Ok(Some(Sight { observed, newest: arn, family, number, needs, remembered, fresh, unfinished }))
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

/// What was found out of roles and image.
struct Facts {
    image: ImageState,
    task_role: RoleState,
    execution_role: RoleState,
    remembered: bool,
    fresh: Vec<RoleRef>,
}

/// A look at roles and image, with or without the help of memory.
struct Look<'a> {
    clients: &'a Clients,
    settings: &'a Settings,
    memory: &'a Memory,
    trust: Trust,
}

/// A fact, and whether it was remembered.
type Known<T> = (T, bool);

impl Look<'_> {
    async fn facts(&self, needs: Option<&Needs>) -> Result<Facts, Error> {
        let Some(needs) = needs else {
            let (task_role, execution_role) = (RoleState::NotChecked, RoleState::NotChecked);
            let (image, remembered, fresh) = (ImageState::NotChecked, false, Vec::new());
            return Ok(Facts { image, task_role, execution_role, remembered, fresh });
        };
        let same = needs.task_role == needs.execution_role;
        let names = [needs.task_role.as_ref(), needs.execution_role.as_ref().filter(|_| !same)];
        let (image, task, execution) = try_join3(self.image(needs), self.role(names[0]), self.role(names[1])).await?;
        let remembered = image.1 || task.1 || execution.1;
        let asked = names.into_iter().zip([&task, &execution]).filter(|(_, (_, remembered))| !remembered);
        let fresh = asked.filter_map(|(role, _)| role.cloned()).collect();
        let execution_role = if same { task.0.clone() } else { execution.0 };
        Ok(Facts { image: image.0, task_role: task.0, execution_role, remembered, fresh })
    }

    async fn image(&self, needs: &Needs) -> Result<Known<ImageState>, Error> {
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

    async fn role(&self, role: Option<&RoleRef>) -> Result<Known<RoleState>, Error> {
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
