//! The little that is needed of STS.
//!
//! Knows: GetCallerIdentity. Must not know: what anybody may do.

use crate::world::answer::{Answer, ServiceError, xml};
use crate::world::ecs::Deed;
use crate::world::input::Input;
use crate::world::state::State;
use crate::world::{Caller, Rules};

/// The deed of that name.
pub(crate) fn deed(operation: &str) -> Option<Deed> {
    (operation == "GetCallerIdentity").then_some(Deed::Read(get_caller_identity))
}

fn get_caller_identity(_: &State, caller: &Caller, _: &Rules, _: &Input) -> Result<Answer, ServiceError> {
    Ok(Answer(format!(
        "<Arn>{}</Arn><UserId>AIDAEXAMPLE</UserId><Account>{}</Account>",
        xml(&caller.principal),
        caller.place.account
    )))
}
