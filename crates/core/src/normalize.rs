//! ECS's normalisation: one text for all spellings of a definition that ECS stores as the same.
//!
//! Knows: the defaults that ECS fills in, absence in all its spellings, and which lists have no order. Must not know:
//! policies. Every law about definitions compares these texts. Numbers stay as they are written, so that two
//! different numbers never become equal, and a member that is unknown here is kept as it is.

use crate::definition::{NetworkMode, TaskDefinition};
use crate::json::{Document, JsonType, Value, quote};
use crate::keys::{container, nested, task};
use crate::size;
use std::borrow::Cow;

/// Canonical JSON of the definition as ECS would describe it, without tags: sorted keys, no white space. Equal for
/// two definitions that ECS would store as the same.
pub fn canonical(definition: &TaskDefinition) -> String {
    let mut out = String::with_capacity(definition.text().len());
    let writer = Writer { mode: definition.network_mode() };
    writer.object(definition.root(), &TASK, &[task::TAGS], &mut out);
    out
}

/// One container in the same way. What a port mapping's defaults are depends on the network mode.
pub fn canonical_container(container: Value<'_>, mode: NetworkMode) -> String {
    let mut out = String::with_capacity(container.raw().len());
    Writer { mode }.object(container, &CONTAINER, &[], &mut out);
    out
}

/// Canonical JSON without any knowledge of ECS: sorted keys, no white space, one spelling of every string.
pub fn canonical_json(value: Value<'_>) -> String {
    let mut out = String::with_capacity(value.raw().len());
    write_json(value, &mut out);
    out
}

/// How a known member is written. What has no entry in a table is written as it is.
enum Form {
    /// Absent if it equals this, as JSON is written.
    Unless(&'static str),
    /// A number that is absent if it equals this.
    UnlessNumber(i64),
    /// Absent if it is an empty string or equals this one.
    UnlessEmptyOr(&'static str),
    /// A size of the task: one spelling, in units.
    Size(fn(&str) -> Option<u64>),
    /// Absent where the network mode fixes it.
    HostPort,
    /// The user's own keys.
    Map,
    /// Absent if nothing is left of it.
    Object(&'static [(&'static str, Self)]),
    /// A list of plain values.
    Values(Order),
    /// A list of objects.
    Objects(Order, &'static [(&'static str, Self)]),
}

/// What the order of a list means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Something: it is kept.
    Kept,
    /// Nothing.
    Free,
    /// Nothing but between items of one name, where the last may win.
    FreeByName,
}

use Form::{HostPort, Map, Object, Objects, Size, Unless, UnlessEmptyOr, UnlessNumber, Values};
use Order::{Free, FreeByName, Kept};

type Table = [(&'static str, Form)];

const FALSE: Form = Unless("false");
const OPTIONAL: Form = UnlessEmptyOr("");

static TASK: [(&str, Form); 15] = [
    (task::CONTAINER_DEFINITIONS, Objects(FreeByName, &CONTAINER)),
    (task::VOLUMES, Objects(FreeByName, &VOLUME)),
    (task::CPU, Size(size::parse_cpu)),
    (task::MEMORY, Size(size::parse_memory)),
    (task::NETWORK_MODE, UnlessEmptyOr("bridge")),
    (task::REQUIRES_COMPATIBILITIES, Values(Free)),
    (task::PLACEMENT_CONSTRAINTS, Objects(Free, &[])),
    (task::TASK_ROLE_ARN, OPTIONAL),
    (task::EXECUTION_ROLE_ARN, OPTIONAL),
    (task::PID_MODE, OPTIONAL),
    (task::IPC_MODE, OPTIONAL),
    (task::PROXY_CONFIGURATION, Object(&[(nested::PROPERTIES, Objects(FreeByName, &[]))])),
    (task::INFERENCE_ACCELERATORS, Objects(Free, &[])),
    (task::RUNTIME_PLATFORM, Object(&[])),
    (task::ENABLE_FAULT_INJECTION, FALSE),
];

static CONTAINER: [(&str, Form); 33] = [
    (container::CPU, UnlessNumber(0)),
    (container::ESSENTIAL, Unless("true")),
    (container::PORT_MAPPINGS, Objects(Free, &PORT_MAPPING)),
    (container::ENVIRONMENT, Objects(FreeByName, &[])),
    // "If multiple environment files are specified, they're processed from the top down."
    (container::ENVIRONMENT_FILES, Objects(Kept, &[])),
    (container::SECRETS, Objects(FreeByName, &[])),
    (container::MOUNT_POINTS, Objects(Free, &[(nested::READ_ONLY, FALSE)])),
    (container::VOLUMES_FROM, Objects(Free, &[(nested::READ_ONLY, FALSE)])),
    (container::DEPENDS_ON, Objects(Free, &[])),
    (container::LINKS, Values(Free)),
    (container::ULIMITS, Objects(Free, &[])),
    (container::SYSTEM_CONTROLS, Objects(Free, &[])),
    (container::EXTRA_HOSTS, Objects(Free, &[])),
    (container::RESOURCE_REQUIREMENTS, Objects(Free, &[])),
    (container::COMMAND, Values(Kept)),
    (container::ENTRY_POINT, Values(Kept)),
    // A resolver asks them in turn.
    (container::DNS_SERVERS, Values(Kept)),
    (container::DNS_SEARCH_DOMAINS, Values(Kept)),
    (container::DOCKER_SECURITY_OPTIONS, Values(Free)),
    (container::CREDENTIAL_SPECS, Values(Kept)),
    (container::DOCKER_LABELS, Map),
    (container::LOG_CONFIGURATION, Object(&LOG_CONFIGURATION)),
    (container::FIRELENS_CONFIGURATION, Object(&[(nested::OPTIONS, Map)])),
    (container::HEALTH_CHECK, Object(&HEALTH_CHECK)),
    (container::RESTART_POLICY, Object(&RESTART_POLICY)),
    (container::LINUX_PARAMETERS, Object(&LINUX_PARAMETERS)),
    (container::REPOSITORY_CREDENTIALS, Object(&[])),
    (container::VERSION_CONSISTENCY, Unless("\"enabled\"")),
    (container::DISABLE_NETWORKING, FALSE),
    (container::PRIVILEGED, FALSE),
    (container::READONLY_ROOT_FILESYSTEM, FALSE),
    (container::INTERACTIVE, FALSE),
    (container::PSEUDO_TERMINAL, FALSE),
];

const PORT_MAPPING: [(&str, Form); 2] = [(nested::PROTOCOL, Unless("\"tcp\"")), (nested::HOST_PORT, HostPort)];

const LOG_CONFIGURATION: [(&str, Form); 2] =
    [(nested::OPTIONS, Map), (nested::SECRET_OPTIONS, Objects(FreeByName, &[]))];

const HEALTH_CHECK: [(&str, Form); 4] = [
    (nested::COMMAND, Values(Kept)),
    (nested::INTERVAL, UnlessNumber(30)),
    (nested::TIMEOUT, UnlessNumber(5)),
    (nested::RETRIES, UnlessNumber(3)),
];

/// `enabled` is required and stays, also when it is false.
const RESTART_POLICY: [(&str, Form); 2] =
    [(nested::IGNORED_EXIT_CODES, Values(Free)), (nested::RESTART_ATTEMPT_PERIOD, UnlessNumber(300))];

const LINUX_PARAMETERS: [(&str, Form); 4] = [
    (nested::CAPABILITIES, Object(&[(nested::ADD, Values(Free)), (nested::DROP, Values(Free))])),
    (nested::DEVICES, Objects(Free, &[(nested::PERMISSIONS, Values(Free))])),
    (nested::TMPFS, Objects(Free, &[(nested::MOUNT_OPTIONS, Values(Kept))])),
    (nested::INIT_PROCESS_ENABLED, FALSE),
];

/// `"host": {}` is what ECS makes of a volume with a name only.
static VOLUME: [(&str, Form); 6] = [
    (nested::HOST, Object(&[(nested::SOURCE_PATH, OPTIONAL)])),
    (nested::CONFIGURED_AT_LAUNCH, FALSE),
    (
        nested::DOCKER_VOLUME_CONFIGURATION,
        Object(&[(nested::AUTOPROVISION, FALSE), (nested::DRIVER_OPTS, Map), (nested::LABELS, Map)]),
    ),
    (nested::EFS_VOLUME_CONFIGURATION, Object(&EFS_VOLUME)),
    (nested::S3_FILES_VOLUME_CONFIGURATION, Object(&[(nested::ROOT_DIRECTORY, Unless("\"/\""))])),
    (nested::FSX_VOLUME_CONFIGURATION, Object(&[(nested::AUTHORIZATION_CONFIG, Object(&[]))])),
];

const EFS_VOLUME: [(&str, Form); 3] = [
    (nested::ROOT_DIRECTORY, Unless("\"/\"")),
    (nested::TRANSIT_ENCRYPTION, Unless("\"DISABLED\"")),
    (nested::AUTHORIZATION_CONFIG, Object(&[(nested::IAM, Unless("\"DISABLED\""))])),
];

struct Writer {
    mode: NetworkMode,
}

impl Writer {
    /// Writes an object of a known shape and answers whether anything is in it. A value of another type is written
    /// as it is.
    fn object(&self, object: Value<'_>, table: &Table, without: &[&str], out: &mut String) -> bool {
        if object.json_type() != JsonType::Object {
            write_json(object, out);
            return true;
        }
        let mut members: Vec<_> =
            object.members().filter(|(key, value)| !value.is_null() && !without.contains(&&**key)).collect();
        members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        out.push('{');
        let empty = out.len();
        for (key, value) in members {
            let before = out.len();
            if before > empty {
                out.push(',');
            }
            write_key(&key, out);
            let form = table.iter().find(|(name, _)| *name == key).map(|(_, form)| form);
            let written = match form {
                Some(form) => self.known(value, object, form, out),
                None => {
                    write_json(value, out);
                    true
                }
            };
            if !written {
                out.truncate(before);
            }
        }
        out.push('}');
        out.len() > empty + 1
    }

    /// Writes a known member, or answers that it is absent; what was written then is to be forgotten.
    fn known(&self, value: Value<'_>, parent: Value<'_>, form: &Form, out: &mut String) -> bool {
        match form {
            Unless(default) => {
                let start = out.len();
                write_json(value, out) && out[start..] != **default
            }
            UnlessNumber(default) => value.as_i64() != Some(*default) && write_json(value, out),
            UnlessEmptyOr(default) => {
                let is_default = value.as_str().is_some_and(|text| text.is_empty() || text == *default);
                !is_default && write_json(value, out)
            }
            Size(parse) => write_size(value, *parse, out),
            HostPort => !self.is_default_host_port(value, parent) && write_json(value, out),
            Map => self.object(value, &[], &[], out),
            Object(table) => self.object(value, table, &[], out),
            Values(order) => list(value, *order, out, |item, out| {
                write_json(item, out);
            }),
            Objects(order, table) => list(value, *order, out, |item, out| {
                self.object(item, table, &[], out);
            }),
        }
    }

    fn is_default_host_port(&self, port: Value<'_>, mapping: Value<'_>) -> bool {
        let Some(port) = port.as_i64() else {
            return false;
        };
        match self.mode {
            NetworkMode::AwsVpc | NetworkMode::Host => {
                mapping.get(nested::CONTAINER_PORT).and_then(Value::as_i64) == Some(port)
            }
            NetworkMode::Bridge => port == 0,
            NetworkMode::None | NetworkMode::Unknown => false,
        }
    }
}

/// `1 vCPU`, `1024` and 1024 are one size. What is no size stays as it is.
fn write_size(value: Value<'_>, parse: fn(&str) -> Option<u64>, out: &mut String) -> bool {
    let text = match value.json_type() {
        JsonType::String => value.as_str().unwrap_or_default(),
        JsonType::Number => Cow::Borrowed(value.raw()),
        JsonType::Null | JsonType::Boolean | JsonType::Array | JsonType::Object => return write_json(value, out),
    };
    match parse(&text) {
        Some(units) => {
            out.push_str(&quote(&units.to_string()));
            true
        }
        None => !text.is_empty() && write_json(value, out),
    }
}

/// Writes a list, sorted if its order means nothing, and answers whether it has items.
fn list(value: Value<'_>, order: Order, out: &mut String, mut write: impl FnMut(Value<'_>, &mut String)) -> bool {
    if value.json_type() != JsonType::Array {
        return write_json(value, out);
    }
    out.push('[');
    let start = out.len();
    let mut items: Vec<(Cow<'_, str>, std::ops::Range<usize>)> = Vec::with_capacity(value.items().len());
    for item in value.items() {
        if !items.is_empty() {
            out.push(',');
        }
        let name = match order {
            FreeByName => item.get(nested::NAME).and_then(Value::as_str).unwrap_or_default(),
            Free | Kept => Cow::Borrowed(""),
        };
        let at = out.len();
        write(item, out);
        items.push((name, at..out.len()));
    }
    let any = !items.is_empty();
    let text = &out[..];
    let sorted = match order {
        Kept => true,
        Free => items.is_sorted_by(|(_, a), (_, b)| text[a.clone()] <= text[b.clone()]),
        FreeByName => items.is_sorted_by(|(a, _), (b, _)| a <= b),
    };
    if !sorted {
        match order {
            Kept => {}
            Free => items.sort_unstable_by(|(_, a), (_, b)| text[a.clone()].cmp(&text[b.clone()])),
            FreeByName => items.sort_by(|(a, _), (b, _)| a.cmp(b)),
        }
        let texts: Vec<&str> = items.into_iter().map(|(_, span)| &text[span]).collect();
        let joined = texts.join(",");
        out.truncate(start);
        out.push_str(&joined);
    }
    out.push(']');
    any
}

#[expect(clippy::ptr_arg, reason = "an owned key is one that had an escape")]
fn write_key(key: &Cow<'_, str>, out: &mut String) {
    match key {
        Cow::Owned(key) => out.push_str(&quote(key)),
        // It stood in the text without an escape, and can stand so again.
        Cow::Borrowed(key) => {
            out.push('"');
            out.push_str(key);
            out.push('"');
        }
    }
    out.push(':');
}

/// Writes any value with sorted keys; answers true, since it is there.
fn write_json(value: Value<'_>, out: &mut String) -> bool {
    match value.json_type() {
        JsonType::Null | JsonType::Boolean | JsonType::Number => out.push_str(value.raw()),
        JsonType::String => match value.as_str() {
            Some(Cow::Owned(text)) => out.push_str(&quote(&text)),
            Some(Cow::Borrowed(_)) | None => out.push_str(value.raw()),
        },
        JsonType::Array => {
            out.push('[');
            for (index, item) in value.items().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(item, out);
            }
            out.push(']');
        }
        JsonType::Object => {
            let mut members: Vec<_> = value.members().collect();
            members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            out.push('{');
            for (index, (key, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_key(&key, out);
                write_json(value, out);
            }
            out.push('}');
        }
    }
    true
}

/// Whether two texts are JSON that says the same.
pub(crate) fn same_json(one: &str, other: &str) -> bool {
    match (Document::parse(one), Document::parse(other)) {
        (Ok(one), Ok(other)) => canonical_json(one.root()) == canonical_json(other.root()),
        (Ok(_) | Err(_), Err(_)) | (Err(_), Ok(_)) => false,
    }
}

#[cfg(test)]
mod tests;
