//! Invocations of the function: events, batches, people.

use ecs_sidecar_host::Invocation;
use ecs_sidecar_reconcile::Handler;
use ecs_sidecar_stage::stage::{ACCOUNT, LOOK, OPERATOR, REGION, Stage, lines, revision_arn, web};
use ecs_sidecar_tests::{Fault, ServiceError};
use serde_json::{Value, json};

const INVOCATION: Invocation<'_> = Invocation { request_id: "r-1", until: None };

struct Function {
    stage: Stage,
    handler: Handler,
}

impl Function {
    fn with_web() -> Self {
        let stage = Stage::with_web();
        let handler = Handler::new(stage.another());
        Self { stage, handler }
    }

    async fn answer(&self, input: &Value) -> Value {
        self.handler.handle(input, INVOCATION).await.unwrap()
    }
}

/// What the rule's InputTransformer makes of a registration.
fn registered(number: u64, more: &[(&str, &str)]) -> Value {
    let mut event = json!({
        "account": ACCOUNT, "region": REGION, "id": format!("event-{number}"), "name": "RegisterTaskDefinition",
        "family": "web", "requestFamily": "web", "arn": revision_arn(number),
        "issuer": "arn:aws:iam::111122223333:role/ci/deployer", "errorCode": "",
    });
    for (key, value) in more {
        event[*key] = json!(value);
    }
    event
}

fn batch(bodies: &[&Value]) -> Value {
    let record = |(index, body): (usize, &&Value)| {
        let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        json!({ "messageId": format!("m-{index}"), "body": body, "eventSource": "aws:sqs" })
    };
    json!({ "Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>() })
}

#[tokio::test]
async fn an_event_a_double_and_our_own_leave_one_patched_revision() {
    let function = Function::with_web();
    let event = registered(1, &[]);
    let report = function.answer(&event).await;
    assert_eq!((&report["outcome"], &report["registered"]), (&json!("registered"), &json!(revision_arn(2))));
    assert_eq!(function.answer(&event).await["decision"], "upToDate");
    function.stage.world.forget_calls();
    let own = registered(2, &[("issuer", OPERATOR)]);
    assert_eq!(function.answer(&own).await, json!({ "ignored": "ownCall" }));
    assert!(function.stage.take_calls().is_empty(), "our own event costs a call");
    assert_eq!(function.stage.active(), [1, 2]);
}

#[tokio::test]
async fn a_failed_registration_costs_no_call() {
    let function = Function::with_web();
    let failed = registered(1, &[("errorCode", "ClientException"), ("arn", "")]);
    assert_eq!(function.answer(&failed).await, json!({ "ignored": "failedCall" }));
    assert!(function.stage.take_calls().is_empty());
}

#[tokio::test]
async fn a_batch_reconciles_each_family_once() {
    let function = Function::with_web();
    let event = registered(1, &[]);
    let deregistered = registered(
        0,
        &[
            ("name", "DeregisterTaskDefinition"),
            ("arn", ""),
            ("family", ""),
            ("requestFamily", ""),
            ("requestTaskDefinition", "web:0"),
        ],
    );
    let answer = function.answer(&batch(&[&event, &event, &deregistered])).await;
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    let calls = function.stage.take_calls();
    assert_eq!(calls.iter().filter(|line| *line == LOOK[0]).count(), 1, "{calls:#?}");
    function.stage.assert_newest_patches(1);
}

#[tokio::test]
async fn what_nobody_understands_is_set_aside_with_a_reason_and_without_its_content() {
    let function = Function::with_web();
    let secret = "hunter2 is not JSON";
    let stranger = registered(1, &[("account", "444455556666"), ("environment", "hunter2")]);
    let answer = function.answer(&batch(&[&json!(secret), &stranger])).await;
    assert_eq!(answer, json!({ "batchItemFailures": [] }), "it would come again and again");
    let messages = function.stage.world.messages("dead-letters");
    let bodies: Vec<Value> = messages.iter().map(|message| serde_json::from_str(&message.body).unwrap()).collect();
    assert_eq!(bodies[0], json!({ "messageId": "m-0" }));
    assert_eq!((&bodies[1]["messageId"], &bodies[1]["account"]), (&json!("m-1"), &json!("444455556666")));
    let calls = function.stage.world.calls();
    assert_eq!(calls.len(), 2);
    for (call, reason) in calls.iter().zip(["notJson", "otherAccount"]) {
        let sent: Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!(sent["MessageAttributes"]["reason"]["StringValue"], reason);
        assert!(!sent.to_string().contains("hunter2"), "the event's content was sent on");
    }
}

#[tokio::test]
async fn only_what_really_failed_comes_again() {
    let function = Function::with_web();
    function.stage.world.register(&web("1").replace("\"web\"", "\"shop\"")).unwrap();
    function.stage.world.on_call(|call| match call.target.as_str() {
        "shop" => Fault::FailBefore(ServiceError::new("ServerException", "Service Unavailable.")),
        _ => Fault::None,
    });
    let shop = registered(1, &[("family", "shop"), ("requestFamily", "shop"), ("arn", "")]);
    let other = json!({ "name": "RunTask", "account": ACCOUNT });
    let answer = function.answer(&batch(&[&shop, &registered(1, &[]), &other, &shop])).await;
    let failed = json!([{ "itemIdentifier": "m-0" }, { "itemIdentifier": "m-3" }]);
    assert_eq!(answer["batchItemFailures"], failed);
    function.stage.assert_newest_patches(1);
    assert!(function.stage.world.messages("dead-letters").is_empty());
}

#[tokio::test]
async fn a_panic_is_the_failure_of_one_family() {
    let function = Function::with_web();
    function.stage.world.register(&web("1").replace("\"web\"", "\"shop\"")).unwrap();
    function.stage.world.on_call(|call| match call.target.as_str() {
        "shop" => std::panic::resume_unwind(Box::new("hunter2")),
        _ => Fault::None,
    });
    let shop = registered(1, &[("family", "shop"), ("requestFamily", "shop"), ("arn", "")]);
    let answer = function.answer(&batch(&[&shop, &registered(1, &[])])).await;
    assert_eq!(answer["batchItemFailures"], json!([{ "itemIdentifier": "m-0" }]));
    function.stage.assert_newest_patches(1);
    let by_hand = json!({ "action": "reconcile", "family": "shop" });
    let error = function.handler.handle(&by_hand, INVOCATION).await.unwrap_err();
    assert_eq!(error.label(), "panicked");
}

#[tokio::test]
async fn a_message_that_cannot_be_set_aside_comes_again() {
    let function = Function::with_web();
    function.stage.world.deny("SendMessage", None);
    let answer = function.answer(&batch(&[&json!("{")])).await;
    assert_eq!(answer["batchItemFailures"], json!([{ "itemIdentifier": "m-0" }]));
}

#[tokio::test]
async fn a_person_asks_for_a_plan_or_a_reconcile_and_is_told() {
    let function = Function::with_web();
    let plan = function.answer(&json!({ "action": "plan", "family": "web" })).await;
    assert_eq!((&plan["decision"], &plan["outcome"]), (&json!("inject"), &json!("planned")));
    assert_eq!(function.stage.take_calls(), lines(&LOOK, &[]));
    let done = function.answer(&json!({ "action": "reconcile", "taskDefinition": revision_arn(1) })).await;
    assert_eq!((&done["outcome"], &done["source"]), (&json!("registered"), &json!(revision_arn(1))));
    assert!(!done.to_string().contains("hunter2"), "the report tells a value of the user's");
    let error = function.handler.handle(&json!({ "action": "drop", "family": "web" }), INVOCATION).await.unwrap_err();
    assert!(error.to_string().contains("reconcile, plan"), "{error}");
    let error = function.handler.handle(&json!({ "hello": "world" }), INVOCATION).await.unwrap_err();
    assert_eq!(error.label(), "unknownShape");
}
