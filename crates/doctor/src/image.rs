//! The sidecar's image in the private registry, and for which architectures it is there.
//!
//! Knows: ECR's answers and OCI's image index. Must not know: which image a sidecar has. This is the one place that
//! knows how presence is found out.

use crate::{Answer, seen};
use aws_sdk_ecr::types::ImageIdentifier;
use aws_types::SdkConfig;
use ecs_sidecar_aws::Error as CallError;
use ecs_sidecar_core::doctor::{Architectures, ImageSight};
use ecs_sidecar_core::policy::Architecture;
use serde_json::Value;
use std::collections::BTreeSet;

/// ECR's codes for an image that is not there.
const MISSING: [&str; 2] = ["ImageNotFoundException", "RepositoryNotFoundException"];

/// Media types of a list of images, one for each platform.
const INDEXES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/// The ECR client.
#[derive(Debug, Clone)]
pub(crate) struct Images {
    client: aws_sdk_ecr::Client,
}

impl Images {
    /// A client.
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self { client: aws_sdk_ecr::Client::new(config) }
    }

    /// Looks for a tag of a repository.
    ///
    /// Guarantees: nothing is written, and nothing is fetched from upstream: the manifest is asked for by digest, which
    /// no cache rule looks up anew, and only once the registry has shown that it is there.
    pub(crate) async fn look(&self, repository: &str, tag: &str, wanted: Vec<Architecture>) -> ImageSight {
        let architectures = seen(self.architectures(repository, tag).await);
        ImageSight { reference: format!("{repository}:{tag}"), wanted, architectures }
    }

    async fn architectures(&self, repository: &str, tag: &str) -> Answer<Option<Architectures>> {
        let by_tag = ImageIdentifier::builder().image_tag(tag).build();
        let Some(digest) = self.digest(repository, by_tag).await? else { return Ok(None) };
        let manifest = self.manifest(repository, &digest).await?;
        let Some(index) = manifest.as_deref().and_then(index) else { return Ok(Some(Architectures::Unsaid)) };
        let mut held = BTreeSet::new();
        for (architecture, digest) in index {
            let child = ImageIdentifier::builder().image_digest(digest).build();
            if self.digest(repository, child).await?.is_some() {
                held.insert(architecture);
            }
        }
        Ok(Some(Architectures::Held(held)))
    }

    /// The digest of an image, if the registry has it.
    async fn digest(&self, repository: &str, image: ImageIdentifier) -> Answer<Option<String>> {
        let sent = self.client.describe_images().repository_name(repository).image_ids(image).send().await;
        match sent.map_err(|error| CallError::call("DescribeImages", repository, &error)) {
            // Some emulators answer an empty list instead of an error.
            Ok(answer) => Ok(answer.image_details().first().and_then(|image| image.image_digest()).map(str::to_owned)),
            Err(error) if error.is_code(&MISSING) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn manifest(&self, repository: &str, digest: &str) -> Answer<Option<String>> {
        let image = ImageIdentifier::builder().image_digest(digest).build();
        let accepted = Some(INDEXES.map(str::to_owned).to_vec());
        let asked = self.client.batch_get_image().repository_name(repository).image_ids(image);
        let sent = asked.set_accepted_media_types(accepted).send().await;
        let answer = sent.map_err(|error| CallError::call("BatchGetImage", repository, &error))?;
        // An image of another media type is one of the answer's failures.
        Ok(answer.images().first().and_then(|image| image.image_manifest()).map(str::to_owned))
    }
}

/// Architectures and digests of an image index; `None` for the manifest of a single image.
fn index(manifest: &str) -> Option<Vec<(String, String)>> {
    let manifest: Value = serde_json::from_str(manifest).ok()?;
    let images = manifest.get("manifests")?.as_array()?;
    let image = |image: &Value| {
        let architecture = image.get("platform")?.get("architecture")?.as_str()?;
        Some((architecture.to_owned(), image.get("digest")?.as_str()?.to_owned()))
    };
    // Attestations stand in the index too, for a platform that nobody has.
    Some(images.iter().filter_map(image).filter(|(architecture, _)| architecture != "unknown").collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_names_its_platforms_and_a_single_manifest_does_not() {
        let read = index(
            r#"{"manifests":[{"digest":"sha256:a","platform":{"os":"linux","architecture":"amd64"}},
                {"digest":"sha256:b","platform":{"os":"unknown","architecture":"unknown"}}]}"#,
        );
        assert_eq!(read, Some(vec![("amd64".to_owned(), "sha256:a".to_owned())]));
        assert_eq!(index(r#"{"config":{},"layers":[]}"#), None);
        assert_eq!(index("no JSON"), None);
    }
}
