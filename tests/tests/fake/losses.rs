//! What survives a trip through the fake, and what the typed client loses on the same trip.

use crate::definitions::FROM_THE_FUTURE;
use aws_sdk_ecs::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_ecs::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ecs::error::BoxError;
use aws_sdk_ecs::types::{TaskDefinition, TaskDefinitionField};
use aws_smithy_types::body::SdkBody;
use ecs_sidecar_tests::World;

/// What no ECS of today knows, as it stands in the definition.
const UNKNOWN: [&str; 8] = [
    r#""futureTask":{"ratio": 1.50, "huge":123456789012345678901234567890, "exp":1e2, "text":"\u00e9", "nothing":null}"#,
    r#""futurePlatform":[ 1, 2 ]"#,
    r#""futureVolume":{"a":  "b"}"#,
    r#""futureContainer":[{"x":0.10}]"#,
    r#""futurePort":1.0"#,
    r#""futureVariable":true"#,
    r#""futureLog":{ }"#,
    r#""tags":[{"key":"team","value":"a"}]"#,
];

/// Replaces the body before it is signed.
#[derive(Debug)]
struct SendRaw(String);

impl Intercept for SendRaw {
    fn name(&self) -> &'static str {
        "SendRaw"
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        request.headers_mut().insert("content-length", self.0.len().to_string());
        *request.body_mut() = SdkBody::from(self.0.clone());
        Ok(())
    }
}

async fn register_raw(client: &aws_sdk_ecs::Client, body: &str) {
    client.register_task_definition().customize().interceptor(SendRaw(body.to_owned())).send().await.unwrap();
}

/// The trip as the typed client makes it: what it has no field for is gone.
async fn copy_typed(client: &aws_sdk_ecs::Client, from: &TaskDefinition) {
    client
        .register_task_definition()
        .family(from.family().unwrap())
        .set_network_mode(from.network_mode().cloned())
        .set_cpu(from.cpu().map(str::to_owned))
        .set_memory(from.memory().map(str::to_owned))
        .set_execution_role_arn(from.execution_role_arn().map(str::to_owned))
        .set_requires_compatibilities(Some(from.requires_compatibilities().to_vec()))
        .set_runtime_platform(from.runtime_platform().cloned())
        .set_volumes(Some(from.volumes().to_vec()))
        .set_container_definitions(Some(from.container_definitions().to_vec()))
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn unknown_members_survive_at_every_level_and_the_typed_client_loses_them() {
    let world = World::new();
    let client = aws_sdk_ecs::Client::new(&world.sdk_config());
    register_raw(&client, FROM_THE_FUTURE).await;
    let raw = world.describe("web:1").unwrap();
    for member in UNKNOWN {
        assert!(raw.contains(member), "{member} is not in {raw}");
    }

    // The control: if the same trip with types did not lose them, this test could not fail.
    let described = client.describe_task_definition().task_definition("web").include(TaskDefinitionField::Tags);
    copy_typed(&client, described.send().await.unwrap().task_definition().unwrap()).await;
    let typed = world.describe("web:2").unwrap();
    for member in &UNKNOWN[..7] {
        assert!(!typed.contains(member), "the typed client kept {member}");
    }
    assert!(typed.contains(r#""awslogs-group":"g""#), "what it knows it keeps: {typed}");
}

#[tokio::test]
async fn defaults_are_filled_in_as_ecs_does() {
    let world = World::new();
    world.register(FROM_THE_FUTURE).unwrap();
    let text = world.describe("web").unwrap();
    for part in [
        r#""environment":[{"name":"A","value":"1"},{"name":"B","value":"2","futureVariable":true}]"#,
        r#""cpu":0,"mountPoints":[],"volumesFrom":[],"systemControls":[],"essential":true"#,
        r#""portMappings":[{"containerPort":80,"futurePort":1.0,"hostPort":80,"protocol":"tcp"}]"#,
        r#""placementConstraints":[]"#,
        r#""compatibilities":["EC2","FARGATE"]"#,
        r#""registeredAt":1767323045.000"#,
        r#""registeredBy":"arn:aws:iam::111122223333:user/developer""#,
        r#"{"name":"ecs.capability.task-eni"}"#,
        r#"{"name":"ecs.capability.execution-role-awslogs"}"#,
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }

    let bridge = r#"{"family":"ec2","cpu":"1 vCPU","memory":"0.5 GB","taskRoleArn":null,"volumes":[{"name":"v"}],
        "containerDefinitions":[{"name":"a","image":"111122223333.dkr.ecr.eu-west-1.amazonaws.com/a","memoryReservation":64,
        "links":null,"healthCheck":{"command":["CMD","true"]},"portMappings":[{"containerPort":80}]}]}"#;
    world.register(bridge).unwrap();
    let text = world.describe("ec2").unwrap();
    for part in [
        r#""networkMode":"bridge""#,
        r#""cpu":"1024","memory":"512""#,
        r#""volumes":[{"name":"v","host":{}}]"#,
        r#""hostPort":0"#,
        r#""healthCheck":{"command":["CMD","true"],"interval":30,"timeout":5,"retries":3}"#,
        r#""compatibilities":["EXTERNAL","EC2"]"#,
        r#"{"name":"com.amazonaws.ecs.capability.docker-remote-api.1.21"}"#,
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains("null"), "null is absence: {text}");
}

#[tokio::test]
async fn what_ecs_answers_can_be_registered_again_and_stays_as_it_is() {
    let world = World::new();
    world.register(FROM_THE_FUTURE).unwrap();
    let first = world.newest_active("web").unwrap();
    world.register(&first.text).unwrap();
    let second = world.newest_active("web").unwrap();
    assert_eq!(second.number, 2);
    let heart = |text: &str| {
        let start = text.find(r#""family""#).unwrap();
        let end = text.find(r#","revision""#).unwrap();
        text[start..end].to_owned()
    };
    assert_eq!(heart(&first.text), heart(&second.text));
}

#[tokio::test]
async fn tags_come_only_when_asked_for() {
    let world = World::new();
    let client = aws_sdk_ecs::Client::new(&world.sdk_config());
    world.register(FROM_THE_FUTURE).unwrap();
    let without = client.describe_task_definition().task_definition("web").send().await.unwrap();
    assert!(without.tags().is_empty());
    let with = client.describe_task_definition().task_definition("web").include(TaskDefinitionField::Tags);
    assert_eq!(with.send().await.unwrap().tags()[0].key(), Some("team"));
    assert_eq!(client.list_task_definitions().send().await.unwrap().task_definition_arns().len(), 1);
    let registered = client
        .register_task_definition()
        .family("x")
        .container_definitions(
            aws_sdk_ecs::types::ContainerDefinition::builder().name("a").image("a").memory(64).build(),
        )
        .tags(aws_sdk_ecs::types::Tag::builder().key("k").value("v").build())
        .send()
        .await
        .unwrap();
    assert_eq!(registered.tags()[0].value(), Some("v"), "a registration's answer has the tags beside it");
}

#[test]
fn null_is_absence_where_ecs_knows_the_member_and_nobodys_business_elsewhere() {
    let world = World::new();
    let text = r#"{"family":"web","ipcMode":null,"future":null,"containerDefinitions":[{"name":"a","image":"a","memory":64,
        "user":null,"future":[ 1.50,null ],"logConfiguration":{"logDriver":"json-file","secretOptions":null,"future":{"x":null}}}]}"#;
    world.register(text).unwrap();
    let stored = world.newest_active("web").unwrap().text;
    for gone in [r#""ipcMode""#, r#""user""#, r#""secretOptions""#] {
        assert!(!stored.contains(gone), "{gone} is in {stored}");
    }
    for kept in [r#""future":null"#, r#""future":[ 1.50,null ]"#, r#""future":{"x":null}"#] {
        assert!(stored.contains(kept), "{kept} is not in {stored}");
    }
}
