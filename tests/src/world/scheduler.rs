//! EventBridge Scheduler's calls that read.
//!
//! Knows: how Scheduler writes them over REST. Must not know: when a schedule is due.

use crate::World;
use crate::world::answer::{Answer, ServiceError, page};
use crate::world::clock::lock;
use crate::world::ecs::Deed;
use crate::world::input::Input;
use crate::world::members::list;
use crate::world::state::State;
use crate::world::{Caller, Rules};
use bytes::Bytes;
use ecs_sidecar_core::json::{Document, quote};
use http::{Method, Request};
use percent_encoding::percent_decode_str;

const SCHEDULES: &str = "/schedules";

/// How many a page has, unless it is asked for fewer.
const PAGE: usize = 100;

/// The deed of that name.
pub(crate) fn deed(operation: &str) -> Option<Deed> {
    Some(match operation {
        "ListSchedules" => Deed::Read(schedules),
        "GetSchedule" => Deed::Read(schedule),
        _ => return None,
    })
}

/// The name of the schedule in a path, if there is one.
fn name(request: &Request<Bytes>) -> Option<String> {
    let name = request.uri().path().strip_prefix(SCHEDULES)?.strip_prefix('/')?;
    Some(percent_decode_str(name).decode_utf8_lossy().into_owned())
}

/// The operation, which only method and path tell.
pub(crate) fn operation(request: &Request<Bytes>) -> String {
    let operation = match (request.method(), request.uri().path(), name(request)) {
        (&Method::GET, SCHEDULES, _) => "ListSchedules",
        (&Method::GET, _, Some(_)) => "GetSchedule",
        _ => "",
    };
    operation.to_owned()
}

/// What path and query say, as other services say it in the body.
pub(crate) fn input(request: &Request<Bytes>) -> Result<Input, ServiceError> {
    let query = request.uri().query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let query = query.map(|(key, value)| (key.to_owned(), percent_decode_str(value).decode_utf8_lossy().into_owned()));
    let named = name(request).map(|name| ("Name".to_owned(), name));
    let members = query.chain(named).map(|(key, value)| format!("{}:{}", quote(&key), quote(&value)));
    Input::of_json(format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
}

fn schedules(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let group = input.text("ScheduleGroup");
    let here = state.schedules.iter().filter(|((place, in_group, _), _)| {
        *place == caller.place && group.as_ref().is_none_or(|group| group == in_group)
    });
    let all: Vec<String> = here
        .map(|((_, group, name), target)| {
            let arn = Document::parse(target.as_str())
                .ok()
                .and_then(|target| Some(target.root().get("Arn")?.raw().to_owned()));
            let arn = arn.unwrap_or_else(|| "\"\"".to_owned());
            format!("{{\"Name\":{},\"GroupName\":{},\"Target\":{{\"Arn\":{arn}}}}}", quote(name), quote(group))
        })
        .collect();
    let size = input.text("MaxResults").and_then(|size| size.parse().ok()).unwrap_or(PAGE);
    let invalid = || ServiceError::new("ValidationException", "Invalid NextToken");
    let (all, next) = page(all, input.text("NextToken").as_deref(), size, invalid)?;
    let next = next.map(|token| format!(",\"NextToken\":{}", quote(&token))).unwrap_or_default();
    Ok(Answer(format!("{{\"Schedules\":{}{next}}}", list(all))))
}

fn schedule(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let (group, name) = (input.text("groupName").unwrap_or_else(|| "default".to_owned()), input.required("Name")?);
    let missing = || {
        let message = format!("Schedule {name} does not exist.");
        ServiceError::new("ResourceNotFoundException", message).with_status(404)
    };
    let key = (caller.place.clone(), group.clone(), name.clone());
    let target = state.schedules.get(&key).ok_or_else(missing)?;
    Ok(Answer(format!("{{\"Name\":{},\"GroupName\":{},\"Target\":{target}}}", quote(&name), quote(&group))))
}

impl World {
    /// Makes a schedule with a target in JSON.
    pub fn add_schedule(&self, group: &str, name: &str, target: &str) {
        let key = (self.place.clone(), group.to_owned(), name.to_owned());
        lock(&self.shared.history).now.schedules.insert(key, target.to_owned());
    }
}
