//! State machines of Step Functions.
//!
//! Knows: that a state that runs a task has the task definition in its parameters as `TaskDefinition`. What is worked out
//! when the state is entered (`TaskDefinition.$`, `{% %}`) names no revision. Assumptions: `states:ListStateMachines`,
//! `states:DescribeStateMachine`, and the key of an encrypted definition. Writes nothing.

use super::AT_ONCE;
use super::found::{Found, Looked, Place};
use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::StateMachineListItem;
use aws_types::SdkConfig;
use ecs_sidecar_aws::Error;
use futures_util::future::join_all;
use serde_json::Value;
use std::collections::BTreeSet;

/// The member of RunTask's input that names the task definition.
const TASK_DEFINITION: &str = "TaskDefinition";

/// Looks through all state machines.
pub(super) async fn look(config: &SdkConfig) -> Looked {
    let client = Client::new(config);
    let mut looked = Looked::default();
    let listed = client.list_state_machines().into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let all = match listed {
        Ok(all) => all,
        Err(error) => {
            looked.refuse("states:ListStateMachines", &Error::call("ListStateMachines", "this Region", &error));
            return looked;
        }
    };
    looked.seen = all.len();
    for some in all.chunks(AT_ONCE) {
        for (machine, definition) in some.iter().zip(join_all(some.iter().map(|one| definition(&client, one))).await) {
            match definition {
                Ok(definition) => looked.found.extend(named_in(&definition).into_iter().map(|names| Found {
                    place: Place::StateMachine { arn: machine.state_machine_arn.clone(), name: machine.name.clone() },
                    names,
                })),
                Err(error) => looked.refuse("states:DescribeStateMachine", &error),
            }
        }
    }
    looked
}

async fn definition(client: &Client, machine: &StateMachineListItem) -> Result<String, Error> {
    let sent = client.describe_state_machine().state_machine_arn(&machine.state_machine_arn).send().await;
    let answer = sent.map_err(|error| Error::call("DescribeStateMachine", &machine.name, &error))?;
    Ok(answer.definition)
}

/// The task definitions that are named in a JSON text, wherever they stand; each once. None in what is no JSON.
pub(super) fn named_in(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Ok(value) = serde_json::from_str(text) {
        collect(&value, &mut names);
    }
    names
}

fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            names.extend(members.get(TASK_DEFINITION).and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect(member, names));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_at_any_depth_and_once() {
        let states = r#"{"States":{"A":{"Parameters":{"TaskDefinition":"web:1"}},"B":{"Branches":[{"States":{"C":
            {"Arguments":{"TaskDefinition":"web:1","TaskDefinition.$":"$.x"}}}}]}}}"#;
        assert_eq!(named_in(states), BTreeSet::from(["web:1".to_owned()]));
        assert!(named_in("{").is_empty() && named_in(r#"{"TaskDefinition":7}"#).is_empty());
    }
}
