//! The dead-letter queue.
//!
//! Knows: how a message is sent. Must not know: why.

use crate::error::Error;
use aws_sdk_sqs::types::MessageAttributeValue;
use aws_types::SdkConfig;

/// Name of the message attribute that says why a message was set aside.
pub const REASON: &str = "reason";

/// The SQS client, for one queue.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl DeadLetters {
    /// A client for the queue with this URL.
    pub fn new(config: &SdkConfig, url: String) -> Self {
        Self { client: aws_sdk_sqs::Client::new(config), url }
    }

    /// Puts a message there, with the reason as an attribute.
    ///
    /// Guarantees: none against doubles; whoever reads the queue is a person.
    /// Assumptions: `SendMessage` for the queue.
    /// Errors: [`Error::Call`].
    pub async fn send(&self, reason: &str, body: String) -> Result<(), Error> {
        let attribute = MessageAttributeValue::builder().data_type("String").string_value(reason).build();
        let attribute = attribute.expect("the data type is given");
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .message_attributes(REASON, attribute)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| Error::call("SendMessage", &self.url, &error))
    }
}
