//! Metrics in CloudWatch's embedded metric format: lines of the log that CloudWatch turns into metrics by itself.
//!
//! Knows: the format (CloudWatch user guide, "Embedded metric format specification"). Must not know: what is counted.

use serde_json::{Map, Value, json};
use std::io::Write;
use std::time::SystemTime;

/// The namespace of all metrics.
pub const NAMESPACE: &str = "EcsSidecar";

/// A unit of CloudWatch's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
}

/// A line of metrics, with the stack as a dimension.
#[derive(Debug)]
pub struct Metrics {
    dimensions: Vec<(&'static str, String)>,
    values: Vec<(&'static str, Unit, f64)>,
}

impl Metrics {
    /// Nothing yet, of that stack.
    pub fn of(stack: &str) -> Self {
        Self { dimensions: vec![("Stack", stack.to_owned())], values: Vec::new() }
    }

    /// Told apart by this as well, beside the sum over all.
    #[must_use]
    pub fn by(mut self, dimension: &'static str, value: &str) -> Self {
        self.dimensions.push((dimension, value.to_owned()));
        self
    }

    /// With a value.
    #[must_use]
    pub fn with(mut self, name: &'static str, unit: Unit, value: f64) -> Self {
        self.values.push((name, unit, value));
        self
    }

    /// The line.
    fn line(&self, milliseconds: u64) -> Value {
        let metrics: Vec<Value> =
            self.values.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit.label() })).collect();
        let names: Vec<&str> = self.dimensions.iter().map(|(name, _)| *name).collect();
        let mut sets = vec![json!(names[..1])];
        if names.len() > 1 {
            sets.push(json!(names));
        }
        let mut line = Map::new();
        let directive = json!([{ "Namespace": NAMESPACE, "Dimensions": sets, "Metrics": metrics }]);
        line.insert("_aws".to_owned(), json!({ "Timestamp": milliseconds, "CloudWatchMetrics": directive }));
        for (name, value) in &self.dimensions {
            line.insert((*name).to_owned(), json!(value));
        }
        for (name, _, value) in &self.values {
            line.insert((*name).to_owned(), json!(value));
        }
        Value::Object(line)
    }

    /// Writes the line where Lambda takes the log from. A line that cannot be written is nobody's failure.
    pub fn emit(&self) {
        if self.values.is_empty() {
            return;
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let line = self.line(u64::try_from(now.as_millis()).unwrap_or(u64::MAX)).to_string();
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}

impl Unit {
    fn label(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
            Self::Seconds => "Seconds",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_as_the_specification_has_it() {
        let metrics = Metrics::of("traces").by("Decision", "skip").by("Reason", "windows");
        let line = metrics.with("Decisions", Unit::Count, 1.0).with("QueueAge", Unit::Seconds, 2.5).line(17);
        let expected = json!({
            "_aws": { "Timestamp": 17, "CloudWatchMetrics": [{
                "Namespace": "EcsSidecar",
                "Dimensions": [["Stack"], ["Stack", "Decision", "Reason"]],
                "Metrics": [{ "Name": "Decisions", "Unit": "Count" }, { "Name": "QueueAge", "Unit": "Seconds" }],
            }] },
            "Stack": "traces", "Decision": "skip", "Reason": "windows", "Decisions": 1.0, "QueueAge": 2.5,
        });
        assert_eq!(line, expected);
    }
}
