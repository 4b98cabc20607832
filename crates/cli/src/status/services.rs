//! The services among what `status` tells: those that were moved, will be, or are left alone for a reason.
//!
//! Knows: the services' rows. Must not know: how states come about.

use crate::age::since;
use crate::arguments::StatusArguments;
use crate::columns::{self, Cell};
use crate::count;
use crate::revision::short;
use crate::rollout::name;
use anstyle::{AnsiColor, Style};
use ecs_sidecar_aws::service_rows::ServiceRow;
use ecs_sidecar_core::bounds::matches_any;
use ecs_sidecar_core::rollout::ServiceState;
use serde::Serialize;
use std::io::{Result, Write};

/// What is not known, or not there.
const NONE: &str = "-";

/// A service, named as the operator's table has it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Service {
    service: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<ServiceState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_try: Option<u64>,
}

impl Service {
    pub(super) fn new(row: &ServiceRow) -> Self {
        let last = row.history.last.as_ref();
        Self {
            service: row.service.clone(),
            family: row.family.clone(),
            state: row.state,
            reason: row.reason.clone(),
            message: row.message.clone(),
            from: last.map(|last| last.from.to_string()),
            to: last.map(|last| last.to.to_string()),
            changed_by: row.history.changed_by.clone(),
            since: row.since,
            next_try: row.next_try,
        }
    }
}

/// The rows of services of the families that are asked for, first what needs somebody. What is asked only of families
/// shows none.
pub(super) fn asked_for(rows: Vec<ServiceRow>, arguments: &StatusArguments) -> Vec<ServiceRow> {
    let only_families = arguments.policy.is_some() || arguments.reason.is_some() || !arguments.states.is_empty();
    let of_family = |row: &ServiceRow| {
        let family = row.family.as_deref().unwrap_or_default();
        arguments.families.is_empty() || matches_any(&arguments.families, family)
    };
    let mut rows: Vec<ServiceRow> = rows.into_iter().filter(|row| !only_families && of_family(row)).collect();
    let rank = |row: &ServiceRow| ServiceState::ALL.iter().position(|state| Some(*state) == row.state);
    rows.sort_by(|one, other| (rank(one), &one.service).cmp(&(rank(other), &other.service)));
    rows
}

/// A line for each, and the words on those that are left alone after something went wrong.
pub(super) fn write(services: &[Service], now: u64, out: &mut dyn Write) -> Result<()> {
    if services.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = services.iter().map(|service| cells(service, now)).collect();
    columns::write(["SERVICE", "STATE", "SINCE", "REVISION", "REASON"], &rows, out)?;
    writeln!(out)?;
    writeln!(out, "{}: {}", count::services(services.len()), totals(services))?;
    for service in services.iter().filter(|service| service.state == Some(ServiceState::Quarantined)) {
        let message = service.message.as_deref().unwrap_or(NONE);
        writeln!(out, "  {}: {message}", name(&service.service))?;
    }
    writeln!(out)
}

fn cells(service: &Service, now: u64) -> [Cell; 5] {
    let or_none = |text: Option<String>| Cell::from(text.unwrap_or_else(|| NONE.to_owned()));
    let revision = match (&service.from, &service.to) {
        (Some(from), Some(to)) => Some(format!("{} to {}", short(from), short(to))),
        _ => service.family.clone(),
    };
    [
        name(&service.service).to_owned().into(),
        service
            .state
            .map_or_else(|| Cell::from(NONE.to_owned()), |state| Cell::coloured(state.label(), style_of(state))),
        or_none(service.since.map(|then| since(then, now))),
        or_none(revision),
        or_none(service.reason.clone()),
    ]
}

fn totals(services: &[Service]) -> String {
    let count = |state: ServiceState| services.iter().filter(|service| service.state == Some(state)).count();
    let states = ServiceState::ALL.into_iter().filter(|state| count(*state) > 0);
    states.map(|state| format!("{} {}", count(state), state.label())).collect::<Vec<_>>().join(", ")
}

fn style_of(state: ServiceState) -> Style {
    match state {
        ServiceState::Current => AnsiColor::Green.on_default(),
        ServiceState::Moving => AnsiColor::Cyan.on_default(),
        ServiceState::Waiting => AnsiColor::Yellow.on_default(),
        ServiceState::Left => Style::new().dimmed(),
        ServiceState::Quarantined => AnsiColor::Red.on_default().bold(),
    }
}
