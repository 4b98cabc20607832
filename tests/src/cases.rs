//! The cases: folders that hold an input, what is known and asked, and what must come of it.
//!
//! `case.yaml` says what the case is about, who asks, what was observed, what must come and what must not; `input.json`
//! is the definition, `policy.yaml` the policy if it is not the preset, `result.json` the definition that is
//! registered, for those decisions that register one.

use ecs_sidecar_core::bounds::{Bounds, CacheBound, LogGroupBound};
use ecs_sidecar_core::cache::{CacheRule, CacheState};
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::names;
use ecs_sidecar_core::observed::{ImageState, LogGroupState, Observed, Permission, Registrar, RoleState, StoredImage};
use ecs_sidecar_core::plan::{Asked, Settings};
use ecs_sidecar_core::policy::{Architecture, Policy};
use ecs_sidecar_core::receipt::Injector;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// One folder.
#[derive(Debug)]
pub struct Case {
    /// Name of the folder.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// What `case.yaml` says.
    pub told: Told,
    /// The definition, as text.
    pub input: String,
}

/// What `case.yaml` says.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Told {
    /// What the case is about, for people.
    pub about: String,
    /// Who asks.
    #[serde(default)]
    pub asked: AskedWord,
    /// What was observed, where it differs from a laptop's view.
    #[serde(default)]
    pub observed: Seen,
    /// What the stack allows; everything if nothing is said.
    #[serde(default)]
    pub bounds: BoundsTold,
    /// Default roles and the like.
    #[serde(default)]
    pub defaults: Defaults,
    /// The stack's managed policy for the sidecar's repository.
    #[serde(default)]
    pub execution_policy_arn: Option<String>,
    /// How often `x` stands for `${pad}` in the input.
    #[serde(default)]
    pub pad: usize,
    /// What must come of it.
    pub expect: Expected,
    /// What must not appear in the result.
    #[serde(default)]
    pub absent: Vec<String>,
    /// Names of policies that are being deleted.
    #[serde(default)]
    pub deleted: BTreeSet<String>,
    /// What must appear in the result.
    #[serde(default)]
    pub present: Vec<String>,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AskedWord {
    /// A person wants an injection.
    #[default]
    Inject,
    /// A person wants it taken back.
    Remove,
    /// The operator.
    Standing,
}

/// What was observed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Seen {
    /// Region, if not `eu-west-1`.
    pub region: Option<String>,
    /// Prefix of the cache rule, if not `ecr-public`.
    pub cache_prefix: Option<String>,
    /// The account of the registry, if not the tasks' own.
    pub registry: Option<String>,
    /// Prefix of the rule that was found, or `noRule`, `taken`, `unavailable` or `refused`.
    pub cache: Option<CacheTold>,
    /// What is in the registry, or `present`, `missing` or `refused`.
    pub image: Option<ImageTold>,
    /// The digest that somebody who cannot look was told.
    pub image_digest: Option<String>,
    /// `present`, `missing` or `refused`.
    pub log_group: Option<String>,
    /// Whether the execution role may make the log group.
    pub may_create_log_group: Option<bool>,
    /// Attached policies, or `missing` or `refused`.
    pub task_role: Option<RoleTold>,
    /// The same.
    pub execution_role: Option<RoleTold>,
    /// Whether a patch of this source with this digest was deregistered.
    pub withdrawn: bool,
    /// Whether the revision that took the injection back was deregistered.
    pub removal_withdrawn: bool,
    /// Whether the receipt's source is INACTIVE.
    pub source_inactive: bool,
    /// `operator`, `other` or `unknown`.
    pub registrar: Option<String>,
}

/// How the image gets into the registry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum CacheTold {
    /// By the rule with this prefix.
    Rule {
        /// The prefix.
        rule: String,
    },
    /// `noRule`, `taken`, `unavailable` or `refused`.
    Word(String),
}

/// What is known of the image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum ImageTold {
    /// `present`, `missing` or `refused`.
    Word(String),
    /// What is in the registry.
    Stored(StoredTold),
}

/// An image in the registry: for both architectures, looked up just now, unless something else is said.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoredTold {
    /// A hexadecimal digit; the digest is 64 of it.
    pub digest: char,
    /// The architectures that it is made for.
    #[serde(default)]
    pub offered: Option<BTreeSet<Architecture>>,
    /// Those that are there.
    #[serde(default)]
    pub complete: Option<BTreeSet<Architecture>>,
    /// Hours since the tag was looked up.
    #[serde(default)]
    pub age_hours: Option<u64>,
    /// What would delete it.
    #[serde(default)]
    pub expires: Option<String>,
}

impl StoredTold {
    fn image(&self) -> StoredImage {
        let both = || BTreeSet::from([Architecture::X86, Architecture::Arm]);
        let offered = self.offered.clone().unwrap_or_else(both);
        StoredImage {
            digest: format!("sha256:{}", String::from(self.digest).repeat(64)).parse().expect("a hexadecimal digit"),
            complete: self.complete.clone().unwrap_or_else(|| offered.clone()),
            offered: Some(offered),
            unseen: None,
            age_hours: self.age_hours,
            expires: self.expires.clone(),
        }
    }
}

/// What is known of a role.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum RoleTold {
    /// `missing` or `refused`.
    Word(String),
    /// ARNs of the attached policies.
    Attached(Vec<String>),
}

/// What the stack allows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BoundsTold {
    /// Globs of upstreams.
    pub upstreams: Option<Vec<String>>,
    /// ARNs of managed policies.
    pub policy_arns: Option<Vec<String>>,
    /// Globs of roles.
    pub roles: Option<Vec<String>>,
    /// `observe`, `warm` or `create`.
    pub cache: Option<String>,
    /// Whether log groups may be made.
    pub log_groups: Option<bool>,
}

/// Default roles and the like.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Defaults {
    /// For Fargate definitions without one.
    pub task_role: Option<String>,
    /// For Fargate definitions without one.
    pub execution_role: Option<String>,
    /// Whether the instance's role will do.
    pub trust_instance_role: bool,
}

/// What must come of a case.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The decision.
    pub decision: String,
    /// The reason; absent for an injection.
    #[serde(default)]
    pub reason: Option<String>,
    /// Grants, as role and policy ARN.
    #[serde(default)]
    pub grants: Vec<String>,
    /// What is fetched first: repository and architectures, and the prefix of a rule that is made for it.
    #[serde(default)]
    pub fetch: Option<String>,
    /// The log group that is made first.
    #[serde(default, rename = "logGroup")]
    pub log_group: Option<String>,
}

/// All cases, by name.
pub fn all() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let folders = std::fs::read_dir(&root).expect("tests/cases is there").map(|entry| entry.expect("an entry").path());
    let mut cases: Vec<Case> = folders.map(|folder| Case::read(&folder)).collect();
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    cases
}

impl Case {
    fn read(folder: &Path) -> Self {
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        let read = |file: &str| {
            std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{name}/{file}: {error}"))
        };
        let told: Told =
            serde_saphyr::from_str(&read("case.yaml")).unwrap_or_else(|error| panic!("{name}/case.yaml: {error}"));
        let input = read("input.json").replace("${pad}", &"x".repeat(told.pad));
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let file = entry.expect("an entry").file_name().to_string_lossy().into_owned();
            assert!(
                ["case.yaml", "input.json", "policy.yaml", "result.json"].contains(&file.as_str()),
                "{name}/{file} belongs to nothing"
            );
        }
        Self { name, folder: folder.to_owned(), told, input }
    }

    /// The definition.
    pub fn definition(&self) -> TaskDefinition {
        TaskDefinition::parse(&self.input).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// The case's own policy file, if it has one.
    pub fn policy_file(&self) -> Option<PathBuf> {
        let file = self.folder.join("policy.yaml");
        file.exists().then_some(file)
    }

    /// The policy with the case's defaults.
    pub fn policy(&self) -> Policy {
        let read = |file: PathBuf| Policy::parse(&std::fs::read_to_string(file).expect("a policy"));
        let policy = self.policy_file().map_or_else(|| Policy::preset("xray-daemon"), read);
        let mut policy = policy.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let permissions = &mut policy.spec.permissions;
        permissions.default_task_role = self.told.defaults.task_role.clone();
        permissions.default_execution_role = self.told.defaults.execution_role.clone();
        permissions.trust_instance_role = self.told.defaults.trust_instance_role;
        policy
    }

    /// How the definition is to be looked at.
    pub fn settings(&self) -> Settings {
        let all = Bounds::unbounded();
        let (told, deleted) = (self.told.bounds.clone(), self.told.deleted.clone());
        Settings {
            policies: Vec::from([self.policy()])
                .into_iter()
                .filter(|policy| !deleted.contains(policy.name()))
                .collect(),
            deleted,
            bounds: Bounds {
                upstreams: told.upstreams.unwrap_or(all.upstreams),
                policy_arns: told.policy_arns.unwrap_or(all.policy_arns),
                roles: told.roles.unwrap_or(all.roles),
                cache: match told.cache.as_deref() {
                    None | Some("create") => CacheBound::Create,
                    Some("warm") => CacheBound::Warm,
                    Some("observe") => CacheBound::Observe,
                    Some(other) => panic!("{}: no bound {other}", self.name),
                },
                log_groups: match told.log_groups {
                    None | Some(true) => LogGroupBound::Create,
                    Some(false) => LogGroupBound::Observe,
                },
            },
            asked: match self.told.asked {
                AskedWord::Inject => Asked::Inject,
                AskedWord::Remove => Asked::Remove,
                AskedWord::Standing => Asked::Standing,
            },
            injector: Injector::Cli,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            execution_policy_arn: self.told.execution_policy_arn.clone(),
        }
    }

    /// What was observed; the digests of withdrawn patches are the caller's to add.
    pub fn observed(&self) -> Observed {
        let seen = &self.told.observed;
        let role = |told: &Option<RoleTold>| match told {
            None => RoleState::NotChecked,
            Some(RoleTold::Attached(arns)) => RoleState::Attached(arns.iter().cloned().collect()),
            Some(RoleTold::Word(word)) if word == "missing" => RoleState::Missing,
            Some(RoleTold::Word(word)) => RoleState::Refused(word.clone()),
        };
        let account = "111122223333";
        Observed {
            account: account.parse().expect("an account"),
            registry: seen.registry.as_deref().unwrap_or(account).parse().expect("an account"),
            region: seen.region.as_deref().unwrap_or("eu-west-1").parse().expect("a Region"),
            definition: self.definition(),
            cache_prefix: seen.cache_prefix.clone().unwrap_or_else(|| "ecr-public".to_owned()),
            cache: self.cache(),
            image: match &seen.image {
                None => {
                    let told = seen.image_digest.as_deref();
                    ImageState::NotChecked(told.map(|digest| digest.parse().expect("a digest")))
                }
                Some(ImageTold::Stored(stored)) => ImageState::Present(stored.image()),
                Some(ImageTold::Word(word)) => match word.as_str() {
                    "present" => ImageState::Present(
                        StoredTold { digest: '0', offered: None, complete: None, age_hours: None, expires: None }
                            .image(),
                    ),
                    "missing" => ImageState::Missing,
                    other => ImageState::Refused(other.to_owned()),
                },
            },
            log_group: match seen.log_group.as_deref() {
                None => LogGroupState::NotChecked,
                Some("present") => LogGroupState::Present,
                Some("missing") => LogGroupState::Missing,
                Some(other) => LogGroupState::Refused(other.to_owned()),
            },
            may_create_log_group: match seen.may_create_log_group {
                None => Permission::NotChecked,
                Some(true) => Permission::Allowed,
                Some(false) => Permission::Denied,
            },
            task_role: role(&seen.task_role),
            execution_role: role(&seen.execution_role),
            withdrawn: Vec::new(),
            removal_withdrawn: seen.removal_withdrawn,
            source_inactive: seen.source_inactive,
            registrar: match seen.registrar.as_deref() {
                Some("operator") => Registrar::Operator,
                Some("other") => Registrar::Other,
                _ => Registrar::Unknown,
            },
        }
    }

    fn cache(&self) -> CacheState {
        let upstream = || names::ECR_PUBLIC.to_owned();
        match &self.told.observed.cache {
            None => CacheState::NotChecked,
            Some(CacheTold::Rule { rule: prefix }) => {
                CacheState::Rule(CacheRule { prefix: prefix.clone(), upstream: upstream(), upstream_prefix: None })
            }
            Some(CacheTold::Word(word)) => match word.as_str() {
                "noRule" => CacheState::NoRule,
                "taken" => CacheState::PrefixTaken("registry-1.docker.io".to_owned()),
                "unavailable" => CacheState::Unavailable,
                other => CacheState::Refused(other.to_owned()),
            },
        }
    }

    /// The command line that says the same, if one can.
    pub fn command_line(&self) -> Option<Vec<String>> {
        let told =
            Seen { region: None, cache_prefix: None, registry: None, image_digest: None, ..self.told.observed.clone() };
        let on_a_laptop = told == Seen::default();
        let unbounded = self.told.bounds == BoundsTold::default() && self.told.execution_policy_arn.is_none();
        let verb = match self.told.asked {
            AskedWord::Inject => "inject",
            AskedWord::Remove => "remove",
            AskedWord::Standing => return None,
        };
        if !on_a_laptop || !unbounded {
            return None;
        }
        let seen = &self.told.observed;
        let mut line = vec![verb.to_owned(), "--account=111122223333".to_owned()];
        line.push(format!("--region={}", seen.region.as_deref().unwrap_or("eu-west-1")));
        line.extend(seen.cache_prefix.iter().map(|prefix| format!("--cache-prefix={prefix}")));
        line.extend(seen.registry.iter().map(|account| format!("--registry-account={account}")));
        line.extend(seen.image_digest.iter().map(|digest| format!("--image-digest={digest}")));
        line.extend(self.policy_file().map(|file| format!("--policy={}", file.display())));
        let defaults = &self.told.defaults;
        line.extend(defaults.task_role.iter().map(|role| format!("--default-task-role={role}")));
        line.extend(defaults.execution_role.iter().map(|role| format!("--default-execution-role={role}")));
        line.extend(defaults.trust_instance_role.then(|| "--trust-instance-role".to_owned()));
        line.push("-".to_owned());
        Some(line)
    }

    /// The definition that is to be registered, as it stands in `result.json`.
    pub fn result(&self) -> Option<String> {
        std::fs::read_to_string(self.folder.join("result.json")).ok()
    }
}
