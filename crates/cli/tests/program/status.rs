//! `status`: what the table says, for people and for machines.

use super::operator::{Operator, ago, arn, now};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};

/// One family of each state but `pending`; those that are covered and skipped by the real operator.
fn many() -> Operator {
    let operator = Operator::new();
    operator.register("web");
    operator.register_plain("batch");
    for family in ["web", "batch"] {
        operator.reconcile(family);
    }
    let failing = json!({
        "state": { "S": "failing" }, "reason": { "S": "roleNotAllowed" }, "message": { "S": "role x" },
        "policy": { "S": "metrics" }, "since": ago(7200), "nextTry": ago(0), "newest": { "N": "3" },
        "source": { "S": arn("shop:3") },
    });
    operator.put_row("shop", failing);
    let outdated = json!({
        "state": { "S": "outdated" }, "reason": { "S": "updatePending" }, "injected": { "S": "metrics" },
        "since": ago(200_000), "newest": { "N": "5" }, "source": { "S": arn("shop-old:4") },
        "patched": { "S": arn("shop-old:5") },
    });
    operator.put_row("shop-old", outdated);
    operator.put_row("away", json!({ "state": { "S": "gone" }, "newest": { "N": "0" }, "since": ago(90) }));
    operator
}

fn families(answer: &Value) -> Vec<&str> {
    let families = answer["families"].as_array().expect("families");
    families.iter().map(|family| family["family"].as_str().expect("a name")).collect()
}

#[test]
fn the_table_has_what_went_wrong_first_then_totals_and_the_operator() {
    let operator = many();
    let run = operator.run(&["status"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    let lines: Vec<&str> = run.out.lines().collect();
    let cells =
        |line: &str| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect();
    let table: Vec<Vec<String>> = lines[..6].iter().map(|line| cells(line)).collect();
    assert_eq!(table[0], ["FAMILY", "STATE", "SINCE", "REVISION", "POLICY", "REASON"]);
    assert_eq!(table[1], ["shop", "failing", "2h", "shop:3", "metrics", "roleNotAllowed, next try is due"]);
    assert_eq!(table[2], ["shop-old", "outdated", "2d", "shop-old:5 from shop-old:4", "metrics", "updatePending"]);
    let (covered, skipped) = (&table[3], &table[4]);
    assert_eq!(
        (&covered[..2], &covered[3..]),
        (
            &["web".to_owned(), "covered".to_owned()][..],
            &["web:2 from web:1".to_owned(), "xray-daemon".to_owned(), "-".to_owned()][..],
        )
    );
    assert_eq!((skipped[0].as_str(), skipped[1].as_str(), skipped[5].as_str()), ("batch", "skipped", "notRequested"));
    assert_eq!(table[5], ["away", "gone", "1m", "-", "-", "-"]);
    // The columns stand below their headings.
    let column = lines[0].find("REVISION").expect("a heading");
    assert!(
        lines[1][column..].starts_with("shop:3 ") && lines[2][column..].starts_with("shop-old:5 from"),
        "{}",
        run.out
    );
    assert!(lines[1..6].iter().all(|line| *line == line.trim_end()), "{}", run.out);
    assert_eq!(lines[7], "5 families: 1 covered, 1 outdated, 0 pending, 1 skipped, 1 failing, 1 gone");
    assert_eq!(
        lines[9..],
        [
            "operator  ecs-sidecar in eu-west-1",
            "policies  1: xray-daemon (the stack's own)",
            "sweep     none yet; `ecs-sidecar sweep` begins one",
        ]
    );
    assert!(!run.out.contains('\u{1b}') && operator.run(&["status", "--color", "always"]).out.contains('\u{1b}'));
}

#[test]
fn json_names_things_as_the_table_does() {
    let operator = many();
    let answer = operator.json(&["status", "--format", "json"]);
    assert_eq!(families(&answer), ["shop", "shop-old", "web", "batch", "away"]);
    assert_eq!(
        answer["totals"],
        json!({ "covered": 1, "outdated": 1, "pending": 0, "skipped": 1, "failing": 1, "gone": 1 })
    );
    let (shop, web) = (&answer["families"][0], &answer["families"][2]);
    assert_eq!((&shop["message"], &shop["state"]), (&json!("role x"), &json!("failing")));
    assert!(shop["nextTry"].as_u64().is_some_and(|at| at <= now()) && shop.get("patched").is_none(), "{shop}");
    assert_eq!(
        (&web["source"], &web["patched"], &web["newest"]),
        (&json!(arn("web:1")), &json!(arn("web:2")), &json!(2))
    );
    assert!(web["since"].is_u64() && web["seenAt"].is_u64() && web["changedAt"].is_u64(), "{web}");
    assert_eq!(web["grants"].as_array().map(Vec::len), Some(2));
    let told = &answer["operator"];
    assert_eq!((&told["stack"], &told["paused"], &told["sweep"]), (&json!("ecs-sidecar"), &json!(false), &Value::Null));
    assert_eq!(told["policies"], json!([{ "name": "xray-daemon", "own": true, "deleting": false }]));
}

#[test]
fn each_filter_leaves_what_it_names() {
    let operator = many();
    for (filter, wanted) in [
        (&["shop*"][..], &["shop", "shop-old"][..]),
        (&["we?", "b*"], &["web", "batch"]),
        (&["--state", "gone,covered"], &["web", "away"]),
        (&["--reason", "notRequested"], &["batch"]),
        // The one that decided, and the one whose sidecar is there.
        (&["--policy", "metrics"], &["shop", "shop-old"]),
        (&["--policy", "metrics", "--state", "outdated", "shop*"], &["shop-old"]),
        (&["nothing"], &[]),
    ] {
        let arguments = [&["status", "--format", "json"], filter].concat();
        assert_eq!(families(&operator.json(&arguments)), wanted, "{filter:?}");
    }
    let run = operator.run(&["status", "shop*"]);
    let totals = "2 of 5 families: 0 covered, 1 outdated, 0 pending, 0 skipped, 1 failing, 0 gone";
    assert!(run.out.contains(totals), "{}", run.out);
    let run = operator.run(&["status", "nothing"]);
    assert!(run.code == Some(0) && run.out.starts_with("none of 5 families is like that\n"), "{}", run.out);
    let run = operator.run(&["status", "--state", "broken"]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("possible values: covered, outdated, pending, skipped, failing, gone"), "{}", run.err);
}

#[test]
fn an_empty_table_says_how_to_fill_it() {
    let run = Operator::new().run(&["status"]);
    assert_eq!(run.code, Some(0));
    assert!(run.out.starts_with("no family has been looked at yet; `ecs-sidecar sweep` "), "{}", run.out);
}

#[test]
fn the_operators_own_state_is_told() {
    let operator = Operator::with(&[("ECS_SIDECAR_MODE", "audit")]);
    let switch = json!({
        "kind": { "S": "standing" }, "id": { "S": "switch" }, "paused": { "BOOL": true }, "uninstalling": { "BOOL": true },
        "pausedBecause": { "S": "incident 7" }, "changedAt": ago(7300), "changedBy": { "S": "arn:me" },
    });
    operator.world.put_item("operator", &switch.to_string()).expect("put");
    for (name, deleting) in [("old", true), ("broken", false)] {
        let policy = json!({
            "kind": { "S": "standing" }, "id": { "S": format!("policy/{name}") }, "text": { "S": "kind: Nothing" },
            "deleting": { "BOOL": deleting },
        });
        operator.world.put_item("operator", &policy.to_string()).expect("put");
    }
    let running = json!({
        "run": { "S": "r" }, "phase": { "S": "listing" }, "startedAt": ago(125), "finishedAt": ago(7300),
        "pages": { "N": "3" }, "families": { "N": "240" }, "queued": { "N": "12" },
        "leaseOwner": { "S": "somebody" }, "leaseUntil": { "N": (now() + 900).to_string() },
    });
    operator.put_sweep(running);
    let out = operator.run(&["status"]).out;
    for wanted in [
        "in audit mode: it reports and writes nothing",
        "paused 2h ago, by arn:me: incident 7",
        "uninstalling: all sidecars are taken out again",
        "policies  none; 1 being deleted: old; broken cannot be read: ",
        "running for 2m: 3 pages, 240 families, 12 queued so far; the last one finished 2h ago",
    ] {
        assert!(out.contains(wanted), "{wanted}: {out}");
    }
    let told = &operator.json(&["status", "--format", "json"])["operator"];
    assert_eq!(
        (&told["audit"], &told["pausedBecause"], &told["uninstalling"]),
        (&json!(true), &json!("incident 7"), &json!(true))
    );
    assert_eq!((&told["sweep"]["underWay"], &told["sweep"]["phase"]), (&json!(true), &json!("listing")));
    operator.put_sweep(
        json!({ "run": { "S": "r" }, "phase": { "S": "rows" }, "startedAt": ago(5000), "goesOnAt": ago(4000) }),
    );
    let out = operator.run(&["status"]).out;
    assert!(out.contains("cut off: 0 pages, 0 families, 0 queued so far; the next one goes on from there"), "{out}");
    operator.put_sweep(
        json!({ "run": { "S": "r" }, "phase": { "S": "done" }, "finishedAt": ago(61), "families": { "N": "1" } }),
    );
    let out = operator.run(&["status"]).out;
    assert!(out.contains("finished 1m ago: 1 family, 0 queued to be looked at"), "{out}");
}

/// Off a terminal, a document to a line, and only where something changed.
#[test]
fn a_watcher_hears_of_changes() {
    let operator = many();
    let mut child = operator.spawn(&["status", "--watch"]);
    let mut lines = BufReader::new(child.0.stdout.take().expect("piped")).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().expect("a line").expect("text")).expect("JSON");
    assert_eq!(next()["totals"]["covered"], 1);
    operator.put_row("late", json!({ "state": { "S": "covered" } }));
    assert_eq!(next()["totals"]["covered"], 2);
}
