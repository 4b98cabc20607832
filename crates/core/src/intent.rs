//! What a policy wants of one definition, spelled out: the sidecar, the edits to others, the size, the roles.
//!
//! Knows: a policy and a definition that may have its sidecar. Must not know: what is there already, and what AWS
//! says of roles and images. The same source and policy always give the same intent.

use crate::check;
use crate::definition::{Size, TaskDefinition};
use crate::digest::Digest;
use crate::edit::{Edit, Path};
use crate::eligible::{Eligible, can_reach_sidecar};
use crate::ids::{AccountId, Region, RoleRef};
use crate::image::PrivateImage;
use crate::json::{Document, quote};
use crate::keys::{container, nested, task};
use crate::logging;
use crate::normalize::canonical_json;
use crate::observed::{LogGroup, Permission};
use crate::policy::{Capacity, Ceiling, Dependency, Logging, Policy};
use crate::reason::Reason;
use crate::receipt;
use crate::refusal::Refusal;
use crate::size::FargateSize;
use serde_json::{Map, Value, json};

/// MiB that are left free where a mapping has a name: Service Connect then adds a proxy at task start, and AWS asks
/// for at least this much for it.
const SERVICE_CONNECT_HEADROOM: u64 = 64;

/// Where the definition will run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) account: &'a AccountId,
    pub(crate) region: &'a Region,
}

/// What the definition will find there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) place: Place<'a>,
    /// The sidecar's image as it is referred to.
    pub(crate) image: &'a PrivateImage,
    /// Whether the execution role may make the log group.
    pub(crate) may_create_log_group: Permission,
}

/// What a policy wants of one definition.
#[derive(Debug, Clone)]
pub(crate) struct Intent {
    /// Fingerprint of what is wanted, whatever account and cache it is for.
    pub(crate) digest: Digest,
    /// The edits that bring it about; the first adds the sidecar, still without its receipt.
    pub(crate) edits: Vec<Edit>,
    /// The roles that the result has.
    pub(crate) roles: Roles,
    /// The log group that the sidecar logs to, if it is to be looked at.
    pub(crate) log_group: Option<LogGroup>,
}

/// The roles of the result, if it has any.
#[derive(Debug, Clone, Default)]
pub(crate) struct Roles {
    pub(crate) task: Option<RoleRef>,
    pub(crate) execution: Option<RoleRef>,
}

/// Spells out what the policy wants of an eligible definition.
pub(crate) fn intent(
    source: &TaskDefinition,
    policy: &Policy,
    eligible: &Eligible,
    site: &Site<'_>,
) -> Result<Intent, Refusal> {
    let room = room(source, policy, eligible)?;
    let sidecar =
        |may_create, fill: &dyn Fn(&Value) -> Value| sidecar(source, policy, eligible, may_create, fill, &room);
    let mut wanted = application(source, policy, eligible, site.place);
    wanted.extend(room.edits.iter().cloned());

    // Account, Region, registry and what a role may are beside the digest: elsewhere the same is wanted. So is the log
    // configuration that is taken over from the app: in a template it may hold what only CloudFormation will know.
    let mut anywhere = sidecar(Permission::NotChecked, &Value::clone);
    anywhere.insert(container::IMAGE.to_owned(), policy.spec.image.upstream.clone().into());
    if let (Logging::Inherit, Some(logs)) = (&policy.spec.logging, anywhere.get_mut(container::LOG_CONFIGURATION)) {
        *logs = receipt::INHERITED.into();
    }
    let others: Vec<Value> = wanted.iter().map(|edit| json!([edit.path.to_string(), edit.after])).collect();
    let fingerprint = json!({ "policy": policy.name(), "container": anywhere, "others": others }).to_string();
    let fingerprint = Document::parse(fingerprint).expect("made of JSON");
    let digest = Digest::of(&canonical_json(fingerprint.root()));

    let mut sidecar = sidecar(site.may_create_log_group, &|value| filled(value, policy, site.place));
    sidecar.insert(container::IMAGE.to_owned(), site.image.to_string().into());
    let log_group = sidecar.get(container::LOG_CONFIGURATION).and_then(|logs| logging::group(logs, site.place.region));
    let mut edits = vec![Edit {
        path: Path::member(task::CONTAINER_DEFINITIONS).item(policy.container_name()),
        before: None,
        after: Some(Value::Object(sidecar).to_string()),
        reason: format!("policy {} adds this container", policy.name()),
    }];
    edits.extend(wanted);
    let (roles, role_edits) = roles(source, policy, eligible)?;
    edits.extend(role_edits);
    let taken = edits.iter().find(|edit| edit.before.is_none() && edit.path.find(source.root()).is_some());
    if let Some(edit) = taken {
        let message = format!("{} holds another value than would be injected", edit.path);
        return Err(Refusal::new(Reason::UserEdited, message));
    }
    Ok(Intent { digest, edits, roles, log_group })
}

/// Fills in what stands for the place in a policy's text.
fn fill(text: &str, policy: &Policy, place: Place<'_>) -> String {
    if !text.contains("${") {
        return text.to_owned();
    }
    let partition = place.region.partition();
    text.replace("${region}", place.region.as_str())
        .replace("${account}", place.account.as_str())
        .replace("${partition}", partition.name)
        .replace("${dnsSuffix}", partition.dns_suffix)
        .replace("${sidecar}", policy.container_name())
}

/// [`fill`] for every string in a value.
fn filled(value: &Value, policy: &Policy, place: Place<'_>) -> Value {
    match value {
        Value::String(text) => fill(text, policy, place).into(),
        Value::Array(items) => items.iter().map(|item| filled(item, policy, place)).collect(),
        Value::Object(members) => {
            members.iter().map(|(key, member)| (key.clone(), filled(member, policy, place))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// The log group that the sidecar would log to, if it does so in that Region.
pub(crate) fn log_group(
    source: &TaskDefinition,
    policy: &Policy,
    eligible: &Eligible,
    place: Place<'_>,
) -> Option<LogGroup> {
    let fill = |value: &Value| filled(value, policy, place);
    let configuration = logging::configuration(source, policy, &eligible.made_for, Permission::NotChecked, fill)?;
    logging::group(&configuration, place.region)
}

/// Managed policies with the partition and account filled in.
pub(crate) fn policy_arns(arns: &[String], policy: &Policy, place: Place<'_>) -> Vec<String> {
    arns.iter().map(|arn| fill(arn, policy, place)).collect()
}

/// What the task's size leaves for the sidecar.
struct Room {
    /// CPU units of the sidecar, if they fit.
    cpu: Option<u64>,
    /// Whether the sidecar's memory is reserved.
    reserve: bool,
    /// A larger size, where the policy lets the task grow.
    edits: Vec<Edit>,
}

fn number(policy: &Policy, key: &str) -> Option<u64> {
    policy.spec.container.get(key).and_then(Value::as_u64)
}

fn room(source: &TaskDefinition, policy: &Policy, eligible: &Eligible) -> Result<Room, Refusal> {
    let (reserve, grown) = memory_room(source, policy, eligible)?;
    let cpu = grown.map_or(source.cpu(), |size| Size::Known(size.cpu));
    let used = source.containers().filter_map(|app| app.number(container::CPU)).fold(0, i64::saturating_add);
    let wanted = number(policy, container::CPU);
    // A share of the CPU is a convenience; a definition must never be refused for it.
    let cpu = wanted.filter(|wanted| match cpu {
        Size::Absent => true,
        Size::Known(task) => u64::try_from(used).is_ok_and(|used| used.saturating_add(*wanted) <= task),
        Size::Unreadable => false,
    });
    let mut edits = Vec::new();
    if let Some(size) = grown {
        let resize = |key: &str, to: u64| Edit {
            path: Path::member(key),
            before: source.root().get(key).map(|value| value.raw().to_owned()),
            after: Some(quote(&to.to_string())),
            reason: format!(
                "policy {} lets the task grow to the next Fargate size with room for the sidecar",
                policy.name()
            ),
        };
        edits.push(resize(task::MEMORY, size.memory));
        if source.cpu().known() != Some(size.cpu) {
            edits.push(resize(task::CPU, size.cpu));
        }
    }
    Ok(Room { cpu, reserve, edits })
}

/// Whether the sidecar's memory is reserved, and the size that the task has to grow to for it.
fn memory_room(
    source: &TaskDefinition,
    policy: &Policy,
    eligible: &Eligible,
) -> Result<(bool, Option<FargateSize>), Refusal> {
    let memory = match source.memory() {
        // Without a size of the task, ECS wants a reservation of every container.
        Size::Absent => return Ok((true, None)),
        Size::Unreadable => return Err(Reason::UnreadableSize.into()),
        Size::Known(memory) => memory,
    };
    let wanted = number(policy, container::MEMORY_RESERVATION).or(number(policy, container::MEMORY)).unwrap_or(0);
    let reserved = source
        .containers()
        .filter_map(|app| {
            app.number(container::MEMORY_RESERVATION).filter(|mib| *mib > 0).or(app.number(container::MEMORY))
        })
        .filter_map(|mib| u64::try_from(mib).ok())
        .fold(0, u64::saturating_add);
    let named = source.containers().any(|app| {
        app.items(container::PORT_MAPPINGS).any(|mapping| {
            mapping.get(nested::NAME).and_then(|name| name.as_str()).is_some_and(|name| !name.is_empty())
        })
    });
    let headroom = if named { SERVICE_CONNECT_HEADROOM } else { 0 };
    let needed = reserved.saturating_add(wanted).saturating_add(headroom);
    if needed <= memory {
        return Ok((true, None));
    }
    let message = format!(
        "the task has {memory} MiB, of which {reserved} are reserved; the sidecar needs {wanted}{}",
        if named { format!(" and Service Connect {headroom}") } else { String::new() }
    );
    match policy.spec.capacity {
        Capacity::Never => Ok((false, None)),
        Capacity::Grow(ceiling) if eligible.made_for.is_fargate_only() => {
            grow(source, memory, needed, ceiling).map(|size| (true, Some(size))).ok_or_else(|| {
                let message = format!("{message}; the ceiling is {} CPU units and {} MiB", ceiling.cpu, ceiling.memory);
                Refusal::new(Reason::CeilingReached, message)
            })
        }
        Capacity::Fit | Capacity::Grow(_) => Err(Refusal::new(Reason::MemoryTooSmall, message)),
    }
}

fn grow(source: &TaskDefinition, memory: u64, needed: u64, ceiling: Ceiling) -> Option<FargateSize> {
    let size = FargateSize { cpu: source.cpu().known()?, memory };
    size.at_least(needed).filter(|grown| grown.cpu <= ceiling.cpu.max(size.cpu) && grown.memory <= ceiling.memory)
}

/// The sidecar, without image and receipt.
fn sidecar(
    source: &TaskDefinition,
    policy: &Policy,
    eligible: &Eligible,
    may_create_log_group: Permission,
    fill: &dyn Fn(&Value) -> Value,
    room: &Room,
) -> Map<String, Value> {
    let mut sidecar = Map::new();
    sidecar.insert(container::NAME.to_owned(), policy.container_name().into());
    sidecar.insert(container::IMAGE.to_owned(), Value::Null); // keeps its place; filled in by the caller
    for (key, value) in &policy.spec.container {
        let kept = match key.as_str() {
            container::NAME => false,
            container::CPU => room.cpu.is_some(),
            container::MEMORY_RESERVATION => room.reserve,
            container::RESTART_POLICY => feature_allowed(source, eligible, container::RESTART_POLICY),
            _ => true,
        };
        if kept {
            sidecar.insert(key.clone(), fill(value));
        }
    }
    // ECS takes a container for essential when nothing is said.
    sidecar.entry(container::ESSENTIAL).or_insert(Value::Bool(false));
    if let Some(configuration) = logging::configuration(source, policy, &eligible.made_for, may_create_log_group, fill)
    {
        sidecar.insert(container::LOG_CONFIGURATION.to_owned(), configuration);
    }
    sidecar
}

/// Whether the sidecar may use a feature. On instances it needs an agent that knows it; only if the definition used
/// it already is it certain that it can still be placed.
fn feature_allowed(source: &TaskDefinition, eligible: &Eligible, member: &str) -> bool {
    eligible.made_for.is_fargate_only() || source.containers().any(|app| app.get(member).is_some())
}

/// What the containers get that send to the sidecar.
fn application(source: &TaskDefinition, policy: &Policy, eligible: &Eligible, place: Place<'_>) -> Vec<Edit> {
    let mut edits = Vec::new();
    let sidecar = policy.container_name();
    let waits = policy.spec.application.depends_on == Dependency::Start
        && feature_allowed(source, eligible, container::DEPENDS_ON);
    let mut names: Vec<String> = source
        .containers()
        .filter(|app| can_reach_sidecar(*app))
        .filter_map(|app| app.name().map(std::borrow::Cow::into_owned))
        .collect();
    names.sort_unstable(); // so that the order of containers does not matter
    for name in names {
        let app = || Path::member(task::CONTAINER_DEFINITIONS).item(&name);
        let add = |list: &str, item: &str, after: String, reason: &str| Edit {
            path: app().then(list).item(item),
            before: None,
            after: Some(after),
            reason: reason.to_owned(),
        };
        for variable in &policy.spec.application.environment {
            if variable.network_modes.contains(&eligible.network) {
                let value = fill(&variable.value, policy, place);
                let after = json!({ nested::NAME: variable.name, nested::VALUE: value }).to_string();
                edits.push(add(container::ENVIRONMENT, &variable.name, after, "tells the app where the sidecar is"));
            }
        }
        if eligible.network == crate::policy::NetworkModeName::Bridge {
            let reason = "in bridge mode the app reaches the sidecar by a link";
            edits.push(add(container::LINKS, sidecar, quote(sidecar), reason));
        }
        if waits {
            let after = json!({ nested::CONTAINER_NAME: sidecar, nested::CONDITION: "START" }).to_string();
            edits.push(add(container::DEPENDS_ON, sidecar, after, "the policy wants the app to wait for the sidecar"));
        }
    }
    edits
}

/// The roles of the result, and the edits that give a Fargate definition the policy's default roles.
pub(crate) fn roles(
    source: &TaskDefinition,
    policy: &Policy,
    eligible: &Eligible,
) -> Result<(Roles, Vec<Edit>), Refusal> {
    let permissions = &policy.spec.permissions;
    let mut edits = Vec::new();
    let mut default = |key: &str, role: &str| {
        let reason = format!("the definition has no role there, and policy {} has a default", policy.name());
        // An empty string is absence, as some tools write it.
        let before = source.root().get(key).map(|value| value.raw().to_owned());
        edits.push(Edit { path: Path::member(key), before, after: Some(quote(role)), reason });
        Some(RoleRef::new(role))
    };
    let fargate_only = eligible.made_for.is_fargate_only();
    let task = match (source.task_role(), permissions.default_task_role.as_deref()) {
        (Some(role), _) => Some(role),
        (None, _) if permissions.task_role.is_empty() => None,
        (None, Some(role)) if fargate_only => default(task::TASK_ROLE_ARN, role),
        // A task role would replace the identity that the app has from its instance.
        (None, _) if !fargate_only && permissions.trust_instance_role => None,
        (None, _) => return Err(Reason::NoTaskRole.into()),
    };
    let could_be_fargate = eligible.made_for.includes_fargate()
        || source.requires_compatibilities().is_empty() && check::fargate_rules_apply(source);
    let execution = match (source.execution_role(), permissions.default_execution_role.as_deref()) {
        (Some(role), _) => Some(role),
        (None, Some(role)) if fargate_only => default(task::EXECUTION_ROLE_ARN, role),
        (None, _) if could_be_fargate => return Err(Reason::NoExecutionRole.into()),
        // The instance's role pulls the image.
        (None, _) => None,
    };
    Ok((Roles { task, execution }, edits))
}
