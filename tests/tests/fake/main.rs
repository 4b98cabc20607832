//! The fake itself, asked through the official clients and by hand.
//!
//! A judge that lets everything pass proves nothing: each test here is about something that an emulator gets wrong,
//! and fails if the fake does too.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod caches;
mod definitions;
mod entries;
mod expressions;
mod faults;
mod functions;
mod lists;
mod losses;
mod metering;
mod neighbours;
mod notices;
mod refusals;
mod revisions;
mod rollouts;
mod services;
mod signatures;
mod sockets;
mod starters;
mod tables;
