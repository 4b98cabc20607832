//! What pins are told of, for people: a line for each, then the commands, then what was looked at.

use super::Answer;
use super::judge::Pin;
use crate::columns::{self, Cell};
use crate::count;
use crate::revision::short;
use anstyle::{AnsiColor, Style};
use std::io::{Result, Write};

const BESIDE: Style = Style::new().dimmed();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// What the commands do not look at.
const ROLES: &str =
    "a role that starts tasks must be allowed to run the new revision; generated roles often name the old one";

/// All of it.
pub(super) fn write(answer: &Answer, out: &mut dyn Write) -> Result<()> {
    if answer.pinned.is_empty() {
        writeln!(out, "nothing that was looked at pins a revision that the operator patched")?;
    } else {
        let rows: Vec<_> = answer.pinned.iter().map(|moved| cells(&moved.pin)).collect();
        columns::write(["WHAT", "NAME", "PINS", "WHICH", "SHOULD PIN"], &rows, out)?;
        writeln!(out, "\n{BESIDE}# {ROLES}{BESIDE:#}")?;
        for moved in &answer.pinned {
            let place = &moved.pin.place;
            writeln!(out, "\n{BESIDE}# {} {}{BESIDE:#}", place.kind(), place.name())?;
            match &moved.command {
                Some(command) => writeln!(out, "{command}")?,
                None => writeln!(
                    out,
                    "{BESIDE}# its rule is managed by a service of AWS, which alone may move it{BESIDE:#}"
                )?,
            }
        }
    }
    let looked = &answer.looked_at;
    writeln!(
        out,
        "\nlooked at {}, {} and {}",
        count::rules(looked.rules),
        count::schedules(looked.schedules),
        count::state_machines(looked.state_machines)
    )?;
    for refused in &answer.not_looked_at {
        let why = if refused.denied { "is not allowed" } else { "failed" };
        writeln!(out, "{WARNING}not all was looked at:{WARNING:#} {} {why}: {}", refused.action, refused.message)?;
    }
    Ok(())
}

fn cells(pin: &Pin) -> [Cell; 5] {
    let place = &pin.place;
    [place.kind(), &place.name(), short(&pin.pins), pin.because.text(), short(&pin.should_pin)]
        .map(|text| Cell::from(text.to_owned()))
}
