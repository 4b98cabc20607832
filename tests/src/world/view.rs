//! What tests see of the world without asking over the wire.

use crate::Status;
use std::fmt;

/// A revision, for asserting.
#[derive(Clone, PartialEq, Eq)]
pub struct RevisionView {
    /// Its ARN.
    pub arn: String,
    /// Its number.
    pub number: u64,
    /// Whether it may be used.
    pub status: Status,
    /// The definition as Describe answers it, without the tags.
    pub text: String,
    /// The tags, a list in JSON.
    pub tags: String,
    /// ARN of the principal that registered it.
    pub registered_by: String,
}

/// Without the text, which has the environment in it.
impl fmt::Debug for RevisionView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} by {}", self.arn, self.status.label(), self.registered_by)
    }
}

/// A message that was sent to a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub body: String,
    /// For how long nobody may see it.
    pub delay_seconds: u64,
}
