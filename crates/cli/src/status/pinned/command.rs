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
    let aws = where_asked(region, asked);
    let to = json(&pin.written[1]);
    Some(match &pin.place {
        Place::Target { managed_by: Some(_), .. } => return None,
        Place::Target { bus, rule, target, managed_by: None } => {
            let rule = format!("--event-bus-name {} --rule {}", quoted(bus), quoted(rule));
            let moved = format!("select(.Id == {}) | .EcsParameters.TaskDefinitionArn = {to}", json(target));
            format!(
                "aws events list-targets-by-rule {rule}{aws} --output json |\n  jq {} |\n  \
                 aws events put-targets {rule}{aws} --targets file:///dev/stdin",
                quoted(&format!("[.Targets[] | {moved}]"))
            )
        }
        Place::Schedule { group, name, in_input } => {
            let moved = if *in_input {
                format!(".Target.Input |= (fromjson | {} | tojson)", renamed(pin))
            } else {
                format!(".Target.EcsParameters.TaskDefinitionArn = {to}")
            };
            // The AWS CLI reads this option twice, which standard input cannot be.
            format!(
                "aws scheduler update-schedule{aws} --cli-input-json \"$(\n  \
                 aws scheduler get-schedule --group-name {} --name {}{aws} --output json |\n  jq {})\"",
                quoted(group),
                quoted(name),
                quoted(&format!("{ONLY_READ} | {moved}"))
            )
        }
        Place::StateMachine { arn, .. } => {
            let machine = format!("--state-machine-arn {}", quoted(arn));
            format!(
                "aws stepfunctions describe-state-machine {machine}{aws} --output json |\n  jq {} |\n  \
                 aws stepfunctions update-state-machine {machine}{aws} --definition file:///dev/stdin",
                quoted(&format!(".definition | fromjson | {}", renamed(pin)))
            )
        }
    })
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

    #[test]
    fn aws_is_asked_where_it_was_asked() {
        let region: Region = "eu-west-1".parse().expect("a Region");
        let url = Some("http://127.0.0.1:1".to_owned());
        let asked = AwsArguments { profile: Some("my own".to_owned()), region: None, endpoint_url: url };
        let wanted = " --region eu-west-1 --profile 'my own' --endpoint-url http://127.0.0.1:1";
        assert_eq!(where_asked(&region, &asked), wanted);
    }
}
