//! The sweep over services: what it costs, what it finds, what it survives, and at which pace a whole account is moved.

use ecs_sidecar_aws::settings;
use ecs_sidecar_core::rollout::{RolloutReason, ServiceState};
use ecs_sidecar_stage::shop::{DEPLOYER, HOUR, Shop};
use ecs_sidecar_stage::stage::{at_call, die};
use ecs_sidecar_tests::{Caller, Fault};
use serde_json::json;
use std::time::Duration;

/// The clusters that there are beside `shop`.
const CLUSTERS: [&str; 3] = ["shop", "alpha", "beta"];

/// So many services in all, over three clusters.
fn fill(shop: &mut Shop, services: usize, pins: &str) {
    for n in 1..services {
        shop.add(CLUSTERS[n % 3], &format!("web-{n:03}"), &json!({ "taskDefinition": pins }));
    }
}

/// That each service was moved once, by one deployment.
async fn assert_each_moved_once(shop: &Shop, about: &str) {
    let client = aws_sdk_ecs::Client::new(&shop.stage().world.sdk_config());
    for arn in &shop.services {
        let service = shop.stage().world.service(arn).unwrap();
        assert!(service.task_definition.unwrap().ends_with("/web:2"), "{about}: {arn}");
        let listed = client.list_service_deployments().cluster(service.cluster).service(arn).send().await.unwrap();
        assert_eq!(listed.service_deployments().len(), 2, "{about}: {arn}");
    }
    let rows = shop.rows().await;
    let moved = rows.iter().filter(|row| row.reason.as_deref() == Some(RolloutReason::Moved.label())).count();
    assert_eq!((rows.len(), moved, shop.slots()), (shop.services.len(), moved, 0), "{about}: {rows:#?}");
    assert!(moved == rows.len() && shop.machine.dead.is_empty(), "{about}");
}

#[tokio::test]
async fn services_that_need_nothing_cost_a_listing_and_no_write() {
    let mut shop = Shop::moved().await;
    // 11 of a cluster take two calls.
    fill(&mut shop, 33, "web:2");
    shop.stage().world.forget_calls();
    shop.sweep().await;
    let calls = ["ListClusters", "ListServices", "DescribeServices", "ListServiceDeployments", "UpdateService"];
    assert_eq!(calls.map(|call| shop.count(call)), [1, 3, 6, 0, 0]);
    assert_eq!((shop.count("PutItem"), shop.count("SendMessageBatch"), shop.rows().await.len()), (2, 0, 1));
}

/// Tens of thousands of services are none of ours, and make neither messages nor rows.
#[tokio::test]
async fn services_of_families_that_nobody_patched_make_no_rows() {
    let mut shop = Shop::moved().await;
    shop.stage()
        .world
        .register(
            &ecs_sidecar_stage::stage::web("1")
                .replace("\"true\"", "\"false\"")
                .replace("\"family\":\"web\"", "\"family\":\"own\""),
        )
        .unwrap();
    fill(&mut shop, 12, "own:1");
    shop.machine.event("own");
    shop.quiet().await;
    shop.stage().world.forget_calls();
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.sweep().await;
    assert_eq!((shop.count("UpdateService"), shop.count("SendMessageBatch"), shop.rows().await.len()), (0, 0, 1));
}

#[tokio::test]
async fn a_service_that_is_gone_loses_its_row_and_its_slot() {
    let mut shop = Shop::patched().await;
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.machine.run_for(Duration::from_secs(60)).await;
    assert_eq!((shop.rows().await.len(), shop.slots()), (1, 1), "it is being moved");
    shop.stage().world.delete_service(&shop.web).unwrap();
    let fork = shop.fork();
    // Its own message finds out, or the sweep does.
    shop.quiet().await;
    assert_eq!((shop.rows().await.len(), shop.slots()), (0, 0));
    let mut shop = fork;
    shop.stage().world.service_drains(&shop.web).unwrap();
    shop.sweep().await;
    assert_eq!((shop.rows().await.len(), shop.slots()), (0, 0));
    // One of the same name is another service.
    let arn = shop.add("shop", "web", &json!({}));
    assert_eq!(arn, shop.web);
    shop.sweep().await;
    assert_eq!(shop.pins(), 2);
}

#[tokio::test]
async fn a_move_whose_message_and_event_are_lost_is_brought_to_its_end_by_a_sweep() {
    let mut shop = Shop::patched().await;
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.machine.run_for(Duration::from_secs(60)).await;
    let mut shop = shop.fork();
    shop.stage().world.deployment_completes(&shop.web).unwrap();
    shop.sweep().await;
    assert_eq!(shop.slots(), 1, "half an hour is left to its own message");
    shop.stage().world.clock().advance(HOUR);
    shop.sweep().await;
    assert_eq!((shop.pins(), shop.updates().len(), shop.slots()), (2, 0, 0));
    Shop::assert_row(shop.row().await.as_ref(), ServiceState::Current, RolloutReason::Moved, "the sweep");
}

#[tokio::test]
async fn a_sweep_that_is_cut_off_anywhere_moves_each_service_once() {
    let mut set = Shop::patched().await;
    fill(&mut set, 3, "web:1");
    let calls = {
        let mut shop = set.fork();
        shop.sweep().await;
        let calls = shop.stage().world.calls().len();
        assert_each_moved_once(&shop, "undisturbed").await;
        calls
    };
    assert!(calls > 60, "{calls}");
    for index in (0..calls).step_by(5) {
        let mut shop = set.fork();
        let about = format!("died at call {index} of {calls}");
        let death = move || if index % 2 == 0 { Fault::before(die) } else { Fault::then(die) };
        let reached = at_call(&shop.stage().world, index, move |_| death());
        shop.sweep().await;
        assert!(reached.get(), "{about}");
        shop.stage().world.leave_calls_alone();
        shop.stage().world.clock().advance(HOUR);
        shop.sweep().await;
        assert_each_moved_once(&shop, &about).await;
    }
}

/// At most five at once, each for two minutes: forty rounds. What waits for its turn looks again every five minutes.
#[tokio::test]
async fn two_hundred_services_are_moved_at_a_bounded_cost() {
    const SERVICES: usize = 200;
    const AT_ONCE: usize = 5;
    let mut shop = Shop::patched_with(&[(settings::ROLLOUT_AT_ONCE, "5")], &json!({})).await;
    fill(&mut shop, SERVICES, "web:1");
    shop.machine.wake();
    let began = shop.machine.now();
    loop {
        shop.machine.run_for(Duration::from_secs(120)).await;
        let under_way = shop.under_way();
        assert!(under_way.len() <= AT_ONCE && shop.slots() <= AT_ONCE, "{under_way:?}");
        for service in &under_way {
            shop.deployed_of(service);
        }
        if under_way.is_empty() && shop.machine.on_their_way("families") + shop.machine.on_their_way("sweeps") == 0 {
            break;
        }
        assert!(shop.machine.now() < began + 6 * HOUR, "it does not come to an end");
    }
    assert_each_moved_once(&shop, "in the end").await;
    assert_eq!(shop.updates().len(), SERVICES);
    // On the average a service waits through half of the rounds, each shorter than the five minutes between two looks;
    // then it is looked at when it is moved, when its deployment ends, and by a message that comes later.
    let looks = SERVICES * (SERVICES / AT_ONCE) / 2 + 4 * SERVICES;
    let put_back = shop.count("SendMessage");
    assert!((SERVICES..=looks).contains(&put_back), "{put_back}, at most {looks}");
    // A look describes the service, and a move once more; the sweep's rounds describe ten at once.
    let described = shop.count("DescribeServices");
    assert!(described <= looks + SERVICES + SERVICES, "{described}");
    let calls = shop.stage().world.calls().len();
    assert!(calls <= 12 * looks, "{calls}, at most {}", 12 * looks);
}
