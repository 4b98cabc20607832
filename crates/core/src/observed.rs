//! What was seen of the world before a decision: all that `plan` knows of it.

use crate::definition::TaskDefinition;
use crate::digest::Digest;
use crate::ids::{AccountId, Region, RoleRef};
use crate::image::Upstream;
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
    /// Prefix of the pull-through cache rule.
    pub cache_prefix: String,
    /// Whether the sidecar's image is in the private registry.
    pub image: ImageState,
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
            account,
            region,
            definition,
            cache_prefix,
            image: ImageState::NotChecked,
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
    /// Nobody looked, as on a laptop.
    NotChecked,
    /// It is there.
    Present,
    /// It is not.
    Missing,
    /// AWS did not say; for people.
    Refused(String),
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
}
