//! Answers that nobody saw, and failures that prove something or nothing.

use ecs_sidecar_aws::{Deadline, ReconcileAction, Urgency, settings};
use ecs_sidecar_core::plan::Decision;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_stage::scenes::{Scene, newer_policy};
use ecs_sidecar_stage::stage::{Stage, at_call, at_first, die, revision_arn, web, web_on_instances};
use ecs_sidecar_tests::{Fault, ServiceError};
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;

fn server_error() -> ServiceError {
    ServiceError::new("ServerException", "Service Unavailable. Please try again later.")
}

fn registrations(calls: &[String]) -> usize {
    calls.iter().filter(|line| line.starts_with("RegisterTaskDefinition")).count()
}

#[tokio::test]
async fn a_registration_whose_answer_is_lost_leaves_exactly_one_patched_revision() {
    let losses: [fn() -> Fault; 4] = [
        || Fault::ApplyAndLoseAnswer,
        || Fault::ApplyAndTimeOut,
        || Fault::ApplyAndGarble,
        || Fault::ApplyAndFail(server_error()),
    ];
    for loss in losses {
        let stage = Stage::with_web();
        at_first(&stage.world, "RegisterTaskDefinition", move |_| loss());
        let report = stage.reconcile().await;
        assert_eq!((report.decision, report.outcome), (Decision::UpToDate, "nothing"), "{:?}", loss());
        assert!(report.notes.iter().any(|note| note.contains("lost")), "{:?}", report.notes);
        assert_eq!(registrations(&stage.take_calls()), 1, "{:?}", loss());
        assert_eq!(stage.active(), [1, 2], "{:?}", loss());
        stage.assert_newest_patches(1);
    }
}

#[tokio::test]
async fn a_registration_that_did_not_happen_is_made_after_another_look() {
    let losses: [fn() -> Fault; 2] = [|| Fault::LoseRequest, || Fault::FailBefore(server_error())];
    for loss in losses {
        let stage = Stage::with_web();
        at_first(&stage.world, "RegisterTaskDefinition", move |_| loss());
        let report = stage.reconcile().await;
        assert_eq!((report.decision, report.outcome), (Decision::Inject, "registered"), "{:?}", loss());
        let calls = stage.world.call_lines();
        let register = calls.iter().position(|line| line.starts_with("RegisterTask")).unwrap();
        let look = calls.iter().rposition(|line| line == "DescribeTaskDefinition web").unwrap();
        assert!(register < look && registrations(&calls) == 2, "{calls:#?}");
        assert_eq!(stage.active(), [1, 2]);
    }
}

#[tokio::test]
async fn throttling_proves_that_nothing_happened_so_the_client_sends_again() {
    let stage = Stage::with_web();
    at_first(&stage.world, "RegisterTaskDefinition", |_| Fault::Throttle);
    let report = stage.reconcile().await;
    assert_eq!((report.outcome, stage.active()), ("registered", vec![1, 2]));
    let calls = stage.take_calls();
    let looks = calls.iter().filter(|line| *line == "DescribeTaskDefinition web").count();
    assert_eq!((registrations(&calls), looks), (2, 1), "{calls:#?}");
}

#[tokio::test]
async fn an_endless_outage_is_an_error_to_be_tried_later_and_leaves_one_revision_at_most() {
    let stage = Stage::with_web();
    stage.world.on_call(|call| match call.operation.as_str() {
        "RegisterTaskDefinition" => Fault::LoseRequest,
        _ => Fault::None,
    });
    let error = stage.try_reconcile().await.unwrap_err();
    assert!(error.is_retryable() && error.is_uncertain(), "{error}");
    assert_eq!(stage.active(), [1]);
    stage.world.leave_calls_alone();
    assert_eq!(stage.reconcile().await.outcome, "registered");
    stage.assert_newest_patches(1);
}

/// Cuts a fresh function off at each of its calls in turn, and has another one reconcile the family after it.
async fn law(scene: Scene, fault: fn() -> Fault, dies: bool) {
    let set = scene.set().await;
    let calls = Scene::calls(&set).await;
    assert!(calls >= 3, "{scene:?} makes {calls} calls");
    for index in 0..calls {
        let stage = set.fork();
        let about = format!("{:?} at call {index}", fault());
        let reached = at_call(&stage.world, index, move |_| fault());
        match AssertUnwindSafe(stage.try_reconcile()).catch_unwind().await {
            Ok(Ok(_)) => assert!(!dies, "{scene:?}, {about}"),
            Ok(Err(error)) => assert!(!dies && error.is_retryable(), "{scene:?}, {about}: {error}"),
            Err(_) => assert!(dies, "{scene:?}, {about}"),
        }
        assert!(reached.get(), "{scene:?}, {about}: there was no such call");
        stage.world.leave_calls_alone();
        stage.finish_afresh(&about).await;
        scene.assert_done(&stage, &about);
    }
}

#[tokio::test]
async fn a_failure_at_any_call_is_finished_by_the_next_reconcile() {
    let faults: [fn() -> Fault; 4] = [
        || Fault::FailBefore(server_error()),
        || Fault::LoseRequest,
        || Fault::ApplyAndFail(server_error()),
        || Fault::ApplyAndLoseAnswer,
    ];
    for scene in Scene::ALL {
        for fault in faults {
            law(scene, fault, false).await;
        }
    }
}

#[tokio::test]
async fn a_death_at_any_call_is_finished_by_the_next_reconcile() {
    let deaths: [fn() -> Fault; 2] = [|| Fault::before(die), || Fault::then(die)];
    for scene in Scene::ALL {
        for death in deaths {
            law(scene, death, true).await;
        }
    }
}

#[tokio::test]
async fn a_lost_answer_to_an_update_that_asks_more_of_an_instance_is_found_out() {
    let health = "readonlyRootFilesystem: true\n    healthCheck: { command: [CMD, /probe] }";
    let policy = newer_policy().replace("readonlyRootFilesystem: true", health);
    let faults: [fn() -> Fault; 2] = [|| Fault::ApplyAndLoseAnswer, || Fault::then(die)];
    for fault in faults {
        let stage = Stage::new();
        stage.world.register(&web_on_instances()).unwrap();
        stage.reconcile().await;
        let stage = stage.deployed_with(&[(settings::POLICY, &policy)]);
        at_first(&stage.world, "RegisterTaskDefinition", move |_| fault());
        let died = AssertUnwindSafe(stage.try_reconcile()).catch_unwind().await;
        let report = match died {
            Ok(report) => report.unwrap(),
            Err(_) => stage.reconcile_afresh().await,
        };
        assert_eq!((report.reason, report.outcome), (Some(Reason::RequiresMore), "refused"), "{report:?}");
        assert_eq!((report.deregistered, stage.active()), (vec![revision_arn(3)], vec![1, 2]));
        // And it is not made again.
        stage.world.forget_calls();
        assert_eq!(stage.reconcile_afresh().await.reason, Some(Reason::Withdrawn));
        assert!(!stage.wrote());
    }
}

/// A typed client of today may stumble over an answer of tomorrow; that is no reason to register twice.
#[tokio::test]
async fn an_answer_that_only_the_typed_client_cannot_read_is_an_answer() {
    let stage = Stage::new();
    // The service model says that this is a string.
    stage.world.add_read_only_member("ipcMode", "17");
    stage.world.register(&web("1")).unwrap();
    let typed = aws_sdk_ecs::Client::new(&stage.world.sdk_config());
    assert!(typed.describe_task_definition().task_definition("web").send().await.is_err(), "the control is blind");
    stage.world.forget_calls();
    let function = stage.another_with(&[(settings::DROP_MEMBERS, "ipcMode")]);
    let report = function
        .reconcile(&"web".parse().unwrap(), ReconcileAction::Reconcile, Urgency::Event, Deadline::none())
        .await
        .unwrap();
    assert_eq!((report.outcome, stage.active()), ("registered", vec![1, 2]), "{report:?}");
    assert_eq!(registrations(&stage.take_calls()), 1);
}
