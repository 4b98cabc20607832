//! The breaker: tasks that stop because of an injected container stop the operator, and nothing else does.

use ecs_sidecar_aws::news::BREAKER_DETAIL_TYPE;
use ecs_sidecar_aws::settings;
use ecs_sidecar_core::names;
use ecs_sidecar_core::rollout::{RolloutReason, ServiceState};
use ecs_sidecar_core::state::State;
use ecs_sidecar_stage::machine::{Machine, name};
use ecs_sidecar_stage::shop::{DEPLOYER, HOUR, Shop, number_of};
use ecs_sidecar_stage::stage::{at_first, parsed, revision_arn, web};
use ecs_sidecar_tests::{Caller, Fault, StoppedContainer, StoppedTask, World};
use serde_json::{Value, json};
use std::time::Duration;

/// The sidecar's image, as the operator names it but for the digest.
const PULL: &str = "CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref \
                    111122223333.dkr.ecr.eu-west-1.amazonaws.com/ecr-public/xray/aws-xray-daemon@sha256:0: not found";

/// What ECS tells of another task of the service that never started.
fn unpulled(shop: &Shop, revision: &str, because: &str) -> Value {
    let container = |name| StoppedContainer { name, exit_code: None, reason: None };
    let containers = [container("web"), container("xray-daemon")];
    let task = StoppedTask {
        task_definition: revision,
        stop_code: "TaskFailedToStart",
        reason: because,
        containers: &containers,
    };
    shop.stage().world.task_stopped(&shop.web, task)
}

/// So many tasks of revision 2 cannot pull the sidecar's image. What came of each.
async fn pull_in_vain(shop: &Shop, tasks: usize) -> Vec<Value> {
    let mut came = Vec::new();
    for _ in 0..tasks {
        came.push(shop.machine.invoke(&unpulled(shop, &revision_arn(2), PULL)).await["stopped"].clone());
    }
    came
}

/// What was told of the breaker on the bus.
fn told(world: &World) -> Vec<Value> {
    let events = world.events();
    let of_breaker = events.iter().filter(|event| event.detail_type == BREAKER_DETAIL_TYPE);
    of_breaker.map(|event| serde_json::from_str(&event.detail).unwrap()).collect()
}

/// Calls that change something in ECS or IAM.
fn writes(shop: &Shop) -> usize {
    let names = ["RegisterTaskDefinition", "DeregisterTaskDefinition", "AttachRolePolicy", "UpdateService"];
    names.iter().map(|name| shop.count(name)).sum()
}

#[tokio::test]
async fn three_tasks_that_cannot_pull_the_sidecar_stop_all_writes() {
    let mut shop = Shop::moved().await;
    assert_eq!(pull_in_vain(&shop, 3).await, ["counted", "counted", "tripped"]);
    let table = shop.stage().table();
    let switch = table.switch().await.unwrap();
    assert!(switch.paused && switch.changed_by.as_deref() == Some(names::OPERATOR), "{switch:?}");
    let because = switch.because.unwrap();
    assert!(because.contains("CannotPullContainerError") && because.contains(&revision_arn(2)), "{because}");
    let standing = table.standing(&shop.stage().another_settings()).await.unwrap();
    assert!(standing.switch.paused, "whoever reads all that stands sees it too");

    // The owner goes on working, with other roles and another service.
    shop.stage().world.forget_calls();
    let arn = shop.stage().world.register(&web("2")).unwrap();
    shop.machine.event("web");
    shop.pin(number_of(&arn), Caller::Role(DEPLOYER));
    shop.quiet().await;
    shop.sweep().await;
    assert_eq!((writes(&shop), shop.runs()), (0, ("shop/web:2".to_owned(), false)));

    // Tasks that go on stopping are no news.
    assert_eq!(pull_in_vain(&shop, 6).await, ["paused"; 6]);
    let events = told(&shop.stage().world);
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(event["taskDefinition"], json!(revision_arn(2)));
    assert!(event["message"].as_str().unwrap().contains("CannotPullContainerError"), "{event}");

    // A person has it go on, and it makes good for what it left.
    shop.stage().world.clock().advance(HOUR);
    assert!(table.set_switch("me", |switch| switch.paused = false).await.unwrap());
    assert!(!table.switch().await.unwrap().paused);
    shop.sweep().await;
    shop.sweep().await;
    assert_eq!(shop.runs(), ("shop/web:2".to_owned(), true));
    // From there it counts anew.
    let told_before = told(&shop.stage().world).len();
    assert_eq!(pull_in_vain(&shop, 2).await, ["counted", "counted"]);
    assert!(!table.switch().await.unwrap().paused);
    assert_eq!(pull_in_vain(&shop, 1).await, ["tripped"]);
    assert_eq!(told(&shop.stage().world).len(), told_before + 1);
}

#[tokio::test]
async fn a_service_that_was_held_is_moved_once_a_person_lets_it() {
    let mut shop = Shop::patched().await;
    pull_in_vain(&shop, 3).await;
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.quiet().await;
    assert_eq!((shop.pins(), writes(&shop), shop.slots()), (1, 0, 0));
    let row = shop.row().await.unwrap();
    Shop::assert_row(Some(&row), ServiceState::Waiting, RolloutReason::Paused, "held");
    assert!(row.message.unwrap().contains("CannotPullContainerError"));
    // Sweeps do not come back to it meanwhile.
    for _ in 0..3 {
        shop.stage().world.clock().advance(HOUR);
        shop.stage().world.forget_calls();
        shop.sweep().await;
        assert_eq!((shop.count("SendMessageBatch"), shop.told().len()), (0, 1));
    }
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.quiet().await;
    let table = shop.stage().table();
    assert!(table.set_switch("me", |switch| switch.paused = false).await.unwrap());
    // As the stream does when the switch changes, and at once.
    shop.sweep().await;
    assert_eq!((shop.pins(), shop.updates().len()), (2, 1));
}

/// It trips after the look.
#[tokio::test]
async fn a_pause_stops_a_move_that_is_about_to_be_made() {
    let mut shop = Shop::patched().await;
    let table = shop.stage().table();
    at_first(&shop.stage().world, "PutItem", move |_| {
        let table = table.clone();
        Fault::before(move |_| {
            let pause = async move { table.set_switch("me", |switch| switch.paused = true).await.unwrap() };
            let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
            assert!(std::thread::spawn(move || runtime().block_on(pause)).join().unwrap());
        })
    });
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.quiet().await;
    assert_eq!((shop.pins(), shop.count("UpdateService"), shop.slots()), (1, 0, 0));
    Shop::assert_row(shop.row().await.as_ref(), ServiceState::Waiting, RolloutReason::Paused, "held");
}

#[tokio::test]
async fn what_is_not_the_sidecars_fault_or_too_rare_trips_nothing() {
    let set = Shop::moved().await;
    set.stage().world.register(&web("2").replace("\"family\":\"web\"", "\"family\":\"other\"")).unwrap();
    let ours = revision_arn(2);
    // Somebody else's, though it has the sidecar and its receipt.
    set.stage().world.register(parsed(&set.stage().world.newest_active("web").unwrap()).text()).unwrap();
    let other = ours.replace("web:2", "other:1");
    for (about, revision, because, expected) in [
        ("the revision that was replaced", revision_arn(1).as_str(), PULL, "notOurs"),
        ("a copy that somebody registered", revision_arn(3).as_str(), PULL, "notOurs"),
        ("a family that nobody patched", other.as_str(), PULL, "notOurs"),
        ("a family that is not there", ours.replace("web:2", "none:1").as_str(), PULL, "notOurs"),
        ("the app's own image", ours.as_str(), "CannotPullContainerError: shop/web:1 not found", "notOurs"),
        ("no room", ours.as_str(), "RESOURCE:MEMORY", "notOurs"),
        ("the sidecar's, which is the control", ours.as_str(), PULL, "counted"),
    ] {
        let shop = set.fork();
        for _ in 0..5 {
            let came = shop.machine.invoke(&unpulled(&shop, revision, because)).await["stopped"].clone();
            assert_eq!(came, expected, "{about}");
            if expected == "counted" {
                break;
            }
        }
        assert!(!shop.stage().table().switch().await.unwrap().paused, "{about}");
        assert!(told(&shop.stage().world).is_empty(), "{about}");
    }
}

#[tokio::test]
async fn an_app_that_crashes_trips_nothing() {
    let shop = Shop::moved().await;
    let container = |name, exit_code| StoppedContainer { name, exit_code: Some(exit_code), reason: None };
    for (web, sidecar) in [(1, 0), (139, 137), (1, 1)] {
        let containers = [container("web", web), container("xray-daemon", sidecar)];
        let task = StoppedTask {
            task_definition: &revision_arn(2),
            stop_code: "EssentialContainerExited",
            reason: "Essential container in task exited",
            containers: &containers,
        };
        for _ in 0..4 {
            let event = shop.stage().world.task_stopped(&shop.web, task);
            assert_eq!(shop.machine.invoke(&event).await, json!({ "stopped": "notOurs" }));
        }
    }
    assert!(!shop.stage().table().switch().await.unwrap().paused);
}

#[tokio::test]
async fn the_same_task_counts_once_and_old_ones_do_not() {
    let shop = Shop::moved().await;
    let event = unpulled(&shop, &revision_arn(2), PULL);
    for _ in 0..5 {
        assert_eq!(shop.machine.invoke(&event).await, json!({ "stopped": "counted" }));
        shop.stage().world.clock().advance(Duration::from_secs(1));
    }
    assert_eq!(pull_in_vain(&shop, 1).await, ["counted"]);
    shop.stage().world.clock().advance(Duration::from_secs(901));
    assert_eq!(pull_in_vain(&shop, 2).await, ["counted", "counted"]);
    assert!(!shop.stage().table().switch().await.unwrap().paused);
    shop.stage().world.clock().advance(Duration::from_secs(890));
    assert_eq!(pull_in_vain(&shop, 1).await, ["tripped"], "three within a quarter of an hour");
}

/// Families that are held are looked at once, and once more when a person lets them.
#[tokio::test]
async fn sweeps_do_not_come_back_to_what_is_held() {
    const FAMILIES: usize = 20;
    let shop = Shop::moved().await;
    pull_in_vain(&shop, 3).await;
    let mut machine: Machine = shop.machine;
    machine.register_families(FAMILIES);
    machine.wake();
    machine.run(2 * HOUR).await;
    let held = |rows: &[ecs_sidecar_aws::rows::Row]| {
        let is_held = |row: &&ecs_sidecar_aws::rows::Row| row.told.reason.as_deref() == Some("paused");
        rows.iter().filter(is_held).filter(|row| row.state == Some(State::Pending)).count()
    };
    assert_eq!(held(&machine.rows().await), FAMILIES);
    for _ in 0..3 {
        machine.stage.world.forget_calls();
        machine.wake();
        machine.run(2 * HOUR).await;
        let lines = machine.stage.world.call_lines();
        let looks = lines.iter().filter(|line| line.starts_with("DescribeTaskDefinition web-")).count();
        assert_eq!(looks, 0, "nobody is looked at again");
        assert!(lines.len() < 25, "{lines:#?}");
    }
    assert!(machine.stage.table().set_switch("me", |switch| switch.paused = false).await.unwrap());
    machine.wake();
    machine.run(2 * HOUR).await;
    machine.assert_each_patched_once(FAMILIES, "after the pause");
    assert!(machine.stage.world.newest_active(&name(0)).is_some() && machine.dead.is_empty());
}

/// Whoever has no bus is not told, and is protected all the same.
#[tokio::test]
async fn it_trips_where_nobody_is_told() {
    let shop = Shop::with(&[(settings::EVENT_BUS, "")], &json!({}));
    shop.stage().reconcile().await;
    assert_eq!(pull_in_vain(&shop, 3).await, ["counted", "counted", "tripped"]);
    assert!(shop.stage().table().switch().await.unwrap().paused && told(&shop.stage().world).is_empty());
}
