//! Answers that nobody saw, and failures that prove something or nothing.

use crate::stage::{Stage, at_call, at_first, web};
use ecs_sidecar_aws::{Deadline, ReconcileAction, settings};
use ecs_sidecar_core::plan::Decision;
use ecs_sidecar_tests::{Fault, ServiceError};

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

/// A crash anywhere is a call that never returns: whatever was done before it is all that was done.
#[tokio::test]
async fn a_failure_at_any_call_is_finished_by_the_next_reconcile() {
    let faults: [fn() -> Fault; 3] =
        [|| Fault::FailBefore(server_error()), || Fault::ApplyAndFail(server_error()), || Fault::ApplyAndLoseAnswer];
    for fault in faults {
        for index in 0..12 {
            let stage = Stage::with_web();
            at_call(&stage.world, index, move |_| fault());
            let first = stage.try_reconcile().await;
            assert!(first.as_ref().map_or_else(|error| error.is_retryable(), |_| true), "call {index}: {first:?}");
            stage.world.leave_calls_alone();
            stage.reconcile().await;
            assert_eq!(stage.active(), [1, 2], "{:?} at call {index}", fault());
            stage.assert_newest_patches(1);
        }
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
    let report =
        function.reconcile(&"web".parse().unwrap(), ReconcileAction::Reconcile, Deadline::none()).await.unwrap();
    assert_eq!((report.outcome, stage.active()), ("registered", vec![1, 2]), "{report:?}");
    assert_eq!(registrations(&stage.take_calls()), 1);
}
