//! Policies of an operator: apply, get, list, delete, explain.

use super::account::{Account, Folder, family, named, wait};
use ecs_sidecar_aws::settings;
use ecs_sidecar_tests::Fault;
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn a_policy_is_kept_as_it_was_written_and_applying_it_again_changes_nothing() {
    let (account, folder) = (Account::new(&[]), Folder::new("apply"));
    let text = format!("# Traces of the shop.\n{}", named("traces"));
    let file = folder.file("traces.yaml", &text);
    assert_eq!(account.out(&["policy", "apply", "-f", &file, "--dry-run"]), "policy traces created (dry run)\n");
    assert_eq!(account.standing(), [""; 0]);
    assert_eq!(account.out(&["policy", "apply", "-f", &file]), "policy traces created\n");
    assert_eq!(account.out(&["policy", "apply", "--file", &file]), "policy traces unchanged\n");
    assert_eq!(account.out(&["policy", "get", "traces"]), text);
    let other = account.run_with(&["policy", "apply", "-f", "-"], &named("traces"));
    assert_eq!((other.code, other.out.as_str()), (Some(0), "policy traces configured\n"), "{}", other.err);

    let told = json(&account.out(&["policy", "get", "traces", "--format", "json"]));
    assert_eq!((&told["name"], &told["deleting"], &told["from"]), (&"traces".into(), &false.into(), &"table".into()));
    assert_eq!(told["changedBy"], "arn:aws:iam::111122223333:user/developer");
    assert_eq!((&told["document"], &told["problem"]), (&named("traces").into(), &Value::Null));
    assert!(told["changedAt"].as_u64().is_some_and(|at| at > 1_700_000_000), "{told}");
}

#[test]
fn nothing_is_applied_unless_all_is_valid() {
    let (account, folder) = (Account::new(&[]), Folder::new("invalid"));
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
        account.refused(&["policy", "apply", "-f", &fine, "-f", more], code, wanted);
        account.refused(&["policy", "apply", "-f", more, "-f", &fine], code, if more == &same { "" } else { wanted });
        account.refused(&["policy", "apply", "-f", &fine, "-f", more, "--dry-run"], code, "nothing was applied");
    }
    account.refused(&["policy", "apply"], 2, "--file");
    assert_eq!(account.standing(), [""; 0]);
    assert!(account.world.call_lines().is_empty(), "and nobody was asked");
}

#[test]
fn what_the_stack_would_not_let_come_true_is_a_warning() {
    let (account, folder) = (Account::new(&[]), Folder::new("bounds"));
    let warned = |text: &str| {
        let run = account.run(&["policy", "apply", "--dry-run", "-f", &folder.file("policy.yaml", text)]);
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
    account.out(&["uninstall", "--yes", "--no-wait"]);
    let ending = warned(&named("traces"));
    assert!(ending.contains("uninstall --cancel"), "{ending}");
}

#[test]
fn a_lost_race_is_run_once_more_and_then_told() {
    let (account, folder) = (Account::new(&[]), Folder::new("race"));
    for (times, code, wanted) in [(1, 0, "policy traces configured\n"), (9, 2, "")] {
        let file = folder.file("traces.yaml", &format!("{}# {times}\n", named("traces")));
        let count = AtomicUsize::new(0);
        account.world.on_call(move |call| {
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
        let run = account.run(&["policy", "apply", "-f", &file]);
        account.world.leave_calls_alone();
        assert_eq!((run.code, run.out.as_str()), (Some(code), wanted), "{}", run.err);
        assert!(code == 0 || run.err.contains("others changed policy traces at the same time, twice"), "{}", run.err);
    }
}

#[test]
fn the_stacks_own_policy_is_told_as_such() {
    let account = Account::new(&[(settings::MODE, "optOut")]);
    let run = account.run(&["policy", "get", "xray-daemon"]);
    assert_eq!((run.code, run.out), (Some(0), named("xray-daemon")));
    assert!(run.err.contains("it is the stack's own (parameter Policy)"), "{}", run.err);
    assert!(run.err.contains("the stack has it in mode optOut"), "{}", run.err);
    account.refused(&["policy", "get", "traces"], 1, "has no policy traces; there are: xray-daemon");
    account.refused(&["policy", "delete", "xray-daemon", "--yes"], 1, "parameter Policy=none");
    account.refused(&["policy", "delete", "traces", "--yes"], 1, "has no policy traces; there are: xray-daemon");
    let listed = account.out(&["policy", "list"]);
    assert!(listed.contains("xray-daemon  optOut  onNextRegistration"), "{listed}");
    let bare = Account::new(&[(settings::POLICY, "none")]);
    assert_eq!(bare.out(&["policy", "list"]), "there is no policy\n");
    bare.refused(&["policy", "get", "traces"], 1, "there are: none");
}

#[test]
fn a_deleted_policy_goes_when_its_sidecars_have_gone() {
    let (account, folder) = (Account::new(&[(settings::POLICY, "none")]), Folder::new("delete"));
    let file = folder.file("traces.yaml", &named("traces"));
    account.out(&["policy", "apply", "-f", &file]);
    account.reconcile("web");
    account.refused(&["policy", "delete", "traces"], 1, "hint: without a terminal, pass --yes");
    assert!(account.out(&["policy", "list"]).contains(" active "), "nothing was done");

    let deleted = account.out(&["policy", "delete", "traces", "--yes"]);
    assert!(deleted.starts_with("policy traces is being deleted: 1 family has its sidecar; the sweep"), "{deleted}");
    assert!(account.out(&["policy", "delete", "traces"]).starts_with("policy traces is being deleted already"));
    let listed = account.out(&["policy", "list"]);
    assert!(listed.contains("deleting: 1 family left ") && listed.contains("ago by user/developer"), "{listed}");
    assert!(account.run(&["policy", "get", "traces"]).err.contains("note: it is being deleted"));

    let revived = account.out(&["policy", "apply", "-f", &file]);
    assert_eq!(revived, "policy traces configured: it was being deleted, and is not any more\n");
    account.out(&["policy", "delete", "traces", "--yes"]);
    edit_sidecar(&account);
    account.reconcile("web");
    let listed = account.out(&["policy", "list"]);
    assert!(listed.contains("deleting: 1 family left (userEdited 1)"), "{listed}");
    let listed = json(&account.out(&["policy", "list", "--format", "json"]));
    assert_eq!((&listed[0]["state"], &listed[0]["families"]), (&"deleting".into(), &1.into()));
    assert_eq!(listed[0]["blocked"], serde_json::json!({ "userEdited": 1 }));
}

/// Somebody registers the newest revision of `web` with another sidecar than was injected.
fn edit_sidecar(account: &Account) {
    let patched = account.out(&["remove", "--format", "patch", "web"]);
    assert!(patched.contains("remove"), "{patched}");
    let text = account.world.describe("web").expect("described");
    let definition = ecs_sidecar_core::definition::TaskDefinition::parse(&text).expect("a definition");
    let edited = definition.text().replace(r#""--buffer-memory""#, r#""--bind""#);
    assert_ne!(edited, definition.text());
    account.world.register(&edited).expect("registered");
}

#[test]
fn one_in_the_place_of_the_stacks_own_gives_it_back() {
    let (account, folder) = (Account::new(&[]), Folder::new("replaced"));
    let file = folder.file("mine.yaml", &named("xray-daemon").replace("cpu: 32", "cpu: 64"));
    account.out(&["policy", "apply", "-f", &file]);
    account.reconcile("web");
    let listed = account.out(&["policy", "list"]);
    assert!(listed.contains("replaced by the table's         0"), "{listed}");
    let deleted = account.out(&["policy", "delete", "xray-daemon", "-y"]);
    assert!(deleted.contains("the stack's own policy xray-daemon is back in its place for 1 family"), "{deleted}");
    let listed = account.out(&["policy", "list"]);
    assert!(
        listed.contains("deleting: 0 families left") && listed.contains("active                            1"),
        "{listed}"
    );
}

#[test]
fn a_policy_that_cannot_be_read_is_listed_with_what_is_wrong() {
    let account = Account::new(&[]);
    wait(account.table().apply("odd", "kind: Nothing", None, "somebody")).expect("applied");
    let listed = account.out(&["policy", "list"]);
    assert!(listed.contains("odd          -      -  ") && listed.contains("unreadable: "), "{listed}");
    assert!(account.run(&["policy", "get", "odd"]).err.contains("this program cannot read it"));
}

#[test]
fn a_family_is_explained_among_the_operators_policies() {
    let (account, folder) = (Account::new(&[]), Folder::new("explain"));
    let mine = named("traces").replace("selector:", "selector:\n    excludeFamilies: [web]");
    let file = folder.file("traces.yaml", &mine);
    account.out(&["policy", "apply", "-f", &file]);
    let explained = account.out(&["policy", "explain", "web"]);
    assert!(explained.starts_with("web: the sidecar of xray-daemon\n"), "{explained}");
    assert!(explained.contains("  traces       optIn  no       notSelected"), "{explained}");
    let arn = "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:1";
    for more in [&["web:1"][..], &[arn], &["--stack", "ecs-sidecar", "web"]] {
        assert_eq!(account.out(&[&["policy", "explain"], more].concat()), explained);
    }
    // Among others than the operator's, which is not asked then.
    account.world.forget_calls();
    let other = account.out(&["policy", "explain", "web", "--policy", "adot-collector"]);
    assert!(other.contains("* adot-collector") && !other.contains("xray-daemon"), "{other}");
    assert_eq!(account.world.call_lines(), ["DescribeTaskDefinition web"]);

    account.refused(&["policy", "explain", "shop"], 1, "there is no ACTIVE revision of shop in eu-west-1");
    account.refused(&["policy", "explain", "web:9"], 1, "there is no revision web:9 in eu-west-1");
    account.refused(&["policy", "explain", &arn.replace("1111", "2222")], 1, "is in 222222223333");
    account.refused(&["policy", "explain", "web", "--stack", "shop"], 2, "there is no operator shop in eu-west-1");
    account.refused(&["policy", "explain", "taskdef.json", "--stack", "ecs-sidecar"], 1, "is neither a family");
    account.refused(&["policy", "explain", "taskdef.json"], 2, "it is no file, and neither a family");
    account.refused(&["policy", "explain", "web", "--stack", "a", "--policy", "b"], 2, "cannot be used with");
    // What is a file is a file.
    let file = folder.file("web", &family("of-the-file"));
    assert!(account.out(&["policy", "explain", &file]).starts_with("of-the-file: "));
}

#[test]
fn without_an_operator_each_verb_says_so() {
    let account = Account::new(&[]);
    let folder = Folder::new("nowhere");
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
        account.refused(&arguments, 2, "there is no operator shop in eu-west-1");
        account.refused(&[verb, &["--region", "us-east-1"]].concat(), 2, "no operator ecs-sidecar in us-east-1");
    }
    account.world.deny("Query", None);
    account.refused(&["policy", "list"], 2, "cannot call Query for standing");
}
