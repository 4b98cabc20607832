//! The operator on the fake's stage: its functions, its table and queues, and people, all on one clock that goes by hand.
//!
//! Knows: the operator and the world around it. Must not know: what a test asserts; that is in `tests/`, but for what
//! several of them assert alike.
//!
//! [`stage::Stage`] is one function before a world, [`machine::Machine`] all functions behind their queues,
//! [`shop::Shop`] a machine with services in a cluster, [`registry::Scene`] a stage whose image has to be fetched first.
//! [`invariants`] say what holds of any of them once the world is quiet.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

pub mod depth;
pub mod invariants;
pub mod machine;
pub mod registry;
pub mod scenes;
pub mod shop;
pub mod stage;
