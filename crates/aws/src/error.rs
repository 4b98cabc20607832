//! What can go wrong between the operator and AWS.
//!
//! Knows: which failures are worth another attempt. Must not know: what was decided. A refusal that people can do
//! something about is no error here but a [`Reason`](ecs_sidecar_core::reason::Reason) in the report.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error as StdError;
use std::fmt;

/// Error codes of AWS that mean "too many calls".
const THROTTLING: [&str; 6] = [
    "ThrottlingException",
    "Throttling",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestThrottled",
];

/// Error codes of AWS that mean "you may not".
const DENIED: [&str; 4] = ["AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "NotAuthorized"];

/// Why a call to AWS had no success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Too many calls; later it will work.
    Throttled,
    /// The caller may not do it.
    Denied,
    /// AWS understood the call and said no.
    Refused,
    /// AWS was not reached, did not answer, or failed itself.
    Unavailable,
}

/// What AWS said to a call that had no success, or why it said nothing.
#[derive(Debug, Clone)]
pub struct Said {
    /// AWS's error code, if there was an answer.
    pub code: Option<String>,
    /// The words for people.
    pub message: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{code}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl StdError for Said {}

impl Said {
    /// Takes the code and the words out of an SDK error.
    pub(crate) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let meta = error.as_service_error().map(ProvideErrorMetadata::meta);
        let code = meta.and_then(|meta| meta.code()).map(str::to_owned);
        let message = match meta.and_then(|meta| meta.message()) {
            Some(message) => message.to_owned(),
            None => Chain(error).to_string(),
        };
        Self { code, message }
    }

    /// Whether AWS gave this very code.
    pub(crate) fn is(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }
}

impl Failure {
    /// Sorts an SDK error.
    pub(crate) fn of<E>(error: &SdkError<E, HttpResponse>, said: &Said) -> Self {
        let status = error.raw_response().map(|response| response.status().as_u16());
        if said.is(&THROTTLING) || status == Some(429) {
            Self::Throttled
        } else if said.is(&DENIED) {
            Self::Denied
        } else if error.as_service_error().is_some() && matches!(status, Some(400..=499)) && said.code.is_some() {
            Self::Refused
        } else {
            Self::Unavailable
        }
    }
}

/// What the shell fails with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call that changed nothing, as far as AWS's answer proves, or that may be repeated safely.
    #[error("cannot call {operation} for {object}")]
    Call {
        /// The API's name of it.
        operation: &'static str,
        /// What it was about.
        object: String,
        /// What kind of failure it was.
        failure: Failure,
        /// What AWS said.
        #[source]
        said: Said,
    },
    /// A registration of which nobody knows whether it happened.
    #[error("cannot tell whether {family} was registered")]
    Uncertain {
        /// The family.
        family: String,
        /// What was seen instead of an answer.
        #[source]
        said: Said,
    },
    /// AWS's answer to a read is no task definition.
    #[error("cannot read what DescribeTaskDefinition answered for {object}")]
    Unreadable {
        /// What was asked for.
        object: String,
        /// What is wrong with it.
        #[source]
        source: ecs_sidecar_core::definition::InputError,
    },
    /// ECR's login cannot be read.
    #[error("cannot read the login that GetAuthorizationToken answered for {registry}")]
    Login {
        /// The registry.
        registry: String,
    },
    /// Others registered revisions as fast as we did.
    #[error("cannot settle {family}: others changed it in each of {rounds} rounds")]
    Contended {
        /// The family.
        family: String,
        /// How often it was tried.
        rounds: u32,
    },
    /// The function's time is nearly over.
    #[error("cannot start to {deed} {family}: too little time is left")]
    OutOfTime {
        /// What was not started.
        deed: &'static str,
        /// The family.
        family: String,
    },
    /// An environment variable has a value that it cannot have.
    #[error("variable {name} is {value:?}; allowed: {allowed}")]
    Setting {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// The policy document in the environment is none.
    #[error("variable {name} holds no usable policy")]
    Policy {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        #[source]
        source: ecs_sidecar_core::policy::PolicyError,
    },
}

impl Error {
    /// Makes an error of a call that had no success and may be repeated safely.
    pub fn call<E>(operation: &'static str, object: impl Into<String>, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let said = Said::of(error);
        Self::Call { operation, object: object.into(), failure: Failure::of(error, &said), said }
    }

    /// Whether the same work may succeed later without anybody doing something about it.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Call { failure, .. } => match failure {
                Failure::Throttled | Failure::Unavailable => true,
                Failure::Denied | Failure::Refused => false,
            },
            Self::Uncertain { .. } | Self::Contended { .. } | Self::OutOfTime { .. } => true,
            Self::Unreadable { .. } | Self::Login { .. } | Self::Setting { .. } | Self::Policy { .. } => false,
        }
    }

    /// Whether AWS said that it was called too often.
    pub fn is_throttled(&self) -> bool {
        matches!(self, Self::Call { failure: Failure::Throttled, .. })
    }

    /// Whether something may have been registered without anybody having seen the answer.
    pub fn is_uncertain(&self) -> bool {
        matches!(self, Self::Uncertain { .. })
    }

    /// Whether whoever was asked does not know the call at all. AWS does; an emulator may not.
    pub(crate) fn is_unknown_call(&self) -> bool {
        self.is_code(&["UnknownOperationException", "InvalidAction", "NotImplemented"])
    }

    /// Whether AWS forbade the call.
    pub(crate) fn is_denied(&self) -> bool {
        matches!(self, Self::Call { failure: Failure::Denied, .. })
    }

    /// Whether AWS answered the call with one of these codes.
    pub fn is_code(&self, codes: &[&str]) -> bool {
        matches!(self, Self::Call { said, .. } if said.is(codes))
    }

    /// What kind of error it is, for metrics and logs.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Call { failure, .. } => match failure {
                Failure::Throttled => "throttled",
                Failure::Denied => "denied",
                Failure::Refused => "refused",
                Failure::Unavailable => "unavailable",
            },
            Self::Uncertain { .. } => "uncertain",
            Self::Unreadable { .. } | Self::Login { .. } => "unreadable",
            Self::Contended { .. } => "contended",
            Self::OutOfTime { .. } => "outOfTime",
            Self::Setting { .. } | Self::Policy { .. } => "setting",
        }
    }
}

/// An error with all that caused it, in one line. For the edge alone: inside, errors are asked, not printed.
pub struct Chain<'a>(pub &'a (dyn StdError + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(failure: Failure) -> Error {
        let said = Said { code: Some("ThrottlingException".into()), message: "Rate exceeded".into() };
        Error::Call { operation: "DescribeTaskDefinition", object: "web".into(), failure, said }
    }

    #[test]
    fn what_aws_may_do_better_next_time_is_retryable() {
        assert!(call(Failure::Throttled).is_retryable() && call(Failure::Unavailable).is_retryable());
        assert!(!call(Failure::Denied).is_retryable() && !call(Failure::Refused).is_retryable());
        assert!(Error::Contended { family: "web".into(), rounds: 3 }.is_retryable());
    }

    #[test]
    fn a_chain_says_each_cause_once() {
        let text = Chain(&call(Failure::Throttled)).to_string();
        assert_eq!(text, "cannot call DescribeTaskDefinition for web: ThrottlingException: Rate exceeded");
    }
}
