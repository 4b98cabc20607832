//! What is asked for, and how urgent it is.
//!
//! Knows: the words for it. Must not know: who asks. None of it reaches the decision.

/// What may be done with a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReconcileAction {
    /// Act on it.
    Reconcile,
    /// Report it.
    Plan,
}

/// What may be done with a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutAction {
    /// Move it, if it is to be.
    Move,
    /// The same, and a move that ended badly may be tried again: a person asks.
    Retry,
    /// Report what would be done.
    Plan,
}

/// What a write is for, the least urgent first; it decides nothing but who goes first, and which calls run side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// The account is being looked through.
    Sweep,
    /// The same, for a family whose turn has come, after it was told to wait for it.
    Turn,
    /// Something happened to the family, or somebody asks by hand.
    Event,
    /// Somebody registered the revision of that number. Where the table knows of none as new, something is probably to be
    /// done, so that the lease is asked for beside the look.
    Registered(u64),
}

impl Urgency {
    /// Whether it is what an event brought, which waits for no sweep.
    pub fn is_event(self) -> bool {
        match self {
            Self::Event | Self::Registered(_) => true,
            Self::Sweep | Self::Turn => false,
        }
    }
}
