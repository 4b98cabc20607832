//! ECS's calls that change services.
//!
//! Knows: what each call reads, refuses and begins. Must not know: how a deployment ends; that is the test's to say.

use crate::world::answer::{Answer, ServiceError};
use crate::world::cluster;
use crate::world::ecs::{self, Deed};
use crate::world::input::Input;
use crate::world::members::{Members, list};
use crate::world::service::{self, Course, Deployment, Service, ServiceDeployment, ServiceRevision, Status};
use crate::world::state::{self, Place, State};
use crate::world::{Caller, Rules};
use ecs_sidecar_core::json::{Document, Value, quote};
use std::collections::BTreeMap;

/// What a new deployment is begun for if it differs, as the service model documents it of each member.
pub(crate) const DEPLOYED: [&str; 7] = [
    "networkConfiguration",
    "platformVersion",
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
];

/// What a request says that is no property of the service, or is kept elsewhere.
const NOT_KEPT: [&str; 8] =
    ["cluster", "service", "serviceName", "taskDefinition", "clientToken", "role", "tags", "forceNewDeployment"];

/// The deed of that name.
pub(crate) fn deed(operation: &str) -> Option<Deed> {
    Some(match operation {
        "CreateService" => Deed::Write(create),
        "UpdateService" => Deed::Write(update),
        "DeleteService" => Deed::Write(delete),
        "TagResource" => Deed::Write(tag),
        _ => return None,
    })
}

fn create(state: &mut State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let cluster = cluster::named(state, &caller.place, input)?;
    let name = input.required("serviceName")?;
    if state.service(&caller.place, &cluster, &name).is_some_and(|service| service.status != Status::Inactive) {
        return Err(invalid("Creation of service was not idempotent."));
    }
    let mut said = said(input);
    if said.get("desiredCount").is_none() && said.get("schedulingStrategy") != Some("\"DAEMON\"") {
        return Err(invalid("desiredCount is required for a service with the scheduling strategy REPLICA."));
    }
    fill(&mut said)?;
    let task_definition = input.text("taskDefinition").map(|name| usable(state, &caller.place, &name)).transpose()?;
    let mut service = Service {
        place: caller.place.clone(),
        cluster,
        name,
        status: Status::Active,
        said,
        tags: input.json().and_then(|root| root.get("tags")).map_or("[]", Value::raw).to_owned(),
        task_definition,
        created_at: caller.now.clone(),
        created_by: caller.principal.clone(),
        deployments: Vec::new(),
        service_deployments: Vec::new(),
        revisions: Vec::new(),
    };
    match (service.controller().as_str(), &service.task_definition) {
        ("ECS", Some(_)) => begin(state, &mut service, caller),
        ("EXTERNAL", _) | ("CODE_DEPLOY", Some(_)) => {}
        _ => return Err(invalid("TaskDefinition can not be blank.")),
    }
    let answer = answer(&service, true);
    state.put_service(service);
    Ok(answer)
}

fn update(state: &mut State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let mut service = named(state, caller, input)?.clone();
    if service.status != Status::Active {
        return Err(ServiceError::new("ServiceNotActiveException", "Service was not ACTIVE."));
    }
    let mut is_new = input.json().and_then(|root| root.get("forceNewDeployment")?.as_bool()) == Some(true);
    if let Some(name) = input.text("taskDefinition") {
        is_deployed_by_ecs(&service)?;
        let task_definition = Some(usable(state, &caller.place, &name)?);
        is_new |= service.task_definition != task_definition;
        service.task_definition = task_definition;
    }
    let said = said(input);
    for (name, value) in said.iter() {
        is_new |= DEPLOYED.contains(&name) && service.said.get(name) != Some(value);
        service.said.set(name, value);
    }
    fill(&mut service.said)?;
    if is_new && service.controller() == "ECS" {
        begin(state, &mut service, caller);
    }
    let answer = answer(&service, false);
    state.put_service(service);
    Ok(answer)
}

/// Only ECS's own controller lets a service have another task definition by UpdateService.
fn is_deployed_by_ecs(service: &Service) -> Result<(), ServiceError> {
    let instead = match service.controller().as_str() {
        "ECS" => return Ok(()),
        "CODE_DEPLOY" => "a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to trigger a new deployment.",
        _ => "an EXTERNAL deployment controller. Create a new task set instead.",
    };
    Err(invalid(format!("Unable to update task definition on services with {instead}")))
}

fn delete(state: &mut State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let mut service = named(state, caller, input)?.clone();
    let is_forced = input.json().and_then(|root| root.get("force")?.as_bool()) == Some(true);
    let is_replicated = service.said.get("schedulingStrategy") == Some("\"REPLICA\"");
    if is_replicated && !is_forced && service.desired() > 0 {
        return Err(invalid("The service cannot be stopped while it is scaled above 0."));
    }
    service.status = if service.running() > 0 { Status::Draining } else { Status::Inactive };
    service.said.set("desiredCount", "0");
    end_open(&mut service, "The service was deleted.", &caller.now);
    let answer = answer(&service, false);
    state.put_service(service);
    Ok(answer)
}

/// Gives a service tags. Nothing else gets any here.
fn tag(state: &mut State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let arn = input.required("resourceArn")?;
    let found = state.service_of(&caller.place, "service", &arn);
    let missing = || ServiceError::new("ResourceNotFoundException", "The specified resource wasn't found.");
    let mut service = found.ok_or_else(missing)?.clone();
    let old = Document::parse(&*service.tags).map_err(|error| ServiceError::serialization(error.to_string()))?;
    let new = input.json().and_then(|root| root.get("tags"));
    let tags = old.root().items().chain(new.into_iter().flat_map(Value::items));
    let tags: BTreeMap<String, &str> = tags.map(|tag| (ecs::text_of(tag, "key").into_owned(), tag.raw())).collect();
    service.tags = list(tags.into_values());
    state.put_service(service);
    Ok(Answer("{}".to_owned()))
}

/// Begins a deployment of the service as it is now. One that was on its way is stopped.
fn begin(state: &mut State, service: &mut Service, caller: &Caller) {
    let now = &caller.now;
    end_open(service, "A new service deployment was started.", now);
    let Some(task_definition) = service.task_definition.clone() else { return };
    state.numbers += 1;
    let number = state.numbers;
    let said = service.said.clone();
    service.revisions.push(ServiceRevision { number, task_definition, said, created_at: now.clone() });
    service.deployments.retain(|deployment| deployment.running > 0);
    let sources = service.deployments.iter().map(|deployment| deployment.revision).collect();
    let deployment = Deployment::new(number, number, now);
    service.deployments.insert(0, deployment);
    service.service_deployments.insert(
        0,
        ServiceDeployment {
            number,
            sources,
            target: number,
            course: Course::InProgress,
            reason: None,
            rollback: None,
            failures: 0,
            created_at: now.clone(),
            finished_at: None,
        },
    );
}

/// Ends what is on its way with a service.
fn end_open(service: &mut Service, why: &str, now: &str) {
    for open in service.service_deployments.iter_mut().filter(|one| one.course.is_open()) {
        open.course = Course::Stopped;
        open.reason = Some(why.to_owned());
        open.finished_at = Some(now.to_owned());
    }
}

/// The service that a request means by its `cluster` and `service`.
pub(crate) fn named<'a>(state: &'a State, caller: &Caller, input: &Input) -> Result<&'a Service, ServiceError> {
    let cluster = cluster::named(state, &caller.place, input)?;
    let given = input.required("service")?;
    let name = short(&caller.place, &cluster, &given);
    let found = name.and_then(|name| state.service(&caller.place, &cluster, name));
    found.ok_or_else(|| ServiceError::new("ServiceNotFoundException", "Service not found."))
}

/// The name in a name or an ARN, unless it is an ARN of another cluster.
pub(crate) fn short<'a>(place: &Place, cluster: &str, given: &'a str) -> Option<&'a str> {
    match given.strip_prefix(&service::arn(place, cluster, "")) {
        Some(name) => Some(name),
        None => Some(given).filter(|given| !given.starts_with("arn:")),
    }
}

/// The ARN of the revision that a service is to run.
fn usable(state: &State, place: &Place, name: &str) -> Result<String, ServiceError> {
    let unknown = || ServiceError::client("TaskDefinition not found.");
    let (family, number) = ecs::named(place, name).map_err(|_| unknown())?;
    let known = state.family(place, &family).ok_or_else(unknown)?;
    let revision = match number {
        Some(number) => known.revisions.get(&number).ok_or_else(unknown)?,
        None => known.newest_active().ok_or_else(inactive)?,
    };
    match revision.status {
        state::Status::Active => Ok(revision.arn()),
        state::Status::Inactive => Err(inactive()),
    }
}

fn inactive() -> ServiceError {
    ServiceError::client("TaskDefinition is inactive")
}

pub(crate) fn invalid(message: impl Into<String>) -> ServiceError {
    ServiceError::new("InvalidParameterException", message)
}

fn answer(service: &Service, with_tags: bool) -> Answer {
    Answer(format!("{{\"service\":{}}}", service.described(with_tags)))
}

/// What a request says of a service. `null` is as if it were not there.
fn said(input: &Input) -> Members {
    let mut said = Members::default();
    for (name, value) in input.json().map(Value::members).into_iter().flatten() {
        if !NOT_KEPT.contains(&&*name) && !value.is_null() {
            said.set(&name, value.raw());
        }
    }
    if let Some(role) = input.text("role") {
        said.set("roleArn", quote(&role));
    }
    said
}

/// Fills in what ECS fills in, as its answers show it.
fn fill(said: &mut Members) -> Result<(), ServiceError> {
    for (name, default) in [
        ("loadBalancers", "[]"),
        ("serviceRegistries", "[]"),
        ("placementConstraints", "[]"),
        ("placementStrategy", "[]"),
        ("schedulingStrategy", "\"REPLICA\""),
        ("deploymentController", "{\"type\":\"ECS\"}"),
        ("enableECSManagedTags", "false"),
        ("propagateTags", "\"NONE\""),
        ("enableExecuteCommand", "false"),
        ("availabilityZoneRebalancing", "\"ENABLED\""),
        // One on each instance; there is one here.
        ("desiredCount", "1"),
    ] {
        said.fill(name, default);
    }
    if said.get("capacityProviderStrategy").is_none() {
        said.fill("launchType", "\"EC2\"");
    }
    if said.get("launchType") == Some("\"FARGATE\"") {
        said.fill("platformVersion", "\"LATEST\"");
        said.fill("platformFamily", "\"Linux\"");
    }
    let is_daemon = said.get("schedulingStrategy") == Some("\"DAEMON\"");
    let (most, least) = if is_daemon { ("100", "0") } else { ("200", "100") };
    let configuration = said.get("deploymentConfiguration").unwrap_or("{}");
    let mut configuration =
        Members::parse(configuration).map_err(|error| ServiceError::serialization(error.to_string()))?;
    for (name, default) in [
        ("deploymentCircuitBreaker", "{\"enable\":false,\"rollback\":false}"),
        ("maximumPercent", most),
        ("minimumHealthyPercent", least),
        ("strategy", "\"ROLLING\""),
        ("bakeTimeInMinutes", "0"),
    ] {
        configuration.fill(name, default);
    }
    said.set("deploymentConfiguration", configuration.render());
    Ok(())
}
