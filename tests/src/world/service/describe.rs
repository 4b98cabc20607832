//! How ECS describes a service, its deployments and its revisions.
//!
//! Knows: which member of an answer stands where. Must not know: which call asks, or what may be changed.

use crate::world::cluster;
use crate::world::members::{Members, list};
use crate::world::service::{Deployment, Rollout, Service, ServiceDeployment, ServiceRevision};
use ecs_sidecar_core::json::quote;

/// What of a service's configuration ECS tells in its deployments and revisions only.
const OF_DEPLOYMENTS: [&str; 4] =
    ["serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations", "monitoring"];

/// What a deployment tells of its revision.
const IN_DEPLOYMENT: [&str; 8] = [
    "capacityProviderStrategy",
    "launchType",
    "platformVersion",
    "platformFamily",
    "networkConfiguration",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
];

/// What a service revision tells beside that.
const IN_REVISION: [&str; 3] = ["loadBalancers", "serviceRegistries", "monitoring"];

impl Service {
    /// The service as ECS describes it.
    pub(crate) fn described(&self, with_tags: bool) -> String {
        let mut members = Members::default();
        members.set("serviceArn", quote(&self.arn()));
        members.set("serviceName", quote(&self.name));
        members.set("clusterArn", quote(&cluster::arn(&self.place, &self.cluster)));
        members.set("status", quote(self.status.label()));
        for (name, value) in self.said.iter().filter(|(name, _)| !OF_DEPLOYMENTS.contains(name)) {
            members.set(name, value);
        }
        members.set("runningCount", self.running().to_string());
        let pending = self.deployments.first().map_or(0, |primary| self.pending(primary));
        members.set("pendingCount", pending.to_string());
        if let Some(task_definition) = &self.task_definition {
            members.set("taskDefinition", quote(task_definition));
        }
        let deployments = self.deployments.iter().enumerate().map(|(index, one)| self.deployment(one, index == 0));
        members.set("deployments", list(deployments));
        if self.controller() != "ECS" {
            members.set("taskSets", list(self.task_set()));
        }
        members.set("events", "[]");
        members.set("createdAt", &*self.created_at);
        members.set("createdBy", quote(&self.created_by));
        if let Some(newest) = self.service_deployments.first() {
            members.set("currentServiceDeployment", quote(&self.arn_of("service-deployment", newest.number)));
            let current = self.deployments.iter().map(|one| self.revision_summary(one.revision));
            members.set("currentServiceRevisions", list(current));
        }
        if with_tags {
            members.set("tags", &*self.tags);
        }
        members.render()
    }

    fn pending(&self, deployment: &Deployment) -> u64 {
        match deployment.rollout {
            Rollout::InProgress => self.desired().saturating_sub(deployment.running),
            Rollout::Completed | Rollout::Failed => 0,
        }
    }

    fn deployment(&self, deployment: &Deployment, is_primary: bool) -> String {
        let revision = self.revision(deployment.revision);
        let mut members = Members::default();
        members.set("id", quote(&deployment.id()));
        members.set("status", quote(if is_primary { "PRIMARY" } else { "ACTIVE" }));
        members.set("taskDefinition", quote(revision.map_or("", |revision| &revision.task_definition)));
        members.set("desiredCount", if is_primary { self.desired() } else { 0 }.to_string());
        members.set("pendingCount", self.pending(deployment).to_string());
        members.set("runningCount", deployment.running.to_string());
        members.set("failedTasks", deployment.failed_tasks.to_string());
        members.set("createdAt", &*deployment.created_at);
        members.set("updatedAt", &*deployment.updated_at);
        copy(revision, &IN_DEPLOYMENT, &mut members);
        // ECS tells these of rolling updates only.
        if self.strategy() == "ROLLING" {
            members.set("rolloutState", quote(deployment.rollout.label()));
            members.set("rolloutStateReason", quote(&deployment.reason));
        }
        members.render()
    }

    /// What CodeDeploy deploys in place of a deployment.
    fn task_set(&self) -> Option<String> {
        let task_definition = self.task_definition.as_ref()?;
        Some(format!("{{\"status\":\"PRIMARY\",\"taskDefinition\":{}}}", quote(task_definition)))
    }

    fn revision_summary(&self, number: u64) -> String {
        let deployment = self.deployments.iter().find(|deployment| deployment.revision == number);
        let running = deployment.map_or(0, |deployment| deployment.running);
        let pending = deployment.map_or(0, |deployment| self.pending(deployment));
        format!(
            "{{\"arn\":{},\"requestedTaskCount\":{},\"runningTaskCount\":{running},\"pendingTaskCount\":{pending}}}",
            quote(&self.arn_of("service-revision", number)),
            running + pending
        )
    }

    /// A service revision as ECS describes it.
    pub(crate) fn described_revision(&self, revision: &ServiceRevision) -> String {
        let mut members = self.kinship("serviceRevisionArn", "service-revision", revision.number);
        members.set("taskDefinition", quote(&revision.task_definition));
        copy(Some(revision), &IN_DEPLOYMENT, &mut members);
        copy(Some(revision), &IN_REVISION, &mut members);
        members.set("createdAt", &*revision.created_at);
        members.render()
    }

    /// A service deployment as ECS lists it.
    pub(crate) fn brief(&self, of: &ServiceDeployment) -> String {
        let mut members = self.course(of);
        members.set("targetServiceRevisionArn", quote(&self.arn_of("service-revision", of.target)));
        members.render()
    }

    /// A service deployment as ECS describes it.
    pub(crate) fn described_deployment(&self, of: &ServiceDeployment) -> String {
        let mut members = self.course(of);
        members.set("updatedAt", &**of.finished_at.as_ref().unwrap_or(&of.created_at));
        let sources = of.sources.iter().map(|number| self.revision_summary(*number));
        members.set("sourceServiceRevisions", list(sources));
        members.set("targetServiceRevision", self.revision_summary(of.target));
        if let Some(configuration) = self.said.get("deploymentConfiguration") {
            members.set("deploymentConfiguration", configuration);
        }
        if let Some(rollback) = &of.rollback {
            let revision = self.arn_of("service-revision", rollback.revision);
            let (reason, at, revision) = (quote(&rollback.reason), &rollback.started_at, quote(&revision));
            let rollback = format!("{{\"reason\":{reason},\"startedAt\":{at},\"serviceRevisionArn\":{revision}}}");
            members.set("rollback", rollback);
        }
        members.set("deploymentCircuitBreaker", self.breaker(of));
        members.render()
    }

    fn breaker(&self, of: &ServiceDeployment) -> String {
        let status = match (of.course.is_open(), of.failures > 0) {
            (_, true) => "TRIGGERED",
            (true, false) => "MONITORING",
            (false, false) => "MONITORING_COMPLETE",
        };
        format!("{{\"status\":\"{status}\",\"failureCount\":{},\"threshold\":{}}}", of.failures, self.threshold())
    }

    fn course(&self, of: &ServiceDeployment) -> Members {
        let mut members = self.kinship("serviceDeploymentArn", "service-deployment", of.number);
        members.set("createdAt", &*of.created_at);
        members.set("startedAt", &*of.created_at);
        members.set("status", quote(of.course.label()));
        if let Some(reason) = &of.reason {
            members.set("statusReason", quote(reason));
        }
        if let Some(at) = &of.finished_at {
            members.set("finishedAt", &**at);
        }
        members
    }

    /// What it is, and whose.
    fn kinship(&self, name: &str, kind: &str, number: u64) -> Members {
        let mut members = Members::default();
        members.set(name, quote(&self.arn_of(kind, number)));
        members.set("serviceArn", quote(&self.arn()));
        members.set("clusterArn", quote(&cluster::arn(&self.place, &self.cluster)));
        members
    }
}

fn copy(revision: Option<&ServiceRevision>, names: &[&str], to: &mut Members) {
    for name in names {
        if let Some(value) = revision.and_then(|revision| revision.said.get(name)) {
            to.set(name, value);
        }
    }
}
