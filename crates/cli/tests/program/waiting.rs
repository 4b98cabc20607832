//! `wait`: which revision is to be deployed.

use super::operator::{Operator, ago, arn};
use serde_json::json;

#[test]
fn the_patched_revision_is_printed_and_nothing_else() {
    let operator = Operator::new();
    let source = operator.register("web");
    operator.reconcile("web");
    let patched = format!("{}\n", arn("web:2"));
    // By its ARN, by its number, and for the patched revision itself.
    for named in [&*source, "web:1", "web:2"] {
        let run = operator.run(&["wait", named]);
        assert_eq!((run.code, &run.out, run.err.as_str()), (Some(0), &patched, ""), "{named}");
    }
    let answer = operator.json(&["wait", "web:1", "--format", "json"]);
    assert_eq!(answer, json!({ "revision": source, "outcome": "patched", "taskDefinition": arn("web:2") }));
}

/// The owner registers, and the operator comes a little later.
#[test]
fn it_waits_for_the_operator() {
    let operator = Operator::new();
    operator.register("web");
    operator.reconcile("web");
    let source = operator.register("web");
    let child = operator.spawn(&["wait", &source]);
    let looks = || operator.world.call_lines().iter().filter(|line| *line == "GetItem operator").count();
    let before = looks();
    while looks() < before + 2 {
        std::thread::yield_now();
    }
    operator.reconcile("web");
    let run = child.end();
    assert_eq!((run.code, run.out), (Some(0), format!("{}\n", arn("web:4"))), "{}", run.err);
}

/// The row keeps the source of the look before the failure.
#[test]
fn a_failure_that_comes_while_it_waits_is_its_own() {
    let operator = Operator::new();
    operator.register("web");
    operator.reconcile("web");
    let source = operator.register("web");
    let child = operator.spawn(&["wait", &source]);
    let looks = || operator.world.call_lines().iter().filter(|line| *line == "GetItem operator").count();
    let before = looks();
    while looks() < before + 2 {
        std::thread::yield_now();
    }
    let failing = json!({
        "state": { "S": "failing" }, "reason": { "S": "denied" }, "source": { "S": arn("web:1") },
        "patched": { "S": arn("web:2") }, "seenAt": { "N": "4000000000" },
    });
    operator.put_row("web", failing);
    let run = child.end();
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert_eq!(run.err, "web:3 is left alone: it is failing (denied)\n");
}

/// Whatever injected it: the sidecar is there.
#[test]
fn a_revision_that_came_with_the_sidecar_is_the_one_to_deploy() {
    let operator = Operator::new();
    let covered =
        json!({ "state": { "S": "covered" }, "source": { "S": arn("web:3") }, "injected": { "S": "xray-daemon" } });
    operator.put_row("web", covered);
    let run = operator.run(&["wait", "web:3"]);
    assert_eq!((run.code, run.out), (Some(0), format!("{}\n", arn("web:3"))));
}

#[test]
fn one_that_is_left_alone_has_its_reason_on_standard_error() {
    let operator = Operator::new();
    let plain = operator.register_plain("batch");
    operator.reconcile("batch");
    let run = operator.run(&["wait", "batch:1"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert!(run.err.starts_with("batch:1 is left alone: it is skipped (notRequested)"), "{}", run.err);
    assert!(run.err.contains("The policy is opt-in and the definition does not ask."), "{}", run.err);
    let itself = operator.run(&["wait", "--or-itself", "batch:1"]);
    assert_eq!((itself.code, itself.out), (Some(0), format!("{plain}\n")));
    assert_eq!(itself.err, run.err, "the reason is told all the same");
    let answer = operator.json(&["wait", "batch:1", "--format", "json"]);
    assert_eq!(
        (&answer["outcome"], &answer["reason"], &answer["taskDefinition"]),
        (&json!("leftAlone"), &json!("notRequested"), &json!(null))
    );
}

#[test]
fn a_failure_is_told_with_its_kind() {
    let operator = Operator::new();
    let failing = json!({
        "state": { "S": "failing" }, "reason": { "S": "denied" }, "message": { "S": "may not" }, "source": { "S": arn("web:3") },
    });
    operator.put_row("web", failing);
    let run = operator.run(&["wait", "web:3"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert_eq!(run.err, "web:3 is left alone: it is failing (denied): may not\n");
    // A failure keeps what was known before it, so nobody knows whether it is of a newer revision.
    let run = operator.run(&["wait", "web:4", "--timeout", "0"]);
    assert!(run.code == Some(1) && run.err.contains("in 0 s: its family is failing (denied)"), "{}", run.err);
}

/// What an earlier look made is still the newest, and has the sidecar.
#[test]
fn a_failure_after_the_patch_does_not_take_it_away() {
    let operator = Operator::new();
    let failing = json!({
        "state": { "S": "failing" }, "reason": { "S": "registrationRefused" }, "source": { "S": arn("web:3") },
        "patched": { "S": arn("web:4") },
    });
    operator.put_row("web", failing);
    let run = operator.run(&["wait", "web:3"]);
    assert_eq!((run.code, run.out), (Some(0), format!("{}\n", arn("web:4"))));
    assert!(run.err.contains("has its sidecar in web:4, though it is failing (registrationRefused)"), "{}", run.err);
}

#[test]
fn a_newer_revision_supersedes_an_older_one() {
    let operator = Operator::new();
    operator.register("web");
    operator.register("web");
    operator.reconcile("web");
    for arguments in [&["wait", "web:1"][..], &["wait", "web:1", "--or-itself"]] {
        let run = operator.run(arguments);
        assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
        assert_eq!(run.err, "web:1 is superseded by web:2, which was registered since\n");
    }
}

#[test]
fn a_time_that_is_over_prints_nothing_and_says_what_to_do() {
    let operator = Operator::new();
    let source = operator.register("web");
    for arguments in [&["wait", &source, "--timeout", "0"][..], &["wait", "web:1", "--or-itself", "--timeout", "0"]] {
        let run = operator.run(arguments);
        assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
        assert!(
            run.err.starts_with("error: web:1 was not dealt with in 0 s: the operator has not looked"),
            "{}",
            run.err
        );
        assert!(run.err.contains("hint: `ecs-sidecar reconcile web`"), "{}", run.err);
    }
    let waits = json!({
        "state": { "S": "pending" }, "reason": { "S": "imageWarming" }, "source": { "S": source }, "seenAt": ago(5),
    });
    operator.put_row("web", waits);
    let run = operator.run(&["wait", "web:1", "--timeout", "0"]);
    assert!(run.code == Some(1) && run.err.contains("in 0 s: it is pending (imageWarming)"), "{}", run.err);
}

#[test]
fn a_pause_is_told_at_once() {
    let operator = Operator::new();
    operator.register("web");
    operator.run(&["pause", "--because", "incident 7"]);
    operator.reconcile("web");
    let run = operator.run(&["wait", "web:1", "--timeout", "0"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert!(
        run.err.starts_with("the operator was paused ") && run.err.contains(": incident 7; waiting\n"),
        "{}",
        run.err
    );
}

#[test]
fn an_operator_that_only_reports_leaves_all_alone() {
    let operator = Operator::with(&[("ECS_SIDECAR_MODE", "audit")]);
    operator.register("web");
    operator.reconcile("web");
    let run = operator.run(&["wait", "web:1"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert!(run.err.contains("(audit): the operator is in audit mode"), "{}", run.err);
}

#[test]
fn a_revision_that_cannot_be_meant_is_refused() {
    let operator = Operator::new();
    for wrong in ["web", "arn:aws:ecs:eu-west-1:111122223333:cluster/web", "web:latest", "arn:nonsense"] {
        let run = operator.run(&["wait", wrong]);
        assert_eq!(run.code, Some(2), "{wrong}");
        assert!(run.err.contains("or FAMILY:REVISION"), "{}", run.err);
    }
    for (wrong, wanted) in [
        (arn("web:1").replace("eu-west-1", "us-east-1"), "is in us-east-1, and eu-west-1 is asked"),
        (arn("web:1").replace("1111", "9999"), "is in 999922223333, and 111122223333 is asked"),
    ] {
        for verb in ["wait", "reconcile"] {
            let run = operator.run(&[verb, &wrong]);
            assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
            assert!(run.err.contains(wanted) && run.err.contains("hint: --region"), "{}", run.err);
        }
    }
}
