//! Strings of an input, as far as they say something.
//!
//! Knows: how rules and CloudTrail leave a string out. Must not know: what the strings are for.

use serde_json::Value;
use std::cell::Cell;

/// How many characters a scalar may have: more than any id or ARN has. What is longer is none, and is never cut: the
/// beginning of an ARN may be another family's.
const LONGEST: usize = 2048;

/// What is read of an input: strings that say something.
pub(super) struct Scalars<'a> {
    input: &'a Value,
    /// Whether one was longer than any can be; it counts as absent.
    too_long: Cell<bool>,
}

impl<'a> Scalars<'a> {
    pub(super) fn of(input: &'a Value) -> Self {
        Self { input, too_long: Cell::new(false) }
    }

    /// Whether one that was asked for was longer than any can be.
    pub(super) fn too_long(&self) -> bool {
        self.too_long.get()
    }

    pub(super) fn get(&self, pointer: &str) -> Option<String> {
        let text = self.input.pointer(pointer)?.as_str()?.trim();
        if text.len() > LONGEST {
            self.too_long.set(true);
            return None;
        }
        (!is_absent(text)).then(|| text.to_owned())
    }
}

/// A rule leaves `""` or its own `<placeholder>` where the event had nothing.
pub(super) fn is_absent(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.starts_with('<') && text.ends_with('>')
}
