//! The same world behind a socket.

use crate::definitions::small;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use ecs_sidecar_tests::http::Server;
use ecs_sidecar_tests::{Fault, World};

/// The official client with a real transport.
fn config(world: &World, server: &Server) -> aws_types::SdkConfig {
    world
        .sdk_config()
        .into_builder()
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(server.url())
        .retry_config(RetryConfig::disabled())
        .build()
}

#[tokio::test]
async fn all_services_answer_on_one_port() {
    let world = World::new().as_principal("arn:aws:sts::111122223333:assumed-role/operator/reconcile");
    let server = Server::start(world.clone(), 0).await.unwrap();
    let config = config(&world, &server);
    world.register(&small("web")).unwrap();
    world.add_role("app/web");
    world.add_image("daemon", "3.x");
    let url = world.add_queue("work");
    let described = aws_sdk_ecs::Client::new(&config).describe_task_definition().task_definition("web").send();
    assert_eq!(described.await.unwrap().task_definition().unwrap().revision(), 1);
    aws_sdk_iam::Client::new(&config).get_role().role_name("web").send().await.unwrap();
    aws_sdk_ecr::Client::new(&config).describe_images().repository_name("daemon").send().await.unwrap();
    aws_sdk_sqs::Client::new(&config).send_message().queue_url(url).message_body("{}").send().await.unwrap();
    let lines = world.call_lines();
    assert_eq!(lines, ["DescribeTaskDefinition web", "GetRole web", "DescribeImages daemon", "SendMessage work"]);
}

#[tokio::test]
async fn errors_and_lost_answers_cross_the_wire() {
    let world = World::new();
    let server = Server::start(world.clone(), 0).await.unwrap();
    let client = aws_sdk_ecs::Client::new(&config(&world, &server));
    let register = || {
        let container = aws_sdk_ecs::types::ContainerDefinition::builder().name("a").image("a").memory(64).build();
        client.register_task_definition().family("web").container_definitions(container).send()
    };
    let missing = client.describe_task_definition().task_definition("web").send().await.unwrap_err();
    assert_eq!(missing.message(), Some("Unable to describe task definition."));
    world.on_call(|_| Fault::ApplyAndLoseAnswer);
    let lost = register().await.unwrap_err();
    assert!(matches!(lost, SdkError::DispatchFailure(_)), "{lost:?}");
    assert_eq!(world.revisions("web").len(), 1);
    world.leave_calls_alone();
    register().await.unwrap();
    assert_eq!(world.newest_active("web").unwrap().number, 2);
}
