//! Which policy a definition is to have, if any: by what it asks for, what it carries, and who asks.

use crate::decision::{Asked, Settings};
use crate::definition::TaskDefinition;
use crate::eligible::eligible;
use crate::policy::{Mode, Policy};
use crate::reason::Reason;
use crate::receipt::Undone;
use crate::refusal::Refusal;
use crate::request::{self, Request};

/// What is wanted of a definition, before looking at what it allows.
pub(crate) enum Choice<'a> {
    /// The sidecar of that policy.
    Have(&'a Policy),
    /// No sidecar: what was injected goes.
    HaveNot(Reason),
}

/// Chooses for the definition as its owner wrote it.
pub(crate) fn choose<'a>(
    source: &TaskDefinition,
    undone: Option<&Undone>,
    settings: &'a Settings,
) -> Result<Choice<'a>, Refusal> {
    // A receipt holds all that undoing needs.
    if settings.asked == Asked::Remove {
        return Ok(Choice::HaveNot(Reason::RemovalRequested));
    }
    let named = |name: &str| settings.policies.iter().find(|policy| policy.name() == name);
    let carried = undone.map(|undone| undone.receipt.policy.as_str());
    let deleted = carried.is_some_and(|name| settings.deletes(name));
    let carried = match carried.filter(|_| !deleted) {
        None => None,
        Some(name) => Some(named(name).ok_or_else(|| {
            Refusal::new(Reason::UnknownPolicy, format!("the receipt is of policy {name}, which is unknown here"))
        })?),
    };
    let any_policy = || carried.or_else(|| first(source, settings, |_| true));
    let standing = || carried.or_else(|| first(source, settings, |policy| policy.spec.mode == Mode::OptOut));
    let wanted = match (request::read(source), settings.asked) {
        (Request::OptOut, _) => return Ok(Choice::HaveNot(Reason::OptedOut)),
        (Request::Conflicting(names), _) => {
            let names: Vec<String> = names.into_iter().collect();
            return Err(Refusal::new(Reason::ConflictingRequests, format!("it asks for {}", names.join(" and "))));
        }
        (Request::Policy(name), _) if deleted && settings.deletes(&name) => {
            return Ok(Choice::HaveNot(Reason::PolicyDeleted));
        }
        (Request::Policy(name), _) => {
            return named(&name).map(Choice::Have).ok_or_else(|| {
                let known: Vec<&str> = settings.policies.iter().map(Policy::name).collect();
                let message = format!("it asks for {name:?}; known here: true, false, {}", known.join(", "));
                Refusal::new(Reason::AsksForUnknownPolicy, message)
            });
        }
        (Request::OptIn, _) | (Request::Silent, Asked::Inject | Asked::Remove) => any_policy(),
        // Labels travel when people copy a definition, tags get lost. So a receipt counts as having asked: else a
        // pipeline that copies the newest revision would lose the sidecar with its next deployment.
        (Request::Silent, Asked::Standing) => standing(),
    };
    match wanted {
        Some(policy) => Ok(Choice::Have(policy)),
        None if deleted => Ok(Choice::HaveNot(Reason::PolicyDeleted)),
        None => Err(Reason::NotRequested.into()),
    }
}

/// The first policy that selects the definition, or if none does, the first: its refusal is the one to tell.
fn first<'a>(
    source: &TaskDefinition,
    settings: &'a Settings,
    candidate: impl Fn(&Policy) -> bool,
) -> Option<&'a Policy> {
    let candidates = || settings.policies.iter().filter(|policy| candidate(policy));
    candidates().find(|policy| eligible(source, policy).is_ok()).or_else(|| candidates().next())
}
