//! Policies of an operator: apply, get, list, delete, explain.

use super::folder::Folder;
use super::operator::{Operator, family, named, wait};
use ecs_sidecar_aws::settings;
use ecs_sidecar_tests::Fault;
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn a_policy_is_kept_as_it_was_written_and_applying_it_again_changes_nothing() {
    let (operator, folder) = (Operator::with_web(), Folder::new());
    let text = format!("# Traces of the shop.\n{}", named("traces"));
    let file = folder.file("traces.yaml", &text);
    assert_eq!(operator.out(&["policy", "apply", "-f", &file, "--dry-run"]), "policy traces created (dry run)\n");
    assert_eq!(operator.standing(), [""; 0]);
    assert_eq!(operator.out(&["policy", "apply", "-f", &file]), "policy traces created\n");
    assert_eq!(operator.out(&["policy", "apply", "--file", &file]), "policy traces unchanged\n");
    assert_eq!(operator.out(&["policy", "get", "traces"]), text);
    let other = operator.run_with(&["policy", "apply", "-f", "-"], &named("traces"));
    assert_eq!((other.code, other.out.as_str()), (Some(0), "policy traces configured\n"), "{}", other.err);

    let told = json(&operator.out(&["policy", "get", "traces", "--format", "json"]));
    assert_eq!((&told["name"], &told["deleting"], &told["from"]), (&"traces".into(), &false.into(), &"table".into()));
    assert_eq!(told["changedBy"], "arn:aws:iam::111122223333:user/developer");
    assert_eq!((&told["document"], &told["problem"]), (&named("traces").into(), &Value::Null));
    assert!(told["changedAt"].as_u64().is_some_and(|at| at > 1_700_000_000), "{told}");
}

#[test]
fn nothing_is_applied_unless_all_is_valid() {
    let (operator, folder) = (Operator::with_web(), Folder::new());
    let fine = folder.file("fine.yaml", &named("fine"));
    let wrong = folder.file("wrong.yaml", &named("wrong").replace("cpu: 32", "privileged: true"));
    let same = folder.file("same.yaml", &format!("{}# again\n", named("fine")));
    let long = folder.file("long.yaml", &format!("{}# {}\n", named("long"), "x".repeat(64 * 1024)));
    for (more, code, wanted) in [
        (&wrong, 1, "unknown field `privileged`"),
        (&same, 1, "policy fine is in several of the files"),
        (&long, 1, "bytes long; the table takes 65536"),
        (&"no/such.yaml".to_owned(), 2, "cannot read no/such.yaml"),
    ] {
        operator.refused(&["policy", "apply", "-f", &fine, "-f", more], code, wanted);
        operator.refused(&["policy", "apply", "-f", more, "-f", &fine], code, if more == &same { "" } else { wanted });
        operator.refused(&["policy", "apply", "-f", &fine, "-f", more, "--dry-run"], code, "nothing was applied");
    }
    operator.refused(&["policy", "apply"], 2, "--file");
    assert_eq!(operator.standing(), [""; 0]);
    assert!(operator.world.call_lines().is_empty(), "and nobody was asked");
}

#[test]
fn what_the_stack_would_not_let_come_true_is_a_warning() {
    let (operator, folder) = (Operator::with_web(), Folder::new());
    let warned = |text: &str| {
        let run = operator.run(&["policy", "apply", "--dry-run", "-f", &folder.file("policy.yaml", text)]);
        assert_eq!(run.code, Some(0), "{}", run.err);
        run.err
    };
    assert_eq!(warned(&named("traces")), "");
    let far = warned(&named("traces").replace("public.ecr.aws/xray", "public.ecr.aws/other"));
    assert!(far.contains("the stack does not list public.ecr.aws/other/aws-xray-daemon:3.x"), "{far}");
    let more = warned(&named("traces").replace("AWSXRayDaemonWriteAccess", "AdministratorAccess"));
    assert!(more.contains("does not list arn:aws:iam::aws:policy/AdministratorAccess"), "{more}");
    let own = warned(&named("xray-daemon"));
    assert!(own.contains("xray-daemon: it takes the place of the stack's own policy"), "{own}");
    let odd = warned(&named("traces").replace("missing: create", "missing: refuse"));
    assert!(odd.contains("warning: traces: spec.logGroup.retentionDays"), "{odd}");
    operator.out(&["uninstall", "--yes", "--no-wait"]);
    let ending = warned(&named("traces"));
    assert!(ending.contains("uninstall --cancel"), "{ending}");
}

#[test]
fn a_lost_race_is_run_once_more_and_then_told() {
    let (operator, folder) = (Operator::with_web(), Folder::new());
    for (times, code, wanted) in [(1, 0, "policy traces configured\n"), (9, 2, "")] {
        let file = folder.file("traces.yaml", &format!("{}# {times}\n", named("traces")));
        let count = AtomicUsize::new(0);
        operator.world.on_call(move |call| {
            let nth = count.fetch_add(usize::from(call.operation == "PutItem"), Ordering::Relaxed);
            if call.operation != "PutItem" || nth >= times {
                return Fault::None;
            }
            Fault::before(move |world| {
                let other = format!(
                    r#"{{"kind":{{"S":"standing"}},"id":{{"S":"policy/traces"}},"v":{{"N":"1"}},"version":{{"N":"{}"}},"text":{{"S":"kind: Other"}}}}"#,
                    10 + nth
                );
                world.put_item("operator", &other).expect("written");
            })
        });
        let run = operator.run(&["policy", "apply", "-f", &file]);
        operator.world.leave_calls_alone();
        assert_eq!((run.code, run.out.as_str()), (Some(code), wanted), "{}", run.err);
        assert!(code == 0 || run.err.contains("others changed policy traces at the same time, twice"), "{}", run.err);
    }
}

#[test]
fn the_stacks_own_policy_is_told_as_such() {
    let operator = Operator::with(&[(settings::MODE, "optOut")]);
    operator.register("web");
    let run = operator.run(&["policy", "get", "xray-daemon"]);
    assert_eq!((run.code, run.out), (Some(0), named("xray-daemon")));
    assert!(run.err.contains("it is the stack's own (parameter Policy)"), "{}", run.err);
    assert!(run.err.contains("the stack has it in mode optOut"), "{}", run.err);
    operator.refused(&["policy", "get", "traces"], 1, "has no policy traces; there are: xray-daemon");
    operator.refused(&["policy", "delete", "xray-daemon", "--yes"], 1, "parameter Policy=none");
    operator.refused(&["policy", "delete", "traces", "--yes"], 1, "has no policy traces; there are: xray-daemon");
    let listed = operator.out(&["policy", "list"]);
    assert!(listed.contains("xray-daemon  optOut  onNextRegistration"), "{listed}");
    let bare = Operator::with(&[(settings::POLICY, "none")]);
    bare.register("web");
    assert_eq!(bare.out(&["policy", "list"]), "there is no policy\n");
    bare.refused(&["policy", "get", "traces"], 1, "there are: none");
}

#[test]
fn a_deleted_policy_goes_when_its_sidecars_have_gone() {
    let (operator, folder) = (Operator::with(&[(settings::POLICY, "none")]), Folder::new());
    operator.register("web");
    let file = folder.file("traces.yaml", &named("traces"));
    operator.out(&["policy", "apply", "-f", &file]);
    operator.reconcile("web");
    operator.refused(&["policy", "delete", "traces"], 1, "hint: without a terminal, pass --yes");
    assert!(operator.out(&["policy", "list"]).contains(" active "), "nothing was done");

    let deleted = operator.out(&["policy", "delete", "traces", "--yes"]);
    assert!(deleted.starts_with("policy traces is being deleted: 1 family has its sidecar; the sweep"), "{deleted}");
    assert!(operator.out(&["policy", "delete", "traces"]).starts_with("policy traces is being deleted already"));
    let listed = operator.out(&["policy", "list"]);
    assert!(listed.contains("deleting: 1 family left ") && listed.contains("ago by user/developer"), "{listed}");
    assert!(operator.run(&["policy", "get", "traces"]).err.contains("note: it is being deleted"));

    let revived = operator.out(&["policy", "apply", "-f", &file]);
    assert_eq!(revived, "policy traces configured: it was being deleted, and is not any more\n");
    operator.out(&["policy", "delete", "traces", "--yes"]);
    edit_sidecar(&operator);
    operator.reconcile("web");
    let listed = operator.out(&["policy", "list"]);
    assert!(listed.contains("deleting: 1 family left (userEdited 1)"), "{listed}");
    let listed = json(&operator.out(&["policy", "list", "--format", "json"]));
    assert_eq!((&listed[0]["state"], &listed[0]["families"]), (&"deleting".into(), &1.into()));
    assert_eq!(listed[0]["blocked"], serde_json::json!({ "userEdited": 1 }));
}

/// Somebody registers the newest revision of `web` with another sidecar than was injected.
fn edit_sidecar(operator: &Operator) {
    let patched = operator.out(&["remove", "--format", "patch", "web"]);
    assert!(patched.contains("remove"), "{patched}");
    let text = operator.world.describe("web").expect("described");
    let definition = ecs_sidecar_core::definition::TaskDefinition::parse(&text).expect("a definition");
    let edited = definition.text().replace(r#""--buffer-memory""#, r#""--bind""#);
    assert_ne!(edited, definition.text());
    operator.world.register(&edited).expect("registered");
}

#[test]
fn one_in_the_place_of_the_stacks_own_gives_it_back() {
    let (operator, folder) = (Operator::with_web(), Folder::new());
    let file = folder.file("mine.yaml", &named("xray-daemon").replace("cpu: 32", "cpu: 64"));
    operator.out(&["policy", "apply", "-f", &file]);
    operator.reconcile("web");
    let listed = operator.out(&["policy", "list"]);
    assert!(listed.contains("replaced by the table's         0"), "{listed}");
    let deleted = operator.out(&["policy", "delete", "xray-daemon", "-y"]);
    assert!(deleted.contains("the stack's own policy xray-daemon is back in its place for 1 family"), "{deleted}");
    let listed = operator.out(&["policy", "list"]);
    assert!(
        listed.contains("deleting: 0 families left") && listed.contains("active                            1"),
        "{listed}"
    );
}

#[test]
fn a_policy_that_cannot_be_read_is_listed_with_what_is_wrong() {
    let operator = Operator::with_web();
    wait(operator.table().apply("odd", "kind: Nothing", None, "somebody")).expect("applied");
    let listed = operator.out(&["policy", "list"]);
    assert!(listed.contains("odd          -      -  ") && listed.contains("unreadable: "), "{listed}");
    assert!(operator.run(&["policy", "get", "odd"]).err.contains("this program cannot read it"));
}

#[test]
fn a_family_is_explained_among_the_operators_policies() {
    let (operator, folder) = (Operator::with_web(), Folder::new());
    let mine = named("traces").replace("selector:", "selector:\n    excludeFamilies: [web]");
    let file = folder.file("traces.yaml", &mine);
    operator.out(&["policy", "apply", "-f", &file]);
    let explained = operator.out(&["policy", "explain", "web"]);
    assert!(explained.starts_with("web: the sidecar of xray-daemon\n"), "{explained}");
    assert!(explained.contains("  traces       optIn  no       notSelected"), "{explained}");
    let arn = "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:1";
    for more in [&["web:1"][..], &[arn], &["--stack", "ecs-sidecar", "web"]] {
        assert_eq!(operator.out(&[&["policy", "explain"], more].concat()), explained);
    }
    // Among others than the operator's, which is not asked then.
    operator.world.forget_calls();
    let other = operator.out(&["policy", "explain", "web", "--policy", "adot-collector"]);
    assert!(other.contains("* adot-collector") && !other.contains("xray-daemon"), "{other}");
    assert_eq!(operator.world.call_lines(), ["DescribeTaskDefinition web"]);

    operator.refused(&["policy", "explain", "shop"], 1, "there is no ACTIVE revision of shop in eu-west-1");
    operator.refused(&["policy", "explain", "web:9"], 1, "there is no revision web:9 in eu-west-1");
    operator.refused(&["policy", "explain", &arn.replace("1111", "2222")], 1, "is in 222222223333");
    operator.refused(&["policy", "explain", "web", "--stack", "shop"], 2, "there is no operator shop in eu-west-1");
    operator.refused(&["policy", "explain", "taskdef.json", "--stack", "ecs-sidecar"], 1, "is neither a family");
    operator.refused(&["policy", "explain", "taskdef.json"], 2, "it is no file, and neither a family");
    operator.refused(&["policy", "explain", "web", "--stack", "a", "--policy", "b"], 2, "cannot be used with");
    // What is a file is a file.
    let file = folder.file("web", &family("of-the-file"));
    assert!(operator.out(&["policy", "explain", &file]).starts_with("of-the-file: "));
}

#[test]
fn without_an_operator_each_verb_says_so() {
    let operator = Operator::with_web();
    let folder = Folder::new();
    let file = folder.file("traces.yaml", &named("traces"));
    for verb in [
        &["policy", "apply", "-f", &file][..],
        &["policy", "get", "traces"],
        &["policy", "list"],
        &["policy", "delete", "traces", "--yes"],
        &["uninstall", "--plan"],
        &["permissions", "prune", "--plan"],
    ] {
        let arguments = [verb, &["--stack", "shop"]].concat();
        operator.refused(&arguments, 2, "there is no operator shop in eu-west-1");
        operator.refused(&[verb, &["--region", "us-east-1"]].concat(), 2, "no operator ecs-sidecar in us-east-1");
    }
    operator.world.deny("Query", None);
    operator.refused(&["policy", "list"], 2, "cannot call Query for standing");
}
