//! `policy get` and `policy list`: the operator's policies, and how they stand.

use crate::age::since;
use crate::arguments::{DocumentFormat, GetArguments, ListArguments, ListFormat};
use crate::columns::{self, Cell};
use crate::count;
use crate::error::Error;
use crate::families::is_left_alone;
use crate::json;
use crate::online::{Aws, Stack};
use ecs_sidecar_aws::clock::Clock;
use ecs_sidecar_aws::rows::Row;
use ecs_sidecar_aws::standing::{Standing, StoredPolicy};
use ecs_sidecar_core::policy::{Mode, Policy, Updates};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

/// Where a policy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum From {
    Table,
    Stack,
}

/// A policy with its document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    name: &'a str,
    from: From,
    deleting: bool,
    changed_at: Option<u64>,
    changed_by: Option<&'a str>,
    problem: Option<&'a str>,
    document: &'a str,
}

/// Prints one. A policy that nobody has is an error that names those that there are.
pub(crate) fn get(arguments: &GetArguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let aws = Aws::connect(&arguments.stack.aws)?;
    aws.run(async {
        let stack = aws.stack(&arguments.stack).await?;
        let stored = stack.table.policies().await?;
        let name = arguments.name.as_str();
        let found = stored.iter().find(|stored| stored.name == name);
        let told = match (found, own(&stack).filter(|own| own.name() == name)) {
            (Some(stored), _) => Told {
                name,
                from: From::Table,
                deleting: stored.deleting,
                changed_at: stored.changed_at,
                changed_by: stored.changed_by.as_deref(),
                problem: stored.problem.as_deref(),
                document: &stored.text,
            },
            (None, Some(_)) => Told {
                name,
                from: From::Stack,
                deleting: false,
                changed_at: None,
                changed_by: None,
                problem: None,
                document: stack.settings.own_document.as_deref().unwrap_or_default(),
            },
            (None, None) => return Err(unknown(&stack, name, &stored)),
        };
        note(&told, own(&stack));
        match arguments.format {
            DocumentFormat::Json => json::write(&told, out)?,
            DocumentFormat::Yaml => {
                out.write_all(told.document.as_bytes())?;
                if !told.document.ends_with('\n') {
                    writeln!(out)?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// What the document does not say itself.
fn note(told: &Told<'_>, own: Option<&Policy>) {
    let mut notes = anstream::stderr();
    let mut note = |text: &str| {
        // Standard error may be closed.
        let _ = writeln!(notes, "note: {text}");
    };
    if told.from == From::Stack {
        note("it is the stack's own (parameter Policy), and not in the table");
        let mode = |mode| if mode == Mode::OptIn { "optIn" } else { "optOut" };
        let written = Policy::parse(told.document).map(|policy| policy.spec.mode);
        if let (Some(own), Ok(written)) = (own, written)
            && own.spec.mode != written
        {
            note(&format!("the stack has it in mode {} (parameter Mode)", mode(own.spec.mode)));
        }
    }
    if told.deleting {
        note("it is being deleted");
    }
    if let Some(problem) = told.problem {
        note(&format!("this program cannot read it: {problem}"));
    }
}

/// The stack's own policy, as the stack has it.
pub(crate) fn own(stack: &Stack) -> Option<&Policy> {
    stack.settings.plan.policies.first()
}

/// That there is no policy of that name, and which there are.
pub(crate) fn unknown(stack: &Stack, name: &str, stored: &[StoredPolicy]) -> Error {
    let mut known: Vec<&str> = stored.iter().map(|stored| stored.name.as_str()).collect();
    known.extend(own(stack).map(Policy::name).filter(|own| stored.iter().all(|stored| stored.name != *own)));
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Error::NoPolicy { stack: stack.name.clone(), name: name.to_owned(), known }
}

/// A policy, and how it stands.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    name: String,
    from: From,
    mode: Option<Mode>,
    updates: Option<Updates>,
    image: Option<String>,
    state: Standpoint,
    /// Why it cannot be read.
    problem: Option<String>,
    /// Families whose newest revision has its sidecar.
    families: usize,
    /// Of a policy that goes: how many of them are left alone, by reason.
    blocked: BTreeMap<String, usize>,
    changed_at: Option<u64>,
    changed_by: Option<String>,
}

/// How a policy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Standpoint {
    Active,
    /// It goes as soon as its sidecars have.
    Deleting,
    /// It selects nothing, and what it injected stays.
    Unreadable,
    /// The table has one of the same name, which stands in its place.
    Replaced,
    /// The operator takes back all that it injected.
    Uninstalling,
}

/// Lists those of the table by name, then the stack's own: the order in which they are tried.
pub(crate) fn list(arguments: &ListArguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let aws = Aws::connect(&arguments.stack.aws)?;
    let now = Clock::of(&aws.config).now();
    let listed = aws.run(async {
        let stack = aws.stack(&arguments.stack).await?;
        let (standing, rows) = (stack.table.standing(&stack.settings).await?, stack.table.rows().await?);
        Ok::<_, Error>(listed(&stack, &standing, &rows))
    })?;
    match arguments.format {
        ListFormat::Json => json::write(&listed, out)?,
        ListFormat::Table if listed.is_empty() => writeln!(out, "there is no policy")?,
        ListFormat::Table => {
            let heading = ["NAME", "MODE", "UPDATES", "IMAGE", "STATE", "FAMILIES", "FROM", "CHANGED"];
            let rows: Vec<_> = listed.iter().map(|listed| listed.cells(now)).collect();
            columns::write(heading, &rows, out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn listed(stack: &Stack, standing: &Standing, rows: &[Row]) -> Vec<Listed> {
    let own = own(stack);
    // What a deleted policy injected is the stack's own one's, if that has the name.
    let is_own = |name: &str| own.is_some_and(|own| own.name() == name);
    let ending = standing.switch.uninstalling;
    let mut all: Vec<Listed> = standing
        .stored
        .iter()
        .map(|stored| {
            let state = match stored {
                StoredPolicy { deleting: true, .. } => Standpoint::Deleting,
                _ if ending => Standpoint::Uninstalling,
                StoredPolicy { problem: Some(_), .. } => Standpoint::Unreadable,
                _ => Standpoint::Active,
            };
            let policy = Policy::parse(&stored.text).ok().filter(|_| stored.problem.is_none());
            let rows = if stored.deleting && is_own(&stored.name) { &[] } else { rows };
            Listed {
                problem: stored.problem.clone(),
                changed_at: stored.changed_at,
                changed_by: stored.changed_by.clone(),
                ..Listed::new(&stored.name, policy.as_ref(), From::Table, state, rows)
            }
        })
        .collect();
    all.extend(own.map(|own| {
        let replaces = |stored: &StoredPolicy| !stored.deleting && stored.name == own.name();
        let (state, rows) = match standing.stored.iter().any(replaces) {
            true => (Standpoint::Replaced, &[][..]),
            false if ending => (Standpoint::Uninstalling, rows),
            false => (Standpoint::Active, rows),
        };
        Listed::new(own.name(), Some(own), From::Stack, state, rows)
    }));
    all
}

impl Listed {
    fn new(name: &str, policy: Option<&Policy>, from: From, state: Standpoint, rows: &[Row]) -> Self {
        let goes = matches!(state, Standpoint::Deleting | Standpoint::Uninstalling);
        let mut blocked = BTreeMap::new();
        for row in having(rows, name).filter(|row| goes && is_left_alone(row)) {
            *blocked.entry(row.told.reason.clone().unwrap_or_default()).or_default() += 1;
        }
        Self {
            name: name.to_owned(),
            from,
            mode: policy.map(|policy| policy.spec.mode),
            updates: policy.map(|policy| policy.spec.updates),
            image: policy.map(|policy| policy.spec.image.upstream.clone()),
            state,
            problem: None,
            families: having(rows, name).count(),
            blocked,
            changed_at: None,
            changed_by: None,
        }
    }

    fn cells(&self, now: u64) -> [Cell; 8] {
        let none = || "-".to_owned();
        let left = || {
            let blocked: Vec<String> = self.blocked.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
            let blocked = if blocked.is_empty() { String::new() } else { format!(" ({})", blocked.join(", ")) };
            format!("{} left{blocked}", count::families(self.families))
        };
        let state = match self.state {
            Standpoint::Active => "active".to_owned(),
            Standpoint::Deleting => format!("deleting: {}", left()),
            Standpoint::Uninstalling => format!("uninstalling: {}", left()),
            Standpoint::Unreadable => format!("unreadable: {}", self.problem.as_deref().unwrap_or_default()),
            Standpoint::Replaced => "replaced by the table's".to_owned(),
        };
        let changed = self.changed_at.map(|at| {
            let by = self.changed_by.as_deref().unwrap_or("somebody");
            // What identifies somebody within the account.
            format!("{} ago by {}", since(at, now), by.splitn(6, ':').last().unwrap_or(by))
        });
        let mode = self.mode.map(|mode| if mode == Mode::OptIn { "optIn" } else { "optOut" }.to_owned());
        let updates =
            self.updates.map(|updates| if updates == Updates::Now { "now" } else { "onNextRegistration" }.to_owned());
        let from = match self.from {
            From::Table => "table",
            From::Stack => "stack",
        };
        [
            self.name.clone().into(),
            mode.unwrap_or_else(none).into(),
            updates.unwrap_or_else(none).into(),
            self.image.clone().unwrap_or_else(none).into(),
            state.into(),
            Cell::number(self.families),
            from.to_owned().into(),
            changed.unwrap_or_else(none).into(),
        ]
    }
}

/// The families whose newest revision has a policy's sidecar.
pub(crate) fn having<'a>(rows: &'a [Row], policy: &'a str) -> impl Iterator<Item = &'a Row> {
    rows.iter().filter(move |row| row.told.injected.as_deref() == Some(policy))
}
