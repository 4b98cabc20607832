//! Why a template is not transformed. Told to whoever deploys it, so each says what to do.

use ecs_sidecar_core::reason::Reason;
use std::fmt;

/// How to have a definition left alone.
const OPT_OUT: &str = "or opt the resource out with Metadata: {EcsSidecar: {Inject: false}}";

/// One thing that is in the way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The decision hangs on a value that only the deployment will know.
    #[error(
        "resource {resource}, property {property}: {why}, and the sidecar depends on it; make it a literal or a \
         parameter of the template, {OPT_OUT}"
    )]
    Undecidable {
        /// Logical id.
        resource: String,
        /// Path of the property, with the names of containers.
        property: String,
        /// What is known of the value.
        why: String,
    },
    /// The place that has to change is no literal.
    #[error(
        "resource {resource}, property {property}: nothing can be added to an intrinsic; write the list out, {OPT_OUT}"
    )]
    NoLiteral {
        /// Logical id.
        resource: String,
        /// Path of the property, with the names of containers.
        property: String,
    },
    /// The sidecar cannot be had, and whoever deploys can do something about it.
    #[error("resource {resource}, property {property}: {reason}: {message}; {todo}, {OPT_OUT}")]
    Refused {
        /// Logical id.
        resource: String,
        /// The property that it is about.
        property: &'static str,
        /// Why, as the operator says it too.
        reason: Reason,
        /// The particulars.
        message: String,
        /// What to do.
        todo: &'static str,
    },
    /// The template's own words about sidecars cannot be understood.
    #[error("resource {resource}, property {property}: must be true or false")]
    Metadata {
        /// Logical id.
        resource: String,
        /// Path of the property.
        property: String,
    },
    /// A loop, whose resources this program does not see.
    #[error("resource {0}: a loop over task definitions cannot be decided on; write the task definitions out")]
    Loop(String),
    /// What was sent is no template.
    #[error(
        "the fragment has no Resources: name the macro in the template's own Transform section, not in Fn::Transform \
         inside of a resource"
    )]
    NoTemplate,
}

/// All that is in the way, one a line. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let joint = if index == 0 { "" } else { "\n" };
            write!(f, "{joint}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}
