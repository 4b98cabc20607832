//! A plan for people: a headline, then a unified diff with the reasons beside it.

use crate::error::Error;
use crate::mask::masked;
use anstyle::{AnsiColor, Style};
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::plan::{Decision, FetchCause, Plan};
use ecs_sidecar_core::reason::Reason;
use similar::{ChangeTag, TextDiff};
use std::collections::BTreeMap;
use std::io::Write;

const ADDED: Style = AnsiColor::Green.on_default();
const REMOVED: Style = AnsiColor::Red.on_default();
const PLACE: Style = AnsiColor::Cyan.on_default();
const BESIDE: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

/// Headline and diff.
pub(crate) fn write(before: &TaskDefinition, plan: &Plan, out: &mut dyn Write) -> Result<(), Error> {
    headline(plan, out)?;
    needs(plan, out)?;
    if plan.decision.registers() {
        unified(before, plan, out)?;
    }
    Ok(())
}

/// What is done, and why, in a line; a line more for each note.
pub(crate) fn headline(plan: &Plan, out: &mut dyn Write) -> std::io::Result<()> {
    let family = plan.family.as_deref().unwrap_or("the definition");
    let policy = plan.policy.as_deref().unwrap_or_default();
    write!(out, "{STRONG}{family}{STRONG:#}: ")?;
    match plan.decision {
        Decision::Inject => write!(out, "inject {policy}")?,
        Decision::Update => write!(out, "update {policy}")?,
        Decision::Remove => write!(out, "remove {policy}")?,
        Decision::UpToDate => write!(out, "up to date with {policy}")?,
        Decision::Skip => write!(out, "left alone")?,
        Decision::Withdraw => write!(out, "withdraw")?,
        Decision::Fetch => write!(out, "fetch the image of {policy}")?,
    }
    match (plan.reason, plan.decision) {
        (None | Some(Reason::RemovalRequested), _) | (_, Decision::UpToDate) => writeln!(out)?,
        (Some(reason), _) => writeln!(out, " ({reason}): {}", plan.message)?,
    }
    for note in &plan.notes {
        writeln!(out, "  note: {note}")?;
    }
    Ok(())
}

/// What has to be there before the definition is registered and is not, a line for each; only a look at AWS tells.
pub(crate) fn needs(plan: &Plan, out: &mut dyn Write) -> std::io::Result<()> {
    if let Some(fetch) = &plan.fetch {
        let how = match (fetch.cause, &fetch.rule) {
            (FetchCause::Refresh, _) => ", which may be older than upstream",
            (FetchCause::Missing, Some(_)) => ", through a cache rule that is not there yet either",
            (FetchCause::Missing, None) => "",
        };
        writeln!(out, "  needs: image {} in repository {}{how}", fetch.image, fetch.repository)?;
    }
    if let Some(group) = &plan.log_group {
        writeln!(out, "  needs: log group {}", group.name)?;
    }
    plan.grants.iter().try_for_each(|grant| writeln!(out, "  needs: {} on role {}", grant.policy_arn, grant.role))
}

fn unified(before: &TaskDefinition, plan: &Plan, out: &mut dyn Write) -> Result<(), Error> {
    let family = plan.family.as_deref().unwrap_or("definition");
    let old = masked(before, &plan.edits);
    let new = masked(&plan.result, &plan.edits);
    let beside = reasons(&new, plan);
    let diff = TextDiff::from_lines(&old, &new);
    writeln!(out, "{STRONG}--- {family}{STRONG:#}\n{STRONG}+++ {family} with this plan{STRONG:#}")?;
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        writeln!(out, "{PLACE}{}{PLACE:#}", hunk.header())?;
        for change in hunk.iter_changes() {
            let (sign, style) = match change.tag() {
                ChangeTag::Delete => ('-', REMOVED),
                ChangeTag::Insert => ('+', ADDED),
                ChangeTag::Equal => (' ', Style::new()),
            };
            let line = change.value().trim_end_matches(['\n', '\r']);
            write!(out, "{style}{sign}{line}{style:#}")?;
            let reason = change.new_index().filter(|_| sign == '+').and_then(|index| beside.get(&index));
            match reason {
                Some(reason) => writeln!(out, "  {BESIDE}# {reason}{BESIDE:#}")?,
                None => writeln!(out)?,
            }
        }
    }
    Ok(())
}

/// The line of the new text at which each edit's value begins, and its reason. Lines count from 0.
fn reasons(new: &str, plan: &Plan) -> BTreeMap<usize, String> {
    let Ok(document) = ecs_sidecar_core::json::Document::parse(new) else { return BTreeMap::new() };
    let place = |edit: &ecs_sidecar_core::edit::Edit| {
        let value = edit.path.find(document.root()).filter(|_| edit.after.is_some())?;
        let line = new[..value.span().start].matches('\n').count();
        Some((line, edit.reason.clone()))
    };
    plan.edits.iter().filter_map(place).collect()
}
