//! Events as they arrive, and as they should not.

use super::*;
use serde_json::json;

fn home() -> Home {
    Home {
        account: "111122223333".parse().expect("an account"),
        region: "eu-west-1".parse().expect("a Region"),
        role: RoleRef::new("arn:aws:iam::111122223333:role/stack/operator"),
    }
}

pub(super) fn meaning(input: &Value) -> Meaning {
    match read(input, &home()).expect("an event") {
        Trigger::Event(event) => event.meaning,
        Trigger::ByHand { .. } | Trigger::ServiceByHand { .. } | Trigger::Batch(_) => {
            unreachable!("not an event: {input}")
        }
    }
}

fn look(family: &str) -> Meaning {
    Meaning::Look(family.parse().expect("a family"))
}

fn transformed(more: &Value) -> Value {
    let mut event = json!({
        "account": "111122223333", "region": "eu-west-1", "id": "e-1", "name": "RegisterTaskDefinition",
        "family": "web", "requestFamily": "web",
        "arn": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:42",
        "issuer": "arn:aws:iam::111122223333:role/ci/deployer", "errorCode": "",
    });
    for (key, value) in more.as_object().expect("an object") {
        event[key] = value.clone();
    }
    event
}

fn record() -> Value {
    json!({
        "eventSource": "ecs.amazonaws.com", "eventName": "RegisterTaskDefinition", "awsRegion": "eu-west-1",
        "recipientAccountId": "111122223333", "eventID": "e-2",
        "userIdentity": { "type": "IAMUser", "userName": "jane" },
        "requestParameters": { "family": "web", "containerDefinitions": [{ "environment": "HIDDEN" }] },
        "responseElements": { "taskDefinition": { "family": "web" } },
    })
}

#[test]
fn an_absent_path_may_arrive_in_four_ways() {
    for absent in [json!(""), json!("<family>"), Value::Null, json!({})] {
        let nothing = json!({ "family": absent, "arn": absent, "errorCode": absent, "issuer": absent });
        assert_eq!(meaning(&transformed(&nothing)), look("web"), "{absent}");
        let nothing = json!({ "family": absent, "arn": absent, "requestFamily": absent });
        assert_eq!(meaning(&transformed(&nothing)), Meaning::Unclear(Problem::NoFamily), "{absent}");
    }
}

#[test]
fn a_deregistration_names_its_revision_in_any_way() {
    for named in ["web:3", "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:3", "web"] {
        let event = json!({ "name": "DeregisterTaskDefinition", "requestTaskDefinition": named,
                            "arn": "", "family": "", "requestFamily": "" });
        assert_eq!(meaning(&transformed(&event)), look("web"), "{named}");
    }
}

#[test]
fn failed_calls_own_calls_and_other_calls_are_ignored() {
    let failed = json!({ "errorCode": "ClientException" });
    assert_eq!(meaning(&transformed(&failed)), Meaning::Ignore(Ignored::FailedCall));
    for own in ["arn:aws:iam::111122223333:role/stack/operator", "arn:aws:iam::111122223333:role/operator"] {
        assert_eq!(meaning(&transformed(&json!({ "issuer": own }))), Meaning::Ignore(Ignored::OwnCall));
    }
    let stranger = json!({ "issuer": "arn:aws:iam::444455556666:role/stack/operator" });
    assert_eq!(meaning(&transformed(&stranger)), look("web"));
    assert_eq!(meaning(&transformed(&json!({ "name": "RunTask" }))), Meaning::Ignore(Ignored::OtherCall));
}

#[test]
fn another_account_or_region_is_not_ours_to_look_at() {
    let unclear = |more| match meaning(&transformed(&more)) {
        Meaning::Unclear(problem) => problem,
        Meaning::Look(_) | Meaning::LookAtService(..) | Meaning::Stopped(_) | Meaning::Ignore(_) => {
            unreachable!("understood")
        }
    };
    assert_eq!(unclear(json!({ "account": "444455556666" })), Problem::OtherAccount);
    assert_eq!(unclear(json!({ "region": "us-east-1" })), Problem::OtherRegion);
    let elsewhere = "arn:aws:ecs:us-east-1:111122223333:task-definition/web:1";
    assert_eq!(unclear(json!({ "arn": elsewhere })), Problem::OtherRegion);
    assert_eq!(unclear(json!({ "arn": "", "family": "[random string]" })), Problem::BadFamily);
}

#[test]
fn a_record_is_read_bare_and_inside_an_event_with_or_without_its_halves() {
    let event = |detail: &Value| {
        json!({ "source": "aws.ecs", "detail-type": "AWS API Call via CloudTrail", "id": "e-3",
                "account": "111122223333", "region": "eu-west-1", "detail": detail })
    };
    for member in ["requestParameters", "responseElements", "userIdentity", "awsRegion"] {
        let mut partial = record();
        partial[member] = Value::Null;
        assert_eq!(meaning(&partial), look("web"), "without {member}");
        assert_eq!(meaning(&event(&partial)), look("web"), "without {member}");
    }
    let mut empty = record();
    empty["requestParameters"] = Value::Null;
    empty["responseElements"] = Value::Null;
    assert_eq!(meaning(&event(&empty)), Meaning::Unclear(Problem::NoFamily));
    let native = json!({ "source": "aws.ecs", "detail-type": "ECS Service Action", "detail": { "eventName": "X" } });
    assert_eq!(meaning(&native), Meaning::Ignore(Ignored::OtherCall));
}

#[test]
fn a_person_names_one_family_and_one_action() {
    let by_hand = |input: Value| read(&input, &home());
    let plan = by_hand(json!({ "action": "plan", "taskDefinition": "web:7" })).expect("by hand");
    let family: Family = "web".parse().expect("a family");
    assert_eq!(plan, Trigger::ByHand { family, action: ReconcileAction::Plan });
    assert_eq!(by_hand(json!({ "action": "reconcile" })), Err(Problem::NotOneFamily));
    assert_eq!(
        by_hand(json!({ "action": "reconcile", "family": "a", "taskDefinition": "a:1" })),
        Err(Problem::NotOneFamily)
    );
    assert_eq!(by_hand(json!({ "action": "delete", "family": "web" })), Err(Problem::UnknownAction));
    assert_eq!(by_hand(json!({ "action": "plan", "family": "a b" })), Err(Problem::BadFamily));
}

#[test]
fn a_batch_is_read_message_by_message() {
    let body = |body: &str| json!({ "messageId": "m", "body": body });
    let batch = json!({ "Records": [body(&transformed(&json!({})).to_string()), body("{"), body("[1]")] });
    let Trigger::Batch(messages) = read(&batch, &home()).expect("a batch") else { unreachable!("a batch") };
    let meanings: Vec<_> = messages.into_iter().map(|message| message.event.meaning).collect();
    let unclear = Meaning::Unclear;
    assert_eq!(meanings, [look("web"), unclear(Problem::NotJson), unclear(Problem::UnknownShape)]);
}

#[test]
fn only_known_scalars_are_kept() {
    let event = transformed(&json!({ "environment": "secret", "family": ["secret"] }));
    let Trigger::Event(event) = read(&event, &home()).expect("an event") else { unreachable!("an event") };
    let kept = serde_json::to_string(&event.known).expect("scalars");
    assert!(!kept.contains("secret") && kept.len() < 1000, "{kept}");
}

#[test]
fn the_longest_family_is_not_mistaken_for_another_one() {
    let family = "a".repeat(255);
    let arn = format!("arn:aws:ecs:eu-west-1:111122223333:task-definition/{family}:12345");
    assert_eq!(meaning(&transformed(&json!({ "arn": arn, "family": "" }))), look(&family));
    let deregistered = json!({ "name": "DeregisterTaskDefinition", "requestTaskDefinition": arn,
                               "arn": "", "family": "", "requestFamily": "" });
    assert_eq!(meaning(&transformed(&deregistered)), look(&family));
}

#[test]
fn what_is_longer_than_any_name_is_not_understood_and_not_kept() {
    let long = "a".repeat(5000);
    for member in ["arn", "family", "requestFamily", "requestTaskDefinition", "id", "issuer", "errorCode", "name"] {
        let event = transformed(&json!({ member: long }));
        let Trigger::Event(event) = read(&event, &home()).expect("an event") else { unreachable!("an event") };
        assert_eq!(event.meaning, Meaning::Unclear(Problem::TooLong), "{member}");
        assert!(serde_json::to_string(&event.known).expect("scalars").len() < 1000, "{member}");
    }
    let other = transformed(&json!({ "name": "RunTask", "requestTaskDefinition": long }));
    assert_eq!(meaning(&other), Meaning::Ignore(Ignored::OtherCall));
    let failed = transformed(&json!({ "errorCode": "ClientException", "requestFamily": long }));
    assert_eq!(meaning(&failed), Meaning::Ignore(Ignored::FailedCall));
    let by_hand = json!({ "action": "reconcile", "family": long });
    assert_eq!(read(&by_hand, &home()), Err(Problem::TooLong));
}
