//! How a family stands: the word for it in the operator's table, in events and in `status`.
//!
//! Knows: what a decision and its outcome mean for the family. Must not know: where that is kept.

use crate::decision::Decision;
use crate::outcome::Outcome;
use crate::reason::Reason;

/// How a family stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Its newest revision has just the sidecar that it is to have.
    Covered,
    /// It has a sidecar, and a newer one comes with its owner's next registration.
    Outdated,
    /// Something is to be done and is not done yet.
    Pending,
    /// It is left alone, for a reason.
    Skipped,
    /// What was to be done went wrong.
    Failing,
    /// It has no ACTIVE revision.
    Gone,
}

impl State {
    /// All states, in the order in which people are told.
    pub const ALL: [Self; 6] = [Self::Covered, Self::Outdated, Self::Pending, Self::Skipped, Self::Failing, Self::Gone];

    /// The stable word for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Covered => "covered",
            Self::Outdated => "outdated",
            Self::Pending => "pending",
            Self::Skipped => "skipped",
            Self::Failing => "failing",
            Self::Gone => "gone",
        }
    }

    /// The state of that word.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.label() == label)
    }

    /// What a decision and what came of it make of a family.
    pub fn of(decision: Decision, reason: Option<Reason>, outcome: &Outcome) -> Self {
        match (decision, outcome) {
            (_, Outcome::Refused { .. }) => Self::Failing,
            (_, Outcome::Waiting { .. } | Outcome::Held { .. }) => Self::Pending,
            (Decision::UpToDate, _) | (Decision::Inject | Decision::Update, Outcome::Registered { .. }) => {
                Self::Covered
            }
            (Decision::Skip, _) if reason == Some(Reason::UpdatePending) => Self::Outdated,
            (Decision::Skip, _) if reason == Some(Reason::NoActiveRevision) => Self::Gone,
            (Decision::Skip, _)
            | (Decision::Remove, Outcome::Registered { .. })
            | (Decision::Withdraw, Outcome::Deregistered { .. }) => Self::Skipped,
            (Decision::Inject | Decision::Update | Decision::Remove | Decision::Withdraw | Decision::Fetch, _) => {
                Self::Pending
            }
        }
    }
}

impl serde::Serialize for State {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Refusal;

    #[test]
    fn what_was_done_counts_and_what_was_only_planned_is_pending() {
        let registered = Outcome::Registered {
            arn: "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:2".parse().expect("an ARN"),
            deregistered: Vec::new(),
        };
        let refused = Outcome::Refused { refusal: Reason::RegistrationRefused.into(), deregistered: Vec::new() };
        let waiting = Outcome::Waiting { seconds: 1, refusal: Refusal::new(Reason::ImageWarming, "") };
        for (decision, reason, outcome, expected) in [
            (Decision::Inject, None, &registered, State::Covered),
            (Decision::Inject, None, &Outcome::Planned, State::Pending),
            (Decision::Update, Some(Reason::PolicyChanged), &registered, State::Covered),
            (Decision::UpToDate, Some(Reason::UpToDate), &Outcome::Granted, State::Covered),
            (Decision::UpToDate, Some(Reason::UpToDate), &Outcome::Planned, State::Covered),
            (Decision::Remove, Some(Reason::OptedOut), &registered, State::Skipped),
            (Decision::Skip, Some(Reason::UpdatePending), &Outcome::Nothing, State::Outdated),
            (Decision::Skip, Some(Reason::Windows), &Outcome::Nothing, State::Skipped),
            (Decision::Skip, Some(Reason::NoActiveRevision), &Outcome::Nothing, State::Gone),
            (Decision::Inject, None, &refused, State::Failing),
            (Decision::Inject, None, &waiting, State::Pending),
        ] {
            assert_eq!(State::of(decision, reason, outcome), expected, "{decision:?} {reason:?} {outcome:?}");
        }
    }

    #[test]
    fn a_label_is_read_back() {
        for state in State::ALL {
            assert_eq!(State::from_label(state.label()), Some(state));
        }
    }
}
