//! The little that is needed of SQS and STS.
//!
//! Knows: SendMessage, GetCallerIdentity. Must not know: who reads a queue.

use crate::Message;
use crate::world::answer::{Answer, ServiceError, xml};
use crate::world::ecs::Deed;
use crate::world::input::Input;
use crate::world::state::State;
use crate::world::{Caller, Rules};
use ecs_sidecar_core::json::quote;
use md5::{Digest, Md5};
use std::sync::Arc;

/// SQS's limit for the delay of a message, in seconds.
const MAX_DELAY: i64 = 900;

/// The deed of that name of SQS.
pub(crate) fn of_sqs(operation: &str) -> Option<Deed> {
    (operation == "SendMessage").then_some(Deed::Write(send_message))
}

/// The deed of that name of STS.
pub(crate) fn of_sts(operation: &str) -> Option<Deed> {
    (operation == "GetCallerIdentity").then_some(Deed::Read(get_caller_identity))
}

fn send_message(state: &mut State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let url = input.required("QueueUrl")?;
    let body = input.required("MessageBody")?;
    let delay = input.number("DelaySeconds").unwrap_or(0);
    if !(0..=MAX_DELAY).contains(&delay) {
        let message = format!("Value {delay} for parameter DelaySeconds is invalid. Reason: must be between 0 and 900");
        return Err(ServiceError::new("InvalidParameterValue", message));
    }
    let name = url.rsplit('/').next().unwrap_or_default().to_owned();
    let missing = || ServiceError::new("QueueDoesNotExist", "The specified queue does not exist.");
    let queue = state.queues.get_mut(&(caller.place.clone(), name)).ok_or_else(missing)?;
    let digest: String = Md5::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let queue = Arc::make_mut(queue);
    queue.push(Message { body, delay_seconds: delay.unsigned_abs() });
    Ok(Answer(format!(
        "{{\"MessageId\":\"00000000-0000-0000-0000-{:012}\",\"MD5OfMessageBody\":{}}}",
        queue.len(),
        quote(&digest)
    )))
}

fn get_caller_identity(_: &State, caller: &Caller, _: &Rules, _: &Input) -> Result<Answer, ServiceError> {
    Ok(Answer(format!(
        "<Arn>{}</Arn><UserId>AIDAEXAMPLE</UserId><Account>{}</Account>",
        xml(&caller.principal),
        caller.place.account
    )))
}
