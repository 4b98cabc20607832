//! Policies: one document per sidecar, in the shape people know from Kubernetes.
//!
//! Knows: what a policy may say, and that it may never give a container rights over the host. Must not know: task
//! definitions, and what an account allows (that is [`Bounds`](crate::bounds::Bounds)).

mod advice;
mod document;
#[cfg(feature = "schema")]
mod schema;
mod validate;

pub use advice::{Advice, advice};
pub use document::{
    Application, Architecture, CacheRuleWish, Capacity, Ceiling, Dependency, Image, LogConfiguration, LogGroupRule,
    Logging, Metadata, MissingLogGroup, Mode, NetworkModeName, Permissions, PermissionsMode, Pin, Policy, Rollout,
    Selector, Spec, Target, Updates, Variable,
};

#[cfg(feature = "schema")]
pub use schema::schema;

use crate::image::Upstream;

/// Why a text is not a policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The text is no policy, or asks for what no policy may have.
    #[error("{place}: {problem}")]
    Document {
        /// Path in the document, such as `spec.mode`.
        place: String,
        /// What is wrong there, with line and column and what is allowed.
        problem: String,
    },
    /// There is no preset of that name.
    #[error("there is no preset {name:?}; presets: {known}")]
    NoSuchPreset {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
}

/// Policies that come with the program: name and document.
pub const PRESETS: [(&str, &str); 3] = [
    ("xray-daemon", include_str!("../../presets/xray-daemon.yaml")),
    ("adot-collector", include_str!("../../presets/adot-collector.yaml")),
    ("cloudwatch-agent", include_str!("../../presets/cloudwatch-agent.yaml")),
];

/// The order in which policies are tried: those of the table by name, compared byte by byte, then the stack's own. A
/// policy of the table that has the name of the stack's own stands in its place.
pub fn in_order(table: impl IntoIterator<Item = Policy>, own: Option<Policy>) -> Vec<Policy> {
    let mut policies: Vec<Policy> = table.into_iter().collect();
    policies.sort_by(|one, other| one.name().cmp(other.name()));
    let own = own.filter(|own| policies.iter().all(|policy| policy.name() != own.name()));
    policies.extend(own);
    policies
}

impl Policy {
    /// Reads a policy from YAML; JSON is YAML too.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let mut place = String::new();
        // A string that looks like a number or a boolean has to be quoted, as in every other reader's YAML.
        let options = serde_saphyr::options! { no_schema: true };
        serde_saphyr::with_deserializer_from_str_with_options(text, options, |deserializer| {
            serde_path_to_error::deserialize(deserializer).map_err(|error: serde_path_to_error::Error<_>| {
                place = error.path().to_string();
                error.into_inner()
            })
        })
        .map_err(|error| {
            let place = if place.is_empty() || place == "." { "the document".to_owned() } else { place };
            PolicyError::Document { place, problem: error.without_snippet().to_string() }
        })
    }

    /// A policy that comes with the program.
    pub fn preset(name: &str) -> Result<Self, PolicyError> {
        match PRESETS.iter().find(|(preset, _)| *preset == name) {
            Some((_, text)) => Self::parse(text),
            None => {
                let known: Vec<&str> = PRESETS.iter().map(|(preset, _)| *preset).collect();
                Err(PolicyError::NoSuchPreset { name: name.to_owned(), known: known.join(", ") })
            }
        }
    }

    /// The name by which definitions ask for it.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// Where its image comes from.
    pub fn upstream(&self) -> Upstream {
        self.spec.image.upstream.parse().expect("validated when the policy was read")
    }

    /// The name of the container that it adds.
    pub fn container_name(&self) -> &str {
        self.spec
            .container
            .get(crate::keys::container::NAME)
            .and_then(serde_json::Value::as_str)
            .expect("validated: a container has a name")
    }
}
