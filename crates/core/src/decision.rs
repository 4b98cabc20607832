//! What a plan is, and how it is asked for.
//!
//! Knows: the words of the answer. Must not know: how it comes about.

use crate::bounds::Bounds;
use crate::cache::CacheRule;
use crate::definition::TaskDefinition;
use crate::digest::Digest;
use crate::edit::{Edit, PatchOperation};
use crate::ids::RoleRef;
use crate::image::Upstream;
use crate::policy::{Architecture, Policy};
use crate::reason::Reason;
use crate::receipt::Injector;
use std::collections::BTreeSet;

/// How a definition is to be looked at.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The policies that there are; the first that selects a definition wins.
    pub policies: Vec<Policy>,
    /// Names of policies that are being deleted: they select nothing, and what they injected goes.
    pub deleted: BTreeSet<String>,
    /// What they may ask for here.
    pub bounds: Bounds,
    /// Who asks.
    pub asked: Asked,
    /// Who injects, for the receipt.
    pub injector: Injector,
    /// Version of the program, for the receipt.
    pub version: String,
    /// The stack's managed policy for the sidecar's repository, which every execution role gets.
    pub execution_policy_arn: Option<String>,
}

impl Settings {
    /// Whether that policy is being deleted, and there is no other of its name.
    pub fn deletes(&self, name: &str) -> bool {
        self.deleted.contains(name) && self.policies.iter().all(|policy| policy.name() != name)
    }
}

/// Who asks for the decision. Not *why*: an event, a sweep and a person that name a family all ask alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The operator, on behalf of the policies.
    Standing,
    /// A person wants an injection, which is opting in.
    Inject,
    /// A person wants it taken back.
    Remove,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Register a revision with the sidecar.
    Inject,
    /// Register a revision with the sidecar as the policy has it now.
    Update,
    /// Register a revision without what was injected.
    Remove,
    /// Nothing: it is as it should be.
    UpToDate,
    /// Nothing, for a reason.
    Skip,
    /// Deregister the newest revision, which is ours and has lost its source.
    Withdraw,
    /// Fetch the sidecar's image into the private registry; which one it is, and so what to register, shows then.
    Fetch,
}

impl Decision {
    /// The stable word for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Inject => "inject",
            Self::Update => "update",
            Self::Remove => "remove",
            Self::UpToDate => "upToDate",
            Self::Skip => "skip",
            Self::Withdraw => "withdraw",
            Self::Fetch => "fetch",
        }
    }

    /// Whether a revision is to be registered.
    pub fn registers(self) -> bool {
        match self {
            Self::Inject | Self::Update | Self::Remove => true,
            Self::UpToDate | Self::Skip | Self::Withdraw | Self::Fetch => false,
        }
    }
}

impl serde::Serialize for Decision {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}

/// A managed policy that a role is to get.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The role.
    pub role: RoleRef,
    /// ARN of the managed policy.
    pub policy_arn: String,
}

/// An image that is to be in the private registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// The image as its publisher names it.
    pub image: Upstream,
    /// The private repository that it comes into.
    pub repository: String,
    /// The architectures of which all layers have to come.
    pub architectures: BTreeSet<Architecture>,
    /// A cache rule that has to be made for it first.
    pub rule: Option<CacheRule>,
    /// What for.
    pub cause: FetchCause,
}

/// What an image is fetched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchCause {
    /// It, or a part of it, is not there: nothing can be registered before.
    Missing,
    /// The tag may stand for a newer image: what is there will do meanwhile.
    Refresh,
}

/// A log group that is to be made before anything logs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLogGroup {
    /// Its name.
    pub name: String,
    /// Days that lines are kept; for ever if nothing is said.
    pub retention_days: Option<u32>,
}

/// What is to be done about a definition, and why.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is to be done.
    pub decision: Decision,
    /// Why; an injection needs no reason beyond the policy.
    pub reason: Option<Reason>,
    /// The particulars, for people. Empty where the edits say it all.
    pub message: String,
    /// The family, if the definition names one.
    pub family: Option<String>,
    /// The policy that decides, if any does.
    pub policy: Option<String>,
    /// Digest of what the policy wants here.
    pub digest: Option<Digest>,
    /// The edits from the observed definition to the result.
    pub edits: Vec<Edit>,
    /// The image that is to be fetched before anything else. Once it is there, everything is decided anew.
    pub fetch: Option<Fetch>,
    /// The log group that is to be made before anything is registered.
    pub log_group: Option<NewLogGroup>,
    /// What the roles of a definition with the sidecar have to have, as far as its policy could be bounded.
    pub uses: Vec<Grant>,
    /// What of it they still are to get before anything is registered.
    pub grants: Vec<Grant>,
    /// What else a person would want to know.
    pub notes: Vec<String>,
    /// The definition to register; the observed one where nothing is.
    pub result: TaskDefinition,
}

impl Plan {
    /// Whether acting on it writes anything, be it to roles alone.
    pub fn changes_something(&self) -> bool {
        let decides = match self.decision {
            Decision::Inject | Decision::Update | Decision::Remove | Decision::Withdraw | Decision::Fetch => true,
            Decision::UpToDate | Decision::Skip => false,
        };
        decides || !self.grants.is_empty() || self.fetch.is_some() || self.log_group.is_some()
    }

    /// The edits as a JSON Patch (RFC 6902) to the observed definition in register form.
    pub fn patch(&self, observed: &TaskDefinition) -> Vec<PatchOperation> {
        observed.patch(&self.edits).expect("the same edits were applied to make the plan")
    }
}
