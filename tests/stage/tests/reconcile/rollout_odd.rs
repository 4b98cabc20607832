//! Services in situations that nobody plans for: revisions that are gone, services that come back, clocks that are wrong,
//! items that nobody can read.

use ecs_sidecar_aws::breaker::TOO_MANY;
use ecs_sidecar_aws::rollout::RolloutAction;
use ecs_sidecar_aws::settings;
use ecs_sidecar_core::policy::PRESETS;
use ecs_sidecar_core::rollout::{RolloutReason, SET_BACKS, ServiceState};
use ecs_sidecar_stage::shop::{DEPLOYER, HOUR, Shop, service};
use ecs_sidecar_stage::stage::{revision_arn, web};
use ecs_sidecar_tests::{Caller, StoppedContainer, StoppedTask};
use serde_json::{Value, json};
use std::time::Duration;

/// What changes how many tasks a service has, once a minute on a bad day.
const SCALER: &str = "arn:aws:iam::111122223333:role/AWSServiceRoleForApplicationAutoScaling_ECSService";

/// An item of the operator's table with some of its attributes changed by hand.
fn rewrite(shop: &Shop, kind: &str, id: &str, attributes: &Value) {
    let world = &shop.stage().world;
    let text = world
        .item("operator", kind, id)
        .unwrap_or_else(|| json!({ "kind": { "S": kind }, "id": { "S": id }, "v": { "N": "1" } }).to_string());
    let mut item: Value = serde_json::from_str(&text).unwrap();
    for (name, value) in attributes.as_object().unwrap() {
        item[name] = value.clone();
    }
    world.put_item("operator", &item.to_string()).unwrap();
}

#[tokio::test]
async fn an_audit_looks_once_and_says_that_it_moves_nothing() {
    let set = Shop::patched().await;
    for window in ["00:00-00:00", "Sat:20:00-Sat:22:00"] {
        let variables = [
            (settings::MODE, "audit"),
            (settings::TABLE, "operator"),
            (settings::ROLLOUT_SERVICES, "true"),
            (settings::ROLLOUT_WINDOW, window),
        ];
        let mut shop = set.fork();
        shop.machine = shop.machine.deployed_with(&variables);
        shop.updated_by(Caller::Role(DEPLOYER));
        shop.machine.run_for(HOUR).await;
        assert_eq!(shop.machine.on_their_way("families"), 0, "{window}: nobody waits for what is not done");
        assert_eq!((shop.pins(), shop.count("UpdateService"), shop.count("DescribeServices")), (1, 0, 1), "{window}");
        let told = shop.machine.invoke(&json!({ "action": "reconcile", "service": shop.web })).await;
        assert_ne!((&told["outcome"], &told["reason"]), (&json!("nothing"), &json!("deploying")), "{told}");
    }
}

/// Each event of a service whose deployment takes long would have it looked at for as long, beside all others.
#[tokio::test]
async fn a_deployment_without_an_end_costs_the_same_however_often_its_service_is_scaled() {
    let mut shop = Shop::patched().await;
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.machine.run_for(Duration::from_secs(60)).await;
    assert_eq!((shop.pins(), shop.is_deploying()), (2, true));
    for _ in 0..180 {
        shop.updated_by(Caller::Service("ecs.application-autoscaling.amazonaws.com", SCALER));
        shop.machine.run_for(Duration::from_secs(60)).await;
    }
    let waiting = shop.machine.on_their_way("families");
    assert_eq!(waiting, 1, "one message looks after the deployment");
    // And that one goes on.
    shop.stage().world.forget_calls();
    shop.machine.run_for(24 * HOUR).await;
    assert_eq!((shop.machine.on_their_way("families"), shop.is_deploying()), (1, true));
    let looks = shop.count("DescribeServices");
    assert!((90..=100).contains(&looks), "{looks} looks a day");
    // Its end is seen though nobody tells of it.
    shop.stage().world.deployment_completes(&shop.web).unwrap();
    shop.quiet().await;
    Shop::assert_row(shop.row().await.as_ref(), ServiceState::Current, RolloutReason::Moved, "in the end");
}

#[tokio::test]
async fn a_service_on_a_revision_that_was_deregistered_waits_for_nothing() {
    type Make = fn(&mut Shop);
    let cases: [(&str, Make); 3] = [
        ("ours, which it was created with, was taken back", |shop| {
            shop.web =
                shop.stage().world.add_service(&service("other", &json!({ "taskDefinition": "web:2" }))).unwrap();
            shop.stage().world.deregister(&revision_arn(2)).unwrap();
        }),
        ("a newer one of the owner's", |shop| {
            shop.stage().world.register(&web("2")).unwrap();
            shop.pin(3, Caller::Role(DEPLOYER));
            shop.deployed();
            shop.stage().world.deregister(&revision_arn(3)).unwrap();
        }),
        ("all of the family", |shop| {
            shop.stage().world.register(&web("2")).unwrap();
            shop.pin(3, Caller::Role(DEPLOYER));
            shop.deployed();
            for number in 1..=3 {
                shop.stage().world.deregister(&revision_arn(number)).unwrap();
            }
        }),
    ];
    let set = Shop::patched().await;
    for (about, make) in cases {
        let mut shop = set.fork();
        make(&mut shop);
        shop.machine.event("web");
        shop.machine.run_for(HOUR).await;
        let told = shop.look(RolloutAction::Move).await;
        assert_eq!((told.reason, told.again_in_seconds), (Some(RolloutReason::NotPatched), None), "{about}");
        assert!(shop.machine.dead.is_empty(), "{about}");
    }
}

#[tokio::test]
async fn nothing_is_moved_to_a_sidecar_whose_policy_is_gone_or_forbids_it() {
    let forbids = PRESETS[0].1.to_owned() + "  rollout: { services: false }\n";
    for (about, reason, text) in
        [("gone", RolloutReason::PolicyGone, None), ("forbids", RolloutReason::PolicyForbids, Some(&forbids))]
    {
        let mut shop = Shop::with(&[(settings::POLICY, "none")], &json!({}));
        let table = shop.stage().table();
        assert!(table.apply("xray-daemon", text.map_or(PRESETS[0].1, String::as_str), None, "me").await.unwrap());
        shop.stage().reconcile().await;
        assert_eq!(shop.stage().active(), [1, 2], "{about}");
        // The next release wants none, so that the policy has nothing to do with what is the newest.
        let declines = web("2").replace("\"value\":\"true\"", "\"value\":\"false\"");
        shop.stage().world.register(&declines).unwrap();
        shop.machine.event("web");
        shop.quiet().await;
        assert_eq!(shop.stage().active(), [1, 2, 3], "{about}");
        if text.is_none() {
            let stored = table.policy("xray-daemon").await.unwrap().unwrap();
            assert!(table.mark_deleted(&stored, "me").await.unwrap());
        }
        shop.updated_by(Caller::Role(DEPLOYER));
        shop.sweep().await;
        assert_eq!((shop.pins(), shop.count("UpdateService"), shop.slots()), (1, 0, 0), "{about}");
        Shop::assert_row(shop.row().await.as_ref(), ServiceState::Left, reason, about);
    }
}

/// Three tasks fail to start because of the sidecar, and ECS tells.
fn break_it(shop: &mut Shop) {
    let words = Some("CannotPullContainerError: no");
    let containers = [StoppedContainer { name: "xray-daemon", exit_code: None, reason: words }];
    let of = revision_arn(2);
    let task = StoppedTask {
        task_definition: &of,
        stop_code: "TaskFailedToStart",
        reason: "Task failed to start",
        containers: &containers,
    };
    for _ in 0..TOO_MANY {
        let event = shop.stage().world.task_stopped(&shop.web, task);
        shop.machine.tell(&event);
    }
}

/// The switch is thrown by people, with the clocks that they have.
#[tokio::test]
async fn the_breaker_and_the_switch_need_no_common_clock() {
    let seconds_at =
        |shop: &Shop| shop.machine.now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().to_string();
    let set = Shop::patched().await;
    // A person's clock is an hour ahead, or he uses the switch in the very second.
    for ahead in [3600_u64, 0] {
        let mut shop = set.fork();
        let table = shop.stage().table();
        assert!(table.set_switch("me", |switch| switch.paused = false).await.unwrap());
        let at: u64 = seconds_at(&shop).parse().unwrap();
        rewrite(&shop, "standing", "switch", &json!({ "changedAt": { "N": (at + ahead).to_string() } }));
        break_it(&mut shop);
        shop.machine.run_for(Duration::ZERO).await;
        assert!(table.switch().await.unwrap().paused, "{ahead}: the breaker has tripped");
        shop.updated_by(Caller::Role(DEPLOYER));
        shop.quiet().await;
        assert_eq!((shop.pins(), shop.count("UpdateService")), (1, 0), "{ahead}");
    }
    // It is an hour behind.
    let mut shop = set.fork();
    let table = shop.stage().table();
    break_it(&mut shop);
    shop.machine.run_for(Duration::from_secs(60)).await;
    assert!(table.switch().await.unwrap().paused);
    assert!(table.set_switch("me", |switch| switch.paused = false).await.unwrap());
    let at: u64 = seconds_at(&shop).parse().unwrap();
    rewrite(&shop, "standing", "switch", &json!({ "changedAt": { "N": (at - 3600).to_string() } }));
    assert!(!table.switch().await.unwrap().paused, "somebody has used the switch since");
    // And it trips again.
    break_it(&mut shop);
    shop.machine.run_for(Duration::from_secs(60)).await;
    assert!(table.switch().await.unwrap().paused);
}

/// An environment that is destroyed at night, and made again in the morning.
#[tokio::test]
async fn a_service_that_is_made_anew_was_not_set_back() {
    let mut shop = Shop::moved().await;
    for day in 1..=SET_BACKS + 1 {
        shop.stage().world.delete_service(&shop.web).unwrap();
        shop.stage().world.service_drains(&shop.web).unwrap();
        shop.stage().world.clock().advance(HOUR);
        shop.stage().world.add_service(&service("web", &json!({}))).unwrap();
        shop.updated_by(Caller::Role(DEPLOYER));
        shop.quiet().await;
        assert_eq!((shop.pins(), shop.updates().len()), (2, day));
    }
}

#[tokio::test]
async fn what_was_paused_is_moved_by_the_sweep_that_resuming_wakes() {
    let mut shop = Shop::patched().await;
    let table = shop.stage().table();
    assert!(table.set_switch("me", |switch| switch.paused = true).await.unwrap());
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.machine.run_for(Duration::from_secs(60)).await;
    Shop::assert_row(shop.row().await.as_ref(), ServiceState::Waiting, RolloutReason::Paused, "paused");
    // Sweeps leave it alone meanwhile.
    shop.stage().world.clock().advance(HOUR);
    shop.stage().world.forget_calls();
    shop.sweep().await;
    assert_eq!(shop.machine.on_their_way("families"), 0);
    assert!(table.set_switch("me", |switch| switch.paused = false).await.unwrap());
    shop.sweep().await;
    assert_eq!((shop.pins(), shop.updates().len()), (2, 1));
}

/// What nobody can have written holds nobody up for longer than what somebody wrote.
#[tokio::test]
async fn garbage_in_the_table_holds_no_service_up() {
    let far = u64::MAX.to_string();
    let gone = "arn:aws:ecs:eu-west-1:111122223333:service/shop/gone";
    let set = Shop::patched_with(&[(settings::ROLLOUT_AT_ONCE, "1")], &json!({})).await;
    let slots = json!({ "moving": { "SS": [format!("{gone} {far}"), "nonsense", " ", "a b c"] } });
    let row = json!({
        "state": { "S": "ofNextYear" }, "reason": { "N": "7" }, "seenAt": { "S": "yesterday" }, "movedAt": { "N": far },
        "setBacks": { "SS": [far, "yesterday"] }, "since": { "N": far }, "nextTry": { "N": far }, "from": { "S": revision_arn(1) },
        "to": { "S": revision_arn(2) }, "confirmed": { "BOOL": true }, "family": { "BOOL": true }, "version": { "S": "7" },
    });
    let seen = json!({ "state": { "S": "waiting" }, "seenAt": { "N": far }, "version": { "N": "1" } });
    let breaker = json!({ "stopped": { "SS": [format!("task {far}"), "nonsense"] }, "because": { "N": "1" } });
    for (about, kind, id, item) in [
        ("slots", "rollout", "moving", &slots),
        ("slots of another type", "rollout", "moving", &json!({ "moving": { "N": "1" } })),
        ("a row", "service", set.web.as_str(), &row),
        ("a row of the far future", "service", set.web.as_str(), &seen),
        ("the breaker", "rollout", "breaker", &breaker),
    ] {
        let mut shop = set.fork();
        rewrite(&shop, kind, id, item);
        if kind == "rollout" && id == "breaker" {
            break_it(&mut shop);
            shop.machine.run_for(Duration::from_secs(60)).await;
            let table = shop.stage().table();
            assert!(table.switch().await.unwrap().paused, "{about}");
            assert!(table.set_switch("me", |switch| switch.paused = false).await.unwrap());
        }
        shop.sweep().await;
        shop.updated_by(Caller::Role(DEPLOYER));
        shop.quiet().await;
        assert_eq!((shop.pins(), shop.updates().len(), shop.machine.dead.len()), (2, 1, 0), "{about}");
    }
}

#[tokio::test]
async fn a_row_that_nobody_can_have_written_goes_with_its_service() {
    let mut shop = Shop::moved().await;
    rewrite(&shop, "service", &shop.web.clone(), &json!({ "version": { "S": "7" } }));
    shop.stage().world.delete_service(&shop.web).unwrap();
    shop.stage().world.service_drains(&shop.web).unwrap();
    shop.sweep().await;
    assert!(shop.rows().await.is_empty());
}

/// The owner registers nothing new for a year, while the policy changes once a fortnight.
#[tokio::test]
async fn the_owners_newest_revision_is_led_on_however_often_it_was_patched() {
    let shop = Shop::with(&[(settings::POLICY, "none")], &json!({}));
    let table = shop.stage().table();
    for round in 0..26 {
        let memory = format!("\"{}\"", 32 + round);
        let text = PRESETS[0].1.replace("updates: onNextRegistration", "updates: now").replace("\"64\"", &memory);
        let stored = table.policy("xray-daemon").await.unwrap();
        assert!(table.apply("xray-daemon", &text, stored.as_ref(), "me").await.unwrap());
        shop.stage().world.clock().advance(HOUR);
        shop.stage().reconcile_afresh().await;
    }
    let told = shop.look(RolloutAction::Plan).await;
    assert_eq!(told.to, Some(revision_arn(27)), "{told:?}");
}

/// A service that nobody can look at is looked at with each sweep, and is no reason for another round of it.
#[tokio::test]
async fn a_service_whose_looks_come_to_nothing_keeps_no_sweep_going() {
    let set = Shop::patched_with(&[], &json!({ "deploymentConfiguration": { "strategy": "BLUE_GREEN" } })).await;
    let audit = [(settings::MODE, "audit"), (settings::TABLE, "operator"), (settings::ROLLOUT_SERVICES, "true")];
    for about in ["denied", "audit"] {
        let mut shop = set.fork();
        if about == "audit" {
            shop.machine = shop.machine.deployed_with(&audit);
        } else {
            shop.stage().world.deny("ListServiceDeployments", None);
        }
        shop.machine.wake();
        shop.machine.run_for(12 * HOUR).await;
        let rounds = shop.count("ListClusters");
        assert!((1..=2).contains(&rounds), "{about}: {rounds} rounds");
        assert_eq!(shop.machine.on_their_way("sweeps"), 0, "{about}");
    }
}
