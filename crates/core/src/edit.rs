//! One change to a task definition, and how it is made in the text.
//!
//! Knows: paths by the names of things, and white space, so that a change looks as if its owner had written it and
//! taking it back restores the bytes. Must not know: why a change is wanted.

use crate::json::{JsonType, Value};
use crate::keys::nested;
use std::fmt;

/// A place in a task definition, by names rather than positions: `containerDefinitions[web].environment[HOME]`.
///
/// Containers are looked up by `name`, environment variables too, dependencies by `containerName`, and strings in a
/// list by themselves; so the order of lists does not matter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
    /// A member of an object.
    Member(String),
    /// The item of a list that has this name.
    Item(String),
}

impl Path {
    /// A member of the task definition itself.
    pub fn member(name: &str) -> Self {
        Self(vec![Step::Member(name.to_owned())])
    }

    /// A member of what this path names.
    #[must_use]
    pub fn then(mut self, name: &str) -> Self {
        self.0.push(Step::Member(name.to_owned()));
        self
    }

    /// The item of that name in the list that this path names.
    #[must_use]
    pub fn item(mut self, name: &str) -> Self {
        self.0.push(Step::Item(name.to_owned()));
        self
    }

    /// Reads what [`Display`](fmt::Display) writes. `None` if the text is no path.
    pub fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('[') {
                let (name, tail) = after.split_once(']')?;
                steps.push(Step::Item(name.to_owned()));
                rest = tail;
            } else {
                let rest_of_member = if steps.is_empty() { rest } else { rest.strip_prefix('.')? };
                let end = rest_of_member.find(['.', '[']).unwrap_or(rest_of_member.len());
                steps.push(Step::Member(rest_of_member[..end].to_owned()));
                rest = &rest_of_member[end..];
            }
        }
        let whole = matches!(steps.first(), Some(Step::Member(_)));
        (whole && steps.iter().all(|step| !step.name().is_empty())).then_some(Self(steps))
    }

    /// The path without the names of items, `containerDefinitions[].environment[]`: what kind of place it is.
    pub fn shape(&self) -> String {
        let nameless = |step: &Step| match step {
            Step::Member(name) => Step::Member(name.clone()),
            Step::Item(_) => Step::Item(String::new()),
        };
        Self(self.0.iter().map(nameless).collect()).to_string()
    }

    /// The path to what holds this place; `None` for a member of the task definition itself.
    pub fn parent(&self) -> Option<Self> {
        let (_, parents) = self.0.split_last()?;
        (!parents.is_empty()).then(|| Self(parents.to_vec()))
    }

    /// The list and the item, if this is an item of a list of a container.
    pub(crate) fn list_of_container(&self) -> Option<(&str, &str)> {
        match self.0.as_slice() {
            [Step::Member(_), Step::Item(_), Step::Member(list), Step::Item(item)] => Some((list, item)),
            _ => None,
        }
    }

    /// The value at this path, if it is there and not `null`.
    pub fn find<'a>(&self, root: Value<'a>) -> Option<Value<'a>> {
        self.0.iter().try_fold(root, |value, step| match step {
            Step::Member(name) => value.get(name),
            Step::Item(name) => value.items().find(|item| is_named(*item, name)),
        })
    }

    /// Finds the place in the tree, or where it would have to be made. `None` if what leads to it is not there.
    pub(crate) fn place<'a>(&self, root: Value<'a>) -> Option<Place<'a>> {
        let (last, parents) = self.0.split_last()?;
        let mut parent = root;
        let mut pointer = String::new();
        for (index, step) in parents.iter().enumerate() {
            match child_index(parent, step) {
                Some(child) => {
                    pointer.push_str(&pointer_token(parent, step, child));
                    parent = parent.child(child)?;
                }
                None => {
                    return missing_list(parent, step, (index + 2 == self.0.len()).then_some(last)?, pointer);
                }
            }
        }
        if let Some(index) = child_index(parent, last) {
            pointer.push_str(&pointer_token(parent, last, index));
            return Some(Place::Here { parent, index, pointer });
        }
        match last {
            Step::Member(name) if parent.json_type() == JsonType::Object => {
                pointer.push_str(&member_token(name));
                Some(Place::NotHere { parent, key: Some(name.clone()), pointer })
            }
            Step::Item(_) if parent.json_type() == JsonType::Array => {
                pointer.push_str("/-");
                Some(Place::NotHere { parent, key: None, pointer })
            }
            Step::Member(_) | Step::Item(_) => None,
        }
    }
}

/// A list that an item is wanted in, but that is not there itself.
fn missing_list<'a>(parent: Value<'a>, list: &Step, item: &Step, pointer: String) -> Option<Place<'a>> {
    match (list, item, parent.json_type()) {
        (Step::Member(key), Step::Item(_), JsonType::Object) => {
            let pointer = pointer + &member_token(key);
            Some(Place::NoList { parent, key: key.clone(), pointer })
        }
        _ => None,
    }
}

fn child_index(parent: Value<'_>, step: &Step) -> Option<usize> {
    match step {
        Step::Member(name) => parent.members().position(|(key, _)| key == *name),
        Step::Item(name) => parent.items().position(|item| is_named(item, name)),
    }
}

fn pointer_token(parent: Value<'_>, step: &Step, index: usize) -> String {
    match (parent.json_type(), step) {
        (JsonType::Array, _) => format!("/{index}"),
        (_, Step::Member(name) | Step::Item(name)) => member_token(name),
    }
}

fn member_token(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Where a path leads in a document, with the JSON Pointer to it.
pub(crate) enum Place<'a> {
    /// To a value: that child of that parent.
    Here { parent: Value<'a>, index: usize, pointer: String },
    /// To nothing yet, but its parent is there; with the key if that is an object.
    NotHere { parent: Value<'a>, key: Option<String>, pointer: String },
    /// To an item of a list that is not there yet either, but the object that it would be a member of.
    NoList { parent: Value<'a>, key: String, pointer: String },
}

impl Step {
    fn name(&self) -> &str {
        match self {
            Self::Member(name) | Self::Item(name) => name,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Member(name) if index == 0 => write!(f, "{name}")?,
                Step::Member(name) => write!(f, ".{name}")?,
                Step::Item(name) => write!(f, "[{name}]")?,
            }
        }
        Ok(())
    }
}

/// Whether an item of a list goes by that name.
fn is_named(item: Value<'_>, name: &str) -> bool {
    item.as_str().is_some_and(|text| text == name)
        || [nested::NAME, nested::CONTAINER_NAME]
            .iter()
            .any(|key| item.get(key).and_then(Value::as_str).is_some_and(|text| text == name))
}

/// One change: what stands at a path before and after. Values are JSON; `None` is absence.
#[derive(Clone, PartialEq, Eq)]
pub struct Edit {
    /// Where.
    pub path: Path,
    /// What stands there now.
    pub before: Option<String>,
    /// What shall stand there.
    pub after: Option<String>,
    /// Why, in a sentence for people.
    pub reason: String,
}

/// Without the values, which may be somebody's secrets.
impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Edit({})", self.path)
    }
}

/// One operation of a JSON Patch (RFC 6902).
#[derive(Clone, serde::Serialize)]
pub struct PatchOperation {
    /// `add`, `remove` or `replace`.
    pub op: &'static str,
    /// JSON Pointer (RFC 6901) to the place.
    pub path: String,
    /// The value, for `add` and `replace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<serde_json::value::RawValue>>,
}
