//! `plan`, `inject` and `remove` of what is in AWS.

use super::account::{Account, Folder, ROLE, TRACES, family, named};
use ecs_sidecar_aws::settings;
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn a_family_is_planned_with_a_look_at_what_it_needs() {
    let account = Account::new(&[]);
    account.world.forget_calls();
    let plan = account.out(&["plan", "web"]);
    assert!(plan.starts_with(&format!("web: inject xray-daemon\n  needs: {TRACES} on role {ROLE}\n")), "{plan}");
    assert!(!plan.contains("hunter2"));
    let answer = json(&account.out(&["plan", "--format", "json", "web"]));
    assert_eq!((&answer["decision"], &answer["grants"][0]["role"]), (&"inject".into(), &ROLE.into()));
    assert_eq!(answer["source"], "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:1");
    assert_eq!(account.writes(), [""; 0], "all of it is reads");

    account.world.remove_tag("ecr-public/xray/aws-xray-daemon", "3.x");
    let plan = account.out(&["plan", "web"]);
    assert!(plan.contains("  needs: image public.ecr.aws/xray/aws-xray-daemon:3.x in repository "), "{plan}");
    account.world.remove_role("web");
    let plan = account.out(&["plan", "web:1"]);
    assert_eq!(plan.lines().next(), Some("web: left alone (roleNotFound): there is no role web"));
}

#[test]
fn what_is_injected_is_what_the_file_gives_and_remove_gives_the_source() {
    let (account, folder) = (Account::new(&[]), Folder::new("inject"));
    let patched = account.run(&["inject", "web"]);
    assert_eq!(patched.code, Some(0), "{}", patched.err);
    assert!(patched.err.contains(&format!("needs: {TRACES} on role {ROLE}")), "{}", patched.err);
    let described = folder.file("described.json", &account.world.describe("web").expect("described"));
    let of_the_file = account.out(&["inject", &described]);
    assert_eq!(patched.out, of_the_file);
    account.world.register(&patched.out).expect("ECS takes it");
    let up_to_date = account.run(&["inject", "web"]);
    assert!(up_to_date.err.contains("web: up to date with xray-daemon"), "{}", up_to_date.err);
    let source = account.out(&["inject", "web:1", "--format", "patch"]);
    assert_eq!(json(&source)[0]["op"], "add", "{source}");
    let taken_back = account.out(&["remove", "web"]);
    assert_eq!(json(&taken_back)["containerDefinitions"].as_array().map(Vec::len), Some(1));
    assert_eq!(account.writes(), [""; 0]);
}

#[test]
fn with_a_stack_its_policies_and_bounds_decide() {
    let (account, folder) = (Account::new(&[(settings::ALLOWED_ROLES, "shop/*")]), Folder::new("stack"));
    let plan = account.out(&["plan", "--stack", "ecs-sidecar", "web"]);
    assert!(plan.contains("(roleNotAllowed)"), "{plan}");
    assert!(account.out(&["plan", "web"]).contains("web: inject"), "a person is not bound");

    let account = Account::new(&[]);
    let mine = named("traces").replace("cpu: 32", "cpu: 64");
    account.out(&["policy", "apply", "-f", &folder.file("mine.yaml", &mine)]);
    let plan = account.out(&["plan", "--stack", "ecs-sidecar", "web"]);
    assert!(plan.starts_with("web: inject traces\n"), "{plan}");
    assert!(plan.contains("policy/stack-execution on role"), "{plan}");
    account.reconcile("web");
    let removed = account.run(&["remove", "--stack", "ecs-sidecar", "web"]);
    assert!(removed.err.contains("web: remove traces"), "{}", removed.err);

    // Somebody takes the patched revision back, which the operator and a look know as a withdrawal.
    account.world.deregister("web:2").expect("deregistered");
    let plan = account.out(&["plan", "--stack", "ecs-sidecar", "web"]);
    assert!(plan.contains("(withdrawn)"), "{plan}");
    let plan = account.out(&["plan", "--stack", "ecs-sidecar", "web:1"]);
    assert!(plan.starts_with("web: inject traces\n"), "of a certain revision nothing is known but itself: {plan}");
}

/// The operator's role has another name since; what the table says of the revision is enough.
#[test]
fn with_a_stack_its_table_tells_which_revision_is_the_operators() {
    let account = Account::new(&[]);
    account.reconcile("web");
    account.world.deregister("web:1").expect("deregistered");
    account.add_function_with_role("arn:aws:iam::111122223333:role/stack/renamed");
    let plan = account.out(&["plan", "--stack", "ecs-sidecar", "web"]);
    assert!(plan.starts_with("web: withdraw (sourceInactive)"), "{plan}");
    let plan = account.out(&["plan", "web"]);
    assert!(plan.starts_with("web: up to date"), "without a stack nobody says whose it is: {plan}");
}

#[test]
fn what_cannot_be_looked_up_is_told() {
    let account = Account::new(&[]);
    let arn = "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:1";
    for verb in ["plan", "inject", "remove"] {
        account.refused(
            &[verb, "shop"],
            1,
            "cannot look up shop in AWS\n  because: there is no ACTIVE revision of shop",
        );
        account.refused(&[verb, "web:2"], 1, "there is no revision web:2 in eu-west-1");
        account.refused(&[verb, "shop.json"], 2, "it is no file, and neither a family nor FAMILY:REVISION");
        account.refused(&[verb, "-", "--stack", "ecs-sidecar"], 1, "standard input is neither a family");
        account.refused(&[verb, "web", "--stack", "shop"], 2, "there is no operator shop");
        account.refused(&[verb, &arn.replace("1111", "2222")], 1, "is in 222222223333, and 111122223333 is asked");
        account.refused(&[verb, arn, "--region", "us-east-1"], 1, "is in eu-west-1, and us-east-1 is asked");
        account.refused(&[verb, "arn:aws:ecs:eu-west-1:111122223333:cluster/web"], 2, "it is no file, and neither");
        let digest = format!("sha256:{}", "0a".repeat(32));
        account.refused(&[verb, "web", "--image-digest", &digest], 2, "--image-digest says what AWS says of web");
        account.refused(&[verb, "web", "--stack", "a", "--policy", "b"], 2, "cannot be used with");
        account.refused(&[verb, "web", "--policy", "nope"], 1, "there is no preset");
    }
    assert!(account.out(&["plan", arn]).starts_with("web: inject"));
    account.world.deny("DescribeTaskDefinition", None);
    account.refused(&["plan", "web"], 2, "cannot call DescribeTaskDefinition for web");
    let nowhere = super::run_in(&["plan", "web"], b"", &[("HOME", "/nonexistent")]);
    assert_eq!(nowhere.code, Some(2));
    assert!(nowhere.err.contains("cannot look up web in AWS\n  because: the Region is not known"), "{}", nowhere.err);
}

#[test]
fn options_of_a_person_count_when_looking_too() {
    let account = Account::new(&[]);
    let bare = family("bare").replace(&format!(r#""taskRoleArn":"{ROLE}","#), "");
    account.world.register(&bare).expect("registered");
    assert!(account.out(&["plan", "bare"]).contains("(noTaskRole)"));
    let plan = account.out(&["plan", "bare", "--default-task-role", ROLE]);
    assert!(plan.starts_with("bare: inject"), "{plan}");
    let elsewhere = account.out(&["plan", "web", "--cache-prefix", "other"]);
    assert!(elsewhere.contains("(image") || elsewhere.contains("needs: image"), "{elsewhere}");
}
