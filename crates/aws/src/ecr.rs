//! Images in the private registry.
//!
//! Knows: the one call. Must not know: which image a sidecar has.

use crate::error::{Chain, Error};
use aws_sdk_ecr::types::ImageIdentifier;
use aws_types::SdkConfig;
use ecs_sidecar_core::observed::ImageState;

/// ECR's codes for an image that is not there.
const MISSING: [&str; 2] = ["ImageNotFoundException", "RepositoryNotFoundException"];

/// The ECR client.
#[derive(Debug, Clone)]
pub struct Ecr {
    client: aws_sdk_ecr::Client,
}

impl Ecr {
    /// A client.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: aws_sdk_ecr::Client::new(config) }
    }

    /// Whether a tag is in a repository of the account's own registry.
    ///
    /// Guarantees: nothing is written, and nothing is fetched from upstream.
    /// Assumptions: `DescribeImages` for the repository; if it is not allowed, the state says so.
    /// Errors: [`Error::Call`] if ECR is not reached or throttles.
    pub async fn image(&self, repository: &str, tag: &str) -> Result<ImageState, Error> {
        let image = ImageIdentifier::builder().image_tag(tag).build();
        let sent = self.client.describe_images().repository_name(repository).image_ids(image).send().await;
        match sent.map_err(|error| Error::call("DescribeImages", format!("{repository}:{tag}"), &error)) {
            // Some emulators answer an empty list instead of an error.
            Ok(answer) if answer.image_details().is_empty() => Ok(ImageState::Missing),
            Ok(_) => Ok(ImageState::Present),
            Err(error) if error.is_code(&MISSING) => Ok(ImageState::Missing),
            Err(error) if error.is_retryable() => Err(error),
            Err(error) => Ok(ImageState::Refused(Chain(&error).to_string())),
        }
    }
}
