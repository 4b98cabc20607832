//! What CloudFormation sends to a macro, and the two shapes of an answer.
//!
//! Knows: the contract (CloudFormation user guide, "Creating a CloudFormation macro definition"). Must not know: what
//! the macro does. The fragment is the whole template without its Transform section, every intrinsic in its long form.

use crate::template::Template;
use ecs_sidecar_core::ids::{AccountId, Region};
use serde_json::{Map, Value, json};

/// Why a request cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A member that the contract promises is not there, or of another type.
    #[error("the request has no usable {0}")]
    Missing(&'static str),
    /// The template gives the macro parameters.
    #[error("the macro takes no parameters, and the template gives it {0}")]
    Parameters(String),
    /// A whole number that would go back with other digits.
    #[error("the template has a number with more digits than can be kept, at {0}; write it as a text, in quotes")]
    Number(String),
}

/// From here on a number that is no integer of 64 bits has lost digits: 2 to the power of 53.
const LAST_EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads a request.
pub fn read(mut request: Value) -> Result<Template, Problem> {
    let parameters = request.get("params").and_then(Value::as_object);
    if let Some(names) = parameters.filter(|parameters| !parameters.is_empty()) {
        let names: Vec<&str> = names.keys().map(String::as_str).collect();
        return Err(Problem::Parameters(names.join(", ")));
    }
    let account: Option<AccountId> = text(&request, "accountId");
    let region: Option<Region> = text(&request, "region");
    let fragment = request.get_mut("fragment").map(Value::take).filter(Value::is_object);
    if let Some(at) = fragment.as_ref().and_then(inexact) {
        return Err(Problem::Number(at));
    }
    let parameters = match request.get_mut("templateParameterValues").map(Value::take) {
        Some(Value::Object(values)) => values,
        None | Some(Value::Null) => Map::new(),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            return Err(Problem::Missing("templateParameterValues"));
        }
    };
    Ok(Template {
        fragment: fragment.ok_or(Problem::Missing("fragment"))?,
        parameters,
        account: account.ok_or(Problem::Missing("accountId"))?,
        region: region.ok_or(Problem::Missing("region"))?,
    })
}

/// Where a whole number stands of which not all digits were read.
fn inexact(value: &Value) -> Option<String> {
    let below = |key: &str, value: &Value| inexact(value).map(|rest| format!("/{key}{rest}"));
    match value {
        Value::Number(number) => {
            let lost = number.is_f64() && number.as_f64().is_some_and(|number| number.abs() >= LAST_EXACT);
            lost.then(String::new)
        }
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| below(&index.to_string(), item)),
        Value::Object(members) => members.iter().find_map(|(key, member)| below(key, member)),
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}

fn text<T: std::str::FromStr>(request: &Value, name: &str) -> Option<T> {
    request.get(name)?.as_str()?.parse().ok()
}

/// CloudFormation's id of a request; empty if it has none.
pub fn id(request: &Value) -> String {
    request.get("requestId").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The answer with the template as it is to be deployed.
pub fn success(id: &str, fragment: Value) -> Value {
    json!({ "requestId": id, "status": "success", "fragment": fragment })
}

/// The answer that ends the deployment; the message is shown to whoever deploys.
pub fn failure(id: &str, message: &str) -> Value {
    json!({ "requestId": id, "status": "failure", "errorMessage": message })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Value {
        json!({
            "region": "eu-west-1",
            "accountId": "111122223333",
            "fragment": { "Resources": { "Queue": { "Type": "AWS::SQS::Queue" } } },
            "transformId": "111122223333::EcsSidecar",
            "params": {},
            "requestId": "1",
            "templateParameterValues": { "Stage": "live" },
        })
    }

    #[test]
    fn the_documented_request_is_read() {
        let template = read(request()).expect("a template");
        assert_eq!((template.account.as_str(), template.region.as_str()), ("111122223333", "eu-west-1"));
        assert_eq!(template.parameters["Stage"], "live");
        assert_eq!(template.fragment, request()["fragment"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        for name in ["region", "accountId", "fragment"] {
            let mut request = request();
            request[name] = json!(7);
            assert_eq!(read(request).err(), Some(Problem::Missing(name)));
        }
        let mut list = request();
        list["templateParameterValues"] = json!([]);
        assert_eq!(read(list).err(), Some(Problem::Missing("templateParameterValues")));
    }

    #[test]
    fn a_parameter_of_the_macro_is_refused_by_name() {
        let mut request = request();
        request["params"] = json!({ "Policy": "x", "Mode": "y" });
        let message = read(request).expect_err("refused").to_string();
        assert!(message.contains("takes no parameters") && message.contains("Policy, Mode"), "{message}");
    }

    #[test]
    fn numbers_come_back_as_they_were_sent_or_not_at_all() {
        let sent = |number: &str| {
            let text = request().to_string().replace("\"AWS::SQS::Queue\"", number);
            read(serde_json::from_str(&text).expect("JSON"))
        };
        for number in ["9.204938554384977", "0.0009522444552911937", "18446744073709551615", "-9007199254740993", "0.1"]
        {
            let made = sent(number).expect("a template").fragment.to_string();
            assert!(made.contains(&format!(":{number}}}")), "{number}: {made}");
        }
        let refused = sent("12345678901234567890123").expect_err("refused");
        assert_eq!(refused, Problem::Number("/Resources/Queue/Type".to_owned()));
    }

    #[test]
    fn whatever_is_sent_is_answered() {
        for sent in [json!(null), json!([]), json!("x"), json!({ "fragment": null }), json!({ "params": [1] })] {
            assert!(matches!(read(sent.clone()), Err(Problem::Missing(_))), "{sent}");
            assert_eq!(id(&sent), "");
        }
    }

    #[test]
    fn a_failure_has_no_fragment_and_says_why() {
        let answer = failure("1", "no");
        assert_eq!(answer, json!({ "requestId": "1", "status": "failure", "errorMessage": "no" }));
        assert_eq!(success("1", json!({}))["status"], "success");
    }
}
