//! What is wrong is said: what, where, and what to do next. Nothing panics.

use super::{FARGATE, Run, run, run_in};

fn refused(input: &[u8]) -> Run {
    let run = run_in(&["inject", "--account", "111122223333", "--region", "eu-west-1", "-"], input, &[]);
    assert_eq!(run.out, "", "nothing on standard output");
    assert!(run.err.starts_with("error: "), "{}", run.err);
    assert!(!run.err.contains("panicked"), "{}", run.err);
    run
}

#[test]
fn an_input_at_fault_is_exit_code_1_with_the_place() {
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let deep = format!(r#"{{"family":"web","x":{deep},"containerDefinitions":[{{"name":"web"}}]}}"#);
    let long = format!(r#"{{"family":"{}"}}"#, "x".repeat(20 * 1024 * 1024));
    let cases: [(&[u8], &str); 13] = [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"{\n  \"family\": web\n}", "line 2 column"),
        (b"{\"family\":\"web\"", "line 1 column 15"),
        (b"{\"family\":\"a\xff\"}", "invalid byte at offset 12"),
        (b"{\"family\":\"a\",\n \"family\":\"b\"}", "duplicate key \"family\" at line 2 column 2"),
        (deep.as_bytes(), "nested deeper than 100 levels at line 1"),
        (long.as_bytes(), "longer than"),
        (b"[]", "it is an array, not an object"),
        (b"null", "it is null, not an object"),
        (b"{\"containerDefinitions\":[]}", "containerDefinitions are empty"),
        (b"{\"family\":\"web\"}", "no containerDefinitions"),
        (b"{\"containerDefinitions\":[{\"name\":\"\\ud800\"}]}", "lone surrogate"),
    ];
    for (input, wanted) in cases {
        let run = refused(input);
        assert_eq!(run.code, Some(1), "{}", run.err);
        assert!(run.err.contains(wanted), "{wanted}: {}", run.err);
    }
}

#[test]
fn a_missing_file_and_a_missing_region_are_exit_code_2() {
    let run = run_in(&["plan", "no/such/file.json"], b"", &[]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("cannot read no/such/file.json") && run.err.contains("because: "), "{}", run.err);

    let run = run_in(&["plan", "-"], FARGATE.as_bytes(), &[("HOME", "/nonexistent")]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("the Region is not known\nhint: pass --region"), "{}", run.err);

    let wrong = [("HOME", "/nonexistent"), ("AWS_REGION", "Frankfurt")];
    let run = run_in(&["plan", "-"], FARGATE.as_bytes(), &wrong);
    assert!(run.err.contains("variable AWS_REGION\n  because: \"Frankfurt\" is not a Region"), "{}", run.err);

    let run = run_in(&["plan", "--profile", "nope", "-"], FARGATE.as_bytes(), &[("HOME", "/nonexistent")]);
    assert!(run.err.contains("there is no profile nope"), "{}", run.err);
}

#[test]
fn options_that_cannot_be_right_name_the_allowed_shape() {
    for (option, wanted) in [
        (["--account", "12345"], "account id of twelve digits"),
        (["--region", "Frankfurt"], "a Region such as"),
        (["--default-task-role", "traced"], "must be a role's ARN"),
        (["--format", "yaml"], "possible values: text, json, patch"),
        (["--cache-prefix", "../x"], "2 to 30 characters of a lower-case path"),
    ] {
        let run = run_in(&["plan", option[0], option[1], "-"], FARGATE.as_bytes(), &[]);
        assert_eq!(run.code, Some(2), "{option:?}");
        assert!(run.err.contains(wanted), "{}", run.err);
    }
}

#[test]
fn the_doctor_wants_to_know_what_to_look_at() {
    for (options, wanted) in [
        (vec![], "--service <CLUSTER/NAME>|--vpc <ID>|--family <NAME>"),
        (vec!["--vpc", "vpc-1"], "is not a VPC's id such as"),
        (vec!["--vpc", "vpc-0a1b2c3d", "--subnets", "10.0.0.0/8"], "is not a subnet's id such as"),
        (vec!["--service", "checkout"], "must be CLUSTER/NAME"),
        (vec!["--service", "shop/checkout", "--family", "checkout"], "cannot be used with"),
        (vec!["--family", "checkout", "--format", "patch"], "possible values: text, json"),
        (vec!["--family", "checkout", "--profile", "nope"], "there is no profile nope"),
    ] {
        let run = run_in(&[vec!["doctor"], options].concat(), b"", &[("HOME", "/nonexistent")]);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{}", run.err);
        assert!(run.err.contains(wanted), "{}", run.err);
    }
    let run = run_in(&["doctor", "--family", "checkout", "--policy", "nope"], b"", &[("HOME", "/nonexistent")]);
    assert!(run.code == Some(1) && run.err.contains("there is no preset"), "{}", run.err);
}

#[test]
fn a_policy_at_fault_is_told_by_path_line_and_what_is_allowed() {
    let folder = std::env::temp_dir().join(format!("ecs-sidecar-policies-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let preset = include_str!("../../../core/presets/xray-daemon.yaml");
    for (from, to, wanted) in [
        ("mode: optIn", "mode: always", &["optIn", "optOut", "line 9"][..]),
        (
            "cpu: 32",
            "privileged: true",
            &["spec.container: unknown field `privileged`", "one of name, cpu", "line 30"][..],
        ),
        ("pin: tag", "pin: never", &["spec.image.pin", "tag", "digest"][..]),
        ("cacheRule: create", "cacheRule: maybe", &["spec.image.cacheRule", "find", "create"][..]),
        ("refreshHours: 24", "refreshHours: 1", &["spec.image.refreshHours", "24 to 8760", "line 26"][..]),
        ("retentionDays: 30", "retentionDays: 31", &["spec.logGroup.retentionDays", "one of 1, 3, 5", "30, 60"][..]),
        ("public.ecr.aws/xray", "docker.io/amazon", &["spec.image.upstream", "public.ecr.aws"][..]),
        (
            r#"command: ["--buffer-memory", "64"]"#,
            "command: --buffer",
            &["spec.container", "command", "must be an array"][..],
        ),
        ("containerPort: 2000", "containerPort: 99999", &["spec.container", "portMappings[0].containerPort"][..]),
        ("dependsOn: none", "dependsOn: HEALTHY", &["spec.application.dependsOn", "none, START", "line"][..]),
        (
            "mode: attach",
            "mode: attach\n    defaultTaskRole: traced",
            &["spec.permissions.defaultTaskRole", "ARN of a role"][..],
        ),
        ("kind: SidecarPolicy", "kind: Deployment", &["SidecarPolicy"][..]),
    ] {
        assert!(preset.contains(from), "{from}");
        let file = folder.join("policy.yaml");
        std::fs::write(&file, preset.replace(from, to)).expect("written");
        let path = file.display().to_string();
        let run = run(&["plan", "--policy", &path], FARGATE);
        assert_eq!(run.code, Some(1), "{}", run.err);
        assert!(wanted.iter().all(|wanted| run.err.contains(wanted)), "{wanted:?}: {}", run.err);
    }
    std::fs::remove_dir_all(&folder).expect("removed");
    let run = run(&["plan", "--policy", "xray"], FARGATE);
    assert!(run.err.contains("presets: xray-daemon"), "{}", run.err);
}
