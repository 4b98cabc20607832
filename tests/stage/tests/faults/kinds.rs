//! What goes wrong with a call, one kind after the other.
//!
//! Knows: which kinds there are, and with which calls each can happen. Must not know: what follows.

use crate::people::{Somebody, WRITES};
use ecs_sidecar_stage::stage::die;
use ecs_sidecar_tests::{Call, Fault, Mishap, Service, ServiceError};
use std::time::Duration;

/// For how long a trouble lasts that the clients' retries do not outlive. A message that failed comes again later.
pub(crate) const LASTS: Duration = Duration::from_secs(120);

/// How often something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    /// To that call alone.
    Once,
    /// To the same call again and again, for a while: the client gives up.
    Lasting,
}

/// Before or after the call is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Right before.
    Before,
    /// Right after, and before its answer arrives.
    After,
}

/// What fails before a call is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// AWS stumbles.
    ServerError,
    /// AWS does not allow it for now.
    Denied,
    /// The connection ends.
    LostRequest,
    /// AWS wants to be left alone.
    Throttled,
}

/// What becomes of an answer whose call was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The connection ends.
    Dropped,
    /// It does not come in time.
    TimedOut,
    /// It cannot be read.
    Garbled,
    /// AWS stumbles.
    ServerError,
}

/// What a stale read shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shows {
    /// Things as they were before what woke the operator.
    Past,
    /// Things as they were before the operator did anything.
    Beginning,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It fails, and nothing is done.
    Fails(Failure, Times),
    /// It is done, and nobody sees the answer.
    Loses(Loss, Times),
    /// The worker dies.
    Dies(Moment),
    /// It shows what was; for the lasting ones, all reads of the service do.
    Stale(Shows, Times),
    /// Somebody else does something.
    Beside(Somebody, Moment),
    /// A pull from the registry goes wrong.
    Pull(Mishap),
}

const FAILURES: [Failure; 4] = [Failure::ServerError, Failure::Denied, Failure::LostRequest, Failure::Throttled];
const LOSSES: [Loss; 4] = [Loss::Dropped, Loss::TimedOut, Loss::Garbled, Loss::ServerError];
const TIMES: [Times; 2] = [Times::Once, Times::Lasting];
const MOMENTS: [Moment; 2] = [Moment::Before, Moment::After];
const SHOWS: [Shows; 2] = [Shows::Past, Shows::Beginning];
const MISHAPS: [Mishap; 5] =
    [Mishap::Status(429), Mishap::Status(403), Mishap::Status(500), Mishap::Cut, Mishap::Corrupt];

/// The first of two, and the second of two. What the client tries again is no first one: it may change the order of
/// calls that run side by side, so that the second one has no place.
pub(crate) const PAIRS: ([Kind; 3], [Kind; 3]) = (
    [Kind::Loses(Loss::Dropped, Times::Once), Kind::Dies(Moment::After), Kind::Fails(Failure::Denied, Times::Once)],
    [Kind::Loses(Loss::Dropped, Times::Once), Kind::Dies(Moment::Before), Kind::Dies(Moment::After)],
);

impl Kind {
    /// Each of them.
    pub(crate) fn all() -> Vec<Self> {
        let fails = FAILURES.iter().flat_map(|failure| TIMES.map(|times| Self::Fails(*failure, times)));
        let loses = LOSSES.iter().flat_map(|loss| TIMES.map(|times| Self::Loses(*loss, times)));
        let stale = SHOWS.iter().flat_map(|shows| TIMES.map(|times| Self::Stale(*shows, times)));
        let beside = WRITES.iter().flat_map(|somebody| MOMENTS.map(|moment| Self::Beside(*somebody, moment)));
        let dies = MOMENTS.map(Self::Dies);
        fails.chain(loses).chain(dies).chain(stale).chain(beside).chain(MISHAPS.map(Self::Pull)).collect()
    }

    /// The word for it.
    pub(crate) fn label(self) -> String {
        let times = |times: Times| if times == Times::Lasting { "-lasting" } else { "" };
        match self {
            Self::Fails(failure, how) => format!("fails-{failure:?}{}", times(how)),
            Self::Loses(loss, how) => format!("loses-{loss:?}{}", times(how)),
            Self::Dies(moment) => format!("dies-{moment:?}"),
            Self::Stale(shows, how) => format!("stale-{shows:?}{}", times(how)),
            Self::Beside(somebody, moment) => format!("{}-{moment:?}", somebody.label()),
            Self::Pull(mishap) => format!("pull-{mishap:?}").replace(['(', ')'], ""),
        }
    }

    /// Whether it can happen to that call, and the operator or the world can tell it from another kind that is tried there
    /// or at the next call.
    ///
    /// What is read strongly consistently is never stale, and that is all of DynamoDB. A read changes nothing, so that
    /// its worker dies before it as after it, and that its answer is lost is told only by how: cut off and refused as before
    /// it was sent, which is tried as that, or garbled. What somebody does after a call he does before the next one, unless
    /// time goes by between them.
    pub(crate) fn differs_at(self, call: &Call, next: Option<&Call>) -> bool {
        match self {
            Self::Stale(..) => is_read(call) && call.service != Service::DynamoDb,
            Self::Loses(loss, _) => loss == Loss::Garbled || !is_read(call),
            Self::Dies(Moment::After) => !is_read(call),
            Self::Beside(_, Moment::After) => next.is_none_or(|next| next.at != call.at),
            Self::Fails(..) | Self::Dies(Moment::Before) | Self::Beside(_, Moment::Before) => true,
            Self::Pull(_) => false,
        }
    }

    /// Whether what happened to the first call happens to this one too, which comes within [`LASTS`].
    pub(crate) fn goes_on(self, first: &Call, call: &Call) -> bool {
        match self {
            Self::Fails(_, Times::Lasting) | Self::Loses(_, Times::Lasting) => {
                first.operation == call.operation && first.body == call.body
            }
            Self::Stale(_, Times::Lasting) => first.service == call.service && is_read(call),
            Self::Fails(..) | Self::Loses(..) | Self::Stale(..) | Self::Dies(_) | Self::Beside(..) | Self::Pull(_) => {
                false
            }
        }
    }
}

impl Failure {
    /// As a service says it.
    pub(crate) fn fault(self, service: Service) -> Fault {
        match self {
            Self::ServerError => Fault::FailBefore(stumbles()),
            Self::Denied => {
                let code = if service == Service::Iam { "AccessDenied" } else { "AccessDeniedException" };
                Fault::FailBefore(ServiceError::new(code, "not now"))
            }
            Self::LostRequest => Fault::LoseRequest,
            Self::Throttled => Fault::Throttle,
        }
    }
}

impl Loss {
    /// What becomes of the answer.
    pub(crate) fn fault(self) -> Fault {
        match self {
            Self::Dropped => Fault::ApplyAndLoseAnswer,
            Self::TimedOut => Fault::ApplyAndTimeOut,
            Self::Garbled => Fault::ApplyAndGarble,
            Self::ServerError => Fault::ApplyAndFail(stumbles()),
        }
    }
}

impl Moment {
    /// The end of the worker at that moment.
    pub(crate) fn death(self) -> Fault {
        match self {
            Self::Before => Fault::before(die),
            Self::After => Fault::then(die),
        }
    }
}

fn stumbles() -> ServiceError {
    ServiceError::new("ServerException", "Service Unavailable. Please try again later.").with_status(500)
}

fn is_read(call: &Call) -> bool {
    let reads = ["Describe", "List", "Get", "BatchGet", "BatchCheck", "Simulate", "Query", "Scan"];
    reads.iter().any(|name| call.operation.starts_with(name))
}
