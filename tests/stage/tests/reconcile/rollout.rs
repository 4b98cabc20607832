//! Services are led to what was patched for them: which ones, when, and that nothing else of them changes.

use ecs_sidecar_aws::rollout::RolloutAction;
use ecs_sidecar_aws::settings;
use ecs_sidecar_core::rollout::{RolloutReason, ServiceState};
use ecs_sidecar_stage::shop::{DEPLOYER, HOUR, Shop};
use ecs_sidecar_stage::stage::{revision_arn, web};
use ecs_sidecar_tests::Caller;
use serde_json::{Value, json};
use std::time::Duration;

/// A service as ECS describes it, but for what its deployments are.
fn described(shop: &Shop) -> Value {
    let mut text: Value = serde_json::from_str(&shop.stage().world.service(&shop.web).unwrap().text).unwrap();
    for moved in ["taskDefinition", "deployments", "currentServiceDeployment", "currentServiceRevisions"] {
        text.as_object_mut().unwrap().remove(moved);
    }
    text
}

#[tokio::test]
async fn a_service_of_each_kind_is_moved_by_one_update_that_changes_nothing_else() {
    let network = json!({ "awsvpcConfiguration": { "subnets": ["subnet-1"], "assignPublicIp": "DISABLED" } });
    for (kind, more) in [
        ("rolling", json!({ "networkConfiguration": network, "platformVersion": "1.4.0", "launchType": "FARGATE" })),
        ("blue/green", json!({ "deploymentConfiguration": { "strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5 } })),
        ("linear", json!({ "deploymentConfiguration": { "strategy": "LINEAR", "futureStep": 1.50 } })),
        ("canary", json!({ "deploymentConfiguration": { "strategy": "CANARY" } })),
        ("daemon", json!({ "schedulingStrategy": "DAEMON", "enableExecuteCommand": true })),
    ] {
        let mut shop = Shop::with(&[], &more);
        let (before, configured) = (described(&shop), shop.stage().world.service(&shop.web).unwrap().configuration);
        shop.machine.event("web");
        shop.updated_by(Caller::Role(DEPLOYER));
        shop.machine.run_for(Duration::from_secs(60)).await;
        assert_eq!((shop.pins(), shop.slots()), (2, 1), "{kind}");
        Shop::assert_row(shop.row().await.as_ref(), ServiceState::Moving, RolloutReason::Deploying, kind);
        shop.quiet().await;
        let asked = json!({ "cluster": "shop", "service": shop.web, "taskDefinition": revision_arn(2) });
        assert_eq!(shop.updates(), [asked], "{kind}");
        assert_eq!((shop.runs(), shop.slots()), (("shop/web:1".to_owned(), true), 0), "{kind}");
        let row = shop.row().await;
        Shop::assert_row(row.as_ref(), ServiceState::Current, RolloutReason::Moved, kind);
        assert!(row.unwrap().history.last.unwrap().confirmed, "{kind}");
        assert_eq!(shop.stage().world.service(&shop.web).unwrap().configuration, configured, "{kind}");
        assert_eq!(described(&shop), before, "{kind}");
        let told = [("moving", "deploying"), ("current", "moved")];
        assert_eq!(shop.told(), told.map(|(state, reason)| (state.to_owned(), reason.to_owned())), "{kind}");
    }
}

#[tokio::test]
async fn a_service_that_comes_before_its_family_is_patched_waits_for_it() {
    let mut shop = Shop::new();
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.machine.run_for(Duration::from_secs(10)).await;
    assert_eq!((shop.pins(), shop.machine.on_their_way("families")), (1, 1), "it waits in the queue");
    assert!(shop.rows().await.is_empty(), "and makes no row for that");
    shop.machine.event("web");
    shop.quiet().await;
    assert_eq!((shop.pins(), shop.updates().len()), (2, 1));
}

#[tokio::test]
async fn a_service_whose_event_was_lost_is_found_by_the_sweep() {
    let mut shop = Shop::patched().await;
    shop.sweep().await;
    assert_eq!((shop.pins(), shop.updates().len(), shop.slots()), (2, 1, 0));
    Shop::assert_row(shop.row().await.as_ref(), ServiceState::Current, RolloutReason::Moved, "after the sweep");
}

#[tokio::test]
async fn events_that_come_twice_move_it_once() {
    let mut shop = Shop::patched().await;
    for _ in 0..3 {
        shop.updated_by(Caller::Role(DEPLOYER));
    }
    shop.quiet().await;
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.quiet().await;
    assert_eq!((shop.pins(), shop.updates().len(), shop.told().len()), (2, 1, 2));
}

#[tokio::test]
async fn an_event_of_our_own_update_costs_no_call() {
    let shop = Shop::moved().await;
    assert_eq!(shop.machine.invoke(&shop.own_call()).await, json!({ "ignored": "ownCall" }));
    assert!(shop.stage().world.calls().is_empty());
}

#[tokio::test]
async fn without_the_setting_services_are_not_even_looked_at() {
    let mut shop = Shop::without_rollout();
    shop.stage().reconcile().await;
    shop.stage().world.forget_calls();
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.sweep().await;
    let about = ["Service", "Cluster"];
    let lines = shop.stage().world.call_lines();
    assert!(!lines.iter().any(|line| about.iter().any(|word| line.contains(word))), "{lines:#?}");
    assert_eq!((shop.pins(), shop.rows().await.len()), (1, 0));
}

/// Why each of them is left as it is, and the message says so.
#[tokio::test]
async fn what_ecs_or_its_owner_does_not_let_us_move_is_left_with_the_reason() {
    let without = include_str!("../../../../crates/core/presets/xray-daemon.yaml").to_owned()
        + "  rollout: { services: false }\n";
    let tags = json!([{ "key": "ecs-sidecar/rollout", "value": "false" }]);
    for (reason, policy, more) in [
        (RolloutReason::CodeDeploy, "", json!({ "deploymentController": { "type": "CODE_DEPLOY" } })),
        (RolloutReason::External, "", json!({ "deploymentController": { "type": "EXTERNAL" } })),
        (RolloutReason::Express, "", json!({ "resourceManagementType": "ECS" })),
        (RolloutReason::OptedOut, "", json!({ "tags": tags })),
        (RolloutReason::PolicyForbids, without.as_str(), json!({})),
    ] {
        let about = reason.label();
        let mut shop = Shop::patched_with(&[(settings::POLICY, policy)], &more).await;
        let asked = shop.machine.invoke(&json!({ "action": "plan", "service": shop.web })).await;
        assert_eq!(
            (&asked["state"], &asked["reason"], &asked["outcome"]),
            (&json!("left"), &json!(about), &json!("nothing"))
        );
        shop.updated_by(Caller::Role(DEPLOYER));
        shop.sweep().await;
        assert_eq!((shop.pins(), shop.count("UpdateService"), shop.slots()), (1, 0, 0), "{about}");
        let row = shop.row().await;
        Shop::assert_row(row.as_ref(), ServiceState::Left, reason, about);
        let whereto = format!("{} The patched revision is {}.", reason.meaning(), revision_arn(2));
        assert_eq!(row.unwrap().message, Some(whereto));
        assert_eq!(shop.told(), [("left".to_owned(), about.to_owned())]);
        // Nobody comes back to it before a day is over.
        shop.stage().world.forget_calls();
        shop.sweep().await;
        assert_eq!((shop.count("PutItem"), shop.told().len()), (2, 1), "{about}: the sweep's own state alone");
    }
}

#[tokio::test]
async fn who_opts_in_again_is_moved() {
    let tags = json!([{ "key": "ecs-sidecar/rollout", "value": "false" }]);
    let mut shop = Shop::patched_with(&[], &json!({ "tags": tags })).await;
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.quiet().await;
    assert_eq!(shop.pins(), 1);
    shop.stage().world.tag_service(&shop.web, "ecs-sidecar/rollout", "true").unwrap();
    shop.sweep().await;
    assert_eq!(shop.pins(), 1, "a tag is no event");
    shop.stage().world.clock().advance(24 * HOUR);
    shop.sweep().await;
    assert_eq!((shop.pins(), shop.updates().len()), (2, 1));
}

#[tokio::test]
async fn a_deployment_of_the_owners_is_waited_for() {
    let mut shop = Shop::patched().await;
    let request = json!({ "cluster": "shop", "service": "web", "forceNewDeployment": true });
    shop.stage().world.update_service(&request.to_string()).unwrap();
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.machine.run_for(HOUR / 2).await;
    assert_eq!((shop.pins(), shop.count("UpdateService"), shop.slots()), (1, 0, 0));
    Shop::assert_row(shop.row().await.as_ref(), ServiceState::Waiting, RolloutReason::DeploymentInProgress, "waits");
    shop.quiet().await;
    assert_eq!((shop.pins(), shop.updates().len()), (2, 1));
}

#[tokio::test]
async fn a_failed_deployment_of_the_owners_is_left_for_him() {
    for strategy in ["ROLLING", "BLUE_GREEN"] {
        let mut shop = Shop::patched_with(&[], &json!({ "deploymentConfiguration": { "strategy": strategy } })).await;
        let request = json!({ "cluster": "shop", "service": "web", "forceNewDeployment": true });
        shop.stage().world.update_service(&request.to_string()).unwrap();
        shop.stage().world.deployment_fails(&shop.web).unwrap();
        shop.failed();
        shop.sweep().await;
        assert_eq!((shop.pins(), shop.count("UpdateService")), (1, 0));
        let (state, reason) = (ServiceState::Left, RolloutReason::OwnDeploymentFailed);
        Shop::assert_row(shop.row().await.as_ref(), state, reason, strategy);
        // He deploys again, and that comes to its end.
        shop.stage().world.update_service(&request.to_string()).unwrap();
        shop.deployed();
        shop.quiet().await;
        assert_eq!((shop.pins(), shop.updates().len()), (2, 1), "{strategy}");
    }
}

/// The world begins on a Friday, at 3:04:05.
#[tokio::test]
async fn outside_of_the_window_it_waits_until_that_opens() {
    let mut shop = Shop::patched_with(&[(settings::ROLLOUT_WINDOW, "04:00-05:00")], &json!({})).await;
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.machine.run_for(Duration::from_secs(55 * 60)).await;
    assert_eq!((shop.pins(), shop.count("UpdateService"), shop.slots()), (1, 0, 0));
    Shop::assert_row(shop.row().await.as_ref(), ServiceState::Waiting, RolloutReason::OutsideWindow, "before it");
    shop.machine.run_for(Duration::from_secs(120)).await;
    assert_eq!(shop.pins(), 2, "it opened a minute ago");
    shop.quiet().await;
    // What waits for longer waits in the table, and is found by the sweep.
    let mut shop = Shop::patched_with(&[(settings::ROLLOUT_WINDOW, "Sat:20:00-Sat:22:00")], &json!({})).await;
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.quiet().await;
    assert_eq!((shop.pins(), shop.stage().world.messages("families").len()), (1, 0));
    shop.sweep().await;
    assert_eq!(shop.pins(), 1);
    shop.stage().world.clock().advance(36 * HOUR);
    shop.sweep().await;
    assert_eq!((shop.pins(), shop.count("UpdateService")), (1, 0), "almost five hours before it");
    // A sweep that comes less than two hours before it leaves it to a message.
    shop.stage().world.clock().advance(3 * HOUR);
    shop.sweep().await;
    assert_eq!((shop.pins(), shop.updates().len()), (2, 1));
}

#[tokio::test]
async fn a_policy_that_changes_or_goes_leads_services_on() {
    let preset =
        include_str!("../../../../crates/core/presets/xray-daemon.yaml").replace("name: xray-daemon", "name: traces");
    let newer = preset.replace("updates: onNextRegistration", "updates: now").replace("\"64\"", "\"32\"");
    let mut shop = Shop::with(&[(settings::POLICY, "none")], &json!({}));
    let table = shop.stage().table();
    assert!(table.apply("traces", &preset, None, "me").await.unwrap());
    shop.sweep().await;
    assert_eq!((shop.pins(), shop.stage().active()), (2, vec![1, 2]));
    let stored = table.policy("traces").await.unwrap();
    assert!(table.apply("traces", &newer, stored.as_ref(), "me").await.unwrap());
    shop.sweep().await;
    assert_eq!((shop.pins(), shop.runs(), shop.updates().len()), (3, ("shop/web:1".to_owned(), true), 2));
    let stored = table.policy("traces").await.unwrap().unwrap();
    assert!(table.mark_deleted(&stored, "me").await.unwrap());
    shop.sweep().await;
    assert_eq!((shop.pins(), shop.runs(), shop.updates().len()), (4, ("shop/web:1".to_owned(), false), 3));
    Shop::assert_row(shop.row().await.as_ref(), ServiceState::Current, RolloutReason::Moved, "clean");
    assert_eq!(shop.slots(), 0);
    // And there it stays.
    shop.stage().world.forget_calls();
    shop.sweep().await;
    assert_eq!((shop.pins(), shop.updates().len()), (4, 0));
}

#[tokio::test]
async fn at_most_so_many_are_moved_at_once_and_in_the_end_all_are() {
    const SERVICES: usize = 7;
    let mut shop = Shop::patched_with(&[(settings::ROLLOUT_AT_ONCE, "2")], &json!({})).await;
    for n in 1..SERVICES {
        shop.add("shop", &format!("web-{n}"), &json!({}));
    }
    shop.machine.wake();
    for _ in 0..60 {
        shop.machine.run_for(Duration::from_secs(120)).await;
        let under_way = shop.under_way();
        assert!(under_way.len() <= 2 && shop.slots() <= 2, "{under_way:?}");
        for service in under_way {
            shop.deployed_of(&service);
        }
    }
    let rows = shop.rows().await;
    assert!(rows.len() == SERVICES && rows.iter().all(|row| row.reason.as_deref() == Some("moved")), "{rows:#?}");
    assert_eq!((shop.updates().len(), shop.slots()), (SERVICES, 0));
    let waited = shop.told().iter().filter(|(_, reason)| reason == "atOnce").count();
    assert_eq!(waited, SERVICES - 2);
}

#[tokio::test]
async fn a_plan_tells_what_would_be_done_and_writes_nothing() {
    let shop = Shop::patched().await;
    let report = shop.look(RolloutAction::Plan).await;
    assert_eq!(
        (report.state, report.to, report.outcome),
        (Some(ServiceState::Moving), Some(revision_arn(2)), "nothing")
    );
    assert_eq!((shop.pins(), shop.count("PutItem"), shop.count("UpdateService")), (1, 0, 0));
    shop.stage().world.register(&web("2")).unwrap();
    assert_eq!(shop.look(RolloutAction::Plan).await.to, Some(revision_arn(2)), "what it runs has its own successor");
}
