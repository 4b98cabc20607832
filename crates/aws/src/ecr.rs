//! Images in the private registry, and the rules by which they come there.
//!
//! Knows: ECR's calls. Must not know: which image a sidecar has, and what is done about one that is not there.

use crate::error::{Chain, Error};
use aws_sdk_ecr::types::{ImageIdentifier, LayerAvailability};
use aws_types::SdkConfig;
use ecs_sidecar_core::cache::CacheRule;
use ecs_sidecar_core::ids::{AccountId, ImageDigest};
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::refusal::Refusal;
use ecs_sidecar_core::{manifest, names};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// ECR's codes for an image that is not there.
const MISSING: [&str; 2] = ["ImageNotFoundException", "RepositoryNotFoundException"];

/// How many layers or images ECR lets one call name.
const PER_CALL: usize = 100;

/// The ECR client, for one registry.
#[derive(Debug, Clone)]
pub struct Ecr {
    client: aws_sdk_ecr::Client,
    registry: AccountId,
}

/// What ECR said to a read, or that it would not say: for people.
pub(crate) type Seen<T> = Result<T, String>;

/// What ECR said of its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rules {
    /// These are there.
    Are(Vec<CacheRule>),
    /// It has never heard of rules: no ECR of AWS, but an emulator.
    Unheard,
}

/// A tag of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaggedImage {
    pub(crate) digest: ImageDigest,
    /// Seconds since 1970.
    pub(crate) pushed_at: Option<u64>,
}

/// What opens a registry's HTTP API for some hours.
#[derive(Clone)]
pub(crate) struct Login {
    /// `https://<account>.dkr.ecr.<region>.amazonaws.com`, of the caller's own registry.
    pub(crate) endpoint: String,
    pub(crate) user: String,
    pub(crate) password: String,
}

/// Without the password.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({} at {})", self.user, self.endpoint)
    }
}

impl Ecr {
    /// A client for the registry of that account.
    pub fn new(config: &SdkConfig, registry: AccountId) -> Self {
        Self { client: aws_sdk_ecr::Client::new(config), registry }
    }

    /// The pull-through cache rules of the registry.
    ///
    /// Guarantees: all pages are read, and rules of other registries are left out. Nothing is written.
    /// Assumptions: `DescribePullThroughCacheRules`; if it is not allowed, the answer says so.
    /// Errors: [`Error::Call`] if ECR is not reached or throttles.
    pub(crate) async fn rules(&self) -> Result<Seen<Rules>, Error> {
        let mut rules = Vec::new();
        let mut token = None;
        loop {
            let request = self.client.describe_pull_through_cache_rules().registry_id(self.registry.as_str());
            let sent = request.set_next_token(token).send().await;
            let sent =
                sent.map_err(|error| Error::call("DescribePullThroughCacheRules", self.registry.as_str(), &error));
            let page = match sent {
                Err(error) if error.is_unknown_call() => return Ok(Ok(Rules::Unheard)),
                sent => match seen(sent)? {
                    Ok(page) => page,
                    Err(why) => return Ok(Err(why)),
                },
            };
            let ours = |id: Option<&str>| id.is_none_or(|id| id == self.registry.as_str());
            let here = page.pull_through_cache_rules().iter().filter(|rule| ours(rule.registry_id()));
            rules.extend(here.filter_map(|rule| {
                let upstream_prefix = rule.upstream_repository_prefix().filter(|prefix| *prefix != names::ROOT_PREFIX);
                Some(CacheRule {
                    prefix: rule.ecr_repository_prefix()?.trim_end_matches('/').to_owned(),
                    upstream: rule.upstream_registry_url()?.trim_start_matches("https://").to_owned(),
                    upstream_prefix: upstream_prefix.map(|prefix| prefix.trim_end_matches('/').to_owned()),
                })
            }));
            token = page.next_token;
            if token.is_none() {
                return Ok(Ok(Rules::Are(rules)));
            }
        }
    }

    /// Makes a rule.
    ///
    /// Guarantees: a rule that is there already stays as it is, without an error; a look at the rules tells whose it is.
    /// Assumptions: `CreatePullThroughCacheRule`, and `CreateServiceLinkedRole` where the account has no rule yet.
    /// Errors: [`Error::Call`] if ECR is not reached or throttles. What it refuses is a refusal.
    pub(crate) async fn create_rule(&self, rule: &CacheRule) -> Result<Result<(), Refusal>, Error> {
        let request = self.client.create_pull_through_cache_rule().registry_id(self.registry.as_str());
        let request = request.ecr_repository_prefix(&rule.prefix).upstream_registry_url(&rule.upstream);
        let Err(error) = request.send().await else { return Ok(Ok(())) };
        let object = format!("{} for {}", rule.prefix, rule.upstream);
        let error = Error::call("CreatePullThroughCacheRule", object, &error);
        if error.is_code(&["PullThroughCacheRuleAlreadyExistsException"]) {
            return Ok(Ok(()));
        }
        if error.is_retryable() {
            return Err(error);
        }
        let limit = error.is_code(&["LimitExceededException"]);
        let reason = if limit { Reason::CacheRuleLimit } else { Reason::CacheRuleRefused };
        Ok(Err(Refusal::new(reason, Chain(&error).to_string())))
    }

    /// What a tag of a repository stands for; `None` if there is no such tag.
    ///
    /// Guarantees: nothing is written, and nothing is fetched from upstream.
    /// Assumptions: `DescribeImages` for the repository; if it is not allowed, the answer says so.
    /// Errors: [`Error::Call`] if ECR is not reached or throttles.
    pub(crate) async fn tag(&self, repository: &str, tag: &str) -> Result<Seen<Option<TaggedImage>>, Error> {
        let image = ImageIdentifier::builder().image_tag(tag).build();
        let request = self.client.describe_images().registry_id(self.registry.as_str()).repository_name(repository);
        let sent = request.image_ids(image).send().await;
        let answer = match sent.map_err(|error| Error::call("DescribeImages", format!("{repository}:{tag}"), &error)) {
            Err(error) if error.is_code(&MISSING) => return Ok(Ok(None)),
            sent => match seen(sent)? {
                Ok(answer) => answer,
                Err(why) => return Ok(Err(why)),
            },
        };
        // Some emulators answer an empty list instead of an error.
        let Some(found) = answer.image_details().first() else { return Ok(Ok(None)) };
        let digest = found.image_digest().unwrap_or_default().parse();
        let pushed_at = found.image_pushed_at().and_then(|time| u64::try_from(time.secs()).ok());
        Ok(match digest {
            Ok(digest) => Ok(Some(TaggedImage { digest, pushed_at })),
            Err(error) => Err(format!("DescribeImages answered what cannot be read: {error}")),
        })
    }

    /// Manifests by digest; those that are not there are left out.
    ///
    /// Guarantees: nothing is written. Each is what its digest says, as ECR keeps them by it.
    /// Assumptions: `BatchGetImage` for the repository; if it is not allowed, the answer says so.
    /// Errors: [`Error::Call`] if ECR is not reached or throttles.
    pub(crate) async fn manifests(
        &self,
        repository: &str,
        digests: &[&ImageDigest],
    ) -> Result<Seen<BTreeMap<ImageDigest, String>>, Error> {
        let ids = digests.iter().map(|digest| ImageIdentifier::builder().image_digest(digest.as_str()).build());
        let request = self.client.batch_get_image().registry_id(self.registry.as_str()).repository_name(repository);
        let accepted = manifest::ACCEPTED.map(str::to_owned).to_vec();
        let request = request.set_image_ids(Some(ids.collect())).set_accepted_media_types(Some(accepted));
        let sent = request.send().await.map_err(|error| Error::call("BatchGetImage", repository, &error));
        let answer = match seen(sent)? {
            Ok(answer) => answer,
            Err(why) => return Ok(Err(why)),
        };
        let found = answer.images().iter().filter_map(|image| {
            let digest = image.image_id().and_then(|id| id.image_digest())?.parse().ok()?;
            Some((digest, image.image_manifest()?.to_owned()))
        });
        Ok(Ok(found.collect()))
    }

    /// Which of these layers are not in a repository.
    ///
    /// Guarantees: nothing is written, and nothing is fetched from upstream. What ECR says nothing of counts as missing.
    /// Assumptions: `BatchCheckLayerAvailability` for the repository; if it is not allowed, the answer says so.
    /// Errors: [`Error::Call`] if ECR is not reached or throttles.
    pub(crate) async fn missing_layers(
        &self,
        repository: &str,
        digests: &BTreeSet<ImageDigest>,
    ) -> Result<Seen<BTreeSet<ImageDigest>>, Error> {
        let mut missing = digests.clone();
        let all: Vec<&ImageDigest> = digests.iter().collect();
        for some in all.chunks(PER_CALL) {
            let request = self.client.batch_check_layer_availability().registry_id(self.registry.as_str());
            let layers = some.iter().map(ToString::to_string).collect();
            let sent = request.repository_name(repository).set_layer_digests(Some(layers)).send().await;
            let sent = sent.map_err(|error| Error::call("BatchCheckLayerAvailability", repository, &error));
            let answer = match sent {
                Err(error) if error.is_code(&MISSING) => return Ok(Ok(missing)),
                sent => match seen(sent)? {
                    Ok(answer) => answer,
                    Err(why) => return Ok(Err(why)),
                },
            };
            let there = answer
                .layers()
                .iter()
                .filter(|layer| matches!(layer.layer_availability(), Some(LayerAvailability::Available)));
            there.filter_map(|layer| layer.layer_digest()?.parse::<ImageDigest>().ok()).for_each(|digest| {
                missing.remove(&digest);
            });
        }
        Ok(Ok(missing))
    }

    /// The text of a repository's lifecycle policy, if it has one.
    ///
    /// Guarantees: nothing is written.
    /// Assumptions: `GetLifecyclePolicy` for the repository; if it is not allowed, the answer says so.
    /// Errors: [`Error::Call`] if ECR is not reached or throttles.
    pub(crate) async fn lifecycle_policy(&self, repository: &str) -> Result<Seen<Option<String>>, Error> {
        let request = self.client.get_lifecycle_policy().registry_id(self.registry.as_str());
        let sent = request.repository_name(repository).send().await;
        match sent.map_err(|error| Error::call("GetLifecyclePolicy", repository, &error)) {
            Err(error) if error.is_code(&["LifecyclePolicyNotFoundException", "RepositoryNotFoundException"]) => {
                Ok(Ok(None))
            }
            sent => Ok(seen(sent)?.map(|answer| answer.lifecycle_policy_text)),
        }
    }

    /// Logs in to the registry's HTTP API.
    ///
    /// Guarantees: nothing is written. The token holds for some hours.
    /// Assumptions: `GetAuthorizationToken`.
    /// Errors: [`Error::Call`], also where it is not allowed.
    pub(crate) async fn log_in(&self) -> Result<Login, Error> {
        let call = |error| Error::call("GetAuthorizationToken", self.registry.as_str(), &error);
        let answer = self.client.get_authorization_token().send().await.map_err(call)?;
        let unreadable = || Error::Login { registry: self.registry.to_string() };
        let data = answer.authorization_data().first().ok_or_else(unreadable)?;
        let token = aws_smithy_types::base64::decode(data.authorization_token().unwrap_or_default());
        let token = token.ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(unreadable)?;
        let (user, password) = token.split_once(':').ok_or_else(unreadable)?;
        let endpoint = data.proxy_endpoint().ok_or_else(unreadable)?.to_owned();
        Ok(Login { endpoint, user: user.to_owned(), password: password.to_owned() })
    }
}

/// Tells what AWS will not let us see from what it could not answer now.
fn seen<T>(sent: Result<T, Error>) -> Result<Seen<T>, Error> {
    match sent {
        Ok(answer) => Ok(Ok(answer)),
        Err(error) if error.is_retryable() => Err(error),
        Err(error) => Ok(Err(Chain(&error).to_string())),
    }
}
