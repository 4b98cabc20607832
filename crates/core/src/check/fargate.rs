//! What Fargate and external instances refuse. A violation is a finding where the definition asks for them, else it
//! means that ECS leaves them out of `compatibilities`.

use super::logs::has_option;
use super::place::{Findings, Place, is_absent};
use super::{Holder, Rule, Task};
use crate::definition::{NetworkMode, Size};
use crate::json::Value;
use crate::keys::{container as keys, log_option, nested, task};
use crate::size::{FARGATE_CPUS, FargateSize};

const LOG_DRIVERS: [&str; 3] = ["awslogs", "splunk", "awsfirelens"];
const WINDOWS_CPUS: [u64; 3] = [1024, 2048, 4096];
const TIMEOUT: std::ops::RangeInclusive<i64> = 2..=120;

pub(super) fn check(task: &Task<'_>, findings: &mut Findings) {
    if matches!(task.mode, NetworkMode::Bridge | NetworkMode::Host | NetworkMode::None) {
        let message = "Fargate needs network mode awsvpc";
        findings.add(Rule::FargateNetworkMode, &Place::member(task::NETWORK_MODE), message);
    }
    check_size(task, findings);
    for key in [task::IPC_MODE, task::PLACEMENT_CONSTRAINTS] {
        if task.fields.get(key).is_some() {
            unsupported(&Place::member(key), key, findings);
        }
    }
    if task.fields.text(task::PID_MODE).as_deref() == Some("host") {
        findings.add(Rule::FargatePidMode, &Place::member(task::PID_MODE), "Fargate knows pidMode task only");
    }
    check_volumes(task, findings);
    let list = Place::member(task::CONTAINER_DEFINITIONS);
    for holder in &task.containers {
        let place = list.step(holder.step());
        check_members(holder, &place, findings);
        check_linux_parameters(holder, &place, findings);
        check_logs(holder, &place, findings);
    }
    check_execution_role(task, findings);
}

fn unsupported(place: &Place<'_>, what: &str, findings: &mut Findings) {
    findings.add(Rule::FargateUnsupported, place, format!("{what} is not supported on Fargate"));
}

fn check_size(task: &Task<'_>, findings: &mut Findings) {
    for (key, size) in [(task::CPU, task.cpu), (task::MEMORY, task.memory)] {
        if size == Size::Absent {
            findings.add(Rule::FargateSizeMissing, &Place::member(key), format!("Fargate needs the task's {key}"));
        }
    }
    let cpu_place = Place::member(task::CPU);
    let Some(cpu) = task.cpu.known() else {
        return;
    };
    if !FARGATE_CPUS.contains(&cpu) {
        findings.add(Rule::FargateSize, &cpu_place, format!("Fargate has no tasks of {cpu} CPU units"));
    } else if task.is_windows && !WINDOWS_CPUS.contains(&cpu) {
        findings.add(Rule::FargateWindowsSize, &cpu_place, format!("Windows on Fargate has no {cpu} CPU units"));
    } else if let Some(memory) = task.memory.known()
        && !(FargateSize { cpu, memory }).is_valid()
    {
        let message = format!("Fargate has no tasks of {cpu} CPU units and {memory} MiB");
        findings.add(Rule::FargateSize, &Place::member(task::MEMORY), message);
    }
}

fn check_volumes(task: &Task<'_>, findings: &mut Findings) {
    let list = Place::member(task::VOLUMES);
    for (index, volume) in task.fields.items(task::VOLUMES).enumerate() {
        let name = super::text(volume, nested::NAME);
        let place = list.step(super::Step::to(name.as_deref(), index));
        if volume.get(nested::DOCKER_VOLUME_CONFIGURATION).is_some_and(|docker| !is_absent(docker)) {
            let message = "Fargate has no Docker volumes";
            findings.add(Rule::FargateVolume, &place.then(nested::DOCKER_VOLUME_CONFIGURATION), message);
        }
        if volume.get(nested::HOST).and_then(|host| super::text(host, nested::SOURCE_PATH)).is_some() {
            let place = place.then(nested::HOST);
            findings.add(Rule::FargateVolume, &place.then(nested::SOURCE_PATH), "Fargate has no paths of the host");
        }
    }
}

/// `links` and `extraHosts` are in Fargate's list too, but awsvpc refuses them anyway, and Fargate needs awsvpc.
fn check_members(holder: &Holder<'_>, place: &Place<'_>, findings: &mut Findings) {
    for key in [keys::DISABLE_NETWORKING, keys::PRIVILEGED] {
        if holder.fields.is_true(key) {
            unsupported(&place.then(key), key, findings);
        }
    }
    for key in [keys::DNS_SERVERS, keys::DNS_SEARCH_DOMAINS, keys::DOCKER_SECURITY_OPTIONS] {
        if holder.fields.get(key).is_some() {
            unsupported(&place.then(key), key, findings);
        }
    }
    let resources = place.then(keys::RESOURCE_REQUIREMENTS);
    for (index, resource) in holder.fields.items(keys::RESOURCE_REQUIREMENTS).enumerate() {
        if let Some(kind @ ("GPU" | "NeuronDevice")) = super::text(resource, nested::TYPE).as_deref() {
            unsupported(&resources.item(index), kind, findings);
        }
    }
    for key in [keys::START_TIMEOUT, keys::STOP_TIMEOUT] {
        if let Some(seconds) = holder.fields.number(key)
            && !TIMEOUT.contains(&seconds)
        {
            let message = format!("{seconds} seconds are not between {} and {}", TIMEOUT.start(), TIMEOUT.end());
            findings.add(Rule::FargateTimeout, &place.then(key), message);
        }
    }
}

fn check_linux_parameters(holder: &Holder<'_>, place: &Place<'_>, findings: &mut Findings) {
    let Some(linux) = holder.fields.get(keys::LINUX_PARAMETERS) else {
        return;
    };
    let place = place.then(keys::LINUX_PARAMETERS);
    for key in [nested::DEVICES, nested::SHARED_MEMORY_SIZE, nested::TMPFS, nested::MAX_SWAP, nested::SWAPPINESS] {
        if linux.get(key).is_some_and(|value| !is_absent(value)) {
            unsupported(&place.then(key), key, findings);
        }
    }
    let added = linux.get(nested::CAPABILITIES).and_then(|capabilities| capabilities.get(nested::ADD));
    let capabilities = place.then(nested::CAPABILITIES);
    let list = capabilities.then(nested::ADD);
    for (index, capability) in added.into_iter().flat_map(Value::items).enumerate() {
        if capability.as_str().is_some_and(|name| name != "SYS_PTRACE" && name != "CAP_SYS_PTRACE") {
            findings.add(Rule::FargateCapability, &list.item(index), "Fargate adds no capability but SYS_PTRACE");
        }
    }
}

fn check_logs(holder: &Holder<'_>, place: &Place<'_>, findings: &mut Findings) {
    if let Some(log) = holder.fields.get(keys::LOG_CONFIGURATION) {
        let place = place.then(keys::LOG_CONFIGURATION);
        match super::text(log, nested::LOG_DRIVER).as_deref() {
            Some("awslogs") if !has_option(log, log_option::AWSLOGS_STREAM_PREFIX) => {
                let message = "awslogs on Fargate needs awslogs-stream-prefix";
                findings.add(Rule::FargateStreamPrefix, &place.then(nested::OPTIONS), message);
            }
            Some(driver) if !LOG_DRIVERS.contains(&driver) => {
                let message = format!("log drivers on Fargate are {}", LOG_DRIVERS.join(", "));
                findings.add(Rule::FargateLogDriver, &place.then(nested::LOG_DRIVER), message);
            }
            Some(_) | None => {}
        }
    }
    let options = holder.fields.get(keys::FIRELENS_CONFIGURATION).and_then(|router| router.get(nested::OPTIONS));
    let kind = options.and_then(|options| super::text(options, log_option::CONFIG_FILE_TYPE));
    if kind.as_deref() == Some("s3") {
        let place = place.then(keys::FIRELENS_CONFIGURATION);
        let message = "a router on Fargate takes its configuration from a file of its image";
        findings.add(Rule::FargateRouterFile, &place.then(nested::OPTIONS), message);
    }
}

fn check_execution_role(task: &Task<'_>, findings: &mut Findings) {
    if task.fields.get(task::EXECUTION_ROLE_ARN).is_some() {
        return;
    }
    let uses_awslogs = |holder: &Holder<'_>| {
        let log = holder.fields.get(keys::LOG_CONFIGURATION);
        log.and_then(|log| super::text(log, nested::LOG_DRIVER)).as_deref() == Some("awslogs")
    };
    let pulls_from_ecr =
        |holder: &Holder<'_>| holder.fields.text(keys::IMAGE).is_some_and(|image| is_private_ecr(&image));
    let message = if task.containers.iter().any(uses_awslogs) {
        "Fargate needs an execution role for the log driver awslogs"
    } else if task.containers.iter().any(pulls_from_ecr) {
        "Fargate needs an execution role for images of a private ECR registry"
    } else {
        return;
    };
    findings.add(Rule::FargateExecutionRole, &Place::member(task::EXECUTION_ROLE_ARN), message);
}

/// `123456789012.dkr.ecr.eu-west-1.amazonaws.com/...`, FIPS and dual-stack hosts too.
fn is_private_ecr(image: &str) -> bool {
    let host = image.split('/').next().unwrap_or_default();
    [".dkr.ecr.", ".dkr.ecr-fips.", ".dkr-ecr.", ".dkr-ecr-fips."].iter().any(|part| host.contains(part))
}

pub(super) fn check_external(task: &Task<'_>, findings: &mut Findings) {
    let refuse = |place: &Place<'_>, what: &str, findings: &mut Findings| {
        findings.add(Rule::ExternalUnsupported, place, format!("external instances have no {what}"));
    };
    if task.mode == NetworkMode::AwsVpc {
        refuse(&Place::member(task::NETWORK_MODE), "network mode awsvpc", findings);
    }
    if task.fields.get(task::PROXY_CONFIGURATION).is_some() {
        refuse(&Place::member(task::PROXY_CONFIGURATION), "App Mesh proxy", findings);
    }
    let list = Place::member(task::VOLUMES);
    for (index, volume) in task.fields.items(task::VOLUMES).enumerate() {
        if volume.get(nested::EFS_VOLUME_CONFIGURATION).is_some_and(|efs| !is_absent(efs)) {
            let name = super::text(volume, nested::NAME);
            let place = list.step(super::Step::to(name.as_deref(), index));
            refuse(&place.then(nested::EFS_VOLUME_CONFIGURATION), "EFS volumes", findings);
        }
    }
}
