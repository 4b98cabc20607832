//! `pause` and `resume`.

use super::operator::{Operator, RECONCILE};
use serde_json::json;

#[test]
fn a_pause_holds_the_operator_until_it_is_resumed_and_twice_is_once() {
    let operator = Operator::new();
    operator.register("web");
    let run = operator.run(&["resume"]);
    assert_eq!((run.code, run.out.as_str()), (Some(0), "it is not paused, and never was\n"));

    let run = operator.run(&["pause", "--because", "incident 7"]);
    assert!(
        run.code == Some(0) && run.out.starts_with("paused: nothing is written to ECS and IAM"),
        "{}{}",
        run.out,
        run.err
    );
    let again = operator.run(&["pause", "--because", "another"]);
    assert_eq!(again.code, Some(0));
    let wanted = ", by arn:aws:iam::111122223333:user/developer: incident 7\n";
    assert!(again.out.starts_with("it is paused already, ") && again.out.ends_with(wanted), "{}", again.out);

    let held = operator.run(&["reconcile", "web"]);
    assert!(held.code == Some(0) && held.out.contains(", held (paused): incident 7"), "{}", held.out);
    assert_eq!(operator.world.revisions("web").len(), 1);

    let run = operator.run(&["resume"]);
    assert!(run.code == Some(0) && run.out.starts_with("resumed: a sweep has what waited looked at"), "{}", run.out);
    let again = operator.run(&["resume"]);
    assert!(
        again.code == Some(0) && again.out.starts_with("it is not paused; the switch was last thrown "),
        "{}",
        again.out
    );
    operator.reconcile("web");
    assert_eq!(operator.world.revisions("web").len(), 2);
}

#[test]
fn json_says_how_it_is_and_whether_that_is_new() {
    let operator = Operator::new();
    for changed in [true, false] {
        let answer = operator.json(&["pause", "--format", "json"]);
        assert_eq!((&answer["paused"], &answer["changed"]), (&json!(true), &json!(changed)));
        assert!(answer["changedAt"].is_u64() && answer["changedBy"].is_string(), "{answer}");
    }
    for changed in [true, false] {
        let answer = operator.json(&["resume", "--format", "json"]);
        assert_eq!((&answer["paused"], &answer["changed"]), (&json!(false), &json!(changed)));
    }
}

/// Verbs that need an operator say which one there is not.
#[test]
fn a_stack_that_is_not_there_is_named() {
    let operator = Operator::new();
    for verb in [&["pause"][..], &["resume"], &["status"], &["sweep"], &["wait", "web:1"], &["reconcile", "web"]] {
        let run = operator.run(&[verb, &["--stack", "other"]].concat());
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{verb:?}");
        assert!(run.err.contains("there is no operator other in eu-west-1\nhint: --stack"), "{}", run.err);
    }
    operator.world.add_function(RECONCILE, &[]);
    let run = operator.run(&["pause"]);
    assert_eq!(run.code, Some(2), "{}", run.err);
    let denied = Operator::new();
    denied.world.deny("GetItem", None);
    let run = denied.run(&["pause"]);
    assert!(run.code == Some(2) && run.err.contains("hint: whose credentials are these?"), "{}", run.err);
}
