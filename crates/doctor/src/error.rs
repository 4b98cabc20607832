//! What ends the doctor's work. All else is told as what could not be seen.

use ecs_sidecar_core::ids::IdError;

/// What the doctor fails with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// AWS was not reached, or does not know the caller.
    #[error(transparent)]
    Call(#[from] ecs_sidecar_aws::Error),
    /// STS's answer names no account.
    #[error("cannot read whose credentials these are")]
    Identity {
        /// What is wrong with it.
        #[source]
        source: IdError,
    },
    /// What was asked about does not exist.
    #[error("there is no {what}")]
    NoSuch {
        /// What was asked about.
        what: String,
    },
    /// The service runs elsewhere than was said.
    #[error("{subject} runs in {found}, not in {named}")]
    OtherVpc {
        /// The service or the subnet.
        subject: String,
        /// Where it is.
        found: String,
        /// Where it was said to be.
        named: String,
    },
}
