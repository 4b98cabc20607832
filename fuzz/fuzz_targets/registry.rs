//! Any bytes as what a registry or ECR answers: manifests, indexes, an image's configuration, a lifecycle policy.

#![no_main]

use ecs_sidecar_core::ids::ImageDigest;
use ecs_sidecar_core::lifecycle;
use ecs_sidecar_core::manifest::{Parts, Tagged, architecture_of};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;

fuzz_target!(|bytes: &[u8]| {
    let (tagged, parts) = (Tagged::read(bytes), Parts::read(bytes));
    match &tagged {
        Ok(Tagged::Single(single)) => assert_eq!(Some(single), parts.as_ref().ok(), "one image, read in two ways"),
        Ok(Tagged::Index(found)) => {
            assert!(parts.is_err(), "an index is no image");
            found.values().for_each(is_in(bytes));
        }
        Err(why) => assert!(parts.is_err() && !why.is_empty()),
    }
    if let Ok(parts) = &parts {
        let blobs = parts.blobs();
        let once: BTreeSet<&ImageDigest> = blobs.iter().copied().collect();
        assert_eq!(once.len(), blobs.len(), "each blob once");
        assert!(parts.layers.iter().chain([&parts.config]).all(|digest| once.contains(digest)), "and all of them");
        blobs.into_iter().for_each(is_in(bytes));
    }
    let _ = architecture_of(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        lifecycle::expires(text, "3.x");
    }
});

/// Nothing is asked for that the answer does not name, but that JSON may write a digest with escapes.
fn is_in(bytes: &[u8]) -> impl Fn(&ImageDigest) {
    move |digest| {
        let named = bytes.windows(digest.as_str().len()).any(|part| part == digest.as_str().as_bytes());
        assert!(named || bytes.contains(&b'\\'), "{digest} came from nowhere");
    }
}
