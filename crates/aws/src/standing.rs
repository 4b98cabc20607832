//! What stands for all families: the policies of the table and of the stack, and the switch.
//!
//! Knows: which policies there are, and in which order they are asked. Must not know: definitions.
//!
//! Policies of the table come first, by name; then the stack's own, unless the table has one of that name. What the
//! stack says of permissions bounds every policy. The switch is as people left it, unless the breaker has tripped since.

use crate::breaker::{self, Breaker};
use crate::error::Error;
use crate::settings::Settings;
use crate::table::{ID, Item, STANDING, Table};
use ecs_sidecar_core::digest::Digest;
use ecs_sidecar_core::names;
use ecs_sidecar_core::plan;
use ecs_sidecar_core::policy::{Policy, in_order};
use futures_util::future::try_join;
use std::sync::{Arc, Mutex, PoisonError};

/// The id of a policy's item begins with this.
const POLICY: &str = "policy/";

/// The id of the switch.
const SWITCH: &str = "switch";

/// What stands for all families now.
#[derive(Debug, Clone)]
pub struct Standing {
    /// How definitions are looked at.
    pub plan: Arc<plan::Settings>,
    /// Changes with anything that decisions depend on.
    pub fingerprint: String,
    /// The switch.
    pub switch: Switch,
    /// The policies of the table.
    pub stored: Vec<StoredPolicy>,
}

/// The operator's switch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switch {
    /// Nothing is written to ECS or IAM.
    pub paused: bool,
    /// Why, as somebody said.
    pub because: Option<String>,
    /// All policies count as deleted.
    pub uninstalling: bool,
    /// Since when, in seconds since 1970.
    pub changed_at: Option<u64>,
    /// Who changed it, as AWS names him.
    pub changed_by: Option<String>,
    /// How often it was used.
    pub(crate) uses: u64,
}

/// A policy of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPolicy {
    /// Its name.
    pub name: String,
    /// The document as it was applied.
    pub text: String,
    /// It is being deleted: it selects nothing, and is gone once what it injected is.
    pub deleting: bool,
    /// When it was last changed, in seconds since 1970.
    pub changed_at: Option<u64>,
    /// Who changed it, as AWS names him.
    pub changed_by: Option<String>,
    /// Why this program cannot read it, for people.
    pub problem: Option<String>,
    /// What the document says, if it can be read.
    policy: Option<Policy>,
    item: Item,
}

/// Standing policies, read anew for each look but parsed only when they changed.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Option<(Vec<Item>, Standing)>>);

impl Standing {
    /// What stands where there is no table: the stack's own policy.
    pub(crate) fn of_settings(settings: &Settings) -> Self {
        Self::new(settings, Switch::default(), Vec::new())
    }

    fn new(settings: &Settings, switch: Switch, stored: Vec<StoredPolicy>) -> Self {
        let mut plan = settings.plan.clone();
        let mut table = Vec::new();
        for stored in stored.iter().filter(|stored| !stored.deleting) {
            let Some(mut policy) = stored.policy.clone() else { continue };
            settings.overrides.apply(&mut policy);
            table.push(policy);
        }
        plan.deleted = stored.iter().filter(|stored| stored.deleting).map(|stored| stored.name.clone()).collect();
        // One that cannot be read keeps the stack's own of that name away too; once it is deleted, that is back.
        let replaces = |stored: &StoredPolicy, own: &Policy| !stored.deleting && stored.name == own.name();
        let own = plan.policies.pop().filter(|own| !stored.iter().any(|stored| replaces(stored, own)));
        let mut policies = in_order(table, own);
        if switch.uninstalling {
            plan.deleted.extend(policies.drain(..).map(|policy| policy.name().to_owned()));
            // What one that cannot be read has injected goes as well.
            plan.deleted.extend(stored.iter().map(|stored| stored.name.clone()));
        }
        plan.policies = policies;
        let says = (&plan, settings.writes, &settings.cache_prefix, &settings.registry);
        let fingerprint = Digest::of(&format!("{says:?}")).as_str()[7..23].to_owned();
        Self { plan: Arc::new(plan), fingerprint, switch, stored }
    }
}

impl Switch {
    /// The switch as it acts once the breaker has tripped since somebody last used it.
    fn broken_by(self, breaker: Breaker) -> Self {
        let since = |at: &u64| match breaker.switch_uses {
            Some(uses) => uses == self.uses,
            None => self.changed_at.is_none_or(|changed| changed < *at),
        };
        let tripped = breaker.tripped_at.filter(since);
        match tripped {
            Some(at) if !self.paused => Self {
                paused: true,
                because: Some(breaker::tripped(breaker.because.as_deref().unwrap_or_default())),
                changed_at: Some(at),
                changed_by: Some(names::OPERATOR.to_owned()),
                ..self
            },
            Some(_) | None => self,
        }
    }

    fn read(item: &Item) -> Self {
        Self {
            paused: item.flag("paused"),
            because: item.text("pausedBecause"),
            uninstalling: item.flag("uninstalling"),
            changed_at: item.number("changedAt"),
            changed_by: item.text("changedBy"),
            uses: item.writes(),
        }
    }
}

impl StoredPolicy {
    fn read(item: Item) -> Option<Self> {
        let name = item.text(ID)?.strip_prefix(POLICY)?.to_owned();
        let text = item.text("text").unwrap_or_default();
        let (policy, problem) = match Policy::parse(&text) {
            Ok(policy) if policy.name() != name => (None, Some(format!("its document is called {}", policy.name()))),
            Ok(policy) => (Some(policy), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let (deleting, changed_at, changed_by) =
            (item.flag("deleting"), item.number("changedAt"), item.text("changedBy"));
        Some(Self { name, text, deleting, changed_at, changed_by, problem, policy, item })
    }
}

impl Table {
    /// What stands for all families.
    ///
    /// Errors: those of [`Table::query`]. A policy that this program cannot read is no error: it selects nothing, and
    /// what it injected stays.
    pub async fn standing(&self, settings: &Settings) -> Result<Standing, Error> {
        self.cached_standing(settings, &Cache::default()).await
    }

    pub(crate) async fn cached_standing(&self, settings: &Settings, cache: &Cache) -> Result<Standing, Error> {
        let (items, breaker) = try_join(self.query(STANDING), self.breaker()).await?;
        let mut cached = cache.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, standing)) = cached.as_ref().filter(|(before, _)| *before == items) {
            let switch = standing.switch.clone().broken_by(breaker);
            return Ok(Standing { switch, ..standing.clone() });
        }
        let switch = items.iter().find(|item| item.text(ID).as_deref() == Some(SWITCH));
        let switch = switch.map(Switch::read).unwrap_or_default();
        let stored = items.iter().cloned().filter_map(StoredPolicy::read).collect();
        let standing = Standing::new(settings, switch, stored);
        *cached = Some((items, standing.clone()));
        Ok(Standing { switch: standing.switch.clone().broken_by(breaker), ..standing })
    }

    /// The switch alone, with the breaker.
    ///
    /// Errors: those of [`Table::get`].
    pub async fn switch(&self) -> Result<Switch, Error> {
        let (item, breaker) = try_join(self.get(STANDING, SWITCH), self.breaker()).await?;
        Ok(item.as_ref().map(Switch::read).unwrap_or_default().broken_by(breaker))
    }

    /// How often the switch was used.
    ///
    /// Errors: those of [`Table::get`].
    pub(crate) async fn switch_uses(&self) -> Result<u64, Error> {
        Ok(self.get(STANDING, SWITCH).await?.map_or(0, |item| item.writes()))
    }

    /// Changes the switch, and says who did. `false`: somebody changed it meanwhile.
    ///
    /// Errors: those of [`Table::put`].
    pub async fn set_switch(&self, by: &str, change: impl FnOnce(&mut Switch)) -> Result<bool, Error> {
        let mut item = self.get(STANDING, SWITCH).await?.unwrap_or_else(|| Item::new(STANDING, SWITCH));
        let mut switch = Switch::read(&item);
        change(&mut switch);
        item.set_flag("paused", switch.paused);
        item.set_text("pausedBecause", switch.because.as_deref());
        item.set_flag("uninstalling", switch.uninstalling);
        self.put_by(item, by).await
    }

    /// A policy of the table.
    ///
    /// Errors: those of [`Table::get`].
    pub async fn policy(&self, name: &str) -> Result<Option<StoredPolicy>, Error> {
        Ok(self.get(STANDING, &format!("{POLICY}{name}")).await?.and_then(StoredPolicy::read))
    }

    /// The policies of the table, by name.
    ///
    /// Errors: those of [`Table::query`].
    pub async fn policies(&self) -> Result<Vec<StoredPolicy>, Error> {
        Ok(self.query(STANDING).await?.into_iter().filter_map(StoredPolicy::read).collect())
    }

    /// Puts a policy into the table, in the place of what was read of it. `false`: somebody changed it meanwhile.
    ///
    /// Errors: those of [`Table::put`].
    pub async fn apply(&self, name: &str, text: &str, before: Option<&StoredPolicy>, by: &str) -> Result<bool, Error> {
        let mut item =
            before.map_or_else(|| Item::new(STANDING, &format!("{POLICY}{name}")), |stored| stored.item.clone());
        item.set_text("text", Some(text));
        item.set_flag("deleting", false);
        self.put_by(item, by).await
    }

    /// Marks a policy as being deleted. `false`: somebody changed it meanwhile.
    ///
    /// Errors: those of [`Table::put`].
    pub async fn mark_deleted(&self, stored: &StoredPolicy, by: &str) -> Result<bool, Error> {
        let mut item = stored.item.clone();
        item.set_flag("deleting", true);
        self.put_by(item, by).await
    }

    /// Takes a policy away for good. `false`: somebody changed it meanwhile.
    ///
    /// Errors: those of [`Table::delete`].
    pub(crate) async fn forget_policy(&self, stored: &StoredPolicy) -> Result<bool, Error> {
        self.delete(&stored.item).await
    }

    async fn put_by(&self, mut item: Item, by: &str) -> Result<bool, Error> {
        item.set_number("changedAt", Some(self.clock.now()));
        item.set_text("changedBy", Some(by));
        Ok(self.put(item).await?.is_some())
    }
}
