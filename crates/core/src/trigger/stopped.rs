//! News of a task that stopped.
//!
//! Knows: ECS's own event of it. Must not know: whose fault it is.

use super::known::Known;
use super::scalars::Scalars;
use super::{Home, Ignored, Meaning, Problem};
use crate::ids::Arn;
use crate::rollout::{StoppedContainer, StoppedTask};
use serde_json::Value;

/// ECS's own event.
const TASK: &str = "ECS Task State Change";

/// A task that stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoppedEvent {
    /// ARN of the task.
    pub task: String,
    /// ARN of the revision that it ran.
    pub of: Arn,
    /// Why and how it stopped.
    pub what: StoppedTask,
}

/// What the news mean; `None` if they are of something else.
pub(super) fn meaning(known: &Known, input: &Value, home: &Home) -> Option<Meaning> {
    if known.name.as_deref() != Some(TASK) {
        return None;
    }
    Some(match known.is_at(home).and_then(|()| stopped(input)) {
        Ok(Some(event)) => Meaning::Stopped(Box::new(event)),
        // It still runs, or stopped as somebody wanted it.
        Ok(None) => Meaning::Ignore(Ignored::OtherCall),
        Err(problem) => Meaning::Unclear(problem),
    })
}

fn stopped(input: &Value) -> Result<Option<StoppedEvent>, Problem> {
    let detail = input.get("detail").unwrap_or(input);
    let scalars = Scalars::of(detail);
    let either = |flat: &str, nested: &str| scalars.get(flat).or_else(|| scalars.get(nested));
    let Some(code) = either("/code", "/stopCode") else { return Ok(None) };
    let of = either("/arn", "/taskDefinitionArn").and_then(|arn| arn.parse::<Arn>().ok());
    let (Some(task), Some(of)) = (either("/task", "/taskArn"), of) else { return Err(Problem::NoTask) };
    let containers = detail.get("containers").and_then(Value::as_array).into_iter().flatten().map(|container| {
        let scalars = Scalars::of(container);
        StoppedContainer { name: scalars.get("/name").unwrap_or_default(), because: scalars.get("/reason") }
    });
    let because = either("/because", "/stoppedReason").unwrap_or_default();
    Ok(Some(StoppedEvent { task, of, what: StoppedTask { code, because, containers: containers.collect() } }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::meaning as meant;
    use super::*;
    use serde_json::json;

    #[test]
    fn the_event_and_what_the_rule_makes_of_it_say_the_same() {
        let of = "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:2";
        let task = "arn:aws:ecs:eu-west-1:111122223333:task/prod/1";
        let containers = json!([{ "name": "web" }, { "name": "xray-daemon", "reason": "CannotPull" }]);
        let event = json!({
            "account": "111122223333", "region": "eu-west-1", "detail-type": TASK,
            "detail": { "taskArn": task, "taskDefinitionArn": of, "lastStatus": "STOPPED", "stopCode": "TaskFailedToStart",
                        "stoppedReason": "why", "containers": containers, "overrides": { "environment": "HIDDEN" } },
        });
        let transformed = json!({
            "account": "111122223333", "region": "eu-west-1", "id": "e-1", "name": TASK, "task": task, "arn": of,
            "code": "TaskFailedToStart", "because": "why", "containers": containers,
        });
        let Meaning::Stopped(stopped) = meant(&event) else { panic!("a task that stopped") };
        assert_eq!(meant(&transformed), Meaning::Stopped(stopped.clone()));
        assert_eq!((stopped.task.as_str(), stopped.of.as_str(), stopped.what.containers.len()), (task, of, 2));
        assert_eq!(stopped.what.containers[1].because.as_deref(), Some("CannotPull"));
    }

    #[test]
    fn a_task_that_runs_is_no_news_and_one_without_a_name_is_unclear() {
        let runs = json!({ "account": "111122223333", "region": "eu-west-1", "detail-type": TASK, "detail": { "lastStatus": "RUNNING" } });
        assert_eq!(meant(&runs), Meaning::Ignore(Ignored::OtherCall));
        let nameless = json!({ "name": TASK, "code": "TaskFailedToStart" });
        assert_eq!(meant(&nameless), Meaning::Unclear(Problem::NoTask));
    }
}
