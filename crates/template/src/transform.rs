//! From a template to the same with sidecars.
//!
//! Knows: the order of the work. Must not know: AWS. Either all of the template's definitions are decided on or the
//! template is refused as a whole, with every reason at once.

use crate::candidate;
use crate::decide::Look;
use crate::evaluate::Evaluator;
use crate::problem::Problems;
use crate::roles;
use ecs_sidecar_core::bounds::CacheBound;
use ecs_sidecar_core::cache::CacheState;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::ids::{AccountId, Region};
use ecs_sidecar_core::image::Upstream;
use ecs_sidecar_core::observed::ImageState;
use ecs_sidecar_core::plan::{self, Asked, Decision, Settings};
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::receipt::Injector;
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

impl Template {
    fn evaluator(&self) -> Evaluator<'_> {
        Evaluator::new(&self.fragment, &self.parameters, &self.account, &self.region)
    }

    /// The images that decisions on this template need to know of, and whether definitions would name their digest.
    ///
    /// Errors: whatever stands in the way of a view of a definition.
    pub fn images(&self, settings: &Settings) -> Result<Vec<(Upstream, bool)>, Problems> {
        let evaluator = self.evaluator();
        let settings = as_macro(settings);
        let mut images = Vec::new();
        for (_, definition) in candidate::all(&evaluator, &settings)? {
            let needs = definition.and_then(|text| {
                let definition = TaskDefinition::parse(&text).ok()?;
                plan::needs(&definition, &settings, &self.account, &self.region)
            });
            images.extend(needs.map(|needs| (needs.image, needs.pinned)));
        }
        images.sort_by_key(|(image, pinned)| (image.to_string(), *pinned));
        images.dedup();
        Ok(images)
    }

    /// The template with the sidecars that the policies want.
    ///
    /// Guarantees: nothing changes but what a plan's edits name and the policies of the template's own roles; intrinsics
    /// stay where they are. Errors: every definition that cannot be decided on, and every one that cannot have what it
    /// asks for.
    pub fn transform(&self, settings: &Settings, place: &Place, images: &Images) -> Result<Transformed, Problems> {
        let settings = as_macro(settings);
        let evaluator = self.evaluator();
        let (mut fragment, mut told, mut problems) = (self.fragment.clone(), Vec::new(), Vec::new());
        let roles = roles::of_template(&evaluator);
        for (id, definition) in candidate::all(&evaluator, &settings)? {
            let look =
                Look { template: self, evaluator: &evaluator, settings: &settings, place, images, roles: &roles };
            let made = match definition {
                None => Ok(opted_out(id)),
                Some(text) => look.decide(id, &text).and_then(|(plan, edits)| {
                    look.act(&mut fragment, id, &edits)?;
                    Ok(look.told(&mut fragment, &told, id, plan))
                }),
            };
            match made {
                Ok(one) => told.push(one),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(Transformed { fragment, told }) } else { Err(Problems(problems)) }
    }
}

/// Naming the macro counts as asking, and the macro fetches nothing.
fn as_macro(settings: &Settings) -> Settings {
    let mut settings = Settings { asked: Asked::Inject, injector: Injector::Macro, ..settings.clone() };
    settings.bounds.cache = CacheBound::Observe;
    settings
}

fn opted_out(id: &str) -> Told {
    let reason = Some(Reason::OptedOut);
    let message = "Metadata.EcsSidecar.Inject is false".to_owned();
    Told { resource: id.to_owned(), decision: Decision::Skip, reason, message, granted: Vec::new() }
}
