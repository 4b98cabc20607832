//! Rules about tags.

use super::Rule;
use super::place::{Findings, Place};
use crate::definition::TaskDefinition;
use crate::json::Value;
use crate::keys::{nested, task as keys};
use std::collections::HashSet;

const MAX_TAGS: usize = 50;
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;

pub(super) fn check(definition: &TaskDefinition, findings: &mut Findings) {
    let Some(tags) = definition.root().get(keys::TAGS) else {
        return;
    };
    let list = Place::member(keys::TAGS);
    let mut seen = HashSet::new();
    let mut count = 0;
    for (index, tag) in tags.items().enumerate() {
        let key = tag.get(nested::KEY).and_then(Value::as_str).unwrap_or_default();
        let value = tag.get(nested::VALUE).and_then(Value::as_str).unwrap_or_default();
        let place = list.item(index);
        if is_reserved(&key) || is_reserved(&value) {
            findings.add(Rule::TagReserved, &place, "the prefix aws: is AWS's own");
        } else {
            count += 1;
        }
        if key.is_empty() || !is_text(&key, MAX_KEY) {
            let message = format!("a key has 1 to {MAX_KEY} letters, digits, spaces and _.:/=+-@");
            findings.add(Rule::TagKey, &place.then(nested::KEY), message);
        }
        if !is_text(&value, MAX_VALUE) {
            let message = format!("a value has up to {MAX_VALUE} letters, digits, spaces and _.:/=+-@");
            findings.add(Rule::TagValue, &place.then(nested::VALUE), message);
        }
        if !key.is_empty() && !seen.insert(key) {
            findings.add(Rule::DuplicateTag, &place.then(nested::KEY), "another tag has this key");
        }
    }
    if count > MAX_TAGS {
        findings.add(Rule::TooManyTags, &list, format!("{count} tags are more than {MAX_TAGS}"));
    }
}

fn is_reserved(text: &str) -> bool {
    text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}

/// The model's pattern `[\p{L}\p{Z}\p{N}_.:/=+\-@]*`, letters taken a little wider: combining marks pass.
fn is_text(text: &str, most: usize) -> bool {
    let allowed = |letter: char| {
        letter.is_alphanumeric() || (letter.is_whitespace() && !letter.is_control()) || "_.:/=+-@".contains(letter)
    };
    text.chars().count() <= most && text.chars().all(allowed)
}
