//! `doctor`: looks at what a task with the sidecar needs, has core judge it, and prints.
//!
//! Every call to AWS is a read.

use crate::arguments::{DoctorArguments, DoctorFormat};
use crate::error::Error;
use crate::online::Aws;
use crate::{input, tree};
use aws_config::SdkConfig;
use ecs_sidecar_core::doctor::{Finding, Sight, State, Totals, examine};
use ecs_sidecar_core::ids::{AccountId, Region};
use ecs_sidecar_doctor::{Doctor, Question};
use serde::Serialize;
use std::io::{IsTerminal as _, Write};
use std::process::ExitCode;

/// Clears the line that tells of progress.
const CLEAR_LINE: &str = "\r\u{1b}[K";

/// The answer for machines.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    account: &'a AccountId,
    region: &'a Region,
    totals: Totals,
    #[serde(flatten)]
    finding: &'a Finding,
}

/// Looks, judges and prints. 1 if something is missing.
pub(crate) fn run(arguments: &DoctorArguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let policy = input::policy(&arguments.policy)?;
    let aws = Aws::connect(&arguments.aws)?;
    let question = Question {
        vpc: arguments.vpc.clone(),
        subnets: arguments.subnets.clone(),
        service: arguments.service.clone(),
        family: arguments.family.clone(),
        policy,
        cache_prefix: arguments.cache_prefix.clone(),
    };
    let sight = aws.run(look(&aws.config, &aws.region, &question))?;
    let found = examine(&sight);
    match arguments.format {
        DoctorFormat::Text => tree::write(&found, out)?,
        DoctorFormat::Json => {
            let (account, region) = (&sight.account, &sight.region);
            let answer = Answer { account, region, totals: found.totals(), finding: &found };
            let text = serde_json::to_string_pretty(&answer).expect("an answer is plain JSON");
            writeln!(out, "{text}")?;
        }
    }
    Ok(match found.state {
        State::Ok | State::NotChecked => ExitCode::SUCCESS,
        State::Missing => ExitCode::from(1),
    })
}

async fn look(config: &SdkConfig, region: &Region, question: &Question) -> Result<Sight, Error> {
    let mut notes = std::io::stderr();
    let is_watched = notes.is_terminal();
    // Nobody is hurt if standard error is closed.
    if is_watched {
        let _ = write!(notes, "asking AWS in {region} ...");
    }
    let sight = Doctor::new(config).look(region, question).await;
    if is_watched {
        let _ = write!(notes, "{CLEAR_LINE}");
    }
    Ok(sight?)
}
