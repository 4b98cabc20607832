//! Evaluates what a template's text, parameters and mappings tell; of the rest a mark is left.
//!
//! Knows: what intrinsics evaluate to (CloudFormation user guide, "Intrinsic function reference"). Must not know: task
//! definitions. A parameter with `NoEcho`, one of type `AWS::SSM::Parameter::Value` and a dynamic reference count as
//! unknown: the first is secret, the value of the others is fetched later.

use crate::intrinsic::{self, Piece};
use crate::symbols::{self, Symbols};
use ecs_sidecar_core::ids::{AccountId, Region};
use serde_json::{Map, Value, json};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

/// How deep evaluations may lead to others, so that a template that goes in circles ends.
const MOST_STEPS: usize = 60;

/// How many evaluations a template may take, so that names of names of names end too.
const MOST_EVALUATIONS: usize = 200_000;

/// The longest text that is put together, in bytes: what ECS takes for a whole definition. Texts of texts of texts end so.
const MOST_TEXT: usize = 65_536;

pub(crate) const ROLE: &str = "AWS::IAM::Role";
const REPOSITORY: &str = "AWS::ECR::Repository";

/// A template and what is known beside it.
pub(crate) struct Evaluator<'a> {
    pub(crate) template: &'a Value,
    /// Values of the template's parameters, as CloudFormation tells them.
    pub(crate) parameters: &'a Map<String, Value>,
    pub(crate) account: &'a AccountId,
    pub(crate) region: &'a Region,
    pub(crate) symbols: Symbols,
    pub(crate) known_conditions: RefCell<HashMap<String, Option<bool>>>,
    steps: Cell<usize>,
    evaluations: Cell<usize>,
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(
        template: &'a Value,
        parameters: &'a Map<String, Value>,
        account: &'a AccountId,
        region: &'a Region,
    ) -> Self {
        Self {
            template,
            parameters,
            account,
            region,
            symbols: Symbols::default(),
            known_conditions: RefCell::default(),
            steps: Cell::new(0),
            evaluations: Cell::new(0),
        }
    }

    /// A resource of the template.
    pub(crate) fn resource(&self, id: &str) -> Option<&'a Value> {
        self.template.get("Resources")?.get(id)
    }

    /// What a value comes to, with marks for what is not known. `None`: it is absent.
    pub(crate) fn value(&self, value: &Value) -> Option<Value> {
        match value {
            Value::String(text) => Some(Value::String(self.text(text))),
            Value::Array(items) => Some(Value::Array(items.iter().filter_map(|item| self.value(item)).collect())),
            Value::Object(members) => {
                if let Some((name, argument)) = intrinsic::of(value) {
                    return self.intrinsic(name, argument, value);
                }
                if intrinsic::is_mixed(value) {
                    return Some(self.unknown(value));
                }
                let known = members.iter().filter_map(|(key, member)| Some((key.clone(), self.value(member)?)));
                Some(Value::Object(known.collect()))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Some(value.clone()),
        }
    }

    fn unknown(&self, intrinsic: &Value) -> Value {
        Value::String(self.symbols.hold(intrinsic))
    }

    /// A text of the template, its parameters or mappings; what it refers to dynamically is not known.
    fn text(&self, text: &str) -> String {
        if symbols::is_open(text) {
            return self.symbols.hold(&text.into());
        }
        self.put_together(text)
    }

    /// A text that intrinsics made of others. What it refers to dynamically is not known, and may be a reference only now:
    /// people write `{{resolve:ssm:/${Stage}/image}}`.
    fn put_together(&self, text: &str) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("{{resolve:") {
            let Some((reference, behind)) = after.split_once("}}") else { break };
            out.push_str(before);
            let reference = self.symbols.restored(&format!("{{{{resolve:{reference}}}}}"));
            out.push_str(&self.symbols.hold(&reference));
            rest = behind;
        }
        out + rest
    }

    /// A scalar of a parameter or a mapping, as text.
    fn scalar(&self, value: &Value) -> Option<Value> {
        as_text(value)?.as_str().map(|text| self.text(text).into())
    }

    fn intrinsic(&self, name: &str, argument: &Value, whole: &Value) -> Option<Value> {
        if intrinsic::is_no_value(whole) {
            return None;
        }
        self.evaluations.set(self.evaluations.get() + 1);
        if self.steps.get() >= MOST_STEPS || self.evaluations.get() > MOST_EVALUATIONS {
            return Some(self.unknown(whole));
        }
        self.steps.set(self.steps.get() + 1);
        let known = self.known(name, argument);
        self.steps.set(self.steps.get() - 1);
        known.unwrap_or_else(|| Some(self.unknown(whole)))
    }

    /// What an intrinsic comes to, `Some(None)` for absence. `None`: nobody knows yet.
    fn known(&self, name: &str, argument: &Value) -> Option<Option<Value>> {
        let value = match name {
            "Fn::If" => return self.branch(argument).map(|branch| self.value(branch)),
            "Ref" => self.reference(argument.as_str()?),
            "Fn::GetAtt" => intrinsic::attribute(argument).and_then(|(id, attribute)| self.attribute(id, attribute)),
            "Fn::Sub" => self.substitute(argument),
            "Fn::Join" => self.join(argument),
            "Fn::Split" => self.split(argument),
            "Fn::Select" => self.select(argument),
            "Fn::FindInMap" => self.find_in_map(argument),
            _ => None,
        };
        value.map(Some)
    }

    /// The branch that `Fn::If` takes, if that can be said.
    pub(crate) fn branch<'v>(&self, argument: &'v Value) -> Option<&'v Value> {
        let [condition, yes, no] = argument.as_array()?.as_slice() else { return None };
        Some(if self.condition(condition.as_str()?)? { yes } else { no })
    }

    fn reference(&self, id: &str) -> Option<Value> {
        let partition = self.region.partition();
        match id {
            "AWS::Region" => return Some(self.region.as_str().into()),
            "AWS::AccountId" => return Some(self.account.as_str().into()),
            "AWS::Partition" => return Some(partition.name.into()),
            "AWS::URLSuffix" => return Some(partition.dns_suffix.into()),
            _ => {}
        }
        if let Some(declared) = self.template.get("Parameters").and_then(|all| all.get(id)) {
            return self.parameter(id, declared);
        }
        let resource = self.resource(id)?;
        match resource.get("Type")?.as_str()? {
            ROLE => Some(self.name_of(id, resource, "RoleName").into()),
            REPOSITORY => Some(self.name_of(id, resource, "RepositoryName").into()),
            _ => None,
        }
    }

    fn parameter(&self, id: &str, declared: &Value) -> Option<Value> {
        let kind = declared.get("Type").and_then(Value::as_str).unwrap_or("String");
        let is_secret = declared.get("NoEcho").is_some_and(|flag| flag == true || flag == "true");
        if is_secret || kind.starts_with("AWS::SSM::Parameter::Value<") {
            return None;
        }
        let value = self.parameters.get(id).or_else(|| declared.get("Default"))?;
        let is_list = kind == "CommaDelimitedList" || kind.starts_with("List<");
        if let Value::Array(items) = value {
            return Some(Value::Array(items.iter().map(|item| self.scalar(item)).collect::<Option<_>>()?));
        }
        if !is_list {
            return self.scalar(value);
        }
        let text = as_text(value)?;
        Some(text.as_str()?.split(',').map(|item| Value::from(self.text(item.trim()))).collect())
    }

    /// The name that a resource has or gets.
    pub(crate) fn name_of(&self, id: &str, resource: &Value, member: &str) -> String {
        let told = resource.get("Properties").and_then(|properties| properties.get(member));
        let made_up = || self.symbols.made_up(&json!({ "Ref": id }));
        match told.and_then(|name| self.value(name)) {
            Some(Value::String(name)) => name,
            Some(_) | None => made_up(),
        }
    }

    fn attribute(&self, id: &str, attribute: &str) -> Option<Value> {
        let resource = self.resource(id)?;
        match (resource.get("Type")?.as_str()?, attribute) {
            (ROLE, "Arn") => Some(self.role_arn(id, resource).into()),
            (REPOSITORY, "RepositoryUri") => {
                let host = format!("{}.dkr.ecr.{}.{}", self.account, self.region, self.region.partition().dns_suffix);
                Some(format!("{host}/{}", self.name_of(id, resource, "RepositoryName")).into())
            }
            _ => None,
        }
    }

    /// The ARN of a role of the template.
    pub(crate) fn role_arn(&self, id: &str, resource: &Value) -> String {
        let path = resource.get("Properties").and_then(|properties| properties.get("Path"));
        let path = path.and_then(|path| self.value(path)).and_then(|path| path.as_str().map(str::to_owned));
        let (path, name) = (path.unwrap_or_else(|| "/".to_owned()), self.name_of(id, resource, "RoleName"));
        format!("arn:{}:iam::{}:role{path}{name}", self.region.partition().name, self.account)
    }

    fn substitute(&self, argument: &Value) -> Option<Value> {
        let (text, variables) = match argument {
            Value::String(text) => (text.as_str(), None),
            Value::Array(parts) => (parts.first()?.as_str()?, parts.get(1)?.as_object()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
        };
        let mut out = String::new();
        for piece in intrinsic::pieces(text) {
            match piece {
                Piece::Text(text) => out.push_str(&self.text(text)),
                Piece::Variable(name) => {
                    let own = variables.and_then(|variables| variables.get(name)).cloned();
                    let value = own.unwrap_or_else(|| match name.split_once('.') {
                        Some((id, attribute)) => json!({ "Fn::GetAtt": [id, attribute] }),
                        None => json!({ "Ref": name }),
                    });
                    out.push_str(as_text(&self.value(&value)?)?.as_str()?);
                }
            }
            if out.len() > MOST_TEXT {
                return None;
            }
        }
        Some(self.put_together(&out).into())
    }

    fn join(&self, argument: &Value) -> Option<Value> {
        let delimiter = argument.get(0)?.as_str()?;
        let items = self.counted(argument.get(1)?)?;
        let texts = items.iter().map(as_text).collect::<Option<Vec<_>>>()?;
        let text = texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(delimiter);
        (text.len() <= MOST_TEXT).then(|| self.put_together(&text).into())
    }

    fn split(&self, argument: &Value) -> Option<Value> {
        let (delimiter, text) = (argument.get(0)?.as_str()?, self.value(argument.get(1)?)?);
        let text = text.as_str().filter(|text| !symbols::is_open(text))?;
        Some(text.split(delimiter).map(Value::from).collect())
    }

    fn select(&self, argument: &Value) -> Option<Value> {
        let index = as_text(&self.value(argument.get(0)?)?)?;
        let items = self.counted(argument.get(1)?)?;
        items.get(index.as_str()?.parse::<usize>().ok()?).cloned()
    }

    /// The items of a list of which it is known how many there are.
    fn counted(&self, list: &Value) -> Option<Vec<Value>> {
        let Value::Array(items) = self.value(list)? else { return None };
        let open = |item: &Value| item.as_str().is_some_and(|text| self.symbols.may_vanish(text));
        (!items.iter().any(open)).then_some(items)
    }

    fn find_in_map(&self, argument: &Value) -> Option<Value> {
        let [map, first, second] = argument.as_array()?.as_slice() else { return None };
        let key = |value: &Value| as_text(&self.value(value)?)?.as_str().map(str::to_owned);
        let value = self.template.get("Mappings")?.get(key(map)?)?.get(key(first)?)?.get(key(second)?)?;
        if let Value::Array(items) = value {
            return Some(Value::Array(items.iter().map(|item| self.scalar(item)).collect::<Option<_>>()?));
        }
        self.scalar(value)
    }
}

/// A scalar as the text that CloudFormation makes of it.
pub(crate) fn as_text(value: &Value) -> Option<Value> {
    match value {
        Value::String(_) => Some(value.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string().into()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluated(template: &Value, value: &Value) -> Option<Value> {
        let parameters = json!({ "List": "a, b", "Name": "n", "Number": 7 });
        let account = "111122223333".parse().expect("an account");
        let region = "eu-west-1".parse().expect("a Region");
        let evaluator = Evaluator::new(template, parameters.as_object().expect("an object"), &account, &region);
        evaluator.value(value)
    }

    fn template() -> Value {
        json!({
            "Parameters": {
                "List": { "Type": "CommaDelimitedList" },
                "Name": { "Type": "String" },
                "Number": { "Type": "Number" },
                "Late": { "Type": "AWS::SSM::Parameter::Value<String>", "Default": "x" },
                "Dynamic": { "Type": "String", "Default": "{{resolve:ssm:x}}" },
                "Secret": { "Type": "String", "NoEcho": "true", "Default": "x" },
            },
            "Conditions": {
                "Yes": { "Fn::Equals": [{ "Ref": "Number" }, "7"] },
                "Late": { "Fn::Equals": [{ "Ref": "Late" }, "x"] },
                "NotLate": { "Fn::Not": [{ "Condition": "Late" }] },
                "YesOrLate": { "Fn::Or": [{ "Condition": "Late" }, { "Condition": "Yes" }] },
                "YesAndLate": { "Fn::And": [{ "Condition": "Late" }, { "Condition": "Yes" }] },
                "Circle": { "Fn::Not": [{ "Condition": "Circle" }] },
            },
            "Mappings": { "M": { "eu-west-1": { "7": "seven", "list": ["x", "y"], "dynamic": "{{resolve:ssm:x}}" } } },
            "Resources": {
                "One": { "Type": ROLE, "Properties": { "RoleName": { "Fn::Sub": "${Two.Arn}${Two.Arn}" } } },
                "Two": { "Type": ROLE, "Properties": { "RoleName": { "Fn::Sub": "${One.Arn}${One.Arn}" } } },
            },
        })
    }

    #[test]
    fn what_the_template_tells_is_known() {
        for (value, expected) in [
            (json!({ "Fn::Sub": "${AWS::Partition}/${Name}/${!x}" }), json!("aws/n/${x}")),
            (json!({ "Fn::Sub": ["${a}-${Name}", { "a": { "Ref": "Number" } }] }), json!("7-n")),
            (json!({ "Fn::Join": ["-", { "Ref": "List" }] }), json!("a-b")),
            (json!({ "Fn::Select": ["1", { "Fn::Split": ["/", "p/q"] }] }), json!("q")),
            (json!({ "Fn::Select": [1, { "Ref": "List" }] }), json!("b")),
            (json!({ "Fn::FindInMap": ["M", { "Ref": "AWS::Region" }, { "Ref": "Number" }] }), json!("seven")),
            (json!({ "Fn::FindInMap": ["M", "eu-west-1", "list"] }), json!(["x", "y"])),
            (json!([{ "Fn::If": ["Yes", { "Ref": "AWS::NoValue" }, "no"] }, "z"]), json!(["z"])),
        ] {
            assert_eq!(evaluated(&template(), &value), Some(expected), "{value}");
        }
    }

    #[test]
    fn what_only_the_deployment_tells_is_a_mark() {
        for value in [
            json!({ "Ref": "Late" }),
            json!({ "Ref": "Secret" }),
            json!({ "Ref": "AWS::StackName" }),
            json!({ "Fn::ImportValue": "x" }),
            json!({ "Fn::GetAtt": ["Nothing", "Arn"] }),
            json!({ "Fn::Split": ["/", { "Ref": "Late" }] }),
            json!({ "Fn::Select": [5, { "Ref": "List" }] }),
            json!({ "Fn::If": ["Late", "a", "b"] }),
            json!({ "Name": "a", "Fn::Transform": {} }),
            json!("a {{resolve:ssm:x}}"),
            json!({ "Fn::Sub": "{{resolve:ssm:/${Name}/x}}" }),
            json!({ "Fn::Join": ["", ["{{resolve:ssm:/", { "Ref": "Name" }, "}}"]] }),
            json!({ "Ref": "Dynamic" }),
            json!({ "Fn::FindInMap": ["M", "eu-west-1", "dynamic"] }),
            json!({ "Fn::Select": [1, [{ "Fn::If": ["Late", "a", { "Ref": "AWS::NoValue" }] }, "b", "c"]] }),
            json!("\u{E000}0\u{E001}"),
        ] {
            let known = evaluated(&template(), &value).expect("not absent");
            assert!(symbols::holds_open(&known), "{value}");
        }
    }

    #[test]
    fn a_condition_is_known_as_far_as_its_operands_decide_it() {
        let holds = |name: &str| evaluated(&template(), &json!({ "Fn::If": [name, "yes", "no"] }));
        for (name, expected) in [("Yes", "yes"), ("YesOrLate", "yes")] {
            assert_eq!(holds(name), Some(json!(expected)), "{name}");
        }
        for name in ["Late", "NotLate", "YesAndLate", "Circle", "Nowhere"] {
            assert!(holds(name).is_some_and(|value| symbols::holds_open(&value)), "{name}");
        }
    }

    #[test]
    fn texts_of_texts_of_texts_end() {
        let doubled = |text| json!({ "Fn::Sub": ["${a}${a}", { "a": text }] });
        let long = (0..17).fold(json!("x"), |text, _| doubled(text));
        let known = evaluated(&template(), &long).expect("not absent");
        assert!(symbols::holds_open(&known) && known.to_string().len() < MOST_TEXT * 2);
        let joined = json!({ "Fn::Join": ["x".repeat(MOST_TEXT), ["a", "b"]] });
        assert!(evaluated(&template(), &joined).is_some_and(|text| symbols::holds_open(&text)));
    }

    #[test]
    fn names_that_go_in_circles_end() {
        assert!(evaluated(&template(), &json!({ "Ref": "One" })).is_some_and(|name| symbols::holds_open(&name)));
    }
}
