//! The breaker: when tasks stop because of an injected container again and again, nothing is written any more.
//!
//! Knows: which of the stopped tasks count, and how many are too many. Must not know: what would be written.
//!
//! | attribute | type | of the item `rollout`, `breaker` |
//! | --- | --- | --- |
//! | `stopped` | SS | `TASK TIME`: tasks that stopped because of an injected container, and when that was told |
//! | `trippedAt` | N | when there were too many; it holds until somebody has used the switch since |
//! | `switchUses` | N | how often the switch had been used then: people's clocks are their own |
//! | `because` | S | what was said of the last of them; for people |
//!
//! The switch itself is for people alone: the functions cannot write what policies are written with.

use crate::error::Error;
use crate::table::{Item, ROLLOUT, Table};

/// The one item.
const BREAKER: &str = "breaker";

/// How many tasks that stop within [`WITHIN`] are too many.
pub const TOO_MANY: usize = 3;

/// The time within which stopped tasks count, in seconds: a quarter of an hour.
pub const WITHIN: u64 = 900;

/// How often a lost race is run again.
const ATTEMPTS: usize = 4;

/// What came of a stopped task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// It did not stop because of an injected container.
    NotOurs,
    /// It did; so many have within the time.
    Counted(usize),
    /// It did, and nothing is written anyway.
    Paused,
    /// It was one too many: from now on nothing is written. For people.
    Tripped(String),
}

/// The breaker as it was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Breaker {
    /// When it tripped, in seconds since 1970.
    pub(crate) tripped_at: Option<u64>,
    /// How often the switch had been used then.
    pub(crate) switch_uses: Option<u64>,
    /// What was said of the task that did it.
    pub(crate) because: Option<String>,
}

impl Table {
    /// The breaker.
    ///
    /// Errors: those of [`Table::get`].
    pub(crate) async fn breaker(&self) -> Result<Breaker, Error> {
        let item = self.get(ROLLOUT, BREAKER).await?;
        let item = item.as_ref();
        Ok(Breaker {
            tripped_at: item.and_then(|item| item.number("trippedAt")),
            switch_uses: item.and_then(|item| item.number("switchUses")),
            because: item.and_then(|item| item.text("because")),
        })
    }

    /// Counts a task that stopped because of an injected container. The same task counts once.
    ///
    /// Errors: those of [`Table::put`].
    pub(crate) async fn count_stopped(&self, task: &str, because: &str) -> Result<Stopped, Error> {
        for _ in 0..ATTEMPTS {
            let mut item = self.get(ROLLOUT, BREAKER).await?.unwrap_or_else(|| Item::new(ROLLOUT, BREAKER));
            let now = self.clock.now();
            let mut stopped = item.texts("stopped");
            stopped.retain(|entry| {
                entry
                    .split_once(' ')
                    .and_then(|(_, at)| at.parse::<u64>().ok())
                    .is_some_and(|at| at.abs_diff(now) < WITHIN)
            });
            if stopped.iter().any(|entry| entry.split(' ').next() == Some(task)) {
                return Ok(Stopped::Counted(stopped.len()));
            }
            stopped.insert(format!("{task} {now}"));
            let count = stopped.len();
            let trips = count >= TOO_MANY;
            item.set_text("because", Some(because));
            if trips {
                item.set_number("trippedAt", Some(now));
                item.set_number("switchUses", Some(self.switch_uses().await?));
                // From here on it is counted anew.
                stopped.clear();
            }
            item.set_texts("stopped", &stopped);
            if self.put(item).await?.is_some() {
                return Ok(if trips { Stopped::Tripped(tripped(because)) } else { Stopped::Counted(count) });
            }
        }
        Err(Error::Contended { family: BREAKER.to_owned(), rounds: 4 })
    }
}

/// Why nothing is written, for people.
pub(crate) fn tripped(because: &str) -> String {
    format!(
        "{TOO_MANY} tasks failed to start because of an injected container within {} minutes, the last one so: {because}",
        WITHIN / 60
    )
}
