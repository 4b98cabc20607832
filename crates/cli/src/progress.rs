//! A line that tells a person that something goes on, and for how long it has.
//!
//! It is written to standard error, and only if that is a terminal.

use crate::age::age;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Clears the line.
const CLEAR_LINE: &str = "\r\u{1b}[K";

/// How often the line is written anew while somebody else is waited for.
const TICK: Duration = Duration::from_millis(250);

/// What turns.
const TURNING: [char; 4] = ['|', '/', '-', '\\'];

/// The line. Dropped, it is gone.
pub(crate) struct Progress {
    started: Instant,
    is_watched: bool,
    turn: usize,
}

impl Progress {
    /// A line that is not there yet.
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), is_watched: std::io::stderr().is_terminal(), turn: 0 }
    }

    /// Whether anybody sees it.
    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched
    }

    /// Says what goes on. It should fit into a line.
    pub(crate) fn tell(&mut self, text: &str) {
        if !self.is_watched {
            return;
        }
        self.turn = (self.turn + 1) % TURNING.len();
        let (turning, elapsed) = (TURNING[self.turn], age(self.started.elapsed().as_secs()));
        // Nobody is hurt if standard error is closed.
        let _ = write!(std::io::stderr(), "{CLEAR_LINE}{turning} {text} ({elapsed})");
    }

    /// Takes the line away, so that something else can be said.
    pub(crate) fn clear(&self) {
        if self.is_watched {
            let _ = write!(std::io::stderr(), "{CLEAR_LINE}");
        }
    }

    /// Says what goes on until it is done.
    pub(crate) async fn during<T>(&mut self, text: &str, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            self.tell(text);
            if let Ok(done) = tokio::time::timeout(TICK, work.as_mut()).await {
                return done;
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
