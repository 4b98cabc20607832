//! A task that stopped, from what an event tells to what is counted.
//!
//! Knows: how to find out whether an injected container is at fault. Must not know: how many are too many.

use crate::breaker::Stopped;
use crate::error::Error;
use crate::reconcile::Reconciler;
use ecs_sidecar_core::ids::Arn;
use ecs_sidecar_core::receipt;
use ecs_sidecar_core::rollout::{FAILED_TO_START, StoppedTask, blame};

impl Reconciler {
    /// Looks whether a task stopped because of the container that was injected into it, and counts it if so.
    ///
    /// Guarantees: nothing is written to ECS or IAM. A task that runs what the operator did not register counts for
    /// nothing. Assumptions: `DescribeTaskDefinition`, and the operator's table. Errors: those of the calls.
    pub async fn stopped(&self, task: &str, of: &Arn, what: &StoppedTask) -> Result<Stopped, Error> {
        let (Some(table), Some((family, _))) = (&self.clients().table, of.revision()) else {
            return Ok(Stopped::NotOurs);
        };
        // The row is at hand and tells most of them apart; ECS is asked for the rest.
        if what.code != FAILED_TO_START || !table.row(&family).await?.is_ours(of) {
            return Ok(Stopped::NotOurs);
        }
        let Some(definition) = self.clients().ecs.describe(of.as_str()).await? else { return Ok(Stopped::NotOurs) };
        let because = definition
            .containers()
            .find(|app| receipt::is_injected(*app))
            .and_then(|sidecar| blame(what, &sidecar.name()?, &sidecar.image()?));
        let Some(because) = because else { return Ok(Stopped::NotOurs) };
        // One that goes on stopping is no news, and whoever has the operator go on has it count anew.
        if table.switch().await?.paused {
            return Ok(Stopped::Paused);
        }
        let stopped = table.count_stopped(task, &format!("{of}: {because}")).await?;
        if let (Stopped::Tripped(message), Some(news)) = (&stopped, &self.clients().news) {
            news.tell_breaker(message, of).await;
        }
        Ok(stopped)
    }
}
