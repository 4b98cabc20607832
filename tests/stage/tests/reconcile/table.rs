//! The operator's table: who acts on a family, how it stands, what stands for all.

use ecs_sidecar_aws::{Deadline, ReconcileAction, Urgency, settings};
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::report::Report;
use ecs_sidecar_core::state::State;
use ecs_sidecar_stage::stage::{LOOK, REGION, Stage, TRACES, at_first, die, lines, revision_arn, web};
use ecs_sidecar_tests::{Fault, ServiceError};
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// What a look reads of the table: the family's row, what stands for all, and the breaker.
const TABLE: [&str; 3] = ["GetItem operator", "GetItem operator", "Query operator"];

fn staged() -> Stage {
    let stage = Stage::with_table(&[]);
    stage.world.register(&web("1")).unwrap();
    stage
}

async fn sweep(stage: &Stage) -> Report {
    let family = "web".parse().unwrap();
    let (action, urgency) = (ReconcileAction::Reconcile, Urgency::Sweep);
    stage.reconciler.reconcile(&family, action, urgency, Deadline::none()).await.unwrap()
}

#[tokio::test]
async fn a_row_tells_how_a_family_stands_and_an_up_to_date_one_costs_reads_only() {
    let stage = staged();
    stage.reconcile().await;
    let acts = [
        // The record of the image.
        "GetItem operator",
        // A turn, the lease, and once more whether all is as it was.
        "UpdateItem operator",
        "PutItem operator",
        "DescribeTaskDefinition web",
        "GetItem operator",
        "GetItem operator",
        "AttachRolePolicy web",
        "AttachRolePolicy execution",
        "RegisterTaskDefinition web",
        "PutItem operator",
    ];
    assert_eq!(stage.take_calls(), lines(&[&LOOK[..], &TABLE].concat(), &acts));
    let row = stage.row().await;
    assert_eq!((row.state, row.told.newest), (Some(State::Covered), Some(2)));
    assert_eq!(row.told.source.as_deref(), Some(revision_arn(1).as_str()));
    assert_eq!(row.told.patched.as_deref(), Some(revision_arn(2).as_str()));
    assert!(row.lease.is_none() && row.grants.len() == 2 && row.grants == row.told.uses, "{row:?}");
    assert!(row.grants.iter().any(|pair| pair.ends_with(&format!(":role/app/web {TRACES}"))), "{row:?}");

    // The first look after it fills in what memory did not know; from then on nothing is written.
    stage.reconcile().await;
    stage.take_calls();
    assert_eq!(stage.reconcile().await.outcome, "nothing");
    assert_eq!(stage.take_calls(), lines(&TABLE, &["DescribeTaskDefinition web", "ListTaskDefinitions web"]));
}

#[tokio::test]
async fn of_ten_workers_on_one_family_one_registers() {
    for round in 0..10 {
        let stage = staged();
        let workers: Vec<_> = (0..10).map(|_| stage.another()).collect();
        let threads = workers.into_iter().map(|worker| {
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                let (family, action) = ("web".parse().unwrap(), ReconcileAction::Reconcile);
                runtime.block_on(worker.reconcile(&family, action, Urgency::Event, Deadline::none())).unwrap()
            })
        });
        let reports: Vec<Report> = threads.collect::<Vec<_>>().into_iter().map(|one| one.join().unwrap()).collect();
        let registered = reports.iter().filter(|report| report.outcome == "registered").count();
        let others = ["waiting", "nothing"];
        assert!(reports.iter().all(|report| report.outcome == "registered" || others.contains(&report.outcome)));
        assert_eq!((registered, stage.world.revisions("web").len()), (1, 2), "round {round}: {reports:?}");
    }
}

#[tokio::test]
async fn a_dead_workers_lease_keeps_others_waiting_until_it_ends() {
    let stage = staged();
    at_first(&stage.world, "RegisterTaskDefinition", |_| Fault::before(die));
    let died = AssertUnwindSafe(stage.try_reconcile()).catch_unwind().await;
    assert!(died.is_err());
    stage.world.leave_calls_alone();
    // What it was about to attach is known.
    assert_eq!(stage.row().await.grants.len(), 2);
    let report = stage.reconcile_afresh().await;
    assert_eq!((report.outcome, report.reason), ("waiting", Some(Reason::BeingReconciled)));
    assert_eq!((report.again_in_seconds, stage.active()), (Some(5), vec![1]));
    stage.world.clock().advance(Duration::from_secs(241));
    assert_eq!(stage.reconcile_afresh().await.outcome, "registered");
    assert_eq!(stage.row().await.state, Some(State::Covered));
}

/// Somebody acts, from the look to the end, after this worker has looked and before it has the lease.
#[tokio::test]
async fn what_was_seen_before_somebody_else_acted_is_looked_at_again() {
    let stage = staged();
    let deployment = stage.deployment();
    at_first(&stage.world, "UpdateItem", move |_| {
        let deployment = deployment.clone();
        Fault::before(move |world| deployment.reconcile_elsewhere(world))
    });
    let report = stage.reconcile().await;
    assert_eq!((report.outcome, stage.active()), ("nothing", vec![1, 2]), "{report:?}");
}

#[tokio::test]
async fn a_paused_operator_writes_nothing_and_says_so() {
    let stage = staged();
    stage.table().set_switch("me", |switch| switch.paused = true).await.unwrap();
    let report = stage.reconcile().await;
    assert_eq!((report.outcome, report.reason, report.again_in_seconds), ("held", Some(Reason::Paused), None));
    assert_eq!((stage.wrote(), stage.row().await.state), (false, Some(State::Pending)));
    stage.table().set_switch("me", |switch| switch.paused = false).await.unwrap();
    assert_eq!(stage.reconcile().await.outcome, "registered");
}

/// The switch is thrown after the look.
#[tokio::test]
async fn a_pause_stops_what_is_about_to_be_written() {
    let stage = staged();
    let table = stage.table();
    at_first(&stage.world, "UpdateItem", move |_| {
        let table = table.clone();
        Fault::before(move |_| {
            let pause = async move { table.set_switch("me", |switch| switch.paused = true).await.unwrap() };
            let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
            std::thread::spawn(move || runtime().block_on(pause)).join().unwrap();
        })
    });
    let report = stage.reconcile().await;
    assert_eq!((report.outcome, report.reason, stage.wrote()), ("held", Some(Reason::Paused), false));
    assert!(stage.row().await.lease.is_none());
}

#[tokio::test]
async fn a_throttled_call_makes_everybody_wait_and_is_no_failure() {
    let stage = staged();
    stage.world.on_call(|call| {
        if call.operation == "RegisterTaskDefinition" {
            Fault::FailBefore(ServiceError::new("ThrottlingException", "Rate exceeded"))
        } else {
            Fault::None
        }
    });
    let report = stage.reconcile().await;
    assert_eq!((report.outcome, report.reason), ("waiting", Some(Reason::Throttled)), "{report:?}");
    stage.world.leave_calls_alone();
    stage.world.register(&web("1").replace("\"family\":\"web\"", "\"family\":\"other\"")).unwrap();
    let (other, family) = (stage.another(), "other".parse().unwrap());
    let look = async || other.reconcile(&family, ReconcileAction::Reconcile, Urgency::Event, Deadline::none()).await;
    let report = look().await.unwrap();
    assert_eq!((report.outcome, report.reason), ("waiting", Some(Reason::Throttled)), "{report:?}");
    stage.world.clock().advance(Duration::from_secs(11));
    assert_eq!(look().await.unwrap().outcome, "registered");
    let row = stage.row().await;
    assert_eq!((row.state, row.lease), (Some(State::Pending), None));
}

#[tokio::test]
async fn a_sweep_waits_where_events_have_used_the_share() {
    let stage = staged();
    for n in 0..8 {
        let family = format!("web-{n}");
        stage.world.register(&web("1").replace("\"family\":\"web\"", &format!("\"family\":\"{family}\""))).unwrap();
        let (family, another) = (family.parse().unwrap(), stage.another());
        let action = ReconcileAction::Reconcile;
        let report = another.reconcile(&family, action, Urgency::Event, Deadline::none()).await.unwrap();
        assert_eq!(report.outcome, "registered");
    }
    // Eight turns of two seconds each.
    let report = sweep(&stage).await;
    assert_eq!((report.outcome, report.reason), ("waiting", Some(Reason::Paced)), "{report:?}");
    let seconds = report.again_in_seconds.unwrap();
    assert_eq!(seconds, 16, "its turn is reserved, behind those of the events");
    stage.world.clock().advance(Duration::from_secs(u64::from(seconds)));
    assert_eq!(sweep(&stage).await.outcome, "registered");
}

#[tokio::test]
async fn a_failure_tells_of_the_revision_that_was_seen() {
    let stage = staged();
    stage.world.on_call(|call| {
        let fails = call.operation == "AttachRolePolicy";
        if fails {
            Fault::FailBefore(ServiceError::new("ServiceFailure", "later").with_status(500))
        } else {
            Fault::None
        }
    });
    stage.try_reconcile().await.unwrap_err();
    let row = stage.row().await;
    assert_eq!((row.state, row.lease), (Some(State::Failing), None));
    assert_eq!((row.told.newest, row.told.source.as_deref()), (Some(1), Some(revision_arn(1).as_str())));
}

#[tokio::test]
async fn a_failure_is_in_the_row_with_the_next_try() {
    let stage = staged();
    stage.world.deny("DescribeTaskDefinition", None);
    stage.try_reconcile().await.unwrap_err();
    stage.world.allow_all();
    let row = stage.row().await;
    assert_eq!((row.state, row.told.reason.as_deref()), (Some(State::Failing), Some("denied")), "{row:?}");
    assert_eq!(row.next_try, row.since.map(|since| since + 3600));
    stage.reconcile().await;
    let row = stage.row().await;
    assert_eq!((row.state, row.next_try), (Some(State::Covered), None));
}

#[tokio::test]
async fn policies_of_the_table_come_before_the_stacks_own() {
    let stage = Stage::with_table(&[(settings::POLICY, "none")]);
    stage.world.register(&web("1")).unwrap();
    assert_eq!(stage.reconcile().await.reason, Some(Reason::NotRequested));
    let preset = include_str!("../../../../crates/core/presets/xray-daemon.yaml");
    let named = preset.replacen("name: xray-daemon", "name: traces", 1);
    assert!(stage.table().apply("traces", &named, None, "me").await.unwrap());
    let report = stage.reconcile().await;
    assert_eq!((report.outcome, report.policy.as_deref()), ("registered", Some("traces")), "{report:?}");
    // Deleted, it takes back what it injected, and what is registered is what was there before.
    let stored = stage.table().policy("traces").await.unwrap().unwrap();
    assert!(stage.table().mark_deleted(&stored, "me").await.unwrap());
    let report = stage.reconcile().await;
    assert_eq!((report.outcome, report.reason), ("registered", Some(Reason::PolicyDeleted)), "{report:?}");
    let row = stage.row().await;
    assert_eq!((row.state, row.told.injected), (Some(State::Skipped), None));
    // The clean revision is ours; what its owner registered is still the first one.
    stage.reconcile().await;
    let row = stage.row().await;
    assert_eq!((row.told.newest, row.told.source.as_deref()), (Some(3), Some(revision_arn(1).as_str())));
    assert!(!stage.table().apply("traces", &named, None, "me").await.unwrap(), "it is there already");
    assert_eq!(stage.world.region(), REGION);
}

/// Ours was deregistered by ourselves, since it shadowed something: that is nobody's withdrawal.
#[tokio::test]
async fn our_own_deregistration_is_no_withdrawal() {
    let stage = staged();
    at_first(&stage.world, "RegisterTaskDefinition", |_| {
        Fault::before(|world| {
            world.register(&web("2")).unwrap();
        })
    });
    stage.reconcile().await;
    // The owner takes revision 2 back, and with it what was made of it.
    let newest = stage.active();
    assert_eq!(newest, [1, 2, 4]);
    stage.world.deregister(&revision_arn(2)).unwrap();
    let report = stage.reconcile().await;
    assert_eq!((report.outcome, report.deregistered.len()), ("registered", 1), "what was made of 2 goes: {report:?}");
    assert_eq!(stage.active(), [1, 5]);
    stage.assert_newest_patches(1);
}
