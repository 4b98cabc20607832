//! Rules about log drivers, FireLens and the role that secrets need.

use super::place::{Findings, Place, is_absent};
use super::{Holder, Rule, Task};
use crate::json::Value;
use crate::keys::{container as keys, log_option, nested, task};

pub(super) fn check(task: &Task<'_>, holder: &Holder<'_>, place: &Place<'_>, findings: &mut Findings) {
    let Some(log) = holder.fields.get(keys::LOG_CONFIGURATION) else {
        return;
    };
    let wanted: &[&str] = match super::text(log, nested::LOG_DRIVER).as_deref() {
        // Windows instances find the Region by themselves.
        Some("awslogs") if task.is_windows => &[log_option::AWSLOGS_GROUP],
        Some("awslogs") => &[log_option::AWSLOGS_GROUP, log_option::AWSLOGS_REGION],
        Some("splunk") => &[log_option::SPLUNK_TOKEN, log_option::SPLUNK_URL],
        Some(_) | None => return,
    };
    let place = place.then(keys::LOG_CONFIGURATION);
    let options = place.then(nested::OPTIONS);
    for option in wanted {
        if !has_option(log, option) {
            findings.add(Rule::LogOptionMissing, &options.then(option), format!("{option} is required"));
        }
    }
}

/// Whether an option is given, in plain text or as a secret.
pub(super) fn has_option(log: Value<'_>, option: &str) -> bool {
    let secrets = log.get(nested::SECRET_OPTIONS).into_iter().flat_map(Value::items);
    log.get(nested::OPTIONS).and_then(|options| options.get(option)).is_some_and(|value| !is_absent(value))
        || secrets.filter_map(super::place::name_of).any(|name| name == option)
}

/// FireLens over all containers, and the execution role that secrets of any kind need on every launch type.
pub(super) fn check_routers(task: &Task<'_>, findings: &mut Findings) {
    let list = Place::member(task::CONTAINER_DEFINITIONS);
    let is_router = |holder: &&Holder<'_>| holder.fields.get(keys::FIRELENS_CONFIGURATION).is_some();
    for holder in task.containers.iter().filter(is_router).skip(1) {
        let place = list.step(holder.step());
        findings.add(
            Rule::TooManyLogRouters,
            &place.then(keys::FIRELENS_CONFIGURATION),
            "another container is the task's log router",
        );
    }
    let has_router = task.containers.iter().any(|holder| is_router(&holder));
    let mut needs_role = None;
    for holder in &task.containers {
        let log = holder.fields.get(keys::LOG_CONFIGURATION);
        let driver = log.and_then(|log| super::text(log, nested::LOG_DRIVER));
        if driver.as_deref() == Some("awsfirelens") && !has_router {
            let place = list.step(holder.step());
            let message = "no container has a firelensConfiguration";
            findings.add(Rule::LogRouterMissing, &place.then(keys::LOG_CONFIGURATION), message);
        }
        let secret_options = log.and_then(|log| log.get(nested::SECRET_OPTIONS));
        needs_role = needs_role.or(if holder.fields.get(keys::SECRETS).is_some() {
            Some(keys::SECRETS)
        } else if holder.fields.get(keys::REPOSITORY_CREDENTIALS).is_some() {
            Some(keys::REPOSITORY_CREDENTIALS)
        } else {
            secret_options.filter(|options| !is_absent(*options)).map(|_| nested::SECRET_OPTIONS)
        });
    }
    if let Some(reason) = needs_role
        && task.fields.get(task::EXECUTION_ROLE_ARN).is_none()
    {
        let place = Place::member(task::EXECUTION_ROLE_ARN);
        findings.add(Rule::ExecutionRoleMissing, &place, format!("{reason} need an execution role"));
    }
}
