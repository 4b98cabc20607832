//! Image references: where an image is upstream, and where a closed VPC finds it.

use crate::ids::{AccountId, ImageDigest, Region};
use crate::names;

/// An image as its publisher names it, with a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// `public.ecr.aws`
    pub registry: String,
    /// `xray/aws-xray-daemon`
    pub repository: String,
    /// `3.x`
    pub tag: String,
}

/// Why a text is no upstream image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// The parts are not there.
    #[error("must be registry/repository:tag, such as public.ecr.aws/xray/aws-xray-daemon:3.x")]
    Shape,
    /// A digest where a tag is wanted.
    #[error("must name a tag, not a digest: a cache is filled by tag")]
    Digest,
    /// Another registry.
    #[error("the registry must be {}, the only upstream whose cache is known", names::ECR_PUBLIC)]
    Registry,
}

impl std::str::FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, UpstreamError> {
        if text.contains('@') {
            return Err(UpstreamError::Digest);
        }
        let (registry, path) = text.split_once('/').ok_or(UpstreamError::Shape)?;
        let (repository, tag) = path.rsplit_once(':').ok_or(UpstreamError::Shape)?;
        let path_ok = |part: &str| {
            part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/._-".contains(&byte))
        };
        let tag_ok = tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if repository.is_empty() || tag.is_empty() || !path_ok(repository) || !tag_ok {
            return Err(UpstreamError::Shape);
        }
        if registry != names::ECR_PUBLIC {
            return Err(UpstreamError::Registry);
        }
        Ok(Self { registry: registry.to_owned(), repository: repository.to_owned(), tag: tag.to_owned() })
    }
}

impl std::fmt::Display for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}:{}", self.registry, self.repository, self.tag)
    }
}

/// An image in a private registry of ECR, as a task refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateImage {
    /// The account whose registry it is.
    pub registry: AccountId,
    /// The Region of the registry.
    pub region: Region,
    /// The repository, with the prefix of its cache rule.
    pub repository: String,
    /// Which of the repository's images.
    pub version: Version,
}

/// Which image of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Version {
    /// What the tag stands for when a deployment starts.
    Tag(String),
    /// Just this one. (ECS's 255 characters count only what stands before the `@`.)
    Digest(ImageDigest),
}

impl PrivateImage {
    /// Host of the registry.
    pub fn host(&self) -> String {
        format!("{}.dkr.ecr.{}.{}", self.registry, self.region, self.region.partition().dns_suffix)
    }
}

impl std::fmt::Display for PrivateImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.host(), self.repository)?;
        match &self.version {
            Version::Tag(tag) => write!(f, ":{tag}"),
            Version::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

/// Reads the prefix of a cache rule: 2 to 30 characters of a lower-case path, or `ROOT`. A trailing slash is implied.
pub fn cache_prefix(text: &str) -> Result<String, PrefixError> {
    let prefix = text.strip_suffix('/').unwrap_or(text);
    let part_ok = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte))
            && part.starts_with(|first: char| first.is_ascii_alphanumeric())
            && part.ends_with(|last: char| last.is_ascii_alphanumeric())
    };
    let fine = prefix == names::ROOT_PREFIX || (2..=30).contains(&prefix.len()) && prefix.split('/').all(part_ok);
    if fine { Ok(prefix.to_owned()) } else { Err(PrefixError) }
}

/// A text that is no prefix of a cache rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 2 to 30 characters of a lower-case path such as ecr-public, or {}", names::ROOT_PREFIX)]
pub struct PrefixError;

/// The last part of an image's path, without tag and digest: `aws-xray-daemon`.
pub fn last_path_part(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    let last = name.rsplit('/').next().unwrap_or(name);
    last.split(':').next().unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_image_has_the_suffix_of_its_partition() {
        let image = |region: &str, version| PrivateImage {
            registry: "111122223333".parse().expect("an account"),
            region: region.parse().expect("a Region"),
            repository: "ecr-public/xray/aws-xray-daemon".to_owned(),
            version,
        };
        let tag = || Version::Tag("3.x".to_owned());
        for (region, host) in [("eu-west-1", "eu-west-1.amazonaws.com"), ("cn-north-1", "cn-north-1.amazonaws.com.cn")]
        {
            let expected = format!("111122223333.dkr.ecr.{host}/ecr-public/xray/aws-xray-daemon:3.x");
            assert_eq!(image(region, tag()).to_string(), expected);
        }
        let digest = format!("sha256:{}", "0a".repeat(32));
        let pinned = image("eu-west-1", Version::Digest(digest.parse().expect("a digest"))).to_string();
        assert!(pinned.ends_with(&format!("/aws-xray-daemon@{digest}")), "{pinned}");
        for wrong in ["sha256:0A", "0a", "sha512:0a"] {
            assert!(wrong.parse::<ImageDigest>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_prefix_is_what_ecr_takes() {
        for prefix in ["ecr-public", "ecr-public/", "a1", "team/cache", "ROOT"] {
            assert_eq!(cache_prefix(prefix).as_deref(), Ok(prefix.trim_end_matches('/')));
        }
        for prefix in ["", "/", "a", "Bad Prefix/", "../x", "a//b", "x-", &"x".repeat(31)] {
            assert_eq!(cache_prefix(prefix), Err(PrefixError), "{prefix}");
        }
    }

    #[test]
    fn refuses_what_no_cache_can_hold() {
        assert_eq!("xray".parse::<Upstream>(), Err(UpstreamError::Shape));
        assert_eq!("public.ecr.aws/xray/x".parse::<Upstream>(), Err(UpstreamError::Shape));
        assert_eq!("public.ecr.aws/x@sha256:00".parse::<Upstream>(), Err(UpstreamError::Digest));
        assert_eq!("docker.io/amazon/x:1".parse::<Upstream>(), Err(UpstreamError::Registry));
    }

    #[test]
    fn the_last_path_part_has_no_tag_and_no_digest() {
        for image in [
            "aws-xray-daemon",
            "public.ecr.aws/xray/aws-xray-daemon:3.x",
            "r:5000/a/aws-xray-daemon@sha256:ab",
            "a/aws-xray-daemon:1@sha256:ab",
        ] {
            assert_eq!(last_path_part(image), "aws-xray-daemon", "{image}");
        }
    }
}
