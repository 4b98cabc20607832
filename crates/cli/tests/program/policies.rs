//! `policy`: answers, and what is said of wrong inputs.

use super::folder::Folder;
use super::{FARGATE, Run, run_in};
use serde_json::Value;

const PRESET: &str = include_str!("../../../core/presets/xray-daemon.yaml");

/// Runs a verb of `policy` without any environment, and so without a place.
fn policy(verb: &str, arguments: &[&str], input: &str) -> Run {
    run_in(&[&["policy", verb], arguments].concat(), input.as_bytes(), &[])
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// The preset with another name and another line.
fn with(name: &str, from: &str, to: &str) -> String {
    assert!(PRESET.contains(from), "{from}");
    PRESET.replace("name: xray-daemon\nspec", &format!("name: {name}\nspec")).replace(from, to)
}

#[test]
fn valid_policies_are_told_by_file_and_name() {
    let folder = Folder::with(&[("one.yaml", PRESET), ("two.yaml", &with("traces", "pin: tag", "pin: digest"))]);
    let (one, two) = (folder.path("one.yaml"), folder.path("two.yaml"));
    let run = policy("validate", &[&one, &two, "-"], PRESET);
    let wanted = format!(
        "{one}: policy xray-daemon is valid\n{two}: policy traces is valid\nstandard input: policy xray-daemon is valid\n"
    );
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(0), wanted.as_str(), ""));
    let answer = json(&policy("validate", &["--format", "json", &two], "").out);
    assert_eq!((&answer[0]["policy"], &answer[0]["valid"]), (&"traces".into(), &true.into()));
    assert_eq!((&answer[0]["error"], &answer[0]["warnings"]), (&Value::Null, &Value::Array(vec![])));
}

#[test]
fn what_is_probably_not_meant_is_a_warning_and_no_failure() {
    for (from, to, wanted) in [
        (
            "compatibilities: [FARGATE, EC2, EXTERNAL]",
            "compatibilities: []",
            "spec.selector.compatibilities: with an empty",
        ),
        ("selector:", "selector:\n    excludeFamilies: [\"*\"]", "spec.selector.excludeFamilies: all that"),
        ("dependsOn: none", "dependsOn: START", "spec.application.dependsOn: where the sidecar cannot start"),
        ("networkModes: [bridge]", "networkModes: []", "spec.application.environment[0].networkModes: with an empty"),
        ("    memoryReservation: 256\n", "", "spec.container.memoryReservation: definitions whose"),
        ("daemon:3.x", "daemon:latest", "spec.image.upstream: each deployment"),
        ("missing: create", "missing: refuse", "spec.logGroup.retentionDays: only groups"),
    ] {
        let run = policy("validate", &["-"], &with("traces", from, to));
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
        let warnings: Vec<&str> = run.out.lines().skip(1).collect();
        assert!(warnings.len() == 1 && warnings[0].contains(wanted), "{wanted}: {}", run.out);
        let answer = json(&policy("validate", &["--format", "json", "-"], &with("traces", from, to)).out);
        let warning = &answer[0]["warnings"][0];
        assert!(wanted.starts_with(warning["place"].as_str().expect("a place")), "{warning}");
    }
    // A `?` stands for one character: this excludes next to nothing.
    let run = policy("validate", &["-"], &with("traces", "selector:", "selector:\n    excludeFamilies: [\"?\"]"));
    assert_eq!(run.out.lines().count(), 1, "{}", run.out);
}

#[test]
fn a_policy_at_fault_is_told_with_place_line_and_hint() {
    let hint = "hint: `ecs-sidecar policy schema` prints what a policy may say";
    for (from, to, wanted) in [
        ("cpu: 32", "privileged: true", &["spec.container: unknown field `privileged`", "line 30"][..]),
        ("name: traces", "name: true", &["metadata.name: ", "neither true nor false", "line 6"][..]),
        ("name: traces", "name: \"False\"", &["metadata.name: ", "neither true nor false"][..]),
        ("name: traces", "name: 2026", &["metadata.name: ", "2026 stands in quotes", "line 6"][..]),
        ("value: ${region}", "value: 7", &["spec.container", "[0] value must be a string"][..]),
        ("value: ${sidecar}:2000", "value: 2000", &["spec.application.environment[0].value", "must be quoted"][..]),
        ("refreshHours: 24", "refreshHours: \"24\"", &["spec.image.refreshHours", "string \"24\""][..]),
        ("essential: false", "essential: true", &["spec.container", "essential must be false", "line 28"][..]),
        ("essential: false", "stopTimeout: 121", &["spec.container", "stopTimeout must be at most 120 seconds"][..]),
        ("cpu: 32", "dependsOn: []", &["spec.container: unknown field `dependsOn`"][..]),
        ("dependsOn: none", "dependsOn: COMPLETE", &["spec.application.dependsOn", "none, START"][..]),
        ("cpu: 32", "cpu:", &["spec.container", "cpu must be a whole number"][..]),
        (r#"command: ["--buffer-memory", "64"]"#, "command:", &["spec.container", "command must be an array"][..]),
    ] {
        let run = policy("validate", &["-"], &with("traces", "apiVersion", "apiVersion").replace(from, to));
        assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{to}");
        assert!(run.err.starts_with("error: policy standard input: ") && run.err.contains(hint), "{}", run.err);
        assert!(wanted.iter().all(|wanted| run.err.contains(wanted)), "{wanted:?}: {}", run.err);
    }
    for (text, wanted) in [
        ("", "is empty"),
        ("# nothing\n", "the document: "),
        ("spec: {", "line 1"),
        ("\t- x", "line 1"),
        ("- a\n- b\n", "the document: "),
        ("just words", "the document: "),
    ] {
        let run = policy("validate", &["-"], text);
        assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{text:?}");
        assert!(run.err.contains(wanted) && !run.err.contains("panicked"), "{text:?}: {}", run.err);
    }
}

#[test]
fn each_wrong_file_is_told_and_the_worst_one_is_the_exit_code() {
    let privileged = with("traces", "cpu: 32", "privileged: true");
    let files = [("fine.yaml", PRESET), ("one.yaml", &privileged), ("two.yaml", "spec: {")];
    let folder = Folder::with(&files);
    let (fine, one, two) = (folder.path("fine.yaml"), folder.path("one.yaml"), folder.path("two.yaml"));
    let run = policy("validate", &[&one, &fine, &two], "");
    assert_eq!((run.code, run.out), (Some(1), format!("{fine}: policy xray-daemon is valid\n")));
    for file in [&one, &two] {
        assert!(run.err.contains(&format!("error: policy {file}: ")), "{}", run.err);
    }
    let nowhere = folder.path("nowhere.yaml");
    let run = policy("validate", &[&nowhere, &one], "");
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains(&format!("error: cannot read {nowhere}\n  because: ")), "{}", run.err);

    let run = policy("validate", &["--format", "json", &one, &nowhere, &fine], "");
    assert_eq!((run.code, run.err.as_str()), (Some(2), ""));
    let answer = json(&run.out);
    assert_eq!(answer[0]["error"]["place"], "spec.container");
    assert!(answer[0]["error"]["hint"].is_string());
    assert!(answer[1]["error"]["message"].as_str().expect("a message").contains("cannot read"), "{answer}");
    assert_eq!((&answer[1]["error"]["place"], &answer[2]["valid"]), (&Value::Null, &true.into()));
    assert_eq!(policy("validate", &[], "").code, Some(2), "a file has to be named");
}

#[test]
fn the_schema_is_the_committed_one() {
    let committed = include_str!("../../../../docs/policy.schema.json");
    let run = policy("schema", &[], "");
    assert_eq!(run.code, Some(0));
    assert_eq!(run.out, committed, "print it anew: ecs-sidecar policy schema > docs/policy.schema.json");
}

#[test]
fn explain_tells_the_winner_the_rule_and_why_not_the_others() {
    let metrics = with("metrics", "selector:", "selector:\n    families: [shop-*]");
    let logs = with("logs", "mode: optIn", "mode: optOut");
    let folder = Folder::with(&[("metrics.yaml", &metrics), ("logs.yaml", &logs)]);
    let (metrics, logs) = (folder.path("metrics.yaml"), folder.path("logs.yaml"));
    let among = ["--policy", &metrics, "--policy", &logs, "--policy", "xray-daemon"];
    let run = policy("explain", &[&among[..], &["-"]].concat(), FARGATE);
    let wanted = "\
web: the sidecar of logs
  rule     firstOptOut: Nothing is asked for: the first `optOut` policy that selects the definition wins.
  asks     nothing
  receipt  none

  POLICY       MODE    SELECTS  WHY NOT
  metrics      optIn   no       notSelected: policy metrics leaves out family web
* logs         optOut  yes      -
  xray-daemon  optIn   yes      it waits to be asked for
";
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(0), wanted, ""));

    let asking = FARGATE
        .replace(r#""image":"web:7","#, r#""image":"web:7","dockerLabels":{"ecs-sidecar/inject":" xray-daemon "},"#);
    let run = policy("explain", &[&among[..], &["--format", "json", "-"]].concat(), &asking);
    let answer = json(&run.out);
    assert_eq!((&answer["winner"], &answer["rule"]), (&"xray-daemon".into(), &"askedByName".into()));
    assert_eq!((&answer["verdict"], &answer["reason"]), (&"sidecar".into(), &Value::Null));
    assert_eq!(answer["asks"], serde_json::json!([{ "word": "xray-daemon", "by": "label", "container": "web" }]));
    let policies = answer["policies"].as_array().expect("policies");
    assert_eq!(
        policies.iter().map(|policy| policy["name"].as_str()).collect::<Vec<_>>(),
        [Some("metrics"), Some("logs"), Some("xray-daemon")]
    );
    assert_eq!((&policies[0]["selects"], &policies[0]["reason"]), (&false.into(), &"notSelected".into()));
    assert!(!run.out.contains("hunter2"));
}

#[test]
fn explain_reads_receipts_and_tells_of_what_keeps_the_definition_as_it_is() {
    let patched = super::run(&["inject"], FARGATE).out;
    let run = policy("explain", &["-"], &patched);
    assert!(
        run.out.contains("rule     receipt: ") && run.out.contains("receipt  of policy xray-daemon, by cli"),
        "{}",
        run.out
    );
    let edited = patched.replace(r#""memoryReservation":256"#, r#""memoryReservation":512"#);
    let run = policy("explain", &["-"], &edited);
    assert!(run.out.contains("web: left alone\n  rule     editedSidecar: "), "{}", run.out);
    let declined = FARGATE.replacen('{', r#"{"tags":[{"key":"ecs-sidecar/inject","value":"FALSE"}],"#, 1);
    let run = policy("explain", &["-"], &declined);
    assert!(run.out.contains("rule     optedOut: ") && run.out.contains(r#"asks     "false" (tag)"#), "{}", run.out);
    assert!(!run.out.contains("  reason "), "the rule says it all: {}", run.out);
}

#[test]
fn explain_refuses_what_is_no_definition_and_no_policy() {
    for (arguments, input, code, wanted) in [
        (&["-"][..], "[]", 1, "it is an array, not an object"),
        (&["-"][..], "", 1, "is empty"),
        (&["no/such/file.json"][..], "", 2, "cannot read no/such/file.json"),
        (&["--policy", "nope", "-"][..], FARGATE, 1, "there is no preset \"nope\""),
        (&["--policy", "no/such.yaml", "-"][..], FARGATE, 2, "cannot read no/such.yaml"),
        (&["--format", "patch", "-"][..], FARGATE, 2, "possible values: text, json"),
    ] {
        let run = policy("explain", arguments, input);
        assert_eq!((run.code, run.out.as_str()), (Some(code), ""), "{}", run.err);
        assert!(run.err.contains(wanted), "{}", run.err);
    }
}

#[test]
fn every_preset_is_valid_and_can_be_injected_and_taken_back() {
    let bridge = FARGATE
        .replace(r#""requiresCompatibilities":["FARGATE"],"networkMode":"awsvpc""#, r#""networkMode":"bridge""#)
        .replace("web:7", "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:7");
    let digest = format!("sha256:{}", "0a".repeat(32));
    for (name, text) in ecs_sidecar_core::policy::PRESETS {
        let valid = policy("validate", &["-"], text);
        assert_eq!(valid.out, format!("standard input: policy {name} is valid\n"), "without a warning");
        for definition in [FARGATE, &bridge] {
            let patched = super::run(&["inject", "--policy", name, "--image-digest", &digest], definition);
            assert_eq!(patched.code, Some(0), "{}", patched.err);
            assert!(patched.err.contains(&format!("web: inject {name}")), "{}", patched.err);
            let restored = run_in(&["remove", "-"], patched.out.as_bytes(), &[]);
            assert_eq!(restored.out, definition);
            let findings = |text: &str| json(&super::run(&["check", "--format", "json"], text).out)["findings"].clone();
            assert_eq!(findings(&patched.out), findings(definition));
        }
    }
}
