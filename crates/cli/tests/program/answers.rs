//! What the verbs answer.

use super::folder::Folder;
use super::{FARGATE, run, run_in};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn plan_as_json_has_decision_reason_and_edits_with_reasons() {
    let run = run(&["plan", "--format", "json"], FARGATE);
    assert_eq!(run.code, Some(0));
    let answer = json(&run.out);
    assert_eq!(answer["decision"], "inject");
    assert_eq!(answer["reason"], Value::Null);
    assert_eq!((&answer["family"], &answer["policy"]), (&"web".into(), &"xray-daemon".into()));
    assert!(answer["digest"].as_str().expect("a digest").starts_with("sha256:"));
    let edits = answer["edits"].as_array().expect("edits");
    assert_eq!(edits[0]["path"], "containerDefinitions[xray-daemon]");
    assert!(edits.iter().all(|edit| edit["reason"].as_str().is_some_and(|reason| !reason.is_empty())));
}

#[test]
fn the_patch_leads_from_the_file_to_what_inject_prints() {
    let described = format!(r#"{{"taskDefinition":{},"tags":[]}}"#, FARGATE.replacen('{', r#"{"revision":3,"#, 1));
    for input in [FARGATE, &described] {
        let patch = run(&["plan", "--format", "patch"], input);
        let mut document = json(input);
        for operation in json(&patch.out).as_array().expect("operations") {
            let path = operation["path"].as_str().expect("a path");
            let value = operation["value"].clone();
            match (operation["op"].as_str(), path.rsplit_once('/')) {
                (Some("replace"), None) => document = value,
                (Some("add"), Some((list, "-"))) => {
                    document.pointer_mut(list).and_then(Value::as_array_mut).expect("a list").push(value);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(document, json(&run(&["inject"], input).out));
    }
}

#[test]
fn text_shows_the_reasons_and_hides_what_may_be_secret() {
    let secret = FARGATE.replace(
        r#""image":"web:7","#,
        r#""image":"web:7","logConfiguration":{"logDriver":"splunk","options":{"splunk-url":"https://splunk","splunk-token":"hunter2"}},"#,
    );
    for format in ["text", "json"] {
        let run = run(&["plan", "--format", format], &secret);
        assert!(!run.out.contains("hunter2") && !run.err.contains("hunter2"), "{}", run.out);
        assert!(run.out.contains("policy xray-daemon adds this container"), "{}", run.out);
    }
    assert!(!run(&["plan"], FARGATE).out.contains('\u{1b}'), "colour is for terminals");
    assert!(run(&["plan", "--color", "always"], FARGATE).out.contains('\u{1b}'));
}

#[test]
fn what_nobody_can_classify_is_hidden_as_a_whole() {
    for part in [
        r#""environment":[{"name":"A","Value":"hunter2"}]"#,
        r#""environment":{"A":"hunter2"}"#,
        r#""environment":["A=hunter2"]"#,
        r#""repositoryCredentials":{"credentialsParameter":"hunter2"}"#,
        r#""environmentFiles":[{"value":"hunter2","type":"s3"}]"#,
        r#""logConfiguration":{"logDriver":"splunk","options":{"splunk-url":"u","splunk-token":"t"},"new":{"t":"hunter2"}}"#,
    ] {
        let input = FARGATE.replace(r#""environment":[{"name":"PASSWORD","value":"hunter2"}]"#, part);
        assert!(input.contains("hunter2"), "{part}");
        for format in ["text", "json"] {
            let run = run(&["plan", "--format", format], &input);
            assert!(!run.out.contains("hunter2") && !run.err.contains("hunter2"), "{part}: {}", run.out);
        }
        let patched = run(&["inject"], &input).out;
        let label = patched.split("ecs-sidecar/receipt").nth(1).unwrap_or_default();
        assert!(!label.contains("hunter2"), "{label}");
    }
}

#[test]
fn what_does_not_depend_on_the_place_needs_none() {
    let nowhere = [("HOME", "/nonexistent")];
    let opted_out = FARGATE.replacen('{', r#"{"tags":[{"key":"ecs-sidecar/inject","value":"false"}],"#, 1);
    let run_plan = run_in(&["plan", "-"], opted_out.as_bytes(), &nowhere);
    assert!(run_plan.code == Some(0) && run_plan.out.contains("(optedOut)"), "{}", run_plan.err);
    let patched = run(&["inject"], FARGATE).out;
    let removed = run_in(&["remove", "-"], patched.as_bytes(), &nowhere);
    assert_eq!((removed.code, removed.out.as_str()), (Some(0), FARGATE), "to the byte, and without a newline of ours");
}

#[test]
fn check_finds_and_its_exit_code_says_so() {
    let broken = FARGATE.replace(r#""memory":"512""#, r#""memory":"8192""#);
    let run_text = run(&["check"], &broken);
    assert_eq!(run_text.code, Some(1));
    assert!(run_text.out.contains("(fargateSize)"), "{}", run_text.out);
    let answer = json(&run(&["check", "--format", "json"], &broken).out);
    assert_eq!(answer["findings"][0]["rule"], "fargateSize");
    let fine = FARGATE.replace("web:7", "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:7");
    assert_eq!(run(&["check"], &fine).code, Some(0));
}

#[test]
fn account_and_region_come_from_arns_and_then_from_the_configuration() {
    let folder = Folder::new();
    let path = folder.file("config", "[profile build]\nregion = ap-south-1\nsso_account_id = 999988887777\n");
    let image = |input: &str, environment: &[(&str, &str)]| {
        let run = run_in(&["inject", "-"], input.as_bytes(), environment);
        let answer = json(&run.out);
        answer["containerDefinitions"][1]["image"].as_str().unwrap_or(&run.err).to_owned()
    };
    let profile = [("AWS_CONFIG_FILE", path.as_str()), ("AWS_PROFILE", "build")];
    assert!(image(FARGATE, &[("AWS_REGION", "eu-north-1")]).starts_with("111122223333.dkr.ecr.eu-north-1."));
    assert!(image(FARGATE, &profile).starts_with("111122223333.dkr.ecr.ap-south-1."));
    let without_arns = FARGATE.replace("arn:aws:iam::111122223333:role/", "");
    assert!(image(&without_arns, &profile).starts_with("999988887777.dkr.ecr.ap-south-1."));
    let own =
        FARGATE.replacen('{', r#"{"taskDefinitionArn":"arn:aws:ecs:us-east-1:111122223333:task-definition/web:3","#, 1);
    assert!(image(&own, &profile).starts_with("111122223333.dkr.ecr.us-east-1."));
}

#[test]
fn the_committed_references_are_what_the_program_prints() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let references = [("cli", "cli.md"), ("rules", "rules.md"), ("doctor", "doctor.md"), ("reasons", "reasons.md")];
    for (topic, file) in references {
        let file = format!("docs/{file}");
        let committed = std::fs::read_to_string(format!("{root}/{file}")).expect("a reference");
        let printed = run_in(&["reference", topic], b"", &[]).out;
        assert!(committed.contains(printed.trim_end()), "print it anew: ecs-sidecar reference {topic}");
    }
}

#[test]
fn help_has_examples_and_completions_are_for_every_shell() {
    for verb in ["plan", "inject", "remove", "check"] {
        let help = run_in(&[verb, "--help"], b"", &[]);
        assert_eq!(help.code, Some(0));
        assert!(help.out.contains("Examples:") && help.out.contains("--trust-instance-role"), "{}", help.out);
    }
    let doctor = run_in(&["doctor", "--help"], b"", &[]);
    assert!(doctor.code == Some(0) && doctor.out.contains("Examples:"), "{}", doctor.out);
    for verb in ["status", "wait", "pause", "resume", "sweep", "reconcile"] {
        let help = run_in(&[verb, "--help"], b"", &[]);
        assert!(help.code == Some(0) && help.out.contains("Example") && help.out.contains("--stack"), "{}", help.out);
    }
    for verb in ["validate", "schema", "explain"] {
        let help = run_in(&["policy", verb, "--help"], b"", &[]);
        assert!(help.code == Some(0) && help.out.contains("Example"), "{}", help.out);
    }
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(run_in(&["completions", shell], b"", &[]).out.contains("ecs-sidecar"), "{shell}");
    }
}
