//! What happened, line by line.
//!
//! Knows: which lines a reader wants. Must not know: why something happened.

use sha2::{Digest, Sha256};
use std::time::Duration;

/// A story, as far as it was told.
#[derive(Debug, Default, Clone)]
pub(crate) struct Story {
    lines: Vec<String>,
    hash: Sha256,
}

impl Story {
    /// Adds what somebody did at a time since the beginning.
    pub(crate) fn tell(&mut self, at: Duration, who: &str, what: &str) {
        let seconds = at.as_secs();
        let (hours, minutes, seconds) = (12 + seconds / 3600, seconds / 60 % 60, seconds % 60);
        let line = format!("{hours:02}:{minutes:02}:{seconds:02}.{:03} {who}: {what}", at.subsec_millis());
        self.hash.update(line.as_bytes());
        self.hash.update(b"\n");
        self.lines.push(line);
    }

    /// All lines.
    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Fingerprint of all lines.
    pub(crate) fn hash(&self) -> String {
        self.hash.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Whether a line is worth reading: reads that were answered tell nothing.
pub(crate) fn is_telling(line: &str) -> bool {
    const READS: [&str; 12] = [
        "Describe",
        "List",
        "GetItem",
        "Query",
        "BatchGet",
        "BatchCheck",
        "GetAuthorization",
        "Simulate",
        "GetRole",
        "PutEvents",
        "UpdateItem",
        "GetObject",
    ];
    let what = line.split(": ").nth(1).unwrap_or_default();
    line.ends_with(')') || !READS.iter().any(|read| what.starts_with(read))
}
