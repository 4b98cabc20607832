//! What AWS or the account refuses: a reason code, and nothing registered.

use ecs_sidecar_aws::{Urgency, settings};
use ecs_sidecar_core::plan::Decision;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::report::Report;
use ecs_sidecar_stage::stage::{IMAGE, Stage, TRACES, at_first, revision_arn, web, web_on_instances};
use ecs_sidecar_tests::{Fault, ServiceError, World};

type Arrange = fn(&World);

fn assert_refused(stage: &Stage, report: &Report, reason: Reason) {
    assert_eq!((report.decision, report.reason), (Decision::Skip, Some(reason)), "{report:?}");
    assert_eq!(stage.active(), [1], "{reason}");
}

fn never_registered(stage: &Stage) -> bool {
    stage.world.call_lines().iter().all(|line| !line.starts_with("RegisterTask"))
}

#[tokio::test]
async fn a_role_that_takes_no_policy_leaves_the_family_as_it_is() {
    let full = |world: &World| world.set_policy_quota(0);
    let denied = |world: &World| world.deny("AttachRolePolicy", None);
    let unmodifiable = |world: &World| {
        world.on_call(|call| match call.operation.as_str() {
            "AttachRolePolicy" => {
                Fault::FailBefore(ServiceError::new("UnmodifiableEntity", "Cannot perform the operation."))
            }
            _ => Fault::None,
        });
    };
    let cases: [(Arrange, Reason); 3] = [
        (full, Reason::RolePolicyLimit),
        (denied, Reason::PermissionDenied),
        (unmodifiable, Reason::RoleNotModifiable),
    ];
    for (arrange, reason) in cases {
        let stage = Stage::with_web();
        arrange(&stage.world);
        let report = stage.reconcile().await;
        assert_refused(&stage, &report, reason);
        assert_eq!(report.outcome, "refused");
        assert!(never_registered(&stage), "{reason}");
    }
}

#[tokio::test]
async fn roles_that_cannot_be_seen_are_told_apart_from_roles_that_are_not_there() {
    let stage = Stage::with_web();
    stage.world.remove_role("web");
    assert_refused(&stage, &stage.reconcile().await, Reason::RoleNotFound);
    let stage = Stage::with_web();
    stage.world.deny("ListAttachedRolePolicies", Some("execution"));
    assert_refused(&stage, &stage.reconcile().await, Reason::RoleUnreadable);
    assert!(never_registered(&stage));
}

#[tokio::test]
async fn an_image_that_is_not_in_the_registry_is_not_referred_to() {
    let missing = Stage::with(&[(settings::CACHE_PREFIX, "other")]);
    missing.world.register(&web("1")).unwrap();
    assert_refused(&missing, &missing.reconcile().await, Reason::ImageNotCached);
    missing.world.add_repository(&IMAGE.replace("ecr-public", "other"));
    assert_refused(&missing, &missing.reconcile().await, Reason::ImageNotCached);
    assert!(never_registered(&missing) && missing.world.attached("web").is_empty());
    // As soon as it is there, it is found: bad news is not remembered.
    missing.world.add_image(&IMAGE.replace("ecr-public", "other"), "3.x");
    assert_eq!(missing.reconcile().await.outcome, "registered");
    for denied in ["DescribeImages", "BatchGetImage", "BatchCheckLayerAvailability"] {
        let stage = Stage::with_web();
        stage.world.deny(denied, None);
        assert_refused(&stage, &stage.reconcile().await, Reason::ImageUnreadable);
    }
}

#[tokio::test]
async fn verifying_names_what_is_missing_and_grants_nothing() {
    let stage = Stage::with(&[(settings::PERMISSIONS, "verify")]);
    stage.world.register(&web("1")).unwrap();
    let report = stage.reconcile().await;
    assert_refused(&stage, &report, Reason::PermissionsMissing);
    assert!(report.message.contains(TRACES), "{}", report.message);
    stage.world.attach("web", TRACES);
    stage.world.attach("execution", &stage.execution_policy);
    assert_eq!(stage.reconcile().await.outcome, "registered");
    assert!(stage.world.call_lines().iter().all(|line| !line.starts_with("Attach")));
}

#[tokio::test]
async fn a_refused_registration_is_a_reason_and_no_secret_is_told() {
    let refuse = |message: &'static str| {
        let stage = Stage::with_web();
        stage.world.on_call(move |call| match call.operation.as_str() {
            "RegisterTaskDefinition" => Fault::FailBefore(ServiceError::new("ClientException", message)),
            _ => Fault::None,
        });
        stage
    };
    let stage = refuse("Invalid value hunter2 for TOKEN.");
    let report = stage.reconcile().await;
    assert_refused(&stage, &report, Reason::RegistrationRefused);
    assert!(!serde_json::to_string(&report).unwrap().contains("hunter2"));
    assert!(report.message.contains("TOKEN"), "{}", report.message);
}

#[tokio::test]
async fn a_read_only_member_of_next_year_is_named_and_a_setting_cures_it() {
    let stage = Stage::with_web();
    stage.world.add_read_only_member("blessedAt", "17");
    let report = stage.reconcile().await;
    assert_refused(&stage, &report, Reason::FieldRefused);
    assert!(report.message.contains("blessedAt"), "{}", report.message);
    let cured = stage.another_with(&[(settings::DROP_MEMBERS, "blessedAt")]);
    let family = "web".parse().unwrap();
    let action = ecs_sidecar_aws::ReconcileAction::Reconcile;
    let report = cured.reconcile(&family, action, Urgency::Event, ecs_sidecar_aws::Deadline::none()).await.unwrap();
    assert_eq!((report.outcome, stage.active()), ("registered", vec![1, 2]), "{report:?}");
    let report = cured.reconcile(&family, action, Urgency::Event, ecs_sidecar_aws::Deadline::none()).await.unwrap();
    assert_eq!(report.decision, Decision::UpToDate, "{report:?}");
}

#[tokio::test]
async fn a_registration_that_is_not_allowed_is_a_reason() {
    let stage = Stage::with_web();
    stage.world.deny("RegisterTaskDefinition", None);
    assert_refused(&stage, &stage.reconcile().await, Reason::PermissionDenied);
}

#[tokio::test]
async fn a_policy_that_was_taken_away_behind_our_back_is_found_when_memory_is_gone() {
    let stage = Stage::with_patched_web().await;
    stage.world.remove_role("web");
    stage.world.add_role("app/web");
    // A warm function believes what it knew.
    assert_eq!(stage.reconcile().await.grants.len(), 0);
    let family = "web".parse().unwrap();
    let action = ecs_sidecar_aws::ReconcileAction::Reconcile;
    let report =
        stage.another().reconcile(&family, action, Urgency::Event, ecs_sidecar_aws::Deadline::none()).await.unwrap();
    assert_eq!((report.decision, report.grants.len()), (Decision::UpToDate, 1));
    assert_eq!(stage.world.attached("web"), [TRACES]);
}

#[tokio::test]
async fn a_revision_that_asks_more_of_an_instance_is_taken_back_and_not_made_again() {
    let health = "readonlyRootFilesystem: true\n    healthCheck: { command: [CMD, /probe] }";
    let policy = ecs_sidecar_core::policy::PRESETS[0].1.replace("readonlyRootFilesystem: true", health);
    for lost in [false, true] {
        let stage = Stage::with(&[(settings::POLICY, &policy)]);
        stage.world.register(&web_on_instances()).unwrap();
        if lost {
            at_first(&stage.world, "RegisterTaskDefinition", |_| Fault::ApplyAndLoseAnswer);
        }
        let report = stage.reconcile().await;
        assert_refused(&stage, &report, Reason::RequiresMore);
        assert!(report.message.contains("container-health-check"), "{}", report.message);
        assert_eq!(report.deregistered, [revision_arn(2)]);
        // It counts as withdrawn from now on, so that each event does not cost two writes.
        stage.world.forget_calls();
        assert_eq!(stage.reconcile().await.reason, Some(Reason::Withdrawn));
        assert!(never_registered(&stage), "lost: {lost}");
    }
}

#[tokio::test]
async fn on_instances_the_preset_asks_for_nothing_new() {
    let stage = Stage::new();
    stage.world.register(&web_on_instances()).unwrap();
    let report = stage.reconcile().await;
    assert_eq!((report.outcome, stage.active()), ("registered", vec![1, 2]), "{report:?}");
}
