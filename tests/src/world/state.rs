//! What exists in the world: families and revisions, clusters and services, roles, repositories, queues, tables.
//!
//! Knows: who owns what. Must not know: requests. Cheap to clone, because every write keeps the state before it.

use crate::world::dynamodb::table::Table;
use crate::world::members::Members;
use crate::world::rules::Rule;
use crate::world::service::Service;
use crate::{Event, Image, Message};
use bytes::Bytes;
use rpds::{RedBlackTreeMapSync, VectorSync};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

/// An account and a Region: where everything but IAM lives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) account: String,
    pub(crate) region: String,
}

impl Place {
    /// `aws`, `aws-cn` and so on.
    pub(crate) fn partition(&self) -> &'static str {
        self.region.parse().map_or("aws", |region: ecs_sidecar_core::ids::Region| region.partition().name)
    }

    /// An ARN of something in this place.
    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition(), self.region, self.account)
    }
}

/// Whether a revision may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It may.
    Active,
    /// It was deregistered.
    Inactive,
}

impl Status {
    /// ECS's word.
    pub fn label(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// A family: its number only ever grows, whatever becomes of its revisions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Family {
    pub(crate) last: u64,
    pub(crate) revisions: BTreeMap<u64, Arc<Revision>>,
}

impl Family {
    pub(crate) fn newest_active(&self) -> Option<&Arc<Revision>> {
        self.revisions.values().rev().find(|revision| revision.status == Status::Active)
    }
}

/// A revision of a task definition.
#[derive(Clone)]
pub(crate) struct Revision {
    pub(crate) place: Place,
    pub(crate) family: String,
    pub(crate) number: u64,
    pub(crate) status: Status,
    /// The members as ECS keeps them, defaults filled in: an object in JSON.
    pub(crate) definition: Arc<str>,
    /// A list in JSON.
    pub(crate) tags: Arc<str>,
    pub(crate) requires_attributes: Vec<String>,
    pub(crate) compatibilities: Vec<String>,
    /// Seconds since 1970, with milliseconds.
    pub(crate) registered_at: String,
    pub(crate) registered_by: String,
    pub(crate) deregistered_at: Option<String>,
}

/// Without the definition, whose environment is nobody's business.
impl std::fmt::Debug for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Revision({}:{} {})", self.family, self.number, self.status.label())
    }
}

impl Revision {
    pub(crate) fn arn(&self) -> String {
        self.place.arn("ecs", &format!("task-definition/{}:{}", self.family, self.number))
    }
}

/// A role of IAM.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) arn: String,
    pub(crate) path: String,
    pub(crate) attached: Vec<String>,
    /// Since when IAM shows those that it did not show at once.
    pub(crate) shown_from: BTreeMap<String, SystemTime>,
}

/// A repository of ECR.
#[derive(Debug, Clone, Default)]
pub(crate) struct Repository {
    /// Digests by tag.
    pub(crate) tags: BTreeMap<String, String>,
    /// Manifests and indexes by digest.
    pub(crate) manifests: BTreeMap<String, Bytes>,
    /// Configurations and layers by digest.
    pub(crate) blobs: BTreeMap<String, Bytes>,
    /// Seconds since 1970, when the newest of the images came.
    pub(crate) pushed_at: u64,
    /// Seconds since 1970, before which ECR shows none of it.
    pub(crate) shown_from: u64,
    pub(crate) lifecycle_policy: Option<String>,
    /// Whether other accounts may look at it.
    pub(crate) shared: bool,
    /// Whether ECR does not tell of layers that are there, as it may do with cached ones for all that is documented.
    pub(crate) hides_layers: bool,
}

/// A pull-through cache rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CacheRule {
    pub(crate) prefix: String,
    pub(crate) upstream: String,
    pub(crate) upstream_prefix: Option<String>,
}

/// A function of Lambda.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) variables: BTreeMap<String, String>,
    /// In seconds.
    pub(crate) timeout: u64,
    /// Payloads in their order.
    pub(crate) invocations: Vec<String>,
}

/// Without the variables and payloads, which are nobody's business.
impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Function({} variables, {} invocations)", self.variables.len(), self.invocations.len())
    }
}

/// Everything there is.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) families: RedBlackTreeMapSync<(Place, String), Arc<Family>>,
    /// What was said of clusters.
    pub(crate) clusters: RedBlackTreeMapSync<(Place, String), Members>,
    /// By cluster and name.
    pub(crate) services: RedBlackTreeMapSync<(Place, String, String), Arc<Service>>,
    /// How many deployments and the like have been given a number.
    pub(crate) numbers: u64,
    /// By account and friendly name: IAM knows no Regions.
    pub(crate) roles: RedBlackTreeMapSync<(String, String), Arc<Role>>,
    /// ARNs of policies that can be attached.
    pub(crate) policies: BTreeSet<String>,
    /// ARNs of policies that only a service's role may have.
    pub(crate) service_policies: BTreeSet<String>,
    pub(crate) repositories: BTreeMap<(Place, String), Arc<Repository>>,
    pub(crate) queues: BTreeMap<(Place, String), VectorSync<Message>>,
    pub(crate) cache_rules: BTreeMap<Place, Vec<CacheRule>>,
    /// What other registries have: images by registry, repository and tag.
    pub(crate) upstream: BTreeMap<(String, String, String), Arc<Image>>,
    /// Whether nobody reaches them.
    pub(crate) upstream_cut: bool,
    /// How many seconds ECR takes to show an image that was pulled through a rule.
    pub(crate) image_lag: u64,
    /// Where the registry's HTTP API is, if it is anywhere.
    pub(crate) registry_url: Option<String>,
    /// How often logins to it were made worthless.
    pub(crate) logins: u32,
    pub(crate) tables: BTreeMap<(Place, String), Table>,
    /// Those that somebody made.
    pub(crate) buses: BTreeSet<(Place, String)>,
    pub(crate) events: VectorSync<Event>,
    /// By bus and name.
    pub(crate) rules: BTreeMap<(Place, String, String), Rule>,
    /// Targets in JSON by group and name.
    pub(crate) schedules: BTreeMap<(Place, String, String), String>,
    /// Definitions of state machines by name.
    pub(crate) machines: BTreeMap<(Place, String), String>,
    pub(crate) functions: BTreeMap<(Place, String), Arc<Function>>,
    /// Days of retention by name.
    pub(crate) log_groups: BTreeMap<(Place, String), Option<i64>>,
    /// What roles may do beside what nobody asks: ARN of the role, action.
    pub(crate) may: BTreeSet<(String, String)>,
}

impl State {
    /// What opens the registry's HTTP API.
    pub(crate) fn registry_password(&self) -> String {
        format!("password-{}", self.logins)
    }

    pub(crate) fn family(&self, place: &Place, name: &str) -> Option<&Family> {
        self.families.get(&(place.clone(), name.to_owned())).map(|family| &**family)
    }

    pub(crate) fn service(&self, place: &Place, cluster: &str, name: &str) -> Option<&Service> {
        self.services.get(&(place.clone(), cluster.to_owned(), name.to_owned())).map(|service| &**service)
    }

    /// The service that is named in an ARN of that kind: its own, or that of something of it.
    pub(crate) fn service_of(&self, place: &Place, kind: &str, arn: &str) -> Option<&Service> {
        let mut parts = arn.strip_prefix(&place.arn("ecs", kind))?.strip_prefix('/')?.split('/');
        self.service(place, parts.next()?, parts.next()?)
    }

    /// The services in a cluster by name, those that were deleted included.
    pub(crate) fn services_in<'a>(&'a self, place: &'a Place, cluster: &'a str) -> impl Iterator<Item = &'a Service> {
        let first = (place.clone(), cluster.to_owned(), String::new());
        let from_there = self.services.range(first..).map(|(_, service)| &**service);
        from_there.take_while(move |service| service.place == *place && service.cluster == cluster)
    }

    pub(crate) fn put_service(&mut self, service: Service) {
        let key = (service.place.clone(), service.cluster.clone(), service.name.clone());
        self.services.insert_mut(key, Arc::new(service));
    }

    pub(crate) fn family_mut(&mut self, place: &Place, name: &str) -> &mut Family {
        let key = (place.clone(), name.to_owned());
        if !self.families.contains_key(&key) {
            self.families.insert_mut(key.clone(), Arc::default());
        }
        Arc::make_mut(self.families.get_mut(&key).expect("it was put there if it was missing"))
    }
}
