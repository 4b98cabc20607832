//! Log groups: whether they exist.

use crate::seen;
use aws_types::SdkConfig;
use ecs_sidecar_aws::Error as CallError;
use ecs_sidecar_core::doctor::Seen;

/// The CloudWatch Logs client.
#[derive(Debug, Clone)]
pub(crate) struct LogGroups {
    client: aws_sdk_cloudwatchlogs::Client,
}

impl LogGroups {
    /// A client.
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self { client: aws_sdk_cloudwatchlogs::Client::new(config) }
    }

    /// Whether a group of this very name exists. Logs finds by prefix, so all pages are read.
    pub(crate) async fn exists(&self, name: &str) -> Seen<bool> {
        let pages = self.client.describe_log_groups().log_group_name_prefix(name).into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await;
        let all = seen(all.map_err(|error| CallError::call("DescribeLogGroups", name, &error)));
        all.map(|groups| groups.iter().any(|group| group.log_group_name() == Some(name)))
    }
}
