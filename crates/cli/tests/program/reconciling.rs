//! `reconcile`: the operator's own function, and its report.

use super::operator::{Operator, RECONCILE, arn};
use serde_json::json;

#[test]
fn a_plan_tells_and_the_deed_follows() {
    let operator = Operator::new();
    let source = operator.register("web");
    let run = operator.run(&["reconcile", "--plan", "web"]);
    assert!(run.code == Some(0) && run.out.starts_with("web: inject xray-daemon, planned\n"), "{}{}", run.out, run.err);
    assert!(run.out.contains("  add containerDefinitions[xray-daemon]: "), "{}", run.out);
    assert!(run.out.contains("  grant: arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess to "), "{}", run.out);
    assert_eq!(operator.world.revisions("web").len(), 1);

    let run = operator.run(&["reconcile", &source]);
    assert!(run.code == Some(0) && run.out.starts_with("web: inject xray-daemon, registered web:2\n"), "{}", run.out);
    let run = operator.run(&["reconcile", "web:1"]);
    assert_eq!((run.code, run.out.as_str()), (Some(0), "web: up to date with xray-daemon\n"));
    let report = operator.json(&["reconcile", "web", "--format", "json"]);
    assert_eq!((&report["state"], &report["source"]), (&json!("covered"), &json!(arn("web:2"))));
    let payload = operator.world.invocations(RECONCILE).pop();
    assert_eq!(payload.as_deref(), Some(r#"{"action":"reconcile","family":"web"}"#));

    operator.register_plain("batch");
    let run = operator.run(&["reconcile", "batch"]);
    assert!(run.code == Some(0) && run.out.starts_with("batch: left alone (notRequested): "), "{}", run.out);
}

#[test]
fn a_failing_family_is_exit_code_1_and_a_failing_function_2() {
    let operator = Operator::new();
    operator.register("web");
    operator.world.deny("AttachRolePolicy", None);
    let run = operator.run(&["reconcile", "web"]);
    assert_eq!(run.code, Some(1), "{}{}", run.out, run.err);
    assert!(
        run.out.contains("web: left alone, refused (permissionDenied)") && run.out.contains("  failing: "),
        "{}",
        run.out
    );
    assert_eq!(operator.json(&["reconcile", "web", "--format", "json"])["state"], "failing");
    operator.world.allow_all();

    operator.world.deny("DescribeTaskDefinition", None);
    let run = operator.run(&["reconcile", "web"]);
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
    assert!(run.err.contains("ecs-sidecar-reconcile failed (Failed): cannot reconcile web"), "{}", run.err);
    let run = operator.run(&["reconcile", "no such family"]);
    assert!(run.code == Some(2) && run.err.contains("is not a family of letters"), "{}", run.err);
}

#[test]
fn what_waits_goes_on_by_itself() {
    let operator = Operator::new();
    let report = json!({
        "family": "web", "state": "pending", "decision": "inject", "reason": "imageWarming", "message": "half of it came",
        "policy": "xray-daemon", "outcome": "waiting", "againInSeconds": 5, "ofNextYear": true,
        "notes": ["a note"], "deregistered": [arn("web:3")], "logGroup": "/sidecar",
    });
    let text = report.to_string();
    operator.world.answer_invocations(RECONCILE, move |_| Ok(text.clone()));
    let run = operator.run(&["reconcile", "web"]);
    assert_eq!(
        (run.code, run.out.as_str()),
        (
            Some(0),
            "web: inject xray-daemon, waiting, deregistered web:3 (imageWarming): half of it came\n  log group: /sidecar\n  \
             note: a note\n  the operator goes on with it by itself in 5 s\n"
        )
    );
    assert_eq!(operator.json(&["reconcile", "web", "--format", "json"]), report, "as it is");
}
