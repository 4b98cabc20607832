//! `sweep`: by the real function, and by one that says what a long sweep says.

use super::operator::{Operator, SWEEP, ago, now};
use serde_json::{Value, json};

fn invocations(operator: &Operator) -> Vec<Value> {
    let payloads = operator.world.invocations(SWEEP);
    payloads.iter().map(|payload| serde_json::from_str(payload).expect("JSON")).collect()
}

#[test]
fn a_sweep_queues_what_is_new_and_tells_how_the_families_stand() {
    let operator = Operator::new();
    operator.register("web");
    operator.reconcile("web");
    operator.register_plain("batch");
    let run = operator.run(&["sweep"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    assert!(run.out.starts_with("swept: 1 page, 2 families, 1 queued to be looked at\n"), "{}", run.out);
    assert!(run.out.contains("1 family: 1 covered, "), "{}", run.out);
    assert_eq!(operator.world.messages("work").len(), 1);
    let answer = operator.json(&["sweep", "--format", "json"]);
    assert_eq!(
        (&answer["outcome"], &answer["joined"], &answer["families"]),
        (&json!("finished"), &json!(false), &json!(2))
    );
    assert_eq!(answer["states"]["covered"], 1);
    let status = operator.run(&["status"]).out;
    assert!(status.contains("sweep     finished "), "{status}");
}

/// The first invocation did not come to the end; the table tells of the rest.
#[test]
fn a_sweep_that_goes_on_is_waited_for_and_a_joined_one_is_told_as_such() {
    let operator = Operator::new();
    for (outcome, joined) in [("running", false), ("joined", true)] {
        operator.put_sweep(json!({
            "run": { "S": "r" }, "phase": { "S": "listing" }, "startedAt": ago(5), "goesOnAt": { "N": (now() + 5).to_string() },
        }));
        let answer = json!({ "sweep": "r", "outcome": outcome, "families": 100, "pages": 1, "queued": 7 }).to_string();
        operator.world.answer_invocations(SWEEP, move |_| Ok(answer.clone()));
        let child = operator.spawn(&["sweep", "--format", "json"]);
        let looks = || operator.world.call_lines().iter().filter(|line| *line == "GetItem operator").count();
        let before = looks();
        while looks() < before + 1 {
            std::thread::yield_now();
        }
        operator.put_sweep(json!({
            "run": { "S": "r" }, "phase": { "S": "done" }, "startedAt": ago(5), "finishedAt": ago(0),
            "families": { "N": "240" }, "pages": { "N": "3" }, "queued": { "N": "9" },
        }));
        let run = child.end();
        let answer: Value = serde_json::from_str(&run.out).expect("JSON");
        assert_eq!((run.code, &answer["joined"], &answer["outcome"]), (Some(0), &json!(joined), &json!("finished")));
        assert_eq!((&answer["families"], &answer["pages"], &answer["queued"]), (&json!(240), &json!(3), &json!(9)));
        assert_eq!(run.err.contains("a sweep is under way already; another round follows it"), joined, "{}", run.err);
    }
}

#[test]
fn a_sweep_that_was_cut_off_is_a_failure_and_one_that_is_not_waited_for_is_none() {
    let operator = Operator::new();
    operator.put_sweep(json!({ "run": { "S": "r" }, "phase": { "S": "listing" }, "startedAt": ago(9000) }));
    let answer = json!({ "sweep": "r", "outcome": "running", "families": 0, "pages": 0, "queued": 0 }).to_string();
    operator.world.answer_invocations(SWEEP, move |_| Ok(answer.clone()));
    let run = operator.run(&["sweep"]);
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
    assert!(
        run.err.starts_with("error: the sweep was cut off\nhint: its log is in /aws/lambda/ecs-sidecar-sweep"),
        "{}",
        run.err
    );
    let run = operator.run(&["sweep", "--no-wait"]);
    assert!(run.code == Some(0) && run.out.starts_with("a sweep is asked for"), "{}{}", run.out, run.err);
    assert_eq!(invocations(&operator), [json!({ "action": "reconcile" }), json!({ "action": "reconcile" })]);
}

#[test]
fn families_that_are_named_are_queued_whatever_is_known_of_them() {
    let operator = Operator::new();
    for family in ["shop-a", "shop-b", "web"] {
        operator.register(family);
    }
    let run = operator.run(&["sweep", "shop-*"]);
    assert!(run.code == Some(0) && run.out.starts_with("2 queued to be looked at"), "{}{}", run.out, run.err);
    assert_eq!(operator.world.messages("work").len(), 2);
    let run = operator.run(&["sweep", "nothing"]);
    assert_eq!((run.code, run.out.as_str()), (Some(0), "no family with an ACTIVE revision has such a name\n"));

    operator.world.answer_invocations(SWEEP, |payload| {
        let next = if payload.contains("\"from\"") { Value::Null } else { json!("shop-b") };
        Ok(json!({ "outcome": "queued", "queued": 440, "next": next }).to_string())
    });
    assert_eq!(operator.json(&["sweep", "shop-*", "--format", "json"])["queued"], 880);
    let last = invocations(&operator).pop();
    assert_eq!(last, Some(json!({ "action": "reconcile", "families": ["shop-*"], "from": "shop-b" })));
}

#[test]
fn a_plan_is_counted_and_writes_nothing() {
    let operator = Operator::new();
    for family in ["shop-a", "shop-b"] {
        operator.register(family);
    }
    operator.register_plain("batch");
    let run = operator.run(&["sweep", "--plan"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert_eq!(
        run.out,
        "COUNT  DECISION  REASON        FIRST\n    2  inject    -             shop-a\n    1  skip      notRequested  batch\n\
         3 families; nothing was written\n"
    );
    assert_eq!(operator.world.revisions("shop-a").len(), 1);
    let answer = operator.json(&["sweep", "--plan", "--format", "json", "b*"]);
    let count = json!({ "decision": "skip", "reason": "notRequested", "count": 1, "first": "batch" });
    assert_eq!(answer, json!({ "looked": 1, "counts": [count] }));
}

#[test]
fn parts_of_a_plan_are_summed_until_there_is_no_next() {
    let operator = Operator::new();
    let part = |first: &str, count: u64, next: Value| {
        let counts = json!([
            { "decision": "inject", "reason": null, "count": count, "first": first },
            { "decision": "skip", "reason": "windows", "count": 1, "first": format!("{first}-w") },
        ]);
        json!({ "looked": count + 1, "counts": counts, "next": next }).to_string()
    };
    let parts = [part("a", 10, json!("k")), part("k", 20, json!("r")), part("r", 30, Value::Null)];
    operator.world.answer_invocations(SWEEP, move |payload| {
        let index = if payload.contains("\"k\"") {
            1
        } else if payload.contains("\"r\"") {
            2
        } else {
            0
        };
        Ok(parts[index].clone())
    });
    let answer = operator.json(&["sweep", "--plan", "--format", "json"]);
    let counts = json!([
        { "decision": "inject", "reason": null, "count": 60, "first": "a" },
        { "decision": "skip", "reason": "windows", "count": 3, "first": "a-w" },
    ]);
    assert_eq!(answer, json!({ "looked": 63, "counts": counts }));
    let from: Vec<Value> = invocations(&operator).into_iter().map(|payload| payload["from"].clone()).collect();
    assert_eq!(from, [Value::Null, json!("k"), json!("r")]);
}

/// An answer that leads back would be asked for ever.
#[test]
fn answers_that_cannot_be_are_refused() {
    let operator = Operator::new();
    for (arguments, answer) in [
        (&["sweep", "--plan"][..], json!({ "looked": 0, "counts": [], "next": "k" })),
        (&["sweep", "k*"], json!({ "queued": 0, "next": "k" })),
        (&["sweep"], json!(null)),
    ] {
        let text = answer.to_string();
        operator.world.answer_invocations(SWEEP, move |_| Ok(text.clone()));
        let run = operator.run(arguments);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
        assert!(run.err.contains("ecs-sidecar-sweep answered something that this program"), "{}", run.err);
    }
    let failure = json!({ "errorType": "Sweep", "errorMessage": "cannot sweep" }).to_string();
    operator.world.answer_invocations(SWEEP, move |_| Err(failure.clone()));
    let run = operator.run(&["sweep"]);
    assert!(run.code == Some(2) && run.err.contains("ecs-sidecar-sweep failed (Sweep): cannot sweep"), "{}", run.err);
    assert_eq!(operator.run(&["sweep", "--plan", "--no-wait"]).code, Some(2));
}
