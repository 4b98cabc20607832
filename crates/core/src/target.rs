//! Where a definition's tasks may run, and what that means for an injection.

use crate::definition::TaskDefinition;
use crate::json::Value;
use crate::keys::{container, nested, task};
use crate::names;
use crate::policy::Target;
use std::collections::BTreeSet;

/// What a definition is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MadeFor {
    /// These, and nothing else. Nothing said means EC2: that is what a cluster without Fargate has.
    Targets(BTreeSet<Target>),
    /// ECS Managed Instances, perhaps among others.
    ManagedInstances,
    /// A word that ECS does not know.
    Unknown(String),
}

impl MadeFor {
    /// Reads `requiresCompatibilities`. (Describe's `compatibilities` say what a definition *could* run on, which is
    /// nearly always more than it is meant for.)
    pub fn read(definition: &TaskDefinition) -> Self {
        let told = |variable: Value<'_>| {
            let is = |key, word| variable.get(key).and_then(Value::as_str).is_some_and(|text| text == word);
            is(nested::NAME, names::MANAGED_INSTANCES) && is(nested::VALUE, "true")
        };
        if definition.containers().any(|container| container.items(container::ENVIRONMENT).any(told)) {
            return Self::ManagedInstances;
        }
        let mut targets = BTreeSet::new();
        for word in definition.requires_compatibilities() {
            targets.insert(match &*word {
                "FARGATE" => Target::Fargate,
                "EC2" => Target::Ec2,
                "EXTERNAL" => Target::External,
                "MANAGED_INSTANCES" => return Self::ManagedInstances,
                _ => return Self::Unknown(word.into_owned()),
            });
        }
        if targets.is_empty() {
            targets.insert(Target::Ec2);
        }
        Self::Targets(targets)
    }

    /// Whether its tasks run on Fargate and nowhere else: no instance's role and no instance's agent to care for.
    pub fn is_fargate_only(&self) -> bool {
        matches!(self, Self::Targets(targets) if targets.len() == 1 && targets.contains(&Target::Fargate))
    }

    /// Whether its tasks may run on Fargate.
    pub fn includes_fargate(&self) -> bool {
        matches!(self, Self::Targets(targets) if targets.contains(&Target::Fargate))
    }
}

/// Whether a definition is for Windows. Old ones do not say; they are told by what only Windows has.
pub fn is_windows(definition: &TaskDefinition) -> bool {
    match definition.operating_system() {
        Some(system) => system.to_ascii_uppercase().starts_with("WINDOWS"),
        None => looks_like_windows(definition),
    }
}

/// Parts of image references that only images for Windows have.
const WINDOWS_IMAGES: [&str; 7] =
    ["windowsservercore", "nanoserver", "/windows/", "dotnet/framework", "ltsc2016", "ltsc2019", "ltsc2022"];

fn looks_like_windows(definition: &TaskDefinition) -> bool {
    let placed = definition.root().get(task::PLACEMENT_CONSTRAINTS).is_some_and(|constraints| {
        let expressions = constraints.items().filter_map(|constraint| constraint.get(nested::EXPRESSION)?.as_str());
        expressions
            .map(|text| text.to_ascii_lowercase())
            .any(|text| text.contains("os-type") && text.contains("windows"))
    });
    let volumes = definition.root().get(task::VOLUMES).is_some_and(|volumes| {
        volumes.items().any(|volume| {
            let host = volume.get(nested::HOST).and_then(|host| host.get(nested::SOURCE_PATH)?.as_str());
            volume.get(nested::FSX_VOLUME_CONFIGURATION).is_some() || host.is_some_and(|path| is_windows_path(&path))
        })
    });
    placed
        || volumes
        || definition.containers().any(|container| {
            let image = container.image().unwrap_or_default().to_ascii_lowercase();
            let shell = [container::ENTRY_POINT, container::COMMAND].iter().any(|key| {
                container.items(key).next().and_then(|word| word.as_str()).is_some_and(|word| is_windows_shell(&word))
            });
            let paths = container
                .items(container::MOUNT_POINTS)
                .filter_map(|mount| mount.get(nested::CONTAINER_PATH)?.as_str())
                .chain(container.get(container::WORKING_DIRECTORY).and_then(|path| path.as_str()));
            WINDOWS_IMAGES.iter().any(|word| image.contains(word))
                || shell
                || paths.into_iter().any(|path| is_windows_path(&path))
        })
}

fn is_windows_shell(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    ["powershell", "powershell.exe", "pwsh.exe", "cmd", "cmd.exe"]
        .iter()
        .any(|shell| word == *shell || word.ends_with(&format!("\\{shell}")))
}

/// `C:\data`, `C:/data`, or a pipe such as `\\.\pipe\docker_engine`.
fn is_windows_path(path: &str) -> bool {
    let mut characters = path.chars();
    path.starts_with("\\\\")
        || characters.next().is_some_and(|drive| drive.is_ascii_alphabetic()) && characters.next() == Some(':')
}
