//! `policy explain`: which policy wins for a definition, and why not each of the others.

use crate::arguments::{ExplainArguments, PolicyFormat};
use crate::columns::{self, Cell};
use crate::error::Error;
use crate::online::stack_of;
use crate::revision::Named;
use crate::subject::Subject;
use crate::{input, json, lookup};
use anstyle::Style;
use ecs_sidecar_core::bounds::Bounds;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::explain::{ChoiceRule, Considered, Explanation, Verdict, explain};
use ecs_sidecar_core::plan::{Asked, Settings};
use ecs_sidecar_core::policy::{Mode, Policy};
use ecs_sidecar_core::receipt::Injector;
use ecs_sidecar_core::request::{Ask, AskedAt};
use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;

/// Rules by which a definition that asks for nothing ends up with an `optOut` policy or none.
const STANDING: [ChoiceRule; 3] = [ChoiceRule::FirstOptOut, ChoiceRule::NoneSelects, ChoiceRule::NotRequested];

const STRONG: Style = Style::new().bold();

/// The policy that a file is explained with where none is named.
const PRESET: &str = "xray-daemon";

/// Explains the definition of a file, among the policies that the command line names; or the one of a family, among
/// the operator's unless the command line names some.
pub(crate) fn run(arguments: &ExplainArguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    match Subject::of(&arguments.file, arguments.stack.as_deref())? {
        Subject::File(path) => {
            let input = input::definition(&path)?;
            let named = read(&arguments.policies)?;
            let policies = if named.is_empty() { vec![input::policy(PRESET)?] } else { named };
            tell(&input.definition, &settings(policies), arguments.format, out)
        }
        Subject::InAws(named) => {
            let (definition, settings) = look_up(arguments, &named)?;
            tell(&definition, &settings, arguments.format, out)
        }
    }
}

fn read(policies: &[String]) -> Result<Vec<Policy>, Error> {
    policies.iter().map(|name| input::policy(name)).collect()
}

/// The definition as it stands in AWS, and the policies to explain it with.
fn look_up(arguments: &ExplainArguments, asked: &Named) -> Result<(TaskDefinition, Settings), Error> {
    let named = read(&arguments.policies)?;
    let aws = lookup::connect(asked, &arguments.aws)?;
    let found = aws.run(async {
        if !named.is_empty() {
            return Ok((lookup::describe(&aws, asked).await?, settings(named)));
        }
        let stack = aws.stack(&stack_of(arguments.stack.as_deref(), &arguments.aws)).await?;
        let standing = stack.table.standing(&stack.settings).await?;
        Ok((lookup::describe(&aws, asked).await?, (*standing.plan).clone()))
    });
    found.map_err(|error| lookup::in_the_way(asked, error))
}

/// Explains a definition, wherever it and the policies come from. Nothing in it is at fault, so this is no failure
/// whatever comes of it.
pub(crate) fn tell(
    definition: &TaskDefinition,
    settings: &Settings,
    format: PolicyFormat,
    out: &mut dyn Write,
) -> Result<ExitCode, Error> {
    let explanation = explain(definition, settings);
    match format {
        PolicyFormat::Text => write(&explanation, out)?,
        PolicyFormat::Json => json::write(&explanation, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// As the operator would choose among these.
fn settings(policies: Vec<Policy>) -> Settings {
    Settings {
        policies,
        deleted: BTreeSet::new(),
        bounds: Bounds::unbounded(),
        asked: Asked::Standing,
        injector: Injector::Cli,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        execution_policy_arn: None,
    }
}

fn write(explanation: &Explanation, out: &mut dyn Write) -> std::io::Result<()> {
    let family = explanation.family.as_deref().unwrap_or("the definition");
    write!(out, "{STRONG}{family}{STRONG:#}: ")?;
    match explanation.verdict {
        Verdict::Sidecar => writeln!(out, "the sidecar of {}", explanation.winner.as_deref().unwrap_or_default())?,
        Verdict::Removed => writeln!(out, "what was injected is removed")?,
        Verdict::LeftAlone => writeln!(out, "left alone")?,
    }
    let asks: Vec<String> = explanation.asks.iter().map(ask).collect();
    writeln!(out, "  rule     {}: {}", explanation.rule, explanation.meaning)?;
    // Some reasons say what the rule says.
    if let Some(reason) = explanation.reason.filter(|reason| reason.label() != explanation.rule.label()) {
        writeln!(out, "  reason   {reason}: {}", explanation.message)?;
    }
    writeln!(out, "  asks     {}", if asks.is_empty() { "nothing".to_owned() } else { asks.join(", ") })?;
    match &explanation.receipt {
        Some(receipt) => writeln!(out, "  receipt  of policy {}, by {}", receipt.policy, receipt.by.label())?,
        None => writeln!(out, "  receipt  none")?,
    }
    if !explanation.deleted.is_empty() {
        writeln!(out, "  deleted  {}", explanation.deleted.join(", "))?;
    }
    writeln!(out)?;
    table(explanation, out)
}

/// `true` (tag)
fn ask(ask: &Ask) -> String {
    match &ask.place {
        AskedAt::Tag => format!("{:?} (tag)", ask.word),
        AskedAt::Label { container } => format!("{:?} (docker label of container {container})", ask.word),
    }
}

/// The policies in the order in which they are tried, the winner marked.
fn table(explanation: &Explanation, out: &mut dyn Write) -> std::io::Result<()> {
    let not_asked = explanation.asks.is_empty() && STANDING.contains(&explanation.rule);
    let cells = |policy: &Considered| {
        let mark = if explanation.winner.as_ref() == Some(&policy.name) { '*' } else { ' ' };
        let Considered { name, mode, selects, reason, message } = policy;
        let mode = match mode {
            Mode::OptIn => "optIn",
            Mode::OptOut => "optOut",
        };
        let selects = if *selects { "yes" } else { "no" };
        let why_not = match (reason, message) {
            (Some(reason), Some(message)) => format!("{reason}: {message}"),
            (_, _) if not_asked && mode == "optIn" => "it waits to be asked for".to_owned(),
            (_, _) => "-".to_owned(),
        };
        [format!("{mark} {name}"), mode.to_owned(), selects.to_owned(), why_not].map(Cell::from)
    };
    let rows: Vec<_> = explanation.policies.iter().map(cells).collect();
    columns::write(["  POLICY", "MODE", "SELECTS", "WHY NOT"], &rows, out)
}
