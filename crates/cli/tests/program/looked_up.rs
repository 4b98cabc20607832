//! `plan`, `inject` and `remove` of what is in AWS.

use super::folder::Folder;
use super::operator::{Operator, ROLE, TRACES, family, named};
use ecs_sidecar_aws::settings;
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn a_family_is_planned_with_a_look_at_what_it_needs() {
    let operator = Operator::with_web();
    operator.world.forget_calls();
    let plan = operator.out(&["plan", "web"]);
    assert!(plan.starts_with(&format!("web: inject xray-daemon\n  needs: {TRACES} on role {ROLE}\n")), "{plan}");
    assert!(!plan.contains("hunter2"));
    let answer = json(&operator.out(&["plan", "--format", "json", "web"]));
    assert_eq!((&answer["decision"], &answer["grants"][0]["role"]), (&"inject".into(), &ROLE.into()));
    assert_eq!(answer["source"], "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:1");
    assert_eq!(operator.writes(), [""; 0], "all of it is reads");

    operator.world.remove_tag("ecr-public/xray/aws-xray-daemon", "3.x");
    let plan = operator.out(&["plan", "web"]);
    assert!(plan.contains("  needs: image public.ecr.aws/xray/aws-xray-daemon:3.x in repository "), "{plan}");
    operator.world.remove_role("web");
    let plan = operator.out(&["plan", "web:1"]);
    assert_eq!(plan.lines().next(), Some("web: left alone (roleNotFound): there is no role web"));
}

#[test]
fn what_is_injected_is_what_the_file_gives_and_remove_gives_the_source() {
    let (operator, folder) = (Operator::with_web(), Folder::new());
    let patched = operator.run(&["inject", "web"]);
    assert_eq!(patched.code, Some(0), "{}", patched.err);
    assert!(patched.err.contains(&format!("needs: {TRACES} on role {ROLE}")), "{}", patched.err);
    let described = folder.file("described.json", &operator.world.describe("web").expect("described"));
    let of_the_file = operator.out(&["inject", &described]);
    assert_eq!(patched.out, of_the_file);
    operator.world.register(&patched.out).expect("ECS takes it");
    let up_to_date = operator.run(&["inject", "web"]);
    assert!(up_to_date.err.contains("web: up to date with xray-daemon"), "{}", up_to_date.err);
    let source = operator.out(&["inject", "web:1", "--format", "patch"]);
    assert_eq!(json(&source)[0]["op"], "add", "{source}");
    let taken_back = operator.out(&["remove", "web"]);
    assert_eq!(json(&taken_back)["containerDefinitions"].as_array().map(Vec::len), Some(1));
    assert_eq!(operator.writes(), [""; 0]);
}

#[test]
fn with_a_stack_its_policies_and_bounds_decide() {
    let (operator, folder) = (Operator::with(&[(settings::ALLOWED_ROLES, "shop/*")]), Folder::new());
    operator.register("web");
    let plan = operator.out(&["plan", "--stack", "ecs-sidecar", "web"]);
    assert!(plan.contains("(roleNotAllowed)"), "{plan}");
    assert!(operator.out(&["plan", "web"]).contains("web: inject"), "a person is not bound");

    let operator = Operator::with_web();
    let mine = named("traces").replace("cpu: 32", "cpu: 64");
    operator.out(&["policy", "apply", "-f", &folder.file("mine.yaml", &mine)]);
    let plan = operator.out(&["plan", "--stack", "ecs-sidecar", "web"]);
    assert!(plan.starts_with("web: inject traces\n"), "{plan}");
    assert!(plan.contains("policy/stack-execution on role"), "{plan}");
    operator.reconcile("web");
    let removed = operator.run(&["remove", "--stack", "ecs-sidecar", "web"]);
    assert!(removed.err.contains("web: remove traces"), "{}", removed.err);

    // Somebody takes the patched revision back, which the operator and a look know as a withdrawal.
    operator.world.deregister("web:2").expect("deregistered");
    let plan = operator.out(&["plan", "--stack", "ecs-sidecar", "web"]);
    assert!(plan.contains("(withdrawn)"), "{plan}");
    let plan = operator.out(&["plan", "--stack", "ecs-sidecar", "web:1"]);
    assert!(plan.starts_with("web: inject traces\n"), "of a certain revision nothing is known but itself: {plan}");
}

/// The operator's role has another name since; what the table says of the revision is enough.
#[test]
fn with_a_stack_its_table_tells_which_revision_is_the_operators() {
    let operator = Operator::with_web();
    operator.reconcile("web");
    operator.world.deregister("web:1").expect("deregistered");
    operator.add_function_with_role("arn:aws:iam::111122223333:role/stack/renamed");
    let plan = operator.out(&["plan", "--stack", "ecs-sidecar", "web"]);
    assert!(plan.starts_with("web: withdraw (sourceInactive)"), "{plan}");
    let plan = operator.out(&["plan", "web"]);
    assert!(plan.starts_with("web: up to date"), "without a stack nobody says whose it is: {plan}");
}

#[test]
fn what_cannot_be_looked_up_is_told() {
    let operator = Operator::with_web();
    let arn = "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:1";
    for verb in ["plan", "inject", "remove"] {
        operator.refused(
            &[verb, "shop"],
            1,
            "cannot look up shop in AWS\n  because: there is no ACTIVE revision of shop",
        );
        operator.refused(&[verb, "web:2"], 1, "there is no revision web:2 in eu-west-1");
        operator.refused(&[verb, "shop.json"], 2, "it is no file, and neither a family nor FAMILY:REVISION");
        operator.refused(&[verb, "-", "--stack", "ecs-sidecar"], 1, "standard input is neither a family");
        operator.refused(&[verb, "web", "--stack", "shop"], 2, "there is no operator shop");
        operator.refused(&[verb, &arn.replace("1111", "2222")], 1, "is in 222222223333, and 111122223333 is asked");
        operator.refused(&[verb, arn, "--region", "us-east-1"], 1, "is in eu-west-1, and us-east-1 is asked");
        operator.refused(&[verb, "arn:aws:ecs:eu-west-1:111122223333:cluster/web"], 2, "it is no file, and neither");
        let digest = format!("sha256:{}", "0a".repeat(32));
        operator.refused(&[verb, "web", "--image-digest", &digest], 2, "--image-digest says what AWS says of web");
        operator.refused(&[verb, "web", "--stack", "a", "--policy", "b"], 2, "cannot be used with");
        operator.refused(&[verb, "web", "--policy", "nope"], 1, "there is no preset");
    }
    assert!(operator.out(&["plan", arn]).starts_with("web: inject"));
    operator.world.deny("DescribeTaskDefinition", None);
    operator.refused(&["plan", "web"], 2, "cannot call DescribeTaskDefinition for web");
    let nowhere = super::run_in(&["plan", "web"], b"", &[("HOME", "/nonexistent")]);
    assert_eq!(nowhere.code, Some(2));
    assert!(nowhere.err.contains("cannot look up web in AWS\n  because: the Region is not known"), "{}", nowhere.err);
}

#[test]
fn options_of_a_person_count_when_looking_too() {
    let operator = Operator::with_web();
    let bare = family("bare").replace(&format!(r#""taskRoleArn":"{ROLE}","#), "");
    operator.world.register(&bare).expect("registered");
    assert!(operator.out(&["plan", "bare"]).contains("(noTaskRole)"));
    let plan = operator.out(&["plan", "bare", "--default-task-role", ROLE]);
    assert!(plan.starts_with("bare: inject"), "{plan}");
    let elsewhere = operator.out(&["plan", "web", "--cache-prefix", "other"]);
    assert!(elsewhere.contains("(image") || elsewhere.contains("needs: image"), "{elsewhere}");
}
