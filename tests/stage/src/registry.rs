//! A world whose cache is empty, and a registry before it that fetches from upstream.

use crate::stage::{ACCOUNT, REGION, Stage, web};
use ecs_sidecar_core::policy::PRESETS;
use ecs_sidecar_tests::{Image, Pull, Registry};
use serde_json::Value;
use std::collections::BTreeSet;

/// The upstream registry.
pub const PUBLIC: &str = "public.ecr.aws";

/// The daemon's repository there.
pub const DAEMON: &str = "xray/aws-xray-daemon";

/// Warm-ups that fail use up retries that clients share by service and Region; these have a world of their own each.
pub struct Scene {
    /// The function, and the world whose cache is empty.
    pub stage: Stage,
    /// What fetches from upstream, and answers pulls.
    pub registry: Registry,
    /// What upstream has.
    pub image: Image,
}

/// The preset with some texts replaced by others.
pub fn preset(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(PRESETS[0].1.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

/// The preset that pins its image by digest.
pub fn pinned() -> String {
    preset(&[("pin: tag", "pin: digest")])
}

impl Scene {
    /// Upstream has the daemon for both architectures; nothing is cached, and there is no rule.
    pub async fn new(variables: &[(&str, &str)]) -> Self {
        let image = Image::index("daemon 3.6", &["amd64", "arm64"]);
        Self::with_image(image, variables).await
    }

    /// The same with another image upstream.
    pub async fn with_image(image: Image, variables: &[(&str, &str)]) -> Self {
        let stage = Stage::with_empty_cache(variables);
        stage.world.publish(PUBLIC, DAEMON, "3.x", image.clone());
        stage.world.register(&web("1")).unwrap();
        let registry = Registry::start(&stage.world).await.unwrap();
        Self { stage, registry, image }
    }

    /// The same, and the image is cached and in use.
    pub async fn warmed(variables: &[(&str, &str)]) -> Self {
        let scene = Self::new(variables).await;
        assert_eq!(scene.stage.reconcile().await.outcome, "registered");
        scene.registry.take_pulls();
        scene.stage.world.forget_calls();
        scene
    }

    /// The image of the sidecar in the newest revision.
    pub fn newest_image(&self) -> String {
        let text = self.stage.world.newest_active("web").unwrap().text;
        let definition: Value = serde_json::from_str(&text).unwrap();
        let containers = definition["containerDefinitions"].as_array().unwrap();
        let sidecar = containers.iter().find(|container| container["name"] == "xray-daemon").expect("a sidecar");
        sidecar["image"].as_str().unwrap().to_owned()
    }

    /// Blobs that were pulled, each as often as it was.
    pub fn pulled_blobs(&self) -> Vec<String> {
        let blob = |pull: Pull| match pull {
            Pull::Blob(digest) => Some(digest),
            Pull::Tag(_) | Pull::Manifest(_) => None,
        };
        self.registry.take_pulls().into_iter().filter_map(blob).collect()
    }

    /// Whether anything but the owner's registration is there.
    #[track_caller]
    pub fn assert_untouched(&self, about: &str) {
        assert_eq!(self.stage.active(), [1], "{about}");
        assert!(self.stage.world.attached("web").is_empty(), "{about}: granted before the image was there");
    }
}

/// How the daemon is referred to through a rule's prefix, with what stands behind the name.
pub fn reference(prefix: &str, behind: &str) -> String {
    format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{prefix}{DAEMON}{behind}")
}

/// Configuration and layers for one architecture: what the words of a shared layer are does not matter.
pub fn blobs_of(image: &Image, architecture: &str) -> BTreeSet<String> {
    let single = Image::single("daemon 3.6", architecture);
    single.blobs.keys().filter(|digest| image.blobs.contains_key(*digest)).cloned().collect()
}
