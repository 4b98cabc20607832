//! ECS's calls that look at services, their deployments and revisions.
//!
//! Knows: what can be asked for, how much at once, and how an item that is not there is told. Must not know: what changes.

use crate::world::answer::{Answer, ServiceError};
use crate::world::cluster::{self, missing};
use crate::world::ecs::{Deed, paged};
use crate::world::input::Input;
use crate::world::members::list;
use crate::world::service::{self, Status};
use crate::world::services::{invalid, named, short};
use crate::world::state::State;
use crate::world::{Caller, Rules};
use ecs_sidecar_core::json::quote;

/// How many services DescribeServices takes at once.
const MAX_SERVICES: usize = 10;

/// How many ARNs the calls about service deployments and revisions take at once.
const MAX_ARNS: usize = 20;

/// The deed of that name.
pub(crate) fn deed(operation: &str) -> Option<Deed> {
    Some(match operation {
        "DescribeServices" => Deed::Read(describe),
        "ListServices" => Deed::Read(list_services),
        "ListServiceDeployments" => Deed::Read(list_deployments),
        "DescribeServiceDeployments" => Deed::Read(describe_deployments),
        "DescribeServiceRevisions" => Deed::Read(describe_revisions),
        _ => return None,
    })
}

fn describe(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let cluster = cluster::named(state, &caller.place, input)?;
    let asked = some(input, "services", MAX_SERVICES)?;
    let include = input.texts("include");
    if let Some(unknown) = include.iter().find(|word| *word != "TAGS") {
        return Err(invalid(format!("include: {unknown} is not TAGS")));
    }
    let answers = asked.iter().map(|given| {
        let name = short(&caller.place, &cluster, given);
        let found = name.and_then(|name| state.service(&caller.place, &cluster, name));
        let arn = || name.map_or_else(|| given.clone(), |name| service::arn(&caller.place, &cluster, name));
        found.map(|service| service.described(!include.is_empty())).ok_or_else(arn)
    });
    Ok(answer("services", answers))
}

fn list_services(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let cluster = cluster::named(state, &caller.place, input)?;
    let filters: Vec<_> = ["launchType", "schedulingStrategy"]
        .into_iter()
        .filter_map(|name| Some((name, quote(&input.text(name)?))))
        .collect();
    // One that drains is no longer listed, though it can still be described.
    let listed = state.services_in(&caller.place, &cluster).filter(|service| {
        service.status == Status::Active
            && filters.iter().all(|(name, value)| service.said.get(name) == Some(value.as_str()))
    });
    paged("serviceArns", listed, |service| quote(&service.arn()), input, 10)
}

fn list_deployments(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let service = named(state, caller, input)?;
    if input.json().is_some_and(|root| root.get("createdAt").is_some()) {
        return Err(invalid("createdAt is not among the filters of this fake"));
    }
    let wanted = input.texts("status");
    let listed = service.service_deployments.iter();
    let listed = listed.filter(|one| wanted.is_empty() || wanted.iter().any(|status| status == one.course.label()));
    paged("serviceDeployments", listed, |one| service.brief(one), input, 20)
}

fn describe_deployments(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let asked = some(input, "serviceDeploymentArns", MAX_ARNS)?;
    let answers = asked.into_iter().map(|arn| {
        let service = state.service_of(&caller.place, "service-deployment", &arn);
        let found = service.and_then(|service| {
            let of_it = |number| service.arn_of("service-deployment", number) == arn;
            let found = service.service_deployments.iter().find(|one| of_it(one.number))?;
            Some(service.described_deployment(found))
        });
        found.ok_or(arn)
    });
    Ok(answer("serviceDeployments", answers))
}

fn describe_revisions(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let asked = some(input, "serviceRevisionArns", MAX_ARNS)?;
    let answers = asked.into_iter().map(|arn| {
        let service = state.service_of(&caller.place, "service-revision", &arn);
        let found = service.and_then(|service| {
            let of_it = |number| service.arn_of("service-revision", number) == arn;
            let found = service.revisions.iter().find(|one| of_it(one.number))?;
            Some(service.described_revision(found))
        });
        found.ok_or(arn)
    });
    Ok(answer("serviceRevisions", answers))
}

/// The items that are asked for: one at least, and no more than that.
fn some(input: &Input, member: &str, most: usize) -> Result<Vec<String>, ServiceError> {
    let asked = input.texts(member);
    if (1..=most).contains(&asked.len()) {
        return Ok(asked);
    }
    Err(invalid(format!("{member} must have between 1 and {most} items, not {}", asked.len())))
}

/// What was found, and of what was not the ARNs.
fn answer(member: &str, answers: impl Iterator<Item = Result<String, String>>) -> Answer {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for answer in answers {
        match answer {
            Ok(text) => found.push(text),
            Err(arn) => failures.push(missing(&arn)),
        }
    }
    Answer(format!("{{{}:{},\"failures\":{}}}", quote(member), list(found), list(failures)))
}
