//! `doctor`: looks at what a task with the sidecar needs, has core judge it, and prints.
//!
//! The one verb that asks AWS. Every call is a read.

use crate::arguments::{DoctorArguments, DoctorFormat};
use crate::error::Error;
use crate::site;
use crate::{input, tree};
use aws_config::BehaviorVersion;
use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use ecs_sidecar_core::doctor::{Finding, Sight, State, Totals, examine};
use ecs_sidecar_core::ids::{AccountId, Region};
use ecs_sidecar_doctor::{Doctor, Question};
use serde::Serialize;
use std::io::{IsTerminal as _, Write};
use std::process::ExitCode;
use std::time::Duration;

/// How long a call may take with all its attempts. A person waits.
const CALL: Duration = Duration::from_secs(30);

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

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
    if let Some(profile) = &arguments.profile {
        site::profile_must_exist(profile)?;
    }
    let question = Question {
        vpc: arguments.vpc.clone(),
        subnets: arguments.subnets.clone(),
        service: arguments.service.clone(),
        family: arguments.family.clone(),
        policy,
        cache_prefix: arguments.cache_prefix.clone(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Runtime)?;
    let sight = runtime.block_on(look(arguments, &question))?;
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

async fn look(arguments: &DoctorArguments, question: &Question) -> Result<Sight, Error> {
    let config = configuration(arguments).await;
    let region =
        config.region().ok_or(Error::Site { what: "Region", option: "--region REGION", variable: "AWS_REGION" })?;
    let configured = |source| Error::Configured { place: "the Region".to_owned(), source };
    let region: Region = region.as_ref().parse().map_err(configured)?;
    let mut notes = std::io::stderr();
    let is_watched = notes.is_terminal();
    // Nobody is hurt if standard error is closed.
    if is_watched {
        let _ = write!(notes, "asking AWS in {region} ...");
    }
    let sight = Doctor::new(&config).look(&region, question).await;
    if is_watched {
        let _ = write!(notes, "{CLEAR_LINE}");
    }
    Ok(sight?)
}

/// Credentials, Region and endpoints as the AWS CLI finds them.
async fn configuration(arguments: &DoctorArguments) -> SdkConfig {
    // Ring, since the other provider makes every process start slowly (docs/decisions.md).
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(CALL).build();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http).timeout_config(timeouts);
    if let Some(profile) = &arguments.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &arguments.region {
        loader = loader.region(aws_config::Region::new(region.to_string()));
    }
    if let Some(url) = &arguments.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    loader.load().await
}
