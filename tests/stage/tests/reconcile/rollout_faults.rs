//! Moves while things go wrong, and what is no replacement whatever the table says.

use ecs_sidecar_aws::Deadline;
use ecs_sidecar_aws::rollout::RolloutAction;
use ecs_sidecar_core::rollout::{RolloutReason, ServiceState};
use ecs_sidecar_stage::shop::{DEPLOYER, HOUR, Shop, number_of};
use ecs_sidecar_stage::stage::{SESSION, at_call, at_first, die, parsed, revision_arn, web};
use ecs_sidecar_tests::{Caller, Fault, RevisionView, ServiceError, World};
use serde_json::{Value, json};
use std::time::Duration;

/// Puts into the family's row that this revision replaces the first one.
fn replace_first_by(shop: &Shop, number: u64) {
    let row = shop.stage().world.item("operator", "family", "web").unwrap();
    let mut row: Value = serde_json::from_str(&row).unwrap();
    row["successors"] = json!({ "SS": [format!("{} {}", revision_arn(1), revision_arn(number))] });
    shop.stage().world.put_item("operator", &row.to_string()).unwrap();
}

/// A registration of what a revision is, with some of its text changed.
fn copy(view: &RevisionView, from: &str, to: &str) -> String {
    let text = parsed(view).text().to_owned();
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

#[tokio::test]
async fn what_is_no_replacement_is_never_moved_to() {
    type Make = fn(&World, &RevisionView);
    let cases: [(&str, RolloutReason, Make); 5] = [
        ("not ACTIVE", RolloutReason::TargetGone, |world, ours| {
            world.as_principal(SESSION).register(&copy(ours, "\"web\"", "\"web\"")).unwrap();
            world.deregister(&revision_arn(3)).unwrap();
        }),
        ("gone for good", RolloutReason::TargetGone, |world, ours| {
            world.as_principal(SESSION).register(&copy(ours, "\"web\"", "\"web\"")).unwrap();
            world.deregister(&revision_arn(3)).unwrap();
            world.delete(&revision_arn(3)).unwrap();
        }),
        ("a copy that somebody else registered", RolloutReason::TargetGone, |world, ours| {
            world.register(&copy(ours, "\"web\"", "\"web\"")).unwrap();
        }),
        ("another image of the app", RolloutReason::ContentDiffers, |world, ours| {
            world.as_principal(SESSION).register(&copy(ours, "shop/web:1", "shop/web:6")).unwrap();
        }),
        ("a role that the receipt does not tell of", RolloutReason::ContentDiffers, |world, ours| {
            world.as_principal(SESSION).register(&copy(ours, "role/app/web", "role/admin")).unwrap();
        }),
    ];
    let set = Shop::patched().await;
    for (about, reason, make) in cases {
        let mut shop = set.fork();
        let ours = shop.stage().world.newest_active("web").unwrap();
        make(&shop.stage().world, &ours);
        replace_first_by(&shop, 3);
        shop.updated_by(Caller::Role(DEPLOYER));
        for _ in 0..3 {
            let asked = shop.look(RolloutAction::Retry).await;
            assert_eq!((asked.reason, asked.outcome), (Some(reason), "nothing"), "{about}");
        }
        shop.machine.run_for(HOUR / 60).await;
        assert_eq!((shop.pins(), shop.count("UpdateService"), shop.slots()), (1, 0, 0), "{about}");
        Shop::assert_row(shop.row().await.as_ref(), ServiceState::Left, reason, about);
    }
}

/// The app in version 2, registered by its owner as revision 3.
fn with_newer(shop: &Shop) {
    let arn = shop.stage().world.register(&web("2")).unwrap();
    assert_eq!(number_of(&arn), 3);
}

/// Its owner has the service run version 2.
fn deploy_newer(world: &World) {
    let request = json!({ "cluster": "shop", "service": "web", "taskDefinition": revision_arn(3) });
    world.update_service(&request.to_string()).unwrap();
}

/// The owner's update comes between the last look at the service and our update, or right after that.
#[tokio::test]
async fn the_newest_work_of_a_user_wins() {
    type Make = fn() -> Fault;
    let moments: [(&str, Make); 4] = [
        ("just before", || Fault::before(deploy_newer)),
        ("just after", || Fault::then(deploy_newer)),
        ("just before, and the answer is lost", || Fault::before(deploy_newer).and(Fault::ApplyAndLoseAnswer)),
        ("just before, and the worker dies", || Fault::before(deploy_newer).and(Fault::then(die))),
    ];
    for strategy in ["ROLLING", "BLUE_GREEN"] {
        let set = Shop::patched_with(&[], &json!({ "deploymentConfiguration": { "strategy": strategy } })).await;
        for (about, moment) in moments {
            let mut shop = set.fork();
            with_newer(&shop);
            at_first(&shop.stage().world, "UpdateService", move |_| moment());
            shop.updated_by(Caller::Role(DEPLOYER));
            shop.machine.run_for(Duration::from_secs(2)).await;
            shop.stage().world.leave_calls_alone();
            // What he did is told minutes later.
            shop.machine.run_for(Duration::from_secs(300)).await;
            shop.updated_by(Caller::Role(DEPLOYER));
            shop.machine.event("web");
            shop.quiet().await;
            assert_eq!(shop.runs(), ("shop/web:2".to_owned(), true), "{strategy}, {about}");
            let row = shop.row().await;
            Shop::assert_row(row.as_ref(), ServiceState::Current, RolloutReason::Moved, about);
            assert_eq!((shop.slots(), shop.machine.dead.len()), (0, 0), "{strategy}, {about}");
        }
    }
}

/// Whoever came after the move, even twice, has what he wants.
#[tokio::test]
async fn what_comes_after_the_move_is_not_given_back() {
    let mut shop = Shop::patched().await;
    shop.stage().world.register(&web("0")).unwrap();
    shop.stage().world.register(&web("2")).unwrap();
    let deploy = |number: u64| {
        move |world: &World| {
            let request = json!({ "cluster": "shop", "service": "web", "taskDefinition": revision_arn(number) });
            world.update_service(&request.to_string()).unwrap();
        }
    };
    at_first(&shop.stage().world, "UpdateService", move |_| Fault::then(deploy(3)).and(Fault::then(deploy(4))));
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.machine.run_for(Duration::from_secs(2)).await;
    assert_eq!((shop.pins(), shop.updates().len()), (4, 1));
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.machine.event("web");
    shop.quiet().await;
    assert_eq!(shop.runs(), ("shop/web:2".to_owned(), true));
}

/// An update of something else in that moment stays, and nothing is given back.
#[tokio::test]
async fn an_update_of_something_else_just_before_stays() {
    let mut shop = Shop::patched().await;
    at_first(&shop.stage().world, "UpdateService", |_| {
        Fault::before(|world| {
            let request = r#"{"cluster":"shop","service":"web","desiredCount":7,"forceNewDeployment":true}"#;
            world.update_service(request).unwrap();
        })
    });
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.quiet().await;
    let view = shop.stage().world.service(&shop.web).unwrap();
    assert!(view.configuration.contains("\"desiredCount\":7"), "{}", view.configuration);
    assert_eq!((shop.pins(), shop.updates().len()), (2, 1));
}

/// A switch that is thrown stops the giving back as well, which is made good for afterwards.
#[tokio::test]
async fn what_was_overtaken_is_given_back_after_a_pause() {
    let mut shop = Shop::patched().await;
    with_newer(&shop);
    at_first(&shop.stage().world, "UpdateService", |_| Fault::before(deploy_newer).and(Fault::then(die)));
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.machine.run_for(Duration::from_secs(2)).await;
    shop.stage().world.leave_calls_alone();
    let table = shop.stage().table();
    table.set_switch("me", |switch| switch.paused = true).await.unwrap();
    let updates = shop.updates().len();
    shop.quiet().await;
    assert_eq!((shop.pins(), shop.updates().len()), (2, updates));
    table.set_switch("me", |switch| switch.paused = false).await.unwrap();
    shop.stage().world.clock().advance(HOUR);
    shop.sweep().await;
    assert_eq!(shop.runs().0, "shop/web:2");
}

fn server_error() -> ServiceError {
    ServiceError::new("ServerException", "Service Unavailable. Please try again later.")
}

/// A look at a service, which is cut off at each of its calls in turn.
#[derive(Clone, Copy)]
enum Look {
    /// It is to be moved.
    Begins,
    /// It was moved, and its deployment has come to its end.
    Ends,
}

impl Look {
    const ALL: [Self; 2] = [Self::Begins, Self::Ends];

    /// Everything up to the look.
    async fn set(self) -> Shop {
        let mut shop = Shop::patched().await;
        if let Self::Ends = self {
            shop.updated_by(Caller::Role(DEPLOYER));
            shop.machine.run_for(Duration::from_secs(2)).await;
            assert_eq!((shop.pins(), shop.is_deploying()), (2, true));
            shop.stage().world.forget_calls();
        }
        shop
    }

    /// The look, by an event.
    async fn run(self, shop: &mut Shop) {
        match self {
            Self::Begins => shop.updated_by(Caller::Role(DEPLOYER)),
            Self::Ends => shop.deployed(),
        }
        shop.machine.run_for(Duration::from_secs(2)).await;
    }

    /// How many calls it makes that nothing disturbs.
    async fn calls(self, set: &Shop) -> usize {
        let mut shop = set.fork();
        self.run(&mut shop).await;
        let (least, calls) = (if let Self::Begins = self { 14 } else { 8 }, shop.stage().world.calls().len());
        assert!(calls >= least, "{calls}");
        calls
    }
}

/// How many deployments there ever were of the service.
async fn deployments(shop: &Shop) -> usize {
    let client = aws_sdk_ecs::Client::new(&shop.stage().world.sdk_config());
    let listed = client.list_service_deployments().cluster("shop").service("web").send().await.unwrap();
    listed.service_deployments().len()
}

/// Something goes wrong at each call of a move in turn; then the machine goes on.
async fn law(look: Look, set: &Shop, fault: fn() -> Fault, version: &str) {
    let calls = look.calls(set).await;
    for index in 0..calls {
        let mut shop = set.fork();
        let about = format!("{:?} at call {index} of {calls}", fault());
        let reached = at_call(&shop.stage().world, index, move |_| fault());
        look.run(&mut shop).await;
        assert!(reached.get(), "{about}: there was no such call");
        shop.stage().world.leave_calls_alone();
        if version == "2" {
            shop.updated_by(Caller::Role(DEPLOYER));
            shop.machine.event("web");
        }
        shop.quiet().await;
        assert_eq!(shop.runs(), (format!("shop/web:{version}"), true), "{about}");
        let row = shop.row().await;
        Shop::assert_row(row.as_ref(), ServiceState::Current, RolloutReason::Moved, &about);
        let last = row.unwrap().history.last.unwrap();
        assert_eq!((number_of(last.to.as_str()), last.confirmed), (shop.pins(), true), "{about}");
        assert_eq!((shop.slots(), shop.machine.dead.len()), (0, 0), "{about}");
        // The one that there was, the owner's new one, ours, and one too many.
        let most = if version == "2" { 6 } else { 3 };
        assert!(deployments(&shop).await <= most, "{about}: {}", deployments(&shop).await);
        let updates = shop.updates().len();
        shop.sweep().await;
        assert_eq!(shop.updates().len(), updates, "{about}: there is nothing left to do");
    }
}

#[tokio::test]
async fn a_failure_at_any_call_is_made_good_for() {
    let faults: [fn() -> Fault; 6] = [
        || Fault::FailBefore(server_error()),
        || Fault::LoseRequest,
        || Fault::ApplyAndFail(server_error()),
        || Fault::ApplyAndLoseAnswer,
        || Fault::Throttle,
        || Fault::Stale,
    ];
    for look in Look::ALL {
        let set = look.set().await;
        for fault in faults {
            law(look, &set, fault, "1").await;
        }
    }
}

#[tokio::test]
async fn a_death_at_any_call_is_made_good_for() {
    let deaths: [fn() -> Fault; 2] = [|| Fault::before(die), || Fault::then(die)];
    for look in Look::ALL {
        let set = look.set().await;
        for death in deaths {
            law(look, &set, death, "1").await;
        }
    }
}

#[tokio::test]
async fn an_update_of_the_owners_between_any_two_calls_wins() {
    let updates: [fn() -> Fault; 2] = [|| Fault::before(deploy_newer), || Fault::then(deploy_newer)];
    for look in Look::ALL {
        let set = look.set().await;
        with_newer(&set);
        for update in updates {
            law(look, &set, update, "2").await;
        }
    }
}

#[tokio::test]
async fn a_service_waits_where_aws_wants_to_be_left_alone() {
    for operation in ["DescribeServices", "UpdateService", "DescribeServiceRevisions"] {
        let mut shop = Shop::patched().await;
        shop.stage().world.on_call(move |call| if call.operation == operation { Fault::Throttle } else { Fault::None });
        shop.updated_by(Caller::Role(DEPLOYER));
        shop.machine.run_for(Duration::from_secs(2)).await;
        assert_eq!(shop.machine.on_their_way("families"), 1, "{operation}: it is put back");
        shop.machine.run_for(Duration::from_secs(120)).await;
        shop.stage().world.leave_calls_alone();
        // A failed message would come after a quarter of an hour.
        shop.machine.run_for(Duration::from_secs(30)).await;
        let last = shop.row().await.and_then(|row| row.history.last);
        assert!(last.is_some_and(|last| last.confirmed), "{operation}: it goes on soon");
        shop.quiet().await;
        assert_eq!((shop.pins(), shop.slots(), shop.machine.dead.len()), (2, 0, 0), "{operation}");
        assert_eq!(deployments(&shop).await, 2, "{operation}");
    }
}

#[tokio::test]
async fn what_there_is_no_time_for_is_not_begun() {
    let shop = Shop::patched().await;
    let service = shop.web.parse().unwrap();
    let soon = Deadline::at(tokio::time::Instant::now() + Duration::from_secs(30));
    let report = shop.stage().another().roll_out(&service, None, RolloutAction::Move, soon).await.unwrap();
    assert_eq!((report.outcome, report.again_in_seconds), ("nothing", Some(5)));
    assert_eq!((shop.pins(), shop.count("PutItem"), shop.count("UpdateService")), (1, 0, 0));
}

/// Another function moves the same service between any two calls of this one.
#[tokio::test]
async fn a_second_worker_between_any_two_calls_changes_nothing() {
    let set = Shop::patched().await;
    for index in 0..Look::Begins.calls(&set).await {
        let mut shop = set.fork();
        let deployment = shop.stage().deployment();
        let service = shop.web.clone();
        at_call(&shop.stage().world, index, move |_| {
            let (deployment, service) = (deployment.clone(), service.clone());
            Fault::before(move |world| deployment.roll_out_elsewhere(world, &service))
        });
        shop.updated_by(Caller::Role(DEPLOYER));
        shop.machine.run_for(Duration::from_secs(2)).await;
        shop.stage().world.leave_calls_alone();
        if shop.is_deploying() {
            assert_eq!(shop.slots(), 1, "call {index}: what is under way keeps its slot");
        }
        shop.quiet().await;
        let about = format!("call {index}");
        Shop::assert_row(shop.row().await.as_ref(), ServiceState::Current, RolloutReason::Moved, &about);
        assert_eq!((shop.pins(), shop.slots(), deployments(&shop).await), (2, 0, 2), "{about}");
    }
}
