//! Hides what may be secret where a definition, or a part of one, is shown or logged.
//!
//! Values of environment variables, references to secrets and options of log drivers (a Splunk token is one) are
//! somebody's. Where `awslogs` sends its lines is not.

use crate::definition::Container;
use crate::digest::Digest;
use crate::json::{Document, JsonType, Value, quote};
use crate::keys::{container, nested};
use crate::normalize::canonical_json;
use crate::splice::replaced;
use std::ops::Range;

/// What stands for a hidden value.
pub const HIDDEN: &str = "\"********\"";

/// Options that tell where logs go and how, and nothing that opens a door.
fn is_harmless_option(key: &str) -> bool {
    key.starts_with("awslogs-") || ["mode", "max-buffer-size"].contains(&key)
}

/// Where the values of a container stand that may be secret; `keep` names variables whose values may be shown.
pub fn secrets_of(app: Container<'_>, keep: impl Fn(&str) -> bool) -> Vec<Range<usize>> {
    let mut spans = log_options(app);
    for list in [container::ENVIRONMENT, container::SECRETS, container::ENVIRONMENT_FILES] {
        let Some(list) = app.get(list) else { continue };
        spans.extend(values_of(list, &keep));
    }
    let credentials = app.get(container::REPOSITORY_CREDENTIALS).into_iter();
    spans.extend(credentials.flat_map(|held| held.members().map(|(_, value)| value.span()).collect::<Vec<_>>()));
    spans
}

/// All that a list of variables holds but their names. What has another shape than ECS knows is hidden as a whole.
fn values_of(list: Value<'_>, keep: impl Fn(&str) -> bool) -> Vec<Range<usize>> {
    if list.json_type() != JsonType::Array {
        return vec![list.span()];
    }
    let mut spans = Vec::new();
    for item in list.items() {
        let name = item.get(nested::NAME).and_then(Value::as_str);
        match (item.json_type(), name) {
            (JsonType::Object, Some(name)) if keep(&name) => {}
            (JsonType::Object, _) => {
                let hidden = item.members().filter(|(key, _)| ![nested::NAME, nested::TYPE].contains(&&**key));
                spans.extend(hidden.map(|(_, value)| value.span()));
            }
            (_, _) => spans.push(item.span()),
        }
    }
    spans
}

/// Where the options of log drivers stand that may be secret, and what of a log configuration nobody knows.
fn log_options(app: Container<'_>) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    for holder in [container::LOG_CONFIGURATION, container::FIRELENS_CONFIGURATION] {
        let Some(holder) = app.get(holder) else { continue };
        for (key, value) in holder.members() {
            match (&*key, value.json_type()) {
                (nested::LOG_DRIVER | nested::TYPE, _) => {}
                (nested::OPTIONS, JsonType::Object) => {
                    let hidden = value.members().filter(|(key, _)| !is_harmless_option(key));
                    spans.extend(hidden.map(|(_, value)| value.span()));
                }
                (nested::SECRET_OPTIONS, _) => spans.extend(values_of(value, |_| false)),
                (_, _) => spans.push(value.span()),
            }
        }
    }
    spans
}

/// A container as a receipt may hold it: log options that may be secret as fingerprints, which compare as well.
///
/// A receipt is a docker label, and labels travel further than definitions do: to every monitoring that reads them.
pub(crate) fn fingerprinted(container: &str) -> String {
    let Ok(document) = Document::parse(container) else { return HIDDEN.to_owned() };
    // Of what the value means: whoever describes or indents a definition spells it anew.
    let fingerprint = |span: Range<usize>| {
        let text = &container[span.clone()];
        let meant = Document::parse(text).map_or_else(|_| text.to_owned(), |value| canonical_json(value.root()));
        (span, quote(Digest::of(&meant).as_str()))
    };
    replaced(container, log_options(Container(document.root())).into_iter().map(fingerprint).collect())
}

/// An edit's value as it may be told. What the operator writes into a container is its own, but for log options that
/// it took over from the app.
pub(crate) fn tellable(value: &str) -> String {
    let Ok(document) = Document::parse(value) else { return HIDDEN.to_owned() };
    let spans = log_options(Container(document.root()));
    replaced(value, spans.into_iter().map(|span| (span, HIDDEN.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_of_what_a_value_means_and_not_of_how_it_is_written() {
        let one = r#"{"logConfiguration":{"logDriver":"splunk","options":{"splunk-url":"a\u0026b\/c"},"new":[{"b":1,"a":"é"}]}}"#;
        let other = r#"{"logConfiguration":{"logDriver":"splunk","options":{"splunk-url":"a&b/c"},"new":[ { "a": "\u00e9", "b": 1 } ]}}"#;
        assert_eq!(fingerprinted(one), fingerprinted(other));
        assert!(!fingerprinted(one).contains("splunk-url\":\"a"));
        assert_ne!(fingerprinted(one), fingerprinted(&one.replace("b\\/c", "b\\/d")));
    }
}
