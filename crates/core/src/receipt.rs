//! The receipt: what was done to a definition, carried inside it, so that it can be undone exactly.
//!
//! Knows: the label's shape, and how to take back what it says. Must not know: policies; undoing needs none.
//!
//! A receipt is untrusted input, since whoever may register a definition can write one. So it may only ever change
//! the definition that it is in, only in places that an injection touches, and it can never put anything there
//! other than a task size: roles, containers and lists are only ever taken away. (A receipt that could set
//! `taskRoleArn` would let its writer have the operator pass a role that the writer may not pass.)

use crate::definition::{Container, TaskDefinition};
use crate::digest::Digest;
use crate::edit::{Edit, Path};
use crate::ids::Arn;
use crate::json::{Document, JsonType, Value};
use crate::keys::{container, nested, task};
use crate::{mask, names, normalize, size, splice};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Version of the label's shape. Older ones stay readable for ever.
pub const SCHEMA: u32 = 1;

/// What stands for a log configuration that was taken over from the app, in a receipt that was written before anybody
/// knew its values. Whatever stands there counts as written; whether it is what is wanted, a plan says.
pub const INHERITED: &str = "inherited";

/// Who injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Injector {
    /// The operator in the account.
    Operator,
    /// The CLI, as in a pipeline.
    Cli,
    /// The CloudFormation macro.
    Macro,
}

impl Injector {
    /// The stable word for it, as receipts have it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Cli => "cli",
            Self::Macro => "macro",
        }
    }
}

/// What the label says.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Version of this shape.
    pub schema: u32,
    /// Name of the policy.
    pub policy: String,
    /// Digest of the intent: equal digests want the same of the same definition.
    pub digest: Digest,
    /// Who injected.
    pub by: Injector,
    /// Version of the program that injected.
    pub version: String,
    /// What it was injected into.
    pub source: Source,
    /// Prefix of the cache rule that the image's reference has.
    pub cache_prefix: String,
    /// What the image's tag stood for, if the reference names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    /// What was changed, in order.
    pub edits: Vec<Entry>,
}

/// The definition before the injection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// ARN of the revision; absent if it was a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// Fingerprint of it as ECS would describe it, without tags; absent if nobody could know it, as in a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Digest>,
}

/// One change.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Where, by names.
    pub path: String,
    /// What stood there; absent if nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Box<RawValue>>,
    /// What was written.
    pub after: Box<RawValue>,
    /// Whether the list that the value was added to was absent as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub made_list: bool,
}

/// Without the values.
impl std::fmt::Debug for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Receipt({}, {})", self.policy, self.digest)
    }
}

/// Without the values.
impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry({})", self.path)
    }
}

/// Why a definition's receipt cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// More than one container carries one.
    #[error("containers {0} and {1} both carry a receipt")]
    Twice(String, String),
    /// The label is no receipt.
    #[error("the receipt of container {container} cannot be read: {problem}")]
    Unreadable {
        /// The container that carries it.
        container: String,
        /// What is wrong with it.
        problem: String,
    },
    /// What it says cannot be undone.
    #[error("the receipt of container {container} cannot be followed at {path}")]
    Value {
        /// The container that carries it.
        container: String,
        /// The place.
        path: String,
        /// Why not.
        #[source]
        source: splice::EditError,
    },
    /// It names a place that an injection never touches.
    #[error("the receipt of container {container} names {path}, which no injection changes")]
    Place {
        /// The container that carries it.
        container: String,
        /// The place.
        path: String,
    },
}

/// A definition with its injection taken back.
#[derive(Debug, Clone)]
pub struct Undone {
    /// The definition as its owner wrote it.
    pub source: TaskDefinition,
    /// What was undone.
    pub receipt: Receipt,
    /// The changes that undid it.
    pub edits: Vec<Edit>,
    /// Places whose value is not ours any more; they were left.
    pub kept: Vec<Path>,
    /// Places where nothing of ours stands any more.
    pub missing: Vec<Path>,
    /// Whether the injected container itself was edited; then nothing was undone at all.
    pub container_edited: bool,
}

impl Undone {
    /// Whether the owner has registered nothing since: the receipt names a source with just this content.
    pub fn is_ours(&self) -> bool {
        let same = |hash: &Digest| Digest::of(&normalize::canonical(&self.source)) == *hash;
        !self.container_edited && self.receipt.source.hash.as_ref().is_some_and(same)
    }

    /// What an entry wrote. A log configuration that the receipt does not hold is the one that stood there, as
    /// receipts have it.
    pub(crate) fn written(&self, entry: &Entry) -> String {
        let written = entry.after.get().to_owned();
        let logs = Path::member(container::LOG_CONFIGURATION);
        let Ok(document) = Document::parse(written.as_str()) else { return written };
        if !logs.find(document.root()).is_some_and(is_inherited) {
            return written;
        }
        let taken = self.edits.iter().find(|edit| edit.path.to_string() == entry.path);
        let stood = taken.and_then(|edit| edit.before.as_deref()).map(mask::fingerprinted);
        let Some(Ok(stood)) = stood.map(Document::parse) else { return written };
        let found = logs.find(stood.root()).map(|logs| logs.raw().to_owned());
        splice::change(&document, &logs, found.as_deref()).map_or(written, |(document, _)| document.text().to_owned())
    }
}

impl Receipt {
    /// The label's text.
    pub fn to_label(&self) -> String {
        serde_json::to_string(self).expect("a receipt is plain JSON")
    }

    /// ARN of the source revision, if it has one of that shape.
    pub fn source_arn(&self) -> Option<Arn> {
        self.source.arn.as_deref()?.parse().ok()
    }

    /// The source revision, if it can be what that revision was made from: a receipt is untrusted input, and a copied
    /// one may name anything, so only an older revision of the very same family counts.
    pub fn source_before(&self, revision: &Arn) -> Option<Arn> {
        let source = self.source_arn()?;
        let ((family, number), (own_family, own_number)) = (source.revision()?, revision.revision()?);
        let place = |arn: &Arn| (arn.partition().to_owned(), arn.service().to_owned(), arn.region(), arn.account());
        let older = family == own_family && number < own_number && place(&source) == place(revision);
        older.then_some(source)
    }
}

/// Reads the receipt of a definition, if it carries one.
pub fn read(definition: &TaskDefinition) -> Result<Option<Receipt>, ReceiptError> {
    Ok(find(definition)?.map(|(_, receipt)| receipt))
}

/// The receipt of a definition that is ours: undone, it is the very source that the receipt names.
pub fn ours(definition: &TaskDefinition) -> Option<Receipt> {
    let undone = undo(definition).ok()??;
    undone.is_ours().then_some(undone.receipt)
}

/// Takes an injection back, as far as what it wrote is still there. `None` without a receipt.
pub fn undo(definition: &TaskDefinition) -> Result<Option<Undone>, ReceiptError> {
    let Some((carrier, receipt)) = find(definition)? else { return Ok(None) };
    let mut undone = Undone {
        source: definition.clone(),
        receipt,
        edits: Vec::new(),
        kept: Vec::new(),
        missing: Vec::new(),
        container_edited: false,
    };
    for entry in undone.receipt.edits.clone().iter().rev() {
        let path = allowed_path(entry, &carrier)?;
        let Some(current) = path.find(undone.source.root()) else {
            undone.missing.push(path);
            continue;
        };
        let is_container = path.shape() == SHAPE_CONTAINER;
        let holds = if is_container {
            container_holds(entry.after.get(), current, &undone.source)
        } else {
            normalize::same_json(entry.after.get(), current.raw())
        };
        if is_container && !holds {
            undone.container_edited = true;
            break;
        }
        if holds {
            take_back(&mut undone, &path, entry, &carrier)?;
        } else {
            undone.kept.push(path);
        }
    }
    take_back_copies(&mut undone, &carrier)?;
    // The carrier is there, so a receipt that does not account for it was moved or renamed by somebody.
    if undone.source.containers().any(|container| container.label(names::RECEIPT).is_some()) {
        undone.container_edited = true;
        undone.source = definition.clone();
        undone.edits.clear();
    }
    Ok(Some(undone))
}

/// What was injected into a container stands in its copies too, and under another name in a renamed one.
fn take_back_copies(undone: &mut Undone, carrier: &str) -> Result<(), ReceiptError> {
    if undone.container_edited {
        return Ok(());
    }
    for entry in undone.receipt.edits.clone() {
        let Some(path) = Path::parse(&entry.path) else { continue };
        let Some((list, item)) = path.list_of_container() else { continue };
        let names: Vec<String> = undone.source.containers().filter_map(|app| app.name().map(Cow::into_owned)).collect();
        for name in names {
            let copy = Path::member(task::CONTAINER_DEFINITIONS).item(&name).then(list).item(item);
            let same = |value: Value<'_>| normalize::same_json(entry.after.get(), value.raw());
            if copy.find(undone.source.root()).is_some_and(same) {
                take_back(undone, &copy, &entry, carrier)?;
            }
        }
    }
    Ok(())
}

/// Brings a place back to what stood there before.
fn take_back(undone: &mut Undone, path: &Path, entry: &Entry, carrier: &str) -> Result<(), ReceiptError> {
    let reason = "what was injected is taken back";
    let mut edits = vec![Edit {
        path: path.clone(),
        before: path.find(undone.source.root()).map(|value| value.raw().to_owned()),
        after: entry.before.as_ref().map(|value| value.get().to_owned()),
        reason: reason.to_owned(),
    }];
    let list = path.parent().filter(|_| entry.made_list);
    let emptied = list.filter(|list| list.find(undone.source.root()).is_some_and(|value| value.items().len() == 1));
    if let Some(list) = emptied {
        edits.push(Edit { path: list, before: Some("[]".to_owned()), after: None, reason: reason.to_owned() });
    }
    undone.source = undone.source.with(&edits).map_err(|source| ReceiptError::Value {
        container: carrier.to_owned(),
        path: path.to_string(),
        source,
    })?;
    undone.edits.append(&mut edits);
    Ok(())
}

/// The container that carries the receipt, by name, and the receipt.
fn find(definition: &TaskDefinition) -> Result<Option<(String, Receipt)>, ReceiptError> {
    let mut found: Option<(String, Receipt)> = None;
    for container in definition.containers() {
        let Some(label) = container.label(names::RECEIPT) else { continue };
        let name = container.name().unwrap_or_default().into_owned();
        if let Some((first, _)) = found {
            return Err(ReceiptError::Twice(first, name));
        }
        let unreadable = |problem: String| ReceiptError::Unreadable { container: name.clone(), problem };
        let receipt: Receipt = serde_json::from_str(&label).map_err(|error| unreadable(error.to_string()))?;
        if receipt.edits.len() > MOST_ENTRIES {
            return Err(unreadable(format!("it has more than {MOST_ENTRIES} entries")));
        }
        if receipt.schema != SCHEMA {
            return Err(unreadable(format!("its schema is {}, and this program reads {SCHEMA}", receipt.schema)));
        }
        found = Some((name, receipt));
    }
    Ok(found)
}

/// More than an injection makes: each of ten containers gets a few, and forged receipts must not cost much time.
const MOST_ENTRIES: usize = 200;

const SHAPE_CONTAINER: &str = "containerDefinitions[]";

/// The path of an entry, if an injection could have written it.
fn allowed_path(entry: &Entry, carrier: &str) -> Result<Path, ReceiptError> {
    let refuse = || ReceiptError::Place { container: carrier.to_owned(), path: entry.path.clone() };
    let path = Path::parse(&entry.path).ok_or_else(refuse)?;
    let shape = path.shape();
    let only_adds = entry.before.is_none();
    let list_of_app = [container::ENVIRONMENT, container::LINKS, container::DEPENDS_ON]
        .iter()
        .any(|list| shape == format!("{SHAPE_CONTAINER}.{list}[]"));
    let allowed = match shape.as_str() {
        SHAPE_CONTAINER => only_adds,
        task::TASK_ROLE_ARN | task::EXECUTION_ROLE_ARN => {
            entry.before.as_deref().is_none_or(|before| before.get() == "\"\"")
        }
        task::CPU => entry.before.as_deref().is_some_and(|before| is_size(before, size::parse_cpu)),
        task::MEMORY => entry.before.as_deref().is_some_and(|before| is_size(before, size::parse_memory)),
        _ => list_of_app && only_adds,
    };
    if allowed { Ok(path) } else { Err(refuse()) }
}

/// Whether a value is a size of a task, as a string or a number.
fn is_size(value: &RawValue, parse: fn(&str) -> Option<u64>) -> bool {
    let Ok(document) = Document::parse(value.get()) else { return false };
    let root = document.root();
    let text = root.as_str().or((root.json_type() == JsonType::Number).then_some(root.raw().into()));
    text.is_some_and(|text| parse(&text).is_some())
}

/// Whether the container is still as it was written, apart from the receipt and from what ECS filled in.
///
/// ECS may one day fill in a member that nobody knows today. Such a member stands on every container alike, and that
/// is how it is told from an edit: else every sidecar would count as edited on the day ECS learns something.
fn container_holds(written: &str, current: Value<'_>, definition: &TaskDefinition) -> bool {
    let mode = definition.network_mode();
    let label = Path::member(container::DOCKER_LABELS).then(names::RECEIPT);
    let Ok(plain) = Document::parse(mask::fingerprinted(current.raw())) else { return false };
    let Ok((plain, _)) = splice::change(&plain, &label, None) else { return false };
    let Ok(written) = Document::parse(written) else { return false };
    let canonical = |document: &Document| Document::parse(normalize::canonical_container(document.root(), mode));
    let (Ok(plain), Ok(written)) = (canonical(&plain), canonical(&written)) else { return false };
    let own_name = current.get(nested::NAME).and_then(Value::as_str);
    let filled_in = |key: &str, value: Value<'_>| {
        !container::KNOWN.contains(&key)
            && definition
                .containers()
                .filter(|other| other.name() != own_name)
                .all(|other| other.get(key).is_some_and(|theirs| normalize::same_json(value.raw(), theirs.raw())))
    };
    let unchanged = written.root().members().all(|(key, value)| {
        let inherited = key == container::LOG_CONFIGURATION && is_inherited(value);
        plain.root().get(&key).is_some_and(|current| inherited || current.raw() == value.raw())
    });
    let nothing_added = plain
        .root()
        .members()
        .all(|(key, value)| written.root().members().any(|(known, _)| known == key) || filled_in(&key, value));
    unchanged && nothing_added
}

/// Whether this stands for a log configuration that the receipt does not hold.
fn is_inherited(logs: Value<'_>) -> bool {
    logs.as_str().is_some_and(|text| text == INHERITED)
}

/// Whether a container was injected, by whomever.
pub fn is_injected(container: Container<'_>) -> bool {
    container.get(container::DOCKER_LABELS).is_some_and(|labels| {
        labels.members().any(|(key, value)| key == names::RECEIPT && value.json_type() == JsonType::String)
    })
}
