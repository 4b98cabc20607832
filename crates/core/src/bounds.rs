//! What a policy may ask for in this account, as the stack's parameters say.
//!
//! Whoever may write policies could otherwise put any container beside every app and any managed policy on its role.

use crate::ids::RoleRef;
use wildmatch::WildMatch;

/// Upper bounds of what the operator does, whatever a policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Globs of upstream images, without the tag.
    pub upstreams: Vec<String>,
    /// ARNs of managed policies that may be attached.
    pub policy_arns: Vec<String>,
    /// Globs of roles, by path and name as in `app/*`.
    pub roles: Vec<String>,
    /// How far the operator may go to have an image in the private registry.
    pub cache: CacheBound,
    /// Whether it may make log groups.
    pub log_groups: LogGroupBound,
}

/// How far the operator may go to have an image in the private registry. Each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CacheBound {
    /// It looks whether the image is there.
    Observe,
    /// It fetches the image through a cache rule that is there.
    Warm,
    /// It makes the cache rule as well.
    Create,
}

/// Whether the operator may make log groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogGroupBound {
    /// It looks whether they are there.
    Observe,
    /// It makes those that a sidecar would log to.
    Create,
}

impl Bounds {
    /// Nothing is forbidden: for a person who could do it all by hand anyway.
    pub fn unbounded() -> Self {
        let all = || vec!["*".to_owned()];
        let (cache, log_groups) = (CacheBound::Create, LogGroupBound::Create);
        Self { upstreams: all(), policy_arns: all(), roles: all(), cache, log_groups }
    }

    /// Whether a sidecar may come from there.
    pub fn allow_upstream(&self, upstream: &str) -> bool {
        let image = upstream.rsplit_once(':').map_or(upstream, |(image, _)| image);
        matches_any(&self.upstreams, image)
    }

    /// Whether this managed policy may be attached.
    pub fn allow_policy(&self, arn: &str) -> bool {
        matches_any(&self.policy_arns, arn)
    }

    /// Whether this role may be passed and attached to.
    pub fn allow_role(&self, role: &RoleRef) -> bool {
        matches_any(&self.roles, role.path_and_name())
    }
}

/// Whether a text matches one of the globs (`*` and `?`).
pub fn matches_any(globs: &[String], text: &str) -> bool {
    globs.iter().any(|glob| WildMatch::new(glob).matches(text))
}
