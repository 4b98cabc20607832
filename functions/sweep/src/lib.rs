//! The Lambda function `sweep`: what wakes it, and what it answers.

pub mod handler;

pub use ecs_sidecar_core::trigger::sweep as trigger;
pub use handler::Handler;
