//! The sweep, from a wake-up to the last family: what it costs, what it survives, and at which pace it goes.

use ecs_sidecar_aws::settings;
use ecs_sidecar_core::state::State;
use ecs_sidecar_stage::machine::{Machine, family, name};
use ecs_sidecar_stage::stage::{at_call, die, revision_of};
use ecs_sidecar_tests::{Fault, Service, ServiceError, World};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn preset(changes: &[(&str, &str)]) -> String {
    let preset = include_str!("../../../../crates/core/presets/xray-daemon.yaml").to_owned();
    changes.iter().fold(preset, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

/// Calls of ECS by name.
fn count(machine: &Machine, operation: &str) -> usize {
    machine.stage.world.call_lines().iter().filter(|line| line.starts_with(operation)).count()
}

#[tokio::test]
async fn a_first_sweep_converges_all_and_a_second_costs_what_has_changed() {
    const FAMILIES: usize = 250;
    let mut machine = Machine::new(&[(settings::SWEEP_SHARE, "10000")]);
    machine.register_families(FAMILIES);
    machine.wake();
    machine.run(HOUR).await;
    machine.assert_each_patched_once(FAMILIES, "first sweep");
    let rows = machine.rows().await;
    assert!(rows.iter().all(|row| row.state == Some(State::Covered)) && rows.len() == FAMILIES);

    machine.stage.world.forget_calls();
    machine.wake();
    machine.run(HOUR).await;
    let writes = count(&machine, "RegisterTask") + count(&machine, "DeregisterTask");
    let listing = count(&machine, "ListTaskDefinitions ");
    let reads = count(&machine, "DescribeTask") + count(&machine, "ListTaskDefinitions");
    assert_eq!((writes, listing, reads), (0, 5, 5), "500 revisions are five pages");
    assert_eq!(count(&machine, "PutItem"), 2, "the sweep's own state: begun and ended");

    // What one registration changes costs one look.
    machine.stage.world.register(&family(&name(7), "2")).unwrap();
    machine.stage.world.forget_calls();
    machine.wake();
    machine.run(HOUR).await;
    assert_eq!(count(&machine, "RegisterTask"), 1);
    let newest = machine.stage.world.newest_active(&name(7)).unwrap();
    assert_eq!(newest.number, 4);
}

/// Workers and sweeps that die at any moment change neither what comes of it nor how often.
#[tokio::test]
async fn dying_workers_and_sweeps_change_nothing() {
    const FAMILIES: usize = 12;
    let calls = {
        let mut machine = Machine::new(&[]);
        machine.register_families(FAMILIES);
        machine.stage.world.forget_calls();
        machine.wake();
        machine.run(HOUR).await;
        machine.stage.world.calls().len()
    };
    assert!(calls > 150, "{calls}");
    for index in (0..calls).step_by(5) {
        let mut machine = Machine::new(&[]);
        machine.register_families(FAMILIES);
        machine.wake();
        let reached =
            at_call(
                &machine.stage.world,
                index,
                move |_| {
                    if index % 2 == 0 { Fault::before(die) } else { Fault::then(die) }
                },
            );
        machine.run(4 * HOUR).await;
        assert!(reached.get(), "call {index} of {calls}");
        machine.stage.world.leave_calls_alone();
        machine.wake();
        machine.run(4 * HOUR).await;
        machine.assert_each_patched_once(FAMILIES, &format!("died at call {index} of {calls}"));
        assert!(machine.dead.is_empty());
        machine.stage.world.forget_calls();
        machine.wake();
        machine.run(HOUR).await;
        assert_eq!(count(&machine, "RegisterTask"), 0);
    }
}

#[tokio::test]
async fn a_changed_policy_reaches_all_and_a_deleted_one_leaves_none() {
    const FAMILIES: usize = 200;
    let at_once = ("updates: onNextRegistration", "updates: now");
    let first = preset(&[at_once, ("name: xray-daemon", "name: traces")]);
    let second =
        preset(&[at_once, ("name: xray-daemon", "name: traces"), ("memoryReservation: 256", "memoryReservation: 128")]);
    let variables = [(settings::POLICY, "none"), (settings::SWEEP_SHARE, "10000")];
    let mut machine = Machine::new(&variables);
    machine.register_families(FAMILIES);
    let before = machine.newest(FAMILIES);
    let table = machine.stage.table();
    assert!(table.apply("traces", &first, None, "me").await.unwrap());
    machine.wake();
    machine.run(HOUR).await;
    let stored = table.policy("traces").await.unwrap();
    assert!(table.apply("traces", &second, stored.as_ref(), "me").await.unwrap());
    machine.wake();
    machine.run(HOUR).await;

    // What a fresh injection of the second policy gives.
    let mut fresh = Machine::new(&variables);
    fresh.register_families(FAMILIES);
    assert!(fresh.stage.table().apply("traces", &second, None, "me").await.unwrap());
    fresh.wake();
    fresh.run(HOUR).await;
    assert_eq!(machine.newest(FAMILIES), fresh.newest(FAMILIES));

    let stored = table.policy("traces").await.unwrap().unwrap();
    assert!(table.mark_deleted(&stored, "me").await.unwrap());
    machine.wake();
    machine.run(HOUR).await;
    assert_eq!(machine.newest(FAMILIES), before);
    assert!(table.policy("traces").await.unwrap().is_none(), "it is gone once all are clean");
    assert!(machine.rows().await.iter().all(|row| row.told.injected.is_none()));
}

#[tokio::test]
async fn a_family_that_cannot_be_cleaned_keeps_its_deleted_policy_and_says_why() {
    let mut machine = Machine::new(&[(settings::POLICY, "none"), (settings::SWEEP_SHARE, "10000")]);
    machine.register_families(2);
    let table = machine.stage.table();
    let traces = preset(&[("name: xray-daemon", "name: traces")]);
    assert!(table.apply("traces", &traces, None, "me").await.unwrap());
    machine.wake();
    machine.run(HOUR).await;
    // The owner of one edits the sidecar.
    let newest = machine.stage.world.newest_active(&name(1)).unwrap();
    let edited = newest.text.replace("\"memoryReservation\":256", "\"memoryReservation\":300");
    assert_ne!(edited, newest.text);
    let definition = ecs_sidecar_stage::stage::parsed(&newest);
    let edited = definition.text().replace("\"memoryReservation\":256", "\"memoryReservation\":300");
    machine.stage.world.register(&edited).unwrap();
    let stored = table.policy("traces").await.unwrap().unwrap();
    assert!(table.mark_deleted(&stored, "me").await.unwrap());
    machine.wake();
    machine.run(HOUR).await;
    assert!(table.policy("traces").await.unwrap().is_some());
    let rows = machine.rows().await;
    let blocking: Vec<_> = rows.iter().filter(|row| row.told.injected.is_some()).collect();
    assert_eq!(blocking.len(), 1, "{rows:?}");
    assert_eq!((blocking[0].family.as_str(), blocking[0].told.reason.as_deref()), ("web-0001", Some("userEdited")));
}

/// Half of one registration a second is the operator's; the other half is enough for somebody who takes just that.
#[tokio::test]
async fn a_sweep_keeps_to_its_share_and_throttles_nobody() {
    const FAMILIES: usize = 500;
    let mut machine = Machine::new(&[]);
    machine.register_families(FAMILIES);
    machine.stage.world.meter_calls();
    let (refused, asked) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    for second in (0..1200).step_by(2) {
        let (refused, asked) = (refused.clone(), asked.clone());
        machine.after(second, move |world| {
            let other = family("somebody", "1").replace("\"true\"", "\"false\"");
            let pays = world.pays_for("RegisterTaskDefinition");
            asked.fetch_add(1, Ordering::Relaxed);
            if pays {
                world.register(&other).unwrap();
            } else {
                refused.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let began = machine.now();
    machine.wake();
    machine.run(Duration::from_secs(1500)).await;
    machine.assert_each_patched_once(FAMILIES, "at half of the pace");
    assert_eq!((refused.load(Ordering::Relaxed), asked.load(Ordering::Relaxed)), (0, 600));
    let throttled = machine.stage.world.call_lines().iter().filter(|line| line.contains("Throttl")).count();
    assert_eq!(throttled, 0);
    let rows = machine.rows().await;
    let last = rows.iter().filter_map(|row| row.changed_at).max().unwrap();
    let began = began.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let ideal = 500 * 2;
    assert!(last - began <= ideal * 11 / 10, "{} s instead of {ideal}", last - began);
    assert!(last - began >= ideal - 30, "faster than its share: {} s", last - began);
}

#[tokio::test]
async fn a_sweep_that_is_woken_while_one_runs_is_another_round_of_it() {
    let mut machine = Machine::new(&[]);
    // More than fit into a quarter of an hour at half of the pace.
    machine.register_families(500);
    machine.wake();
    machine.after(300, |_| {});
    let report = machine.ask(json!({ "action": "reconcile" })).await;
    assert_eq!(report["outcome"], "running", "{report}");
    let joined = machine.ask(json!({ "action": "reconcile" })).await;
    assert_eq!(joined["outcome"], "joined", "{joined}");
    machine.run(2 * HOUR).await;
    machine.assert_each_patched_once(500, "two sweeps");
    let state = machine.stage.table().sweep_state().await.unwrap();
    assert!(!state.again && state.finished_at.is_some());
}

#[tokio::test]
async fn a_plan_over_everything_counts_and_names_the_first_of_each() {
    let machine = Machine::new(&[]);
    machine.register_families(3);
    machine.stage.world.register(&family("batch", "1").replace("\"true\"", "\"false\"")).unwrap();
    let totals = machine.ask(json!({ "action": "plan" })).await;
    let expected = json!({ "looked": 4, "counts": [
        { "decision": "inject", "reason": null, "count": 3, "first": "web-0000" },
        { "decision": "skip", "reason": "optedOut", "count": 1, "first": "batch" },
    ] });
    assert_eq!(totals, expected);
    let totals = machine.ask(json!({ "action": "plan", "families": ["web-*"], "from": "web-0001" })).await;
    assert_eq!((&totals["looked"], &totals["counts"][0]["first"]), (&json!(2), &json!("web-0001")));
    assert!(!machine.stage.wrote() && machine.rows().await.is_empty());
}

#[tokio::test]
async fn families_that_a_person_names_are_looked_at_whatever_the_table_says() {
    let mut machine = Machine::new(&[(settings::SWEEP_SHARE, "10000")]);
    machine.register_families(3);
    machine.stage.world.register(&family("batch", "1")).unwrap();
    let answer = machine.ask(json!({ "action": "reconcile", "families": ["web-*", "nothing"] })).await;
    assert_eq!(answer, json!({ "outcome": "queued", "queued": 3, "next": null }));
    machine.after(0, |_| {});
    machine.run(HOUR).await;
    let families: BTreeSet<String> = machine.rows().await.into_iter().map(|row| row.family).collect();
    assert_eq!(families, (0..3).map(name).collect());
}

#[tokio::test]
async fn a_family_that_is_gone_disappears_from_the_table_after_a_week() {
    let mut machine = Machine::new(&[(settings::MODE, "audit")]);
    machine.register_families(2);
    machine.wake();
    machine.run(HOUR).await;
    machine.stage.world.deregister(&revision_of(&name(0), 1)).unwrap();
    for _ in 0..6 {
        machine.stage.world.clock().advance(24 * HOUR);
        machine.wake();
        machine.run(2 * HOUR).await;
    }
    let rows = machine.rows().await;
    assert!(rows.iter().any(|row| row.state == Some(State::Gone)), "{rows:?}");
    machine.stage.world.clock().advance(48 * HOUR);
    machine.wake();
    machine.run(2 * HOUR).await;
    let rows = machine.rows().await;
    assert_eq!(rows.iter().map(|row| row.family.as_str()).collect::<Vec<_>>(), ["web-0001"]);
}

#[tokio::test]
async fn what_a_paused_operator_left_is_done_once_it_goes_on() {
    let mut machine = Machine::new(&[(settings::SWEEP_SHARE, "10000")]);
    machine.register_families(3);
    let table = machine.stage.table();
    table.set_switch("me", |switch| switch.paused = true).await.unwrap();
    machine.wake();
    machine.run(HOUR).await;
    assert!(!machine.stage.wrote());
    table.set_switch("me", |switch| switch.paused = false).await.unwrap();
    machine.wake();
    machine.run(HOUR).await;
    machine.assert_each_patched_once(3, "resumed");
}

#[tokio::test]
async fn uninstalling_takes_everything_back() {
    let mut machine = Machine::new(&[(settings::SWEEP_SHARE, "10000")]);
    machine.register_families(3);
    let before = machine.newest(3);
    machine.wake();
    machine.run(HOUR).await;
    machine.stage.table().set_switch("me", |switch| switch.uninstalling = true).await.unwrap();
    machine.wake();
    machine.run(HOUR).await;
    assert_eq!(machine.newest(3), before);
    // Nothing new gets a sidecar any more.
    machine.stage.world.register(&family("late", "1")).unwrap();
    machine.wake();
    machine.run(HOUR).await;
    assert_eq!(machine.stage.world.revisions("late").len(), 1);
}

/// What writes nothing goes at the pace of reads.
#[tokio::test]
async fn an_audit_looks_at_families_as_fast_as_reads_allow() {
    let mut machine = Machine::new(&[(settings::MODE, "audit")]);
    machine.register_families(100);
    machine.stage.world.meter_calls();
    let began = machine.now();
    machine.wake();
    machine.run(HOUR).await;
    let began = began.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let rows = machine.rows().await;
    let last = rows.iter().filter_map(|row| row.seen_at).max().unwrap();
    assert_eq!(rows.len(), 100);
    assert!((38..=45).contains(&(last - began)), "{} s", last - began);
    assert!(!machine.stage.wrote());
}

#[tokio::test]
async fn what_the_queue_refuses_is_queued_later_and_a_throttled_listing_goes_on() {
    let mut machine = Machine::new(&[(settings::SWEEP_SHARE, "10000")]);
    machine.register_families(25);
    machine.stage.world.fail_entries(Service::Sqs, "InternalError", "web-0013");
    machine.after(30, World::accept_entries);
    machine.wake();
    machine.run(2 * HOUR).await;
    machine.assert_each_patched_once(25, "a queue that refused");

    machine.stage.world.register(&family(&name(3), "2")).unwrap();
    machine.stage.world.on_call(|call| {
        let lists = call.operation == "ListTaskDefinitions" && call.target.is_empty();
        if lists { Fault::FailBefore(ServiceError::new("ThrottlingException", "Rate exceeded")) } else { Fault::None }
    });
    machine.after(10, World::leave_calls_alone);
    machine.wake();
    machine.run(2 * HOUR).await;
    assert_eq!(machine.stage.world.newest_active(&name(3)).unwrap().number, 4);
    assert!(machine.dead.is_empty());
}
