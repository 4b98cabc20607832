//! The Lambda function `sweep`: what wakes it, and what it answers.

pub mod handler;
pub mod trigger;

pub use handler::Handler;
