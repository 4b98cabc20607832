//! The decision: what is to be done about one definition, and why.
//!
//! Knows: everything that was observed, and nothing else. It is pure, total and deterministic: equal observations
//! give equal plans, to the byte, whoever asks. It leaves no choice to those who act on it. Must not know: why it was
//! asked. Every plan starts from the definition as its owner wrote it.

use crate::check::{self, Finding, Rule};
use crate::choose::{Choice, choose};
pub use crate::decision::{Asked, Decision, Fetch, FetchCause, Grant, NewLogGroup, Plan, Settings};
use crate::definition::TaskDefinition;
use crate::difference::{difference, receipted};
use crate::digest::Digest;
use crate::edit::Edit;
use crate::eligible::{Eligible, eligible, nobody_waits_for_its_end};
use crate::ids::{AccountId, ImageDigest, Region};
use crate::image::{PrivateImage, Version};
use crate::intent::{self, Intent, Place, Site};
use crate::json::Document;
use crate::keys::{container, task};
use crate::normalize::canonical;
use crate::observed::{ImageState, Needs, Observed, Registrar};
use crate::permit::{self, Permits};
use crate::policy::{Pin, Policy, Updates};
use crate::readiness::{self, Readiness};
use crate::reason::Reason;
use crate::receipt::{self, Entry, Injector, Receipt, Source, Undone};
use crate::refusal::Refusal;
use crate::{names, splice};
use serde_json::value::RawValue;

/// Decides. Total: whatever was observed, there is a plan.
pub fn plan(observed: &Observed, settings: &Settings) -> Plan {
    Planner::new(observed, settings).plan()
}

/// What has to be looked at before [`plan`] can decide of a definition in that account and Region; `None` where it
/// decides without.
pub fn needs(definition: &TaskDefinition, settings: &Settings, account: &AccountId, region: &Region) -> Option<Needs> {
    let undone = receipt::undo(definition).ok()?;
    let source = undone.as_ref().map_or(definition, |undone| &undone.source);
    let Choice::Have(policy) = choose(source, undone.as_ref(), settings).choice.ok()? else { return None };
    let eligible = eligible(source, policy).ok()?;
    let (roles, _) = intent::roles(source, policy, &eligible).ok()?;
    Some(Needs {
        task_role: roles.task,
        execution_role: roles.execution,
        image: policy.upstream(),
        pinned: policy.spec.image.pin == Pin::Digest,
        log_group: intent::log_group(source, policy, &eligible, Place { account, region }),
    })
}

/// ARNs of the managed policies that a policy wants on the roles of a definition in that account and Region.
pub fn managed_policies(policy: &Policy, account: &AccountId, region: &Region) -> Vec<String> {
    let permissions = &policy.spec.permissions;
    let place = Place { account, region };
    [&permissions.task_role, &permissions.execution_role]
        .into_iter()
        .flat_map(|arns| intent::policy_arns(arns, policy, place))
        .collect()
}

struct Planner<'a> {
    observed: &'a Observed,
    settings: &'a Settings,
    /// What ECS would refuse of the observed definition as it is.
    findings: Vec<Finding>,
}

impl<'a> Planner<'a> {
    fn new(observed: &'a Observed, settings: &'a Settings) -> Self {
        Self { observed, settings, findings: check::check(&observed.definition) }
    }

    fn plan(&self) -> Plan {
        let undone = match receipt::undo(&self.observed.definition) {
            Ok(undone) => undone,
            Err(error) => return self.skip(Refusal::new(Reason::BrokenReceipt, error.to_string())),
        };
        self.decide(undone.as_ref()).unwrap_or_else(|refusal| self.skip(refusal))
    }

    fn decide(&self, undone: Option<&Undone>) -> Result<Plan, Refusal> {
        if let Some(undone) = undone {
            // Only a revision that our own role registered: a copy that a person made is theirs, whatever it says.
            if self.observed.source_inactive && self.observed.registrar == Registrar::Operator && undone.is_ours() {
                return Ok(self.nothing(Decision::Withdraw, Some(Reason::SourceInactive)));
            }
            if undone.container_edited {
                return Err(Reason::UserEdited.into());
            }
        }
        let source = undone.map_or(&self.observed.definition, |undone| &undone.source);
        let chosen = choose(source, undone, self.settings);
        match (chosen.choice?, undone) {
            (Choice::Have(policy), _) => Ok(self
                .have(policy, chosen.eligible, source, undone)
                .unwrap_or_else(|refusal| Plan { policy: Some(policy.name().to_owned()), ..self.skip(refusal) })),
            (Choice::HaveNot(reason), Some(undone)) => self.remove(undone, reason),
            (Choice::HaveNot(Reason::RemovalRequested), None) => Err(Reason::NothingToRemove.into()),
            (Choice::HaveNot(reason), None) => Err(reason.into()),
        }
    }

    fn have(
        &self,
        policy: &Policy,
        known: Option<Eligible>,
        source: &TaskDefinition,
        undone: Option<&Undone>,
    ) -> Result<Plan, Refusal> {
        if !self.settings.bounds.allow_upstream(&policy.spec.image.upstream) {
            let message = format!("the stack does not list {}", policy.spec.image.upstream);
            return Err(Refusal::new(Reason::UpstreamNotAllowed, message));
        }
        self.decidable()?;
        let eligible = match (known.map_or_else(|| eligible(source, policy), Ok), undone) {
            (Ok(eligible), _) => eligible,
            (Err(refusal), Some(undone))
                if refusal.reason == Reason::NotSelected && self.settings.asked == Asked::Standing =>
            {
                self.wait_for_owner(policy, undone)?;
                return self.remove(undone, Reason::NotSelected);
            }
            (Err(refusal), _) => return Err(refusal),
        };
        let image = self.image(policy, undone);
        let place = Place { account: &self.observed.account, region: &self.observed.region };
        let site = Site { place, image: &image, may_create_log_group: self.observed.may_create_log_group };
        let intent = intent::intent(source, policy, &eligible, &site)?;
        let permits = permit::permits(self.observed, self.settings, policy, place, &intent.roles);
        let log_group = readiness::log_group(self.observed, self.settings, policy, intent.log_group.as_ref());
        let ready = readiness::image(self.observed, self.settings, policy, eligible.architecture);
        let Some(difference) = difference(&intent, undone) else {
            return Ok(self.up_to_date(policy, intent, permits, log_group, ready));
        };
        if let (Some(_), Some(undone)) = (difference, undone) {
            self.wait_for_owner(policy, undone)?;
        }
        if self.observed.withdrawn.contains(&intent.digest) {
            return Err(Reason::Withdrawn.into());
        }
        let (permits, log_group) = (permits?, log_group?);
        let pinned = policy.spec.image.pin == Pin::Digest;
        let fetch = match ready {
            Readiness::Ready(refresh) => refresh,
            Readiness::Refused(refusal) => return Err(refusal),
            // What the tag stands for is only known once it is here.
            Readiness::Fetch(fetch) if pinned && self.digest().is_none() => {
                let message = format!("{} is to be fetched into {}", fetch.image, fetch.repository);
                let plan = self.nothing(Decision::Fetch, Some(Reason::ImageNotCached));
                return Ok(Plan { policy: Some(policy.name().to_owned()), fetch: Some(fetch), message, ..plan });
            }
            Readiness::Fetch(fetch) => Some(fetch),
        };
        if pinned && self.digest().is_none() {
            return Err(Reason::ImageDigestUnknown.into());
        }
        let plan = self.inject(policy, source, undone, intent, &image, difference)?;
        Ok(Plan { uses: permits.wanted, grants: permits.missing, log_group, fetch, ..plan })
    }

    /// What the image's tag stands for, as somebody saw or said.
    fn digest(&self) -> Option<&ImageDigest> {
        match &self.observed.image {
            ImageState::Present(image) => Some(&image.digest),
            ImageState::NotChecked(told) => told.as_ref(),
            ImageState::Missing | ImageState::Refused(_) => None,
        }
    }

    /// The image as the policy refers to it, as far as that can be said.
    fn image(&self, policy: &Policy, undone: Option<&Undone>) -> PrivateImage {
        let upstream = policy.upstream();
        // Where nobody can say, what was injected may stay. Nothing is ever registered with it: a receipt is untrusted.
        let injected = || undone?.receipt.image_digest.as_deref()?.parse::<ImageDigest>().ok();
        let digest = self.digest().cloned().or_else(injected).filter(|_| policy.spec.image.pin == Pin::Digest);
        PrivateImage {
            registry: self.observed.registry.clone(),
            region: self.observed.region.clone(),
            repository: self.observed.cache.repository(&upstream, &self.observed.cache_prefix),
            version: digest.map_or(Version::Tag(upstream.tag), Version::Digest),
        }
    }

    /// Refuses to touch a revision of ours that its owner has not registered anew, if the policy says to wait.
    fn wait_for_owner(&self, policy: &Policy, undone: &Undone) -> Result<(), Refusal> {
        let waits = self.settings.asked == Asked::Standing
            && policy.spec.updates == Updates::OnNextRegistration
            && !self.settings.deletes(&undone.receipt.policy)
            && self.observed.registrar != Registrar::Other
            && undone.missing.is_empty()
            && undone.is_ours();
        if waits { Err(Reason::UpdatePending.into()) } else { Ok(()) }
    }

    fn inject(
        &self,
        policy: &Policy,
        source: &TaskDefinition,
        undone: Option<&Undone>,
        intent: Intent,
        image: &PrivateImage,
        difference: Option<Reason>,
    ) -> Result<Plan, Refusal> {
        let receipt = self.receipt(policy, source, undone, &intent, image);
        let mut wanted = intent.edits;
        let sidecar = wanted.first_mut().expect("the first edit of an intent adds the sidecar");
        sidecar.after = sidecar.after.as_deref().map(|container| with_receipt(container, &receipt));
        let mut edits = undone.map(|undone| undone.edits.clone()).unwrap_or_default();
        edits.extend(wanted);
        let result = self.apply(&edits)?;
        self.still_valid(&result)?;
        nobody_waits_for_its_end(policy, &result)?;
        let decision = if undone.is_some() { Decision::Update } else { Decision::Inject };
        Ok(Plan {
            policy: Some(policy.name().to_owned()),
            digest: Some(receipt.digest),
            edits,
            notes: undone.map(kept_notes).unwrap_or_default(),
            result,
            ..self.nothing(decision, difference)
        })
    }

    fn up_to_date(
        &self,
        policy: &Policy,
        intent: Intent,
        permits: Result<Permits, Refusal>,
        log_group: Result<Option<NewLogGroup>, Refusal>,
        image: Readiness,
    ) -> Plan {
        // The revision is there already: what is wrong with its roles, log group or image is mended or told, but
        // undoes nothing.
        let (fetch, no_image) = match image {
            Readiness::Ready(refresh) => (refresh, None),
            Readiness::Fetch(fetch) => (Some(fetch), None),
            Readiness::Refused(refusal) => (None, Some(refusal)),
        };
        let notes = [permits.as_ref().err(), log_group.as_ref().err(), no_image.as_ref()];
        let notes: Vec<_> =
            notes.into_iter().flatten().map(|refusal| format!("{}: {}", refusal.reason, refusal.message)).collect();
        let Permits { wanted: uses, missing: grants } = permits.unwrap_or_default();
        Plan {
            policy: Some(policy.name().to_owned()),
            digest: Some(intent.digest),
            notes,
            uses,
            grants,
            log_group: log_group.unwrap_or_default(),
            fetch,
            ..self.nothing(Decision::UpToDate, Some(Reason::UpToDate))
        }
    }

    fn remove(&self, undone: &Undone, reason: Reason) -> Result<Plan, Refusal> {
        // What a pipeline injects it would inject again with its next run.
        if self.settings.asked == Asked::Standing && undone.receipt.by != Injector::Operator {
            return Err(Reason::InjectedElsewhere.into());
        }
        if self.observed.removal_withdrawn {
            return Err(Reason::Withdrawn.into());
        }
        // What the owner built upon our container would be left hanging. The source itself was registered as it is.
        if !undone.is_ours() {
            self.still_valid(&undone.source)?;
        }
        Ok(Plan {
            policy: Some(undone.receipt.policy.clone()),
            digest: None,
            edits: undone.edits.clone(),
            notes: kept_notes(undone),
            result: undone.source.clone(),
            ..self.nothing(Decision::Remove, Some(reason))
        })
    }

    fn receipt(
        &self,
        policy: &Policy,
        source: &TaskDefinition,
        undone: Option<&Undone>,
        intent: &Intent,
        image: &PrivateImage,
    ) -> Receipt {
        // A revision of ours is no source: what it was made from is. But a copy that somebody registered is.
        let ours = undone.filter(|undone| undone.is_ours() && self.observed.registrar != Registrar::Other);
        let observed = self.observed.definition.described().arn.as_ref();
        let before = |observed| ours.and_then(|ours| ours.receipt.source_before(observed));
        let arn = observed.map(|observed| before(observed).unwrap_or_else(|| observed.clone()).to_string());
        Receipt {
            schema: receipt::SCHEMA,
            policy: policy.name().to_owned(),
            digest: intent.digest.clone(),
            by: self.settings.injector,
            version: self.settings.version.clone(),
            source: Source { arn, hash: Some(Digest::of(&canonical(source))) },
            cache_prefix: self.observed.cache.prefix(&self.observed.cache_prefix).to_owned(),
            image_digest: match &image.version {
                Version::Digest(digest) => Some(digest.to_string()),
                Version::Tag(_) => None,
            },
            edits: entries(source, &intent.edits),
        }
    }

    fn apply(&self, edits: &[Edit]) -> Result<TaskDefinition, Refusal> {
        self.observed.definition.with(edits).map_err(|error| Refusal::new(Reason::InvalidDefinition, error.to_string()))
    }

    /// Refuses a definition of other shapes than ECS takes: what it says could not be told from what it does not say.
    fn decidable(&self) -> Result<(), Refusal> {
        // A size may stand as a number in files; it is read all the same.
        let sizes = [task::CPU, task::MEMORY];
        let shape = |finding: &&Finding| finding.rule == Rule::WrongType && !sizes.contains(&finding.path.as_str());
        match self.findings.iter().find(shape) {
            Some(finding) => {
                Err(Refusal::new(Reason::InvalidDefinition, format!("{}: {}", finding.path, finding.message)))
            }
            None => Ok(()),
        }
    }

    /// Refuses a result that ECS would refuse for something that is in order now.
    fn still_valid(&self, result: &TaskDefinition) -> Result<(), Refusal> {
        let new = check::new_findings(&self.findings, &check::check(result));
        let Some(first) = new.first() else { return Ok(()) };
        let reason = if first.rule == Rule::TooLarge {
            Reason::TooLarge
        } else if first.rule == Rule::TooManyContainers {
            Reason::TooManyContainers
        } else {
            Reason::WouldBeInvalid
        };
        Err(Refusal::new(reason, format!("{}: {}", first.path, first.message)))
    }

    fn skip(&self, refusal: Refusal) -> Plan {
        Plan { message: refusal.message, ..self.nothing(Decision::Skip, Some(refusal.reason)) }
    }

    /// A plan that changes nothing, to be filled in.
    fn nothing(&self, decision: Decision, reason: Option<Reason>) -> Plan {
        Plan {
            decision,
            reason,
            message: reason.map(|reason| reason.meaning().to_owned()).unwrap_or_default(),
            family: self.observed.definition.family().map(std::borrow::Cow::into_owned),
            policy: None,
            digest: None,
            edits: Vec::new(),
            fetch: None,
            log_group: None,
            uses: Vec::new(),
            grants: Vec::new(),
            notes: Vec::new(),
            result: self.observed.definition.clone(),
        }
    }
}

/// The receipt's entries for edits that are made to a source.
fn entries(source: &TaskDefinition, edits: &[Edit]) -> Vec<Entry> {
    let raw = |text: &str| RawValue::from_string(text.to_owned()).expect("edits hold JSON");
    let mut made = Vec::new();
    edits
        .iter()
        .map(|edit| {
            let list = edit.path.parent().filter(|list| list.find(source.root()).is_none() && !made.contains(list));
            made.extend(list.clone());
            Entry {
                path: edit.path.to_string(),
                before: edit.before.as_deref().map(raw),
                after: raw(&receipted(edit)),
                made_list: list.is_some(),
            }
        })
        .collect()
}

/// The sidecar with its receipt as a docker label.
fn with_receipt(sidecar: &str, receipt: &Receipt) -> String {
    let document = Document::parse(sidecar).expect("an intent holds JSON");
    let labels = crate::edit::Path::member(container::DOCKER_LABELS);
    let document = match labels.find(document.root()) {
        Some(_) => document,
        None => splice::change(&document, &labels, Some("{}")).expect("a member can be added to an object").0,
    };
    let label = crate::json::quote(&receipt.to_label());
    let (document, _) = splice::change(&document, &labels.then(names::RECEIPT), Some(&label))
        .expect("a member can be added to an object");
    document.text().to_owned()
}

fn kept_notes(undone: &Undone) -> Vec<String> {
    undone
        .kept
        .iter()
        .map(|path| format!("{}: {path} holds another value than was injected, and stays", Reason::UserEdited))
        .collect()
}
