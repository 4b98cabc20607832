//! The sidecar's image in the private registry.

use super::code::Code;
use super::finding::Finding;
use super::mend;
use super::sight::{Architectures, ImageSight, Seen, Sight};
use crate::definition::TaskDefinition;
use crate::policy::{Architecture, Policy};

/// Judges whether the image is there, for each architecture that is wanted.
pub(super) fn judge(sight: &Sight, image: &ImageSight) -> Finding {
    let subject = format!("image {}", image.reference);
    let held = match &image.architectures {
        Seen::No(why) => return Finding::not_seen(subject, why, "ecr:DescribeImages and ecr:BatchGetImage"),
        Seen::Yes(None) => {
            let message = "it is not in the private registry; pull it once by tag from outside the closed VPC";
            return Finding::of(Code::ImageMissing, subject, message).mended(pull(sight, image, None));
        }
        Seen::Yes(Some(Architectures::Unsaid)) => {
            let message = "it is there; its manifest does not say for which architecture";
            return Finding::of(Code::ImageArchitectureUnknown, subject, message);
        }
        Seen::Yes(Some(Architectures::Held(held))) => held,
    };
    let each = image.wanted.iter().map(|architecture| {
        if held.contains(oci_name(*architecture)) {
            return Finding::ok(architecture.to_string(), "in the private registry");
        }
        let there = held.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let message = format!("not in the private registry, which has {there}");
        Finding::of(Code::ImageArchitectureMissing, architecture.to_string(), message).mended(pull(
            sight,
            image,
            Some(*architecture),
        ))
    });
    Finding::group(subject, each.collect())
}

/// The architectures that the sidecar's image must have: the task's, or all that the policy selects.
pub fn wanted_architectures(policy: &Policy, task: Option<&TaskDefinition>) -> Vec<Architecture> {
    match task {
        Some(task) if task.architecture().as_deref() == Some("ARM64") => vec![Architecture::Arm],
        Some(_) => vec![Architecture::X86],
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
