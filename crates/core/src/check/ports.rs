//! Rules about ports.

use super::place::{Findings, Place};
use super::{Holder, Rule, Task};
use crate::definition::NetworkMode;
use crate::json::Value;
use crate::keys::{container as keys, nested, task};
use std::collections::HashSet;

const MAX_PORT_NAME: usize = 64;
const MAX_RANGES: usize = 100;

pub(super) fn check(task: &Task<'_>, holder: &Holder<'_>, place: &Place<'_>, findings: &mut Findings) {
    let list = place.then(keys::PORT_MAPPINGS);
    if task.mode == NetworkMode::None && holder.fields.get(keys::PORT_MAPPINGS).is_some() {
        findings.add(Rule::PortsWithoutNetwork, &list, "network mode none has no port mappings");
    }
    let mut ranges = 0;
    for (index, mapping) in holder.fields.items(keys::PORT_MAPPINGS).enumerate() {
        let place = list.item(index);
        ranges += usize::from(super::text(mapping, nested::CONTAINER_PORT_RANGE).is_some());
        check_name(mapping, &place, findings);
        check_host_port(task.mode, mapping, &place, findings);
        check_range(task.mode, mapping, &place, findings);
    }
    if ranges > MAX_RANGES {
        findings.add(Rule::TooManyPortRanges, &list, format!("{ranges} ranges are more than {MAX_RANGES}"));
    }
}

fn check_name(mapping: Value<'_>, place: &Place<'_>, findings: &mut Findings) {
    let is_valid = |name: &str| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        name.len() <= MAX_PORT_NAME && !name.starts_with('-') && name.bytes().all(allowed)
    };
    if super::text(mapping, nested::NAME).is_some_and(|name| !is_valid(&name)) {
        let message = "a port's name has up to 64 lower-case letters, digits, underscores and hyphens, no hyphen first";
        findings.add(Rule::PortName, &place.then(nested::NAME), message);
    }
}

fn check_host_port(mode: NetworkMode, mapping: Value<'_>, place: &Place<'_>, findings: &mut Findings) {
    let host = mapping.get(nested::HOST_PORT).and_then(Value::as_i64);
    let container = mapping.get(nested::CONTAINER_PORT).and_then(Value::as_i64);
    if matches!(mode, NetworkMode::AwsVpc | NetworkMode::Host)
        && let (Some(host), Some(container)) = (host, container)
        && host != container
    {
        let message = format!("host port {host} is not container port {container}");
        findings.add(Rule::HostPortMismatch, &place.then(nested::HOST_PORT), message);
    }
}

fn check_range(mode: NetworkMode, mapping: Value<'_>, place: &Place<'_>, findings: &mut Findings) {
    let Some(range) = super::text(mapping, nested::CONTAINER_PORT_RANGE) else {
        return;
    };
    let message = if parse_range(&range).is_none() {
        "this is not first-last, both from 1 to 65535, the first below the last"
    } else if mapping.get(nested::HOST_PORT).is_some_and(|port| port.as_i64() != Some(0)) {
        "a range has no hostPort"
    } else if mode == NetworkMode::Host {
        "a range needs network mode bridge or awsvpc"
    } else {
        return;
    };
    findings.add(Rule::PortRange, &place.then(nested::CONTAINER_PORT_RANGE), message);
}

fn parse_range(text: &str) -> Option<(i64, i64)> {
    let (first, last) = text.split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (1 <= first && first < last && last <= 65_535).then_some((first, last))
}

/// Ports that a mapping takes, and which mapping it is.
struct Taken {
    is_udp: bool,
    first: i64,
    last: i64,
    is_range: bool,
    container: usize,
    mapping: usize,
}

/// Ports of all containers that share a network; in bridge mode every container has its own.
pub(super) fn check_across(task: &Task<'_>, findings: &mut Findings) {
    let taken = task.containers.iter().flat_map(|holder| {
        let mappings = holder.fields.items(keys::PORT_MAPPINGS).enumerate();
        mappings.filter_map(move |(index, mapping)| taken_by(mapping, holder.index, index))
    });
    match task.mode {
        NetworkMode::AwsVpc | NetworkMode::Host => report_overlaps(task, taken.collect(), false, findings),
        NetworkMode::Bridge => {
            let mut container = Vec::new();
            for port in taken {
                if container.last().is_some_and(|last: &Taken| last.container != port.container) {
                    report_overlaps(task, std::mem::take(&mut container), true, findings);
                }
                container.push(port);
            }
            report_overlaps(task, container, true, findings);
            check_host_ports(task, findings);
        }
        NetworkMode::None | NetworkMode::Unknown => {}
    }
}

fn taken_by(mapping: Value<'_>, container: usize, index: usize) -> Option<Taken> {
    let range = super::text(mapping, nested::CONTAINER_PORT_RANGE);
    let (first, last) = match &range {
        Some(range) => parse_range(range)?,
        None => mapping.get(nested::CONTAINER_PORT).and_then(Value::as_i64).map(|port| (port, port))?,
    };
    let is_udp = super::text(mapping, nested::PROTOCOL).as_deref() == Some("udp");
    Some(Taken { is_udp, first, last, is_range: range.is_some(), container, mapping: index })
}

/// In bridge mode one container port may be published on two ports of the host, but not be in a range as well.
fn report_overlaps(task: &Task<'_>, mut taken: Vec<Taken>, only_ranges: bool, findings: &mut Findings) {
    taken.sort_by_key(|port| (port.is_udp, port.first));
    let mut widest: Option<&Taken> = None;
    for port in &taken {
        match widest {
            Some(before) if before.is_udp == port.is_udp && port.first <= before.last => {
                if !only_ranges || before.is_range || port.is_range {
                    add(task, Rule::DuplicatePort, port.container, port.mapping, "this port is mapped twice", findings);
                }
                if port.last > before.last {
                    widest = Some(port);
                }
            }
            Some(_) | None => widest = Some(port),
        }
    }
}

fn check_host_ports(task: &Task<'_>, findings: &mut Findings) {
    let mut seen = HashSet::new();
    for holder in &task.containers {
        for (index, mapping) in holder.fields.items(keys::PORT_MAPPINGS).enumerate() {
            let is_udp = super::text(mapping, nested::PROTOCOL).as_deref() == Some("udp");
            let host = mapping.get(nested::HOST_PORT).and_then(Value::as_i64).filter(|port| *port != 0);
            if host.is_some_and(|port| !seen.insert((is_udp, port))) {
                let message = "this port of the host is mapped twice";
                add(task, Rule::DuplicateHostPort, holder.index, index, message, findings);
            }
        }
    }
}

fn add(task: &Task<'_>, rule: Rule, container: usize, mapping: usize, message: &str, findings: &mut Findings) {
    let list = Place::member(task::CONTAINER_DEFINITIONS);
    let container = list.step(task.containers[container].step());
    findings.add(rule, &container.then(keys::PORT_MAPPINGS).item(mapping), message);
}
