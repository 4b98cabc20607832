//! Until when the work has to be done.

use crate::error::Error;
use ecs_sidecar_core::ids::Family;
use std::time::Duration;
use tokio::time::Instant;

/// Until when the work has to be done.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// There is time.
    pub fn none() -> Self {
        Self(None)
    }

    /// At that moment everything stops.
    pub fn at(instant: Instant) -> Self {
        Self(Some(instant))
    }

    /// The same, or after that long if it is sooner.
    pub(crate) fn bounded(self, longest: Duration) -> Self {
        self.no_later_than(Instant::now() + longest)
    }

    /// The same, or that moment if it is sooner.
    pub(crate) fn no_later_than(self, bound: Instant) -> Self {
        Self(Some(self.0.map_or(bound, |end| end.min(bound))))
    }

    /// Waits for work until then. `None`: it was not done in time, and is dropped.
    pub(crate) async fn limit<T>(self, work: impl Future<Output = T>) -> Option<T> {
        match self.0 {
            Some(end) => tokio::time::timeout_at(end, work).await.ok(),
            None => Some(work.await),
        }
    }

    /// Whether what may take that long can be started.
    pub fn leaves(self, needed: Duration) -> bool {
        self.0.is_none_or(|end| Instant::now() + needed <= end)
    }

    /// So much earlier.
    pub(crate) fn earlier(self, by: Duration) -> Self {
        Self(self.0.map(|end| end.checked_sub(by).unwrap_or_else(Instant::now)))
    }

    /// Refuses to start what may take that long.
    pub(crate) fn allow(self, needed: Duration, deed: &'static str, family: &Family) -> Result<(), Error> {
        if self.leaves(needed) { Ok(()) } else { Err(Error::OutOfTime { deed, family: family.as_str().to_owned() }) }
    }
}
