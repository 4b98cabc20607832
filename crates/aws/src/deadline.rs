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

    /// Refuses to start what may take that long.
    pub(crate) fn allow(self, needed: Duration, deed: &'static str, family: &Family) -> Result<(), Error> {
        match self.0 {
            Some(end) if Instant::now() + needed > end => {
                Err(Error::OutOfTime { deed, family: family.as_str().to_owned() })
            }
            Some(_) | None => Ok(()),
        }
    }
}
