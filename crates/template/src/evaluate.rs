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
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(
        template: &'a Value,
        parameters: &'a Map<String, Value>,
        account: &'a AccountId,
        region: &'a Region,
    ) -> Self {
        let known_conditions = RefCell::default();
        Self {
            template,
            parameters,
            account,
            region,
            symbols: Symbols::default(),
            known_conditions,
            steps: Cell::new(0),
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

    /// A literal text; what it refers to dynamically is not known.
    fn text(&self, text: &str) -> String {
        if symbols::is_open(text) {
            return self.symbols.hold(&text.into());
        }
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("{{resolve:") {
            let Some((reference, behind)) = after.split_once("}}") else { break };
            out.push_str(before);
            out.push_str(&self.symbols.hold(&format!("{{{{resolve:{reference}}}}}").into()));
            rest = behind;
        }
        out + rest
    }

    fn intrinsic(&self, name: &str, argument: &Value, whole: &Value) -> Option<Value> {
        if intrinsic::is_no_value(whole) {
            return None;
        }
        if self.steps.get() >= MOST_STEPS {
            return Some(self.unknown(whole));
        }
        self.steps.set(self.steps.get() + 1);
        let known = match name {
            "Fn::If" => match self.branch(argument) {
                Some(branch) => {
                    let value = self.value(branch);
                    self.steps.set(self.steps.get() - 1);
                    return value;
                }
                None => None,
            },
            "Ref" => argument.as_str().and_then(|id| self.reference(id)),
            "Fn::GetAtt" => intrinsic::attribute(argument).and_then(|(id, attribute)| self.attribute(id, attribute)),
            "Fn::Sub" => self.substitute(argument),
            "Fn::Join" => self.join(argument),
            "Fn::Split" => self.split(argument),
            "Fn::Select" => self.select(argument),
            "Fn::FindInMap" => self.find_in_map(argument),
            _ => None,
        };
        self.steps.set(self.steps.get() - 1);
        Some(known.unwrap_or_else(|| self.unknown(whole)))
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
            return Some(Value::Array(items.iter().map(as_text).collect::<Option<_>>()?));
        }
        let text = as_text(value)?;
        let split = |text: &str| text.split(',').map(|item| Value::from(item.trim())).collect();
        Some(if is_list { split(text.as_str()?) } else { text })
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
        }
        Some(out.into())
    }

    fn join(&self, argument: &Value) -> Option<Value> {
        let delimiter = argument.get(0)?.as_str()?;
        let Value::Array(items) = self.value(argument.get(1)?)? else { return None };
        let texts = items.iter().map(as_text).collect::<Option<Vec<_>>>()?;
        Some(texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(delimiter).into())
    }

    fn split(&self, argument: &Value) -> Option<Value> {
        let (delimiter, text) = (argument.get(0)?.as_str()?, self.value(argument.get(1)?)?);
        let text = text.as_str().filter(|text| !symbols::is_open(text))?;
        Some(text.split(delimiter).map(Value::from).collect())
    }

    fn select(&self, argument: &Value) -> Option<Value> {
        let index = as_text(&self.value(argument.get(0)?)?)?;
        let Value::Array(items) = self.value(argument.get(1)?)? else { return None };
        items.get(index.as_str()?.parse::<usize>().ok()?).cloned()
    }

    fn find_in_map(&self, argument: &Value) -> Option<Value> {
        let [map, first, second] = argument.as_array()?.as_slice() else { return None };
        let key = |value: &Value| as_text(&self.value(value)?)?.as_str().map(str::to_owned);
        self.template.get("Mappings")?.get(key(map)?)?.get(key(first)?)?.get(key(second)?).cloned()
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
