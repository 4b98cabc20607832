//! What `status` tells, for people: a line for each family, their number by state, and the operator.

use super::answer::{Answer, Family, Operator, Policy, Sweep, Totals};
use super::services;
use crate::age::since;
use crate::columns::{self, Cell};
use crate::revision::short;
use crate::{count, switch};
use anstyle::{AnsiColor, Style};
use ecs_sidecar_aws::sweep_state::Phase;
use ecs_sidecar_core::state::State;
use std::io::{Result, Write};

const STRONG: Style = Style::new().bold();
const BESIDE: Style = Style::new().dimmed();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// What is not known, or not there.
const NONE: &str = "-";

/// All of it.
pub(super) fn write(answer: &Answer, now: u64, out: &mut dyn Write) -> Result<()> {
    let known = answer.operator.families;
    if known == 0 {
        writeln!(out, "no family has been looked at yet; `ecs-sidecar sweep` has the operator look at all of them")?;
    } else if answer.families.is_empty() {
        writeln!(out, "none of {} is like that", count::families(known))?;
    } else {
        families(&answer.families, now, out)?;
        writeln!(out)?;
        totals(&answer.totals, known as u64, out)?;
    }
    writeln!(out)?;
    services::write(&answer.services, now, out)?;
    operator(&answer.operator, now, out)
}

/// `2 of 12 families: 1 covered, ..`
pub(crate) fn totals(totals: &Totals, known: u64, out: &mut dyn Write) -> Result<()> {
    let sum = totals.sum();
    if sum < known {
        write!(out, "{sum} of ")?;
    }
    let states: Vec<String> = totals.0.iter().map(|(state, count)| format!("{count} {state}")).collect();
    writeln!(out, "{}: {}", count::families(known), states.join(", "))
}

fn families(families: &[Family], now: u64, out: &mut dyn Write) -> Result<()> {
    let rows: Vec<_> = families.iter().map(|family| cells(family, now)).collect();
    columns::write(["FAMILY", "STATE", "SINCE", "REVISION", "POLICY", "REASON"], &rows, out)
}

fn cells(family: &Family, now: u64) -> [Cell; 6] {
    let or_none = |text: Option<String>| Cell::from(text.unwrap_or_else(|| NONE.to_owned()));
    [
        family.family.clone().into(),
        Cell::coloured(family.state.label(), style_of(family.state)),
        or_none(family.since.map(|then| since(then, now))),
        or_none(revision(family)),
        or_none(family.policy.clone().or_else(|| family.injected.clone())),
        reason(family, now).into(),
    ]
}

/// `web:7`, or `web:8 from web:7`.
fn revision(family: &Family) -> Option<String> {
    let newest = family.newest.filter(|number| *number > 0).map(|number| format!("{}:{number}", family.family));
    match (&family.patched, &family.source) {
        (Some(patched), Some(source)) => Some(format!("{} from {}", short(patched), short(source))),
        (Some(patched), None) => Some(short(patched).to_owned()),
        (None, Some(source)) => newest.or_else(|| Some(short(source).to_owned())),
        (None, None) => newest,
    }
}

fn reason(family: &Family, now: u64) -> String {
    let reason = family.reason.as_deref().unwrap_or(NONE);
    match family.next_try.filter(|_| family.state == State::Failing) {
        Some(at) if at > now => format!("{reason}, next try in {}", since(now, at)),
        Some(_) => format!("{reason}, next try is due"),
        None => reason.to_owned(),
    }
}

fn style_of(state: State) -> Style {
    match state {
        State::Covered => AnsiColor::Green.on_default(),
        State::Outdated => AnsiColor::Cyan.on_default(),
        State::Pending => AnsiColor::Yellow.on_default(),
        State::Skipped | State::Gone => BESIDE,
        State::Failing => AnsiColor::Red.on_default().bold(),
    }
}

fn operator(operator: &Operator, now: u64, out: &mut dyn Write) -> Result<()> {
    write!(out, "operator  {STRONG}{}{STRONG:#} in {}", operator.stack, operator.region)?;
    if operator.audit {
        write!(out, ", {WARNING}in audit mode{WARNING:#}: it reports and writes nothing")?;
    }
    writeln!(out)?;
    if operator.paused {
        writeln!(out, "          {WARNING}paused{WARNING:#} {}", switch::told(&operator.switch, now))?;
    }
    if operator.uninstalling {
        writeln!(out, "          {WARNING}uninstalling{WARNING:#}: all sidecars are taken out again")?;
    }
    writeln!(out, "policies  {}", policies(&operator.policies))?;
    writeln!(out, "sweep     {}", sweep(operator.sweep.as_ref(), now))
}

/// `2: metrics, xray-daemon (the stack's own); being deleted: old`
fn policies(policies: &[Policy]) -> String {
    let asked: Vec<String> = policies
        .iter()
        .filter(|policy| !policy.deleting && policy.problem.is_none())
        .map(|policy| if policy.own { format!("{} (the stack's own)", policy.name) } else { policy.name.clone() })
        .collect();
    let deleting: Vec<&str> =
        policies.iter().filter(|policy| policy.deleting).map(|policy| policy.name.as_str()).collect();
    let mut text = if asked.is_empty() { "none".to_owned() } else { format!("{}: {}", asked.len(), asked.join(", ")) };
    if !deleting.is_empty() {
        text.push_str(&format!("; {} being deleted: {}", deleting.len(), deleting.join(", ")));
    }
    for policy in policies.iter().filter(|policy| !policy.deleting) {
        if let Some(problem) = &policy.problem {
            text.push_str(&format!("; {} cannot be read: {problem}", policy.name));
        }
    }
    text
}

fn sweep(sweep: Option<&Sweep>, now: u64) -> String {
    let Some(sweep) = sweep else { return "none yet; `ecs-sidecar sweep` begins one".to_owned() };
    let finished = sweep.finished_at.map(|at| format!("{} ago", since(at, now)));
    let families = count::families(sweep.families);
    if sweep.phase == Phase::Done.label() {
        let finished = finished.unwrap_or_else(|| "at some time".to_owned());
        return format!("finished {finished}: {families}, {} queued to be looked at", sweep.queued);
    }
    let far = format!("{}, {families}, {} queued so far", count::pages(sweep.pages), sweep.queued);
    let last = finished.map_or_else(String::new, |finished| format!("; the last one finished {finished}"));
    if sweep.under_way {
        format!("running for {}: {far}{last}", since(sweep.started_at, now))
    } else {
        format!("cut off: {far}; the next one goes on from there{last}")
    }
}
