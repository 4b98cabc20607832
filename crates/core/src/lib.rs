//! What the operator knows and decides, without any AWS call, clock, environment or randomness.

pub mod definition;
pub mod edit;
pub mod ids;
pub mod json;
pub mod keys;
pub mod names;
mod prune;
pub mod size;
pub mod splice;
