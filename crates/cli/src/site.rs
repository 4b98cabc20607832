//! Account and Region: from the command line, the definition's own ARNs, or the AWS configuration.

use crate::arguments::Arguments;
use crate::error::Error;
use aws_config::profile::{Profile, ProfileSet};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::ids::{AccountId, Arn, Region};
use ecs_sidecar_core::json::Value;
use std::collections::BTreeSet;

/// Where tasks run.
pub(crate) struct Site {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
}

impl Site {
    /// Finds out, without asking AWS.
    pub(crate) fn find(arguments: &Arguments, definition: &TaskDefinition) -> Result<Self, Error> {
        let arns = Arns::of(definition);
        let account = arguments.account.clone().or(arns.account);
        let region = arguments.region.clone().or(arns.region);
        let configuration = match (&account, &region) {
            (Some(_), Some(_)) => None,
            (_, _) => Some(Configuration::load(arguments.profile.as_deref())?),
        };
        let configured = configuration.as_ref();
        let account = account.or_else(|| configured.and_then(Configuration::account));
        let region = region.or_else(|| configured.and_then(Configuration::region));
        Ok(Self {
            account: account.ok_or(Error::Site {
                what: "account",
                option: "--account ID",
                variable: "AWS_ACCOUNT_ID",
            })?,
            region: region.ok_or(Error::Site { what: "Region", option: "--region REGION", variable: "AWS_REGION" })?,
        })
    }
}

/// What the ARNs of a definition say. The revision's own says most; the others count only if they agree.
struct Arns {
    account: Option<AccountId>,
    region: Option<Region>,
}

impl Arns {
    fn of(definition: &TaskDefinition) -> Self {
        let own = definition.described().arn.as_ref();
        let mut all = Vec::new();
        collect(definition.root(), &mut all);
        let one = |mut found: BTreeSet<String>| if found.len() == 1 { found.pop_first() } else { None };
        let roles: Vec<&Arn> = all.iter().filter(|arn| arn.service() == "iam").collect();
        let trusted = if roles.is_empty() { all.iter().collect() } else { roles };
        let accounts = trusted.iter().filter_map(|arn| arn.account()).map(|account| account.to_string()).collect();
        let regions = all.iter().filter_map(Arn::region).map(|region| region.to_string()).collect();
        Self {
            account: own.and_then(Arn::account).or_else(|| one(accounts)?.parse().ok()),
            region: own.and_then(Arn::region).or_else(|| one(regions)?.parse().ok()),
        }
    }
}

fn collect(value: Value<'_>, arns: &mut Vec<Arn>) {
    arns.extend(value.as_str().and_then(|text| text.parse::<Arn>().ok()));
    value.items().for_each(|item| collect(item, arns));
    value.members().for_each(|(_, member)| collect(member, arns));
}

/// Environment and profile, as the AWS CLI reads them.
struct Configuration {
    env: Env,
    profiles: ProfileSet,
}

impl Configuration {
    fn load(profile: Option<&str>) -> Result<Self, Error> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| Error::AwsConfiguration { source };
        let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| failed(error.into()))?;
        let env = Env::real();
        let selected = profile.map(|name| name.to_owned().into());
        let files = EnvConfigFiles::default();
        let profiles = runtime
            .block_on(aws_config::profile::load(&Fs::real(), &env, &files, selected))
            .map_err(|error| failed(error.into()))?;
        Ok(Self { env, profiles })
    }

    fn profile(&self) -> Option<&Profile> {
        self.profiles.get_profile(self.profiles.selected_profile())
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.env.get(name).ok().filter(|value| !value.is_empty())
    }

    fn region(&self) -> Option<Region> {
        let from_profile = || self.profile().and_then(|profile| profile.get("region")).map(str::to_owned);
        self.variable("AWS_REGION").or_else(|| self.variable("AWS_DEFAULT_REGION")).or_else(from_profile)?.parse().ok()
    }

    fn account(&self) -> Option<AccountId> {
        let from_profile = || {
            let profile = self.profile()?;
            let named = ["aws_account_id", "sso_account_id"].iter().find_map(|key| profile.get(key)?.parse().ok());
            named.or_else(|| profile.get("role_arn")?.parse::<Arn>().ok()?.account())
        };
        self.variable("AWS_ACCOUNT_ID").and_then(|id| id.parse().ok()).or_else(from_profile)
    }
}
