//! A request as the world sees it, and what may go wrong with it.
//!
//! Knows: the points at which a call can fail. Must not know: what the calls do.

use crate::World;
use crate::world::answer::ServiceError;
use bytes::Bytes;
use std::fmt;
use std::time::SystemTime;

/// The services that the world speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Elastic Container Service.
    Ecs,
    /// Identity and Access Management.
    Iam,
    /// Elastic Container Registry.
    Ecr,
    /// Simple Queue Service.
    Sqs,
    /// Security Token Service.
    Sts,
    /// CloudWatch Logs.
    Logs,
    /// DynamoDB.
    DynamoDb,
    /// EventBridge.
    Events,
    /// Lambda.
    Lambda,
    /// EventBridge Scheduler.
    Scheduler,
    /// Step Functions.
    States,
}

impl Service {
    /// The service that a credential scope names.
    pub(crate) fn of_scope(name: &str) -> Option<Self> {
        let json = [
            Self::Ecs,
            Self::Ecr,
            Self::Sqs,
            Self::Logs,
            Self::DynamoDb,
            Self::Events,
            Self::Lambda,
            Self::Scheduler,
            Self::States,
        ];
        let query = [Self::Iam, Self::Sts];
        json.into_iter().chain(query).find(|service| service.label() == name)
    }

    /// Its name in credential scopes and IAM actions.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::Iam => "iam",
            Self::Ecr => "ecr",
            Self::Sqs => "sqs",
            Self::Sts => "sts",
            Self::Logs => "logs",
            Self::DynamoDb => "dynamodb",
            Self::Events => "events",
            Self::Lambda => "lambda",
            Self::Scheduler => "scheduler",
            Self::States => "states",
        }
    }

    /// Whether it speaks the query protocol, which answers in XML.
    pub(crate) fn speaks_query(self) -> bool {
        matches!(self, Self::Iam | Self::Sts)
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Ecs | Self::Ecr | Self::Logs | Self::Events => "application/x-amz-json-1.1",
            Self::Sqs | Self::DynamoDb | Self::States => "application/x-amz-json-1.0",
            Self::Lambda | Self::Scheduler => "application/json",
            Self::Iam | Self::Sts => "text/xml",
        }
    }
}

/// One request that arrived.
#[derive(Clone)]
pub struct Call {
    /// Counts from 1, over all services.
    pub sequence: u64,
    /// Whom it was sent to.
    pub service: Service,
    /// `RegisterTaskDefinition` for example.
    pub operation: String,
    /// What it is about: family, revision, service, cluster, role, repository, queue, table or function, as the request
    /// names it; with a comma between them if it names several.
    pub target: String,
    /// ARN of the principal whose credential signed it; the access key if nobody has it.
    pub principal: String,
    /// The bytes that arrived.
    pub body: Bytes,
    /// When it came, by the world's clock.
    pub at: SystemTime,
    /// What became of it.
    pub outcome: Outcome,
}

/// Without the body, which may hold somebody's environment.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({} by {}: {self})", self.sequence, self.principal)
    }
}

/// `RegisterTaskDefinition web`, and behind it what went wrong, if anything.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation, self.target)?;
        match &self.outcome {
            Outcome::Pending | Outcome::Answered => Ok(()),
            Outcome::Failed(code) => write!(f, " ({code})"),
            Outcome::Lost => write!(f, " (answer lost)"),
        }
    }
}

/// What became of a call, as its sender saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet.
    Pending,
    /// It was answered.
    Answered,
    /// It was answered with the error of that code.
    Failed(String),
    /// Its sender never got an answer, or none that can be read.
    Lost,
}

/// What happens to the world around a call.
pub type Deed = Box<dyn FnOnce(&World) + Send>;

/// What a test does to a call.
#[derive(Default)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// It is refused with this error; nothing is done.
    FailBefore(ServiceError),
    /// It is throttled; nothing is done.
    Throttle,
    /// The connection drops before the request arrives; nothing is done.
    LoseRequest,
    /// It is done, but the connection drops before the answer.
    ApplyAndLoseAnswer,
    /// It is done, but the answer does not come in time.
    ApplyAndTimeOut,
    /// It is done, but answered with this error, as a server that stumbles late does.
    ApplyAndFail(ServiceError),
    /// It is done, and answered with 200 and a body that cannot be read.
    ApplyAndGarble,
    /// It is answered as things were before the last write. Only reads can be stale.
    Stale,
    /// It is answered as things were in that world, a [fork](World::fork) from earlier. Only reads can be.
    AsOf(World),
    /// Somebody does something before the call is.
    Before(Deed),
    /// Somebody does something after the call, before its answer arrives.
    Then(Deed),
    /// Both. Deeds are done in their order; of two failures the second counts.
    Both(Box<Fault>, Box<Fault>),
}

impl Fault {
    /// Somebody does this before the call.
    pub fn before(deed: impl FnOnce(&World) + Send + 'static) -> Self {
        Self::Before(Box::new(deed))
    }

    /// Somebody does this right after the call.
    pub fn then(deed: impl FnOnce(&World) + Send + 'static) -> Self {
        Self::Then(Box::new(deed))
    }

    /// This and another.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::Both(Box::new(self), Box::new(other))
    }

    /// Takes a fault apart into what is done before, what goes wrong, and what is done after.
    pub(crate) fn script(self) -> Script {
        let mut script = Script::default();
        self.add_to(&mut script);
        script
    }

    fn add_to(self, script: &mut Script) {
        match self {
            Self::None => {}
            Self::Before(deed) => script.before.push(deed),
            Self::Then(deed) => script.after.push(deed),
            Self::Both(first, second) => {
                first.add_to(script);
                second.add_to(script);
            }
            Self::FailBefore(error) => script.mishap = Mishap::FailBefore(error),
            Self::Throttle => script.mishap = Mishap::Throttle,
            Self::LoseRequest => script.mishap = Mishap::LoseRequest,
            Self::ApplyAndLoseAnswer => script.mishap = Mishap::Answer(Spoilt::Dropped),
            Self::ApplyAndTimeOut => script.mishap = Mishap::Answer(Spoilt::Late),
            Self::ApplyAndFail(error) => script.mishap = Mishap::Answer(Spoilt::Error(error)),
            Self::ApplyAndGarble => script.mishap = Mishap::Answer(Spoilt::Garbled),
            Self::Stale => script.shown = Shown::BeforeLastWrite,
            Self::AsOf(world) => script.shown = Shown::AsIn(world),
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::FailBefore(error) => write!(f, "FailBefore({error})"),
            Self::Throttle => f.write_str("Throttle"),
            Self::LoseRequest => f.write_str("LoseRequest"),
            Self::ApplyAndLoseAnswer => f.write_str("ApplyAndLoseAnswer"),
            Self::ApplyAndTimeOut => f.write_str("ApplyAndTimeOut"),
            Self::ApplyAndFail(error) => write!(f, "ApplyAndFail({error})"),
            Self::ApplyAndGarble => f.write_str("ApplyAndGarble"),
            Self::Stale => f.write_str("Stale"),
            Self::AsOf(_) => f.write_str("AsOf"),
            Self::Before(_) => f.write_str("Before"),
            Self::Then(_) => f.write_str("Then"),
            Self::Both(first, second) => write!(f, "{first:?} and {second:?}"),
        }
    }
}

/// A fault taken apart.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) before: Vec<Deed>,
    pub(crate) mishap: Mishap,
    pub(crate) shown: Shown,
    pub(crate) after: Vec<Deed>,
}

/// Which state a read is answered from.
#[derive(Default)]
pub(crate) enum Shown {
    /// The one that there is.
    #[default]
    Now,
    /// The one before the last write.
    BeforeLastWrite,
    /// The one of another world.
    AsIn(World),
}

/// What goes wrong with the call itself.
#[derive(Default)]
pub(crate) enum Mishap {
    #[default]
    Nothing,
    FailBefore(ServiceError),
    Throttle,
    LoseRequest,
    Answer(Spoilt),
}

/// What becomes of an answer on its way.
pub(crate) enum Spoilt {
    Dropped,
    Late,
    Error(ServiceError),
    Garbled,
}

/// Why a sender gets no answer at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The connection was closed.
    #[error("connection closed before message completed")]
    Dropped,
    /// Nothing came in time.
    #[error("no answer within the read timeout")]
    TimedOut,
}
