//! `rollout`: has the operator's function look at a service, and tells its report.
//!
//! Knows: what a report says. Must not know: how a service is moved.

use crate::arguments::{AnswerFormat, RolloutArguments};
use crate::error::Error;
use crate::json;
use crate::online::{Aws, Function};
use crate::progress::Progress;
use crate::revision::short;
use anstyle::Style;
use ecs_sidecar_aws::Settings;
use ecs_sidecar_aws::services::ServiceRef;
use ecs_sidecar_core::rollout::ServiceState;
use serde::Deserialize;
use serde_json::json;
use std::io::Write;
use std::process::ExitCode;
use std::str::FromStr;

const STRONG: Style = Style::new().bold();

/// A service, by its ARN or as `cluster/name`.
#[derive(Debug, Clone)]
pub(crate) enum NamedService {
    /// Its ARN.
    Arn(ServiceRef),
    /// `cluster/name`.
    Short(String),
}

impl FromStr for NamedService {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = |_| {
            "give CLUSTER/SERVICE, or the service's ARN, such as arn:aws:ecs:eu-west-1:111122223333:service/prod/web"
                .to_owned()
        };
        if text.starts_with("arn:") {
            return text.parse().map(Self::Arn).map_err(wanted);
        }
        // Whatever account and Region it is in, the name must be one.
        let anywhere = format!("arn:aws:ecs:eu-west-1:111122223333:service/{text}");
        anywhere.parse::<ServiceRef>().map(|_| Self::Short(text.to_owned())).map_err(wanted)
    }
}

impl NamedService {
    fn arn(&self, settings: &Settings) -> String {
        match self {
            Self::Arn(service) => service.arn().to_string(),
            Self::Short(name) => {
                let Settings { region, account, .. } = settings;
                format!("arn:{}:ecs:{region}:{account}:service/{name}", region.partition().name)
            }
        }
    }
}

/// A report, as far as people are told. Words that this program does not know are told as they are.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    service: String,
    state: Option<String>,
    reason: Option<String>,
    #[serde(default)]
    message: String,
    from: Option<String>,
    to: Option<String>,
    outcome: String,
    again_in_seconds: Option<u64>,
}

/// Asks and tells. 1 if the service is quarantined, or if there is none.
pub(crate) fn run(arguments: &RolloutArguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let aws = Aws::connect(&arguments.stack.aws)?;
    aws.run(async {
        let stack = aws.stack(&arguments.stack).await?;
        let action = match (arguments.plan, arguments.retry) {
            (true, _) => "plan",
            (false, true) => "retry",
            (false, false) => "reconcile",
        };
        let service = arguments.service.arn(&stack.settings);
        let payload = json!({ "action": action, "service": service });
        let asked = stack.invoke(Function::Reconcile, &payload);
        let answer = Progress::new().during(&format!("the operator looks at {}", name(&service)), asked).await?;
        let told: Told = stack.understood(Function::Reconcile, &answer)?;
        match arguments.format {
            AnswerFormat::Text => write(&told, arguments.plan, out)?,
            AnswerFormat::Json => json::write(&answer, out)?,
        }
        let bad = told.outcome == "gone" || told.state.as_deref() == Some(ServiceState::Quarantined.label());
        Ok(if bad { ExitCode::from(1) } else { ExitCode::SUCCESS })
    })
}

/// `prod/web`.
pub(crate) fn name(arn: &str) -> &str {
    arn.split_once(":service/").map_or(arn, |(_, name)| name)
}

fn write(told: &Told, plan: bool, out: &mut dyn Write) -> std::io::Result<()> {
    write!(out, "{STRONG}{}{STRONG:#}: ", name(&told.service))?;
    let revisions = || match (&told.from, &told.to) {
        (Some(from), Some(to)) => format!(" {} to {}", short(from), short(to)),
        _ => String::new(),
    };
    match (told.outcome.as_str(), told.state.as_deref()) {
        ("off", _) => return writeln!(out, "this stack moves no services; its parameter RolloutServices says so"),
        ("gone", _) => return writeln!(out, "there is no such service"),
        ("moved", _) => writeln!(out, "moved{}, its deployment is under way", revisions())?,
        ("audit", _) => {
            writeln!(out, "would be moved{}; the stack writes nothing, as its parameter Mode says", revisions())?
        }
        (_, Some("moving")) if plan => writeln!(out, "would be moved{}", revisions())?,
        (_, state) => {
            let reason = told.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            let message = if told.message.is_empty() { String::new() } else { format!(": {}", told.message) };
            writeln!(out, "{}{reason}{message}", state.unwrap_or("waiting"))?;
        }
    }
    if let Some(seconds) = told.again_in_seconds.filter(|_| !plan) {
        writeln!(out, "  the operator looks at it again by itself in {seconds} s")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_by_its_arn_or_with_its_cluster() {
        for text in ["prod/web", "arn:aws:ecs:eu-west-1:111122223333:service/prod/web"] {
            assert!(text.parse::<NamedService>().is_ok(), "{text}");
        }
        for text in ["web", "prod/", "prod/web/1", "arn:aws:ecs:eu-west-1:111122223333:service/web", ""] {
            assert!(text.parse::<NamedService>().is_err(), "{text}");
        }
    }
    #[test]
    fn a_stack_that_only_watches_is_not_said_to_have_moved_anything() {
        let told = json!({
            "service": "arn:aws:ecs:eu-west-1:111122223333:service/prod/web", "state": "moving", "reason": "deploying",
            "from": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:1", "outcome": "audit",
            "to": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:2",
        });
        let mut out = anstream::StripStream::new(Vec::new());
        write(&serde_json::from_value(told).expect("a report"), false, &mut out).expect("memory takes it");
        let out = String::from_utf8(out.into_inner()).expect("text");
        assert_eq!(
            out,
            "prod/web: would be moved web:1 to web:2; the stack writes nothing, as its parameter Mode says\n"
        );
    }
}
