//! The world's time, which nobody has to wait for, and the buckets that depend on it.
//!
//! Knows: how ECS meters its calls. Must not know: what the calls do.

use crate::world::state::Place;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Where a world that stands still begins: 2026-01-02T03:04:05Z.
const BEGINNING: Duration = Duration::from_secs(1_767_323_045);

/// What tells a world the time: either the machine's clock or one that moves only by hand.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<Mutex<Duration>>>);

impl Clock {
    /// The machine's clock.
    pub fn of_the_machine() -> Self {
        Self(None)
    }

    /// A clock that stands still until somebody [advances](Clock::advance) it.
    pub fn by_hand() -> Self {
        Self(Some(Arc::new(Mutex::new(BEGINNING))))
    }

    /// The time now.
    pub fn now(&self) -> SystemTime {
        self.0.as_ref().map_or_else(SystemTime::now, |by_hand| SystemTime::UNIX_EPOCH + *lock(by_hand))
    }

    /// Since 1970.
    pub(crate) fn since_epoch(&self) -> Duration {
        self.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    /// Moves a clock that goes by hand. The machine's clock does not listen.
    pub fn advance(&self, by: Duration) {
        if let Some(by_hand) = &self.0 {
            *lock(by_hand) += by;
        }
    }

    /// Another clock that shows the same time now.
    pub(crate) fn fork(&self) -> Self {
        Self(self.0.as_ref().map(|by_hand| Arc::new(Mutex::new(*lock(by_hand)))))
    }

    /// Whether it goes by hand, so that waiting means moving it.
    pub(crate) fn is_by_hand(&self) -> bool {
        self.0.is_some()
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
