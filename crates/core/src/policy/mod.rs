//! Policies: one document per sidecar, in the shape people know from Kubernetes.
//!
//! Knows: what a policy may say, and that it may never give a container rights over the host. Must not know: task
//! definitions, and what an account allows (that is [`Bounds`](crate::bounds::Bounds)).

mod document;
mod validate;

pub use document::{
    Application, Architecture, Capacity, Ceiling, Dependency, Image, LogConfiguration, Logging, Metadata, Mode,
    NetworkModeName, Permissions, PermissionsMode, Pin, Policy, Selector, Spec, Target, Updates, Variable,
};

/// Why a text is not a policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The text is not a policy document; the message names the path, the line and what is allowed.
    #[error("not a policy: {0}")]
    Document(String),
    /// The document is well formed but asks for what no policy may have.
    #[error("policy {policy}: {path}: {problem}")]
    Forbidden {
        /// Name of the policy.
        policy: String,
        /// Path in the document.
        path: String,
        /// What is wrong there, and what is allowed.
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
pub const PRESETS: [(&str, &str); 1] = [("xray-daemon", include_str!("../../presets/xray-daemon.yaml"))];

impl Policy {
    /// Reads a policy from YAML; JSON is YAML too.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let policy: Self = serde_saphyr::from_str(text).map_err(|error| PolicyError::Document(error.to_string()))?;
        validate::validate(&policy)?;
        Ok(policy)
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

    /// The name of the container that it adds.
    pub fn container_name(&self) -> &str {
        self.spec.container.get("name").and_then(serde_json::Value::as_str).expect("validated: a container has a name")
    }
}
