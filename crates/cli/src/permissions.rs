//! `permissions prune`: takes from roles what the operator attached and no sidecar rests on any more.
//!
//! The operator itself never does that: IAM is global and its table regional, older revisions and running tasks go on
//! using a role. So a person looks, and detaches with credentials of his own.

use crate::arguments::{AnswerFormat, PermissionsVerb, PruneArguments};
use crate::columns::{self, Cell};
use crate::confirm::confirm;
use crate::error::Error;
use crate::json;
use crate::online::{Aws, Stack};
use ecs_sidecar_aws::clock::Clock;
use ecs_sidecar_aws::iam::{Detachment, Iam};
use ecs_sidecar_aws::rows::Row;
use ecs_sidecar_core::ids::{Family, RoleRef};
use ecs_sidecar_core::observed::RoleState;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::ExitCode;

/// Who else may need what looks unused.
const OTHERS: &str = "older revisions and running tasks may still use them, and so may operators in other Regions: IAM is \
                      global, and only the table of this one was looked at";

/// A policy on a role that the operator attached, and that nothing rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Unused {
    role: String,
    policy: String,
    /// For which families it was attached.
    families: BTreeSet<String>,
    state: Attachment,
    /// Why nobody could see whether it is attached.
    message: Option<String>,
}

/// What IAM says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Attachment {
    Attached,
    /// Somebody has detached it already.
    Detached,
    /// There is no such role any more.
    NoRole,
    Unreadable,
}

/// Runs one of the verbs.
pub(crate) fn run(verb: &PermissionsVerb, out: &mut dyn Write) -> Result<ExitCode, Error> {
    match verb {
        PermissionsVerb::Prune(arguments) => prune(arguments, out),
    }
}

/// 1 if somebody says no, or if IAM refuses something.
fn prune(arguments: &PruneArguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let aws = Aws::connect(&arguments.stack.aws)?;
    aws.run(async {
        let (stack, iam) = (aws.stack(&arguments.stack).await?, Iam::new(&aws.config));
        let clock = Clock::of(&aws.config);
        let mut unused = unused(&stack.table.rows().await?, clock.now());
        look(&iam, &mut unused).await?;
        if arguments.format == AnswerFormat::Json {
            json::write(&unused, out)?;
            return Ok(ExitCode::SUCCESS);
        }
        if unused.is_empty() {
            writeln!(out, "nothing to detach: each grant is one that a family's sidecar rests on")?;
            return Ok(ExitCode::SUCCESS);
        }
        list(&unused, out)?;
        writeln!(out, "\nwarning: {OTHERS}")?;
        if arguments.plan {
            return Ok(ExitCode::SUCCESS);
        }
        out.flush()?;
        if !confirm(&format!("detach these {}?", unused.len()), arguments.yes)? {
            return Ok(ExitCode::from(1));
        }
        detach(&stack, &iam, &clock, &unused, out).await
    })
}

/// What was attached and nothing rests on, as far as the table knows.
pub(crate) fn count_granted(rows: &[Row]) -> usize {
    rows.iter().flat_map(|row| &row.grants).collect::<BTreeSet<_>>().len()
}

fn unused(rows: &[Row], now: u64) -> Vec<Unused> {
    // A role goes by its ARN in one definition and by its name in another.
    let key = |pair: &str| split(pair).map(|(role, policy)| (RoleRef::new(role).name().to_owned(), policy.to_owned()));
    let used: BTreeSet<_> = rows.iter().flat_map(|row| rests_on(row, now)).filter_map(|pair| key(pair)).collect();
    let mut found: BTreeMap<&str, Unused> = BTreeMap::new();
    for (row, pair) in rows.iter().flat_map(|row| row.grants.iter().map(move |pair| (row, pair))) {
        let Some((role, policy)) = split(pair) else { continue };
        if key(pair).is_some_and(|key| used.contains(&key)) {
            continue;
        }
        let unused = found.entry(pair).or_insert_with(|| Unused {
            role: role.to_owned(),
            policy: policy.to_owned(),
            families: BTreeSet::new(),
            state: Attachment::Unreadable,
            message: None,
        });
        unused.families.insert(row.family.clone());
    }
    found.into_values().collect()
}

/// What a family's sidecar rests on. Where nobody could say, that is all that was attached for it; and so it is while
/// somebody is at work on it.
fn rests_on(row: &Row, now: u64) -> impl Iterator<Item = &String> {
    let has_one = row.told.injected.is_some();
    let uses = has_one.then_some(&row.told.uses).into_iter().flatten();
    let all = row.is_leased(now) || has_one && row.told.uses.is_empty();
    uses.chain(all.then_some(&row.grants).into_iter().flatten())
}

/// `ROLE POLICY`
fn split(pair: &str) -> Option<(&str, &str)> {
    pair.split_once(' ')
}

/// Asks IAM about each role once.
async fn look(iam: &Iam, all: &mut [Unused]) -> Result<(), Error> {
    let mut roles: BTreeMap<String, RoleState> = BTreeMap::new();
    for unused in all {
        let state = match roles.get(&unused.role) {
            Some(state) => state,
            None => {
                let state = iam.attached(&RoleRef::new(&unused.role)).await?;
                roles.entry(unused.role.clone()).or_insert(state)
            }
        };
        (unused.state, unused.message) = match state {
            RoleState::Attached(policies) if policies.contains(&unused.policy) => (Attachment::Attached, None),
            RoleState::Attached(_) => (Attachment::Detached, None),
            RoleState::Missing => (Attachment::NoRole, None),
            RoleState::Refused(why) => (Attachment::Unreadable, Some(why.clone())),
            RoleState::NotChecked => (Attachment::Unreadable, None),
        };
    }
    Ok(())
}

fn list(all: &[Unused], out: &mut dyn Write) -> Result<(), Error> {
    let cells = |unused: &Unused| {
        let state = match (unused.state, &unused.message) {
            (Attachment::Attached, _) => "attached".to_owned(),
            (Attachment::Detached, _) => "not attached any more".to_owned(),
            (Attachment::NoRole, _) => "no such role any more".to_owned(),
            (Attachment::Unreadable, None) => "unreadable".to_owned(),
            (Attachment::Unreadable, Some(why)) => format!("unreadable: {why}"),
        };
        let families: Vec<&str> = unused.families.iter().map(String::as_str).collect();
        [unused.role.clone(), unused.policy.clone(), families.join(", "), state].map(Cell::from)
    };
    let rows: Vec<_> = all.iter().map(cells).collect();
    columns::write(["ROLE", "POLICY", "ATTACHED FOR", "STATE"], &rows, out)?;
    Ok(())
}

/// Detaches what still nothing rests on, and takes it out of the table.
async fn detach(
    stack: &Stack,
    iam: &Iam,
    clock: &Clock,
    confirmed: &[Unused],
    out: &mut dyn Write,
) -> Result<ExitCode, Error> {
    // Somebody may have thought about it for long.
    let rows = stack.table.rows().await?;
    let now = unused(&rows, clock.now());
    let same = |one: &Unused, other: &Unused| (&one.role, &one.policy) == (&other.role, &other.policy);
    let (mut gone, mut code, mut failure) = (BTreeSet::new(), ExitCode::SUCCESS, None);
    for Unused { role, policy, .. } in confirmed.iter().filter(|one| {
        let still = now.iter().any(|other| same(one, other));
        if !still {
            // Standard error may be closed.
            let _ = writeln!(anstream::stderr(), "kept {} on {}: a sidecar rests on it now", one.policy, one.role);
        }
        still
    }) {
        match iam.detach(&RoleRef::new(role), policy).await {
            Ok(Detachment::Detached) => writeln!(out, "detached {policy} from {role}")?,
            Ok(Detachment::NotAttached) => writeln!(out, "{policy} was not on {role} any more")?,
            Ok(Detachment::Refused(why)) => {
                let _ = writeln!(anstream::stderr(), "cannot detach {policy} from {role}: {why}");
                code = ExitCode::from(1);
                continue;
            }
            // What is done already is noted all the same.
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
        gone.insert(format!("{role} {policy}"));
    }
    for row in rows.iter().filter(|row| !row.grants.is_disjoint(&gone)) {
        let Ok(family) = row.family.parse::<Family>() else { continue };
        if !stack.table.forget_grants(&family, &gone).await? {
            let _ = writeln!(anstream::stderr(), "{family} is being worked on, so its row keeps what was detached");
        }
    }
    failure.map_or(Ok(code), |error| Err(error.into()))
}
