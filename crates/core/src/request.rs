//! What a definition asks for: a tag, or a docker label of any container of its owner.

use crate::definition::TaskDefinition;
use crate::json::Value;
use crate::keys::{container, nested, task};
use crate::{names, receipt};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// What a definition asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Nothing is said.
    Silent,
    /// No sidecar. Wins over everything else that is said.
    OptOut,
    /// A sidecar, whichever policy has one for it.
    OptIn,
    /// The sidecar of that policy.
    Policy(String),
    /// Sidecars of several policies, of which only one can be had.
    Conflicting(BTreeSet<String>),
}

/// A word that a definition says about sidecars, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    /// `true`, `false` or the name of a policy, without white space around it.
    pub word: String,
    /// Where it stands.
    #[serde(flatten)]
    pub place: AskedAt,
}

/// Where a definition asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "by")]
pub enum AskedAt {
    /// A tag of the definition.
    Tag,
    /// A docker label of a container.
    Label {
        /// The container's name.
        container: String,
    },
}

/// Everything that a definition says about sidecars. Injected containers do not count; `true` and `false` do in any
/// case.
pub fn asks(definition: &TaskDefinition) -> Vec<Ask> {
    let labels =
        definition.containers().filter(|container| !receipt::is_injected(*container)).filter_map(|container| {
            let word = container.get(container::DOCKER_LABELS)?.get(names::INJECT).map(word)?;
            Some((word, AskedAt::Label { container: container.name().unwrap_or_default().into_owned() }))
        });
    let tags = definition.root().get(task::TAGS).into_iter().flat_map(|tags| tags.items().collect::<Vec<_>>());
    let tags = tags.filter(|tag| tag.get(nested::KEY).and_then(Value::as_str).is_some_and(|key| key == names::INJECT));
    let tags = tags.map(|tag| (tag.get(nested::VALUE).map(word).unwrap_or_default(), AskedAt::Tag));
    labels
        .chain(tags)
        .map(|(word, place)| (word.trim().to_owned(), place))
        .map(|(word, place)| Ask { word: if is_boolean(&word) { word.to_ascii_lowercase() } else { word }, place })
        .collect()
}

/// Reads what a definition asks for.
pub fn read(definition: &TaskDefinition) -> Request {
    let words: BTreeSet<String> = asks(definition).into_iter().map(|ask| ask.word).collect();
    if words.contains("false") {
        return Request::OptOut;
    }
    let mut policies: BTreeSet<String> = words.iter().filter(|word| *word != "true").cloned().collect();
    match (policies.len(), words.is_empty()) {
        (_, true) => Request::Silent,
        (0, false) => Request::OptIn,
        (1, false) => Request::Policy(policies.pop_first().unwrap_or_default()),
        (_, false) => Request::Conflicting(policies),
    }
}

/// What is said, also where somebody wrote a JSON `false` for a string.
fn word(value: Value<'_>) -> Cow<'_, str> {
    value.as_str().unwrap_or(Cow::Borrowed(value.raw()))
}

fn is_boolean(word: &str) -> bool {
    word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(tags: &[&str], labels: &[&str]) -> Request {
        let tags: Vec<_> = tags.iter().map(|value| serde_json::json!({"key": names::INJECT, "value": value})).collect();
        let container = |value: &&str| serde_json::json!({"name": "a", "dockerLabels": {names::INJECT: value}});
        let containers: Vec<_> = labels.iter().map(container).chain([serde_json::json!({"name": "z"})]).collect();
        let text = serde_json::json!({"containerDefinitions": containers, "tags": tags}).to_string();
        read(&TaskDefinition::parse(&text).expect("a definition"))
    }

    #[test]
    fn false_anywhere_wins_and_two_policies_conflict() {
        assert_eq!(asked(&[], &[]), Request::Silent);
        assert_eq!(asked(&["true"], &[]), Request::OptIn);
        assert_eq!(asked(&[], &["TRUE "]), Request::OptIn);
        assert_eq!(asked(&["true"], &["False"]), Request::OptOut);
        assert_eq!(asked(&["xray-daemon"], &["true"]), Request::Policy("xray-daemon".into()));
        assert!(matches!(asked(&["a"], &["b"]), Request::Conflicting(_)));
        assert_eq!(asked(&["a"], &["b", "false"]), Request::OptOut);
    }
}
