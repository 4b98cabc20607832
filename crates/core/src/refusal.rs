//! A reason with the particulars of the case.

use crate::reason::Reason;

/// Why something is not done: the code, and a sentence for people that names what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code.
    pub reason: Reason,
    /// The particulars. Never holds values of a definition's environment.
    pub message: String,
}

impl Refusal {
    /// A reason with its particulars.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// Without particulars the meaning of the code is the message.
impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::new(reason, reason.meaning())
    }
}
