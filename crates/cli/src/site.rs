//! Account and Region: from the command line, the definition's own ARNs, or the AWS configuration.

use crate::arguments::Arguments;
use crate::error::Error;
use aws_config::profile::{Profile, ProfileSet};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::ids::{AccountId, Arn, IdError, Region};
use ecs_sidecar_core::json::Value;
use std::collections::BTreeSet;

/// Where tasks run.
pub(crate) struct Site {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
}

impl Site {
    /// A place for decisions that do not depend on it.
    pub(crate) fn nowhere() -> Self {
        let valid = "valid by its shape";
        Self { account: "000000000000".parse().expect(valid), region: "us-east-1".parse().expect(valid) }
    }

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
        let account = match (account, configured) {
            (None, Some(configured)) => configured.account()?,
            (account, _) => account,
        };
        let region = match (region, configured) {
            (None, Some(configured)) => configured.region()?,
            (region, _) => region,
        };
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

/// Fails if the AWS configuration has no profile of that name.
pub(crate) fn profile_must_exist(name: &str) -> Result<(), Error> {
    Configuration::load(Some(name)).map(drop)
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
        match profile {
            Some(name) if profiles.get_profile(name).is_none() => Err(Error::NoProfile { name: name.to_owned() }),
            Some(_) | None => Ok(Self { env, profiles }),
        }
    }

    fn profile(&self) -> Option<&Profile> {
        self.profiles.get_profile(self.profiles.selected_profile())
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.env.get(name).ok().filter(|value| !value.is_empty())
    }

    fn region(&self) -> Result<Option<Region>, Error> {
        self.first(&["AWS_REGION", "AWS_DEFAULT_REGION"], &["region"], str::to_owned)
    }

    fn account(&self) -> Result<Option<AccountId>, Error> {
        let of_role = |arn: &str| {
            let account = arn.parse::<Arn>().ok().and_then(|arn| arn.account());
            account.map_or_else(|| arn.to_owned(), |account| account.to_string())
        };
        self.first(&["AWS_ACCOUNT_ID"], &["aws_account_id", "sso_account_id", "role_arn"], of_role)
    }

    /// The first of these variables and keys of the profile that is set. What is set and cannot be right is told.
    fn first<T: std::str::FromStr<Err = IdError>>(
        &self,
        variables: &[&str],
        keys: &[&str],
        read: impl Fn(&str) -> String,
    ) -> Result<Option<T>, Error> {
        let from_variables = variables.iter().find_map(|name| Some((format!("variable {name}"), self.variable(name)?)));
        let from_profile = || {
            let profile = self.profile()?;
            keys.iter()
                .find_map(|key| Some((format!("{key} of profile {}", profile.name()), profile.get(key)?.to_owned())))
        };
        let Some((place, value)) = from_variables.or_else(from_profile) else { return Ok(None) };
        read(&value).parse().map(Some).map_err(|source| Error::Configured { place, source })
    }
}
