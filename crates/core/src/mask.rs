//! Hides what may be secret where a definition, or a part of one, is shown or logged.
//!
//! Values of environment variables, references to secrets and options of log drivers (a Splunk token is one) are
//! somebody's. Where `awslogs` sends its lines is not.

use crate::definition::Container;
use crate::digest::Digest;
use crate::json::{Document, Value, quote};
use crate::keys::{container, nested};
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
    let name =
        |variable: Value<'_>| variable.get(nested::NAME).and_then(Value::as_str).unwrap_or_default().into_owned();
    let variables = app
        .items(container::ENVIRONMENT)
        .filter(|variable| !keep(&name(*variable)))
        .filter_map(|variable| variable.get(nested::VALUE));
    let secrets = app.items(container::SECRETS).filter_map(|secret| secret.get(nested::VALUE_FROM));
    variables.chain(secrets).map(Value::span).chain(log_options(app)).collect()
}

/// Where the options of log drivers stand that may be secret.
fn log_options(app: Container<'_>) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    for holder in [container::LOG_CONFIGURATION, container::FIRELENS_CONFIGURATION] {
        let Some(holder) = app.get(holder) else { continue };
        if let Some(options) = holder.get(nested::OPTIONS) {
            spans.extend(options.members().filter(|(key, _)| !is_harmless_option(key)).map(|(_, value)| value.span()));
        }
        if let Some(options) = holder.get(nested::SECRET_OPTIONS) {
            spans.extend(options.items().filter_map(|option| option.get(nested::VALUE_FROM)).map(Value::span));
        }
    }
    spans
}

/// A container as a receipt may hold it: log options that may be secret as fingerprints, which compare as well.
///
/// A receipt is a docker label, and labels travel further than definitions do: to every monitoring that reads them.
pub(crate) fn fingerprinted(container: &str) -> String {
    let Ok(document) = Document::parse(container) else { return HIDDEN.to_owned() };
    let fingerprint = |span: Range<usize>| {
        let print = quote(Digest::of(&container[span.clone()]).as_str());
        (span, print)
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
