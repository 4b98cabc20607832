//! What the environment says: every variable that the function reads, and what it may be.
//!
//! The stack sets them from its parameters. A value that cannot be right ends the function in its init phase, with a
//! message that names the variable; silently falling back to a default would do something else than was asked for.

use crate::error::Error;
use ecs_sidecar_core::bounds::{Bounds, CacheBound, LogGroupBound};
use ecs_sidecar_core::ids::{AccountId, Region, RoleRef};
use ecs_sidecar_core::image::cache_prefix;
use ecs_sidecar_core::names;
use ecs_sidecar_core::plan::{self, Asked};
use ecs_sidecar_core::policy::{Mode as PolicyMode, PRESETS, PermissionsMode, Policy};
use ecs_sidecar_core::receipt::Injector;
use ecs_sidecar_core::rollout::MaintenanceWindow;
use std::str::FromStr;

/// Whom the operator touches: `audit` (it reports and writes nothing), `optIn` (the default), `optOut`.
pub const MODE: &str = "ECS_SIDECAR_MODE";

/// The stack's own policy document, YAML or JSON. Empty: the preset `xray-daemon`. `none`: only those of the table.
pub const POLICY: &str = "ECS_SIDECAR_POLICY";

/// The stack has no policy of its own.
const NO_POLICY: &str = "none";

/// Prefix of the pull-through cache rule for ECR Public. Empty: `ecr-public`.
pub const CACHE_PREFIX: &str = "ECS_SIDECAR_CACHE_PREFIX";

/// How far the operator may go to have an image in the private registry: `observe` (it looks whether it is there),
/// `warm` (it fetches it through a rule that is there), `create` (it makes the rule as well). Empty: `observe`.
pub const CACHE: &str = "ECS_SIDECAR_CACHE";

/// The account whose private registry tasks pull from. Empty: the function's own.
pub const REGISTRY_ID: &str = "ECS_SIDECAR_REGISTRY_ID";

/// Whether a missing log group is made if the policy says so: `observe`, `create`. Empty: `observe`.
pub const LOG_GROUPS: &str = "ECS_SIDECAR_LOG_GROUPS";

/// Name of the operator's table. Empty: what functions tell each other is kept in each process alone.
pub const TABLE: &str = "ECS_SIDECAR_TABLE";

/// URL of the queue that the function is fed from, for messages that have to wait. Empty: they fail instead.
pub const QUEUE_URL: &str = "ECS_SIDECAR_QUEUE_URL";

/// URL of the queue that the sweep is fed from, by which it goes on later. Empty: it ends with its time.
pub const SWEEP_QUEUE_URL: &str = "ECS_SIDECAR_SWEEP_QUEUE_URL";

/// How much of ECS's buckets a sweep may use, in percent: of one registration and of 20 reads a second. Empty: 50.
pub const SWEEP_SHARE: &str = "ECS_SIDECAR_SWEEP_SHARE";

/// Whether services that pin a patched revision's source are moved: `true`, `false`. Empty: no.
pub const ROLLOUT_SERVICES: &str = "ECS_SIDECAR_ROLLOUT_SERVICES";

/// How many services are moved at once, 1 to 100. Empty: 5.
pub const ROLLOUT_AT_ONCE: &str = "ECS_SIDECAR_ROLLOUT_AT_ONCE";

/// When services are moved, in UTC, such as `22:00-04:00` or `Sat:22:00-Mon:04:00`, several separated by commas. Empty:
/// always.
pub const ROLLOUT_WINDOW: &str = "ECS_SIDECAR_ROLLOUT_WINDOW";

/// Name of the event bus that changes of families are told to. Empty: nobody is told.
pub const EVENT_BUS: &str = "ECS_SIDECAR_EVENT_BUS";

/// Name of the stack, by which metrics are told apart. Empty: `ecs-sidecar`.
pub const STACK: &str = "ECS_SIDECAR_STACK";

/// Whether missing policies are attached to roles (`attach`) or only named (`verify`). Empty: as the policy says.
pub const PERMISSIONS: &str = "ECS_SIDECAR_PERMISSIONS";

/// ARN of the stack's managed policy for the sidecar's repository, which execution roles get. Empty: none.
pub const EXECUTION_POLICY_ARN: &str = "ECS_SIDECAR_EXECUTION_POLICY_ARN";

/// ARNs of the managed policies that a policy may ask for, separated by commas.
pub const ALLOWED_POLICY_ARNS: &str = "ECS_SIDECAR_ALLOWED_POLICY_ARNS";

/// Globs of the roles that the operator may pass and grant to, by path and name as in `app/*`, separated by commas.
pub const ALLOWED_ROLES: &str = "ECS_SIDECAR_ALLOWED_ROLES";

/// Globs of the upstream images that a policy may name, without tag, separated by commas.
pub const ALLOWED_UPSTREAMS: &str = "ECS_SIDECAR_ALLOWED_UPSTREAMS";

/// Task role for Fargate definitions without one. Empty: as the policy says.
pub const DEFAULT_TASK_ROLE_ARN: &str = "ECS_SIDECAR_DEFAULT_TASK_ROLE_ARN";

/// Execution role for Fargate definitions without one. Empty: as the policy says.
pub const DEFAULT_EXECUTION_ROLE_ARN: &str = "ECS_SIDECAR_DEFAULT_EXECUTION_ROLE_ARN";

/// Whether the instance's role will do where an EC2 definition has no task role: `true`, `false`. Empty: as the
/// policy says.
pub const TRUST_INSTANCE_ROLE: &str = "ECS_SIDECAR_TRUST_INSTANCE_ROLE";

/// ARN of the operator's own role. Events that it caused are dropped; only what it registered is ever deregistered.
pub const ROLE_ARN: &str = "ECS_SIDECAR_ROLE_ARN";

/// The account that the function runs in.
pub const ACCOUNT_ID: &str = "ECS_SIDECAR_ACCOUNT_ID";

/// URL of the queue for messages that cannot be understood. Empty: they fail, and SQS moves them after some attempts.
pub const DEAD_LETTER_QUEUE_URL: &str = "ECS_SIDECAR_DEAD_LETTER_QUEUE_URL";

/// Further members that ECS returns but does not take, separated by commas; see the reason `fieldRefused`.
pub const DROP_MEMBERS: &str = "ECS_SIDECAR_DROP_MEMBERS";

/// What is logged: `error`, `warn`, `info` (the default), `debug`, `trace`, in any case.
pub const LOG: &str = "ECS_SIDECAR_LOG";

/// The Region that the function runs in; Lambda sets it.
pub const REGION: &str = "AWS_REGION";

/// Whether anything may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// Plans are acted on.
    Allowed,
    /// Plans are reported only.
    Forbidden,
}

/// What is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// What failed.
    Error,
    /// And what is odd.
    Warn,
    /// And a line for each reconcile.
    Info,
    /// And each decision on the way.
    Debug,
    /// The same as debug so far. Never what the AWS SDK logs: definitions could be in it.
    Trace,
}

/// What the stack says in the place of every policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    permissions: Option<PermissionsMode>,
    trust_instance_role: Option<bool>,
    default_task_role: Option<String>,
    default_execution_role: Option<String>,
}

/// How services are moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceMoves {
    /// How many at once.
    pub at_once: usize,
    /// When.
    pub window: MaintenanceWindow,
}

/// The environment, understood.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How definitions are looked at.
    pub plan: plan::Settings,
    /// The document of the stack's own policy as somebody wrote it; `None`: the stack has none.
    pub own_document: Option<String>,
    /// What the stack says in the place of every policy; those of `plan` have it already.
    pub overrides: Overrides,
    /// Whether anything may be written.
    pub writes: Writes,
    /// Our account.
    pub account: AccountId,
    /// Our Region.
    pub region: Region,
    /// The account whose private registry tasks pull from.
    pub registry: AccountId,
    /// Prefix of the cache rule.
    pub cache_prefix: String,
    /// The operator's own role.
    pub role: RoleRef,
    /// Name of the operator's table.
    pub table: Option<String>,
    /// URL of the queue that the function is fed from.
    pub queue: Option<String>,
    /// URL of the queue that the sweep is fed from.
    pub sweep_queue: Option<String>,
    /// How much of ECS's buckets the operator uses for sweeps, in percent.
    pub sweep_share: u32,
    /// How services are moved; `None`: they are not.
    pub rollout: Option<ServiceMoves>,
    /// Name of the event bus for the operator's own events.
    pub event_bus: Option<String>,
    /// Name of the stack.
    pub stack: String,
    /// URL of the queue for messages that nobody understands.
    pub dead_letter_queue: Option<String>,
    /// Further read-only members of a definition.
    pub read_only_members: Vec<String>,
    /// What is logged.
    pub log: LogLevel,
}

impl Settings {
    /// Reads variables through `lookup`; an empty one is as good as absent.
    ///
    /// Errors: [`Error::Setting`] and [`Error::Policy`], which name the variable and what it may be.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let get = |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let list = |name| {
            let items = get(name).unwrap_or_default();
            items.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect::<Vec<_>>()
        };
        let (writes, mode) = parse(MODE, get(MODE), "audit, optIn, optOut", |text| match text {
            // To show what could happen to a whole account, nobody has to ask first.
            "audit" => Some((Writes::Forbidden, Some(PolicyMode::OptOut))),
            "optIn" => Some((Writes::Allowed, Some(PolicyMode::OptIn))),
            "optOut" => Some((Writes::Allowed, Some(PolicyMode::OptOut))),
            _ => None,
        })?
        .unwrap_or((Writes::Allowed, None));
        let own_document = own_document(get(POLICY));
        let own = own_document.as_deref().map(Policy::parse).transpose();
        let mut policies: Vec<Policy> =
            own.map_err(|source| Error::Policy { name: POLICY, source })?.into_iter().collect();
        let overrides = Overrides::read(&get)?;
        for policy in &mut policies {
            policy.spec.mode = mode.unwrap_or(policy.spec.mode);
            overrides.apply(policy);
        }
        let plan = plan::Settings {
            policies,
            deleted: std::collections::BTreeSet::new(),
            bounds: Bounds {
                upstreams: list(ALLOWED_UPSTREAMS),
                policy_arns: list(ALLOWED_POLICY_ARNS),
                roles: list(ALLOWED_ROLES),
                cache: parse(CACHE, get(CACHE), "observe, warm, create", cache_bound)?.unwrap_or(CacheBound::Observe),
                log_groups: parse(LOG_GROUPS, get(LOG_GROUPS), "observe, create", log_group_bound)?
                    .unwrap_or(LogGroupBound::Observe),
            },
            asked: Asked::Standing,
            injector: Injector::Operator,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            execution_policy_arn: get(EXECUTION_POLICY_ARN),
        };
        let account: AccountId = required(ACCOUNT_ID, get(ACCOUNT_ID), ACCOUNT, from_str)?;
        Ok(Self {
            plan,
            own_document,
            overrides,
            writes,
            registry: parse(REGISTRY_ID, get(REGISTRY_ID), ACCOUNT, from_str)?.unwrap_or_else(|| account.clone()),
            account,
            region: required(REGION, get(REGION), "a Region such as eu-central-1", from_str)?,
            cache_prefix: parse(CACHE_PREFIX, get(CACHE_PREFIX), PREFIX, |text| cache_prefix(text).ok())?
                .unwrap_or_else(|| names::DEFAULT_CACHE_PREFIX.to_owned()),
            table: get(TABLE),
            queue: get(QUEUE_URL),
            sweep_queue: get(SWEEP_QUEUE_URL),
            sweep_share: parse(SWEEP_SHARE, get(SWEEP_SHARE), "1 to 100000 percent", |text| {
                text.parse().ok().filter(|share| (1..=100_000).contains(share))
            })?
            .unwrap_or(50),
            rollout: rollout(&get)?,
            event_bus: get(EVENT_BUS),
            stack: get(STACK).unwrap_or_else(|| names::OPERATOR.to_owned()),
            role: required(ROLE_ARN, get(ROLE_ARN), ROLE, role)?,
            dead_letter_queue: get(DEAD_LETTER_QUEUE_URL),
            read_only_members: list(DROP_MEMBERS),
            log: parse(LOG, get(LOG), "error, warn, info, debug, trace", log_level)?.unwrap_or(LogLevel::Info),
        })
    }
}

const ROLE: &str = "the ARN of a role";
const ACCOUNT: &str = "an account id of twelve digits";
const PREFIX: &str = "2 to 30 characters of a lower-case path such as ecr-public, or ROOT";

/// What nobody has said anything about is the first of the presets.
fn own_document(text: Option<String>) -> Option<String> {
    match text {
        Some(text) => Some(text).filter(|text| text != NO_POLICY),
        None => Some(PRESETS[0].1.to_owned()),
    }
}

fn rollout(get: &impl Fn(&str) -> Option<String>) -> Result<Option<ServiceMoves>, Error> {
    let on = parse(ROLLOUT_SERVICES, get(ROLLOUT_SERVICES), "true, false", from_str::<bool>)?;
    let at_once = parse(ROLLOUT_AT_ONCE, get(ROLLOUT_AT_ONCE), "1 to 100", |text| {
        text.parse().ok().filter(|at_once| (1..=100).contains(at_once))
    })?;
    let window =
        parse(ROLLOUT_WINDOW, get(ROLLOUT_WINDOW), "spans such as 22:00-04:00, Sat:22:00-Mon:04:00", from_str)?;
    let moves = ServiceMoves { at_once: at_once.unwrap_or(5), window: window.unwrap_or_default() };
    Ok(on.unwrap_or(false).then_some(moves))
}

impl Overrides {
    fn read(get: &impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let arn = |name| parse(name, get(name), ROLE, |text| role(text).map(|_| text.to_owned()));
        Ok(Self {
            permissions: parse(PERMISSIONS, get(PERMISSIONS), "attach, verify", |text| match text {
                "attach" => Some(PermissionsMode::Attach),
                "verify" => Some(PermissionsMode::Verify),
                _ => None,
            })?,
            trust_instance_role: parse(TRUST_INSTANCE_ROLE, get(TRUST_INSTANCE_ROLE), "true, false", |text| {
                text.parse().ok()
            })?,
            default_task_role: arn(DEFAULT_TASK_ROLE_ARN)?,
            default_execution_role: arn(DEFAULT_EXECUTION_ROLE_ARN)?,
        })
    }

    /// Has a policy say what the stack says.
    pub(crate) fn apply(&self, policy: &mut Policy) {
        let permissions = &mut policy.spec.permissions;
        permissions.mode = self.permissions.unwrap_or(permissions.mode);
        permissions.trust_instance_role = self.trust_instance_role.unwrap_or(permissions.trust_instance_role);
        let or = |ours: &Option<String>, theirs: &mut Option<String>| *theirs = ours.clone().or(theirs.take());
        or(&self.default_task_role, &mut permissions.default_task_role);
        or(&self.default_execution_role, &mut permissions.default_execution_role);
    }
}

fn role(text: &str) -> Option<RoleRef> {
    Some(RoleRef::new(text)).filter(RoleRef::is_arn)
}

fn from_str<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn cache_bound(text: &str) -> Option<CacheBound> {
    match text {
        "observe" => Some(CacheBound::Observe),
        "warm" => Some(CacheBound::Warm),
        "create" => Some(CacheBound::Create),
        _ => None,
    }
}

fn log_group_bound(text: &str) -> Option<LogGroupBound> {
    match text {
        "observe" => Some(LogGroupBound::Observe),
        "create" => Some(LogGroupBound::Create),
        _ => None,
    }
}

fn log_level(text: &str) -> Option<LogLevel> {
    match text.to_ascii_lowercase().as_str() {
        "error" => Some(LogLevel::Error),
        "warn" => Some(LogLevel::Warn),
        "info" => Some(LogLevel::Info),
        "debug" => Some(LogLevel::Debug),
        "trace" => Some(LogLevel::Trace),
        _ => None,
    }
}

fn parse<T>(
    name: &'static str,
    value: Option<String>,
    allowed: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Error> {
    let Some(value) = value else { return Ok(None) };
    match read(&value) {
        Some(parsed) => Ok(Some(parsed)),
        None => Err(Error::Setting { name, value, allowed }),
    }
}

fn required<T>(
    name: &'static str,
    value: Option<String>,
    allowed: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T, Error> {
    parse(name, value, allowed, read)?.ok_or(Error::Setting { name, value: String::new(), allowed })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: [(&str, &str); 3] = [
        (ACCOUNT_ID, "111122223333"),
        (REGION, "eu-west-1"),
        (ROLE_ARN, "arn:aws:iam::111122223333:role/stack/operator"),
    ];

    fn read(more: &[(&str, &str)]) -> Result<Settings, Error> {
        Settings::read(|name| {
            let found = more.iter().chain(&LEAST).find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_least_is_account_region_and_role() {
        let settings = read(&[]).expect("settings");
        assert_eq!(settings.plan.policies[0].name(), "xray-daemon");
        assert_eq!((settings.writes, settings.cache_prefix.as_str()), (Writes::Allowed, "ecr-public"));
        assert!(settings.plan.bounds.roles.is_empty(), "nothing is allowed that the stack does not list");
        for (name, _) in LEAST {
            let error = read(&[(name, " ")]).expect_err(name).to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn the_stack_overrides_the_policy_where_it_says_something() {
        let role = "arn:aws:iam::111122223333:role/task";
        let more =
            [(MODE, "optOut"), (PERMISSIONS, "verify"), (DEFAULT_TASK_ROLE_ARN, role), (TRUST_INSTANCE_ROLE, "true")];
        let spec = &read(&more).expect("settings").plan.policies[0].spec;
        assert_eq!((spec.mode, spec.permissions.mode), (PolicyMode::OptOut, PermissionsMode::Verify));
        assert_eq!(spec.permissions.default_task_role.as_deref(), Some(role));
        assert!(spec.permissions.trust_instance_role && spec.permissions.default_execution_role.is_none());
        assert_eq!(read(&[(MODE, "audit")]).expect("settings").writes, Writes::Forbidden);
    }

    #[test]
    fn lists_are_separated_by_commas() {
        let settings = read(&[(ALLOWED_ROLES, "app/*, web-?,"), (DROP_MEMBERS, "newField")]).expect("settings");
        assert_eq!(settings.plan.bounds.roles, ["app/*", "web-?"]);
        assert_eq!(settings.read_only_members, ["newField"]);
    }

    #[test]
    fn a_bad_value_names_the_variable_and_what_is_allowed() {
        for (name, value) in [
            (MODE, "optin"),
            (PERMISSIONS, "no"),
            (TRUST_INSTANCE_ROLE, "yes"),
            (LOG, "loud"),
            (ROLLOUT_SERVICES, "on"),
            (ROLLOUT_AT_ONCE, "0"),
            (ROLLOUT_WINDOW, "at night"),
            (CACHE, "fill"),
            (CACHE_PREFIX, "Bad/"),
            (REGISTRY_ID, "me"),
            (LOG_GROUPS, "yes"),
            (DEFAULT_EXECUTION_ROLE_ARN, "role"),
            (ROLE_ARN, "operator"),
            (POLICY, "kind: Deployment"),
        ] {
            let error = read(&[(name, value)]).expect_err(name);
            let text = crate::error::Chain(&error).to_string();
            assert!(text.contains(name) && !error.is_retryable(), "{text}");
        }
    }
}
