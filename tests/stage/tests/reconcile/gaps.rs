//! Others who register and deregister at the same time. ECS has no compare-and-swap, so the order of numbers decides.

use ecs_sidecar_aws::{Deadline, ReconcileAction, Urgency, settings};
use ecs_sidecar_core::plan::Decision;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_stage::scenes::{Scene, TEXTS, work};
use ecs_sidecar_stage::stage::{SESSION, Stage, at_call, at_first, parsed, revision_arn, web};
use ecs_sidecar_tests::{Fault, ServiceError, World};
use std::sync::atomic::Ordering;

fn refused(message: &str) -> ServiceError {
    ServiceError::new("ClientException", message)
}

fn user_registers(world: &World) {
    world.register(&web("2")).unwrap();
}

/// What is left when a user registered that text around a call of ours.
async fn assert_user_wins(stage: &Stage, about: &str) {
    // The user's registration brings an event of its own.
    stage.finish_afresh(about).await;
    let revisions = stage.world.revisions("web");
    let users = revisions.iter().rfind(|view| view.registered_by.contains(":user/")).unwrap();
    let newest = stage.world.newest_active("web").unwrap();
    assert_eq!(work(&parsed(&newest)), work(&parsed(users)), "{about}: {revisions:#?}");
    assert!(newest.number == users.number || newest.registered_by.contains("/operator/"), "{about}");
}

/// A registration between any two calls ends as the base of the newest revision.
async fn law(scene: Scene) {
    let set = scene.set().await;
    let calls = Scene::calls(&set).await;
    for (name, text) in TEXTS {
        for (index, before) in (0..calls).flat_map(|index| [(index, true), (index, false)]) {
            let about = format!("{scene:?}, {name}, at call {index}, before: {before}");
            let stage = set.fork();
            let text = text(&stage);
            let reached = at_call(&stage.world, index, move |_| {
                let text = text.clone();
                let user_registers = move |world: &World| {
                    world.register(&text).unwrap();
                };
                if before { Fault::before(user_registers) } else { Fault::then(user_registers) }
            });
            stage.reconcile().await;
            assert!(reached.get(), "{about}: there was no such call");
            stage.world.leave_calls_alone();
            assert_user_wins(&stage, &about).await;
        }
    }
}

#[tokio::test]
async fn a_registration_between_any_two_calls_of_an_injection_wins() {
    law(Scene::Inject).await;
}

#[tokio::test]
async fn a_registration_between_any_two_calls_of_an_update_wins() {
    law(Scene::Update).await;
}

#[tokio::test]
async fn a_registration_between_any_two_calls_of_a_removal_wins() {
    law(Scene::Remove).await;
}

/// The worker that could have noticed is gone: what it left shadows the user.
#[tokio::test]
async fn a_registration_right_before_ours_wins_also_if_the_answer_to_ours_is_lost() {
    for scene in Scene::ALL {
        let set = scene.set().await;
        for (name, text) in TEXTS {
            for outage in [false, true] {
                let about = format!("{scene:?}, {name}, outage: {outage}");
                let stage = set.fork();
                let text = text(&stage);
                let register = move |world: &World| {
                    world.register(&text).unwrap();
                };
                let lost = std::sync::atomic::AtomicBool::new(false);
                stage.world.on_call(move |call| {
                    if lost.load(Ordering::Relaxed) {
                        // The worker is cut off from all of AWS, or from nothing more.
                        if outage { Fault::LoseRequest } else { Fault::None }
                    } else if call.operation == "RegisterTaskDefinition" {
                        lost.store(true, Ordering::Relaxed);
                        Fault::before(register.clone()).and(Fault::ApplyAndLoseAnswer)
                    } else {
                        Fault::None
                    }
                });
                let first = stage
                    .another()
                    .reconcile(&"web".parse().unwrap(), ReconcileAction::Reconcile, Urgency::Event, Deadline::none())
                    .await;
                assert_eq!(first.is_err(), outage, "{about}: {first:?}");
                stage.world.leave_calls_alone();
                assert_user_wins(&stage, &about).await;
            }
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
        "RegisterTaskDefinition" => {
            let text = web(&format!("after-{}", call.sequence));
            Fault::before(move |world| {
                world.register(&text).unwrap();
            })
        }
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
async fn of_two_functions_at_once_one_result_stays() {
    for scene in Scene::ALL {
        let set = scene.set().await;
        let calls = Scene::calls(&set).await;
        for (index, before) in (0..calls).flat_map(|index| [(index, true), (index, false)]) {
            let stage = set.fork();
            let other = stage.deployment();
            let reached = at_call(&stage.world, index, move |_| {
                let other = other.clone();
                // The other one is not interrupted in its turn.
                let run = move |world: &World| {
                    world.leave_calls_alone();
                    other.reconcile_elsewhere(world);
                };
                if before { Fault::before(run) } else { Fault::then(run) }
            });
            stage.reconcile().await;
            assert!(reached.get(), "{scene:?}: there was no call {index}");
            let about = format!("another one at call {index}, before: {before}");
            scene.assert_one_result(&stage, &about);
            let before = stage.world.revisions("web");
            stage.finish_afresh(&about).await;
            assert_eq!(stage.world.revisions("web"), before, "{scene:?}, {about}");
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
    // And the family was looked at once more: nothing is left of it.
    assert_eq!((report.reason, report.outcome), (Some(Reason::NoActiveRevision), "deregistered"), "{report:?}");
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
    let report = newer.reconcile(&family, ReconcileAction::Reconcile, Urgency::Event, Deadline::none()).await.unwrap();
    assert_eq!((report.decision, report.outcome), (Decision::Update, "registered"), "{report:?}");
    let report = newer.reconcile(&family, ReconcileAction::Reconcile, Urgency::Event, Deadline::none()).await.unwrap();
    assert_eq!((report.decision, stage.active()), (Decision::UpToDate, vec![1, 2, 3]));
    // Back again: what revision 2 was must not count as somebody's work, nor as done already.
    let older = policy.replace("updates: onNextRegistration", "updates: now");
    let older = stage.another_with(&[(settings::POLICY, &older)]);
    let report = older.reconcile(&family, ReconcileAction::Reconcile, Urgency::Event, Deadline::none()).await.unwrap();
    assert_eq!((report.decision, report.outcome), (Decision::Update, "registered"), "{report:?}");
    let report = older.reconcile(&family, ReconcileAction::Reconcile, Urgency::Event, Deadline::none()).await.unwrap();
    assert_eq!((report.decision, stage.active()), (Decision::UpToDate, vec![1, 2, 3, 4]));
}

#[tokio::test]
async fn a_removal_that_somebody_deregistered_is_not_made_again() {
    let stage = Scene::Remove.set().await;
    stage.reconcile().await;
    stage.world.deregister("web:6").unwrap();
    stage.world.forget_calls();
    let report = stage.reconcile().await;
    assert_eq!((report.decision, report.reason), (Decision::Skip, Some(Reason::Withdrawn)), "{report:?}");
    assert!(!stage.wrote());
    // Nor because others deregister what they registered.
    let stage = Scene::Remove.set().await;
    let copy = stage.world.register(&web("1")).unwrap();
    stage.world.deregister(&copy).unwrap();
    assert_eq!(stage.reconcile().await.decision, Decision::Remove);
}

#[tokio::test]
async fn a_removal_stays_when_what_it_was_made_of_is_all_that_is_older() {
    let stage = Scene::Remove.set().await;
    stage.reconcile().await;
    for number in 1..6 {
        stage.world.deregister(&format!("web:{number}")).unwrap();
    }
    stage.world.forget_calls();
    assert_eq!(stage.reconcile().await.decision, Decision::Skip);
    assert_eq!(stage.active(), [6]);
}

#[tokio::test]
async fn who_cannot_be_asked_for_withdrawals_registers_nothing() {
    let faults: [fn() -> Fault; 2] =
        [|| Fault::Throttle, || Fault::FailBefore(ServiceError::new("ServerException", "Try again later."))];
    for fault in faults {
        let stage = Stage::with_patched_web().await;
        stage.world.deregister("web:2").unwrap();
        stage.world.on_call(move |call| match call.target.ends_with("web:2") {
            true => fault(),
            false => Fault::None,
        });
        let error = stage.try_reconcile().await.unwrap_err();
        assert!(error.is_retryable() && !stage.wrote(), "{error}");
    }
}

#[tokio::test]
async fn a_receipt_that_names_an_impossible_source_is_believed_in_nothing() {
    let patched = Stage::with_patched_web().await;
    let text = parsed(&patched.world.newest_active("web").unwrap()).text().to_owned();
    for forged in ["web:18446744073709551615", "web:3", "other:1"] {
        let stage = Stage::with_web();
        let text = text.replace("task-definition/web:1", &format!("task-definition/{forged}"));
        assert!(text.contains(forged));
        stage.world.register(&web("1")).unwrap();
        stage.world.as_principal(SESSION).register(&text).unwrap();
        let report = stage.reconcile().await;
        assert_eq!((report.decision, stage.active()), (Decision::UpToDate, vec![1, 2, 3]), "{forged}: {report:?}");
    }
}

#[tokio::test]
async fn a_deregistration_that_is_refused_is_no_success() {
    let stage = Stage::with_patched_web().await;
    let ecs = &stage.reconciler.clients().ecs;
    let arn = revision_arn(2).parse().unwrap();
    at_first(&stage.world, "DeregisterTaskDefinition", |_| {
        Fault::FailBefore(refused("The task definition is in use by something."))
    });
    let error = ecs.deregister(&arn).await.unwrap_err();
    assert!(!error.is_retryable() && stage.active() == [1, 2], "{error}");
    // Somebody else was faster.
    at_first(&stage.world, "DeregisterTaskDefinition", |_| {
        let gone = |world: &World| world.deregister("web:2").unwrap();
        Fault::before(gone).and(Fault::FailBefore(refused("It is not ACTIVE.")))
    });
    ecs.deregister(&arn).await.unwrap();
    stage.world.leave_calls_alone();
    stage.world.delete("web:2").unwrap();
    ecs.deregister(&arn).await.unwrap();
}
