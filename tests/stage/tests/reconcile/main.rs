//! The shell and the function, through the real clients, in a world that loses nothing and fails on command.
//!
//! Each test says which calls there are, so that one call too many fails as one too few does.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod breaker;
mod cases;
mod claims;
mod depths;
mod events;
mod gaps;
mod image;
mod invariants;
mod log_group;
mod losses;
mod news;
mod pin;
mod quiet;
mod refusals;
mod regressions;
mod rollout;
mod rollout_ended;
mod rollout_faults;
mod rollout_odd;
mod rollout_sweep;
mod sweep;
mod table;
mod waiting;
