//! A service, its deployments and its revisions.
//!
//! Knows: what there is of a service, and ECS's words for it. Must not know: requests.
//!
//! ECS has two words that look alike. A *deployment* is a set of tasks of one service revision, listed in the service. A
//! *service deployment* is the deed of bringing out a revision; it outlives its tasks. Both are here.

mod describe;

use crate::world::members::Members;
use crate::world::state::Place;
use ecs_sidecar_core::json::Document;

/// Where ids of ECS begin here, so that they look like its own.
const FIRST_ID: u64 = 1_000_000_000_000_000_000;

/// Whether a service works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Active,
    /// Deleted, while tasks still run.
    Draining,
    /// Deleted.
    Inactive,
}

impl Status {
    fn label(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// How far a deployment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rollout {
    InProgress,
    Completed,
    Failed,
}

impl Rollout {
    fn label(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }
}

/// A set of tasks of one revision. The first of a service's is PRIMARY, the others are ACTIVE.
#[derive(Debug, Clone)]
pub(crate) struct Deployment {
    pub(crate) number: u64,
    pub(crate) revision: u64,
    pub(crate) rollout: Rollout,
    pub(crate) reason: String,
    pub(crate) running: u64,
    pub(crate) failed_tasks: u64,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

/// A service's configuration as it was when a deployment began.
#[derive(Debug, Clone)]
pub(crate) struct ServiceRevision {
    pub(crate) number: u64,
    /// ARN.
    pub(crate) task_definition: String,
    pub(crate) said: Members,
    pub(crate) created_at: String,
}

/// What became of a service deployment, in ECS's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    InProgress,
    Successful,
    Stopped,
    RollbackInProgress,
    RollbackSuccessful,
    RollbackFailed,
}

impl Course {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Successful => "SUCCESSFUL",
            Self::Stopped => "STOPPED",
            Self::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Self::RollbackSuccessful => "ROLLBACK_SUCCESSFUL",
            Self::RollbackFailed => "ROLLBACK_FAILED",
        }
    }

    /// Whether it goes on.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::InProgress | Self::RollbackInProgress)
    }
}

/// The bringing out of a service revision.
#[derive(Debug, Clone)]
pub(crate) struct ServiceDeployment {
    pub(crate) number: u64,
    /// Numbers of service revisions.
    pub(crate) sources: Vec<u64>,
    pub(crate) target: u64,
    pub(crate) course: Course,
    pub(crate) reason: Option<String>,
    pub(crate) rollback: Option<Rollback>,
    pub(crate) failures: u64,
    pub(crate) created_at: String,
    pub(crate) finished_at: Option<String>,
}

/// The way back to the revision before.
#[derive(Debug, Clone)]
pub(crate) struct Rollback {
    pub(crate) reason: String,
    pub(crate) started_at: String,
    /// Number of a service revision.
    pub(crate) revision: u64,
}

/// A service.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) place: Place,
    /// Name of its cluster.
    pub(crate) cluster: String,
    pub(crate) name: String,
    pub(crate) status: Status,
    /// What requests said of it, each value as it was written, defaults filled in.
    pub(crate) said: Members,
    /// A list in JSON.
    pub(crate) tags: String,
    /// ARN. An EXTERNAL service may have none.
    pub(crate) task_definition: Option<String>,
    pub(crate) created_at: String,
    pub(crate) created_by: String,
    /// Newest first.
    pub(crate) deployments: Vec<Deployment>,
    /// Newest first.
    pub(crate) service_deployments: Vec<ServiceDeployment>,
    pub(crate) revisions: Vec<ServiceRevision>,
}

impl Service {
    pub(crate) fn arn(&self) -> String {
        arn(&self.place, &self.cluster, &self.name)
    }

    /// An ARN of something of it.
    pub(crate) fn arn_of(&self, kind: &str, number: u64) -> String {
        self.place.arn("ecs", &format!("{kind}/{}/{}/{}", self.cluster, self.name, FIRST_ID + number))
    }

    /// `ECS`, `CODE_DEPLOY` or `EXTERNAL`.
    pub(crate) fn controller(&self) -> String {
        text_in(&self.said, "deploymentController", "type").unwrap_or_else(|| "ECS".to_owned())
    }

    /// `ROLLING`, `BLUE_GREEN`, `LINEAR` or `CANARY`.
    fn strategy(&self) -> String {
        text_in(&self.said, "deploymentConfiguration", "strategy").unwrap_or_else(|| "ROLLING".to_owned())
    }

    /// How many tasks there should be.
    pub(crate) fn desired(&self) -> u64 {
        self.said.get("desiredCount").and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    /// How many tasks may fail before the circuit breaker ends a deployment: half of them, and between these two.
    pub(crate) fn threshold(&self) -> u64 {
        (self.desired() / 2).clamp(3, 200)
    }

    /// How many tasks run.
    pub(crate) fn running(&self) -> u64 {
        self.deployments.iter().map(|deployment| deployment.running).sum()
    }

    pub(crate) fn revision(&self, number: u64) -> Option<&ServiceRevision> {
        self.revisions.iter().find(|revision| revision.number == number)
    }
}

impl Deployment {
    /// One that has begun, and has no tasks yet.
    pub(crate) fn new(number: u64, revision: u64, now: &str) -> Self {
        let mut deployment = Self {
            number,
            revision,
            rollout: Rollout::InProgress,
            reason: String::new(),
            running: 0,
            failed_tasks: 0,
            created_at: now.to_owned(),
            updated_at: now.to_owned(),
        };
        deployment.reason = format!("ECS deployment {} in progress.", deployment.id());
        deployment
    }

    /// From now on so many of its tasks run.
    pub(crate) fn complete(&mut self, running: u64, now: &str) {
        self.rollout = Rollout::Completed;
        self.reason = format!("ECS deployment {} completed.", self.id());
        self.running = running;
        self.updated_at = now.to_owned();
    }

    /// `ecs-svc/` and a number.
    pub(crate) fn id(&self) -> String {
        format!("ecs-svc/{}", FIRST_ID + self.number)
    }
}

pub(crate) fn arn(place: &Place, cluster: &str, name: &str) -> String {
    place.arn("ecs", &format!("service/{cluster}/{name}"))
}

/// A text inside a member that is an object.
fn text_in(members: &Members, name: &str, inner: &str) -> Option<String> {
    let document = Document::parse(members.get(name)?).ok()?;
    Some(document.root().get(inner)?.as_str()?.into_owned())
}
