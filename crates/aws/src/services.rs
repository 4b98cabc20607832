//! ECS's services: seen, listed, and moved to another revision.
//!
//! Knows: the calls, and what their answers say. Must not know: which service is to be moved.

use crate::ecs::Page;
use crate::error::{Error, Failure, Said};
use aws_sdk_ecs::types::{
    DeploymentController, DeploymentControllerType, DeploymentRolloutState, ResourceManagementType,
    ServiceDeploymentBrief, ServiceDeploymentStatus, ServiceField,
};
use aws_types::SdkConfig;
use ecs_sidecar_core::ids::Arn;
pub use ecs_sidecar_core::ids::{ServiceRef, ServiceRefError};
use ecs_sidecar_core::names;
use ecs_sidecar_core::rollout::{Controller, Deployment, DeploymentState, Move, Service, UNEXPLAINED};
use std::cmp::Reverse;

/// How many services ECS describes at once.
pub(crate) const DESCRIBED: usize = 10;

/// How many names ECS lists at once.
const PAGE: i32 = 100;

/// How far the clocks of ECS and of the operator may be apart, in seconds.
const SKEW: u64 = 300;

/// Codes by which ECS says that it will not update a service like this.
const REFUSED: [&str; 8] = [
    "ClientException",
    "InvalidParameterException",
    "NamespaceNotFoundException",
    "PlatformTaskDefinitionIncompatibilityException",
    "PlatformUnknownException",
    "ServiceNotActiveException",
    "UnsupportedFeatureException",
    "BlockedException",
];

/// What came of the wish to move a service.
#[derive(Debug)]
pub(crate) enum Updated {
    /// ECS deploys the revision.
    Done,
    /// It will not.
    Refused(Said),
    /// The operator may not.
    Denied(Said),
    /// There is no such service any more.
    Gone,
}

/// The ECS client, for services.
#[derive(Debug, Clone)]
pub struct Services {
    client: aws_sdk_ecs::Client,
}

impl Services {
    /// A client.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: aws_sdk_ecs::Client::new(config) }
    }

    /// A service. `None`: there is none of that name, or it is being deleted.
    ///
    /// Guarantees: nothing is written. Assumptions: `DescribeServices` is allowed. Errors: [`Error::Call`].
    pub(crate) async fn describe(&self, service: &ServiceRef) -> Result<Option<Service>, Error> {
        let found = self.describe_all(service.cluster(), &[service.arn().to_string()]).await?;
        let Some(mut found) = found.into_iter().next() else { return Ok(None) };
        let untold = |deployment: &&mut Deployment| deployment.primary && deployment.state == DeploymentState::Untold;
        if let Some(primary) = found.deployments.iter_mut().find(untold) {
            (primary.state, primary.because) = self.newest_deployment(service).await?;
        }
        Ok(Some(found))
    }

    /// How far the newest deployment of a service came, which ECS tells beside the service where it is none of the rolling
    /// kind.
    async fn newest_deployment(&self, of: &ServiceRef) -> Result<(DeploymentState, Option<String>), Error> {
        use ServiceDeploymentStatus as Status;
        let newest = self.service_deployments(of).await?.into_iter().next();
        let because = newest.as_ref().and_then(|newest| newest.status_reason().map(str::to_owned));
        let state = match newest.as_ref().and_then(|newest| newest.status()) {
            Some(Status::Successful | Status::RollbackSuccessful) | None => DeploymentState::Completed,
            Some(Status::Stopped | Status::RollbackFailed) => DeploymentState::Failed,
            Some(_) => DeploymentState::InProgress,
        };
        Ok((state, because))
    }

    /// The latest deployments of a service, the newest first.
    async fn service_deployments(&self, of: &ServiceRef) -> Result<Vec<ServiceDeploymentBrief>, Error> {
        let request = self.client.list_service_deployments().cluster(of.cluster()).service(of.arn().as_str());
        match request
            .max_results(PAGE)
            .send()
            .await
            .map_err(|error| Error::call("ListServiceDeployments", of.arn().as_str(), &error))
        {
            Err(error) if error.is_unknown_call() => Ok(Vec::new()),
            answer => Ok(newest_first(answer?.service_deployments.unwrap_or_default())),
        }
    }

    /// Up to ten services of a cluster. Those that are not there, or are being deleted, are left out.
    ///
    /// Guarantees, assumptions and errors as with [`Services::describe`].
    pub(crate) async fn describe_all(&self, cluster: &str, arns: &[String]) -> Result<Vec<Service>, Error> {
        let request = self.client.describe_services().cluster(cluster).set_services(Some(arns.to_vec()));
        let answer = request.include(ServiceField::Tags).send().await;
        let answer = match answer.map_err(|error| Error::call("DescribeServices", cluster, &error)) {
            Err(error) if error.is_code(&["ClusterNotFoundException"]) => return Ok(Vec::new()),
            answer => answer?,
        };
        // What is missing is among the failures; any other one is no answer.
        if let Some(failure) = answer.failures().iter().find(|failure| failure.reason() != Some("MISSING")) {
            let said = Said { code: failure.reason.clone(), message: failure.detail.clone().unwrap_or_default() };
            let object = failure.arn().unwrap_or(cluster).to_owned();
            return Err(Error::Call { operation: "DescribeServices", object, failure: Failure::Unavailable, said });
        }
        let active = answer.services().iter().filter(|service| service.status() == Some("ACTIVE"));
        Ok(active.filter_map(seen).collect())
    }

    /// A page of the account's clusters, by ARN.
    ///
    /// Guarantees: nothing is written. Assumptions: `ListClusters` is allowed. Errors: [`Error::Call`].
    pub(crate) async fn clusters_page(&self, token: Option<String>) -> Result<Page<String>, Error> {
        let page = self.client.list_clusters().max_results(PAGE).set_next_token(token).send().await;
        let page = page.map_err(|error| Error::call("ListClusters", "all", &error))?;
        Ok(Page { items: page.cluster_arns.unwrap_or_default(), token: page.next_token })
    }

    /// A page of a cluster's services, by ARN. A cluster that is gone has none.
    ///
    /// Guarantees: nothing is written. Assumptions: `ListServices` is allowed. Errors: [`Error::Call`].
    pub(crate) async fn services_page(&self, cluster: &str, token: Option<String>) -> Result<Page<String>, Error> {
        let page = self.client.list_services().cluster(cluster).max_results(PAGE).set_next_token(token).send().await;
        match page.map_err(|error| Error::call("ListServices", cluster, &error)) {
            Err(error) if error.is_code(&["ClusterNotFoundException"]) => Ok(Page { items: Vec::new(), token: None }),
            page => {
                let page = page?;
                Ok(Page { items: page.service_arns.unwrap_or_default(), token: page.next_token })
            }
        }
    }

    /// ECS's words on the rollback of a deployment of that revision, if one was rolled back since.
    ///
    /// Guarantees: nothing is written. Assumptions: `ListServiceDeployments` and `DescribeServiceRevisions` are allowed.
    /// Errors: [`Error::Call`].
    pub(crate) async fn rolled_back(
        &self,
        of: &ServiceRef,
        revision: &Arn,
        since: u64,
    ) -> Result<Option<String>, Error> {
        let since = i64::try_from(since.saturating_sub(SKEW)).unwrap_or_default();
        let deployments = self.service_deployments(of).await?;
        let is_recent =
            |deployment: &ServiceDeploymentBrief| deployment.created_at().is_none_or(|at| at.secs() >= since);
        for deployment in deployments.iter().filter(|deployment| is_back(deployment) && is_recent(deployment)) {
            let Some(target) = deployment.target_service_revision_arn() else { continue };
            if self.task_definition(target).await?.as_ref() == Some(revision) {
                let words = deployment.status_reason().unwrap_or(UNEXPLAINED);
                return Ok(Some(words.to_owned()));
            }
        }
        Ok(None)
    }

    /// Somebody else's revision whose deployment a move overtook: it had begun after the last look at the service. ECS's
    /// answer to the update does not tell, as it lists deployments that have tasks.
    ///
    /// Guarantees, assumptions and errors as with [`Services::rolled_back`].
    pub(crate) async fn overtaken(&self, of: &ServiceRef, by: &Move) -> Result<Option<Arn>, Error> {
        let deployments = self.service_deployments(of).await?;
        let [newest, before, ..] = deployments.as_slice() else { return Ok(None) };
        let targets = newest.target_service_revision_arn().zip(before.target_service_revision_arn());
        // After a rollback a service points at what it did before.
        let Some((newest, before)) = targets.filter(|_| !is_back(before)) else { return Ok(None) };
        if self.task_definition(newest).await?.as_ref() != Some(&by.to) {
            // Whoever came after the move has what he wants.
            return Ok(None);
        }
        let before = self.task_definition(before).await?;
        Ok(before.filter(|before| *before != by.from && *before != by.to))
    }

    /// The revision that a service revision, named by its ARN, has.
    async fn task_definition(&self, service_revision: &str) -> Result<Option<Arn>, Error> {
        let request = self.client.describe_service_revisions().service_revision_arns(service_revision);
        let answer = request.send().await;
        let answer = answer.map_err(|error| Error::call("DescribeServiceRevisions", service_revision, &error))?;
        Ok(answer.service_revisions().first().and_then(|found| found.task_definition()?.parse().ok()))
    }

    /// Has a service deploy another revision, and changes nothing else of it.
    ///
    /// Guarantees: no other member than `taskDefinition` is sent, which leaves all others as they are. Done once or twice
    /// is the same: ECS begins no deployment of the revision that a service points at.
    /// Assumptions: `UpdateService`, and `PassRole` where ECS asks for it. Errors: [`Error::Call`].
    pub(crate) async fn update(&self, service: &ServiceRef, to: &Arn) -> Result<Updated, Error> {
        let request = self.client.update_service().cluster(service.cluster()).service(service.arn().as_str());
        let Err(error) = request.task_definition(to.as_str()).send().await else { return Ok(Updated::Done) };
        let said = Said::of(&error);
        match Error::call("UpdateService", service.arn().as_str(), &error) {
            error if error.is_code(&["ServiceNotFoundException", "ClusterNotFoundException"]) => Ok(Updated::Gone),
            error if error.is_denied() => Ok(Updated::Denied(said)),
            error if error.is_code(&REFUSED) => Ok(Updated::Refused(said)),
            error => Err(error),
        }
    }
}

/// ECS promises no order.
fn newest_first(mut deployments: Vec<ServiceDeploymentBrief>) -> Vec<ServiceDeploymentBrief> {
    let age = |one: &ServiceDeploymentBrief| one.created_at().map(|at| Reverse((at.secs(), at.subsec_nanos())));
    deployments.sort_by_key(age);
    deployments
}

/// Whether a deployment was or is rolled back.
fn is_back(deployment: &ServiceDeploymentBrief) -> bool {
    matches!(
        deployment.status(),
        Some(
            ServiceDeploymentStatus::RollbackRequested
                | ServiceDeploymentStatus::RollbackInProgress
                | ServiceDeploymentStatus::RollbackSuccessful
                | ServiceDeploymentStatus::RollbackFailed
        )
    )
}

/// What a rollout has to know of a service. `None`: it has no ARN.
fn seen(service: &aws_sdk_ecs::types::Service) -> Option<Service> {
    let arn = |text: Option<&str>| text.and_then(|text| text.parse::<Arn>().ok());
    let declines = |tag: &aws_sdk_ecs::types::Tag| {
        tag.key() == Some(names::ROLLOUT) && tag.value().is_some_and(|value| value.trim().eq_ignore_ascii_case("false"))
    };
    let deployments = service.deployments().iter().map(|deployment| Deployment {
        primary: deployment.status() == Some("PRIMARY"),
        task_definition: arn(deployment.task_definition()),
        state: match deployment.rollout_state() {
            Some(DeploymentRolloutState::InProgress) => DeploymentState::InProgress,
            Some(DeploymentRolloutState::Failed) => DeploymentState::Failed,
            Some(_) => DeploymentState::Completed,
            None => DeploymentState::Untold,
        },
        because: deployment.rollout_state_reason().map(str::to_owned),
    });
    Some(Service {
        arn: arn(service.service_arn())?,
        created_at: service.created_at().and_then(|at| u64::try_from(at.secs()).ok()),
        controller: match service.deployment_controller().map(DeploymentController::r#type) {
            Some(DeploymentControllerType::Ecs) | None => Controller::Ecs,
            Some(DeploymentControllerType::CodeDeploy) => Controller::CodeDeploy,
            Some(_) => Controller::External,
        },
        express: service.resource_management_type() == Some(&ResourceManagementType::Ecs),
        opted_out: service.tags().iter().any(declines),
        task_definition: arn(service.task_definition()),
        deployments: deployments.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::primitives::DateTime;

    #[test]
    fn the_newest_deployment_comes_first_whatever_the_order() {
        let at = |seconds| ServiceDeploymentBrief::builder().created_at(DateTime::from_secs_f64(seconds)).build();
        let sorted = newest_first([1.0, 3.5, 3.0, 2.0].map(at).to_vec());
        let times: Vec<f64> = sorted.iter().filter_map(|one| Some(one.created_at()?.as_secs_f64())).collect();
        assert_eq!(times, [3.5, 3.0, 2.0, 1.0]);
    }
}
