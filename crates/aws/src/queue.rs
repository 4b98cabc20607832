//! Queues: the one that the function is fed from, and the one for what nobody understands.
//!
//! Knows: how a message is sent. Must not know: why.

use crate::error::{Error, Failure, Said};
use crate::pace::Urgency;
use crate::services::ServiceRef;
use aws_sdk_sqs::operation::send_message::{SendMessageError, SendMessageOutput};
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_types::SdkConfig;
use ecs_sidecar_core::ids::Family;
pub use ecs_sidecar_core::names::{LOOK_AGAIN, LOOK_AT_SERVICE, SWEEP, TURN};

/// Name of the message attribute that says why a message was set aside.
pub const REASON: &str = "reason";

/// SQS's limit for the delay of a message, in seconds.
pub(crate) const LONGEST_DELAY: u32 = 900;

/// How many messages SQS takes in one call.
pub(crate) const BATCH: usize = 10;

/// A message that has a service looked at, after it was looked at in vain so many times.
pub fn look_at_service(service: &ServiceRef, waits: u32) -> String {
    let (name, service) = (LOOK_AT_SERVICE, service.arn().as_str());
    serde_json::json!({ "name": name, "service": service, "waits": waits.to_string() }).to_string()
}

/// A message that has a family looked at, after it was looked at in vain so many times.
pub fn look_at(family: &Family, waits: u32, urgency: Urgency) -> String {
    let name = match urgency {
        // Which revision it was is of no use any more: the table knows of it.
        Urgency::Event | Urgency::Registered(_) => LOOK_AGAIN,
        Urgency::Sweep => SWEEP,
        Urgency::Turn => TURN,
    };
    // Digits as text: the rule's template knows nothing else.
    serde_json::json!({ "name": name, "family": family.as_str(), "waits": waits.to_string() }).to_string()
}

/// The SQS client, for one queue.
#[derive(Debug, Clone)]
pub struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl Queue {
    /// A client for the queue with this URL.
    pub fn new(config: &SdkConfig, url: String) -> Self {
        Self { client: aws_sdk_sqs::Client::new(config), url }
    }

    /// Sends a message for people, with the reason as an attribute.
    ///
    /// Guarantees: none against doubles; whoever reads the queue is a person.
    /// Assumptions: `SendMessage` for the queue.
    /// Errors: [`Error::Call`].
    pub async fn set_aside(&self, reason: &str, body: String) -> Result<(), Error> {
        let attribute = MessageAttributeValue::builder().data_type("String").string_value(reason).build();
        let attribute = attribute.expect("the data type is given");
        let message = self.client.send_message().queue_url(&self.url).message_body(body);
        self.sent(message.message_attributes(REASON, attribute).send().await)
    }

    /// Sends a message that is delivered after some seconds, 900 at most.
    ///
    /// Guarantees: none against doubles; two looks at a family are as good as one.
    /// Assumptions and errors as with [`Queue::set_aside`].
    pub async fn send_later(&self, body: String, seconds: u32) -> Result<(), Error> {
        let delay = i32::try_from(seconds.min(LONGEST_DELAY)).unwrap_or_default();
        let message = self.client.send_message().queue_url(&self.url).message_body(body);
        self.sent(message.delay_seconds(delay).send().await)
    }

    /// Sends messages, each to be delivered after some seconds, in as few calls as SQS allows.
    ///
    /// Guarantees: after a success all are sent. What SQS refuses of a call is sent once more.
    /// Assumptions: `SendMessage` for the queue. Errors: [`Error::Call`]; some may be sent then.
    pub async fn send_all(&self, messages: &[(String, u32)]) -> Result<(), Error> {
        for batch in messages.chunks(BATCH) {
            let refused = self.send_batch(batch.iter().collect()).await?;
            let refused = if refused.is_empty() { refused } else { self.send_batch(refused).await? };
            if !refused.is_empty() {
                let said = Said { code: None, message: format!("{} of a batch were refused twice", refused.len()) };
                let (operation, failure) = ("SendMessageBatch", Failure::Unavailable);
                return Err(Error::Call { operation, object: self.url.clone(), failure, said });
            }
        }
        Ok(())
    }

    /// Answers those that SQS did not take.
    async fn send_batch<'a>(&self, messages: Vec<&'a (String, u32)>) -> Result<Vec<&'a (String, u32)>, Error> {
        let entry = |(index, (body, seconds)): (usize, &&(String, u32))| {
            let delay = i32::try_from((*seconds).min(LONGEST_DELAY)).unwrap_or_default();
            let entry = SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(body);
            entry.delay_seconds(delay).build().expect("id and body are given")
        };
        let entries = messages.iter().enumerate().map(entry).collect();
        let request = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let answer = request.send().await.map_err(|error| Error::call("SendMessageBatch", &self.url, &error))?;
        let refused = answer.failed().iter().filter_map(|failed| failed.id().parse::<usize>().ok());
        Ok(refused.filter_map(|index| messages.get(index).copied()).collect())
    }

    fn sent(&self, sent: Result<SendMessageOutput, SdkError<SendMessageError, HttpResponse>>) -> Result<(), Error> {
        sent.map(|_| ()).map_err(|error| Error::call("SendMessage", &self.url, &error))
    }
}
