//! What a family's row says of its sidecar.

use ecs_sidecar_aws::rows::Row;
use ecs_sidecar_core::state::State;

/// Whether its newest revision has one, whoever injected it.
pub(crate) fn has_sidecar(row: &Row) -> bool {
    row.told.injected.is_some()
}

/// Whether the last look at it ended with leaving it as it is, or with a failure.
pub(crate) fn is_left_alone(row: &Row) -> bool {
    matches!(row.state, Some(State::Skipped | State::Failing))
}
