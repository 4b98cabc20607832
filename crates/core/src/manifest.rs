//! What a registry's manifests say: which architectures an image has, and what each of them is made of.
//!
//! Knows: the shapes of OCI and Docker manifests. Must not know: where they come from.

use crate::ids::{IdError, ImageDigest};
use crate::policy::Architecture;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Media type of an index, as OCI has it.
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Media type of an index, as Docker has it.
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Media type of one image, as OCI has it.
const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// Media type of one image, as Docker has it.
const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// Media types of what a tag may stand for.
pub const ACCEPTED: [&str; 4] = [OCI_INDEX, DOCKER_LIST, OCI_IMAGE, DOCKER_IMAGE];

/// The only system that the operator's sidecars are for.
const LINUX: &str = "linux";

/// What a tag stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tagged {
    /// Manifests by architecture, those for Linux.
    Index(BTreeMap<Architecture, ImageDigest>),
    /// One image; which architecture it is for stands in its configuration.
    Single(Parts),
}

/// What an image is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// Its configuration.
    pub config: ImageDigest,
    /// Its layers, in their order; one may stand there twice.
    pub layers: Vec<ImageDigest>,
}

/// What is read of what a tag may stand for. An image that has both kinds of members is an image.
#[derive(Deserialize)]
#[serde(untagged)]
enum Manifest {
    Image(Image),
    Index { manifests: Vec<Entry> },
}

#[derive(Deserialize)]
struct Image {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
}

#[derive(Deserialize)]
struct Entry {
    digest: String,
    platform: Option<Platform>,
}

/// Of an entry of an index, or of an image's configuration.
#[derive(Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

impl Parts {
    /// Reads the manifest of one image.
    ///
    /// Errors: for people, what is wrong with it.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        match Tagged::read(text)? {
            Tagged::Single(parts) => Ok(parts),
            Tagged::Index(_) => Err("it is an index, not the manifest of one image".to_owned()),
        }
    }

    fn of(image: &Image) -> Result<Self, String> {
        let layers = image.layers.iter().map(|layer| digest(&layer.digest)).collect::<Result<_, _>>()?;
        Ok(Self { config: digest(&image.config.digest)?, layers })
    }

    /// All that has to be there, each once: the configuration first, for it is small.
    pub fn blobs(&self) -> Vec<&ImageDigest> {
        let mut blobs = vec![&self.config];
        for layer in &self.layers {
            if !blobs.contains(&layer) {
                blobs.push(layer);
            }
        }
        blobs
    }
}

impl Tagged {
    /// Reads what a tag stands for.
    ///
    /// Errors: for people, what is wrong with it.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        match serde_json::from_slice::<Manifest>(text).map_err(|error| error.to_string())? {
            Manifest::Image(image) => Parts::of(&image).map(Self::Single),
            Manifest::Index { manifests } => {
                let mut found = BTreeMap::new();
                for entry in &manifests {
                    let Some(architecture) = entry.platform.as_ref().and_then(known) else { continue };
                    // Of several variants the first is what a runtime takes.
                    found.entry(architecture).or_insert(digest(&entry.digest)?);
                }
                Ok(Self::Index(found))
            }
        }
    }
}

/// The architecture that an image's configuration names, if ECS has it and it is for Linux.
///
/// Errors: for people, what is wrong with it.
pub fn architecture_of(config: &[u8]) -> Result<Option<Architecture>, String> {
    serde_json::from_slice(config).map(|platform| known(&platform)).map_err(|error| error.to_string())
}

fn known(platform: &Platform) -> Option<Architecture> {
    match (platform.os.as_str(), platform.architecture.as_str()) {
        (LINUX, "amd64") => Some(Architecture::X86),
        (LINUX, "arm64") => Some(Architecture::Arm),
        (_, _) => None,
    }
}

fn digest(text: &str) -> Result<ImageDigest, String> {
    text.parse().map_err(|error: IdError| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sha(digit: char) -> String {
        format!("sha256:{}", String::from(digit).repeat(64))
    }

    #[test]
    fn an_index_names_a_manifest_for_each_architecture_of_linux() {
        let entry = |digit: char, os: &str, architecture: &str| {
            json!({ "mediaType": OCI_IMAGE, "digest": sha(digit), "size": 7,
                    "platform": { "os": os, "architecture": architecture } })
        };
        for media_type in [OCI_INDEX, DOCKER_LIST] {
            let index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": [
                entry('1', "windows", "amd64"), entry('2', "linux", "amd64"), entry('3', "linux", "arm64"),
                entry('4', "linux", "arm64"), entry('5', "linux", "s390x"), entry('6', "unknown", "unknown"),
            ]});
            let Ok(Tagged::Index(found)) = Tagged::read(index.to_string().as_bytes()) else { panic!("no index") };
            let found: Vec<(Architecture, String)> = found.into_iter().map(|(of, is)| (of, is.to_string())).collect();
            assert_eq!(found, [(Architecture::X86, sha('2')), (Architecture::Arm, sha('3'))]);
        }
    }

    #[test]
    fn an_image_is_its_configuration_and_each_layer_once() {
        let descriptor = |digit: char| json!({ "mediaType": "a/b", "digest": sha(digit), "size": 7 });
        let image = json!({ "schemaVersion": 2, "mediaType": DOCKER_IMAGE,
                            "config": descriptor('0'), "layers": [descriptor('1'), descriptor('2'), descriptor('1')] });
        let Ok(Tagged::Single(parts)) = Tagged::read(image.to_string().as_bytes()) else { panic!("no image") };
        let blobs: Vec<&str> = parts.blobs().into_iter().map(ImageDigest::as_str).collect();
        assert_eq!(blobs, [sha('0'), sha('1'), sha('2')]);
    }

    #[test]
    fn a_configuration_names_the_architecture() {
        let of = |text: &str| architecture_of(text.as_bytes());
        assert_eq!(of(r#"{"architecture":"arm64","os":"linux","rootfs":{}}"#), Ok(Some(Architecture::Arm)));
        assert_eq!(of(r#"{"architecture":"amd64","os":"windows"}"#), Ok(None));
        assert!(of("{}").is_err());
    }

    #[test]
    fn what_is_no_manifest_and_no_digest_is_an_error() {
        assert!(Tagged::read(b"{}").is_err());
        let odd = json!({ "schemaVersion": 2, "config": { "mediaType": "a", "digest": "sha256:../x", "size": 1 }, "layers": [] });
        assert!(Parts::read(odd.to_string().as_bytes()).is_err());
        let descriptor = json!({ "mediaType": "a/b", "digest": sha('0') });
        let image = json!({ "config": descriptor, "layers": [] }).to_string();
        let no_text: Vec<u8> = image.bytes().map(|byte| if byte == b'b' { 0xFF } else { byte }).collect();
        assert!(
            Parts::read(image.as_bytes()).is_ok() && Tagged::read(&no_text).is_err() && Parts::read(&no_text).is_err()
        );
        assert!(Parts::read(json!({ "manifests": [] }).to_string().as_bytes()).is_err());
    }
}
