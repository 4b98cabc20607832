//! `status --pinned`: who starts tasks from a revision that the operator patched.

use super::operator::{Operator, arn};
use serde_json::{Value, json};

const README: &str = include_str!("../../../../README.md");

const RUN_TASK: &str = "arn:aws:scheduler:::aws-sdk:ecs:runTask";

/// A target that runs a task, as EventBridge and Scheduler write it.
fn target(id: &str, task_definition: &str) -> String {
    json!({
        "Id": id, "Arn": "arn:aws:ecs:eu-west-1:111122223333:cluster/shop", "RoleArn": "arn:aws:iam::111122223333:role/runs",
        "EcsParameters": { "TaskDefinitionArn": task_definition, "TaskCount": 2 },
    })
    .to_string()
}

fn universal(task_definition: &str) -> String {
    let input = json!({ "Cluster": "shop", "TaskDefinition": task_definition }).to_string();
    json!({ "Arn": RUN_TASK, "RoleArn": "arn:aws:iam::111122223333:role/runs", "Input": input }).to_string()
}

fn states(task_definition: &str) -> String {
    let parameters = json!({ "Cluster": "shop", "TaskDefinition": task_definition });
    json!({ "StartAt": "Run", "States": { "Run": { "Type": "Task", "Parameters": parameters, "End": true } } })
        .to_string()
}

/// The family `web`, whose web:2 was made from web:1.
fn patched() -> Operator {
    let operator = Operator::with_web();
    operator.reconcile("web");
    operator
}

fn pinned(operator: &Operator, more: &[&str]) -> Value {
    operator.json(&[&["status", "--pinned", "--format", "json"], more].concat())
}

/// Kind and name of what is told.
fn names(answer: &Value) -> Vec<String> {
    let text = |pin: &Value, member: &str| pin[member].as_str().unwrap_or_default().to_owned();
    let name = |pin: &Value| format!("{} {}{}", text(pin, "kind"), text(pin, "name"), text(pin, "target"));
    answer["pinned"].as_array().expect("pins").iter().map(name).collect()
}

#[test]
fn the_patched_revision_is_found_wherever_it_is_pinned_and_nothing_else() {
    let operator = patched();
    operator.world.add_bus("jobs");
    let elsewhere = "arn:aws:ecs:eu-west-1:444455556666:task-definition/web:1";
    let family = "arn:aws:ecs:eu-west-1:111122223333:task-definition/web";
    let others = [("family", family), ("elsewhere", elsewhere), ("right", &arn("web:2")), ("later", &arn("web:9"))];
    let mut targets: Vec<String> = others.iter().map(|(id, names)| target(id, names)).collect();
    targets.push(target("old", &arn("web:1")));
    targets.push(target("unknown", &arn("search:1")));
    targets.push(json!({ "Id": "queue", "Arn": "arn:aws:sqs:eu-west-1:111122223333:work" }).to_string());
    operator.world.add_rule("default", "nightly", &targets);
    operator.world.add_rule("jobs", "hourly", &[target("job", &arn("web:1"))]);
    operator.world.add_schedule("default", "daily", &target("", &arn("web:1")));
    operator.world.add_schedule("reports", "weekly", &universal("web:1"));
    operator.world.add_schedule("reports", "newest", &universal("web"));
    operator.world.add_schedule("reports", "lambda", r#"{"Arn":"arn:aws:lambda:eu-west-1:111122223333:function:x"}"#);
    operator.world.add_state_machine("export", &states("web:1"));
    operator.world.add_state_machine("by-arn", &states(&arn("web:1")));
    for (name, task_definition) in [("newest", "web"), ("worked-out", "{% $x %}"), ("filled-in", "${TaskDefinition}")] {
        operator.world.add_state_machine(name, &states(task_definition));
    }
    operator.world.forget_calls();
    let answer = pinned(&operator, &[]);
    let wanted =
        ["target old", "target job", "schedule daily", "schedule weekly", "stateMachine by-arn", "stateMachine export"];
    assert_eq!(names(&answer), wanted, "{answer}");
    assert_eq!(answer["lookedAt"], json!({ "rules": 2, "schedules": 4, "stateMachines": 5 }));
    assert_eq!(answer["notLookedAt"], json!([]));
    for pin in answer["pinned"].as_array().expect("pins") {
        assert_eq!((&pin["family"], &pin["because"]), (&json!("web"), &json!("patched")));
        assert_eq!((&pin["pins"], &pin["shouldPin"]), (&json!(arn("web:1")), &json!(arn("web:2"))));
    }
    assert_eq!(
        (&answer["pinned"][0]["bus"], &answer["pinned"][0]["rule"], &answer["pinned"][3]["group"]),
        (&json!("default"), &json!("nightly"), &json!("reports"))
    );
    assert_eq!(operator.writes(), [""; 0], "it only reads");
}

#[test]
fn each_has_the_command_that_moves_it() {
    let operator = patched();
    operator.world.add_rule("default", "nightly", &[target("job", &arn("web:1"))]);
    operator.world.add_schedule("default", "daily", &target("", &arn("web:1")));
    operator.world.add_state_machine("export", &states("web:1"));
    let run = operator.out(&["status", "--pinned"]);
    let (table, commands) = run.split_once("\n\n").expect("a table and more");
    let wanted = "\
WHAT           NAME                         PINS   WHICH           SHOULD PIN
rule           default/nightly, target job  web:1  has no sidecar  web:2
schedule       default/daily                web:1  has no sidecar  web:2
state machine  export                       web:1  has no sidecar  web:2";
    assert_eq!(table, wanted);
    let (web, machine) = (arn("web:2"), "arn:aws:states:eu-west-1:111122223333:stateMachine:export");
    let wanted = format!(
        r#"# a role that starts tasks must be allowed to run the new revision; generated roles often name the old one

# rule default/nightly, target job
aws events list-targets-by-rule --event-bus-name default --rule nightly --region eu-west-1 --output json |
  jq '[.Targets[] | select(.Id == "job") | .EcsParameters.TaskDefinitionArn = "{web}"]' |
  aws events put-targets --event-bus-name default --rule nightly --region eu-west-1 --targets file:///dev/stdin

# schedule default/daily
aws scheduler update-schedule --region eu-west-1 --cli-input-json "$(
  aws scheduler get-schedule --group-name default --name daily --region eu-west-1 --output json |
  jq 'del(.Arn, .CreationDate, .LastModificationDate) | .Target.EcsParameters.TaskDefinitionArn = "{web}"')"

# state machine export
aws stepfunctions describe-state-machine --state-machine-arn {machine} --region eu-west-1 --output json |
  jq '.definition | fromjson | (.. | objects | select(.TaskDefinition == "web:1") | .TaskDefinition) = "web:2"' |
  aws stepfunctions update-state-machine --state-machine-arn {machine} --region eu-west-1 --definition file:///dev/stdin

looked at 1 rule, 1 schedule and 1 state machine
"#
    );
    assert_eq!(commands, wanted);
}

#[test]
fn a_rule_of_a_service_is_told_without_a_command() {
    let operator = patched();
    operator.world.add_rule("default", "theirs", &[target("job", &arn("web:1"))]);
    operator.world.set_rule_managed_by("default", "theirs", "batch.amazonaws.com");
    let answer = pinned(&operator, &[]);
    assert_eq!(answer["pinned"][0]["command"], Value::Null);
    assert_eq!(answer["pinned"][0]["managedBy"], "batch.amazonaws.com");
    let out = operator.out(&["status", "--pinned"]);
    assert!(out.contains("# its rule is managed by a service of AWS") && !out.contains("put-targets"), "{out}");
}

#[test]
fn revisions_of_the_operators_own_are_told_where_it_is_certain() {
    let operator = patched();
    operator.register("web");
    let row = |source: &str| {
        json!({
            "state": { "S": "covered" }, "source": { "S": arn(source) }, "patched": { "S": arn("web:7") },
            "deregistered": { "SS": [arn("web:5")] },
        })
    };
    operator.put_row("web", row("web:1"));
    for (id, names) in [("ours", "web:2"), ("owners", "web:3"), ("gone", "web:4"), ("withdrawn", "web:5")] {
        operator.world.add_rule("default", id, &[target(id, &arn(names))]);
    }
    let told = |answer: &Value| {
        let pins = answer["pinned"].as_array().expect("pins").clone();
        pins.iter().map(|pin| format!("{} {}", pin["target"], pin["because"]).replace('"', "")).collect::<Vec<_>>()
    };
    let answer = pinned(&operator, &[]);
    assert_eq!(told(&answer), ["ours renewed", "withdrawn deregistered"], "{answer}");
    operator.world.deny("DescribeTaskDefinition", None);
    let answer = pinned(&operator, &[]);
    assert_eq!(told(&answer), ["withdrawn deregistered"]);
    assert_eq!(answer["notLookedAt"][0]["action"], "ecs:DescribeTaskDefinition");
    operator.world.allow_all();
    // Of another source: what it should start instead is the owner's to say.
    operator.put_row("web", row("web:0"));
    assert_eq!(told(&pinned(&operator, &[])), ["withdrawn deregistered"]);
}

#[test]
fn families_narrow_it_and_nothing_is_told_as_nothing() {
    let operator = patched();
    operator.register("search");
    operator.reconcile("search");
    for family in ["web", "search"] {
        operator.world.add_rule("default", family, &[target("job", &arn(&format!("{family}:1")))]);
    }
    let rules = |more: &[&str]| -> Vec<Value> {
        let answer = pinned(&operator, more);
        answer["pinned"].as_array().expect("pins").iter().map(|pin| pin["rule"].clone()).collect()
    };
    assert_eq!(rules(&[]), ["search", "web"]);
    assert_eq!(rules(&["we?"]), ["web"]);
    let out = operator.out(&["status", "--pinned", "other"]);
    assert!(out.starts_with("nothing that was looked at pins a revision that the operator patched\n"), "{out}");
    operator.refused(&["status", "--pinned", "--watch"], 2, "cannot be used with");
}

#[test]
fn what_may_not_be_looked_at_is_named_and_hides_nothing_else() {
    let operator = patched();
    operator.world.add_rule("default", "nightly", &[target("job", &arn("web:1"))]);
    operator.world.add_schedule("default", "daily", &target("", &arn("web:1")));
    operator.world.add_state_machine("export", &states("web:1"));
    for (operations, action, left) in [
        (
            &["ListEventBuses"][..],
            "events:ListEventBuses",
            &["target job", "schedule daily", "stateMachine export"][..],
        ),
        (&["ListRules"], "events:ListRules", &["schedule daily", "stateMachine export"]),
        (&["ListTargetsByRule"], "events:ListTargetsByRule", &["schedule daily", "stateMachine export"]),
        (&["ListSchedules"], "scheduler:ListSchedules", &["target job", "stateMachine export"]),
        (&["GetSchedule"], "scheduler:GetSchedule", &["target job", "stateMachine export"]),
        (&["ListStateMachines"], "states:ListStateMachines", &["target job", "schedule daily"]),
        (&["DescribeStateMachine"], "states:DescribeStateMachine", &["target job", "schedule daily"]),
    ] {
        let (_, operation) = action.split_once(':').expect("an action");
        assert!(README.contains(operation), "README says nothing of {action}");
        operator.world.allow_all();
        operations.iter().for_each(|operation| operator.world.deny(operation, None));
        let answer = pinned(&operator, &[]);
        assert_eq!(names(&answer), left, "{action}: {answer}");
        let refused = &answer["notLookedAt"];
        assert_eq!((&refused[0]["action"], &refused[0]["denied"]), (&json!(action), &json!(true)), "{answer}");
        assert_eq!(refused.as_array().map(Vec::len), Some(1));
        let out = operator.out(&["status", "--pinned"]);
        assert!(out.contains(&format!("not all was looked at: {action} is not allowed: ")), "{out}");
    }
}

/// A hundred a page, and one more.
#[test]
fn all_pages_are_looked_at() {
    let operator = patched();
    for number in 100..=200 {
        operator.world.add_rule("default", &format!("rule-{number}"), &[]);
        operator.world.add_schedule("default", &format!("schedule-{number}"), r#"{"Arn":"arn:aws:sqs:::x"}"#);
        operator.world.add_state_machine(&format!("machine-{number}"), "{}");
    }
    operator.world.add_rule("default", "zz-last", &[target("job", &arn("web:1"))]);
    operator.world.add_schedule("default", "zz-last", &target("", &arn("web:1")));
    operator.world.add_state_machine("zz-last", &states("web:1"));
    let answer = pinned(&operator, &[]);
    assert_eq!(answer["lookedAt"], json!({ "rules": 102, "schedules": 102, "stateMachines": 102 }));
    assert_eq!(answer["pinned"].as_array().map(Vec::len), Some(3), "{answer}");
}
