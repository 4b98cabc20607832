//! EventBridge's PutEvents; what can be listed of rules is in `rules`.
//!
//! Knows: what an event may be, and that each of a request has a fate of its own. Must not know: who listens.

use crate::Event;
use crate::world::answer::{Answer, ServiceError};
use crate::world::call::Service;
use crate::world::ecs::Deed;
use crate::world::input::Input;
use crate::world::members::list;
use crate::world::rules;
use crate::world::state::State;
use crate::world::{Caller, Rules};
use ecs_sidecar_core::json::{Document, JsonType, Value, quote};

/// The bus that every Region has.
pub(crate) const DEFAULT_BUS: &str = "default";

/// How many events a request may have.
const MAX_ENTRIES: usize = 10;

/// How many bytes they may have together: the least that AWS ever documented.
const MAX_BYTES: usize = 256 * 1024;

/// The deed of that name.
pub(crate) fn deed(operation: &str) -> Option<Deed> {
    if operation == "PutEvents" { Some(Deed::Write(put_events)) } else { rules::deed(operation) }
}

fn invalid(message: impl Into<String>) -> ServiceError {
    ServiceError::new("ValidationException", message)
}

fn put_events(state: &mut State, caller: &Caller, rules: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let entries: Vec<Value<'_>> =
        input.json().and_then(|root| root.get("Entries")).map(|list| list.items().collect()).unwrap_or_default();
    if !(1..=MAX_ENTRIES).contains(&entries.len()) {
        return Err(invalid(format!(
            "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length \
             between 1 and {MAX_ENTRIES}, not {}",
            entries.len()
        )));
    }
    if entries.iter().map(|entry| size(*entry)).sum::<usize>() > MAX_BYTES {
        return Err(invalid("Total size of the entries in the request is over the limit."));
    }
    let mut failed = 0;
    let fates = entries.into_iter().map(|entry| {
        let put = event(state, caller, rules, entry).map(|event| {
            state.events.push_back_mut(event);
            format!("{{\"EventId\":\"00000000-0000-0000-0000-{:012}\"}}", state.events.len())
        });
        put.unwrap_or_else(|error| {
            failed += 1;
            format!("{{\"ErrorCode\":{},\"ErrorMessage\":{}}}", quote(&error.code), quote(&error.message))
        })
    });
    let fates = list(fates.collect::<Vec<_>>());
    Ok(Answer(format!("{{\"FailedEntryCount\":{failed},\"Entries\":{fates}}}")))
}

fn text<'a>(entry: Value<'a>, name: &str) -> std::borrow::Cow<'a, str> {
    entry.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// As EventBridge's guide counts it.
fn size(entry: Value<'_>) -> usize {
    let texts: usize = ["Source", "DetailType", "Detail"].iter().map(|name| text(entry, name).len()).sum();
    let time = if entry.get("Time").is_some() { 14 } else { 0 };
    texts + time + resources(entry).iter().map(String::len).sum::<usize>()
}

fn resources(entry: Value<'_>) -> Vec<String> {
    let resources = entry.get("Resources").into_iter().flat_map(Value::items);
    resources.filter_map(|one| Some(one.as_str()?.into_owned())).collect()
}

fn event(state: &State, caller: &Caller, rules: &Rules, entry: Value<'_>) -> Result<Event, ServiceError> {
    for name in ["Source", "DetailType", "Detail"] {
        if text(entry, name).is_empty() {
            let message = format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
            return Err(ServiceError::new("InvalidArgument", message));
        }
    }
    let (source, detail) = (text(entry, "Source"), text(entry, "Detail"));
    if source.starts_with("aws.") {
        return Err(ServiceError::new("NotAuthorizedForSourceException", "Not authorized for the source."));
    }
    if Document::parse(&*detail).map(|detail| detail.root().json_type()) != Ok(JsonType::Object) {
        return Err(ServiceError::new("MalformedDetail", "Detail is malformed."));
    }
    let bus = match text(entry, "EventBusName") {
        name if name.is_empty() => DEFAULT_BUS.to_owned(),
        name => {
            let prefix = caller.place.arn("events", "event-bus/");
            name.strip_prefix(&prefix).unwrap_or(&name).to_owned()
        }
    };
    if bus != DEFAULT_BUS && !state.buses.contains(&(caller.place.clone(), bus.clone())) {
        return Err(ServiceError::new("InvalidArgument", format!("Event bus {bus} does not exist.")));
    }
    if let Some(code) = rules.failure(Service::Events, &detail) {
        return Err(ServiceError::new(code, "This entry was chosen to fail."));
    }
    Ok(Event {
        place: caller.place.clone(),
        bus,
        source: source.into_owned(),
        detail_type: text(entry, "DetailType").into_owned(),
        detail: detail.into_owned(),
        resources: resources(entry),
        sent_at: caller.at,
    })
}
