//! Any bytes as an invocation of reconcile and of the sweep: nothing is kept but known names and ids.

#![no_main]

use ecs_sidecar_core::ids::RoleRef;
use ecs_sidecar_core::trigger::{self, Event, Home, Meaning, Trigger, sweep};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::sync::LazyLock;

static HOME: LazyLock<Home> = LazyLock::new(|| Home {
    account: "111122223333".parse().expect("an account"),
    region: "eu-west-1".parse().expect("a Region"),
    role: RoleRef::new("arn:aws:iam::111122223333:role/stack/operator"),
});

/// Longer than any string that may be kept, in characters and in bytes of UTF-8.
const LONGEST: usize = 2048;

/// All names that the two triggers look at, at any depth. Whatever has another name makes no difference.
const LOOKED_AT: [&str; 53] = [
    "Records",
    "SentTimestamp",
    "account",
    "action",
    "arn",
    "attributes",
    "awsRegion",
    "because",
    "body",
    "cause",
    "code",
    "containers",
    "detail",
    "detail-type",
    "errorCode",
    "eventID",
    "eventName",
    "eventSource",
    "families",
    "family",
    "from",
    "id",
    "invokedBy",
    "issuer",
    "lastStatus",
    "messageId",
    "name",
    "principal",
    "reason",
    "recipientAccountId",
    "region",
    "requestFamily",
    "requestParameters",
    "requestTaskDefinition",
    "resources",
    "responseElements",
    "round",
    "run",
    "service",
    "serviceArn",
    "sessionContext",
    "sessionIssuer",
    "source",
    "stopCode",
    "stoppedReason",
    "task",
    "taskArn",
    "taskDefinition",
    "taskDefinitionArn",
    "userAgent",
    "userIdentity",
    "waits",
    "desiredStatus",
];

fuzz_target!(|bytes: &[u8]| {
    let Ok(input) = serde_json::from_slice::<Value>(bytes) else { return };
    let without = looked_at(&input);
    let read = trigger::read(&input, &HOME);
    assert_eq!(read, trigger::read(&without, &HOME), "only known names make a difference");
    match &read {
        Ok(Trigger::Event(event)) => is_short(event),
        Ok(Trigger::Batch(messages)) => messages.iter().for_each(|message| is_short(&message.event)),
        Ok(Trigger::ByHand { .. } | Trigger::ServiceByHand { .. }) | Err(_) => {}
    }

    let swept = sweep::read(&input);
    match &swept {
        Ok(sweep::Trigger::Begin { cause: text, .. } | sweep::Trigger::GoOn { run: text }) => {
            assert!(text.len() <= LONGEST, "the sweep keeps a text of {} bytes", text.len());
        }
        Ok(sweep::Trigger::ByHand(_)) => {}
        Err(problem) => {
            let told = problem.to_string().len();
            assert!(told <= LONGEST, "the sweep tells {told} bytes of what it does not understand");
        }
    }
});

/// What is left when everything is taken out that nobody looks at. The body of a message is JSON again.
fn looked_at(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let known = members.iter().filter(|(key, _)| LOOKED_AT.contains(&key.as_str()));
            let kept = known.map(|(key, value)| {
                let body = value.as_str().filter(|_| key == "body").and_then(|text| serde_json::from_str(text).ok());
                (key.clone(), body.map_or_else(|| looked_at(value), |body| looked_at(&body).to_string().into()))
            });
            kept.collect()
        }
        Value::Array(items) => items.iter().map(looked_at).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Each text that is kept of an event is as long as a name may be.
fn is_short(event: &Event) {
    let known = serde_json::to_value(&event.known).expect("known members are plain JSON");
    let known = known.as_object().expect("an object").values();
    let mut texts: Vec<&str> = known.filter_map(Value::as_str).collect();
    match &event.meaning {
        Meaning::Look(family) => texts.push(family.as_str()),
        Meaning::LookAtService(service, who) => {
            texts.extend([Some(service.arn().as_str()), who.as_deref()].into_iter().flatten())
        }
        Meaning::Stopped(stopped) => {
            texts.extend([stopped.task.as_str(), stopped.of.as_str(), &stopped.what.code, &stopped.what.because]);
            let containers = stopped.what.containers.iter();
            texts.extend(containers.flat_map(|one| [Some(one.name.as_str()), one.because.as_deref()]).flatten());
        }
        Meaning::Ignore(_) | Meaning::Unclear(_) => {}
    }
    assert!(texts.iter().all(|text| text.len() <= LONGEST), "a text longer than any name is kept");
}
