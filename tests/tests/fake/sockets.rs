//! The same world behind a socket.

use crate::definitions::small;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use ecs_sidecar_tests::http::Server;
use ecs_sidecar_tests::{Fault, World};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

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

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// The program, as long as the test runs.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[tokio::test]
async fn the_program_arranges_tables_and_functions() {
    let arguments = ["--table", "operator", "--item", r#"operator={"kind":{"S":"family"},"id":{"S":"web"}}"#];
    let more =
        ["--table", "single=id", "--function", r#"sweep={"TABLE":"operator"}"#, "--answer", r#"sweep={"ok":true}"#];
    let child = Command::new(env!("CARGO_BIN_EXE_ecs-fake")).args(arguments).args(more).stdout(Stdio::piped()).spawn();
    let mut program = Program(child.unwrap());
    let mut url = String::new();
    BufReader::new(program.0.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let world = World::new();
    let keys = Credentials::new("test", "test", None, None, "test");
    let config = world.sdk_config().into_builder().credentials_provider(SharedCredentialsProvider::new(keys));
    let config =
        config.http_client(aws_smithy_http_client::Builder::new().build_http()).endpoint_url(url.trim()).build();

    let client = aws_sdk_dynamodb::Client::new(&config);
    let item = client.get_item().table_name("operator").key("kind", text("family")).key("id", text("web")).send();
    assert!(item.await.unwrap().item.is_some());
    assert!(client.get_item().table_name("single").key("id", text("web")).send().await.unwrap().item.is_none());
    let client = aws_sdk_lambda::Client::new(&config);
    let found = client.get_function_configuration().function_name("sweep").send().await.unwrap();
    assert_eq!(found.environment().and_then(|environment| environment.variables()).unwrap()["TABLE"], "operator");
    let answer = client.invoke().function_name("sweep").send().await.unwrap();
    assert_eq!(answer.payload().unwrap().as_ref(), br#"{"ok":true}"#);
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
    world.add_table("operator");
    let query = aws_sdk_dynamodb::Client::new(&config).query().table_name("operator");
    let query = query.key_condition_expression("kind = :k").expression_attribute_values(":k", text("family"));
    assert_eq!(query.send().await.unwrap().count(), 0);
    world.add_function("sweep", &[("TABLE", "operator")]);
    let lambda = aws_sdk_lambda::Client::new(&config);
    lambda.get_function_configuration().function_name("sweep").send().await.unwrap();
    lambda.invoke().function_name("sweep").send().await.unwrap();
    let event = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder().source("s").detail_type("t").detail("{}");
    aws_sdk_eventbridge::Client::new(&config).put_events().entries(event.build()).send().await.unwrap();
    assert_eq!(
        world.call_lines(),
        [
            "DescribeTaskDefinition web",
            "GetRole web",
            "DescribeImages daemon",
            "SendMessage work",
            "Query operator",
            "GetFunctionConfiguration sweep",
            "Invoke sweep",
            "PutEvents "
        ]
    );
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
