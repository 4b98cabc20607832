//! How many definitions a core plans in a second: what the operator, the command line and the macro do with each.
//!
//! The text of a DescribeTaskDefinition answer is read and planned on with the preset: the result with its receipt is
//! made, and definition and result are judged by ECS's rules. `tests/bench/planning.py` reads what is measured.

mod definition;

use criterion::{Criterion, criterion_group, criterion_main};
use definition::{BRIDGE, FARGATE, OPTED_OUT, answered};
use ecs_sidecar_core::bounds::Bounds;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::observed::Observed;
use ecs_sidecar_core::plan::{Asked, Decision, Plan, Settings, plan};
use ecs_sidecar_core::policy::Policy;
use ecs_sidecar_core::receipt::Injector;
use std::collections::BTreeSet;
use std::hint::black_box;

/// Bytes of the definitions. The last one is about the largest that ECS takes with a sidecar.
const SIZES: [usize; 7] = [1_000, 2_000, 4_000, 10_000, 16_000, 32_000, 63_000];

/// Of what else is measured.
const USUAL: usize = 10_000;

fn settings() -> Settings {
    Settings {
        policies: vec![Policy::preset("xray-daemon").expect("the preset")],
        deleted: BTreeSet::new(),
        bounds: Bounds::unbounded(),
        asked: Asked::Standing,
        injector: Injector::Operator,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        execution_policy_arn: None,
    }
}

fn planned(answer: &str, settings: &Settings) -> Plan {
    let definition = TaskDefinition::parse(answer).expect("a definition");
    let (account, region) = ("111122223333".parse().expect("an account"), "eu-west-1".parse().expect("a Region"));
    plan(&Observed::unchecked(account, region, definition, "ecr-public".to_owned()), settings)
}

/// Measures a definition under a name of the form `what/bytes`, once it is certain what comes of it.
fn measure(criterion: &mut Criterion, name: &str, answer: &str, expected: Decision) {
    let settings = settings();
    let plan = planned(answer, &settings);
    assert_eq!(plan.decision, expected, "{name}: {}", plan.message);
    criterion.bench_function(name, |bencher| bencher.iter(|| planned(black_box(answer), &settings)));
}

fn planning(criterion: &mut Criterion) {
    for bytes in SIZES {
        measure(criterion, &format!("inject/{bytes}"), &FARGATE.answer(bytes), Decision::Inject);
    }
    measure(criterion, &format!("inject_bridge/{USUAL}"), &BRIDGE.answer(USUAL), Decision::Inject);
    let injected = planned(&FARGATE.answer(USUAL), &settings()).result;
    let injected = answered(injected.text(), "true");
    measure(criterion, &format!("up_to_date/{USUAL}"), &injected, Decision::UpToDate);
    measure(criterion, &format!("opted_out/{USUAL}"), &OPTED_OUT.answer(USUAL), Decision::Skip);
}

criterion_group!(benches, planning);
criterion_main!(benches);
