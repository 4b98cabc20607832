//! The tree of findings.
//!
//! Knows: that a group is as bad as the worst below it. Must not know: what is judged.

use super::code::{Code, State};

/// What was found of one thing, or of a group of things.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// OK, missing or not checked; for a group the worst of its children.
    pub state: State,
    /// Why it is not simply OK; a group has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// What it is about: `endpoint ecr.dkr`, `trail audit`.
    pub subject: String,
    /// What was seen, for people. Empty for a group that says nothing beyond its children.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The command or template that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
    /// What it is made of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Finding>,
}

impl Finding {
    /// Something that is as it must be.
    pub(crate) fn ok(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            state: State::Ok,
            code: None,
            subject: subject.into(),
            message: message.into(),
            mend: None,
            children: Vec::new(),
        }
    }

    /// Something with a code, whose state is the code's.
    pub(crate) fn of(code: Code, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { state: code.state(), code: Some(code), ..Self::ok(subject, message) }
    }

    /// Something that AWS did not let be seen, for which `action` has to be granted.
    pub(crate) fn not_seen(subject: impl Into<String>, why: &str, action: &str) -> Self {
        Self::of(Code::NotSeen, subject, why).mended(format!("grant {action} to whoever runs the doctor"))
    }

    /// The same with what mends it.
    pub(crate) fn mended(self, mend: impl Into<String>) -> Self {
        Self { mend: Some(mend.into()), ..self }
    }

    /// A group, as bad as the worst of its parts.
    pub(crate) fn group(subject: impl Into<String>, children: Vec<Self>) -> Self {
        let state = children.iter().map(|child| child.state).max().unwrap_or(State::Ok);
        Self { state, children, ..Self::ok(subject, "") }
    }

    /// The finding and all below it, outer before inner.
    pub fn all(&self) -> Vec<&Self> {
        let mut found = vec![self];
        found.extend(self.children.iter().flat_map(Self::all));
        found
    }

    /// How many leaves end how.
    pub fn totals(&self) -> Totals {
        let leaves = self.all().into_iter().filter(|finding| finding.children.is_empty());
        leaves.fold(Totals::default(), |mut totals, leaf| {
            match leaf.state {
                State::Ok => totals.ok += 1,
                State::NotChecked => totals.not_checked += 1,
                State::Missing => totals.missing += 1,
            }
            totals
        })
    }
}

/// How many findings ended how, groups not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// As it must be.
    pub ok: usize,
    /// Missing.
    pub missing: usize,
    /// Not settled.
    pub not_checked: usize,
}
