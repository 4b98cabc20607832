//! The function's inside: what an event asks for, and what is answered.
//!
//! Events are untrusted and may hold somebody's environment in plain text, so they are reduced to a handful of known
//! scalars at the very edge ([`trigger`], which is pure); nothing else of them is kept, logged or sent on.

pub mod handler;

pub use ecs_sidecar_core::trigger;
pub use handler::{FunctionError, Handler};
