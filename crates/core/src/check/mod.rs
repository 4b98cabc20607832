//! ECS's documented rules for a registration, judged over any definition.
//!
//! Knows: what RegisterTaskDefinition refuses, as far as AWS documents it, and what a definition can run on. Must not
//! know: policies, plans, any call. An unknown member is never a finding: a future ECS may have it; absence in all its
//! spellings (`null`, empty strings, lists and objects) is none either. No message holds an environment variable's
//! value, a secret's reference or a tag's value. Every rule takes time linear in the definition.

mod container;
mod fargate;
mod logs;
pub mod model;
mod place;
mod ports;
mod references;
mod rule;
pub mod shape;
mod tags;
mod task;
#[cfg(test)]
mod tests;
mod volumes;

pub use rule::Rule;

use crate::definition::{Container, NetworkMode, Size, TaskDefinition};
use crate::json::Value;
use crate::keys::task as keys;
use place::{Fields, Findings, Place, Step};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// A rule that a definition breaks, and where.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// The place: `containerDefinitions[web].portMappings[0].hostPort`; containers, volumes and variables by name if
    /// they have one, other items by index.
    pub path: String,
    /// What is wrong, and the limit if there is one.
    pub message: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} ({})", self.path, self.message, self.rule)
    }
}

/// What a task definition can run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compatibility {
    /// Instances outside AWS.
    External,
    /// EC2 instances.
    Ec2,
    /// Fargate.
    Fargate,
}

impl Compatibility {
    /// As ECS spells it.
    pub fn label(self) -> &'static str {
        match self {
            Self::External => "EXTERNAL",
            Self::Ec2 => "EC2",
            Self::Fargate => "FARGATE",
        }
    }
}

/// Judges a definition by every rule. Findings stand in the order of the rules' groups and of the definition.
pub fn check(definition: &TaskDefinition) -> Vec<Finding> {
    let task = Task::read(definition);
    let mut findings = Findings::default();
    shape::check(definition.root(), &model::TASK, None, &mut findings);
    task::check(&task, &mut findings);
    tags::check(definition, &mut findings);
    volumes::check(&task, &mut findings);
    let list = Place::member(keys::CONTAINER_DEFINITIONS);
    for holder in &task.containers {
        let place = list.step(holder.step());
        container::check(&task, holder, &place, &mut findings);
        ports::check(&task, holder, &place, &mut findings);
        references::check(&task, holder, &place, &mut findings);
        logs::check(&task, holder, &place, &mut findings);
    }
    ports::check_across(&task, &mut findings);
    references::check_cycles(&task, &mut findings);
    logs::check_routers(&task, &mut findings);
    if task.requires("EXTERNAL") {
        fargate::check_external(&task, &mut findings);
    }
    if task.requires("FARGATE") {
        fargate::check(&task, &mut findings);
    }
    findings.0
}

/// Those findings of `after` that `before` has not: a finding is the same if rule and path are, each as often.
pub fn new_findings(before: &[Finding], after: &[Finding]) -> Vec<Finding> {
    let mut known: HashMap<(Rule, &str), usize> = HashMap::new();
    for finding in before {
        *known.entry((finding.rule, &finding.path)).or_default() += 1;
    }
    let mut new = Vec::new();
    for finding in after {
        match known.get_mut(&(finding.rule, finding.path.as_str())) {
            Some(left) if *left > 0 => *left -= 1,
            Some(_) | None => new.push(finding.clone()),
        }
    }
    new
}

/// What ECS would answer as `compatibilities`. EC2 takes everything; the others have conditions.
pub fn compatibilities(definition: &TaskDefinition) -> Vec<Compatibility> {
    let task = Task::read(definition);
    let mut findings = Findings::default();
    fargate::check_external(&task, &mut findings);
    let external = findings.0.is_empty().then_some(Compatibility::External);
    [external, Some(Compatibility::Ec2), fits_fargate(&task).then_some(Compatibility::Fargate)]
        .into_iter()
        .flatten()
        .collect()
}

fn fits_fargate(task: &Task<'_>) -> bool {
    if task.mode != NetworkMode::AwsVpc || task.cpu.known().is_none() || task.memory.known().is_none() {
        return false;
    }
    let mut findings = Findings::default();
    fargate::check(task, &mut findings);
    findings.0.is_empty()
}

/// Whether Fargate's rules hold for the definition: it asks for Fargate, or Describe says that it fits, or, where no
/// Describe answer tells, it would fit. Only the first makes a violation a finding of [`check`]; for the others, losing
/// Fargate is the planner's concern.
pub fn fargate_rules_apply(definition: &TaskDefinition) -> bool {
    let fargate = Compatibility::Fargate.label();
    let described = &definition.described().compatibilities;
    definition.requires_compatibilities().iter().any(|required| required == fargate)
        || if described.is_empty() {
            fits_fargate(&Task::read(definition))
        } else {
            described.iter().any(|compatibility| compatibility == fargate)
        }
}

/// A definition, read once for all rules.
struct Task<'a> {
    definition: &'a TaskDefinition,
    fields: Fields<'a>,
    containers: Vec<Holder<'a>>,
    /// Index of the first container of a name.
    by_name: HashMap<Cow<'a, str>, usize>,
    /// Names of volumes.
    volumes: HashSet<Cow<'a, str>>,
    required: Vec<Cow<'a, str>>,
    mode: NetworkMode,
    cpu: Size,
    memory: Size,
    is_windows: bool,
}

/// A container with its place in the list.
struct Holder<'a> {
    index: usize,
    container: Container<'a>,
    fields: Fields<'a>,
    name: Option<Cow<'a, str>>,
}

impl Holder<'_> {
    fn step(&self) -> Step<'_> {
        Step::to(self.name.as_deref(), self.index)
    }
}

impl<'a> Task<'a> {
    fn read(definition: &'a TaskDefinition) -> Self {
        let holder = |(index, container): (usize, Container<'a>)| {
            let fields = Fields::read(container.0);
            let name = fields.text(crate::keys::container::NAME);
            Holder { index, container, fields, name }
        };
        let containers: Vec<Holder<'a>> = definition.containers().enumerate().map(holder).collect();
        let mut by_name = HashMap::with_capacity(containers.len());
        for Holder { index, name, .. } in &containers {
            if let Some(name) = name {
                by_name.entry(name.clone()).or_insert(*index);
            }
        }
        let fields = Fields::read(definition.root());
        Self {
            definition,
            volumes: fields.items(keys::VOLUMES).filter_map(place::name_of).collect(),
            fields,
            containers,
            by_name,
            required: definition.requires_compatibilities(),
            mode: definition.network_mode(),
            cpu: definition.cpu(),
            memory: definition.memory(),
            is_windows: definition.operating_system().is_some_and(|system| system.starts_with("WINDOWS")),
        }
    }

    fn requires(&self, compatibility: &str) -> bool {
        self.required.iter().any(|required| required == compatibility)
    }

    /// The container of that name.
    fn named(&self, name: &str) -> Option<&Holder<'a>> {
        self.by_name.get(name).map(|index| &self.containers[*index])
    }
}

/// A string inside an object, unless it is empty.
fn text<'a>(object: Value<'a>, key: &str) -> Option<Cow<'a, str>> {
    object.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}
