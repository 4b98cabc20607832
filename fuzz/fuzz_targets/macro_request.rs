//! Any bytes as CloudFormation's request to the macro: what comes out holds all that went in, and a second run adds nothing.

#![no_main]

#[path = "../../crates/template/tests/kept/mod.rs"]
mod kept;

use ecs_sidecar_core::cache::{CacheRule, CacheState};
use ecs_sidecar_core::names;
use ecs_sidecar_core::observed::{ImageState, StoredImage};
use ecs_sidecar_core::plan::{Asked, Decision};
use ecs_sidecar_core::policy::Architecture;
use ecs_sidecar_fuzz::{POLICIES, settings};
use ecs_sidecar_template::request::{self, failure, success};
use ecs_sidecar_template::{Found, Images, Place, Template};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::collections::BTreeSet;

fuzz_target!(|bytes: &[u8]| {
    let Ok(sent) = serde_json::from_slice::<Value>(bytes) else { return };
    let id = request::id(&sent);
    let template = match request::read(sent) {
        Ok(template) => template,
        Err(problem) => {
            failure(&id, &problem.to_string());
            return;
        }
    };
    for policy in POLICIES.iter() {
        let settings = settings(policy, Asked::Standing);
        let place = Place { registry: template.account.clone(), cache_prefix: names::DEFAULT_CACHE_PREFIX.to_owned() };
        let transformed = |template: &Template| {
            let needed = template.images(&settings)?;
            let images: Images = needed.into_iter().map(|(image, _)| (image.to_string(), found())).collect();
            template.transform(&settings, &place, &images)
        };
        let made = match transformed(&template) {
            Ok(made) => made,
            Err(problems) => {
                assert!(!problems.to_string().is_empty());
                continue;
            }
        };
        if made.told.iter().all(|told| told.decision != Decision::Inject) {
            assert_eq!(made.fragment, template.fragment, "who gets no sidecar is left as it is");
        } else {
            kept::keeps(&template.fragment, &made.fragment, "");
        }
        let second = transformed(&Template { fragment: made.fragment.clone(), ..template.clone() });
        let second = second.unwrap_or_else(|problems| panic!("again: {problems}"));
        assert_eq!(second.fragment, made.fragment, "a template that has its sidecars gets no more");
        success(&id, made.fragment);
    }
});

/// An image that is all there.
fn found() -> Found {
    let rule = CacheRule {
        prefix: names::DEFAULT_CACHE_PREFIX.to_owned(),
        upstream: names::ECR_PUBLIC.to_owned(),
        upstream_prefix: None,
    };
    let both = BTreeSet::from([Architecture::X86, Architecture::Arm]);
    let image = StoredImage {
        digest: format!("sha256:{}", "0".repeat(64)).parse().expect("a digest"),
        offered: Some(both.clone()),
        complete: both,
        unseen: None,
        age_hours: Some(0),
        expires: None,
    };
    (CacheState::Rule(rule), ImageState::Present(image))
}
