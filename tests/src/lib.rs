//! An ECS for tests that loses nothing, and the little of IAM, ECR, SQS, STS, CloudWatch Logs, DynamoDB, EventBridge and Lambda that stands around it.
//!
//! Knows: what AWS answers, and what it refuses. Must not know: anything of the operator; it only borrows core's
//! JSON reader and its checker of registrations. Nothing of this package may be a dependency of `crates/`.
//!
//! There is one in-memory [`World`] behind two faces. The first is [`World::sdk_config`]: the official clients run
//! against it without a socket, with their own signing, retries and parsing. The second is [`http::Server`] and the
//! program `ecs-fake`, for whatever speaks HTTP. Direct methods such as [`World::register`] are for arranging and
//! asserting; they are not calls: no signature, hook, bucket or log is involved.
//!
//! ```
//! use ecs_sidecar_tests::{Fault, World};
//!
//! let world = World::new();
//! world.register(r#"{"family":"web","containerDefinitions":[{"name":"a","image":"a","memory":64}]}"#).unwrap();
//! world.on_call(|call| match call.operation.as_str() {
//!     "RegisterTaskDefinition" if call.sequence == 2 => Fault::ApplyAndLoseAnswer,
//!     _ => Fault::None,
//! });
//! let _config = world.sdk_config(); // aws_sdk_ecs::Client::new(&_config)
//! assert_eq!(world.revisions("web").len(), 1);
//! assert!(world.call_lines().is_empty());
//! ```

pub mod cases;
mod connector;
pub mod http;
mod image;
mod registry;
pub mod tls;
mod world;

pub use image::Image;
pub use registry::{Mishap, Pull, Registry};
pub use world::notices::{Caller, DeploymentNotice, StoppedContainer, StoppedTask};

pub use world::answer::ServiceError;
pub use world::call::{Call, Deed, Fault, NoAnswer, Outcome, Service};
pub use world::clock::Clock;
pub use world::state::Status;
pub use world::view::{Event, Message, RevisionView, ServiceView};
pub use world::{Principal, World};
