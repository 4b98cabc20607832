//! `uninstall`, and `permissions prune` after it.

use super::operator::{Operator, ROLE, TRACES, family, wait};
use ecs_sidecar_aws::settings;
use ecs_sidecar_tests::Fault;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[test]
fn a_plan_lists_what_would_be_taken_back_and_what_stays() {
    let operator = Operator::with_web();
    operator.world.register(&family("shop")).expect("registered");
    operator.reconcile("web");
    operator.reconcile("shop");
    edit(&operator, "shop");
    operator.reconcile("shop");
    let plan = operator.out(&["uninstall", "--plan"]);
    assert!(plan.starts_with("2 families have a sidecar that is to be taken back\n"), "{plan}");
    assert!(
        plan.contains("web:2     xray-daemon  -") && plan.contains("shop:3    xray-daemon  userEdited: "),
        "{plan}"
    );
    assert!(plan.contains("policies: xray-daemon (stack)\npolicies on roles that stay: 2\n"), "{plan}");
    assert_eq!(operator.standing(), [""; 0], "nothing is written");
}

/// Somebody registers the newest revision with another sidecar than was injected.
fn edit(operator: &Operator, name: &str) {
    let text = operator.world.describe(name).expect("described");
    let definition = ecs_sidecar_core::definition::TaskDefinition::parse(&text).expect("a definition");
    operator.world.register(&definition.text().replace(r#""--buffer-memory""#, r#""--bind""#)).expect("registered");
}

#[test]
fn all_is_taken_back_while_somebody_looks_on() {
    let operator = Operator::with_web();
    operator.reconcile("web");
    operator.refused(&["uninstall"], 1, "hint: without a terminal, pass --yes");
    assert_eq!(operator.standing(), [""; 0]);
    // The operator does its work after the switch was thrown and before the first look.
    let (reconcile, thrown, done) = (operator.reconciler(), AtomicBool::new(false), AtomicBool::new(false));
    let reconcile = Arc::new(reconcile);
    operator.world.on_call(move |call| {
        let switch = call.operation == "PutItem" && !thrown.swap(call.operation == "PutItem", Ordering::Relaxed);
        if switch || !thrown.load(Ordering::Relaxed) || call.operation != "Query" || done.swap(true, Ordering::Relaxed)
        {
            return Fault::None;
        }
        let reconcile = reconcile.clone();
        Fault::before(move |world| reconcile(world, "web"))
    });
    let run = operator.run(&["uninstall", "--yes"]);
    operator.world.leave_calls_alone();
    assert_eq!(run.code, Some(0), "{}{}", run.out, run.err);
    let wanted = "\
ecs-sidecar takes back all that it injected
no family has a sidecar any more

next:
  ecs-sidecar permissions prune --stack ecs-sidecar --region eu-west-1 --plan
  aws cloudformation delete-stack --stack-name ecs-sidecar --region eu-west-1
  aws dynamodb delete-table --table-name operator --region eu-west-1   # the stack leaves it
";
    assert_eq!(run.out, wanted);
    let newest = operator.world.newest_active("web").expect("ACTIVE");
    assert!(newest.number == 3 && !newest.text.contains("xray-daemon"), "{}", newest.text);
    // Once more is fine, and nobody is asked.
    assert_eq!(operator.out(&["uninstall"]), wanted);

    assert!(operator.out(&["uninstall", "--cancel"]).contains("all policies are there again"));
    assert_eq!(operator.out(&["uninstall", "--cancel"]), "ecs-sidecar is not being uninstalled\n");
    assert_eq!(operator.reconcile("web").outcome, "registered");
}

#[test]
fn what_stays_is_told_and_is_no_success() {
    let operator = Operator::with_web();
    operator.reconcile("web");
    edit(&operator, "web");
    operator.out(&["uninstall", "--yes", "--no-wait"]);
    let listed = operator.out(&["policy", "list"]);
    assert!(listed.contains("uninstalling: 1 family left"), "{listed}");
    assert!(operator.out(&["uninstall", "--plan"]).starts_with("ecs-sidecar is being uninstalled\n"));
    operator.reconcile("web");
    let run = operator.run(&["uninstall"]);
    assert_eq!(run.code, Some(1), "{}", run.err);
    assert!(run.out.contains("1 family has a sidecar still:\n  web:3  userEdited: "), "{}", run.out);
    assert!(run.out.contains("next:\n"), "{}", run.out);
}

/// The row says already that the sidecar stays, but only the look that knows of the switch counts.
#[test]
fn a_look_from_before_the_switch_is_not_the_end() {
    let operator = Operator::with_web();
    operator.reconcile("web");
    edit(&operator, "web");
    operator.reconcile("web");
    let (reconcile, queries, thrown) = (operator.reconciler(), AtomicUsize::new(0), AtomicBool::new(false));
    let reconcile = Arc::new(reconcile);
    operator.world.on_call(move |call| {
        thrown.fetch_or(call.operation == "PutItem", Ordering::Relaxed);
        let counts = thrown.load(Ordering::Relaxed) && call.operation == "Query";
        // Each look is two queries.
        if !counts || queries.fetch_add(1, Ordering::Relaxed) != 2 {
            return Fault::None;
        }
        let reconcile = reconcile.clone();
        Fault::before(move |world| reconcile(world, "web"))
    });
    operator.world.forget_calls();
    let run = operator.run(&["uninstall", "--yes"]);
    assert_eq!(run.code, Some(1), "{}{}", run.out, run.err);
    assert!(run.out.contains("  web:3  userEdited: "), "{}", run.out);
    let queries = operator.world.call_lines().iter().filter(|line| *line == "Query operator").count();
    assert!(queries >= 6, "it looked before and after: {queries}");
}

#[test]
fn an_operator_that_writes_nothing_takes_nothing_back() {
    let operator = Operator::with_web();
    assert!(wait(operator.table().set_switch("me", |switch| switch.paused = true)).expect("paused"));
    operator.refused(&["uninstall", "--yes"], 1, "it is paused\nhint: `ecs-sidecar resume` first");
    assert!(operator.out(&["uninstall", "--plan"]).starts_with("it is paused: `ecs-sidecar resume` first\n"));
    let audit = Operator::with(&[(settings::MODE, "audit")]);
    audit.refused(&["uninstall", "--yes"], 1, "it is in mode audit");
    for wrong in [&["--plan", "--yes"][..], &["--plan", "--cancel"], &["--cancel", "--no-wait"]] {
        audit.refused(&[&["uninstall"], wrong].concat(), 2, "cannot be used with");
    }
}

#[test]
fn only_what_nothing_rests_on_is_pruned() {
    let operator = Operator::with_web();
    // The same role by its name.
    let shop = family("shop").replace(ROLE, "web");
    operator.world.register(&shop).expect("registered");
    operator.reconcile("web");
    assert!(operator.out(&["permissions", "prune", "--plan"]).starts_with("nothing to detach: "));
    operator.reconcile("shop");
    // Both have the same roles; what one of them does not use any more, the other does.
    operator.world.register(&family("web").replace(r#""value":"true""#, r#""value":"false""#)).expect("registered");
    operator.reconcile("web");
    assert!(operator.out(&["permissions", "prune", "--yes"]).starts_with("nothing to detach: "));
    operator.world.register(&shop.replace(r#""value":"true""#, r#""value":"false""#)).expect("registered");
    operator.reconcile("shop");
    operator.writes();

    let plan = operator.out(&["permissions", "prune", "--plan"]);
    assert!(plan.contains(ROLE) && plan.contains("web  ") && plan.contains("attached"), "{plan}");
    assert!(plan.contains("warning: older revisions and running tasks may still use them"), "{plan}");
    let listed: Value =
        serde_json::from_str(&operator.out(&["permissions", "prune", "--plan", "--format", "json"])).expect("JSON");
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    assert_eq!((&listed[0]["role"], &listed[0]["policy"]), (&ROLE.into(), &TRACES.into()));
    assert_eq!((&listed[0]["state"], &listed[0]["families"][0]), (&"attached".into(), &"web".into()));
    operator.refused(&["permissions", "prune"], 1, "hint: without a terminal, pass --yes");
    assert_eq!(operator.writes(), [""; 0]);
    operator.refused(&["permissions", "prune", "--format", "json"], 2, "--plan");

    operator.world.deny("DetachRolePolicy", Some("execution"));
    let run = operator.run(&["permissions", "prune", "--yes"]);
    assert_eq!(run.code, Some(1), "{}{}", run.out, run.err);
    assert!(run.out.contains(&format!("detached {TRACES} from {ROLE}\n")), "{}", run.out);
    assert!(run.err.contains("cannot detach") && run.err.contains("AccessDenied"), "{}", run.err);
    assert_eq!((operator.world.attached("web").len(), operator.world.attached("execution").len()), (0, 1));
    operator.world.allow_all();
    operator.world.remove_role("execution");
    let plan = operator.out(&["permissions", "prune", "--plan"]);
    assert!(plan.contains("no such role any more") && !plan.contains(TRACES), "{plan}");
    assert!(operator.out(&["permissions", "prune", "--yes"]).contains("any more\n"));
    assert!(operator.out(&["permissions", "prune", "--plan"]).starts_with("nothing to detach: "));
}

#[test]
fn what_somebody_is_at_work_on_keeps_its_grants() {
    let operator = Operator::with_web();
    // An act that is cut off leaves the lease, and the grants in the row.
    operator
        .world
        .on_call(|call| if call.operation == "RegisterTaskDefinition" { Fault::before(die) } else { Fault::None });
    let reconcile = operator.reconciler();
    let world = operator.world.clone();
    let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reconcile(&world, "web")));
    operator.world.leave_calls_alone();
    assert!(died.is_err());
    let row = wait(operator.table().row(&"web".parse().expect("a family"))).expect("a row");
    assert!(row.lease.is_some() && row.grants.len() == 2, "{row:?}");
    assert!(operator.out(&["permissions", "prune", "--plan"]).starts_with("nothing to detach: "));
    assert!(!wait(operator.table().forget_grants(&"web".parse().expect("a family"), &row.grants)).expect("asked"));
}

fn die(_: &ecs_sidecar_tests::World) {
    std::panic::resume_unwind(Box::new("the worker is dead"));
}
