//! What was seen of the world before a decision: all that `plan` knows of it.

use crate::cache::CacheState;
use crate::definition::TaskDefinition;
use crate::digest::Digest;
use crate::ids::{AccountId, ImageDigest, Region, RoleRef};
use crate::image::Upstream;
use crate::policy::Architecture;
use std::collections::BTreeSet;

/// The world, as far as one family is concerned.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The account that tasks run in.
    pub account: AccountId,
    /// The Region that they run in.
    pub region: Region,
    /// The family's newest ACTIVE revision, or the definition from a file.
    pub definition: TaskDefinition,
    /// The account whose private registry tasks pull from.
    pub registry: AccountId,
    /// Prefix of the pull-through cache rule where none was found, and of one that is to be made.
    pub cache_prefix: String,
    /// How the sidecar's image gets into the private registry.
    pub cache: CacheState,
    /// Whether the sidecar's image is in the private registry.
    pub image: ImageState,
    /// Whether the log group is there that the sidecar would log to.
    pub log_group: LogGroupState,
    /// Whether the execution role may make that group, where the definition leaves it to the log driver.
    pub may_create_log_group: Permission,
    /// The task role, if the definition has one or would get one.
    pub task_role: RoleState,
    /// The execution role, likewise.
    pub execution_role: RoleState,
    /// Digests of our patches of this very revision that somebody deregistered.
    pub withdrawn: Vec<Digest>,
    /// Whether somebody deregistered the revision by which this very injection was taken back.
    pub removal_withdrawn: bool,
    /// Whether the revision that the newest one's receipt names as its source is INACTIVE.
    pub source_inactive: bool,
    /// Who registered the newest revision.
    pub registrar: Registrar,
}

impl Observed {
    /// What is known of a definition for which nobody looked anything up, as on a laptop.
    pub fn unchecked(account: AccountId, region: Region, definition: TaskDefinition, cache_prefix: String) -> Self {
        Self {
            registry: account.clone(),
            account,
            region,
            definition,
            cache_prefix,
            cache: CacheState::NotChecked,
            image: ImageState::NotChecked(None),
            log_group: LogGroupState::NotChecked,
            may_create_log_group: Permission::NotChecked,
            task_role: RoleState::NotChecked,
            execution_role: RoleState::NotChecked,
            withdrawn: Vec::new(),
            removal_withdrawn: false,
            source_inactive: false,
            registrar: Registrar::Unknown,
        }
    }
}

/// Whether an image is in the private registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageState {
    /// Nobody looked, as on a laptop; the digest may have been told.
    NotChecked(Option<ImageDigest>),
    /// The tag is there.
    Present(StoredImage),
    /// It is not.
    Missing,
    /// AWS did not say; for people.
    Refused(String),
}

/// An image in the private registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// What the tag stands for: an index, or the manifest of a single architecture.
    pub digest: ImageDigest,
    /// The architectures that the image is made for (on Linux), if AWS let anybody see that.
    pub offered: Option<BTreeSet<Architecture>>,
    /// Those of them whose manifest and layers are in the registry to the last one.
    pub complete: BTreeSet<Architecture>,
    /// Why not everything could be seen of it; for people.
    pub unseen: Option<String>,
    /// Hours since the tag was last looked up upstream; `None` if nobody knows, or if that has just failed.
    pub age_hours: Option<u64>,
    /// What would delete it one day, for people.
    pub expires: Option<String>,
}

/// Whether a log group is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogGroupState {
    /// Nobody looked, or it is in another Region.
    NotChecked,
    /// It is there.
    Present,
    /// It is not.
    Missing,
    /// AWS did not say; for people.
    Refused(String),
}

/// Whether a role may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Nobody asked, or nobody could say.
    NotChecked,
    /// It may.
    Allowed,
    /// It may not.
    Denied,
}

/// What is known of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleState {
    /// Nobody looked, as on a laptop.
    NotChecked,
    /// ARNs of the managed policies that are attached.
    Attached(BTreeSet<String>),
    /// There is no such role.
    Missing,
    /// AWS did not say; for people.
    Refused(String),
}

/// Who registered a revision, by its `registeredBy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registrar {
    /// The operator's own role.
    Operator,
    /// Somebody else.
    Other,
    /// ECS did not say.
    Unknown,
}

/// What has to be looked at before a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// The task role that the result would have.
    pub task_role: Option<RoleRef>,
    /// The execution role that the result would have.
    pub execution_role: Option<RoleRef>,
    /// The sidecar's image.
    pub image: Upstream,
    /// Whether the result would name the image by its digest.
    pub pinned: bool,
    /// The log group that the sidecar would log to, if it does so by `awslogs` in the Region of the tasks.
    pub log_group: Option<LogGroup>,
}

/// A log group that a container logs to by `awslogs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGroup {
    /// Its name.
    pub name: String,
    /// Whether the log driver is to make it if it is missing (`awslogs-create-group`).
    pub created_by_driver: bool,
}
