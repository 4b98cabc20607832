//! What tests see of the world without asking over the wire.

use crate::Status;
use crate::world::state::Place;
use std::fmt;
use std::time::{Duration, SystemTime};

/// A revision, for asserting.
#[derive(Clone, PartialEq, Eq)]
pub struct RevisionView {
    /// Its ARN.
    pub arn: String,
    /// Its number.
    pub number: u64,
    /// Whether it may be used.
    pub status: Status,
    /// The definition as Describe answers it, without the tags.
    pub text: String,
    /// The tags, a list in JSON.
    pub tags: String,
    /// ARN of the principal that registered it.
    pub registered_by: String,
}

/// Without the text, which has the environment in it.
impl fmt::Debug for RevisionView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} by {}", self.arn, self.status.label(), self.registered_by)
    }
}

/// A service, for asserting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceView {
    /// Its ARN.
    pub arn: String,
    /// Name of its cluster.
    pub cluster: String,
    /// Its name.
    pub name: String,
    /// ARN of the revision that it is to run, if it has one.
    pub task_definition: Option<String>,
    /// Id of the newest deployment.
    pub deployment: Option<String>,
    /// Status of the newest service deployment, in ECS's word.
    pub course: Option<&'static str>,
    /// All that was said of it but for the task definition and the tags, an object in JSON: what an update of the task
    /// definition must leave as it is. It includes what DescribeServices tells only of deployments.
    pub configuration: String,
    /// The service as DescribeServices answers it with its tags.
    pub text: String,
}

/// A message that was sent to a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub body: String,
    /// For how long nobody may see it.
    pub delay_seconds: u64,
    /// When it was sent, by the world's clock.
    pub sent_at: SystemTime,
}

impl Message {
    /// When somebody may see it.
    pub fn visible_at(&self) -> SystemTime {
        self.sent_at + Duration::from_secs(self.delay_seconds)
    }
}

/// An event that was put on a bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub(crate) place: Place,
    /// Name of the bus.
    pub bus: String,
    /// Who says it.
    pub source: String,
    /// What kind of thing it says.
    pub detail_type: String,
    /// An object in JSON.
    pub detail: String,
    /// ARNs of what it is about.
    pub resources: Vec<String>,
    /// When it was put, by the world's clock.
    pub sent_at: SystemTime,
}
