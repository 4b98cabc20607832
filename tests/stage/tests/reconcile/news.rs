//! The operator's own events: one for each change of a family, and none for anything else.

use ecs_sidecar_aws::settings;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_stage::stage::{Stage, revision_arn, web};
use ecs_sidecar_tests::Service;
use serde_json::{Value, json};

fn staged() -> Stage {
    let stage = Stage::with_table(&[(settings::EVENT_BUS, "default")]);
    stage.world.register(&web("1")).unwrap();
    stage
}

/// What was told since the last look, without the time.
fn details(stage: &Stage, from: usize) -> Vec<Value> {
    let detail = |text: &str| {
        let mut detail: Value = serde_json::from_str(text).unwrap();
        assert!(detail["since"].as_u64().is_some_and(|since| since > 1_767_000_000), "{detail}");
        detail.as_object_mut().unwrap().remove("since");
        detail
    };
    stage.world.events()[from..].iter().map(|event| detail(&event.detail)).collect()
}

#[tokio::test]
async fn each_change_of_a_family_is_told_once() {
    let stage = staged();
    stage.reconcile().await;
    let events = stage.world.events();
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((event.source.as_str(), event.detail_type.as_str()), ("ecs-sidecar", "ECS Sidecar Family State Change"));
    assert_eq!(event.resources, [revision_arn(2), revision_arn(1)]);
    let expected = json!({
        "version": 1, "family": "web", "state": "covered", "previousState": null, "decision": "inject", "reason": null,
        "message": null, "policy": "xray-daemon", "source": revision_arn(1), "patched": revision_arn(2),
    });
    assert_eq!(details(&stage, 0), [expected]);
    // That it is up to date is no news.
    stage.reconcile().await;
    stage.reconcile().await;
    assert!(details(&stage, 1).is_empty());
    // Its owner declines.
    stage.world.register(&web("2").replace("\"true\"", "\"false\"")).unwrap();
    stage.reconcile().await;
    let told = details(&stage, 1);
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(
        (&told["state"], &told["previousState"], &told["reason"]),
        (&json!("skipped"), &json!("covered"), &json!("optedOut"))
    );
    assert!(!stage.world.events().iter().any(|event| event.detail.contains("hunter2")));
}

#[tokio::test]
async fn a_failure_is_told_and_its_end() {
    let stage = staged();
    stage.world.deny("DescribeTaskDefinition", None);
    stage.try_reconcile().await.unwrap_err();
    stage.world.allow_all();
    stage.reconcile().await;
    let states: Vec<Value> = details(&stage, 0).into_iter().map(|detail| detail["state"].clone()).collect();
    assert_eq!(states, ["failing", "covered"]);
}

/// PutEvents succeeds as a call, and says of the entry that it did not.
#[tokio::test]
async fn an_event_that_the_bus_refuses_fails_nothing_and_is_counted() {
    let stage = staged();
    stage.world.fail_entries(Service::Events, "ThrottlingException", "");
    let report = stage.reconcile().await;
    assert_eq!((report.outcome, report.reason), ("registered", None::<Reason>));
    assert!(stage.world.events().is_empty());
    let news = stage.reconciler.clients().news.as_ref().unwrap();
    assert_eq!((news.take_not_sent(), news.take_not_sent()), (1, 0));
}
