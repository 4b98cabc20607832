//! Which policy a definition is to have, if any: by what it asks for, what it carries, and who asks.
//!
//! Knows: the rules, and the one order in which they are tried. Must not know: what comes of the choice; a policy that
//! was chosen may still be refused by what the definition allows.

use crate::decision::{Asked, Settings};
use crate::definition::TaskDefinition;
use crate::eligible::{Eligible, eligible};
use crate::policy::{Mode, Policy};
use crate::reason::Reason;
use crate::receipt::Undone;
use crate::refusal::Refusal;
use crate::request::{self, Request};

/// A rule and what it says.
macro_rules! choice_rules {
    ($($variant:ident $label:literal $meaning:literal;)*) => {
        /// By which rule it is decided whose sidecar a definition is to have. The first that applies decides.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum ChoiceRule {
            $(#[doc = $meaning] $variant,)*
        }

        impl ChoiceRule {
            /// All rules, in the order in which they are tried.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable word for it.
            pub fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            /// What it says, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

choice_rules! {
    UnreadableReceipt "unreadableReceipt" "The receipt cannot be read, so nobody knows what the owner wrote; nothing is touched.";
    EditedSidecar "editedSidecar" "Somebody edited the sidecar, so it is theirs; nothing is touched, whatever is asked.";
    RemovalRequested "removalRequested" "Somebody asked by hand for the removal, which needs no policy.";
    UnknownReceipt "unknownReceipt" "The sidecar is of a policy that is unknown here; nothing is touched, whatever is asked.";
    OptedOut "optedOut" "The definition says `false`, which wins over all else that it says.";
    ConflictingRequests "conflictingRequests" "The definition asks for several policies, and can have one.";
    AskedByName "askedByName" "The definition asks for a policy by name, and gets that one or none.";
    Receipt "receipt" "The definition has the sidecar of this policy already, which counts as having asked for it.";
    FirstSelecting "firstSelecting" "A sidecar is asked for, whichever: the first policy that selects the definition wins.";
    FirstOptOut "firstOptOut" "Nothing is asked for: the first `optOut` policy that selects the definition wins.";
    NoneSelects "noneSelects" "None of the policies that it could have selects the definition; the first one's reason is told.";
    PolicyDeleted "policyDeleted" "The policy of the sidecar is being deleted, and no other one takes its place.";
    NotRequested "notRequested" "Nothing is asked for, and no policy comes without being asked for.";
}

impl serde::Serialize for ChoiceRule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}

impl std::fmt::Display for ChoiceRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.label())
    }
}

/// What is wanted of a definition, before looking at what it allows.
#[derive(Debug)]
pub(crate) enum Choice<'a> {
    /// The sidecar of that policy.
    Have(&'a Policy),
    /// No sidecar: what was injected goes.
    HaveNot(Reason),
}

/// What is wanted, or why nothing is, and the rule that says so.
#[derive(Debug)]
pub(crate) struct Chosen<'a> {
    pub(crate) rule: ChoiceRule,
    pub(crate) choice: Result<Choice<'a>, Refusal>,
    /// What is known of the definition where the choice was made by looking whether the policy may have it.
    pub(crate) eligible: Option<Eligible>,
}

impl<'a> Chosen<'a> {
    fn have(rule: ChoiceRule, policy: &'a Policy) -> Self {
        Self { rule, choice: Ok(Choice::Have(policy)), eligible: None }
    }

    fn have_not(rule: ChoiceRule, reason: Reason) -> Self {
        Self { rule, choice: Ok(Choice::HaveNot(reason)), eligible: None }
    }

    pub(crate) fn refused(rule: ChoiceRule, refusal: impl Into<Refusal>) -> Self {
        Self { rule, choice: Err(refusal.into()), eligible: None }
    }
}

/// Chooses for the definition as its owner wrote it.
pub(crate) fn choose<'a>(source: &TaskDefinition, undone: Option<&Undone>, settings: &'a Settings) -> Chosen<'a> {
    // A receipt holds all that undoing needs.
    if settings.asked == Asked::Remove {
        return Chosen::have_not(ChoiceRule::RemovalRequested, Reason::RemovalRequested);
    }
    let carried = undone.map(|undone| undone.receipt.policy.as_str());
    let deleted = carried.is_some_and(|name| settings.deletes(name));
    let carried = match carried.filter(|_| !deleted).map(|name| (name, named(settings, name))) {
        None => None,
        Some((_, Some(policy))) => Some(policy),
        Some((name, None)) => {
            let message = format!("the receipt is of policy {name}, which is unknown here");
            return Chosen::refused(ChoiceRule::UnknownReceipt, Refusal::new(Reason::UnknownPolicy, message));
        }
    };
    let standing = match request::read(source) {
        Request::OptOut => return Chosen::have_not(ChoiceRule::OptedOut, Reason::OptedOut),
        Request::Conflicting(names) => {
            let names: Vec<String> = names.into_iter().collect();
            let refusal = Refusal::new(Reason::ConflictingRequests, format!("it asks for {}", names.join(" and ")));
            return Chosen::refused(ChoiceRule::ConflictingRequests, refusal);
        }
        Request::Policy(name) if deleted && settings.deletes(&name) => {
            return Chosen::have_not(ChoiceRule::PolicyDeleted, Reason::PolicyDeleted);
        }
        Request::Policy(name) => return by_name(&name, settings),
        Request::OptIn => false,
        Request::Silent => settings.asked == Asked::Standing,
    };
    // Labels travel when people copy a definition, tags get lost. So a receipt counts as having asked: else a pipeline
    // that copies the newest revision would lose the sidecar with its next deployment.
    if let Some(policy) = carried {
        return Chosen::have(ChoiceRule::Receipt, policy);
    }
    let (rule, without) = if standing {
        (ChoiceRule::FirstOptOut, ChoiceRule::NotRequested)
    } else {
        (ChoiceRule::FirstSelecting, ChoiceRule::NoneSelects)
    };
    let candidates = || settings.policies.iter().filter(|policy| !standing || policy.spec.mode == Mode::OptOut);
    let selecting = candidates().find_map(|policy| Some((policy, eligible(source, policy).ok()?)));
    if let Some((policy, eligible)) = selecting {
        return Chosen { eligible: Some(eligible), ..Chosen::have(rule, policy) };
    }
    match candidates().next() {
        // What is being deleted goes, whatever another policy would have to say.
        Some(_) | None if deleted => Chosen::have_not(ChoiceRule::PolicyDeleted, Reason::PolicyDeleted),
        // Its refusal is the one to tell.
        Some(first) => Chosen::have(ChoiceRule::NoneSelects, first),
        None => Chosen::refused(without, Reason::NotRequested),
    }
}

fn named<'a>(settings: &'a Settings, name: &str) -> Option<&'a Policy> {
    settings.policies.iter().find(|policy| policy.name() == name)
}

fn by_name<'a>(name: &str, settings: &'a Settings) -> Chosen<'a> {
    if let Some(policy) = named(settings, name) {
        return Chosen::have(ChoiceRule::AskedByName, policy);
    }
    let known: Vec<&str> = settings.policies.iter().map(Policy::name).collect();
    let message = format!("it asks for {name:?}; known here: true, false, {}", known.join(", "));
    Chosen::refused(ChoiceRule::AskedByName, Refusal::new(Reason::AsksForUnknownPolicy, message))
}
