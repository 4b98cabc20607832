//! The world's time, which nobody has to wait for, and the buckets that depend on it.
//!
//! Knows: how ECS meters its calls. Must not know: what the calls do.

use crate::world::state::Place;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Where a world that stands still begins: 2026-01-02T03:04:05Z.
const BEGINNING: Duration = Duration::from_secs(1_767_323_045);

/// What tells a world the time.
#[derive(Debug, Clone, Default)]
pub struct Clock(Time);

#[derive(Debug, Clone, Default)]
enum Time {
    #[default]
    OfTheMachine,
    ByHand(Arc<Mutex<Duration>>),
    /// Since that moment of the runtime's time, which a test may pause.
    OfTheRuntime(Instant),
}

impl Clock {
    /// The machine's clock.
    pub fn of_the_machine() -> Self {
        Self(Time::OfTheMachine)
    }

    /// A clock that stands still until somebody [advances](Clock::advance) it.
    pub fn by_hand() -> Self {
        Self(Time::ByHand(Arc::new(Mutex::new(BEGINNING))))
    }

    /// A clock that goes as the time of tokio's runtime does: where that is paused, whenever everybody waits.
    pub fn of_the_runtime() -> Self {
        Self(Time::OfTheRuntime(Instant::now()))
    }

    /// The time now.
    pub fn now(&self) -> SystemTime {
        match &self.0 {
            Time::OfTheMachine => SystemTime::now(),
            Time::ByHand(time) => SystemTime::UNIX_EPOCH + *lock(time),
            Time::OfTheRuntime(beginning) => SystemTime::UNIX_EPOCH + BEGINNING + beginning.elapsed(),
        }
    }

    /// Since 1970.
    pub(crate) fn since_epoch(&self) -> Duration {
        self.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    /// Moves a clock that goes by hand. Another one does not listen.
    pub fn advance(&self, by: Duration) {
        match &self.0 {
            Time::ByHand(time) => *lock(time) += by,
            Time::OfTheMachine | Time::OfTheRuntime(_) => {}
        }
    }

    /// Another clock that shows the same time now.
    pub(crate) fn fork(&self) -> Self {
        Self(match &self.0 {
            Time::ByHand(time) => Time::ByHand(Arc::new(Mutex::new(*lock(time)))),
            other @ (Time::OfTheMachine | Time::OfTheRuntime(_)) => other.clone(),
        })
    }

    /// Whether it goes by hand, so that waiting means moving it.
    pub(crate) fn is_by_hand(&self) -> bool {
        match &self.0 {
            Time::ByHand(_) => true,
            Time::OfTheMachine | Time::OfTheRuntime(_) => false,
        }
    }
}

/// Locks, also after a test's thread has panicked with the lock in hand: the state is whole after every statement.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One of the buckets that ECS's calls are paid from, per account and Region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Bucket {
    /// What changes task definitions.
    Modify,
    /// What looks at them.
    Read,
    /// What changes services.
    ServiceModify,
    /// What looks at services.
    ServiceRead,
    /// What looks at service deployments. ECS's table does not name service revisions; they are taken for the same.
    DeploymentRead,
    /// What looks at clusters.
    ClusterRead,
    /// What changes tags.
    TagModify,
}

impl Bucket {
    /// The bucket that an operation of ECS is paid from.
    pub(crate) fn of(operation: &str) -> Option<Self> {
        match operation {
            "RegisterTaskDefinition" | "DeregisterTaskDefinition" => Some(Self::Modify),
            "DescribeTaskDefinition" | "ListTaskDefinitions" | "ListTaskDefinitionFamilies" => Some(Self::Read),
            "CreateService" | "UpdateService" | "DeleteService" => Some(Self::ServiceModify),
            "DescribeServices" | "ListServices" => Some(Self::ServiceRead),
            "ListServiceDeployments" | "DescribeServiceDeployments" | "DescribeServiceRevisions" => {
                Some(Self::DeploymentRead)
            }
            "ListClusters" | "DescribeClusters" => Some(Self::ClusterRead),
            "TagResource" => Some(Self::TagModify),
            _ => None,
        }
    }

    /// Burst, and tokens a second.
    fn size(self) -> (f64, f64) {
        match self {
            Self::Modify => (20.0, 1.0),
            Self::Read | Self::DeploymentRead | Self::ClusterRead => (50.0, 20.0),
            Self::ServiceModify => (50.0, 5.0),
            Self::ServiceRead => (100.0, 20.0),
            Self::TagModify => (20.0, 10.0),
        }
    }
}

/// How full each bucket was when it was last looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buckets(HashMap<(Place, Bucket), (f64, Duration)>);

impl Buckets {
    /// Takes a token if there is one.
    pub(crate) fn take(&mut self, place: &Place, bucket: Bucket, now: Duration) -> bool {
        let (burst, rate) = bucket.size();
        let (tokens, at) = self.0.entry((place.clone(), bucket)).or_insert((burst, now));
        *tokens = (*tokens + now.saturating_sub(*at).as_secs_f64() * rate).min(burst);
        *at = now;
        // A token that is missing the last billionth is there: refilling adds up fractions.
        let granted = *tokens >= 1.0 - 1e-9;
        if granted {
            *tokens -= 1.0;
        }
        granted
    }
}
