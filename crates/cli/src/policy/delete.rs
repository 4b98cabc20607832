//! `policy delete`: marks a policy, and leaves it to the operator to take back what it injected.

use super::get::{having, own, unknown};
use crate::arguments::DeleteArguments;
use crate::confirm::confirm;
use crate::count;
use crate::error::Error;
use crate::online::{Aws, Stack};
use std::io::Write;
use std::process::ExitCode;

/// Marks it. Once more is fine. 1 if somebody says no, or if there is no such policy in the table.
pub(crate) fn run(arguments: &DeleteArguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let aws = Aws::connect(&arguments.stack.aws)?;
    let name = arguments.name.as_str();
    aws.run(async {
        let stack = aws.stack(&arguments.stack).await?;
        let stored = stack.table.policies().await?;
        let is_own = own(&stack).is_some_and(|own| own.name() == name);
        let Some(policy) = stored.iter().find(|stored| stored.name == name) else {
            return Err(match is_own {
                true => Error::OwnPolicy { stack: stack.name, name: name.to_owned() },
                false => unknown(&stack, name, &stored),
            });
        };
        let rows = stack.table.rows().await?;
        let have = having(&rows, name).count();
        let goes = match (have, is_own) {
            (_, true) => format!("the stack's own policy {name} is back in its place for {}", count::families(have)),
            (0, false) => "no family has its sidecar".to_owned(),
            (_, false) => {
                format!("{} its sidecar; the sweep takes it back, at the operator's pace", count::families_have(have))
            }
        };
        if policy.deleting {
            writeln!(out, "policy {name} is being deleted already: {goes}")?;
            return Ok(ExitCode::SUCCESS);
        }
        if !confirm(&format!("{goes}\ndelete policy {name} of {} in {}?", stack.name, aws.region), arguments.yes)? {
            return Ok(ExitCode::from(1));
        }
        mark(&stack, name, &aws.caller().await?).await?;
        writeln!(out, "policy {name} is being deleted: {goes}")?;
        if stack.table.switch().await?.paused {
            writeln!(out, "the operator is paused, so nothing happens until `ecs-sidecar resume`")?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Somebody else may change it once while it is being marked, or delete it.
async fn mark(stack: &Stack, name: &str, by: &str) -> Result<(), Error> {
    for _ in 0..2 {
        match stack.table.policy(name).await? {
            None => return Ok(()),
            Some(stored) if stored.deleting => return Ok(()),
            Some(stored) if stack.table.mark_deleted(&stored, by).await? => return Ok(()),
            Some(_) => {}
        }
    }
    Err(Error::Raced { object: format!("policy {name}") })
}
