//! Everything that is read before a decision. Decides nothing, writes nothing.
//!
//! Knows: which calls answer which question, and which of them can run side by side. Must not know: why it was asked.

use crate::clients::Clients;
use crate::ecs::Listed;
use crate::error::{Error, Failure, Said};
use crate::gap::{self, number_of};
use crate::history::{History, Unfinished};
use crate::memory::Memory;
use crate::rows::Row;
use crate::settings::Settings;
use ecs_sidecar_core::cache::CacheState;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::ids::{Arn, Family, RoleRef};
use ecs_sidecar_core::observed::{ImageState, LogGroupState, Needs, Observed, Permission, RoleState};
use ecs_sidecar_core::plan;
use futures_util::future::{try_join, try_join3, try_join4};

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
    /// Whether the first look was enough: no call came after it.
    pub at_once: bool,
    /// The roles of which IAM said just now what they have.
    pub fresh: Vec<RoleRef>,
    /// What an act that was cut off left behind.
    pub unfinished: Option<Unfinished>,
    /// The owner's revision whose sidecar the newest one took back, if it is one of ours without any.
    pub removed_from: Option<Arn>,
}

/// The newest ACTIVE revision of a family, before anything is known of what it needs.
#[derive(Debug)]
pub(crate) struct FirstLook {
    definition: TaskDefinition,
    arn: Arn,
    number: u64,
    /// First page of the INACTIVE revisions, newest first.
    inactive: Vec<Arn>,
}

impl FirstLook {
    /// The revision's number.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

/// What is known of a family before it is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Before<'a> {
    /// How definitions are looked at.
    pub(crate) plan: &'a plan::Settings,
    /// What the table has of it.
    pub(crate) row: Option<&'a Row>,
    /// Whether facts from earlier reconciles may stand in for calls.
    pub(crate) trust: Trust,
}

/// Finds the newest revision of a family. `None`: it has no ACTIVE one.
///
/// Guarantees: nothing is written; two calls side by side. (An emulator's INACTIVE answer adds two.)
/// Assumptions: `DescribeTaskDefinition`, `ListTaskDefinitions`. Errors: those of the calls.
pub(crate) async fn first_look(clients: &Clients, family: &Family) -> Result<Option<FirstLook>, Error> {
    let (newest, inactive) = try_join(newest(clients, family), clients.ecs.list(family, Listed::Inactive)).await?;
    let Some(definition) = newest else { return Ok(None) };
    let arn = definition.described().arn.clone();
    match arn.and_then(|arn| number_of(&arn).map(|number| (arn, number))) {
        Some((arn, number)) => Ok(Some(FirstLook { definition, arn, number, inactive })),
        None => Err(nameless(family)),
    }
}

/// Which revision somebody wants to have looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A family's newest ACTIVE one.
    Newest(Family),
    /// The one of that number.
    Revision(Family, u64),
}

/// Looks at all that a decision on a revision depends on, for a person who wants to know or to do by hand what would be
/// decided. `None`: there is no such revision.
///
/// Guarantees: nothing is written, and nothing is taken from memory. Of a newest revision all is seen that a reconcile
/// sees, but for what an act that was cut off left behind; of another one nothing is known of what became of its
/// patches. Assumptions: the reads of a reconcile; with a table in the settings, `GetItem` on the family's row and on the
/// image's record.
/// Errors: those of the calls.
pub async fn observe_definition(
    clients: &Clients,
    settings: &Settings,
    plan: &plan::Settings,
    wanted: &Wanted,
) -> Result<Option<Observed>, Error> {
    let (memory, trust) = (Memory::default(), Trust::Nothing);
    match wanted {
        Wanted::Newest(family) => {
            let row = async {
                match &clients.table {
                    Some(table) => table.row(family).await.map(Some),
                    None => Ok(None),
                }
            };
            let (first, row) = try_join(first_look(clients, family), row).await?;
            let Some(first) = first else { return Ok(None) };
            let before = Before { plan, row: row.as_ref(), trust };
            let sight = observe(clients, settings, &memory, before, family, first).await?;
            Ok(Some(sight.observed))
        }
        Wanted::Revision(family, number) => {
            let Some(definition) = clients.ecs.describe(&format!("{family}:{number}")).await? else { return Ok(None) };
            let needs = plan::needs(&definition, plan, &settings.account, &settings.region);
            let look = Look { clients, settings, plan, memory: &memory, trust };
            let facts = Box::pin(look.facts(needs.as_ref())).await?;
            let registrar = gap::registrar(&definition, &settings.role);
            let mut observed = Observed { registrar, ..unchecked(settings, definition) };
            if let Some(facts) = facts {
                facts.tell(&mut observed);
            }
            Ok(Some(observed))
        }
    }
}

/// A definition of which nothing is known yet.
fn unchecked(settings: &Settings, definition: TaskDefinition) -> Observed {
    let (account, region) = (settings.account.clone(), settings.region.clone());
    Observed {
        registry: settings.registry.clone(),
        ..Observed::unchecked(account, region, definition, settings.cache_prefix.clone())
    }
}

/// Whether a revision is still the newest ACTIVE one of its family.
///
/// Errors: those of the call.
pub(crate) async fn is_newest(clients: &Clients, family: &Family, arn: &Arn) -> Result<bool, Error> {
    Ok(newest(clients, family).await?.is_some_and(|now| now.described().arn.as_ref() == Some(arn)))
}

/// Looks at all that a decision on a revision depends on.
///
/// Guarantees: nothing is written. One level of calls with what memory holds: roles, image, log group and what other
/// revisions tell, side by side. An image of which nothing is remembered takes five calls more, one after the other.
/// Assumptions: where a read is not allowed, the observation says so instead of failing.
/// Errors: those of the calls; all of them may be retried.
pub(crate) async fn observe(
    clients: &Clients,
    settings: &Settings,
    memory: &Memory,
    before: Before<'_>,
    family: &Family,
    first: FirstLook,
) -> Result<Sight, Error> {
    let FirstLook { definition, arn, number, inactive } = first;
    let Before { plan, row, trust } = before;
    let needs = plan::needs(&definition, plan, &settings.account, &settings.region);
    let mut history = History::new(&clients.ecs, &settings.role, family, &definition, (&arn, number), &inactive);
    if let Some(row) = row {
        history.remember(row);
    }
    let (source_inactive, registrar) = (history.source_inactive(), history.registrar);
    let mut at_once = history.tells_by_itself();
    let look = Look { clients, settings, plan, memory, trust };
    let (withdrawn, (unfinished, removed_from), facts) =
        try_join3(history.withdrawn(), history.unfinished(), Box::pin(look.facts(needs.as_ref()))).await?;
    let mut observed = Observed {
        withdrawn: withdrawn.digests,
        removal_withdrawn: withdrawn.removal,
        source_inactive,
        registrar,
        ..unchecked(settings, definition)
    };
    let (mut remembered, mut fresh) = (false, Vec::new());
    if let Some(mut facts) = facts {
        (remembered, fresh) = (facts.remembered, std::mem::take(&mut facts.fresh));
        at_once &= !facts.asked;
        facts.tell(&mut observed);
    }
    let family = family.clone();
    Ok(Sight { observed, newest: arn, family, number, needs, remembered, at_once, fresh, unfinished, removed_from })
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

/// What was found out of roles, image and log group.
struct Facts {
    image: (CacheState, ImageState),
    log_group: (LogGroupState, Permission),
    task_role: RoleState,
    execution_role: RoleState,
    remembered: bool,
    /// Whether AWS was asked for any of it.
    asked: bool,
    fresh: Vec<RoleRef>,
}

impl Facts {
    /// Has an observation say what was found out.
    fn tell(self, observed: &mut Observed) {
        (observed.cache, observed.image) = self.image;
        (observed.log_group, observed.may_create_log_group) = self.log_group;
        (observed.task_role, observed.execution_role) = (self.task_role, self.execution_role);
    }
}

/// A look at roles, image and log group, with or without the help of memory.
struct Look<'a> {
    clients: &'a Clients,
    settings: &'a Settings,
    plan: &'a plan::Settings,
    memory: &'a Memory,
    trust: Trust,
}

/// A fact, and where it is from.
type Known<T> = (T, Origin);

/// Where a fact is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Memory,
    Aws,
    /// There was nothing to be known.
    Nowhere,
}

impl Look<'_> {
    /// `None`: nothing has to be known.
    async fn facts(&self, needs: Option<&Needs>) -> Result<Option<Facts>, Error> {
        let Some(needs) = needs else { return Ok(None) };
        let same = needs.task_role == needs.execution_role;
        let names = [needs.task_role.as_ref(), needs.execution_role.as_ref().filter(|_| !same)];
        let roles = (self.role(names[0]), self.role(names[1]));
        let (image, logs, task, execution) =
            try_join4(self.image(needs), self.log_group(needs), roles.0, roles.1).await?;
        let from = [image.1, logs.1, task.1, execution.1];
        let (remembered, asked) = (from.contains(&Origin::Memory), from.contains(&Origin::Aws));
        let fresh = names.into_iter().zip([task.1, execution.1]).filter(|(_, from)| *from == Origin::Aws);
        let fresh = fresh.filter_map(|(role, _)| role.cloned()).collect();
        let execution_role = if same { task.0.clone() } else { execution.0 };
        let (image, log_group, task_role) = (image.0, logs.0, task.0);
        Ok(Some(Facts { image, log_group, task_role, execution_role, remembered, asked, fresh }))
    }

    async fn image(&self, needs: &Needs) -> Result<Known<(CacheState, ImageState)>, Error> {
        let (name, pinned) = (needs.image.to_string(), needs.pinned);
        if let Some(known) = self.memory.image(&name, pinned).filter(|_| self.trust == Trust::Memory) {
            return Ok((known, Origin::Memory));
        }
        // Boxed: many calls, and rarely needed.
        let found = Box::pin(self.clients.images.locate(&needs.image, pinned)).await?;
        if let (_, ImageState::Present(_)) = &found {
            self.memory.remember_image(&name, pinned, found.clone());
        }
        Ok((found, Origin::Aws))
    }

    async fn log_group(&self, needs: &Needs) -> Result<Known<(LogGroupState, Permission)>, Error> {
        let Some(group) = &needs.log_group else {
            return Ok(((LogGroupState::NotChecked, Permission::NotChecked), Origin::Nowhere));
        };
        let role = needs.execution_role.as_ref().filter(|role| group.created_by_driver && self.in_reach(role));
        if let Some(may) = self.memory.log_group(&group.name, role).filter(|_| self.trust == Trust::Memory) {
            return Ok(((LogGroupState::Present, may), Origin::Memory));
        }
        let (state, may) = try_join(self.clients.logs.group(&group.name), self.may_create(role, &group.name)).await?;
        if state == LogGroupState::Present {
            self.memory.remember_log_group(&group.name, role, may);
        }
        Ok(((state, may), Origin::Aws))
    }

    /// Whether a role may make a log group. Only a role that is named by its ARN can be asked about.
    async fn may_create(&self, role: Option<&RoleRef>, group: &str) -> Result<Permission, Error> {
        let Some(role) = role.filter(|role| role.is_arn()) else { return Ok(Permission::NotChecked) };
        let (account, region) = (&self.settings.account, &self.settings.region);
        let arn = format!("arn:{}:logs:{region}:{account}:log-group:{group}", region.partition().name);
        self.clients.iam.may(role, "logs:CreateLogGroup", &arn).await
    }

    async fn role(&self, role: Option<&RoleRef>) -> Result<Known<RoleState>, Error> {
        let Some(role) = role.filter(|role| self.in_reach(role)) else {
            return Ok((RoleState::NotChecked, Origin::Nowhere));
        };
        match self.memory.attached(role).filter(|_| self.trust == Trust::Memory) {
            Some(policies) => Ok((RoleState::Attached(policies), Origin::Memory)),
            None => Ok((self.clients.iam.attached(role).await?, Origin::Aws)),
        }
    }

    /// Whether it makes sense to ask IAM: it knows a role by its bare name, so that it would answer for another one
    /// of our own account, and it lets us see only what the stack lists. The plan refuses such roles by themselves.
    fn in_reach(&self, role: &RoleRef) -> bool {
        role.account().is_none_or(|account| account == self.settings.account)
            && role.is_well_formed()
            && !role.is_service_linked()
            && self.plan.bounds.allow_role(role)
    }
}

fn nameless(family: &Family) -> Error {
    let said = Said { code: None, message: "an answer without the ARN of a revision".to_owned() };
    let failure = Failure::Unavailable;
    Error::Call { operation: "DescribeTaskDefinition", object: family.as_str().to_owned(), failure, said }
}
