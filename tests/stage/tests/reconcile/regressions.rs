//! What once went wrong with table, lease, pace and sweep, and must not again.

use ecs_sidecar_aws::queue::look_at;
use ecs_sidecar_aws::rows::Row;
use ecs_sidecar_aws::sweep::Sweeper;
use ecs_sidecar_aws::{Deadline, Urgency, settings};
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::state::State;
use ecs_sidecar_host::Invocation;
use ecs_sidecar_reconcile::Handler;
use ecs_sidecar_stage::machine::{Machine, family, name};
use ecs_sidecar_stage::scenes::opted_out;
use ecs_sidecar_stage::stage::{Stage, TRACES, at_first, die, parsed, revision_arn, web};
use ecs_sidecar_tests::{Fault, ServiceError};
use futures_util::FutureExt as _;
use serde_json::json;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn staged() -> Stage {
    let stage = Stage::with_table(&[]);
    stage.world.register(&web("1")).unwrap();
    stage
}

fn throttled() -> Fault {
    Fault::FailBefore(ServiceError::new("ThrottlingException", "Rate exceeded"))
}

fn count(machine: &Machine, operation: &str) -> usize {
    machine.stage.world.call_lines().iter().filter(|line| line.starts_with(operation)).count()
}

fn sweeper(machine: &Machine) -> Sweeper {
    let settings = machine.stage.another_settings();
    Sweeper::new(&machine.stage.session_config(), settings).unwrap()
}

/// A day on which nobody does anything, with a sweep each hour.
#[tokio::test]
async fn a_quiet_day_costs_a_look_or_two_at_each_family() {
    const FAMILIES: usize = 20;
    let mut machine = Machine::new(&[]);
    for n in 0..FAMILIES {
        // Most families of an account ask for nothing.
        machine.stage.world.register(&family(&name(n), "1").replace("\"true\"", "\"false\"")).unwrap();
    }
    machine.wake();
    machine.run_for(HOUR).await;
    machine.stage.world.forget_calls();
    for _ in 0..24 {
        machine.wake();
        machine.run_for(HOUR).await;
    }
    let (looks, pages) = (count(&machine, "DescribeTaskDefinition web-"), count(&machine, "ListTaskDefinitions "));
    let sweeps = pages - count(&machine, "ListTaskDefinitions web-");
    assert!(looks <= 2 * FAMILIES && sweeps <= 2 * (24 + FAMILIES), "{looks} looks, {sweeps} sweeps");
}

/// One family that cannot be registered, for half a day.
#[tokio::test]
async fn one_family_that_waits_does_not_make_more_and_more_sweeps() {
    let mut machine = Machine::new(&[(settings::SWEEP_SHARE, "10000")]);
    machine.register_families(3);
    machine.stage.world.on_call(|call| {
        if call.operation == "RegisterTaskDefinition" && call.target == name(0) { throttled() } else { Fault::None }
    });
    let mut sweeps = Vec::new();
    for _ in 0..12 {
        machine.wake();
        machine.stage.world.forget_calls();
        machine.run_for(HOUR).await;
        let pages = count(&machine, "ListTaskDefinitions ") - count(&machine, "ListTaskDefinitions web-");
        sweeps.push((pages, count(&machine, "RegisterTaskDefinition"), machine.on_their_way("sweeps")));
    }
    assert!(sweeps[11].0 <= 2 * sweeps[1].0, "sweeps, registrations tried, and messages left, by hour: {sweeps:?}");
}

/// Ours was deregistered by ourselves, since it shadowed something; then AWS wanted to be left alone.
#[tokio::test]
async fn our_own_deregistration_is_no_withdrawal_also_where_the_next_round_waits() {
    let stage = staged();
    let counter = AtomicUsize::new(0);
    stage.world.on_call(move |call| {
        if call.operation != "RegisterTaskDefinition" {
            return Fault::None;
        }
        match counter.fetch_add(1, Ordering::Relaxed) {
            0 => Fault::before(|world| {
                world.register(&web("2")).unwrap();
            }),
            _ => throttled(),
        }
    });
    let report = stage.reconcile().await;
    assert_eq!((report.outcome, stage.active()), ("waiting", vec![1, 2]), "{report:?}");
    stage.world.leave_calls_alone();
    // The owner takes revision 2 back before the message comes again.
    stage.world.deregister(&revision_arn(2)).unwrap();
    stage.world.clock().advance(Duration::from_secs(15));
    let report = stage.reconcile().await;
    assert_eq!((report.outcome, report.reason), ("registered", None), "{report:?}");
}

/// Somebody registers a revision with another role between look and registration.
#[tokio::test]
async fn what_a_second_round_attaches_is_in_the_table() {
    let stage = staged();
    stage.world.add_role("app/other");
    at_first(&stage.world, "RegisterTaskDefinition", |_| {
        Fault::before(|world| {
            world.register(&web("2").replace("role/app/web", "role/app/other")).unwrap();
        })
    });
    assert_eq!(stage.reconcile().await.outcome, "registered");
    assert_eq!(stage.world.attached("other"), [TRACES]);
    let row = stage.row().await;
    let of = |role: &str| row.grants.iter().any(|pair| pair.ends_with(&format!("role/{role} {TRACES}")));
    assert!(of("app/other"), "attached by the operator, and nobody knows: {:?}", row.grants);
}

/// IAM refuses; a person attaches the policy instead. So it is his, and not to be pruned.
#[tokio::test]
async fn what_iam_refused_does_not_count_as_attached_by_the_operator() {
    let stage = staged();
    stage.world.deny("AttachRolePolicy", None);
    let report = stage.reconcile().await;
    assert_eq!((report.outcome, report.state), ("refused", State::Failing), "{report:?}");
    stage.world.attach("web", TRACES);
    stage.world.attach("execution", &stage.execution_policy);
    stage.world.allow_all();
    stage.world.forget_calls();
    assert_eq!(stage.reconcile_afresh().await.outcome, "registered");
    assert!(!stage.world.call_lines().iter().any(|line| line.starts_with("AttachRolePolicy")));
    assert_eq!(stage.row().await.grants, [].into(), "a prune would detach what a person attached");
}

/// Nothing was attached, since somebody paused between look and act.
#[tokio::test]
async fn what_a_pause_prevented_does_not_count_as_attached() {
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
    assert_eq!(stage.reconcile().await.outcome, "held");
    assert_eq!(stage.row().await.grants, [].into());
}

/// Somebody asks for a sweep at the moment at which the running one goes on.
#[tokio::test]
async fn a_sweep_that_goes_on_is_not_stopped_by_somebody_who_joins_it() {
    let machine = Machine::new(&[]);
    machine.register_families(500);
    let (ours, other) = (sweeper(&machine), sweeper(&machine));
    assert_eq!(ours.begin("run-1", None, Deadline::none()).await.unwrap().outcome, "running");
    machine.stage.world.clock().advance(Duration::from_secs(601));
    machine.stage.world.take_messages("sweeps");
    let other = std::sync::Arc::new(other);
    at_first(&machine.stage.world, "PutItem", move |_| {
        let other = other.clone();
        Fault::before(move |_| {
            let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let join = async move { other.begin("run-2", None, Deadline::none()).await.unwrap().outcome };
            assert_eq!(std::thread::spawn(move || runtime().block_on(join)).join().unwrap(), "joined");
        })
    });
    let report = ours.go_on("run-1", Deadline::none()).await.unwrap();
    let messages = machine.stage.world.messages("sweeps").len();
    assert!(report.outcome != "joined" && messages == 1, "{}: {messages} messages are left", report.outcome);
}

/// The table does not answer once.
#[tokio::test]
async fn a_sweep_whose_table_did_not_answer_goes_on_soon() {
    let machine = Machine::new(&[(settings::SWEEP_SHARE, "10000")]);
    machine.register_families(3);
    let sweeper = sweeper(&machine);
    machine.stage.world.on_call(|call| if call.operation == "Query" { throttled() } else { Fault::None });
    let failed = sweeper.begin("run-1", None, Deadline::none()).await;
    machine.stage.world.leave_calls_alone();
    let messages = machine.stage.world.messages("sweeps").len();
    machine.stage.world.clock().advance(Duration::from_secs(600));
    let next = sweeper.begin("run-2", None, Deadline::none()).await.unwrap().outcome;
    assert!(messages == 1 || next == "finished", "{failed:?}; {messages} messages; ten minutes later: {next}");
}

/// A deployment of everything at once, while a sweep has as many families to patch.
#[tokio::test]
async fn sweeps_that_give_way_to_events_do_not_read_without_end() {
    const FAMILIES: usize = 100;
    let mut machine = Machine::new(&[]);
    machine.register_families(FAMILIES);
    machine.wake();
    machine.run_for(Duration::from_secs(1)).await;
    for n in 0..FAMILIES {
        let other = format!("shop-{n:03}");
        machine.stage.world.register(&family(&other, "1")).unwrap();
        machine.event(&other);
    }
    machine.stage.world.forget_calls();
    let mut minutes = Vec::new();
    let mut before = 0;
    for _ in 0..8 {
        machine.run_for(Duration::from_secs(60)).await;
        let reads = count(&machine, "DescribeTask") + count(&machine, "ListTask");
        minutes.push(reads - before);
        before = reads;
    }
    // Half of 20 reads a second is the operator's.
    let most = minutes.iter().skip(1).max().unwrap();
    assert!(*most <= 600, "ECS reads by minute: {minutes:?}");
}

/// A table's policy that this program cannot read, and an uninstallation.
#[tokio::test]
async fn uninstalling_takes_back_what_an_unreadable_policy_injected() {
    let mut machine = Machine::new(&[(settings::SWEEP_SHARE, "10000")]);
    machine.register_families(2);
    let before = machine.newest(2);
    machine.wake();
    machine.run(HOUR).await;
    let table = machine.stage.table();
    assert!(table.apply("xray-daemon", "apiVersion: ecs-sidecar/v2\n", None, "me").await.unwrap());
    machine.wake();
    machine.run(HOUR).await;
    table.set_switch("me", |switch| switch.uninstalling = true).await.unwrap();
    machine.wake();
    machine.run(HOUR).await;
    let reasons: Vec<_> = machine.rows().await.into_iter().map(|row| row.told.reason).collect();
    assert_eq!(machine.newest(2), before, "{reasons:?}");
}

/// A family with the sidecar that nobody could read until now does not count as clean.
#[tokio::test]
async fn a_deleted_policy_stays_while_a_family_could_not_be_looked_at() {
    let mut machine = Machine::new(&[(settings::POLICY, "none"), (settings::SWEEP_SHARE, "10000")]);
    machine.register_families(1);
    let preset = include_str!("../../../../crates/core/presets/xray-daemon.yaml");
    let traces = preset.replacen("name: xray-daemon", "name: traces", 1);
    let table = machine.stage.table();
    assert!(table.apply("traces", &traces, None, "me").await.unwrap());
    machine.wake();
    machine.run(HOUR).await;
    let patched = machine.stage.world.newest_active(&name(0)).unwrap();
    let copy = parsed(&patched).text().replace("\"family\":\"web-0000\"", "\"family\":\"copy\"");
    machine.stage.world.register(&copy).unwrap();
    machine.stage.world.deny("DescribeTaskDefinition", Some("copy"));
    machine.wake();
    machine.run_for(2 * HOUR).await;
    let stored = table.policy("traces").await.unwrap().unwrap();
    assert!(table.mark_deleted(&stored, "me").await.unwrap());
    for _ in 0..3 {
        machine.wake();
        machine.run_for(HOUR).await;
    }
    machine.stage.world.allow_all();
    for _ in 0..30 {
        machine.wake();
        machine.run_for(HOUR).await;
    }
    let newest = machine.stage.world.newest_active("copy").unwrap();
    let rows: Vec<Row> = machine.rows().await.into_iter().filter(|row| row.family == "copy").collect();
    assert!(!newest.text.contains("xray"), "{:?} {:?}", rows[0].told.reason, rows[0].told.injected);
}

/// A message that was brought again for the last time, and a new event, in one batch.
#[tokio::test]
async fn a_new_event_is_not_lost_with_an_old_message() {
    let queue = format!("https://sqs.{}.amazonaws.com/111122223333/families", ecs_sidecar_stage::stage::REGION);
    let stage = Stage::with_table(&[(settings::QUEUE_URL, &queue)]);
    assert_eq!(stage.world.add_queue("families"), queue);
    stage.world.register(&web("1")).unwrap();
    stage.world.on_call(|call| if call.operation == "RegisterTaskDefinition" { throttled() } else { Fault::None });
    let handler = Handler::new(stage.another());
    let old = look_at(&"web".parse().unwrap(), 60, Urgency::Event);
    let new = json!({ "name": "RegisterTaskDefinition", "family": "web" }).to_string();
    let batch = json!({ "Records": [{ "messageId": "1", "body": old }, { "messageId": "2", "body": new }] });
    let answer = handler.handle(&batch, Invocation { request_id: "r", until: None }).await.unwrap();
    let left = stage.world.messages("families").len();
    assert_eq!((answer, left), (json!({ "batchItemFailures": [] }), 1));
}

#[tokio::test]
async fn a_throttled_look_does_not_uncover_a_covered_family() {
    let stage = staged();
    stage.reconcile().await;
    let before = stage.row().await;
    assert_eq!(before.state, Some(State::Covered));
    stage.world.clock().advance(HOUR);
    stage.world.on_call(|call| if call.operation == "DescribeTaskDefinition" { throttled() } else { Fault::None });
    stage.reconcile_afresh().await;
    stage.world.leave_calls_alone();
    let during = stage.row().await;
    stage.reconcile_afresh().await;
    let after = stage.row().await;
    assert_eq!((during.state, after.state, after.since), (Some(State::Covered), Some(State::Covered), before.since));
}

/// Somebody applies a policy five times within a minute.
#[tokio::test]
async fn sweeps_in_short_order_do_not_queue_all_families_again_and_again() {
    const FAMILIES: usize = 100;
    let mut machine = Machine::new(&[]);
    machine.register_families(FAMILIES);
    for _ in 0..5 {
        machine.wake();
        machine.run_for(Duration::from_secs(10)).await;
    }
    let left = machine.on_their_way("families");
    assert!(left <= FAMILIES, "{left} messages for {FAMILIES} families");
}

/// CloudFormation rolls back.
#[tokio::test]
async fn a_family_is_looked_at_again_after_its_newest_revision_went() {
    let stage = staged();
    stage.reconcile().await;
    stage.world.register(&web("2")).unwrap();
    stage.reconcile().await;
    assert_eq!(stage.active(), [1, 2, 3, 4]);
    stage.world.deregister(&revision_arn(3)).unwrap();
    let report = stage.reconcile().await;
    assert_eq!((stage.active(), report.again_in_seconds), (vec![1, 2], None));
    let row = stage.row().await;
    assert_eq!((row.state, row.told.newest), (Some(State::Covered), Some(2)), "{:?}", row.told.reason);
}

/// The same, with a previous revision that has no sidecar yet: it was registered while the operator was paused.
#[tokio::test]
async fn a_rollback_to_a_revision_without_a_sidecar_gives_it_one() {
    let stage = staged();
    stage.world.register(&web("2")).unwrap();
    stage.reconcile().await;
    assert_eq!(stage.active(), [1, 2, 3]);
    stage.world.deregister(&revision_arn(2)).unwrap();
    let report = stage.reconcile().await;
    assert_eq!((report.outcome, report.again_in_seconds), ("registered", None), "{:?}", stage.active());
}

/// The owner deregisters our patch, and later registers and takes back some revisions more.
#[tokio::test]
async fn a_withdrawal_is_remembered() {
    let stage = staged();
    stage.reconcile().await;
    stage.world.deregister(&revision_arn(2)).unwrap();
    assert_eq!(stage.reconcile().await.reason, Some(Reason::Withdrawn));
    for n in 0..6 {
        let arn = stage.world.register(&web(&format!("try-{n}")).replace("\"true\"", "\"false\"")).unwrap();
        let number = stage.world.newest_active("web").unwrap().number;
        stage.reconcile().await;
        stage.world.deregister(&revision_arn(number)).unwrap();
        drop(arn);
    }
    let report = stage.reconcile().await;
    assert_eq!((report.reason, stage.active()), (Some(Reason::Withdrawn), vec![1]), "{report:?}");
}

#[tokio::test]
async fn a_row_of_a_newer_version_stays_one() {
    let stage = staged();
    let item = r#"{"kind":{"S":"family"},"id":{"S":"web"},"v":{"N":"2"},"version":{"N":"4"},"new":{"S":"x"}}"#;
    stage.world.put_item("operator", item).unwrap();
    stage.reconcile().await;
    let item = stage.world.item("operator", "family", "web").unwrap();
    assert!(item.contains("\"v\":{\"N\":\"2\"}"), "{item}");
}

#[tokio::test]
async fn garbage_in_a_row_keeps_no_family_waiting_for_ever() {
    for garbage in
        [r#""version":{"S":"x"}"#, r#""version":{"N":"1"},"leaseOwner":{"S":"x"},"leaseUntil":{"N":"99999999999"}"#]
    {
        let stage = staged();
        let item = format!(r#"{{"kind":{{"S":"family"}},"id":{{"S":"web"}},"v":{{"N":"1"}},{garbage}}}"#);
        stage.world.put_item("operator", &item).unwrap();
        stage.reconcile().await;
        stage.world.clock().advance(HOUR);
        let report = stage.reconcile().await;
        assert!(matches!(report.outcome, "registered" | "nothing"), "{garbage}: {:?}", report.reason);
    }
}

/// What failed changed nothing.
#[tokio::test]
async fn a_refused_registration_is_no_change() {
    let stage = staged();
    stage.world.attach("web", TRACES);
    stage.world.attach("execution", &stage.execution_policy);
    stage.world.deny("RegisterTaskDefinition", None);
    let report = stage.reconcile().await;
    assert_eq!((report.outcome, stage.row().await.changed_at), ("refused", None), "{report:?}");
}

/// One worker died with the lease; messages of the family come every five seconds until it ends.
#[tokio::test]
async fn whoever_waits_for_a_lease_takes_nothing_of_the_share() {
    let stage = staged();
    let now = stage.world.clock().now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let item = format!(
        r#"{{"kind":{{"S":"family"}},"id":{{"S":"web"}},"v":{{"N":"1"}},"version":{{"N":"1"}},"leaseOwner":{{"S":"x"}},"leaseUntil":{{"N":"{}"}}}}"#,
        now + 240
    );
    stage.world.put_item("operator", &item).unwrap();
    for _ in 0..20 {
        assert_eq!(stage.reconcile().await.reason, Some(Reason::BeingReconciled));
    }
    assert_eq!(stage.items_of("pace"), Vec::<String>::new());
}

/// Whatever is in the place of a policy, families of other policies go on.
#[tokio::test]
async fn a_poisoned_policy_of_the_table_is_no_other_familys_business() {
    let laughs: String = (1..30).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}, *a{0}]\n", n - 1)).collect();
    for text in [
        "kind: [".to_owned(),
        "# comment\n".repeat(30_000),
        "[".repeat(100_000),
        format!("a0: &a0 [x]\n{laughs}"),
        include_str!("../../../../crates/core/presets/xray-daemon.yaml").to_owned(),
    ] {
        let stage = staged();
        assert!(stage.table().apply("poison", &text, None, "me").await.unwrap());
        assert_eq!(stage.reconcile().await.outcome, "registered");
        assert!(stage.table().policy("poison").await.unwrap().unwrap().problem.is_some());
    }
}

/// A worker dies right after it took a sidecar back. Its revision is ours, and the row does not call it the owner's.
#[tokio::test]
async fn a_removal_that_nobody_noted_is_no_owners_revision() {
    let stage = staged();
    stage.reconcile().await;
    stage.world.register(&opted_out(&stage.world.newest_active("web").unwrap())).unwrap();
    at_first(&stage.world, "RegisterTaskDefinition", |_| Fault::then(die));
    assert!(AssertUnwindSafe(stage.try_reconcile()).catch_unwind().await.is_err());
    stage.world.leave_calls_alone();
    stage.world.clock().advance(Duration::from_secs(241));
    stage.reconcile_afresh().await;
    let row = stage.row().await;
    assert_eq!((row.told.newest, row.told.source.as_deref()), (Some(4), Some(revision_arn(3).as_str())));
}
