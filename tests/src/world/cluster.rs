//! ECS's calls about clusters.
//!
//! Knows: how a request names a cluster. Must not know: what runs in one, but for how much of it there is.

use crate::world::answer::Answer;
use crate::world::answer::ServiceError;
use crate::world::ecs::{Deed, paged};
use crate::world::input::Input;
use crate::world::members::{Members, list};
use crate::world::service::Status;
use crate::world::state::{Place, State};
use crate::world::{Caller, Rules};
use ecs_sidecar_core::json::quote;

/// The cluster that a request means if it names none.
const DEFAULT: &str = "default";

/// How many clusters DescribeClusters takes at once.
const MAX_DESCRIBED: usize = 100;

/// The deed of that name.
pub(crate) fn deed(operation: &str) -> Option<Deed> {
    Some(match operation {
        "CreateCluster" => Deed::Write(create),
        "DescribeClusters" => Deed::Read(describe),
        "ListClusters" => Deed::Read(list_all),
        _ => return None,
    })
}

/// The name of the cluster that a request means by its `cluster`.
pub(crate) fn named(state: &State, place: &Place, input: &Input) -> Result<String, ServiceError> {
    let given = input.text("cluster").filter(|given| !given.is_empty());
    let name = short(place, given.as_deref().unwrap_or(DEFAULT)).map(str::to_owned);
    let known = name.filter(|name| state.clusters.contains_key(&(place.clone(), name.clone())));
    known.ok_or_else(|| ServiceError::new("ClusterNotFoundException", "Cluster not found."))
}

/// The name in a name or an ARN, unless it is an ARN of somewhere else.
fn short<'a>(place: &Place, given: &'a str) -> Option<&'a str> {
    match given.strip_prefix(&arn(place, "")) {
        Some(name) => Some(name),
        None => Some(given).filter(|given| !given.starts_with("arn:")),
    }
}

pub(crate) fn arn(place: &Place, name: &str) -> String {
    place.arn("ecs", &format!("cluster/{name}"))
}

fn create(state: &mut State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let name = input.text("clusterName").unwrap_or_else(|| DEFAULT.to_owned());
    let mut said = input.json().map(Members::of).unwrap_or_default();
    said.take("clusterName");
    said.fill("tags", "[]");
    let key = (caller.place.clone(), name.clone());
    // To create what is there is no error, and changes nothing.
    if !state.clusters.contains_key(&key) {
        state.clusters.insert_mut(key, said);
    }
    Ok(Answer(format!("{{\"cluster\":{}}}", described(state, &caller.place, &name, true))))
}

fn describe(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let mut names = input.texts("clusters");
    if names.is_empty() {
        names.push(DEFAULT.to_owned());
    }
    if names.len() > MAX_DESCRIBED {
        return Err(ServiceError::new("InvalidParameterException", "Cannot describe more than 100 clusters."));
    }
    let with_tags = input.texts("include").iter().any(|word| word == "TAGS");
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for given in names {
        let name = short(&caller.place, &given);
        match name.filter(|name| state.clusters.contains_key(&(caller.place.clone(), (*name).to_owned()))) {
            Some(name) => found.push(described(state, &caller.place, name, with_tags)),
            None => failures.push(missing(&arn(&caller.place, name.unwrap_or(&given)))),
        }
    }
    Ok(Answer(format!("{{\"clusters\":{},\"failures\":{}}}", list(found), list(failures))))
}

/// What an answer says of something that is not there.
pub(crate) fn missing(arn: &str) -> String {
    format!("{{\"arn\":{},\"reason\":\"MISSING\"}}", quote(arn))
}

fn described(state: &State, place: &Place, name: &str, with_tags: bool) -> String {
    let mut members = Members::default();
    members.set("clusterArn", quote(&arn(place, name)));
    members.set("clusterName", quote(name));
    members.set("status", quote("ACTIVE"));
    let services: Vec<_> = state.services_in(place, name).filter(|service| service.status == Status::Active).collect();
    members.set("activeServicesCount", services.len().to_string());
    let running: u64 = services.iter().map(|service| service.running()).sum();
    members.set("runningTasksCount", running.to_string());
    if let Some(said) = state.clusters.get(&(place.clone(), name.to_owned())) {
        for (name, value) in said.iter().filter(|(name, _)| with_tags || *name != "tags") {
            members.set(name, value);
        }
    }
    members.render()
}

fn list_all(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let here = state.clusters.keys().filter(|(place, _)| *place == caller.place);
    paged("clusterArns", here, |(place, name)| quote(&arn(place, name)), input, 100)
}
