//! A revision in AWS, with all that a decision on it depends on.
//!
//! Every call to AWS is a read.

use crate::arguments::{AwsArguments, PlanArguments};
use crate::error::Error;
use crate::online::{Aws, Stack, stack_of};
use crate::revision::{Named, Revision};
use crate::settings::settings;
use ecs_sidecar_aws::Clients;
use ecs_sidecar_aws::ecs::Ecs;
use ecs_sidecar_aws::meter::Meter;
use ecs_sidecar_aws::observe::{Wanted, observe_definition};
use ecs_sidecar_aws::settings::{LogLevel, Overrides, Settings, Writes};
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::ids::{AccountId, Arn, RoleRef};
use ecs_sidecar_core::observed::{Observed, Registrar};
use ecs_sidecar_core::plan;
use ecs_sidecar_core::receipt::Injector;

/// What was seen, and the settings to decide with.
pub(crate) struct Looked {
    pub(crate) observed: Observed,
    pub(crate) plan: plan::Settings,
}

/// Looks, with a stack's settings and policies where one is named, else with those of the command line.
pub(crate) fn look(arguments: &PlanArguments, named: &Named, asked: plan::Asked) -> Result<Looked, Error> {
    let PlanArguments { arguments: more, stack, endpoint_url } = arguments;
    if more.image_digest.is_some() {
        return Err(Error::Ignored { option: "--image-digest", text: named.to_string() });
    }
    let place =
        AwsArguments { region: more.region.clone(), profile: more.profile.clone(), endpoint_url: endpoint_url.clone() };
    // A policy that cannot be read is told before anybody is asked.
    let own = if stack.is_none() { Some(settings(more, asked)?) } else { None };
    let aws = connect(named, &place)?;
    let looked = aws.run(async {
        let (settings, plan) = match own {
            Some(plan) => (person(&aws, arguments, plan.clone()).await?, plan),
            None => {
                let Stack { settings, table, .. } = aws.stack(&stack_of(stack.as_deref(), &place)).await?;
                let standing = (*table.standing(&settings).await?.plan).clone();
                let version = env!("CARGO_PKG_VERSION").to_owned();
                let injector = Injector::Cli;
                (settings, plan::Settings { asked, injector, version, ..standing })
            }
        };
        named.must_be_in(&settings.account)?;
        let clients = Clients::new(&aws.config, &settings);
        let observed = Box::pin(observe_definition(&clients, &settings, &plan, &wanted(named))).await?;
        let mut observed = observed.ok_or_else(|| missing(named, &aws))?;
        if stack.is_none() {
            // Which role the operator has nobody said.
            observed.registrar = Registrar::Unknown;
        }
        Ok(Looked { observed, plan })
    });
    looked.map_err(|error| in_the_way(named, error))
}

/// The settings of somebody who could do it all by hand.
async fn person(aws: &Aws, arguments: &PlanArguments, plan: plan::Settings) -> Result<Settings, Error> {
    let more = &arguments.arguments;
    let account = match &more.account {
        Some(account) => account.clone(),
        None => account(aws).await?,
    };
    let role = RoleRef::new(&format!("arn:{}:iam::{account}:role/nobody", aws.region.partition().name));
    Ok(Settings {
        plan,
        own_document: None,
        overrides: Overrides::default(),
        writes: Writes::Forbidden,
        registry: more.registry_account.clone().unwrap_or_else(|| account.clone()),
        account,
        region: aws.region.clone(),
        cache_prefix: more.cache_prefix.clone(),
        role,
        table: None,
        queue: None,
        sweep_queue: None,
        sweep_share: 50,
        rollout: None,
        event_bus: None,
        stack: ecs_sidecar_core::names::OPERATOR.to_owned(),
        dead_letter_queue: None,
        read_only_members: Vec::new(),
        log: LogLevel::Error,
    })
}

async fn account(aws: &Aws) -> Result<AccountId, Error> {
    let caller = aws.caller().await?;
    let account = caller.parse::<Arn>().ok().and_then(|arn| arn.account());
    account.ok_or(Error::Site { what: "account", option: "--account ID", variable: "AWS_ACCOUNT_ID" })
}

/// The newest ACTIVE revision of a family, or a certain one, as it stands in AWS.
pub(crate) async fn describe(aws: &Aws, named: &Named) -> Result<TaskDefinition, Error> {
    if named.has_account() {
        named.must_be_in(&account(aws).await?)?;
    }
    let name = match named {
        Named::Family(family) => family.to_string(),
        Named::Revision(Revision { family, number, .. }) => format!("{family}:{number}"),
    };
    let ecs = Ecs::new(&aws.config, Vec::new(), Meter::default());
    ecs.describe(&name).await?.ok_or_else(|| missing(named, aws))
}

/// AWS, in the Region that an ARN names, unless another one is asked for.
pub(crate) fn connect(named: &Named, arguments: &AwsArguments) -> Result<Aws, Error> {
    let region = arguments.region.clone().or(named.region());
    let arguments = AwsArguments { region, ..arguments.clone() };
    let aws = Aws::connect(&arguments).map_err(|error| in_the_way(named, error))?;
    named.must_be_in_region(&aws.region)?;
    Ok(aws)
}

/// What is in the way of a look at it, and that it was taken for no file.
pub(crate) fn in_the_way(named: &Named, error: Error) -> Error {
    Error::Lookup { text: named.to_string(), source: Box::new(error) }
}

fn wanted(named: &Named) -> Wanted {
    match named {
        Named::Family(family) => Wanted::Newest(family.clone()),
        Named::Revision(Revision { family, number, .. }) => Wanted::Revision(family.clone(), *number),
    }
}

fn missing(named: &Named, aws: &Aws) -> Error {
    let what = match named {
        Named::Family(family) => format!("ACTIVE revision of {family}"),
        Named::Revision(Revision { family, number, .. }) => format!("revision {family}:{number}"),
    };
    Error::NoRevision { what, region: aws.region.clone() }
}
