//! The sidecar's image in the private registry.

use super::code::Code;
use super::finding::Finding;
use super::mend;
use super::sight::{ImageSight, Sight};
use crate::cache::CacheState;
use crate::definition::TaskDefinition;
use crate::eligible;
use crate::observed::{ImageState, StoredImage};
use crate::policy::{Architecture, Policy};
use crate::readiness::another_fills;

/// What shows an image to its last layer.
const SHOWS: &str = "ecr:DescribeImages, ecr:BatchGetImage and ecr:BatchCheckLayerAvailability";

/// Judges whether the image is there, for each architecture that is wanted.
pub(super) fn judge(sight: &Sight, image: &ImageSight) -> Finding {
    let subject = format!("image {}", image.reference);
    if let Some(other) = another_fills(&image.cache, &image.state) {
        let message = format!("its repository is filled from {other}, so that what is in it is another image");
        let mend = "choose another prefix (CachePrefix of infra/cloudformation/operator.yaml, --cache-prefix here)";
        return Finding::of(Code::CachePrefixTaken, subject, message).mended(mend);
    }
    let mut parts = match &image.state {
        ImageState::NotChecked(_) => return Finding::not_seen(subject, "nobody looked", SHOWS),
        ImageState::Refused(why) => return Finding::not_seen(subject, why, SHOWS),
        ImageState::Missing => {
            let message = "it is not in the private registry; the operator fetches it, or pull it once by tag from outside \
                           the closed VPC";
            return Finding::of(Code::ImageMissing, subject, message).mended(pull(sight, image, None));
        }
        ImageState::Present(stored) => architectures(sight, image, stored),
    };
    if let ImageState::Present(StoredImage { expires: Some(rule), .. }) = &image.state {
        let mend = "leave the sidecar's repository out of that rule (aws ecr put-lifecycle-policy)";
        parts.push(Finding::of(Code::ImageWouldExpire, "lifecycle", rule.clone()).mended(mend));
    }
    if let CacheState::Refused(why) = &image.cache {
        parts.push(Finding::not_seen("cache rules", why, "ecr:DescribePullThroughCacheRules"));
    }
    Finding::group(subject, parts)
}

fn architectures(sight: &Sight, image: &ImageSight, stored: &StoredImage) -> Vec<Finding> {
    let one = |architecture: &Architecture| {
        if stored.complete.contains(architecture) {
            return Finding::ok(architecture.to_string(), "in the private registry");
        }
        let message = match (&stored.offered, &stored.unseen) {
            (Some(offered), _) if !offered.contains(architecture) => "the image is not made for it",
            (Some(_), None) => "its manifest or its layers are not all in the private registry",
            (_, Some(why)) => return Finding::not_seen(architecture.to_string(), why, SHOWS),
            (None, None) => return Finding::not_seen(architecture.to_string(), "nobody looked", SHOWS),
        };
        let mend = pull(sight, image, Some(*architecture));
        Finding::of(Code::ImageArchitectureMissing, architecture.to_string(), message).mended(mend)
    };
    image.wanted.iter().map(one).collect()
}

/// The architectures that the sidecar's image must have: the task's, or all that the policy selects.
pub fn wanted_architectures(policy: &Policy, task: Option<&TaskDefinition>) -> Vec<Architecture> {
    match task {
        Some(task) => vec![eligible::architecture(task).unwrap_or(Architecture::X86)],
        None => policy.spec.selector.architectures.clone(),
    }
}

/// As OCI spells it.
fn oci_name(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86 => "amd64",
        Architecture::Arm => "arm64",
    }
}

fn pull(sight: &Sight, image: &ImageSight, architecture: Option<Architecture>) -> String {
    let suffix = sight.region.partition().dns_suffix;
    let registry = format!("{}.dkr.ecr.{}.{suffix}", sight.account, sight.region);
    let platform = architecture.map(|name| format!(" --platform linux/{}", oci_name(name))).unwrap_or_default();
    let login = mend::aws(sight, "ecr get-login-password");
    format!(
        "{login} | docker login --username AWS --password-stdin {registry} && docker pull{platform} {registry}/{}",
        image.reference
    )
}
