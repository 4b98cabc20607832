//! The reference in Markdown, made from what the program itself knows.

use crate::arguments::{Cli, ReferenceTopic};
use crate::error::Error;
use clap::CommandFactory as _;
use ecs_sidecar_core::check::Rule;
use ecs_sidecar_core::doctor::Code;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::rollout::RolloutReason;
use std::io::Write;

/// Prints the reference of a topic.
pub(crate) fn write(topic: ReferenceTopic, out: &mut dyn Write) -> Result<(), Error> {
    match topic {
        ReferenceTopic::Cli => verbs(out),
        ReferenceTopic::Reasons => {
            writeln!(out, "# Reasons\n\nMade from the program's own table; CI compares it.\n")?;
            writeln!(out, "| code | meaning |\n| --- | --- |")?;
            for reason in Reason::ALL {
                writeln!(out, "| `{}` | {} |", reason.label(), reason.meaning())?;
            }
            writeln!(out, "\n## Of services\n\n| code | meaning |\n| --- | --- |")?;
            for reason in RolloutReason::ALL {
                writeln!(out, "| `{}` | {} |", reason.label(), reason.meaning())?;
            }
            Ok(())
        }
        ReferenceTopic::Doctor => {
            writeln!(out, "| code | state | meaning |\n| --- | --- | --- |")?;
            for code in Code::ALL {
                writeln!(out, "| `{}` | {} | {} |", code.label(), code.state().label(), code.meaning())?;
            }
            Ok(())
        }
        ReferenceTopic::Rules => {
            writeln!(out, "| rule | what ECS is documented to refuse |\n| --- | --- |")?;
            for rule in Rule::ALL {
                writeln!(out, "| `{}` | {} |", rule.label(), rule.description())?;
            }
            Ok(())
        }
    }
}

fn verbs(out: &mut dyn Write) -> Result<(), Error> {
    let mut cli = Cli::command().term_width(100);
    cli.build();
    writeln!(out, "# Reference of `ecs-sidecar`\n\nMade from the program's own help; CI compares it.\n")?;
    writeln!(out, "```text\n{}\n```", cli.render_long_help().to_string().trim_end())?;
    sections(&mut cli, "", out)
}

/// A section for each verb below a command, and for theirs.
fn sections(command: &mut clap::Command, before: &str, out: &mut dyn Write) -> Result<(), Error> {
    for verb in command.get_subcommands_mut().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        let help = verb.render_long_help().to_string();
        let name = format!("{before}{}", verb.get_name());
        writeln!(out, "\n## {name}\n\n```text\n{}\n```", help.trim_end())?;
        sections(verb, &format!("{name} "), out)?;
    }
    Ok(())
}
