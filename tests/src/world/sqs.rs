//! SQS's calls that send.
//!
//! Knows: what a message may be, alone and among others. Must not know: who reads a queue.

use crate::Message;
use crate::world::answer::{Answer, ServiceError};
use crate::world::call::Service;
use crate::world::ecs::Deed;
use crate::world::input::Input;
use crate::world::members::list;
use crate::world::state::State;
use crate::world::{Caller, Rules};
use ecs_sidecar_core::json::{Value, quote};
use md5::{Digest, Md5};
use rpds::VectorSync;
use std::collections::BTreeSet;

/// SQS's limit for the delay of a message, in seconds.
const MAX_DELAY: i64 = 900;

/// How many messages a batch may have.
const MAX_ENTRIES: usize = 10;

/// How many bytes a message may have, and all of a batch together.
const MAX_BYTES: usize = 1024 * 1024;

/// The deed of that name.
pub(crate) fn deed(operation: &str) -> Option<Deed> {
    Some(match operation {
        "SendMessage" => Deed::Write(send_message),
        "SendMessageBatch" => Deed::Write(send_batch),
        _ => return None,
    })
}

/// SQS spoke the query protocol once, and names its errors in that way too; clients go by the older name.
pub(crate) fn older_code(code: &str) -> String {
    let renamed = [
        ("QueueDoesNotExist", "NonExistentQueue"),
        ("EmptyBatchRequest", "EmptyBatchRequest"),
        ("TooManyEntriesInBatchRequest", "TooManyEntriesInBatchRequest"),
        ("BatchEntryIdsNotDistinct", "BatchEntryIdsNotDistinct"),
        ("InvalidBatchEntryId", "InvalidBatchEntryId"),
        ("BatchRequestTooLong", "BatchRequestTooLong"),
    ];
    let older = renamed.iter().find(|(newer, _)| *newer == code);
    older.map_or_else(|| code.to_owned(), |(_, older)| format!("AWS.SimpleQueueService.{older}"))
}

fn queue<'a>(
    state: &'a mut State,
    caller: &Caller,
    input: &Input,
) -> Result<&'a mut VectorSync<Message>, ServiceError> {
    let url = input.required("QueueUrl")?;
    let name = url.rsplit('/').next().unwrap_or_default().to_owned();
    let missing = || ServiceError::new("QueueDoesNotExist", "The specified queue does not exist.");
    state.queues.get_mut(&(caller.place.clone(), name)).ok_or_else(missing)
}

/// Checks and sends a message, and answers the members that both calls answer.
fn send(queue: &mut VectorSync<Message>, caller: &Caller, body: &str, delay: i64) -> Result<String, ServiceError> {
    let invalid = |message: String| Err(ServiceError::new("InvalidParameterValue", message));
    if !(0..=MAX_DELAY).contains(&delay) {
        return invalid(format!(
            "Value {delay} for parameter DelaySeconds is invalid. Reason: must be between 0 and 900"
        ));
    }
    if body.len() > MAX_BYTES {
        return invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {MAX_BYTES} bytes."
        ));
    }
    let digest: String = Md5::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    queue.push_back_mut(Message { body: body.to_owned(), delay_seconds: delay.unsigned_abs(), sent_at: caller.at });
    Ok(format!("\"MessageId\":\"00000000-0000-0000-0000-{:012}\",\"MD5OfMessageBody\":{}", queue.len(), quote(&digest)))
}

fn send_message(state: &mut State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let body = input.required("MessageBody")?;
    let sent = send(queue(state, caller, input)?, caller, &body, input.number("DelaySeconds").unwrap_or(0))?;
    Ok(Answer(format!("{{{sent}}}")))
}

/// What is there of the entries is sent; what of each became comes back.
fn send_batch(state: &mut State, caller: &Caller, rules: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let entries: Vec<Value<'_>> =
        input.json().and_then(|root| root.get("Entries")).map(|list| list.items().collect()).unwrap_or_default();
    let queue = queue(state, caller, input)?;
    check(&entries)?;
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let (id, body) = (quote(&text("Id")), text("MessageBody"));
        let delay = entry.get("DelaySeconds").and_then(Value::as_i64).unwrap_or(0);
        let sent = match rules.failure(Service::Sqs, &body) {
            Some(code) => Err(ServiceError::new(code, "This entry was chosen to fail.")),
            None if body.is_empty() => Err(ServiceError::new("MissingParameter", "MessageBody is missing.")),
            None => send(queue, caller, &body, delay),
        };
        match sent {
            Ok(sent) => successful.push(format!("{{\"Id\":{id},{sent}}}")),
            Err(error) => failed.push(format!(
                "{{\"Id\":{id},\"SenderFault\":{},\"Code\":{},\"Message\":{}}}",
                error.status < 500,
                quote(&error.code),
                quote(&error.message)
            )),
        }
    }
    Ok(Answer(format!("{{\"Successful\":{},\"Failed\":{}}}", list(successful), list(failed))))
}

/// Refuses a batch that is none.
fn check(entries: &[Value<'_>]) -> Result<(), ServiceError> {
    let refuse = |code: &str, message: &str| Err(ServiceError::new(code, message));
    if entries.is_empty() {
        return refuse(
            "EmptyBatchRequest",
            "There should be at least one SendMessageBatchRequestEntry in the request.",
        );
    }
    if entries.len() > MAX_ENTRIES {
        let found = entries.len();
        let message = format!("Maximum number of entries per request are 10. You have sent {found}.");
        return refuse("TooManyEntriesInBatchRequest", &message);
    }
    let mut ids = BTreeSet::new();
    let mut bytes = 0;
    for entry in entries {
        let id = entry.get("Id").and_then(Value::as_str).unwrap_or_default();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if id.is_empty() || id.len() > 80 || !id.bytes().all(is_plain) {
            return refuse(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most \
                 80 letters long.",
            );
        }
        if !ids.insert(id.clone().into_owned()) {
            return refuse("BatchEntryIdsNotDistinct", &format!("Id {id} repeated."));
        }
        bytes += entry.get("MessageBody").and_then(Value::as_str).map_or(0, |body| body.len());
    }
    if bytes > MAX_BYTES {
        let message = format!("Batch requests cannot be longer than {MAX_BYTES} bytes. You have sent {bytes} bytes.");
        return refuse("BatchRequestTooLong", &message);
    }
    Ok(())
}
