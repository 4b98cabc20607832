//! Requests of many entries, each of which has a fate of its own: batches of messages, and events.

use aws_sdk_eventbridge::operation::put_events::PutEventsOutput;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use ecs_sidecar_tests::{Service, World};
use std::time::Duration;

fn message(id: &str, body: &str, delay: i32) -> SendMessageBatchRequestEntry {
    let entry = SendMessageBatchRequestEntry::builder().id(id).message_body(body).delay_seconds(delay);
    entry.build().unwrap()
}

#[tokio::test]
async fn a_batch_sends_what_it_can() {
    let world = World::new();
    let url = world.add_queue("work");
    let client = aws_sdk_sqs::Client::new(&world.sdk_config());
    world.fail_entries(Service::Sqs, "InternalFailure", "unlucky");
    world.clock().advance(Duration::from_secs(7));
    let entries =
        vec![message("a", "{}", 30), message("b", "late", 901), message("c", "unlucky", 0), message("d", "d", 0)];
    let answer = client.send_message_batch().queue_url(&url).set_entries(Some(entries.clone())).send().await.unwrap();
    let sent: Vec<_> = answer.successful().iter().map(|entry| (entry.id(), entry.md5_of_message_body())).collect();
    assert_eq!(sent, [("a", "99914b932bd37a50b983c5e7c90ae93b"), ("d", "8277e0910d750195b448797616e091ad")]);
    let failed: Vec<_> = answer.failed().iter().map(|entry| (entry.id(), entry.code(), entry.sender_fault())).collect();
    assert_eq!(failed, [("b", "InvalidParameterValue", true), ("c", "InternalFailure", false)]);

    let messages = world.take_messages("work");
    assert_eq!(messages.iter().map(|message| &*message.body).collect::<Vec<_>>(), ["{}", "d"]);
    assert_eq!((messages[0].delay_seconds, messages[0].sent_at), (30, world.clock().now()));
    assert_eq!(messages[0].visible_at(), world.clock().now() + Duration::from_secs(30));
    assert!(world.messages("work").is_empty() && world.take_messages("other").is_empty());
    world.accept_entries();
    let answer = client.send_message_batch().queue_url(&url).set_entries(Some(entries)).send().await.unwrap();
    assert_eq!(answer.failed().len(), 1);
}

#[tokio::test]
async fn a_batch_that_is_none_is_refused() {
    let world = World::new();
    let url = world.add_queue("work");
    let client = aws_sdk_sqs::Client::new(&world.sdk_config());
    let many = |count: usize| (0..count).map(|n| message(&n.to_string(), "m", 0)).collect::<Vec<_>>();
    let long = "m".repeat(600 * 1024);
    for (entries, code) in [
        (vec![], "EmptyBatchRequest"),
        (many(11), "TooManyEntriesInBatchRequest"),
        (vec![message("a", "1", 0), message("a", "2", 0)], "BatchEntryIdsNotDistinct"),
        (vec![message("a.b", "1", 0)], "InvalidBatchEntryId"),
        (vec![message("a", &long, 0), message("b", &long, 0)], "BatchRequestTooLong"),
    ] {
        let request = client.send_message_batch().queue_url(&url).set_entries(Some(entries));
        let error = request.send().await.unwrap_err();
        assert_eq!(error.code().unwrap().rsplit('.').next(), Some(code));
    }
    assert!(world.messages("work").is_empty());
    let request = client.send_message_batch().queue_url(&url).set_entries(Some(many(10)));
    assert_eq!(request.send().await.unwrap().successful().len(), 10);
    let missing = client.send_message_batch().queue_url(url.replace("work", "none")).set_entries(Some(many(1)));
    assert!(missing.send().await.unwrap_err().into_service_error().is_queue_does_not_exist());
}

fn event(source: &str, detail: &str) -> PutEventsRequestEntry {
    PutEventsRequestEntry::builder().source(source).detail_type("Report").detail(detail).build()
}

fn fates(answer: &PutEventsOutput) -> Vec<Option<&str>> {
    assert!(answer.entries().iter().all(|entry| entry.event_id().is_some() != entry.error_code().is_some()));
    let fates: Vec<_> = answer.entries().iter().map(|entry| entry.error_code()).collect();
    assert_eq!(usize::try_from(answer.failed_entry_count()), Ok(fates.iter().flatten().count()));
    fates
}

#[tokio::test]
async fn events_are_put_one_by_one() {
    let world = World::new();
    world.add_bus("own");
    let client = aws_sdk_eventbridge::Client::new(&world.sdk_config());
    world.fail_entries(Service::Events, "ThrottlingException", "unlucky");
    let on = |bus: &str| {
        PutEventsRequestEntry::builder().event_bus_name(bus).source("s").detail_type("t").detail("{}").build()
    };
    let entries = [
        event("operator", r#"{"n":1}"#),
        event("aws.ecs", "{}"),
        event("operator", "{"),
        event("operator", "[1]"),
        on("own"),
        on("arn:aws:events:eu-west-1:111122223333:event-bus/own"),
        on("other"),
        event("operator", r#"{"unlucky":true}"#),
        PutEventsRequestEntry::builder().source("operator").detail("{}").build(),
    ];
    let answer = client.put_events().set_entries(Some(entries.to_vec())).send().await.unwrap();
    let expected = [
        None,
        Some("NotAuthorizedForSourceException"),
        Some("MalformedDetail"),
        Some("MalformedDetail"),
        None,
        None,
        Some("InvalidArgument"),
        Some("ThrottlingException"),
        Some("InvalidArgument"),
    ];
    assert_eq!(fates(&answer), expected);
    let events = world.events();
    assert_eq!(events.iter().map(|event| &*event.bus).collect::<Vec<_>>(), ["default", "own", "own"]);
    let first = (&*events[0].source, &*events[0].detail_type, &*events[0].detail, events[0].sent_at);
    assert_eq!(first, ("operator", "Report", r#"{"n":1}"#, world.clock().now()));
    assert!(world.at("us-east-1").events().is_empty());
    world.accept_entries();
    let again = client.put_events().entries(entries[7].clone()).send().await.unwrap();
    assert_eq!(fates(&again), [None]);
}

#[tokio::test]
async fn too_many_events_are_refused_together() {
    let world = World::new();
    let client = aws_sdk_eventbridge::Client::new(&world.sdk_config());
    let put = |entries: Vec<PutEventsRequestEntry>| client.put_events().set_entries(Some(entries)).send();
    let great = event("s", &format!(r#"{{"v":"{}"}}"#, "v".repeat(130 * 1024)));
    for entries in [vec![event("s", "{}"); 11], vec![], vec![great.clone(), great]] {
        let error = put(entries).await.unwrap_err();
        assert_eq!(error.code(), Some("ValidationException"));
    }
    assert!(world.events().is_empty());
    assert_eq!(fates(&put(vec![event("s", "{}"); 10]).await.unwrap()).len(), 10);
}
