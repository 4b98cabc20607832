//! Step Functions' calls that read.
//!
//! Knows: state machines by name. Must not know: what a definition means.

use crate::World;
use crate::world::answer::{Answer, ServiceError, page};
use crate::world::clock::lock;
use crate::world::ecs::Deed;
use crate::world::input::Input;
use crate::world::members::list;
use crate::world::state::{Place, State};
use crate::world::{Caller, Rules};
use ecs_sidecar_core::json::quote;

/// How many a page has, unless it is asked for fewer.
const PAGE: usize = 100;

/// The deed of that name.
pub(crate) fn deed(operation: &str) -> Option<Deed> {
    Some(match operation {
        "ListStateMachines" => Deed::Read(machines),
        "DescribeStateMachine" => Deed::Read(machine),
        _ => return None,
    })
}

fn arn(place: &Place, name: &str) -> String {
    place.arn("states", &format!("stateMachine:{name}"))
}

fn head(place: &Place, name: &str) -> String {
    let arn = quote(&arn(place, name));
    format!("\"stateMachineArn\":{arn},\"name\":{},\"type\":\"STANDARD\",\"creationDate\":0", quote(name))
}

fn machines(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let here = state.machines.keys().filter(|(place, _)| *place == caller.place);
    let all = here.map(|(place, name)| format!("{{{}}}", head(place, name))).collect::<Vec<_>>();
    let size = input.number("maxResults").and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
    let invalid = || ServiceError::new("InvalidToken", "Invalid Token");
    let (all, next) = page(all, input.text("nextToken").as_deref(), size.unwrap_or(PAGE), invalid)?;
    let next = next.map(|token| format!(",\"nextToken\":{}", quote(&token))).unwrap_or_default();
    Ok(Answer(format!("{{\"stateMachines\":{}{next}}}", list(all))))
}

fn machine(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let wanted = input.required("stateMachineArn")?;
    let name = wanted.strip_prefix(&arn(&caller.place, "")).unwrap_or_default();
    let missing = || ServiceError::new("StateMachineDoesNotExist", format!("State Machine Does Not Exist: '{wanted}'"));
    let definition = state.machines.get(&(caller.place.clone(), name.to_owned())).ok_or_else(missing)?;
    let role = quote(&format!("arn:aws:iam::{}:role/states", caller.place.account));
    let head = head(&caller.place, name);
    Ok(Answer(format!("{{{head},\"roleArn\":{role},\"definition\":{}}}", quote(definition))))
}

impl World {
    /// Makes a state machine and answers its ARN.
    pub fn add_state_machine(&self, name: &str, definition: &str) -> String {
        let key = (self.place.clone(), name.to_owned());
        lock(&self.shared.history).now.machines.insert(key, definition.to_owned());
        arn(&self.place, name)
    }
}
