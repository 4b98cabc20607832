//! The doctor's findings for people: a tree with a mark at each line, and what mends it below.

use anstyle::{AnsiColor, Style};
use ecs_sidecar_core::doctor::{Finding, State};
use std::io::Write;

const OK: Style = AnsiColor::Green.on_default();
const MISSING: Style = AnsiColor::Red.on_default().bold();
const NOT_CHECKED: Style = AnsiColor::Yellow.on_default();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
const STRONG: Style = Style::new().bold();

/// The longest mark, `not checked`.
const MARK_WIDTH: usize = 11;

/// The tree and a closing line.
pub(crate) fn write(root: &Finding, out: &mut dyn Write) -> std::io::Result<()> {
    line(root, 0, out)?;
    let totals = root.totals();
    writeln!(out)?;
    writeln!(out, "{} OK, {} missing, {} not checked", totals.ok, totals.missing, totals.not_checked)
}

fn line(finding: &Finding, depth: usize, out: &mut dyn Write) -> std::io::Result<()> {
    let (style, mark) = match finding.state {
        State::Ok => (OK, "OK"),
        State::NotChecked => (NOT_CHECKED, "not checked"),
        State::Missing => (MISSING, "missing"),
    };
    let indent = 2 * depth;
    write!(out, "{style}{mark}{style:#}{:1$}", "", MARK_WIDTH - mark.len() + 2 + indent)?;
    let strong = if finding.children.is_empty() { Style::new() } else { STRONG };
    write!(out, "{strong}{}{strong:#}", finding.subject)?;
    if !finding.message.is_empty() {
        write!(out, ": {}", finding.message)?;
    }
    if let Some(code) = finding.code {
        write!(out, " ({code})")?;
    }
    writeln!(out)?;
    // A note beside what is in order needs no mending.
    if let Some(mend) = finding.mend.as_ref().filter(|_| finding.state != State::Ok) {
        writeln!(out, "{:1$}{HINT}hint:{HINT:#} {mend}", "", MARK_WIDTH + 2 + indent + 2)?;
    }
    finding.children.iter().try_for_each(|child| line(child, depth + 1, out))
}
