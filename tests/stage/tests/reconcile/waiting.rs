//! One warmer for an image at a time: the others wait, and what waits comes back.

use ecs_sidecar_aws::{Deadline, ReconcileAction, Reconciler, Urgency, settings};
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::report::Report;
use ecs_sidecar_host::Invocation;
use ecs_sidecar_reconcile::Handler;
use ecs_sidecar_stage::registry::Scene;
use ecs_sidecar_stage::stage::{ACCOUNT, REGION, at_call, die, web};
use ecs_sidecar_tests::{Fault, Mishap, Pull, ServiceError};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

#[tokio::test]
async fn ten_families_are_one_warm_up() {
    let scene = Scene::new(&[]).await;
    let families: Vec<String> = (0..10).map(|n| format!("web-{n}")).collect();
    for family in &families {
        scene
            .stage
            .world
            .register(&web("1").replace("\"family\":\"web\"", &format!("\"family\":\"{family}\"")))
            .unwrap();
    }
    let functions: Vec<Reconciler> = families.iter().map(|_| scene.stage.another()).collect();
    let all = functions.iter().zip(&families).map(|(function, family)| async move {
        function
            .reconcile(&family.parse().unwrap(), ReconcileAction::Reconcile, Urgency::Event, Deadline::none())
            .await
            .unwrap()
    });
    let reports: Vec<Report> = futures_util::future::join_all(all).await;
    let waiting = reports.iter().filter(|report| report.reason == Some(Reason::ImageWarming)).count();
    let registered = reports.iter().filter(|report| report.outcome == "registered").count();
    assert_eq!((waiting + registered, registered > 0), (10, true), "{reports:?}");
    for family in &families {
        let (another, family) = (scene.stage.another(), family.parse().unwrap());
        let report =
            another.reconcile(&family, ReconcileAction::Reconcile, Urgency::Event, Deadline::none()).await.unwrap();
        assert!(matches!(report.outcome, "registered" | "nothing"), "{report:?}");
    }
    let pulls = scene.registry.take_pulls();
    assert_eq!(pulls.len(), 5, "index, manifest, configuration, two layers, each once: {pulls:?}");
}

#[tokio::test]
async fn a_dead_warmers_lease_ends_and_its_work_is_not_lost() {
    let scene = Scene::new(&[]).await;
    let mut blobs = 0;
    scene.registry.on_pull(move |pull| {
        blobs += u32::from(matches!(pull, Pull::Blob(_)));
        (blobs == 2).then_some(Mishap::Hang)
    });
    let family = "web".parse().unwrap();
    let dead = scene.stage.another();
    let work = dead.reconcile(&family, ReconcileAction::Reconcile, Urgency::Event, Deadline::none());
    let came = async {
        while scene.stage.world.items("operator").iter().all(|item| !item.contains("fetched")) {
            tokio::task::yield_now().await;
        }
    };
    // Dropped in the middle of the second blob, as when a function is killed.
    tokio::select! { _ = work => panic!("it hangs"), () = came => {} }
    scene.registry.leave_pulls_alone();
    scene.registry.take_pulls();
    let report = scene.stage.reconcile_afresh().await;
    assert_eq!((report.outcome, report.reason), ("waiting", Some(Reason::ImageWarming)), "{report:?}");
    assert!(scene.registry.take_pulls().is_empty(), "one warmer at a time");
    scene.stage.world.clock().advance(Duration::from_secs(151));
    assert_eq!(scene.stage.reconcile_afresh().await.outcome, "registered");
    assert_eq!(scene.pulled_blobs().len(), 2, "the first came already");
}

#[tokio::test]
async fn a_fetch_ends_with_the_functions_time_and_gives_its_lease_back() {
    let scene = Scene::new(&[]).await;
    scene.registry.on_pull(|pull| matches!(pull, Pull::Blob(_)).then_some(Mishap::Hang));
    let soon = Deadline::at(tokio::time::Instant::now() + Duration::from_millis(12_300));
    let family = "web".parse().unwrap();
    let report =
        scene.stage.reconciler.reconcile(&family, ReconcileAction::Reconcile, Urgency::Event, soon).await.unwrap();
    assert_eq!((report.outcome, report.reason), ("waiting", Some(Reason::ImageWarming)), "{report:?}");
    scene.assert_untouched("out of time");
    scene.registry.leave_pulls_alone();
    assert_eq!(scene.stage.reconcile_afresh().await.outcome, "registered");
}

/// A registration is not begun without the time to take it back; the image is there by then.
#[tokio::test]
async fn a_fetch_that_took_the_functions_time_leaves_the_rest_to_the_next_invocation() {
    let scene = Scene::new(&[]).await;
    let soon = Deadline::at(tokio::time::Instant::now() + Duration::from_secs(30));
    let family = "web".parse().unwrap();
    let report =
        scene.stage.reconciler.reconcile(&family, ReconcileAction::Reconcile, Urgency::Event, soon).await.unwrap();
    assert_eq!((report.outcome, report.again_in_seconds), ("waiting", Some(1)), "{report:?}");
    scene.assert_untouched("too little time");
    scene.registry.take_pulls();
    assert_eq!(scene.stage.reconcile_afresh().await.outcome, "registered");
    assert!(scene.registry.take_pulls().is_empty());
}

fn batch(body: &Value) -> Value {
    json!({ "Records": [{ "messageId": "m-0", "body": body.to_string(), "eventSource": "aws:sqs" }] })
}

const INVOCATION: Invocation<'_> = Invocation { request_id: "r-1", until: None };

#[tokio::test]
async fn a_family_that_waits_is_put_back_with_a_delay_and_a_count_and_not_for_ever() {
    let scene = Scene::new(&[]).await;
    let queue = scene.stage.world.add_queue("work");
    let handler = Handler::new(scene.stage.another_with(&[
        (settings::QUEUE_URL, &queue),
        (settings::CACHE, "create"),
        (settings::TABLE, "operator"),
    ]));
    scene.registry.on_pull(|_| Some(Mishap::Status(500)));
    let event =
        json!({ "account": ACCOUNT, "region": REGION, "id": "e-1", "name": "RegisterTaskDefinition", "family": "web" });
    let done = handler.handle(&batch(&event), INVOCATION).await.unwrap();
    assert_eq!(done, json!({ "batchItemFailures": [] }), "waiting is no failure");
    let messages = scene.stage.world.messages("work");
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    let body: Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!(body, json!({ "name": "LookAgain", "family": "web", "waits": "1" }));
    assert_eq!(message.delay_seconds, 60);
    let late = json!({ "name": "LookAgain", "family": "web", "waits": "60" });
    handler.handle(&batch(&late), INVOCATION).await.unwrap();
    assert_eq!(scene.stage.world.messages("work").len(), 1, "it does not wait for ever");
    scene.registry.leave_pulls_alone();
    handler.handle(&batch(&body), INVOCATION).await.unwrap();
    assert_eq!(scene.stage.active(), [1, 2]);
}

#[tokio::test]
async fn without_a_way_back_into_the_queue_the_message_itself_comes_again() {
    let scene = Scene::new(&[]).await;
    scene.registry.on_pull(|_| Some(Mishap::Status(500)));
    let event = json!({ "name": "RegisterTaskDefinition", "family": "web" });
    let handler = Handler::new(scene.stage.another());
    let done = handler.handle(&batch(&event), INVOCATION).await.unwrap();
    assert_eq!(done, json!({ "batchItemFailures": [{ "itemIdentifier": "m-0" }] }));
    // A person has the answer.
    let asked = json!({ "action": "reconcile", "family": "web" });
    assert_eq!(handler.handle(&asked, INVOCATION).await.unwrap()["outcome"], "waiting");
}

#[tokio::test]
async fn a_table_that_cannot_be_reached_is_a_failure_and_registers_nothing() {
    let scene = Scene::new(&[]).await;
    scene.stage.world.on_call(|call| match call.operation.as_str() {
        "UpdateItem" => Fault::FailBefore(ServiceError::new("InternalServerError", "later").with_status(500)),
        _ => Fault::None,
    });
    let error = scene.stage.try_reconcile().await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    scene.assert_untouched("no lease");
}

/// Let each call of a first injection into an empty cache go wrong in each way; then let the world go quiet.
#[tokio::test]
async fn whatever_call_of_a_warm_up_goes_wrong_the_next_reconciles_finish_it() {
    let faults: [fn() -> Fault; 6] = [
        || Fault::FailBefore(ServiceError::new("ServerException", "later").with_status(500)),
        || Fault::LoseRequest,
        || Fault::ApplyAndLoseAnswer,
        || Fault::Throttle,
        || Fault::before(die),
        || Fault::then(die),
    ];
    let calls = {
        let scene = Scene::new(&[]).await;
        scene.stage.reconcile_afresh().await;
        scene.stage.world.calls().len()
    };
    assert!(calls >= 20, "only {calls} calls");
    for (kind, fault) in faults.into_iter().enumerate() {
        for index in 0..calls {
            let scene = Scene::new(&[]).await;
            let reached = at_call(&scene.stage.world, index, move |_| fault());
            let _died_or_failed = AssertUnwindSafe(scene.stage.try_reconcile()).catch_unwind().await;
            let about = format!("fault {kind} at call {index} of {calls}");
            assert!(reached.get(), "{about}: there was no such call");
            scene.stage.world.leave_calls_alone();
            // The leases of a dead worker, on the image and on the family, end by themselves.
            scene.stage.world.clock().advance(Duration::from_secs(241));
            scene.stage.finish_afresh(&about).await;
            scene.stage.assert_newest_patches(1);
            assert_eq!(scene.stage.world.cache_rules(), ["ecr-public"], "{about}");
            // Nobody waits for the dead, and nothing is fetched a second time.
            scene.registry.take_pulls();
            scene.stage.world.register(&web("2")).unwrap();
            assert_eq!(scene.stage.reconcile_afresh().await.outcome, "registered", "{about}");
            assert!(scene.registry.take_pulls().is_empty(), "{about}");
        }
    }
}
