//! Sweeps over 1,000, 10,000 and 100,000 families, on the fake's clock and with ECS's published buckets.
//!
//! `cargo bench -p ecs-sidecar-stage --bench sweep`; `-- 10000` for unchanged families of that number alone. Nothing in the
//! figures depends on the machine, but an optimized profile saves minutes.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]

mod figures;
mod units;
mod wire;

use ecs_sidecar_aws::sweep::Sweeper;
use ecs_sidecar_stage::machine::{Machine, name};
use ecs_sidecar_stage::stage::SESSION;
use figures::Figure;
use serde_json::json;
use std::io::Write as _;
use std::time::Duration;
use units::PRICES;
use wire::{Counts, Wire};

/// What a sweep may take of ECS's bucket of reads by default: half of 20 a second.
const READS_A_SECOND: f64 = 10.0;

/// What it may take of the bucket of registrations by default: half of one a second.
const WRITES_A_SECOND: f64 = 0.5;

/// What an answer takes, where its time is paid for: the fake's clock stands still while it answers.
const ANSWER: f64 = 0.020;

/// The functions' memory in gigabytes, as the template has it: of the sweep, and of the reconcile.
const SWEEP_MEMORY: f64 = 0.5;
const RECONCILE_MEMORY: f64 = 0.25;

/// Sweeps a month: one an hour, as the template has it.
const SWEEPS: f64 = 24.0 * 30.0;

/// A megabyte.
const MIB: f64 = 1024.0 * 1024.0;

/// No sweep takes longer.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A machine whose functions are measured, and how large they are when they have done nothing yet.
fn measured(wire: &Wire) -> (Machine, i64) {
    let mut machine = Machine::new(&[]);
    let carrier = wire.clone();
    machine.stage.world.carry_by(move |client| carrier.around(client));
    machine.restart();
    let before = wire::in_use();
    let one = machine.stage.another();
    let sweeper = Sweeper::new(&machine.stage.session_config(), one.settings().clone());
    let size = wire::in_use() - before;
    drop((one, sweeper));
    (machine, size)
}

/// What came of a sweep.
struct Swept {
    seconds: f64,
    counts: Counts,
    /// The most of the heap that the functions had, in bytes.
    memory: i64,
    /// Invocations and their seconds, of the sweep and of the reconcile.
    invoked: [(f64, f64); 2],
}

/// Wakes the sweep, and waits until all is done.
async fn sweep(machine: &mut Machine, wire: &Wire, size: i64) -> Swept {
    machine.stage.world.forget_calls();
    machine.stage.world.meter_calls();
    machine.invoked.clear();
    let (before, began) = (wire.begin(), machine.now());
    machine.wake();
    machine.run(LONGEST).await;
    let seconds = machine.now().duration_since(began).unwrap().as_secs_f64();
    let (counts, peak) = wire.end();
    let invoked = ["sweeps", "families"].map(|queue| {
        let (times, took) = machine.invoked.get(queue).copied().unwrap_or_default();
        (float(times), took.as_secs_f64())
    });
    Swept { seconds, counts, memory: peak - before + size, invoked }
}

/// All families new: each gets its sidecar.
async fn first(families: usize, figures: &mut Vec<Figure>) {
    let wire = Wire::default();
    let (mut machine, size) = measured(&wire);
    machine.register_families(families);
    let swept = sweep(&mut machine, &wire, size).await;
    machine.assert_each_patched_once(families, "first sweep");
    let label = format!("first sweep of {families} new families");
    let ideal = float(families as u64) / WRITES_A_SECOND;
    let note = format!("{ideal} s: half of ECS's bucket for registrations, which the operator leaves to others");
    figures.push(Figure::new(format!("{label}: time against its share"), swept.seconds / ideal, "ratio").note(note));
    tell(&label, &swept, figures);
}

/// Nothing has changed since the last sweep.
async fn unchanged(families: usize, figures: &mut Vec<Figure>) {
    let wire = Wire::default();
    let (mut machine, size) = measured(&wire);
    settle(&mut machine, families).await;
    let swept = sweep(&mut machine, &wire, size).await;
    let calls = |operation: &str| swept.counts.calls.get(operation).copied().unwrap_or(0);
    assert_eq!((calls("SendMessage"), calls("SendMessageBatch")), (0, 0), "something has changed");
    let label = format!("{families} unchanged families");
    let listing = calls("ListTaskDefinitions") + calls("ListTaskDefinitionFamilies");
    let ideal = float(listing - 1) / READS_A_SECOND;
    let note =
        format!("{ideal} s: {listing} calls at half of ECS's bucket of reads, which the operator leaves to others");
    let time = Figure::new(format!("{label}: time against its listing calls"), swept.seconds / ideal, "ratio");
    let memory = Figure::new(format!("{label}: memory"), mebibytes(swept.memory), "MiB");
    figures.push(time.at_most(1.05).note(note));
    figures.push(memory.at_most(64.0).note("the most of the heap that the function has, clients and answers included"));
    tell(&label, &swept, figures);
    let cost = dollars(&swept) * SWEEPS;
    let note = "one an hour: Lambda, DynamoDB and SQS by the prices in units.rs; without the daily looks and storage";
    figures.push(Figure::new(format!("{label}: a month of such sweeps"), cost, "dollars").note(note));
}

/// Has families in ECS and in the table as a sweep leaves them: one family is given its sidecar, and the others are told like it.
/// Their definitions are small, since a sweep reads none.
async fn settle(machine: &mut Machine, families: usize) {
    machine.register_families(1);
    machine.wake();
    machine.run(LONGEST).await;
    // Once more: from then on nothing changes.
    machine.event(&name(0));
    machine.run(LONGEST).await;
    let world = &machine.stage.world;
    let row = world.item("operator", "family", &name(0)).unwrap();
    for n in 1..families {
        let family = name(n);
        let text =
            json!({ "family": family, "containerDefinitions": [{ "name": "app", "image": "app", "memory": 64 }] });
        world.register(&text.to_string()).unwrap();
        world.as_principal(SESSION).register(&text.to_string()).unwrap();
        world.put_item("operator", &row.replace(&name(0), &family)).unwrap();
    }
    machine.run(LONGEST).await;
}

/// The figures that all sweeps have.
fn tell(label: &str, swept: &Swept, figures: &mut Vec<Figure>) {
    let mut push = |what: &str, value: f64, unit: &'static str| {
        figures.push(Figure::new(format!("{label}: {what}"), value, unit));
    };
    push("time", swept.seconds, "s");
    for (operation, count) in &swept.counts.calls {
        push(operation, float(*count), "calls");
    }
    push("DynamoDB reads", float(swept.counts.units.reads), "read units");
    push("DynamoDB writes", float(swept.counts.units.writes), "write units");
    let [sweeps, families] = swept.invoked;
    push("Lambda invocations", sweeps.0 + families.0, "invocations");
    let answers = float(swept.counts.calls.values().sum()) * ANSWER;
    let note = format!("{answers:.1} s of it for answers, 20 ms each, as if none ran beside another");
    let seconds = Figure::new(format!("{label}: Lambda time"), sweeps.1 + families.1 + answers, "s");
    figures.push(seconds.note(note));
    if !label.contains("unchanged") {
        figures.push(Figure::new(format!("{label}: memory"), mebibytes(swept.memory), "MiB"));
        figures.push(Figure::new(format!("{label}: cost"), dollars(swept), "dollars"));
    }
}

/// What a sweep costs.
fn dollars(swept: &Swept) -> f64 {
    let calls = |operation: &str| float(swept.counts.calls.get(operation).copied().unwrap_or(0));
    let [sweeps, families] = swept.invoked;
    let sent = calls("SendMessage") + calls("SendMessageBatch");
    let of = |operations: &[&str]| operations.iter().map(|operation| calls(operation)).sum::<f64>();
    // Only the sweep lists everything; what else is called is the reconcile's, but for little.
    let listing = of(&["ListTaskDefinitionFamilies", "Query"])
        + if families.0 == 0.0 { of(&["ListTaskDefinitions"]) } else { 0.0 };
    let all = float(swept.counts.calls.values().sum());
    let sweep_seconds = sweeps.1 + listing * ANSWER;
    let family_seconds = families.1 + (all - listing) * ANSWER;
    let gigabyte_seconds = sweep_seconds * SWEEP_MEMORY + family_seconds * RECONCILE_MEMORY;
    let invocations = sweeps.0 + families.0;
    // Each message is received and deleted as well.
    let messages = sent + 2.0 * invocations;
    (float(swept.counts.units.reads) * PRICES.million_reads
        + float(swept.counts.units.writes) * PRICES.million_writes
        + invocations * PRICES.million_invocations
        + messages * PRICES.million_messages)
        / 1e6
        + gigabyte_seconds * PRICES.gigabyte_second
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn mebibytes(bytes: i64) -> f64 {
    bytes as f64 / MIB
}

/// Says on standard error what is measured.
fn announce(what: &str) -> std::io::Result<()> {
    writeln!(std::io::stderr(), "sweep: {what}")
}

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let mut figures = Vec::new();
    // Cargo and the driver have options of their own.
    let asked: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    if asked.is_empty() {
        announce("1000 new families")?;
        runtime.block_on(first(1_000, &mut figures));
    }
    for families in if asked.is_empty() { vec![1_000, 10_000, 100_000] } else { asked } {
        announce(&format!("{families} unchanged families"))?;
        runtime.block_on(unchanged(families, &mut figures));
    }
    figures::print("sweep", figures)
}
