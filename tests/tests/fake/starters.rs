//! What starts tasks: rules, schedules and state machines, as far as they can be read.

use aws_sdk_iam::error::ProvideErrorMetadata;
use ecs_sidecar_tests::World;

fn code(error: &impl ProvideErrorMetadata) -> &str {
    error.code().unwrap_or_default()
}

#[tokio::test]
async fn a_rule_is_on_its_own_bus_alone() {
    let world = World::new();
    world.add_bus("jobs");
    world.add_rule("jobs", "nightly", &[r#"{"Id":"a","Arn":"arn:aws:sqs:eu-west-1:111122223333:work"}"#.to_owned()]);
    let client = aws_sdk_eventbridge::Client::new(&world.sdk_config());
    let buses = client.list_event_buses().send().await.unwrap();
    let names: Vec<_> = buses.event_buses().iter().filter_map(|bus| bus.name()).collect();
    assert_eq!(names, ["default", "jobs"]);
    let rules = |bus: &str| client.list_rules().event_bus_name(bus).send();
    assert_eq!(rules("default").await.unwrap().rules().len(), 0);
    assert_eq!(rules("jobs").await.unwrap().rules()[0].event_bus_name(), Some("jobs"));
    assert_eq!(code(&rules("other").await.unwrap_err().into_service_error()), "ResourceNotFoundException");
    let targets = |bus: &str| client.list_targets_by_rule().rule("nightly").event_bus_name(bus).send();
    assert_eq!(targets("jobs").await.unwrap().targets()[0].id(), "a");
    assert_eq!(code(&targets("default").await.unwrap_err().into_service_error()), "ResourceNotFoundException");
    let elsewhere = aws_sdk_eventbridge::Client::new(&world.at("us-east-1").sdk_config());
    assert_eq!(elsewhere.list_event_buses().send().await.unwrap().event_buses().len(), 1);
}

#[tokio::test]
async fn pages_of_rules_go_on_where_the_one_before_ended() {
    let world = World::new();
    ["a", "b", "c"].iter().for_each(|name| world.add_rule("default", name, &[]));
    let client = aws_sdk_eventbridge::Client::new(&world.sdk_config());
    let first = client.list_rules().limit(2).send().await.unwrap();
    assert_eq!(first.rules().len(), 2);
    let token = first.next_token().unwrap();
    let second = client.list_rules().limit(2).next_token(token).send().await.unwrap();
    assert_eq!((second.rules()[0].name(), second.next_token()), (Some("c"), None));
    let wrong = client.list_rules().next_token("x").send().await.unwrap_err().into_service_error();
    assert_eq!(code(&wrong), "ValidationException");
}

#[tokio::test]
async fn a_schedule_is_listed_without_and_read_with_its_target() {
    let world = World::new();
    let target = r#"{"Arn":"arn:aws:ecs:eu-west-1:111122223333:cluster/shop","RoleArn":"arn:aws:iam::111122223333:role/r","EcsParameters":{"TaskDefinitionArn":"web:1"}}"#;
    world.add_schedule("default", "a", target);
    world.add_schedule("reports", "a b", target);
    let client = aws_sdk_scheduler::Client::new(&world.sdk_config());
    let listed = |group: Option<&str>| client.list_schedules().set_group_name(group.map(str::to_owned)).send();
    assert_eq!(listed(None).await.unwrap().schedules().len(), 2);
    let reports = listed(Some("reports")).await.unwrap();
    assert_eq!(
        reports.schedules()[0].target().map(|target| target.arn()),
        Some("arn:aws:ecs:eu-west-1:111122223333:cluster/shop")
    );
    let get = |group: &str, name: &str| client.get_schedule().group_name(group).name(name).send();
    let read = get("reports", "a b").await.unwrap();
    let parameters = read.target().and_then(|target| target.ecs_parameters()).unwrap();
    assert_eq!(parameters.task_definition_arn(), "web:1");
    assert_eq!(client.get_schedule().name("a").send().await.unwrap().group_name(), Some("default"));
    assert_eq!(code(&get("default", "a b").await.unwrap_err().into_service_error()), "ResourceNotFoundException");
}

#[tokio::test]
async fn a_state_machine_is_read_by_its_arn() {
    let world = World::new();
    let arn = world.add_state_machine("export", r#"{"StartAt":"A"}"#);
    assert_eq!(arn, "arn:aws:states:eu-west-1:111122223333:stateMachine:export");
    let client = aws_sdk_sfn::Client::new(&world.sdk_config());
    let listed = client.list_state_machines().send().await.unwrap();
    assert_eq!(listed.state_machines()[0].state_machine_arn(), arn);
    let read = |arn: &str| client.describe_state_machine().state_machine_arn(arn).send();
    assert_eq!(read(&arn).await.unwrap().definition(), r#"{"StartAt":"A"}"#);
    assert_eq!(code(&read("arn:x").await.unwrap_err().into_service_error()), "StateMachineDoesNotExist");
}
