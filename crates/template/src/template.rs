//! What goes in, and what comes out.
//!
//! Knows: a template with what CloudFormation tells beside it, and what is told of its definitions. Must not know: what is
//! done with them.

use ecs_sidecar_core::cache::CacheState;
use ecs_sidecar_core::ids::{AccountId, Region};
use ecs_sidecar_core::observed::ImageState;
use ecs_sidecar_core::plan::Decision;
use ecs_sidecar_core::reason::Reason;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A template, and what CloudFormation tells beside it.
#[derive(Debug, Clone)]
pub struct Template {
    /// The whole template, without its Transform section.
    pub fragment: Value,
    /// Values of its parameters.
    pub parameters: Map<String, Value>,
    /// The account that it is deployed in.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
}

/// Where images are, if not in the account that the template is deployed in.
#[derive(Debug, Clone)]
pub struct Place {
    /// The account whose private registry tasks pull from.
    pub registry: AccountId,
    /// Prefix of the cache rule where none was found.
    pub cache_prefix: String,
}

/// What was found of an image.
pub type Found = (CacheState, ImageState);

/// What was found of the images that [`Template::images`] names, by their names.
pub type Images = BTreeMap<String, Found>;

/// A template with its sidecars.
#[derive(Debug, Clone)]
pub struct Transformed {
    /// The template.
    pub fragment: Value,
    /// What was decided of each definition.
    pub told: Vec<Told>,
}

/// What was decided of a definition, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Logical id of the resource.
    pub resource: String,
    /// What was decided.
    pub decision: Decision,
    /// Why; an injection needs no reason.
    pub reason: Option<Reason>,
    /// The particulars, for people.
    pub message: String,
    /// Logical ids of roles that were given a policy, and its ARN.
    pub granted: Vec<(String, String)>,
}
