//! The function's inside: what an event asks for, and what is answered.
//!
//! Events are untrusted and may hold somebody's environment in plain text, so they are reduced to a handful of known
//! scalars at the very edge ([`trigger`]); nothing else of them is kept, logged or sent on.

pub mod handler;
pub mod trigger;

pub use handler::{FunctionError, Handler};
