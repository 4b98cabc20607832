//! What a transformation leaves alone. The fuzzing has this law as well (`fuzz/fuzz_targets/macro_request.rs`).

use serde_json::Value;

/// Everything that was there is there, in its place; lists may only have become longer, and sizes others.
pub(crate) fn keeps(before: &Value, after: &Value, at: &str) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in before {
                let at = format!("{at}/{key}");
                if !["/Cpu", "/Memory", "/ManagedPolicyArns"].iter().any(|end| at.ends_with(end)) {
                    keeps(value, after.get(key).unwrap_or_else(|| panic!("{at} is gone")), &at);
                }
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            assert!(before.len() <= after.len(), "{at}");
            before.iter().zip(after).for_each(|(before, after)| keeps(before, after, &format!("{at}[]")));
        }
        // What was absent by Ref AWS::NoValue.
        (Value::Object(_), Value::Array(_) | Value::String(_)) => {
            assert_eq!(before, &serde_json::json!({ "Ref": "AWS::NoValue" }), "{at}")
        }
        (before, after) => assert_eq!(before, after, "{at}"),
    }
}
