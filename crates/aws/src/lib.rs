//! The shell: sees what there is in AWS, lets core decide, and does what was decided.
//!
//! Everything that reads is in [`observe`], everything that writes in [`act`]; neither decides anything. Task
//! definitions pass through as the bytes that came ([`ecs`]).

pub mod act;
pub mod breaker;
pub mod clients;
pub mod clock;
pub mod deadline;
mod demands;
mod due;
pub mod ecr;
pub mod ecs;
pub mod error;
mod gap;
pub mod history;
pub mod iam;
pub mod image;
pub mod ledger;
pub mod logs;
pub mod memory;
pub mod meter;
pub mod news;
pub mod observe;
pub mod pace;
pub mod queue;
mod raw;
pub mod reconcile;
mod registry;
pub mod rollout;
pub mod rows;
pub mod service_rows;
pub mod services;
pub mod settings;
pub mod standing;
mod stopped;
mod succession;
pub mod sweep;
pub mod sweep_state;
pub mod table;
mod telling;
pub mod warm;

pub use clients::Clients;
pub use deadline::Deadline;
pub use error::{Chain, Error};
pub use pace::Urgency;
pub use reconcile::{ReconcileAction, Reconciler};
pub use settings::Settings;
