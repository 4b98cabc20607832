//! What came of a plan, or of the wish to act on it.

use crate::decision::Plan;
use crate::ids::Arn;
use crate::refusal::Refusal;

/// What came of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing had to be done, or nothing was to be.
    Nothing,
    /// It was a plan only.
    Planned,
    /// Roles got what they lacked, or a log group was made; nothing had to be registered.
    Granted,
    /// The image is not there yet; the family is to be looked at again.
    Waiting {
        /// After so many seconds.
        seconds: u32,
        /// What is in the way meanwhile.
        refusal: Refusal,
    },
    /// Nothing was done, and nothing is to be until somebody ends what is in the way; then the family is looked at.
    Held {
        /// What is in the way.
        refusal: Refusal,
    },
    /// The result is registered.
    Registered {
        /// ARN of the new revision.
        arn: Arn,
        /// Revisions of ours that were in the way and are deregistered.
        deregistered: Vec<Arn>,
    },
    /// Revisions of ours are deregistered, and nothing else was done.
    Deregistered {
        /// Their ARNs.
        arns: Vec<Arn>,
    },
    /// AWS refused; the workload is as it was.
    Refused {
        /// Why.
        refusal: Refusal,
        /// Revisions of ours that were deregistered for it.
        deregistered: Vec<Arn>,
    },
}

impl Outcome {
    /// What comes of a plan that nobody acts on.
    pub fn of_plan_only(plan: &Plan) -> Self {
        if plan.changes_something() { Self::Planned } else { Self::Nothing }
    }

    /// The stable word for it.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Planned => "planned",
            Self::Granted => "granted",
            Self::Waiting { .. } => "waiting",
            Self::Held { .. } => "held",
            Self::Registered { .. } => "registered",
            Self::Deregistered { .. } => "deregistered",
            Self::Refused { .. } => "refused",
        }
    }

    /// After how many seconds the family is to be looked at again, if it is.
    pub fn again_in_seconds(&self) -> Option<u32> {
        match self {
            Self::Waiting { seconds, .. } => Some(*seconds),
            Self::Nothing
            | Self::Planned
            | Self::Granted
            | Self::Held { .. }
            | Self::Registered { .. }
            | Self::Deregistered { .. }
            | Self::Refused { .. } => None,
        }
    }

    pub(crate) fn deregistered(&self) -> &[Arn] {
        match self {
            Self::Nothing | Self::Planned | Self::Granted | Self::Waiting { .. } | Self::Held { .. } => &[],
            Self::Deregistered { arns } => arns,
            Self::Registered { deregistered, .. } | Self::Refused { deregistered, .. } => deregistered,
        }
    }
}
