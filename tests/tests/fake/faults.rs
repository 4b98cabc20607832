//! Faults and interleavings: what a test can do to a call, and that it really happens.

use crate::definitions::small;
use aws_sdk_ecs::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecs::operation::register_task_definition::{RegisterTaskDefinitionError, RegisterTaskDefinitionOutput};
use aws_sdk_ecs::types::ContainerDefinition;
use ecs_sidecar_tests::{Fault, Outcome, ServiceError, World};

const OPERATOR: &str = "arn:aws:sts::111122223333:assumed-role/operator/reconcile";

fn client(world: &World, attempts: u32) -> aws_sdk_ecs::Client {
    let config = aws_sdk_ecs::config::Builder::from(&world.as_principal(OPERATOR).sdk_config())
        .retry_config(RetryConfig::standard().with_max_attempts(attempts))
        .retry_partition(RetryPartition::new("faults"))
        .build();
    aws_sdk_ecs::Client::from_conf(config)
}

async fn register(
    client: &aws_sdk_ecs::Client,
) -> Result<RegisterTaskDefinitionOutput, SdkError<RegisterTaskDefinitionError>> {
    let container = ContainerDefinition::builder().name("a").image("a").memory(64).build();
    client.register_task_definition().family("web").container_definitions(container).send().await
}

/// The first call suffers, those behind it do not.
fn first(world: &World, fault: fn() -> Fault) {
    world.on_call(move |call| if call.sequence == 1 { fault() } else { Fault::None });
}

#[tokio::test]
async fn a_lost_answer_was_applied_and_a_blind_resend_doubles_it() {
    let world = World::new();
    first(&world, || Fault::ApplyAndLoseAnswer);
    let error = register(&client(&world, 1)).await.unwrap_err();
    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
    assert_eq!(world.revisions("web").len(), 1);
    assert_eq!(world.calls()[0].outcome, Outcome::Lost);

    // What the product has to prevent: the official client, left to itself, sends it again.
    let world = World::new();
    first(&world, || Fault::ApplyAndLoseAnswer);
    register(&client(&world, 3)).await.unwrap();
    assert_eq!(world.revisions("web").len(), 2);
    let lines = world.call_lines();
    assert_eq!(lines, ["RegisterTaskDefinition web (answer lost)", "RegisterTaskDefinition web"]);
}

#[tokio::test]
async fn late_failing_and_unreadable_answers_were_applied_too() {
    type Told = fn(&SdkError<RegisterTaskDefinitionError>) -> bool;
    let late: Told = |error| matches!(error, SdkError::DispatchFailure(failure) if failure.is_timeout());
    let garbled: Told = |error| matches!(error, SdkError::ResponseError(_));
    let failed: Told = |error| error.code() == Some("ServerException");
    for (fault, told) in [
        ((|| Fault::ApplyAndTimeOut) as fn() -> Fault, late),
        (|| Fault::ApplyAndGarble, garbled),
        (|| Fault::ApplyAndFail(ServiceError::new("ServerException", "internal")), failed),
    ] {
        let world = World::new();
        first(&world, fault);
        let error = register(&client(&world, 1)).await.unwrap_err();
        assert!(told(&error), "{error:?}");
        assert_eq!(world.revisions("web").len(), 1, "{error:?}");
    }
}

#[tokio::test]
async fn what_fails_before_leaves_no_trace() {
    for (fault, code) in [
        ((|| Fault::LoseRequest) as fn() -> Fault, None),
        (|| Fault::Throttle, Some("ThrottlingException")),
        (|| Fault::FailBefore(ServiceError::new("ServerException", "internal")), Some("ServerException")),
    ] {
        let world = World::new();
        first(&world, fault);
        let error = register(&client(&world, 1)).await.unwrap_err();
        assert_eq!(error.code(), code, "{error:?}");
        assert!(world.revisions("web").is_empty(), "{error:?}");
        register(&client(&world, 1)).await.unwrap();
        assert_eq!(world.newest_active("web").unwrap().number, 1);
    }
}

#[tokio::test]
async fn somebody_can_come_between_any_two_calls() {
    let world = World::new();
    world.register(&small("web")).unwrap();
    world.on_call(|call| match call.operation.as_str() {
        "DescribeTaskDefinition" => Fault::then(|world| drop(world.register(&small("web")))),
        "RegisterTaskDefinition" => Fault::before(|world| drop(world.register(&small("web"))))
            .and(Fault::then(|world| drop(world.deregister("web:1"))))
            .and(Fault::ApplyAndLoseAnswer),
        _ => Fault::None,
    });
    let client = client(&world, 1);
    let described = client.describe_task_definition().task_definition("web").send().await.unwrap();
    assert_eq!(described.task_definition().unwrap().revision(), 1, "answered as it was before somebody came");
    register(&client).await.unwrap_err();
    let by: Vec<_> = world.revisions("web").iter().map(|revision| revision.registered_by.clone()).collect();
    let developer = "arn:aws:iam::111122223333:user/developer";
    assert_eq!(by, [developer, developer, developer, OPERATOR]);
    assert_eq!(world.revisions("web")[0].status.label(), "INACTIVE");
    let lines = world.call_lines();
    assert_eq!(lines, ["DescribeTaskDefinition web", "RegisterTaskDefinition web (answer lost)"], "deeds are no calls");
}

#[tokio::test]
async fn a_stale_read_is_one_write_behind() {
    let world = World::new();
    let client = client(&world, 1);
    register(&client).await.unwrap();
    register(&client).await.unwrap();
    world.on_call(|_| Fault::Stale);
    let describe = || client.describe_task_definition().task_definition("web").send();
    assert_eq!(describe().await.unwrap().task_definition().unwrap().revision(), 1);
    let third = register(&client).await.unwrap();
    assert_eq!(third.task_definition().unwrap().revision(), 3, "a write is never stale");
    world.leave_calls_alone();
    assert_eq!(describe().await.unwrap().task_definition().unwrap().revision(), 3);
}

#[tokio::test]
async fn what_is_denied_is_refused_and_told() {
    let world = World::new();
    world.deny("RegisterTaskDefinition", Some("web"));
    let error = register(&client(&world, 3)).await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDeniedException"));
    assert!(error.message().unwrap().contains(&format!("{OPERATOR} is not authorized to perform: ecs:Register")));
    assert_eq!(world.calls().len(), 1, "it is not tried again");
    world.allow_all();
    register(&client(&world, 1)).await.unwrap();
    let call = world.calls().pop().unwrap();
    assert_eq!((call.sequence, &*call.principal), (2, OPERATOR));
    assert!(std::str::from_utf8(&call.body).unwrap().contains("containerDefinitions"));
    assert!(!format!("{call:?}").contains("containerDefinitions"));
}

#[tokio::test]
async fn an_ecs_of_next_year_answers_what_it_then_refuses() {
    let world = World::new();
    world.register(&small("web")).unwrap();
    world.add_read_only_member("futureState", r#"{"n":1.50}"#);
    let answer = world.newest_active("web").unwrap().text;
    assert!(answer.contains(r#""futureState":{"n":1.50}"#));
    let error = world.register(&answer).unwrap_err();
    assert_eq!(error.code, "ClientException");
    assert!(error.message.contains("futureState"), "{error}");
}

#[tokio::test]
async fn a_forked_world_goes_its_own_way() {
    let world = World::new();
    register(&client(&world, 1)).await.unwrap();
    world.on_call(|_| Fault::Throttle);
    world.meter_calls();
    let fork = world.fork();
    register(&client(&fork, 1)).await.unwrap();
    fork.clock().advance(std::time::Duration::from_secs(1));
    assert_eq!((world.revisions("web").len(), fork.revisions("web").len()), (1, 2));
    assert_eq!((world.calls().len(), fork.calls().len()), (1, 1));
    assert_ne!(world.clock().now(), fork.clock().now());
    assert_eq!(register(&client(&world, 1)).await.unwrap_err().code(), Some("ThrottlingException"));
}
