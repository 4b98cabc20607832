//! What goes wrong between the operator and AWS.
//!
//! Knows: the ways in which a call fails. Must not know: what the operator makes of it.

use crate::chance::Draw;
use ecs_sidecar_tests::{Call, Fault, Service, ServiceError};

/// What can go wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mishap {
    /// It is refused, and nothing is done.
    Fails,
    /// ECS says that it was called too often.
    Throttled,
    /// The request never arrives.
    RequestLost,
    /// It is done, and the answer never arrives.
    AnswerLost,
    /// It is done, and the answer does not come in time.
    AnswerLate,
    /// It is done, and answered with a failure.
    DoneAndFails,
    /// It is done, and nobody can read the answer.
    Garbled,
    /// The answer is of a moment ago.
    Stale,
    /// The request is under way for so long that its sender has given it up when it arrives, and it is done all the same.
    RequestLate,
    /// The worker dies before it is done.
    DiesBefore,
    /// The worker dies after it was done.
    DiesAfter,
}

impl Mishap {
    /// Each, with how often it comes up.
    const ALL: [(u64, Self); 11] = [
        (9, Self::Fails),
        (10, Self::Throttled),
        (9, Self::RequestLost),
        (16, Self::AnswerLost),
        (7, Self::AnswerLate),
        (8, Self::DoneAndFails),
        (6, Self::Garbled),
        (14, Self::Stale),
        (7, Self::RequestLate),
        (5, Self::DiesBefore),
        (9, Self::DiesAfter),
    ];

    /// One of them.
    pub(crate) fn drawn(draw: &mut Draw) -> Self {
        draw.weighted(&Self::ALL)
    }

    /// The story's words for it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Fails => "fails, not done",
            Self::Throttled => "throttled",
            Self::RequestLost => "request lost",
            Self::AnswerLost => "done, answer lost",
            Self::AnswerLate => "done, answer late",
            Self::DoneAndFails => "done, and fails",
            Self::Garbled => "done, answer garbled",
            Self::Stale => "stale",
            Self::RequestLate => "request late",
            Self::DiesBefore => "dies, not done",
            Self::DiesAfter => "done, and dies",
        }
    }

    /// All labels.
    pub(crate) fn labels() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().map(|(_, mishap)| mishap.label())
    }

    /// What the world does about it. `None`: it cannot happen to this call.
    pub(crate) fn fault(self, call: &Call) -> Option<Fault> {
        let failure = || ServiceError::new(stumbles(call.service), "Something went wrong.").with_status(500);
        Some(match self {
            Self::Fails => Fault::FailBefore(failure()),
            Self::Throttled => Fault::Throttle,
            Self::RequestLost => Fault::LoseRequest,
            Self::AnswerLost => Fault::ApplyAndLoseAnswer,
            Self::AnswerLate => Fault::ApplyAndTimeOut,
            Self::DoneAndFails => Fault::ApplyAndFail(failure()),
            Self::Garbled => Fault::ApplyAndGarble,
            Self::Stale if may_be_stale(call) => Fault::Stale,
            Self::Stale => return None,
            // The wire sees to these.
            Self::RequestLate | Self::DiesBefore | Self::DiesAfter => Fault::None,
        })
    }
}

/// DynamoDB is asked for consistent reads, and answers no older state.
fn may_be_stale(call: &Call) -> bool {
    let reads = ["Describe", "List", "Get", "Batch"].iter().any(|word| call.operation.starts_with(word));
    reads && matches!(call.service, Service::Ecs | Service::Iam | Service::Ecr)
}

/// What a service says when it stumbles.
fn stumbles(service: Service) -> &'static str {
    match service {
        Service::DynamoDb | Service::Sqs | Service::Lambda | Service::Scheduler | Service::States => {
            "InternalServerError"
        }
        Service::Iam | Service::Sts => "ServiceFailure",
        Service::Ecs | Service::Ecr | Service::Logs | Service::Events => "ServerException",
    }
}
