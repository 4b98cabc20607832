//! What CloudFormation sends to a macro, and the two shapes of an answer.
//!
//! Knows: the contract (CloudFormation user guide, "Creating a CloudFormation macro definition"). Must not know: what
//! the macro does. The fragment is the whole template without its Transform section, every intrinsic in its long form.

use ecs_sidecar_core::ids::{AccountId, Region};
use ecs_sidecar_template::Template;
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
}

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
    fn a_failure_has_no_fragment_and_says_why() {
        let answer = failure("1", "no");
        assert_eq!(answer, json!({ "requestId": "1", "status": "failure", "errorMessage": "no" }));
        assert_eq!(success("1", json!({}))["status"], "success");
    }
}
