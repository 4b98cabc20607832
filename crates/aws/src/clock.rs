//! The time of day, and waiting: those of the clients' own configuration, so that tests have a clock by hand.
//!
//! Knows: what the configuration brings. Must not know: who waits for what.

use aws_smithy_async::rt::sleep::{AsyncSleep as _, SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_types::SdkConfig;
use std::time::{Duration, SystemTime};

/// A clock.
#[derive(Debug, Clone)]
pub struct Clock {
    time: SharedTimeSource,
    sleep: SharedAsyncSleep,
}

impl Clock {
    /// The clock that a configuration's clients have.
    pub fn of(config: &SdkConfig) -> Self {
        Self {
            time: config.time_source().unwrap_or_else(|| SharedTimeSource::new(SystemTimeSource::new())),
            sleep: config.sleep_impl().unwrap_or_else(|| SharedAsyncSleep::new(TokioSleep::new())),
        }
    }

    /// Seconds since 1970.
    pub fn now(&self) -> u64 {
        self.since_1970().as_secs()
    }

    /// Milliseconds since 1970.
    pub(crate) fn milliseconds(&self) -> u64 {
        u64::try_from(self.since_1970().as_millis()).unwrap_or(u64::MAX)
    }

    /// Nanoseconds since 1970: no two callers of a process get the same.
    pub(crate) fn nanoseconds(&self) -> u128 {
        self.since_1970().as_nanos()
    }

    fn since_1970(&self) -> Duration {
        self.time.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    /// Waits.
    pub(crate) async fn wait(&self, duration: Duration) {
        self.sleep.sleep(duration).await;
    }
}
