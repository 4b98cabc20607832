//! What a registry's manifests say: which architectures an image has, and what each of them is made of.
//!
//! Knows: the shapes of OCI and Docker manifests. Must not know: where they come from.

use ecs_sidecar_core::ids::ImageDigest;
use ecs_sidecar_core::policy::Architecture;
use oci_client::config::{Architecture as Arch, Os};
use oci_client::manifest::{self, OciImageManifest, OciManifest};
use std::collections::BTreeMap;

/// Media types of what a tag may stand for.
pub(crate) const ACCEPTED: [&str; 4] = [
    manifest::OCI_IMAGE_INDEX_MEDIA_TYPE,
    manifest::IMAGE_MANIFEST_LIST_MEDIA_TYPE,
    manifest::OCI_IMAGE_MEDIA_TYPE,
    manifest::IMAGE_MANIFEST_MEDIA_TYPE,
];

/// What a tag stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tagged {
    /// Manifests by architecture, those for Linux.
    Index(BTreeMap<Architecture, ImageDigest>),
    /// One image; which architecture it is for stands in its configuration.
    Single(Parts),
}

/// What an image is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) config: ImageDigest,
    pub(crate) layers: Vec<ImageDigest>,
}

impl Parts {
    /// Reads the manifest of one image.
    pub(crate) fn read(text: &[u8]) -> Result<Self, String> {
        let manifest = serde_json::from_slice::<OciImageManifest>(text).map_err(|error| error.to_string())?;
        Self::of(&manifest)
    }

    fn of(manifest: &OciImageManifest) -> Result<Self, String> {
        let layers = manifest.layers.iter().map(|layer| digest(&layer.digest)).collect::<Result<_, _>>()?;
        Ok(Self { config: digest(&manifest.config.digest)?, layers })
    }

    /// All that has to be there, each once: the configuration first, for it is small.
    pub(crate) fn blobs(&self) -> Vec<&ImageDigest> {
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
    pub(crate) fn read(text: &[u8]) -> Result<Self, String> {
        match serde_json::from_slice::<OciManifest>(text).map_err(|error| error.to_string())? {
            OciManifest::Image(image) => Parts::of(&image).map(Self::Single),
            OciManifest::ImageIndex(index) => {
                let mut found = BTreeMap::new();
                for entry in &index.manifests {
                    let platform = entry.platform.as_ref().filter(|platform| platform.os == Os::Linux);
                    let Some(architecture) = platform.and_then(|platform| known(&platform.architecture)) else {
                        continue;
                    };
                    // Of several variants the first is what a runtime takes.
                    found.entry(architecture).or_insert(digest(&entry.digest)?);
                }
                Ok(Self::Index(found))
            }
        }
    }
}

/// The architecture that an image's configuration names, if ECS has it.
pub(crate) fn architecture_of(config: &[u8]) -> Result<Option<Architecture>, String> {
    #[derive(serde::Deserialize)]
    struct Config {
        architecture: Arch,
        os: Os,
    }
    let config: Config = serde_json::from_slice(config).map_err(|error| error.to_string())?;
    Ok(known(&config.architecture).filter(|_| config.os == Os::Linux))
}

fn known(architecture: &Arch) -> Option<Architecture> {
    let known = [(Arch::Amd64, Architecture::X86), (Arch::ARM64, Architecture::Arm)];
    known.into_iter().find(|(of, _)| of == architecture).map(|(_, is)| is)
}

fn digest(text: &str) -> Result<ImageDigest, String> {
    text.parse().map_err(|error: ecs_sidecar_core::ids::IdError| error.to_string())
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
            json!({ "mediaType": manifest::OCI_IMAGE_MEDIA_TYPE, "digest": sha(digit), "size": 7,
                    "platform": { "os": os, "architecture": architecture } })
        };
        for media_type in [manifest::OCI_IMAGE_INDEX_MEDIA_TYPE, manifest::IMAGE_MANIFEST_LIST_MEDIA_TYPE] {
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
        let image = json!({ "schemaVersion": 2, "mediaType": manifest::IMAGE_MANIFEST_MEDIA_TYPE,
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
    }
}
