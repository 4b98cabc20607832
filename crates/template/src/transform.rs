//! From a template to the same with sidecars.
//!
//! Knows: the order of the work. Must not know: AWS. Either all of the template's definitions are decided on or the
//! template is refused as a whole, with every reason at once.

use crate::candidate;
use crate::decide::Look;
use crate::evaluate::Evaluator;
use crate::problem::Problems;
use crate::roles;
use crate::template::{Images, Place, Template, Told, Transformed};
use ecs_sidecar_core::bounds::CacheBound;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::image::Upstream;
use ecs_sidecar_core::plan::{self, Asked, Decision, Settings};
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::receipt::Injector;

impl Template {
    /// The images that decisions on this template need to know of, and whether definitions would name their digest.
    ///
    /// Errors: whatever stands in the way of a view of a definition.
    pub fn images(&self, settings: &Settings) -> Result<Vec<(Upstream, bool)>, Problems> {
        let evaluator = evaluator(self);
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
        let evaluator = evaluator(self);
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

fn evaluator(template: &Template) -> Evaluator<'_> {
    Evaluator::new(&template.fragment, &template.parameters, &template.account, &template.region)
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
