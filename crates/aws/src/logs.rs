//! Log groups.
//!
//! Knows: CloudWatch Logs' calls. Must not know: who logs.

use crate::error::{Chain, Error};
use aws_types::SdkConfig;
use ecs_sidecar_core::decision::NewLogGroup;
use ecs_sidecar_core::observed::LogGroupState;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::refusal::Refusal;

/// The CloudWatch Logs client.
#[derive(Debug, Clone)]
pub struct Logs {
    client: aws_sdk_cloudwatchlogs::Client,
}

impl Logs {
    /// A client.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: aws_sdk_cloudwatchlogs::Client::new(config) }
    }

    /// Whether a log group is there.
    ///
    /// Guarantees: nothing is written. A group whose name only begins alike does not count.
    /// Assumptions: `DescribeLogGroups`; if it is not allowed, the state says so.
    /// Errors: [`Error::Call`] if CloudWatch Logs is not reached or throttles.
    pub async fn group(&self, name: &str) -> Result<LogGroupState, Error> {
        let mut token = None;
        loop {
            let request = self.client.describe_log_groups().log_group_name_prefix(name).set_next_token(token);
            let page = match request.send().await.map_err(|error| Error::call("DescribeLogGroups", name, &error)) {
                Ok(page) => page,
                Err(error) if error.is_retryable() => return Err(error),
                Err(error) => return Ok(LogGroupState::Refused(Chain(&error).to_string())),
            };
            if page.log_groups().iter().any(|group| group.log_group_name() == Some(name)) {
                return Ok(LogGroupState::Present);
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(LogGroupState::Missing);
            }
        }
    }

    /// Makes a log group, and says how long its lines are kept.
    ///
    /// Guarantees: a group that somebody else made meanwhile is left as it is.
    /// Assumptions: `CreateLogGroup`, and `PutRetentionPolicy` if there is a retention.
    /// Errors: [`Error::Call`] if CloudWatch Logs is not reached or throttles. What it refuses is a refusal.
    pub(crate) async fn create(&self, group: &NewLogGroup) -> Result<Result<(), Refusal>, Error> {
        let refused = |error: Error| {
            if error.is_retryable() {
                return Err(error);
            }
            Ok(Err(Refusal::new(Reason::LogGroupRefused, Chain(&error).to_string())))
        };
        let made = self.client.create_log_group().log_group_name(&group.name).send().await;
        match made.map_err(|error| Error::call("CreateLogGroup", &group.name, &error)) {
            Ok(_) => {}
            Err(error) if error.is_code(&["ResourceAlreadyExistsException"]) => return Ok(Ok(())),
            Err(error) => return refused(error),
        }
        let Some(days) = group.retention_days.and_then(|days| i32::try_from(days).ok()) else { return Ok(Ok(())) };
        let kept = self.client.put_retention_policy().log_group_name(&group.name).retention_in_days(days).send().await;
        match kept.map_err(|error| Error::call("PutRetentionPolicy", &group.name, &error)) {
            Ok(_) => Ok(Ok(())),
            Err(error) => refused(error),
        }
    }
}
