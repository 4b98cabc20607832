//! The command that moves a pin. It reads what is there and writes it back with another revision, so that all else stays
//! as it is: EventBridge and Scheduler replace a target or a schedule whole.
//!
//! Knows: the AWS CLI, and jq. Must not know: whether anybody runs it.

use super::found::Place;
use super::judge::Pin;
use crate::arguments::AwsArguments;
use ecs_sidecar_core::ids::Region;

/// What a schedule has that no update takes.
const ONLY_READ: &str = "del(.Arn, .CreationDate, .LastModificationDate)";

/// The command that moves a pin, for bash; none if nobody may move it.
pub(super) fn command(pin: &Pin, region: &Region, asked: &AwsArguments) -> Option<String> {
    let where_asked = where_asked(region, asked);
    let [_, to] = pin.written.each_ref().map(|text| json(text));
    let [read, program, write] = match &pin.place {
        Place::Target { managed_by: Some(_), .. } => return None,
        Place::Target { bus, rule, target, managed_by: None } => {
            let rule = format!("--event-bus-name {} --rule {}", quoted(bus), quoted(rule));
            [
                format!("events list-targets-by-rule {rule}"),
                format!("[.Targets[] | select(.Id == {}) | .EcsParameters.TaskDefinitionArn = {to}]", json(target)),
                format!("events put-targets {rule} --targets file:///dev/stdin"),
            ]
        }
        Place::Schedule { group, name, in_input } => {
            let path = if *in_input { ".Target.Input" } else { ".Target.EcsParameters.TaskDefinitionArn" };
            let change = if *in_input {
                format!("{path} |= (fromjson | {} | tojson)", renamed(pin))
            } else {
                format!("{path} = {to}")
            };
            [
                format!("scheduler get-schedule --group-name {} --name {}", quoted(group), quoted(name)),
                format!("{ONLY_READ} | {change}"),
                "scheduler update-schedule --cli-input-json file:///dev/stdin".to_owned(),
            ]
        }
        Place::StateMachine { arn, .. } => {
            let machine = format!("--state-machine-arn {}", quoted(arn));
            [
                format!("stepfunctions describe-state-machine {machine}"),
                format!(".definition | fromjson | {}", renamed(pin)),
                format!("stepfunctions update-state-machine {machine} --definition file:///dev/stdin"),
            ]
        }
    };
    Some(format!("aws {read}{where_asked} --output json |\n  jq {} |\n  aws {write}{where_asked}", quoted(&program)))
}

/// All that name the one revision then name the other, at any depth.
fn renamed(pin: &Pin) -> String {
    let [from, to] = pin.written.each_ref().map(|text| json(text));
    format!("(.. | objects | select(.TaskDefinition == {from}) | .TaskDefinition) = {to}")
}

/// Options that say where AWS is asked, as they were given.
fn where_asked(region: &Region, asked: &AwsArguments) -> String {
    let more = [("profile", &asked.profile), ("endpoint-url", &asked.endpoint_url)];
    let more = more.into_iter().filter_map(|(option, value)| Some(format!(" --{option} {}", quoted(value.as_ref()?))));
    format!(" --region {region}{}", more.collect::<String>())
}

/// A string for jq.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A word for the shell.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_shell_would_read_is_quoted() {
        for (text, wanted) in
            [("a/b-c.d:7", "a/b-c.d:7"), ("", "''"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("$x", "'$x'")]
        {
            assert_eq!(quoted(text), wanted);
        }
    }
}
