//! Targets of EventBridge rules, on all buses.
//!
//! Assumptions: `events:ListEventBuses`, `events:ListRules`, `events:ListTargetsByRule`. Without the first, the default bus
//! is looked at. Writes nothing.

use super::AT_ONCE;
use super::found::{Found, Looked, Place};
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::{Rule, Target};
use aws_types::SdkConfig;
use ecs_sidecar_aws::Error;
use futures_util::future::join_all;

/// The bus that every Region has.
const DEFAULT_BUS: &str = "default";

/// Looks through all rules.
pub(super) async fn look(config: &SdkConfig) -> Looked {
    let client = Client::new(config);
    let mut looked = Looked::default();
    let buses = buses(&client).await.unwrap_or_else(|error| {
        looked.refuse("events:ListEventBuses", &error);
        vec![DEFAULT_BUS.to_owned()]
    });
    for bus in buses {
        let rules = rules(&client, &bus).await.unwrap_or_else(|error| {
            looked.refuse("events:ListRules", &error);
            Vec::new()
        });
        looked.seen += rules.len();
        for some in rules.chunks(AT_ONCE) {
            let targets = join_all(some.iter().map(|rule| targets(&client, &bus, rule))).await;
            for (rule, targets) in some.iter().zip(targets) {
                match targets {
                    Ok(targets) => looked.found.extend(targets.into_iter().filter_map(|one| found(&bus, rule, one))),
                    Err(error) => looked.refuse("events:ListTargetsByRule", &error),
                }
            }
        }
    }
    looked
}

fn found(bus: &str, rule: &Rule, target: Target) -> Option<Found> {
    let names = target.ecs_parameters?.task_definition_arn;
    let rule_name = rule.name.clone()?;
    let managed_by = rule.managed_by.clone();
    let place = Place::Target { bus: bus.to_owned(), rule: rule_name, target: target.id, managed_by };
    Some(Found { place, names })
}

async fn buses(client: &Client) -> Result<Vec<String>, Error> {
    let (mut all, mut token) = (Vec::new(), None);
    loop {
        let sent = client.list_event_buses().set_next_token(token).send().await;
        let answer = sent.map_err(|error| Error::call("ListEventBuses", "this Region", &error))?;
        all.extend(answer.event_buses.unwrap_or_default().into_iter().filter_map(|bus| bus.name));
        token = answer.next_token;
        if token.is_none() {
            return Ok(all);
        }
    }
}

async fn rules(client: &Client, bus: &str) -> Result<Vec<Rule>, Error> {
    let (mut all, mut token) = (Vec::new(), None);
    loop {
        let sent = client.list_rules().event_bus_name(bus).set_next_token(token).send().await;
        let answer = sent.map_err(|error| Error::call("ListRules", bus, &error))?;
        all.extend(answer.rules.unwrap_or_default());
        token = answer.next_token;
        if token.is_none() {
            return Ok(all);
        }
    }
}

async fn targets(client: &Client, bus: &str, rule: &Rule) -> Result<Vec<Target>, Error> {
    let name = rule.name.as_deref().unwrap_or_default();
    let (mut all, mut token) = (Vec::new(), None);
    loop {
        let sent = client.list_targets_by_rule().event_bus_name(bus).rule(name).set_next_token(token).send().await;
        let answer = sent.map_err(|error| Error::call("ListTargetsByRule", format!("{bus}/{name}"), &error))?;
        all.extend(answer.targets.unwrap_or_default());
        token = answer.next_token;
        if token.is_none() {
            return Ok(all);
        }
    }
}
