//! `doctor`: looks at what a task with the sidecar needs, has core judge it, and prints.
//!
//! Every call to AWS is a read.

use crate::arguments::{DoctorArguments, DoctorFormat};
use crate::error::Error;
use crate::online::Aws;
use crate::progress::Progress;
use crate::{input, json, tree};
use ecs_sidecar_core::doctor::{Finding, State, Totals, examine};
use ecs_sidecar_core::ids::{AccountId, Region};
use ecs_sidecar_doctor::{Doctor, Question};
use serde::Serialize;
use std::io::Write;
use std::process::ExitCode;

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
    let sight = aws.run(async {
        let (doctor, text) = (Doctor::new(&aws.config), format!("asking AWS in {}", aws.region));
        Progress::new().during(&text, doctor.look(&aws.region, &question)).await
    })?;
    let found = examine(&sight);
    match arguments.format {
        DoctorFormat::Text => tree::write(&found, out)?,
        DoctorFormat::Json => {
            let (account, region) = (&sight.account, &sight.region);
            let answer = Answer { account, region, totals: found.totals(), finding: &found };
            json::write(&answer, out)?;
        }
    }
    Ok(match found.state {
        State::Ok | State::NotChecked => ExitCode::SUCCESS,
        State::Missing => ExitCode::from(1),
    })
}
