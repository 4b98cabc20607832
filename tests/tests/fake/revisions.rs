//! Which revision is meant, in which order they are listed, and what becomes of their numbers.

use crate::definitions::small;
use aws_sdk_ecs::error::ProvideErrorMetadata;
use aws_sdk_ecs::types::{SortOrder, TaskDefinitionFamilyStatus, TaskDefinitionStatus};
use ecs_sidecar_tests::{Status, World};
use std::collections::BTreeSet;

fn client(world: &World) -> aws_sdk_ecs::Client {
    aws_sdk_ecs::Client::new(&world.sdk_config())
}

fn numbers(world: &World, family: &str) -> Vec<u64> {
    world.revisions(family).iter().map(|revision| revision.number).collect()
}

#[tokio::test]
async fn a_bare_family_is_its_latest_active_revision() {
    let world = World::new();
    let client = client(&world);
    for _ in 0..3 {
        world.register(&small("web")).unwrap();
    }
    client.deregister_task_definition().task_definition("web:3").send().await.unwrap();
    let describe = |name: String| client.describe_task_definition().task_definition(name).send();
    assert_eq!(describe("web".into()).await.unwrap().task_definition().unwrap().revision(), 2);
    let third = describe("web:3".into()).await.unwrap();
    let third = third.task_definition().unwrap();
    assert_eq!(third.status(), Some(&TaskDefinitionStatus::Inactive), "still there to be looked at");
    assert!(third.deregistered_at().is_some());
    let arn = "arn:aws:ecs:eu-west-1:111122223333:task-definition/web";
    assert_eq!(describe(format!("{arn}:1")).await.unwrap().task_definition().unwrap().revision(), 1);
    assert_eq!(describe(arn.into()).await.unwrap().task_definition().unwrap().revision(), 2);
    for missing in ["web:4", "other", "arn:aws:ecs:us-east-1:111122223333:task-definition/web:1"] {
        let error = describe(missing.into()).await.unwrap_err();
        assert_eq!(error.code(), Some("ClientException"));
        assert_eq!(error.message(), Some("Unable to describe task definition."));
    }
    world.deregister("web:1").unwrap();
    world.deregister("web:2").unwrap();
    assert!(describe("web".into()).await.is_err(), "no ACTIVE one is left");
}

#[tokio::test]
async fn deregistering_names_a_revision_and_answers_it() {
    let world = World::new();
    let client = client(&world);
    world.register(&small("web")).unwrap();
    let error = client.deregister_task_definition().task_definition("web").send().await.unwrap_err();
    assert_eq!(error.code(), Some("ClientException"));
    assert_eq!(world.newest_active("web").unwrap().number, 1, "nothing was deregistered");
    let answer = client.deregister_task_definition().task_definition("web:1").send().await.unwrap();
    let definition = answer.task_definition().unwrap();
    assert_eq!(definition.status(), Some(&TaskDefinitionStatus::Inactive));
    assert_eq!(definition.container_definitions().len(), 1);
    assert_eq!(world.revisions("web")[0].status, Status::Inactive);
}

#[tokio::test]
async fn numbers_only_grow() {
    let world = World::new();
    world.register(&small("web")).unwrap();
    world.register(&small("web")).unwrap();
    assert_eq!(world.delete("web:2").unwrap_err().code, "ClientException", "an ACTIVE one cannot be deleted");
    for name in ["web:1", "web:2"] {
        world.deregister(name).unwrap();
        world.delete(name).unwrap();
    }
    assert!(world.revisions("web").is_empty());
    let arn = world.register(&small("web")).unwrap();
    assert_eq!(arn, "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:3");
    assert!(world.register(r#"{"family":"web","containerDefinitions":[]}"#).is_err());
    assert_eq!(numbers(&world, "web"), [3], "a refused registration uses no number");
}

#[tokio::test]
async fn lists_are_paged_sorted_and_by_whole_family() {
    let world = World::new();
    let client = client(&world);
    for _ in 0..5 {
        world.register(&small("web")).unwrap();
    }
    world.register(&small("web-2")).unwrap();
    world.deregister("web:4").unwrap();
    let mut seen = Vec::new();
    let mut token = None;
    loop {
        let list = client.list_task_definitions().family_prefix("web").sort(SortOrder::Desc).max_results(2);
        let page = list.set_next_token(token).send().await.unwrap();
        assert!(page.task_definition_arns().len() <= 2);
        seen.extend(page.task_definition_arns().iter().map(|arn| arn.rsplit('/').next().unwrap().to_owned()));
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["web:5", "web:3", "web:2", "web:1"], "web-2 only begins like web, web:4 is INACTIVE");
    let inactive = client.list_task_definitions().status(TaskDefinitionStatus::Inactive).send().await.unwrap();
    assert_eq!(inactive.task_definition_arns().len(), 1);
    for (size, token) in [(101, None), (0, None), (10, Some("nonsense".to_owned()))] {
        let list = client.list_task_definitions().max_results(size).set_next_token(token);
        assert_eq!(list.send().await.unwrap_err().code(), Some("InvalidParameterException"), "{size}");
    }
}

#[tokio::test]
async fn families_are_listed_by_prefix_and_by_whether_any_revision_is_active() {
    let world = World::new();
    let client = client(&world);
    for family in ["api", "web", "web-2", "worker"] {
        world.register(&small(family)).unwrap();
    }
    world.deregister("web:1").unwrap();
    let list = |prefix: &str, status| {
        let list = client.list_task_definition_families().family_prefix(prefix).status(status);
        async move { list.send().await.unwrap().families().to_vec() }
    };
    assert_eq!(list("w", TaskDefinitionFamilyStatus::Active).await, ["web-2", "worker"]);
    assert_eq!(list("", TaskDefinitionFamilyStatus::Inactive).await, ["web"]);
    assert_eq!(list("web", TaskDefinitionFamilyStatus::All).await, ["web", "web-2"]);
    assert_eq!(client.list_task_definition_families().send().await.unwrap().families().len(), 4, "ALL is the default");
}

#[test]
fn concurrent_registrations_get_numbers_of_their_own() {
    let world = World::new();
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let container = aws_sdk_ecs::types::ContainerDefinition::builder().name("a").image("a").memory(64);
                let call = client(&world).register_task_definition().family("web");
                runtime.block_on(call.container_definitions(container.build()).send()).unwrap();
            });
        }
    });
    assert_eq!(numbers(&world, "web"), (1..=32).collect::<Vec<_>>());
    let sequences: BTreeSet<u64> = world.calls().iter().map(|call| call.sequence).collect();
    assert_eq!(sequences.len(), 32);
}

#[tokio::test]
async fn accounts_and_regions_do_not_see_each_other() {
    let world = World::new();
    world.register(&small("web")).unwrap();
    assert!(world.at("eu-central-1").newest_active("web").is_none());
    let other = world.as_principal("arn:aws:iam::444455556666:user/somebody");
    assert!(other.newest_active("web").is_none());
    let arn = other.at("cn-north-1").register(&small("web")).unwrap();
    assert_eq!(arn, "arn:aws-cn:ecs:cn-north-1:444455556666:task-definition/web:1");
}
