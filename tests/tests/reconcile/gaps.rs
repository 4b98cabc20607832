//! Others who register and deregister at the same time. ECS has no compare-and-swap, so the order of numbers decides.

use crate::stage::{Stage, at_call, at_first, parsed, revision_arn, web};
use ecs_sidecar_aws::{Deadline, ReconcileAction, settings};
use ecs_sidecar_core::plan::Decision;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_tests::{Fault, World};

/// More calls than any of these reconciles makes.
const CALLS: usize = 16;

fn user_registers(world: &World) {
    world.register(&web("2")).unwrap();
}

#[tokio::test]
async fn a_registration_between_any_two_calls_ends_as_the_base_of_the_newest_revision() {
    for index in 0..CALLS {
        for before in [true, false] {
            let stage = Stage::with_web();
            at_call(&stage.world, index, move |_| {
                if before { Fault::before(user_registers) } else { Fault::then(user_registers) }
            });
            stage.reconcile().await;
            stage.world.leave_calls_alone();
            let revisions = stage.world.revisions("web");
            let Some(users) =
                revisions.iter().find(|view| view.text.contains("shop/web:2") && view.registered_by.contains(":user/"))
            else {
                continue; // there was no such call
            };
            // The user's registration brings an event of its own.
            stage.reconcile().await;
            let newest = stage.world.newest_active("web").unwrap();
            let receipt = ecs_sidecar_core::receipt::ours(&parsed(&newest)).unwrap();
            assert_eq!(receipt.source.arn, Some(users.arn.clone()), "call {index}, before: {before}");
            // And nothing is left to do.
            stage.world.forget_calls();
            assert_eq!(stage.reconcile().await.decision, Decision::UpToDate);
            assert!(
                stage.take_calls().iter().all(|line| !line.starts_with("Register") && !line.starts_with("Deregister"))
            );
        }
    }
}

#[tokio::test]
async fn a_registration_right_before_ours_makes_ours_go_first() {
    let stage = Stage::with_web();
    at_first(&stage.world, "RegisterTaskDefinition", |_| Fault::before(user_registers));
    let report = stage.reconcile().await;
    // 2 is the user's, 3 was ours and shadowed it, 4 is ours on top of 2.
    assert_eq!((report.outcome, stage.active()), ("registered", vec![1, 2, 4]));
    assert_eq!(report.deregistered, [revision_arn(3)]);
    stage.assert_newest_patches(2);
}

#[tokio::test]
async fn a_user_who_always_registers_first_is_left_for_later_after_three_rounds() {
    let stage = Stage::with_web();
    stage.world.on_call(|call| match call.operation.as_str() {
        "RegisterTaskDefinition" => Fault::before(user_registers),
        _ => Fault::None,
    });
    let error = stage.try_reconcile().await.unwrap_err();
    assert!(error.is_retryable() && !error.is_uncertain(), "{error}");
    assert!(stage.patched().is_empty(), "nothing of ours shadows the user");
}

#[tokio::test]
async fn a_crash_before_ours_could_go_is_made_good_by_the_next_reconcile() {
    let stage = Stage::with_web();
    stage.world.on_call(|call| match call.operation.as_str() {
        "RegisterTaskDefinition" => Fault::before(user_registers),
        "DeregisterTaskDefinition" => Fault::LoseRequest,
        _ => Fault::None,
    });
    assert!(stage.try_reconcile().await.unwrap_err().is_retryable());
    assert_eq!(stage.active(), [1, 2, 3], "ours shadows the user's");
    stage.world.leave_calls_alone();
    let report = stage.reconcile().await;
    assert_eq!((report.outcome, stage.active()), ("registered", vec![1, 2, 4]), "{report:?}");
    stage.assert_newest_patches(2);
}

#[tokio::test]
async fn deregistered_numbers_are_no_conflict() {
    let stage = Stage::with_web();
    at_first(&stage.world, "RegisterTaskDefinition", |_| {
        Fault::before(|world| {
            world.register(&web("2")).unwrap();
            world.deregister("web:2").unwrap();
        })
    });
    let report = stage.reconcile().await;
    assert_eq!((report.outcome, stage.active()), ("registered", vec![1, 3]));
    stage.assert_newest_patches(1);
    assert_eq!(stage.reconcile().await.decision, Decision::UpToDate);
}

#[tokio::test]
async fn of_two_functions_at_once_one_patched_revision_stays() {
    for index in 0..CALLS {
        for before in [true, false] {
            let stage = Stage::with_web();
            at_call(&stage.world, index, move |_| {
                // The other one is not interrupted in its turn.
                let run = |world: &World| {
                    world.leave_calls_alone();
                    Stage::elsewhere(world);
                };
                if before { Fault::before(run) } else { Fault::then(run) }
            });
            stage.reconcile().await;
            stage.world.leave_calls_alone();
            let patched = stage.patched();
            assert_eq!(patched.len(), 1, "call {index}, before: {before}: {patched:?}");
            stage.assert_newest_patches(1);
        }
    }
}

#[tokio::test]
async fn a_patch_that_somebody_deregistered_is_not_made_again_until_the_source_changes() {
    let stage = Stage::with_patched_web().await;
    stage.world.deregister("web:2").unwrap();
    let report = stage.reconcile().await;
    assert_eq!((report.decision, report.reason), (Decision::Skip, Some(Reason::Withdrawn)), "{report:?}");
    assert_eq!(stage.active(), [1]);
    // One that cannot be described any more says nothing, and breaks nothing.
    stage.world.register(&web("2")).unwrap();
    assert_eq!(stage.reconcile().await.decision, Decision::Inject);
    stage.assert_newest_patches(3);
}

#[tokio::test]
async fn a_patch_without_its_source_is_deregistered() {
    let stage = Stage::with_patched_web().await;
    stage.world.deregister("web:1").unwrap();
    let report = stage.reconcile().await;
    assert_eq!((report.decision, report.outcome), (Decision::Withdraw, "deregistered"), "{report:?}");
    assert_eq!((report.deregistered, stage.active()), (vec![revision_arn(2)], vec![]));
}

#[tokio::test]
async fn what_somebody_else_registered_is_never_deregistered() {
    let stage = Stage::with_patched_web().await;
    // A person registers our revision as it is, receipt included, and then cleans up behind.
    let ours = parsed(&stage.world.newest_active("web").unwrap());
    stage.world.register(ours.text()).unwrap();
    stage.world.deregister("web:1").unwrap();
    stage.world.deregister("web:2").unwrap();
    let report = stage.reconcile().await;
    assert_eq!((report.decision, stage.active()), (Decision::UpToDate, vec![3]), "{report:?}");
}

#[tokio::test]
async fn a_newer_policy_replaces_the_sidecar_at_once_if_it_says_so() {
    let stage = Stage::with_patched_web().await;
    let policy = ecs_sidecar_core::policy::PRESETS[0].1;
    let newer = policy.replace("updates: onNextRegistration", "updates: now").replace("\"64\"", "\"32\"");
    let newer = stage.another_with(&[(settings::POLICY, &newer)]);
    let family = "web".parse().unwrap();
    let report = newer.reconcile(&family, ReconcileAction::Reconcile, Deadline::none()).await.unwrap();
    assert_eq!((report.decision, report.outcome), (Decision::Update, "registered"), "{report:?}");
    let report = newer.reconcile(&family, ReconcileAction::Reconcile, Deadline::none()).await.unwrap();
    assert_eq!((report.decision, stage.active()), (Decision::UpToDate, vec![1, 2, 3]));
    // Back again: what revision 2 was must not count as somebody's work, nor as done already.
    let older = policy.replace("updates: onNextRegistration", "updates: now");
    let older = stage.another_with(&[(settings::POLICY, &older)]);
    let report = older.reconcile(&family, ReconcileAction::Reconcile, Deadline::none()).await.unwrap();
    assert_eq!((report.decision, report.outcome), (Decision::Update, "registered"), "{report:?}");
    let report = older.reconcile(&family, ReconcileAction::Reconcile, Deadline::none()).await.unwrap();
    assert_eq!((report.decision, stage.active()), (Decision::UpToDate, vec![1, 2, 3, 4]));
}
