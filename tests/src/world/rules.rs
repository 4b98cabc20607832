//! EventBridge's rules and their targets, as far as they can be listed.
//!
//! Knows: which rule is on which bus. Must not know: patterns and schedules.

use crate::World;
use crate::world::answer::{Answer, ServiceError, page};
use crate::world::clock::lock;
use crate::world::ecs::Deed;
use crate::world::events::DEFAULT_BUS;
use crate::world::input::Input;
use crate::world::members::list;
use crate::world::state::{Place, State};
use crate::world::{Caller, Rules};
use ecs_sidecar_core::json::quote;

/// How many a page has, unless it is asked for fewer.
const PAGE: usize = 100;

/// A rule.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rule {
    /// The service that made it.
    pub(crate) managed_by: Option<String>,
    /// Targets in JSON.
    pub(crate) targets: Vec<String>,
}

/// The deed of that name.
pub(crate) fn deed(operation: &str) -> Option<Deed> {
    Some(match operation {
        "ListEventBuses" => Deed::Read(buses),
        "ListRules" => Deed::Read(rules),
        "ListTargetsByRule" => Deed::Read(targets),
        _ => return None,
    })
}

fn listed(input: &Input, name: &str, items: Vec<String>) -> Result<Answer, ServiceError> {
    let size = input.number("Limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE);
    let invalid = || ServiceError::new("ValidationException", "Invalid token");
    let (items, next) = page(items, input.text("NextToken").as_deref(), size, invalid)?;
    let next = next.map(|token| format!(",\"NextToken\":{}", quote(&token))).unwrap_or_default();
    Ok(Answer(format!("{{{}:{}{next}}}", quote(name), list(items))))
}

fn buses(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let made = state.buses.iter().filter(|(place, _)| *place == caller.place).map(|(_, name)| name.as_str());
    let all = std::iter::once(DEFAULT_BUS).chain(made).map(|name| format!("{{\"Name\":{}}}", quote(name)));
    listed(input, "EventBuses", all.collect())
}

/// The bus that is meant; it must be there.
fn bus(state: &State, place: &Place, input: &Input) -> Result<String, ServiceError> {
    let name = input.text("EventBusName").unwrap_or_else(|| DEFAULT_BUS.to_owned());
    if name == DEFAULT_BUS || state.buses.contains(&(place.clone(), name.clone())) {
        return Ok(name);
    }
    Err(ServiceError::new("ResourceNotFoundException", format!("Event bus {name} does not exist.")))
}

fn rules(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let bus = bus(state, &caller.place, input)?;
    let here = state.rules.iter().filter(|((place, on, _), _)| *place == caller.place && *on == bus);
    let all = here.map(|((_, _, name), rule)| {
        let managed = rule.managed_by.as_ref().map(|by| format!(",\"ManagedBy\":{}", quote(by))).unwrap_or_default();
        format!("{{\"Name\":{},\"EventBusName\":{}{managed}}}", quote(name), quote(&bus))
    });
    listed(input, "Rules", all.collect())
}

fn targets(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let (bus, name) = (bus(state, &caller.place, input)?, input.required("Rule")?);
    let missing = || ServiceError::new("ResourceNotFoundException", format!("Rule {name} does not exist."));
    let rule = state.rules.get(&(caller.place.clone(), bus, name.clone())).ok_or_else(missing)?;
    listed(input, "Targets", rule.targets.clone())
}

impl World {
    /// Makes a rule on a bus that is there, with targets in JSON.
    pub fn add_rule(&self, bus: &str, name: &str, targets: &[String]) {
        let rule = Rule { managed_by: None, targets: targets.to_vec() };
        lock(&self.shared.history).now.rules.insert((self.place.clone(), bus.to_owned(), name.to_owned()), rule);
    }

    /// From now on the rule is a service's own.
    pub fn set_rule_managed_by(&self, bus: &str, name: &str, service: &str) {
        let key = (self.place.clone(), bus.to_owned(), name.to_owned());
        lock(&self.shared.history).now.rules.entry(key).or_default().managed_by = Some(service.to_owned());
    }
}
