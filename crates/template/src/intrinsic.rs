//! The shapes of CloudFormation's intrinsics.
//!
//! Knows: which objects are intrinsics, and how `Fn::Sub` is written. Must not know: what any of them evaluates to.

use serde_json::Value;

/// The intrinsic's name and argument, if a value is one.
pub(crate) fn of(value: &Value) -> Option<(&str, &Value)> {
    let members = value.as_object()?;
    let (name, argument) = members.iter().next()?;
    (members.len() == 1 && is_name(name)).then_some((name.as_str(), argument))
}

/// Whether an object has members that are no properties, such as `Fn::Transform` beside others.
pub(crate) fn is_mixed(value: &Value) -> bool {
    value.as_object().is_some_and(|members| members.keys().any(|name| name.starts_with("Fn::")))
}

fn is_name(name: &str) -> bool {
    name == "Ref" || name.starts_with("Fn::")
}

/// Whether a value stands for absence.
pub(crate) fn is_no_value(value: &Value) -> bool {
    of(value).is_some_and(|(name, argument)| name == "Ref" && argument == "AWS::NoValue")
}

/// Whether a value stands for absence, or has a branch that does.
pub(crate) fn may_vanish(value: &Value) -> bool {
    let branches = of(value).filter(|(name, _)| *name == "Fn::If").and_then(|(_, argument)| argument.as_array());
    is_no_value(value) || branches.is_some_and(|parts| parts.iter().skip(1).any(may_vanish))
}

/// The resource and the attribute that `Fn::GetAtt` asks for, where both are literal.
pub(crate) fn attribute(argument: &Value) -> Option<(&str, &str)> {
    match argument {
        Value::String(text) => text.split_once('.'),
        Value::Array(parts) => match parts.as_slice() {
            [Value::String(resource), Value::String(attribute)] => Some((resource, attribute)),
            _ => None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// A piece of `Fn::Sub`'s text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// As it is.
    Text(&'a str),
    /// `${Name}`: a variable of its own, a parameter, a resource or an attribute.
    Variable(&'a str),
}

/// The pieces of `Fn::Sub`'s text; `${!x}` is the text `${x}`.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}') else { break };
        pieces.push(Piece::Text(before));
        match name.strip_prefix('!') {
            Some(_) => {
                pieces.push(Piece::Text("${"));
                pieces.push(Piece::Text(&after[1..=name.len()]));
            }
            None => pieces.push(Piece::Variable(name.trim())),
        }
        rest = behind;
    }
    pieces.push(Piece::Text(rest));
    pieces.retain(|piece| *piece != Piece::Text(""));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_of_one_member_is_an_intrinsic_by_its_name() {
        assert!(of(&json!({ "Ref": "A" })).is_some() && of(&json!({ "Fn::Sub": "a" })).is_some());
        assert!(of(&json!({ "Name": "a" })).is_none() && of(&json!({ "Ref": "A", "x": 1 })).is_none());
        assert!(is_mixed(&json!({ "Name": "a", "Fn::Transform": {} })));
    }

    #[test]
    fn a_substitution_is_cut_at_its_variables() {
        let text = "a${B}c${!D}${E.Arn}$";
        let pieces = pieces(text);
        let whole: String = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => (*text).to_owned(),
                Piece::Variable(name) => format!("<{name}>"),
            })
            .collect();
        assert_eq!(whole, "a<B>c${D}<E.Arn>$");
    }
}
