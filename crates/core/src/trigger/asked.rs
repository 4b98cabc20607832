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

/// What a write is for; it decides nothing but who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody registered something, or asks by hand.
    Event,
    /// The account is being looked through.
    Sweep,
    /// The same, for a family whose turn has come, after it was told to wait for it.
    Turn,
}
