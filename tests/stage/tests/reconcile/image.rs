//! The image is fetched before anything refers to it: by which rule, how far, and what may go wrong on the way.

use ecs_sidecar_aws::settings;
use ecs_sidecar_core::plan::Decision;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_stage::registry::{DAEMON, PUBLIC, Scene, blobs_of, pinned, preset, reference};
use ecs_sidecar_stage::stage::{IMAGE, at_first, web};
use ecs_sidecar_tests::{Fault, Image, Mishap, Pull, ServiceError, World};
use std::collections::BTreeSet;
use std::time::Duration;

#[tokio::test]
async fn a_first_injection_makes_the_rule_fills_the_cache_and_names_the_digest() {
    let scene = Scene::new(&[(settings::POLICY, &pinned())]).await;
    let report = scene.stage.reconcile().await;
    assert_eq!((report.decision, report.outcome), (Decision::Inject, "registered"), "{report:?}");
    assert_eq!(scene.stage.world.cache_rules(), ["ecr-public"]);
    assert_eq!(scene.newest_image(), reference("ecr-public/", &format!("@{}", scene.image.digest)));
    // The layers of the task's architecture, each once, and no others.
    let pulled = scene.pulled_blobs();
    assert_eq!(pulled.len(), 3, "{pulled:?}");
    assert_eq!(pulled.into_iter().collect::<BTreeSet<_>>(), blobs_of(&scene.image, "amd64"));
    // Twice is once.
    scene.stage.world.forget_calls();
    let again = scene.stage.reconcile_afresh().await;
    assert_eq!((again.decision, again.outcome), (Decision::UpToDate, "nothing"), "{again:?}");
    assert!(scene.registry.take_pulls().is_empty() && !scene.stage.wrote());
}

#[tokio::test]
async fn after_the_warm_up_upstream_is_not_needed_any_more() {
    let scene = Scene::warmed(&[(settings::POLICY, &pinned())]).await;
    scene.stage.world.cut_upstream(true);
    let (manifests, blobs) = scene.stage.world.stored(IMAGE);
    let child = Image::single("daemon 3.6", "amd64").digest;
    assert!(manifests.contains(&scene.image.digest) && manifests.contains(&child), "{manifests:?}");
    assert!(blobs_of(&scene.image, "amd64").is_subset(&blobs));
    scene.stage.world.register(&web("2")).unwrap();
    assert_eq!(scene.stage.reconcile_afresh().await.outcome, "registered");
    assert!(scene.registry.take_pulls().is_empty(), "what is cached is not pulled again");
}

#[tokio::test]
async fn without_upstream_nothing_is_registered_and_the_report_says_why() {
    let scene = Scene::new(&[]).await;
    scene.stage.world.cut_upstream(true);
    let report = scene.stage.reconcile().await;
    assert_eq!((report.decision, report.reason), (Decision::Skip, Some(Reason::ImageNotFetched)), "{report:?}");
    assert_eq!((report.outcome, report.again_in_seconds), ("waiting", Some(60)));
    assert!(report.message.contains("public.ecr.aws/xray/aws-xray-daemon:3.x"), "{}", report.message);
    scene.assert_untouched("upstream is cut");
    // As soon as it is back, the same call goes on.
    scene.stage.world.cut_upstream(false);
    assert_eq!(scene.stage.reconcile().await.outcome, "registered");
}

#[tokio::test]
async fn the_rule_that_is_there_is_used_whatever_its_prefix() {
    for (prefix, part, before) in [("mirror", None, "mirror/"), ("ROOT", None, "")] {
        let scene = Scene::new(&[]).await;
        scene.stage.world.add_cache_rule("unrelated", "quay.io", None);
        scene.stage.world.add_cache_rule(prefix, PUBLIC, part);
        assert_eq!(scene.stage.reconcile().await.outcome, "registered");
        assert_eq!(scene.newest_image(), reference(before, ":3.x"));
        assert_eq!(scene.stage.world.cache_rules(), ["unrelated", prefix], "no further rule");
    }
    let scene = Scene::new(&[]).await;
    scene.stage.world.add_cache_rule("traces", PUBLIC, Some("xray"));
    assert_eq!(scene.stage.reconcile().await.outcome, "registered");
    assert_eq!(scene.newest_image(), reference("traces/", ":3.x").replace("traces/xray/", "traces/"));
}

type Arrange = fn(&World);

#[tokio::test]
async fn a_rule_that_cannot_be_had_is_a_reason() {
    let full: Arrange = |world| (0..50).for_each(|n| world.add_cache_rule(&format!("rule{n}"), "quay.io", None));
    let denied: Arrange = |world| world.deny("CreatePullThroughCacheRule", None);
    let taken: Arrange = |world| world.add_cache_rule("ecr-public", "quay.io", None);
    let unseen: Arrange = |world| world.deny("DescribePullThroughCacheRules", None);
    for (arrange, reason) in [
        (full, Reason::CacheRuleLimit),
        (denied, Reason::CacheRuleRefused),
        (taken, Reason::CachePrefixTaken),
        (unseen, Reason::CacheUnreadable),
    ] {
        let scene = Scene::new(&[]).await;
        arrange(&scene.stage.world);
        let report = scene.stage.reconcile().await;
        assert_eq!((report.decision, report.reason), (Decision::Skip, Some(reason)), "{report:?}");
        scene.assert_untouched(reason.label());
    }
    let scene = Scene::new(&[(settings::CACHE, "warm")]).await;
    assert_eq!(scene.stage.reconcile().await.reason, Some(Reason::CacheRuleMissing));
    scene.assert_untouched("the stack makes no rules");
}

/// A rule for every name fills whatever no other rule is for. Ours goes before it, but takes over nothing.
#[tokio::test]
async fn a_rule_of_another_registry_for_every_name_leaves_room_for_ours() {
    let scene = Scene::new(&[]).await;
    scene.stage.world.add_cache_rule("ROOT", "quay.io", None);
    assert_eq!(scene.stage.reconcile().await.outcome, "registered");
    assert_eq!(scene.newest_image(), reference("ecr-public/", ":3.x"));
    assert_eq!(scene.stage.world.cache_rules(), ["ROOT", "ecr-public"]);
}

/// Somebody makes the same rule between our look and our call.
#[tokio::test]
async fn a_rule_that_somebody_else_made_meanwhile_will_do() {
    let scene = Scene::new(&[]).await;
    at_first(&scene.stage.world, "CreatePullThroughCacheRule", |_| {
        Fault::before(|world| world.add_cache_rule("ecr-public", PUBLIC, None))
    });
    assert_eq!(scene.stage.reconcile().await.outcome, "registered");
}

#[tokio::test]
async fn a_warm_up_that_is_cut_off_goes_on_blob_by_blob() {
    let scene = Scene::new(&[]).await;
    let arm = blobs_of(&scene.image, "amd64");
    let broken = arm.iter().next_back().cloned().unwrap();
    let last = broken.clone();
    scene.registry.on_pull(move |pull| (*pull == Pull::Blob(last.clone())).then_some(Mishap::Cut));
    let report = scene.stage.reconcile().await;
    assert_eq!((report.outcome, report.reason), ("waiting", Some(Reason::ImageNotFetched)), "{report:?}");
    scene.assert_untouched("a layer is missing");
    let first: Vec<String> = scene.pulled_blobs().into_iter().filter(|blob| *blob != broken).collect();
    assert_eq!(first.len(), 2, "the others came, each once: {first:?}");
    scene.registry.leave_pulls_alone();
    // Another function goes on: what came stands in the table.
    assert_eq!(scene.stage.reconcile_afresh().await.outcome, "registered");
    assert_eq!(scene.pulled_blobs(), [broken]);
    let items = scene.stage.items_of("image");
    let [item] = items.as_slice() else { panic!("{items:?}") };
    assert!(item.contains("checkedAt") && !item.contains("lease") && !item.contains("fetched"), "{item}");
}

/// The record alone says what came, where ECR does not tell of layers.
#[tokio::test]
async fn what_came_is_not_pulled_again_though_ecr_does_not_tell_of_it() {
    let scene = Scene::new(&[]).await;
    scene.stage.world.deny("BatchCheckLayerAvailability", None);
    let last = blobs_of(&scene.image, "amd64").into_iter().next_back().unwrap();
    let broken = last.clone();
    scene.registry.on_pull(move |pull| (*pull == Pull::Blob(broken.clone())).then_some(Mishap::Cut));
    assert_eq!(scene.stage.reconcile().await.outcome, "waiting");
    scene.registry.leave_pulls_alone();
    scene.registry.take_pulls();
    assert_eq!(scene.stage.reconcile_afresh().await.outcome, "registered");
    assert_eq!(scene.pulled_blobs(), [last]);
}

/// ECR copies what was pulled on its own time.
#[tokio::test]
async fn nothing_refers_to_an_image_before_ecr_shows_it() {
    let scene = Scene::new(&[]).await;
    scene.stage.world.show_images_after(5);
    assert_eq!(scene.stage.reconcile().await.outcome, "registered");
    let scene = Scene::new(&[]).await;
    scene.stage.world.show_images_after(500);
    let report = scene.stage.reconcile().await;
    assert_eq!((report.outcome, report.reason), ("waiting", Some(Reason::ImageWarming)), "{report:?}");
    scene.assert_untouched("ECR does not show it");
    scene.registry.take_pulls();
    scene.stage.world.clock().advance(Duration::from_secs(500));
    assert_eq!(scene.stage.reconcile_afresh().await.outcome, "registered");
    assert!(scene.pulled_blobs().is_empty(), "all of it came already");
}

#[tokio::test]
async fn what_passes_recovers_within_one_call() {
    for (mishap, times) in [
        (Mishap::Status(429), 2),
        (Mishap::Corrupt, 1),
        (Mishap::Cut, 2),
        (Mishap::Status(503), 3),
        (Mishap::Status(403), 1),
    ] {
        let scene = Scene::new(&[]).await;
        let mut left = times;
        scene.registry.on_pull(move |_| {
            left -= 1;
            (left >= 0).then_some(mishap)
        });
        let report = scene.stage.reconcile().await;
        assert_eq!(report.outcome, "registered", "{mishap:?}: {report:?}");
    }
}

#[tokio::test]
async fn a_login_that_ends_in_the_middle_is_renewed() {
    let scene = Scene::new(&[]).await;
    let world = scene.stage.world.clone();
    let mut pulls = 0;
    scene.registry.on_pull(move |_| {
        pulls += 1;
        if pulls == 3 {
            world.expire_logins();
        }
        None
    });
    assert_eq!(scene.stage.reconcile().await.outcome, "registered");
    let logins = scene.stage.world.call_lines().iter().filter(|line| line.starts_with("GetAuthorizationToken")).count();
    assert_eq!(logins, 2);
}

#[tokio::test]
async fn what_does_not_pass_is_a_reason() {
    let blobs: fn(&Pull) -> bool = |pull| matches!(pull, Pull::Blob(_));
    let all: fn(&Pull) -> bool = |_| true;
    for (hits, mishap, reason, waits) in [
        (blobs, Mishap::Corrupt, Reason::ImageCorrupt, false),
        (all, Mishap::Corrupt, Reason::ImageCorrupt, false),
        (all, Mishap::Status(429), Reason::RegistryThrottled, true),
        (all, Mishap::Status(403), Reason::ImageNotFetched, false),
        (all, Mishap::Status(401), Reason::ImageNotFetched, false),
        (all, Mishap::Status(500), Reason::ImageNotFetched, true),
    ] {
        let scene = Scene::new(&[]).await;
        scene.registry.on_pull(move |pull| hits(pull).then_some(mishap));
        let report = scene.stage.reconcile().await;
        let expected = if waits { "waiting" } else { "refused" };
        assert_eq!((report.reason, report.outcome), (Some(reason), expected), "{mishap:?}: {report:?}");
        scene.assert_untouched(reason.label());
    }
    let scene = Scene::new(&[]).await;
    scene.stage.world.add_cache_rule("ecr-public", PUBLIC, None);
    scene.stage.world.publish(PUBLIC, DAEMON, "3.x", Image::index("other", &["arm64"]));
    let report = scene.stage.reconcile().await;
    assert_eq!(report.reason, Some(Reason::ArchitectureMissing), "{report:?}");
    scene.assert_untouched("another architecture");
}

#[tokio::test]
async fn an_image_that_upstream_does_not_have_is_a_reason() {
    let policy = preset(&[("aws-xray-daemon:3.x", "aws-xray-daemon:4.x")]);
    let scene = Scene::new(&[(settings::POLICY, &policy)]).await;
    let report = scene.stage.reconcile().await;
    assert_eq!((report.reason, report.outcome), (Some(Reason::ImageNotUpstream), "refused"), "{report:?}");
    scene.assert_untouched("no such tag");
}

fn on_arm(version: &str) -> String {
    web(version).replacen('{', "{\"runtimePlatform\":{\"cpuArchitecture\":\"ARM64\"},", 1)
}

#[tokio::test]
async fn nothing_but_the_tasks_architecture_is_fetched_and_another_one_later() {
    let scene = Scene::warmed(&[]).await;
    scene.stage.world.register(&on_arm("2")).unwrap();
    assert_eq!(scene.stage.reconcile_afresh().await.outcome, "registered");
    let pulled: BTreeSet<String> = scene.pulled_blobs().into_iter().collect();
    let shared: BTreeSet<String> =
        blobs_of(&scene.image, "amd64").intersection(&blobs_of(&scene.image, "arm64")).cloned().collect();
    assert_eq!(shared.len(), 1);
    assert_eq!(pulled, blobs_of(&scene.image, "arm64").difference(&shared).cloned().collect());
}

#[tokio::test]
async fn an_image_without_an_index_is_for_the_architecture_that_its_configuration_names() {
    let scene = Scene::with_image(Image::single("daemon 3.6", "amd64"), &[(settings::POLICY, &pinned())]).await;
    assert_eq!(scene.stage.reconcile().await.outcome, "registered");
    assert_eq!(scene.newest_image(), reference("ecr-public/", &format!("@{}", scene.image.digest)));
    let scene = Scene::with_image(Image::single("daemon 3.6", "arm64"), &[]).await;
    assert_eq!(scene.stage.reconcile().await.reason, Some(Reason::ArchitectureMissing));
    scene.assert_untouched("another architecture");
}

/// Whether ECR tells of cached layers by that call is its documented meaning and nobody's promise.
#[tokio::test]
async fn where_ecr_does_not_tell_of_layers_the_record_of_the_fetch_counts() {
    let scene = Scene::new(&[]).await;
    scene.stage.world.hide_layers(IMAGE);
    for definition in [web("2"), on_arm("3")] {
        scene.stage.world.register(&definition).unwrap();
        assert_eq!(scene.stage.reconcile_afresh().await.outcome, "registered");
    }
    scene.registry.take_pulls();
    for definition in [web("4"), on_arm("5")] {
        scene.stage.world.register(&definition).unwrap();
        assert_eq!(scene.stage.reconcile_afresh().await.outcome, "registered");
        assert!(scene.registry.take_pulls().is_empty(), "it is not fetched for each family");
    }
}

#[tokio::test]
async fn an_image_whose_layers_are_gone_is_not_referred_to_again_before_they_are_back() {
    let scene = Scene::new(&[]).await;
    scene.stage.world.add_cache_rule("ecr-public", PUBLIC, None);
    scene.stage.world.put_image(IMAGE, "3.x", &scene.image);
    scene.stage.world.lose_layers(IMAGE);
    scene.stage.world.cut_upstream(true);
    let report = scene.stage.reconcile().await;
    assert_eq!((report.decision, report.outcome), (Decision::Skip, "waiting"), "{report:?}");
    scene.assert_untouched("only the manifests are there");
    scene.stage.world.cut_upstream(false);
    assert_eq!(scene.stage.reconcile().await.outcome, "registered");
}

#[tokio::test]
async fn an_image_that_the_operator_may_not_look_into_is_fetched_and_known_by_the_record_of_that() {
    for denied in ["BatchGetImage", "BatchCheckLayerAvailability"] {
        let scene = Scene::new(&[(settings::POLICY, &pinned())]).await;
        scene.stage.world.deny(denied, None);
        assert_eq!(scene.stage.reconcile().await.outcome, "registered", "{denied}");
        scene.registry.take_pulls();
        assert_eq!(scene.stage.reconcile_afresh().await.decision, Decision::UpToDate, "{denied}");
        assert!(scene.registry.take_pulls().is_empty(), "{denied}");
    }
}

/// An emulator of ECR that has never heard of caches keeps tags and nothing behind them.
#[tokio::test]
async fn where_ecr_has_never_heard_of_rules_the_tag_counts() {
    let scene = Scene::new(&[]).await;
    let unknown = || Fault::FailBefore(ServiceError::new("InvalidAction", "The action is not valid"));
    scene.stage.world.on_call(move |call| match call.operation.as_str() {
        "DescribePullThroughCacheRules" | "BatchGetImage" | "BatchCheckLayerAvailability" => unknown(),
        _ => Fault::None,
    });
    assert_eq!(scene.stage.reconcile().await.reason, Some(Reason::CacheUnavailable));
    scene.stage.world.put_image(IMAGE, "3.x", &scene.image);
    assert_eq!(scene.stage.reconcile().await.outcome, "registered");
}
