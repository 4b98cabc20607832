//! The two buckets, on a clock that goes by hand.

use crate::definitions::small;
use aws_sdk_ecs::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_ecs::error::ProvideErrorMetadata;
use ecs_sidecar_tests::World;
use std::time::Duration;

/// A client that gives up at once, and one that does not; each with a budget for retries of its own.
fn client(world: &World, attempts: u32, partition: &'static str) -> aws_sdk_ecs::Client {
    let config = aws_sdk_ecs::config::Builder::from(&world.sdk_config())
        .retry_config(RetryConfig::standard().with_max_attempts(attempts))
        .retry_partition(RetryPartition::new(partition))
        .build();
    aws_sdk_ecs::Client::from_conf(config)
}

/// Deregisters what is not there: it costs a token all the same.
async fn modify(client: &aws_sdk_ecs::Client) -> String {
    let error = client.deregister_task_definition().task_definition("none:1").send().await.unwrap_err();
    error.code().unwrap_or_default().to_owned()
}

/// How many calls in a row are let through, of many.
async fn let_through(client: &aws_sdk_ecs::Client) -> usize {
    let mut count = 0;
    while count < 100 && modify(client).await == "ClientException" {
        count += 1;
    }
    count
}

#[tokio::test]
async fn modifying_has_a_burst_of_twenty_and_then_one_a_second() {
    let world = World::new();
    let client = client(&world, 1, "burst");
    world.meter_calls();
    assert_eq!(let_through(&client).await, 20);
    world.clock().advance(Duration::from_millis(999));
    assert_eq!(modify(&client).await, "ThrottlingException");
    world.clock().advance(Duration::from_millis(1));
    assert_eq!(let_through(&client).await, 1);
    world.clock().advance(Duration::from_secs(1_000));
    assert_eq!(let_through(&client).await, 20, "a bucket holds no more than its burst");
}

#[tokio::test]
async fn reading_is_paid_from_another_bucket_and_every_region_has_its_own() {
    let world = World::new();
    world.register(&small("web")).unwrap();
    let here = client(&world, 1, "read");
    world.meter_calls();
    assert_eq!(let_through(&here).await, 20);
    for _ in 0..50 {
        here.describe_task_definition().task_definition("web").send().await.unwrap();
    }
    assert!(here.list_task_definitions().send().await.is_err());
    assert_eq!(let_through(&client(&world.at("us-east-1"), 1, "elsewhere")).await, 20);
    world.clock().advance(Duration::from_secs(1));
    for _ in 0..20 {
        here.list_task_definition_families().send().await.unwrap();
    }
    assert!(here.list_task_definitions().send().await.is_err());
}

#[tokio::test]
async fn a_client_that_backs_off_gets_through_without_anybody_waiting() {
    let world = World::new();
    world.meter_calls();
    let client = client(&world, 10, "patient");
    for _ in 0..25 {
        assert_eq!(modify(&client).await, "ClientException");
    }
    let throttled = world.call_lines().iter().filter(|line| line.contains("(ThrottlingException)")).count();
    assert!(throttled > 0, "the bucket was empty at least once");
}

#[tokio::test]
async fn nothing_is_metered_unless_asked_for() {
    let world = World::new();
    assert_eq!(let_through(&client(&world, 1, "free")).await, 100);
}
