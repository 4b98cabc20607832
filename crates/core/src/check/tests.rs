//! One invalid definition for every rule, made from a valid one by a few changes.

mod container_cases;
mod task_cases;

use super::*;
use serde_json::{Value as Json, from_str};

const FARGATE: &str = r#"{
    "family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "1 vCPU", "memory": "2 GB",
    "executionRoleArn": "arn:aws:iam::111122223333:role/ecs/execution", "taskRoleArn": "web",
    "pidMode": "task", "ipcMode": "", "ephemeralStorage": {"sizeInGiB": 21},
    "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
    "tags": [{"key": "team", "value": "blau grün/1"}, {"key": "empty"}],
    "volumes": [
        {"name": "scratch", "host": {}},
        {"name": "files", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "rootDirectory": "/",
            "transitEncryption": "ENABLED", "authorizationConfig": {"accessPointId": "fsap-1", "iam": "ENABLED"}}}
    ],
    "proxyConfiguration": {"type": "APPMESH", "containerName": "router", "properties": []},
    "containerDefinitions": [
        {"name": "web", "image": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1", "cpu": 1000, "memory": 1792,
         "memoryReservation": 1792, "essential": true, "links": [], "hostname": null, "futureMember": {"privileged": 7},
         "portMappings": [{"containerPort": 80, "hostPort": 80, "name": "http"}, {"containerPort": 80, "protocol": "udp"}],
         "environment": [{"name": "MODE", "value": "s3cret"}], "secrets": [{"name": "KEY", "valueFrom": "s3cret"}],
         "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::bucket/app.env"}],
         "dependsOn": [{"containerName": "router", "condition": "HEALTHY"}, {"containerName": "init", "condition": "SUCCESS"}],
         "mountPoints": [{"sourceVolume": "scratch", "containerPath": "/scratch"}], "startTimeout": 120, "stopTimeout": 2,
         "linuxParameters": {"capabilities": {"add": ["SYS_PTRACE"], "drop": ["ALL"]}, "initProcessEnabled": true},
         "restartPolicy": {"enabled": true, "ignoredExitCodes": [0], "restartAttemptPeriod": 60},
         "logConfiguration": {"logDriver": "awsfirelens", "options": {"Name": "cloudwatch"}}},
        {"name": "router", "image": "router@sha256:0123456789012345678901234567890123456789012345678901234567890123", "essential": false,
         "firelensConfiguration": {"type": "fluentbit", "options": {"config-file-type": "file"}},
         "healthCheck": {"command": ["CMD", "true"], "interval": 5, "timeout": 60, "retries": 10, "startPeriod": 0},
         "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g", "awslogs-region": "r", "awslogs-stream-prefix": "p"}}},
        {"name": "init", "image": "init", "essential": false, "volumesFrom": [{"sourceContainer": "web"}]}
    ]
}"#;

const EC2: &str = r#"{
    "family": "web", "requiresCompatibilities": ["EC2", "EXTERNAL"], "ipcMode": "host", "pidMode": "host", "cpu": "",
    "volumes": [{"name": "host", "host": {"sourcePath": "/"}}, {"name": "disk", "dockerVolumeConfiguration": {"scope": "task"}}],
    "placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}],
    "containerDefinitions": [
        {"name": "web", "image": "web", "memory": 128, "privileged": true, "links": ["redis:cache"], "hostname": "web",
         "portMappings": [{"containerPort": 80, "hostPort": 8080, "protocol": "TCP"}, {"containerPort": 80, "hostPort": 0},
            {"containerPortRange": "9000-9010"}], "linuxParameters": {"maxSwap": 0, "swappiness": 100, "devices": []},
         "ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 2}], "stopTimeout": 600,
         "logConfiguration": {"logDriver": "journald"}},
        {"name": "redis", "image": "redis", "memoryReservation": 4, "cpu": 0}
    ]
}"#;

/// A definition with changes: a JSON pointer and what to put there, `-` for the end of a list.
fn changed(base: &str, changes: &[(&str, &str)]) -> TaskDefinition {
    let mut json: Json = from_str(base).expect("the base is JSON");
    for (pointer, value) in changes {
        let value: Json = from_str(value).unwrap_or_else(|error| panic!("{pointer}: {error}"));
        let (parent, last) = pointer.rsplit_once('/').expect("a pointer");
        let parent = json.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer} has no parent"));
        match parent {
            Json::Array(items) if last == "-" => items.push(value),
            Json::Array(items) => items[last.parse::<usize>().expect("an index")] = value,
            Json::Object(members) => {
                members.insert(last.to_owned(), value);
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => panic!("{pointer}"),
        }
    }
    TaskDefinition::parse(&json.to_string()).expect("a task definition")
}

fn list(item: &str, count: usize) -> String {
    format!("[{}]", vec![item; count].join(","))
}

const WEB: &str = "/containerDefinitions/0";

/// A rule, the base, the changes (a pointer that begins with `.` is inside the first container), and the first path.
type Case = (Rule, &'static str, Vec<(&'static str, String)>, &'static str);

fn case<const N: usize>(
    rule: Rule,
    base: &'static str,
    changes: [(&'static str, &str); N],
    path: &'static str,
) -> Case {
    (rule, base, changes.map(|(pointer, value)| (pointer, value.to_owned())).to_vec(), path)
}

fn cases() -> Vec<Case> {
    let groups = [
        task_cases::shapes(),
        task_cases::names(),
        task_cases::sizes(),
        task_cases::fargate(),
        container_cases::ports(),
        container_cases::references(),
        container_cases::containers_and_tags(),
    ];
    groups.into_iter().flatten().collect()
}

fn build((_, base, changes, _): &Case) -> TaskDefinition {
    let pointers: Vec<String> =
        changes.iter().map(|(pointer, _)| pointer.replacen("./", &format!("{WEB}/"), 1)).collect();
    let changes: Vec<_> = pointers.iter().zip(changes).map(|(pointer, (_, value))| (&**pointer, &**value)).collect();
    changed(base, &changes)
}

#[test]
fn the_bases_have_no_finding_and_fit_what_they_ask_for() {
    use Compatibility::{Ec2, External, Fargate};
    for (base, fits) in [(FARGATE, [Ec2, Fargate]), (EC2, [External, Ec2])] {
        let definition = changed(base, &[]);
        assert_eq!(check(&definition), [], "{base}");
        assert_eq!(compatibilities(&definition), fits);
    }
}

#[test]
fn every_invalid_definition_breaks_its_rule_and_no_other() {
    for case in cases() {
        let (rule, _, changes, path) = &case;
        let findings = check(&build(&case));
        assert!(!findings.is_empty(), "{rule}: nothing found for {changes:?}");
        assert!(findings.iter().all(|finding| finding.rule == *rule), "{changes:?}: {findings:#?}");
        assert_eq!(findings[0].path, *path, "{rule}");
        assert!(!findings.iter().any(|finding| finding.message.contains("s3cret")), "{findings:?}");
    }
}

#[test]
fn every_rule_has_a_case_and_a_label_of_its_own() {
    let cases = cases();
    let mut labels = HashSet::new();
    for rule in Rule::ALL {
        assert!(cases.iter().any(|(covered, ..)| covered == rule), "no case for {rule}");
        assert!(labels.insert(rule.label()), "{rule} twice");
        assert!(rule.description().ends_with('.') && !rule.source().is_empty(), "{rule}");
    }
}

#[test]
fn fargate_is_lost_by_every_violation_of_fargate_but_found_only_where_it_is_asked_for() {
    for case in task_cases::fargate() {
        let asked = build(&case);
        assert!(!compatibilities(&asked).contains(&Compatibility::Fargate), "{}", case.0);
        assert!(fargate_rules_apply(&asked));
        let text = asked.text().replace(r#""requiresCompatibilities":["FARGATE"],"#, "");
        let silent = TaskDefinition::parse(&text).expect("a task definition");
        assert_eq!(check(&silent), [], "{}", case.0);
        assert!(!fargate_rules_apply(&silent), "{}", case.0);
    }
    let described = changed(EC2, &[("/compatibilities", r#"["EC2", "FARGATE"]"#)]);
    assert!(fargate_rules_apply(&described) && !fargate_rules_apply(&changed(EC2, &[])));
    let described = changed(FARGATE, &[("/compatibilities", r#"["EC2"]"#), ("/requiresCompatibilities", "[]")]);
    assert!(!fargate_rules_apply(&described));
}

#[test]
fn new_findings_are_a_difference_of_multisets() {
    let finding = |rule, path: &str| Finding { rule, path: path.to_owned(), message: String::new() };
    let before = [finding(Rule::TagKey, "a"), finding(Rule::TagKey, "a"), finding(Rule::CpuSum, "cpu")];
    let other_words = Finding { message: "other words".to_owned(), ..finding(Rule::CpuSum, "cpu") };
    let after = [finding(Rule::TagKey, "a"), other_words, finding(Rule::TagKey, "b"), finding(Rule::CpuSum, "cpu")];
    let new = new_findings(&before, &after);
    assert_eq!(new, [after[2].clone(), after[3].clone()]);
    assert_eq!(new_findings(&after, &after), []);
}

#[test]
fn a_cycle_is_found_whatever_the_order_and_the_length() {
    let container = |n: usize, to: usize| {
        format!(
            r#"{{"name":"c{n}","image":"i","memory":4,"dependsOn":[{{"containerName":"c{to}","condition":"START"}}]}}"#
        )
    };
    let count = 5_000;
    let ring: Vec<_> = (0..count).map(|n| container(n, (n + 1) % count)).collect();
    let definition = changed(EC2, &[("/containerDefinitions", &format!("[{}]", ring.join(",")))]);
    let of = |definition: &TaskDefinition| {
        check(definition).into_iter().filter(|finding| finding.rule == Rule::DependsOnCycle).count()
    };
    assert_eq!(of(&definition), count);
    let behind: Vec<_> = [container(0, 1), container(1, 2), container(2, 1), container(3, 3)].into();
    let definition = changed(EC2, &[("/containerDefinitions", &format!("[{}]", behind.join(",")))]);
    assert_eq!(of(&definition), 2);
}

#[test]
fn the_size_is_that_of_the_compact_text_without_tags() {
    let padded = |length: usize| {
        let compact = changed(
            EC2,
            &[("/containerDefinitions/0/command", &format!("[\"{}\",[],{{}},{{\"a\":[1]}}]", "x".repeat(length)))],
        );
        compact.text().to_owned()
    };
    let length = 64 * 1024 - padded(0).len();
    let too_large = |text: &str| {
        let definition = TaskDefinition::parse(text).expect("a task definition");
        check(&definition).iter().any(|finding| finding.rule == Rule::TooLarge)
    };
    assert_eq!(padded(length).len(), 64 * 1024);
    let spread = padded(length).replace("],", "] ,\n").replacen('{', "{ \"tags\": [],", 1);
    assert!(spread.len() > 64 * 1024 && !too_large(&spread));
    assert!(too_large(&padded(length + 1).replacen('{', "{ ", 1)));
}
