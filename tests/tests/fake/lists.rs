//! Lists over all families: what a sweep goes through.

use crate::definitions::small;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::error::ProvideErrorMetadata;
use aws_sdk_ecs::types::{SortOrder, TaskDefinitionFamilyStatus, TaskDefinitionStatus};
use ecs_sidecar_tests::World;
use std::time::{Duration, Instant};

/// Families whose order by name is not the one in which they came, and one of which has ten revisions.
fn world() -> (World, Client) {
    let world = World::new();
    for family in ["web", "api", "web-2", "Web", "gone"] {
        world.register(&small(family)).unwrap();
    }
    (2..=10).for_each(|_| drop(world.register(&small("web")).unwrap()));
    world.register(&small("api")).unwrap();
    for name in ["gone:1", "web:2", "api:2"] {
        world.deregister(name).unwrap();
    }
    let client = Client::new(&world.sdk_config());
    (world, client)
}

async fn revisions(client: &Client, status: TaskDefinitionStatus, sort: SortOrder, size: i32) -> (Vec<String>, usize) {
    let (mut all, mut token, mut pages) = (Vec::new(), None, 0);
    loop {
        let list = client.list_task_definitions().status(status.clone()).sort(sort.clone()).max_results(size);
        let page = list.set_next_token(token).send().await.unwrap();
        all.extend(page.task_definition_arns().iter().map(|arn| arn.rsplit('/').next().unwrap().to_owned()));
        pages += 1;
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            return (all, pages);
        }
    }
}

#[tokio::test]
async fn all_families_revisions_are_listed_by_name_and_then_by_number() {
    let (_world, client) = world();
    let mut expected = vec!["Web:1", "api:1", "web:1"];
    let numbers: Vec<String> = (3..=10).map(|number| format!("web:{number}")).collect();
    expected.extend(numbers.iter().map(|name| &**name));
    expected.push("web-2:1");
    let (found, pages) = revisions(&client, TaskDefinitionStatus::Active, SortOrder::Asc, 5).await;
    assert_eq!((found, pages), (expected.iter().map(|name| (*name).to_owned()).collect(), 3), "web:10 is behind web:9");
    expected.reverse();
    let (found, pages) = revisions(&client, TaskDefinitionStatus::Active, SortOrder::Desc, 4).await;
    assert_eq!((found, pages), (expected.iter().map(|name| (*name).to_owned()).collect(), 3));
    let (found, _) = revisions(&client, TaskDefinitionStatus::Inactive, SortOrder::Asc, 1).await;
    assert_eq!(found, ["api:2", "gone:1", "web:2"]);
}

#[tokio::test]
async fn families_are_listed_page_by_page() {
    let (_world, client) = world();
    for (status, expected) in [
        (TaskDefinitionFamilyStatus::Active, &["Web", "api", "web", "web-2"][..]),
        (TaskDefinitionFamilyStatus::Inactive, &["gone"]),
        (TaskDefinitionFamilyStatus::All, &["Web", "api", "gone", "web", "web-2"]),
    ] {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let list = client.list_task_definition_families().status(status.clone()).max_results(2);
            let page = list.set_next_token(token).send().await.unwrap();
            assert!(page.families().len() <= 2);
            found.extend(page.families().to_vec());
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{status}");
    }
}

#[tokio::test]
async fn a_token_is_good_for_its_own_question_only() {
    let (_world, client) = world();
    let list = || client.list_task_definitions().max_results(1);
    let token = list().send().await.unwrap().next_token().map(str::to_owned);
    let families = client.list_task_definition_families().max_results(1);
    let other = families.clone().send().await.unwrap().next_token().map(str::to_owned);
    let with = list().set_next_token(token.clone());
    with.clone().max_results(2).send().await.unwrap();
    for (request, why) in [
        (with.clone().status(TaskDefinitionStatus::Inactive), "status"),
        (with.clone().sort(SortOrder::Desc), "sort"),
        (with.family_prefix("web"), "family"),
        (list().set_next_token(other.clone()), "operation"),
    ] {
        assert_eq!(request.send().await.unwrap_err().code(), Some("InvalidParameterException"), "{why}");
    }
    for request in [
        families.clone().set_next_token(other.clone()).status(TaskDefinitionFamilyStatus::Active),
        families.clone().set_next_token(other.clone()).family_prefix("w"),
        families.clone().set_next_token(token),
    ] {
        assert_eq!(request.send().await.unwrap_err().code(), Some("InvalidParameterException"));
    }
    families.set_next_token(other).send().await.unwrap();
}

#[tokio::test]
async fn two_thousand_families_take_no_time() {
    let world = World::new();
    let start = Instant::now();
    for n in 0..2_000 {
        world.add_role(&format!("app/role-{n}"));
        world.register(&small(&format!("family-{n}"))).unwrap();
    }
    let client = Client::new(&world.sdk_config());
    let (found, pages) = revisions(&client, TaskDefinitionStatus::Active, SortOrder::Asc, 100).await;
    assert_eq!((found.len(), pages), (2_000, 20));
    let took = start.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
}
