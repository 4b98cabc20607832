//! The operator on the fake's stage: its functions, its table and queues, and people, all on one clock that goes by hand.
//!
//! Knows: the operator and the world around it. Must not know: what a test asserts; that is in `tests/`.
//!
//! [`stage::Stage`] is one function before a world, [`machine::Machine`] all functions behind their queues,
//! [`shop::Shop`] a machine with services in a cluster, [`registry::Scene`] a stage whose image has to be fetched first.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

pub mod depth;
pub mod machine;
pub mod registry;
pub mod scenes;
pub mod shop;
pub mod stage;
