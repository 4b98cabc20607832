//! `uninstall`: has the operator take back all that it injected, before its stack is deleted.
//!
//! It only throws the operator's switch and looks on; who ends it early leaves the operator at it.

use crate::arguments::UninstallArguments;
use crate::columns::{self, Cell};
use crate::confirm::confirm;
use crate::count;
use crate::error::Error;
use crate::families::{has_sidecar, is_left_alone};
use crate::online::{Aws, Stack};
use crate::permissions::count_granted;
use crate::progress::Progress;
use ecs_sidecar_aws::rows::Row;
use ecs_sidecar_aws::settings::Writes;
use ecs_sidecar_aws::standing::Standing;
use ecs_sidecar_core::policy::Policy;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::state::State;
use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// Between two looks.
const PACE: Duration = Duration::from_secs(2);

/// How far clocks may differ, in seconds.
const SKEW: u64 = 60;

/// What the rows said before the switch was thrown of the policies that their looks went by.
type Fingerprints = BTreeSet<Option<String>>;

/// Reasons by which a sidecar stays even though its policy goes.
const STAYS: [Reason; 4] =
    [Reason::UserEdited, Reason::BrokenReceipt, Reason::InjectedElsewhere, Reason::UnknownPolicy];

/// 1 if somebody says no, or if something is left that stays.
pub(crate) fn run(arguments: &UninstallArguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let aws = Aws::connect(&arguments.stack.aws)?;
    aws.run(async {
        let stack = aws.stack(&arguments.stack).await?;
        if arguments.cancel {
            return cancel(&aws, &stack, out).await;
        }
        let (standing, rows) = (stack.table.standing(&stack.settings).await?, stack.table.rows().await?);
        if arguments.plan {
            plan(&stack, &standing, &rows, out)?;
            return Ok(ExitCode::SUCCESS);
        }
        must_be_at_work(&stack, &standing)?;
        let mut before = None;
        if !standing.switch.uninstalling {
            let have = rows.iter().filter(|row| has_sidecar(row)).count();
            let question = format!(
                "{} a sidecar\nhave the operator {} in {} take all back that it injected, at its pace?",
                count::families_have(have),
                stack.name,
                aws.region
            );
            if !confirm(&question, arguments.yes)? {
                return Ok(ExitCode::from(1));
            }
            turn(&aws, &stack, true).await?;
            before = Some(rows.iter().map(|row| row.told.standing.clone()).collect());
        }
        writeln!(out, "{} takes back all that it injected", stack.name)?;
        if arguments.no_wait {
            writeln!(out, "`ecs-sidecar uninstall` looks on, `ecs-sidecar uninstall --plan` tells what is left")?;
            return Ok(ExitCode::SUCCESS);
        }
        out.flush()?;
        let rows = follow(&stack, before).await?;
        end(&aws, &stack, &rows, out)
    })
}

/// Whether anything would come of it.
fn must_be_at_work(stack: &Stack, standing: &Standing) -> Result<(), Error> {
    let hindered = |why: &str, hint| Err(Error::Hindered { stack: stack.name.clone(), why: why.to_owned(), hint });
    match (standing.switch.paused, stack.settings.writes) {
        (true, _) => hindered("it is paused", "`ecs-sidecar resume` first"),
        (false, Writes::Forbidden) => {
            hindered("it is in mode audit, and writes nothing", "deploy it with the parameter Mode=optIn first")
        }
        (false, Writes::Allowed) => Ok(()),
    }
}

async fn cancel(aws: &Aws, stack: &Stack, out: &mut dyn Write) -> Result<ExitCode, Error> {
    if !stack.table.switch().await?.uninstalling {
        writeln!(out, "{} is not being uninstalled", stack.name)?;
        return Ok(ExitCode::SUCCESS);
    }
    turn(aws, stack, false).await?;
    writeln!(out, "{} takes nothing back any more; all policies are there again", stack.name)?;
    Ok(ExitCode::SUCCESS)
}

/// Somebody else may throw the switch once at the same time.
async fn turn(aws: &Aws, stack: &Stack, uninstalling: bool) -> Result<(), Error> {
    let by = aws.caller().await?;
    for _ in 0..2 {
        if stack.table.set_switch(&by, |switch| switch.uninstalling = uninstalling).await? {
            return Ok(());
        }
    }
    Err(Error::Raced { object: format!("the switch of {}", stack.name) })
}

fn plan(stack: &Stack, standing: &Standing, rows: &[Row], out: &mut dyn Write) -> Result<(), Error> {
    let have: Vec<&Row> = rows.iter().filter(|row| has_sidecar(row)).collect();
    if standing.switch.uninstalling {
        writeln!(out, "{} is being uninstalled", stack.name)?;
    }
    if let Err(Error::Hindered { why, hint, .. }) = must_be_at_work(stack, standing) {
        writeln!(out, "{why}: {hint}")?;
    }
    writeln!(out, "{} a sidecar that is to be taken back", count::families_have(have.len()))?;
    if !have.is_empty() {
        let dash = || "-".to_owned();
        let cells = |row: &&Row| {
            [
                revision(row),
                row.told.injected.clone().unwrap_or_else(dash),
                if is_in_the_way(row) { why(row) } else { dash() },
            ]
            .map(Cell::from)
        };
        writeln!(out)?;
        columns::write(["REVISION", "POLICY", "IN THE WAY"], &have.iter().map(cells).collect::<Vec<_>>(), out)?;
    }
    let stored = standing.stored.iter().map(|stored| format!("{} (table)", stored.name));
    let own = stack.settings.plan.policies.iter().map(|own: &Policy| format!("{} (stack)", own.name()));
    let policies: Vec<String> = stored.chain(own).collect();
    writeln!(out, "\npolicies: {}", if policies.is_empty() { "none".to_owned() } else { policies.join(", ") })?;
    let granted = count_granted(rows);
    writeln!(out, "policies on roles that stay: {granted}")?;
    if granted > 0 {
        writeln!(out, "`ecs-sidecar permissions prune --plan` lists those that no sidecar rests on")?;
    }
    Ok(())
}

/// Looks on until no family has a sidecar, or all that have one are left alone.
async fn follow(stack: &Stack, before: Option<Fingerprints>) -> Result<Vec<Row>, Error> {
    let mut progress = Progress::new();
    loop {
        let (standing, rows) = (stack.table.standing(&stack.settings).await?, stack.table.rows().await?);
        let left: Vec<&Row> = rows.iter().filter(|row| has_sidecar(row)).collect();
        // What the last look found before the switch was thrown says nothing of what comes.
        let stays = left.iter().filter(|row| is_left_alone(row) && knows(row, &standing, before.as_ref())).count();
        if left.len() == stays {
            return Ok(rows);
        }
        if !standing.switch.uninstalling {
            let why = "somebody cancelled it".to_owned();
            return Err(Error::Hindered { stack: stack.name.clone(), why, hint: "ask who did, and why" });
        }
        must_be_at_work(stack, &standing)?;
        let text = format!("{} left, {stays} of them stay", count::families(left.len()));
        progress.during(&text, tokio::time::sleep(PACE)).await;
    }
}

/// Whether the last look at a family knew of the switch. The functions may be of another version than this program, and
/// then have another fingerprint for the same; so one that no row had before, or a late look, will do too.
fn knows(row: &Row, standing: &Standing, before: Option<&Fingerprints>) -> bool {
    let ours = row.told.standing.as_ref() == Some(&standing.fingerprint);
    let changed = standing.switch.changed_at.unwrap_or_default();
    ours || match before {
        Some(before) => !before.contains(&row.told.standing),
        None => row.seen_at.is_some_and(|seen| seen > changed + SKEW),
    }
}

/// What is left, and what comes next.
fn end(aws: &Aws, stack: &Stack, rows: &[Row], out: &mut dyn Write) -> Result<ExitCode, Error> {
    let left: Vec<&Row> = rows.iter().filter(|row| has_sidecar(row)).collect();
    let (name, region) = (&stack.name, &aws.region);
    if left.is_empty() {
        writeln!(out, "no family has a sidecar any more")?;
    } else {
        writeln!(out, "{} a sidecar still:", count::families_have(left.len()))?;
        for row in &left {
            writeln!(out, "  {}  {}", revision(row), why(row))?;
        }
    }
    writeln!(out, "\nnext:")?;
    writeln!(out, "  ecs-sidecar permissions prune --stack {name} --region {region} --plan")?;
    writeln!(out, "  aws cloudformation delete-stack --stack-name {name} --region {region}")?;
    if let Some(table) = &stack.settings.table {
        writeln!(out, "  aws dynamodb delete-table --table-name {table} --region {region}   # the stack leaves it")?;
    }
    Ok(if left.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Whether what the last look found would be in the way of taking its sidecar back.
fn is_in_the_way(row: &Row) -> bool {
    let reason = row.told.reason.as_deref();
    row.state == Some(State::Failing) || STAYS.iter().any(|stays| Some(stays.label()) == reason)
}

/// `web:7`
fn revision(row: &Row) -> String {
    row.told.newest.map_or_else(|| row.family.clone(), |number| format!("{}:{number}", row.family))
}

/// `userEdited: Somebody edited ...`
fn why(row: &Row) -> String {
    let reason = row.told.reason.as_deref().unwrap_or("unknown");
    row.told.message.as_ref().map_or_else(|| reason.to_owned(), |message| format!("{reason}: {message}"))
}
