//! What is pinned, and what makes it outdated.

use ecs_sidecar_aws::settings;
use ecs_sidecar_core::plan::Decision;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_stage::registry::{DAEMON, PUBLIC, Scene, pinned, preset, reference};
use ecs_sidecar_stage::stage::{ACCOUNT, IMAGE, web};
use ecs_sidecar_tests::{Image, Mishap};
use std::time::Duration;

#[tokio::test]
async fn a_newer_image_upstream_makes_families_outdated_as_the_policy_says() {
    let newer = Image::index("daemon 3.7", &["amd64", "arm64"]);
    for (updates, decision, reason) in [
        ("updates: now", Decision::Update, Reason::ImageChanged),
        ("updates: onNextRegistration", Decision::Skip, Reason::UpdatePending),
    ] {
        let policy = preset(&[("pin: tag", "pin: digest"), ("updates: onNextRegistration", updates)]);
        let scene = Scene::warmed(&[(settings::POLICY, &policy)]).await;
        scene.stage.world.publish(PUBLIC, DAEMON, "3.x", newer.clone());
        scene.stage.world.clock().advance(Duration::from_secs(23 * 3600));
        assert_eq!(scene.stage.reconcile_afresh().await.decision, Decision::UpToDate);
        assert!(scene.registry.take_pulls().is_empty(), "the tag is looked up once a day");
        scene.stage.world.clock().advance(Duration::from_secs(3600));
        let report = scene.stage.reconcile_afresh().await;
        assert_eq!((report.decision, report.reason), (decision, Some(reason)), "{report:?}");
        let expected = if decision == Decision::Update { &newer.digest } else { &scene.image.digest };
        assert_eq!(scene.newest_image(), reference("ecr-public/", &format!("@{expected}")));
        scene.registry.take_pulls();
        scene.stage.reconcile_afresh().await;
        assert!(scene.registry.take_pulls().is_empty(), "once is enough for a day");
    }
}

#[tokio::test]
async fn a_tag_that_cannot_be_looked_up_again_leaves_what_is_there() {
    let scene = Scene::warmed(&[(settings::POLICY, &pinned())]).await;
    scene.stage.world.clock().advance(Duration::from_secs(25 * 3600));
    scene.registry.on_pull(|_| Some(Mishap::Status(500)));
    scene.stage.world.register(&web("2")).unwrap();
    let report = scene.stage.reconcile_afresh().await;
    assert_eq!(report.outcome, "registered", "{report:?}");
    assert!(report.notes.iter().any(|note| note.starts_with("imageNotFetched")), "{:?}", report.notes);
    // The next family does not try at once, and an hour later somebody does.
    scene.registry.take_pulls();
    scene.stage.world.register(&web("3")).unwrap();
    assert_eq!(scene.stage.reconcile_afresh().await.outcome, "registered");
    assert!(scene.registry.take_pulls().is_empty());
    scene.stage.world.clock().advance(Duration::from_secs(3600));
    scene.stage.reconcile_afresh().await;
    assert!(!scene.registry.take_pulls().is_empty());
    assert_eq!(scene.newest_image(), reference("ecr-public/", &format!("@{}", scene.image.digest)));
}

#[tokio::test]
async fn a_lifecycle_policy_that_would_delete_a_pinned_image_is_a_reason() {
    let rule = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":1},"action":{"type":"expire"}}]}"#;
    let scene = Scene::new(&[(settings::POLICY, &pinned())]).await;
    scene.stage.world.add_cache_rule("ecr-public", PUBLIC, None);
    scene.stage.world.set_lifecycle_policy(IMAGE, rule);
    let report = scene.stage.reconcile().await;
    assert_eq!(report.reason, Some(Reason::ImageWouldExpire), "{report:?}");
    scene.assert_untouched("a lifecycle policy");
    // A definition that names the tag minds no such rule.
    let scene = Scene::new(&[]).await;
    scene.stage.world.set_lifecycle_policy(IMAGE, rule);
    assert_eq!(scene.stage.reconcile().await.outcome, "registered");
}

#[tokio::test]
async fn a_registry_of_another_account_is_looked_at_and_its_rules_are_not() {
    let scene = Scene::new(&[(settings::REGISTRY_ID, "444455556666"), (settings::POLICY, &pinned())]).await;
    let other = scene.stage.world.as_principal("arn:aws:iam::444455556666:user/registrar");
    let digest = other.put_image(IMAGE, "3.x", &scene.image);
    let report = scene.stage.reconcile().await;
    assert_ne!(report.outcome, "registered", "nobody shares it: {report:?}");
    other.share_repository(IMAGE);
    assert_eq!(scene.stage.reconcile().await.outcome, "registered");
    let image = scene.newest_image();
    assert_eq!(image, reference("ecr-public/", &format!("@{digest}")).replace(ACCOUNT, "444455556666"));
    let calls = scene.stage.world.call_lines();
    assert!(calls.iter().all(|line| !line.contains("PullThroughCacheRule")), "{calls:?}");
}

#[tokio::test]
async fn an_audit_and_a_plan_say_what_would_be_fetched_and_fetch_nothing() {
    let pinned = pinned();
    for (policy, decision) in [(preset(&[]), Decision::Inject), (pinned, Decision::Fetch)] {
        let scene = Scene::new(&[(settings::MODE, "audit"), (settings::POLICY, &policy)]).await;
        let report = scene.stage.reconcile().await;
        assert_eq!((report.decision, report.outcome), (decision, "planned"), "{report:?}");
        let fetch = report.fetch.expect("it says what");
        assert_eq!((fetch.create_rule.as_deref(), fetch.repository.as_str()), (Some("ecr-public"), IMAGE));
        assert!(scene.registry.take_pulls().is_empty() && scene.stage.world.cache_rules().is_empty());
        assert!(scene.stage.items_of("image").is_empty());
    }
}
