//! What is decided of one definition of a template, and what it writes there.
//!
//! Knows: core's plan, and which of its refusals leave a definition as it is. Must not know: where the template spells
//! things out.

use crate::apply::Hand;
use crate::evaluate::Evaluator;
use crate::problem::Problem;
use crate::roles::{self, TemplateRole};
use crate::symbols;
use crate::template::{Images, Place, Template, Told};
use ecs_sidecar_core::cache::CacheState;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::edit::Edit;
use ecs_sidecar_core::ids::RoleRef;
use ecs_sidecar_core::keys::container;
use ecs_sidecar_core::names;
use ecs_sidecar_core::observed::{ImageState, Observed, RoleState};
use ecs_sidecar_core::plan::{self, Decision, Plan, Settings, plan};
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::receipt::{self, Receipt};
use serde_json::Value;

/// What leaves a definition as it is, as the operator would. All other reasons are somebody's to mend, so that the
/// deployment fails rather than lacks a sidecar that it asked for.
const LEFT_ALONE: [Reason; 25] = [
    Reason::OptedOut,
    Reason::NotRequested,
    Reason::NotSelected,
    Reason::Windows,
    Reason::ManagedInstances,
    Reason::NetworkModeHost,
    Reason::NetworkModeNone,
    Reason::NetworkDisabled,
    Reason::UnknownNetworkMode,
    Reason::UnknownCompatibility,
    Reason::UnreadableSize,
    Reason::InvalidDefinition,
    Reason::OwnDaemon,
    Reason::NameTaken,
    Reason::PortTaken,
    Reason::MemoryTooSmall,
    Reason::CeilingReached,
    Reason::TooManyContainers,
    Reason::TooLarge,
    Reason::WouldBeInvalid,
    Reason::UserEdited,
    Reason::NoTaskRole,
    Reason::NoExecutionRole,
    Reason::RoleOtherAccount,
    Reason::RoleServiceLinked,
];

/// A look at one definition.
pub(crate) struct Look<'a> {
    pub(crate) template: &'a Template,
    pub(crate) evaluator: &'a Evaluator<'a>,
    pub(crate) settings: &'a Settings,
    pub(crate) place: &'a Place,
    pub(crate) images: &'a Images,
    pub(crate) roles: &'a [TemplateRole],
}

impl Look<'_> {
    /// What is decided, and the edits that come of it.
    pub(crate) fn decide(&self, id: &str, text: &str) -> Result<(Plan, Vec<Edit>), Problem> {
        let refuse = |reason, message: String, property, todo| {
            Err(Problem::Refused { resource: id.to_owned(), property, reason, message, todo })
        };
        let definition = match TaskDefinition::parse(text) {
            Ok(definition) => definition,
            Err(error) => {
                let todo = "write the containers out";
                return refuse(Reason::InvalidDefinition, error.to_string(), "ContainerDefinitions", todo);
            }
        };
        let mut plan = plan(&self.observed(&definition), self.settings);
        plan.message = self.evaluator.symbols.readable(&plan.message);
        let reason = plan.reason.unwrap_or(Reason::InvalidDefinition);
        match plan.decision {
            Decision::Inject => {
                let edits = in_template(&plan.edits);
                Ok((plan, edits))
            }
            Decision::UpToDate => Ok((plan, Vec::new())),
            Decision::Skip if self.is_left_alone(&plan, &definition) => Ok((plan, Vec::new())),
            Decision::Skip | Decision::Fetch => {
                let (property, todo) = what_to_do(reason);
                refuse(reason, plan.message, property, todo)
            }
            Decision::Update | Decision::Remove | Decision::Withdraw => {
                let message = "a container carries the receipt of another sidecar".to_owned();
                refuse(reason, message, "ContainerDefinitions", "take that sidecar out of the template")
            }
        }
    }

    /// Whether a skip is one of those that leave the definition as it is. A role that is not known could be any.
    fn is_left_alone(&self, plan: &Plan, definition: &TaskDefinition) -> bool {
        let open = [definition.task_role(), definition.execution_role()]
            .into_iter()
            .flatten()
            .any(|role| symbols::is_open(role.as_str()) && !self.evaluator.symbols.only_made_up(role.as_str()));
        plan.reason.is_some_and(|reason| LEFT_ALONE.contains(&reason) || reason == Reason::RoleNotAllowed && !open)
    }

    fn observed(&self, definition: &TaskDefinition) -> Observed {
        let (account, region) = (self.template.account.clone(), self.template.region.clone());
        let needs = plan::needs(definition, self.settings, &account, &region);
        let image = needs.as_ref().and_then(|needs| self.images.get(&needs.image.to_string()));
        let (cache, image) = image.cloned().unwrap_or((CacheState::NotChecked, ImageState::NotChecked(None)));
        let state = |role: Option<&RoleRef>| {
            let made = role.and_then(|role| roles::named(self.roles, role, self.evaluator));
            made.map_or(RoleState::NotChecked, TemplateRole::state)
        };
        let needs = needs.as_ref();
        Observed {
            registry: self.place.registry.clone(),
            cache,
            image,
            task_role: state(needs.and_then(|needs| needs.task_role.as_ref())),
            execution_role: state(needs.and_then(|needs| needs.execution_role.as_ref())),
            ..Observed::unchecked(account, region, definition.clone(), self.place.cache_prefix.clone())
        }
    }

    /// Makes the edits in the template.
    pub(crate) fn act(&self, fragment: &mut Value, id: &str, edits: &[Edit]) -> Result<(), Problem> {
        let resource = fragment.get_mut("Resources").and_then(|resources| resources.get_mut(id));
        let Some(properties) = resource.and_then(|resource| resource.get_mut("Properties")) else { return Ok(()) };
        let mut hand = Hand { evaluator: self.evaluator, resource: id, properties };
        edits.iter().try_for_each(|edit| hand.make(edit))
    }

    /// Gives the template's roles what the plan grants them, unless another definition has brought it before, and tells
    /// what was decided.
    pub(crate) fn told(&self, fragment: &mut Value, before: &[Told], id: &str, plan: Plan) -> Told {
        let mut granted = Vec::new();
        for grant in &plan.grants {
            let Some(made) = roles::named(self.roles, &grant.role, self.evaluator) else { continue };
            let given = (made.id.clone(), grant.policy_arn.clone());
            let resource = fragment.get_mut("Resources").and_then(|resources| resources.get_mut(&made.id));
            let Some(role) = resource.filter(|_| !before.iter().any(|told| told.granted.contains(&given))) else {
                continue;
            };
            roles::attach(role, &grant.policy_arn, self.evaluator);
            granted.push(given);
        }
        Told { resource: id.to_owned(), decision: plan.decision, reason: plan.reason, message: plan.message, granted }
    }
}

/// The property that a refusal is about, and what to do.
fn what_to_do(reason: Reason) -> (&'static str, &'static str) {
    let found = TO_DO.iter().find(|(reasons, _, _)| reasons.contains(&reason));
    found.map_or(("ContainerDefinitions", "change the definition"), |(_, property, todo)| (property, todo))
}

/// What somebody can do about a refusal, by its reason.
const TO_DO: [(&[Reason], &str, &str); 5] = [
    (
        &[
            Reason::ImageNotCached,
            Reason::ImageUnreadable,
            Reason::ImageDigestUnknown,
            Reason::ImageWouldExpire,
            Reason::ArchitectureMissing,
            Reason::CacheRuleMissing,
            Reason::CachePrefixTaken,
            Reason::CacheUnavailable,
            Reason::CacheUnreadable,
        ],
        "ContainerDefinitions",
        "have the image in the private registry first (the operator fetches it for any family that asks)",
    ),
    (&[Reason::PermissionsMissing], "TaskRoleArn", "add the policy to the role's ManagedPolicyArns"),
    (&[Reason::RoleNotAllowed], "TaskRoleArn", "name a role that the macro's RolePattern has"),
    (
        &[Reason::PolicyNotAllowed, Reason::UpstreamNotAllowed],
        "ContainerDefinitions",
        "have whoever runs the macro's stack allow it",
    ),
    (&[Reason::AsksForUnknownPolicy, Reason::ConflictingRequests], "Tags", "ask for one policy that there is"),
];

/// A plan's edits as a template can hold them: what nobody knows yet is no part of the receipt.
fn in_template(edits: &[Edit]) -> Vec<Edit> {
    let mut edits = edits.to_vec();
    if let Some(sidecar) = edits.first_mut() {
        sidecar.after = sidecar.after.as_deref().map(with_template_receipt);
    }
    edits
}

fn with_template_receipt(sidecar: &str) -> String {
    let mut sidecar: Value = serde_json::from_str(sidecar).expect("edits hold JSON");
    let open_logs = sidecar.get(container::LOG_CONFIGURATION).is_some_and(symbols::holds_open);
    let label = sidecar.get_mut(container::DOCKER_LABELS).and_then(|labels| labels.get_mut(names::RECEIPT));
    let label = label.expect("an injected sidecar carries its receipt");
    let mut receipt: Receipt =
        label.as_str().and_then(|text| serde_json::from_str(text).ok()).expect("a receipt was just written");
    // What ECS will describe has CloudFormation's names in it.
    receipt.source.hash = None;
    if let Some(entry) = receipt.edits.first_mut().filter(|_| open_logs) {
        let mut written: Value = serde_json::from_str(entry.after.get()).expect("a receipt holds JSON");
        written[container::LOG_CONFIGURATION] = receipt::INHERITED.into();
        entry.after = serde_json::value::RawValue::from_string(written.to_string()).expect("made of JSON");
    }
    *label = receipt.to_label().into();
    sidecar.to_string()
}
