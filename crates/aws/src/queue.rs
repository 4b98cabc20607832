//! Queues: the one that the function is fed from, and the one for what nobody understands.
//!
//! Knows: how a message is sent. Must not know: why.

use crate::error::Error;
use aws_sdk_sqs::operation::send_message::{SendMessageError, SendMessageOutput};
use aws_sdk_sqs::types::MessageAttributeValue;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_types::SdkConfig;

/// Name of the message attribute that says why a message was set aside.
pub const REASON: &str = "reason";

/// SQS's limit for the delay of a message, in seconds.
const LONGEST_DELAY: u32 = 900;

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

    fn sent(&self, sent: Result<SendMessageOutput, SdkError<SendMessageError, HttpResponse>>) -> Result<(), Error> {
        sent.map(|_| ()).map_err(|error| Error::call("SendMessage", &self.url, &error))
    }
}
