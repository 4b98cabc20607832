//! The lease that is asked for beside the look: all that may happen between the one and the other.
//!
//! The function is told of a revision with the greatest of all numbers. It is news to any row, so that the lease is taken
//! wherever nobody has it, which no true event does as often.

use ecs_sidecar_aws::{Deadline, Error, ReconcileAction, Reconciler, Urgency};
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::report::Report;
use ecs_sidecar_core::state::State;
use ecs_sidecar_stage::machine;
use ecs_sidecar_stage::registry;
use ecs_sidecar_stage::scenes::{Scene, work};
use ecs_sidecar_stage::stage::{Stage, at_call, at_first, die, parsed, web};
use ecs_sidecar_tests::{Fault, ServiceError, World};
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::mpsc;
use std::time::Duration;

const NEWS: Urgency = Urgency::Registered(u64::MAX);

async fn told_of(function: &Reconciler, urgency: Urgency) -> Result<Report, Error> {
    let (family, action) = ("web".parse().unwrap(), ReconcileAction::Reconcile);
    function.reconcile(&family, action, urgency, Deadline::none()).await
}

fn staged() -> Stage {
    let stage = Stage::with_table(&[]);
    stage.world.register(&web("1")).unwrap();
    stage
}

/// A scene with a table, and how many calls a fresh function makes in it.
async fn set(scene: Scene) -> (Stage, usize) {
    let set = scene.set_on(Stage::with_table(&[])).await;
    let stage = set.fork();
    told_of(&stage.another(), NEWS).await.unwrap();
    (set, stage.world.calls().len())
}

/// One reconcile of a function that remembers nothing, with something before or after the call of that number.
async fn disturbed(stage: &Stage, index: usize, before: bool, deed: impl Fn(&World) + Clone + Send + Sync + 'static) {
    let reached = at_call(&stage.world, index, move |_| {
        let deed = deed.clone();
        if before { Fault::before(move |world| deed(world)) } else { Fault::then(move |world| deed(world)) }
    });
    told_of(&stage.another(), NEWS).await.unwrap();
    assert!(reached.get(), "there is no call {index}");
    stage.world.leave_calls_alone();
}

fn sides(calls: usize) -> impl Iterator<Item = (usize, bool)> {
    (0..calls).flat_map(|index| [(index, true), (index, false)])
}

#[tokio::test]
async fn of_two_functions_one_registers_whenever_the_other_one_runs() {
    for scene in Scene::ALL {
        let (set, calls) = set(scene).await;
        for (index, before) in sides(calls) {
            let (stage, about) = (set.fork(), format!("the other one at call {index}, before: {before}"));
            let other = stage.deployment();
            disturbed(&stage, index, before, move |world| {
                world.leave_calls_alone();
                other.reconcile_elsewhere(world);
            })
            .await;
            stage.finish_afresh(&about).await;
            // Not even one that was taken back.
            scene.assert_done(&stage, &about);
            assert_eq!(stage.world.revisions("web").len(), stage.active().len(), "{scene:?}, {about}");
            assert!(stage.row().await.lease.is_none(), "{scene:?}, {about}");
        }
    }
}

#[tokio::test]
async fn a_registration_beside_any_call_wins() {
    for scene in Scene::ALL {
        let (set, calls) = set(scene).await;
        for (index, before) in sides(calls) {
            let (stage, about) = (set.fork(), format!("{scene:?}, at call {index}, before: {before}"));
            disturbed(&stage, index, before, |world| {
                world.register(&web("2")).unwrap();
            })
            .await;
            stage.finish_afresh(&about).await;
            let revisions = stage.world.revisions("web");
            let users = revisions.iter().rfind(|view| view.registered_by.contains(":user/")).unwrap();
            let newest = stage.world.newest_active("web").unwrap();
            assert_eq!(work(&parsed(&newest)), work(&parsed(users)), "{about}: {revisions:#?}");
        }
    }
}

#[tokio::test]
async fn whoever_dies_at_any_call_leaves_work_that_is_done_once() {
    for scene in Scene::ALL {
        let (set, calls) = set(scene).await;
        for (index, before) in sides(calls) {
            let (stage, about) = (set.fork(), format!("death at call {index}, before: {before}"));
            let reached =
                at_call(&stage.world, index, move |_| if before { Fault::before(die) } else { Fault::then(die) });
            let died = AssertUnwindSafe(told_of(&stage.another(), NEWS)).catch_unwind().await;
            assert!(died.is_err() && reached.get(), "{scene:?}, {about}");
            stage.world.leave_calls_alone();
            // Its lease has to end before anybody may act.
            stage.world.clock().advance(Duration::from_secs(241));
            told_of(&stage.another(), NEWS).await.unwrap();
            stage.finish_afresh(&about).await;
            scene.assert_done(&stage, &about);
        }
    }
}

#[tokio::test]
async fn of_ten_workers_that_are_told_at_once_one_registers() {
    for round in 0..10 {
        let stage = staged();
        let workers: Vec<_> = (0..10).map(|_| stage.another()).collect();
        let threads = workers.into_iter().map(|worker| {
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                runtime.block_on(told_of(&worker, if round % 2 == 0 { NEWS } else { Urgency::Registered(1) })).unwrap()
            })
        });
        let reports: Vec<Report> = threads.collect::<Vec<_>>().into_iter().map(|one| one.join().unwrap()).collect();
        let registered = reports.iter().filter(|report| report.outcome == "registered").count();
        assert_eq!((registered, stage.world.revisions("web").len()), (1, 2), "round {round}: {reports:?}");
    }
}

/// Somebody acts, from the look to the end, after this worker has looked and before it has the lease. It is warm, and would
/// register at once.
#[tokio::test]
async fn the_row_tells_that_the_look_came_before_somebody_elses_act() {
    let stage = staged();
    stage.world.register(&machine::family("other", "1")).unwrap();
    let (family, action) = ("other".parse().unwrap(), ReconcileAction::Reconcile);
    stage.reconciler.reconcile(&family, action, NEWS, Deadline::none()).await.unwrap();
    let deployment = stage.deployment();
    at_first(&stage.world, "UpdateItem", move |_| {
        let deployment = deployment.clone();
        Fault::before(move |world| deployment.reconcile_elsewhere(world))
    });
    let report = told_of(&stage.reconciler, NEWS).await.unwrap();
    assert_eq!((report.outcome, stage.world.revisions("web").len()), ("nothing", 2), "{report:?}");
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_is_its_own() {
    let stage = staged();
    at_first(&stage.world, "UpdateItem", |_| Fault::ApplyAndLoseAnswer);
    assert_eq!(told_of(&stage.another(), NEWS).await.unwrap().outcome, "registered");
    assert_eq!((stage.active(), stage.row().await.lease), (vec![1, 2], None));
}

/// An event that comes late, or twice, finds what it tells of in the row.
#[tokio::test]
async fn what_the_row_knows_is_read_and_not_written() {
    let stage = staged();
    stage.reconcile().await;
    stage.reconcile().await;
    let before = stage.items_of("family");
    assert_eq!(told_of(&stage.reconciler, Urgency::Registered(2)).await.unwrap().outcome, "nothing");
    assert_eq!(stage.items_of("family"), before);
}

#[tokio::test]
async fn who_looks_in_vain_gives_the_lease_back_and_says_so() {
    let stage = staged();
    stage.world.deny("DescribeTaskDefinition", None);
    told_of(&stage.another(), NEWS).await.unwrap_err();
    let row = stage.row().await;
    assert_eq!((row.state, row.told.reason.as_deref()), (Some(State::Failing), Some("denied")), "{row:?}");
    assert!(row.lease.is_none(), "{row:?}");
}

/// The switch is read beside the look, and once more where anything else was asked for since.
#[tokio::test]
async fn a_pause_stops_whoever_has_not_looked_at_the_switch_or_has_looked_long_ago() {
    for operation in ["DescribeTaskDefinition", "ListAttachedRolePolicies"] {
        let stage = staged();
        let table = stage.table();
        at_first(&stage.world, operation, move |_| {
            let table = table.clone();
            Fault::before(move |_| {
                let pause = async move { table.set_switch("me", |switch| switch.paused = true).await.unwrap() };
                let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
                std::thread::spawn(move || runtime().block_on(pause)).join().unwrap();
            })
        });
        let report = told_of(&stage.another(), NEWS).await.unwrap();
        assert_eq!((report.outcome, report.reason), ("held", Some(Reason::Paused)), "{operation}: {report:?}");
        assert!(!stage.wrote() && stage.row().await.lease.is_none(), "{operation}");
    }
}

#[tokio::test]
async fn what_aws_asked_for_is_kept_also_where_no_turn_is_waited_for() {
    let stage = staged();
    stage.world.on_call(|call| {
        let throttles = call.operation == "RegisterTaskDefinition";
        if throttles {
            Fault::FailBefore(ServiceError::new("ThrottlingException", "Rate exceeded"))
        } else {
            Fault::None
        }
    });
    let report = told_of(&stage.another(), NEWS).await.unwrap();
    assert_eq!((report.outcome, report.reason), ("waiting", Some(Reason::Throttled)), "{report:?}");
    stage.world.leave_calls_alone();
    stage.world.forget_calls();
    let report = told_of(&stage.another(), NEWS).await.unwrap();
    assert_eq!((report.outcome, report.reason), ("waiting", Some(Reason::Throttled)), "{report:?}");
    assert!(!stage.wrote() && stage.row().await.lease.is_none());
    stage.world.clock().advance(Duration::from_secs(11));
    assert_eq!(told_of(&stage.another(), NEWS).await.unwrap().outcome, "registered");
}

/// A turn that an event takes while it writes counts as one that it waits for.
#[tokio::test]
async fn what_an_event_writes_counts_for_the_pace() {
    let stage = staged();
    for version in 2..10 {
        assert_eq!(told_of(&stage.reconciler, NEWS).await.unwrap().outcome, "registered");
        stage.world.register(&web(&version.to_string())).unwrap();
    }
    let report = told_of(&stage.reconciler, Urgency::Sweep).await.unwrap();
    // Eight turns of two seconds each.
    assert_eq!((report.reason, report.again_in_seconds), (Some(Reason::Paced), Some(16)), "{report:?}");
}

/// Fetching takes minutes.
#[tokio::test]
async fn the_lease_is_not_held_while_the_image_is_fetched() {
    let scene = registry::Scene::new(&[]).await;
    let (heard, leased) = mpsc::channel();
    at_first(&scene.stage.world, "CreatePullThroughCacheRule", move |_| {
        let heard = heard.clone();
        Fault::before(move |world| {
            let is_leased = |item: &String| item.contains("\"S\":\"family\"") && item.contains("leaseOwner");
            heard.send(world.items("operator").iter().any(is_leased)).unwrap();
        })
    });
    let report = told_of(&scene.stage.reconciler, NEWS).await.unwrap();
    assert_eq!((report.outcome, leased.try_recv()), ("registered", Ok(false)), "{report:?}");
    assert!(scene.stage.row().await.lease.is_none());
}
