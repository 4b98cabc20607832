//! Which policy wins for a definition, by which rule, and what each of the others would have said.
//!
//! Knows: the choice alone. Must not know: image, roles and log groups; what they are in the way of, the plan tells.

pub use crate::choose::ChoiceRule;
use crate::choose::{Choice, Chosen, choose};
use crate::decision::{Asked, Settings};
use crate::definition::TaskDefinition;
use crate::eligible::eligible;
use crate::policy::{Mode, Policy};
use crate::reason::Reason;
use crate::receipt::{self, Injector, ReceiptError, Undone};
use crate::refusal::Refusal;
use crate::request::{self, Ask};
use serde::Serialize;

/// Why a definition is to have the sidecar of a policy, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The definition's family, if it says one.
    pub family: Option<String>,
    /// What the definition says about sidecars, and where.
    pub asks: Vec<Ask>,
    /// The receipt that it carries, if one can be read.
    pub receipt: Option<Carried>,
    /// The policy that decides over the definition.
    pub winner: Option<String>,
    /// The rule by which that is so.
    pub rule: ChoiceRule,
    /// The rule in a sentence.
    pub meaning: &'static str,
    /// What comes of it, unless image, roles, log groups or the policy's `updates` are in the way.
    pub verdict: Verdict,
    /// Why it is no sidecar; absent if it is one.
    pub reason: Option<Reason>,
    /// The reason with its particulars.
    pub message: String,
    /// Each policy, in the order in which they are tried.
    pub policies: Vec<Considered>,
    /// Names of policies that are being deleted.
    pub deleted: Vec<String>,
}

/// A receipt, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Carried {
    /// Whose sidecar it is.
    pub policy: String,
    /// Who injected it.
    pub by: Injector,
}

/// What a policy says of the definition, were it the only one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Considered {
    /// Its name.
    pub name: String,
    /// Whether definitions have to ask for it.
    pub mode: Mode,
    /// Whether it selects the definition: nothing in the definition is in the way of its sidecar.
    pub selects: bool,
    /// What is in the way.
    pub reason: Option<Reason>,
    /// The particulars.
    pub message: Option<String>,
}

/// What comes of the choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The definition has or gets the winner's sidecar.
    Sidecar,
    /// What was injected is taken back.
    Removed,
    /// The definition stays as it is.
    LeftAlone,
}

impl Verdict {
    /// The stable word for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Sidecar => "sidecar",
            Self::Removed => "removed",
            Self::LeftAlone => "leftAlone",
        }
    }
}

impl Serialize for Verdict {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}

/// Explains the choice for a definition as it was observed. Total and pure.
pub fn explain(definition: &TaskDefinition, settings: &Settings) -> Explanation {
    let read = receipt::undo(definition);
    let undone = read.as_ref().ok().and_then(Option::as_ref);
    let source = undone.map_or(definition, |undone| &undone.source);
    let chosen = chosen(definition, &read, settings);
    let winner = match &chosen.choice {
        Ok(Choice::Have(policy)) if chosen.rule != ChoiceRule::NoneSelects => Some(policy.name().to_owned()),
        Ok(Choice::Have(_) | Choice::HaveNot(_)) | Err(_) => None,
    };
    let (verdict, refusal) = verdict(&chosen, source, undone, settings);
    Explanation {
        family: definition.family().map(std::borrow::Cow::into_owned),
        asks: request::asks(source),
        receipt: undone.map(|undone| Carried { policy: undone.receipt.policy.clone(), by: undone.receipt.by }),
        winner,
        rule: chosen.rule,
        meaning: chosen.rule.meaning(),
        verdict,
        reason: refusal.as_ref().map(|refusal| refusal.reason),
        message: refusal.map(|refusal| refusal.message).unwrap_or_default(),
        policies: settings.policies.iter().map(|policy| consider(source, policy)).collect(),
        deleted: settings.deleted.iter().filter(|name| settings.deletes(name)).cloned().collect(),
    }
}

/// The choice, and before it what keeps anybody from choosing, as the plan has it.
fn chosen<'a>(
    definition: &TaskDefinition,
    read: &Result<Option<Undone>, ReceiptError>,
    settings: &'a Settings,
) -> Chosen<'a> {
    match read {
        Err(error) => {
            let refusal = Refusal::new(Reason::BrokenReceipt, error.to_string());
            Chosen::refused(ChoiceRule::UnreadableReceipt, refusal)
        }
        Ok(Some(undone)) if undone.container_edited => Chosen::refused(ChoiceRule::EditedSidecar, Reason::UserEdited),
        Ok(Some(undone)) => choose(&undone.source, Some(undone), settings),
        Ok(None) => choose(definition, None, settings),
    }
}

fn verdict(
    chosen: &Chosen<'_>,
    source: &TaskDefinition,
    undone: Option<&Undone>,
    settings: &Settings,
) -> (Verdict, Option<Refusal>) {
    let goes = match &chosen.choice {
        Err(refusal) => return (Verdict::LeftAlone, Some(refusal.clone())),
        Ok(Choice::HaveNot(reason)) => Refusal::from(*reason),
        Ok(Choice::Have(policy)) => match eligible(source, policy) {
            Ok(_) => return (Verdict::Sidecar, None),
            Err(refusal) if refusal.reason == Reason::NotSelected && settings.asked == Asked::Standing => refusal,
            Err(refusal) => return (Verdict::LeftAlone, Some(refusal)),
        },
    };
    match undone {
        None if goes.reason == Reason::RemovalRequested => (Verdict::LeftAlone, Some(Reason::NothingToRemove.into())),
        None => (Verdict::LeftAlone, Some(goes)),
        Some(undone) if settings.asked == Asked::Standing && undone.receipt.by != Injector::Operator => {
            (Verdict::LeftAlone, Some(Reason::InjectedElsewhere.into()))
        }
        Some(_) => (Verdict::Removed, Some(goes)),
    }
}

fn consider(source: &TaskDefinition, policy: &Policy) -> Considered {
    let refusal = eligible(source, policy).err();
    Considered {
        name: policy.name().to_owned(),
        mode: policy.spec.mode,
        selects: refusal.is_none(),
        reason: refusal.as_ref().map(|refusal| refusal.reason),
        message: refusal.map(|refusal| refusal.message),
    }
}
