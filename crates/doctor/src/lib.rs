//! Looks at what the doctor judges: network, image, roles, log groups and trails.
//!
//! Knows: which calls show them, and what AWS's refusals mean. Must not know: what is in order and what is not; that is
//! [`ecs_sidecar_core::doctor`]. Every call is a read. A refused one is told as what could not be seen, so that the rest
//! is still looked at.

mod error;
mod network;
mod question;
mod roles;
mod subject;
mod trails;

pub use error::Error;
pub use question::{Question, ServiceName, ServiceNameError};

use aws_types::SdkConfig;
use ecs_sidecar_aws::image::{Images, PrivateRegistry};
use ecs_sidecar_aws::ledger::Ledger;
use ecs_sidecar_aws::logs::Logs;
use ecs_sidecar_aws::{Chain, Error as CallError};
use ecs_sidecar_core::cache::CacheState;
use ecs_sidecar_core::doctor::{
    ImageSight, LogGroup, Seen, Sight, named_log_groups, required_actions, wanted_architectures,
};
use ecs_sidecar_core::ids::{AccountId, Region};
use ecs_sidecar_core::observed::{ImageState, LogGroupState};
use ecs_sidecar_core::policy::{Architecture, Pin};
use futures_util::future::{OptionFuture, join_all};
use network::Networks;
use roles::Roles;
use std::sync::Arc;
use subject::Subjects;
use trails::Trails;

/// A client for each service, from one configuration.
#[derive(Debug, Clone)]
pub struct Doctor {
    sts: aws_sdk_sts::Client,
    subjects: Subjects,
    networks: Networks,
    config: SdkConfig,
    roles: Roles,
    logs: Logs,
    trails: Trails,
}

impl Doctor {
    /// The clients.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            sts: aws_sdk_sts::Client::new(config),
            subjects: Subjects::new(config),
            networks: Networks::new(config),
            config: config.clone(),
            roles: Roles::new(config),
            logs: Logs::new(config),
            trails: Trails::new(config),
        }
    }

    /// Looks at all that the question is about.
    ///
    /// Guarantees: nothing is written. Lists are read to their end. What AWS refuses to show is in the sight as not
    /// seen, with AWS's words.
    /// Assumptions: credentials that AWS knows; `region` is the clients' own.
    /// Errors: [`Error::Call`] if AWS is not reached or does not know the caller, [`Error::NoSuch`] if there is no such
    /// VPC, subnet, service or family, [`Error::OtherVpc`] if the service is in another VPC than was named.
    pub async fn look(&self, region: &Region, question: &Question) -> Result<Sight, Error> {
        let account = self.account().await?;
        let subject = self.subjects.find(question).await?;
        let network =
            OptionFuture::from(subject.place.as_ref().map(|place| self.networks.look(&account, region, place)));
        // Where a task is, and what it has, decides what the roles must be allowed.
        let groups = subject.task.as_ref().map(|task| named_log_groups(task, region)).unwrap_or_default();
        let mut sight = Sight {
            subject: question.subject(),
            account: account.clone(),
            region: region.clone(),
            policy: question.policy.clone(),
            unseen: subject.unseen,
            network: None,
            task: subject.task,
            on_fargate: subject.on_fargate,
            image: None,
            task_role: None,
            execution_role: None,
            log_groups: groups.keys().map(|name| LogGroup { name: name.clone(), exists: None }).collect(),
            trails: Seen::Yes(Vec::new()),
        };
        let wanted = wanted_architectures(&question.policy, sight.task.as_ref());
        let (network, image) = tokio::join!(network, self.image(&account, region, question, wanted));
        sight.network = network.transpose()?;
        sight.image = Some(image);
        let (task_actions, execution_actions) = required_actions(&sight);
        let task_role = sight.task.as_ref().and_then(|task| task.task_role());
        let execution_role = sight.task.as_ref().and_then(|task| task.execution_role());
        let look_at_group = |(name, is_created): (String, bool)| async move {
            let exists = if is_created { None } else { Some(self.log_group(&name).await) };
            LogGroup { name, exists }
        };
        let (task_role, execution_role, log_groups, trails) = tokio::join!(
            OptionFuture::from(task_role.map(|role| self.roles.look(role, &task_actions))),
            OptionFuture::from(execution_role.map(|role| self.roles.look(role, &execution_actions))),
            join_all(groups.into_iter().map(look_at_group)),
            self.trails.look(region),
        );
        Ok(Sight { task_role, execution_role, log_groups, trails, ..sight })
    }

    /// The sidecar's image, as the operator itself looks for it.
    async fn image(
        &self,
        account: &AccountId,
        region: &Region,
        question: &Question,
        wanted: Vec<Architecture>,
    ) -> ImageSight {
        let place = PrivateRegistry {
            account: account.clone(),
            registry: account.clone(),
            region: region.clone(),
            cache_prefix: question.cache_prefix.clone(),
        };
        // Nothing is recorded where nothing is fetched.
        let images = Images::new(&self.config, place, Arc::new(Ledger::new(&self.config, None)));
        let (upstream, pinned) = (question.policy.upstream(), question.policy.spec.image.pin == Pin::Digest);
        let refused = |error| (CacheState::NotChecked, ImageState::Refused(Chain(&error).to_string()));
        let (cache, state) = images.locate(&upstream, pinned).await.unwrap_or_else(refused);
        let repository = cache.repository(&upstream, &question.cache_prefix);
        ImageSight { reference: format!("{repository}:{}", upstream.tag), wanted, cache, state }
    }

    async fn log_group(&self, name: &str) -> Seen<bool> {
        match self.logs.group(name).await {
            Ok(LogGroupState::Present) => Seen::Yes(true),
            Ok(LogGroupState::Missing | LogGroupState::NotChecked) => Seen::Yes(false),
            Ok(LogGroupState::Refused(why)) => Seen::No(why),
            Err(error) => Seen::No(Chain(&error).to_string()),
        }
    }

    /// Who is asking; the one call that nobody can be denied, so that a failure means that AWS is out of reach or does
    /// not know the caller.
    async fn account(&self) -> Result<AccountId, Error> {
        let sent = self.sts.get_caller_identity().send().await;
        let answer = sent.map_err(|error| CallError::call("GetCallerIdentity", "the caller", &error))?;
        let account = answer.account().unwrap_or_default();
        account.parse().map_err(|source| Error::Identity { source })
    }
}

/// The answer to one call.
type Answer<T> = Result<T, CallError>;

/// What came of a call: what was seen, or AWS's words.
fn seen<T>(answer: Answer<T>) -> Seen<T> {
    match answer {
        Ok(value) => Seen::Yes(value),
        Err(error) => Seen::No(Chain(&error).to_string()),
    }
}
