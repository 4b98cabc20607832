//! Gives the task definitions of a CloudFormation template their sidecars, before CloudFormation deploys it.
//!
//! Knows: templates, and how CloudFormation spells what ECS calls otherwise. Must not know: AWS calls, clock and
//! environment. The decision is core's `plan`, made on a view of the definition in which everything is resolved that a
//! template's text, its parameters and mappings tell; its edits go back into the template, where every intrinsic stays
//! in its place. What hangs on a value that only CloudFormation will know is refused, never guessed.

mod apply;
mod candidate;
mod conditions;
mod decide;
mod doubt;
mod evaluate;
mod intrinsic;
mod problem;
pub mod request;
mod roles;
mod spelling;
mod symbols;
mod template;
mod transform;
mod view;

pub use problem::{Problem, Problems};
pub use spelling::pairs as spellings;
pub use template::{Found, Images, Place, Template, Told, Transformed};
