//! The roles of a template: which of them a definition names, and how they get policies.
//!
//! Knows: `AWS::IAM::Role`. Must not know: which policies are wanted. A role that the template does not make is the
//! operator's business; nothing here is done by API.

use crate::apply::taken;
use crate::evaluate::{Evaluator, ROLE};
use crate::{intrinsic, symbols};
use ecs_sidecar_core::ids::RoleRef;
use ecs_sidecar_core::observed::RoleState;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const MANAGED_POLICIES: &str = "ManagedPolicyArns";

/// A role of the template.
#[derive(Debug, Clone)]
pub(crate) struct TemplateRole {
    /// Logical id.
    pub(crate) id: String,
    /// Its ARN, with marks for what is not known of it.
    arn: String,
    name: String,
    attached: BTreeSet<String>,
}

/// The roles that the template makes.
pub(crate) fn of_template(evaluator: &Evaluator<'_>) -> Vec<TemplateRole> {
    let resources = evaluator.template.get("Resources").and_then(Value::as_object);
    let is_made = |resource: &Value| {
        let condition = resource.get("Condition").and_then(Value::as_str);
        resource.get("Type").is_some_and(|kind| kind == ROLE)
            && condition.and_then(|name| evaluator.condition(name)) != Some(false)
    };
    let roles = resources.into_iter().flatten().filter(|(_, resource)| is_made(resource));
    roles
        .map(|(id, resource)| {
            let policies = resource.get("Properties").and_then(|properties| properties.get(MANAGED_POLICIES));
            TemplateRole {
                id: id.clone(),
                arn: evaluator.role_arn(id, resource),
                name: evaluator.name_of(id, resource, "RoleName"),
                attached: policies.map(|policies| certain(evaluator, policies)).unwrap_or_default(),
            }
        })
        .collect()
}

/// The policies that are in a list whatever is decided at deployment.
fn certain(evaluator: &Evaluator<'_>, list: &Value) -> BTreeSet<String> {
    if let Some([yes, no]) = open_branches(evaluator, list) {
        return &certain(evaluator, yes) & &certain(evaluator, no);
    }
    match evaluator.value(list) {
        Some(Value::Array(items)) => items.iter().filter_map(|arn| arn.as_str().map(str::to_owned)).collect(),
        Some(_) => joined(evaluator, list).unwrap_or_default(),
        None => BTreeSet::new(),
    }
}

/// The policies that stand beside a list that is known only at deployment, where `add` or somebody else has put them.
fn joined(evaluator: &Evaluator<'_>, list: &Value) -> Option<BTreeSet<String>> {
    let parts = list.get("Fn::Split")?;
    let (delimiter, text) = (parts.get(0)?.as_str()?, evaluator.value(parts.get(1)?)?);
    let known = text.as_str()?.split(delimiter).filter(|arn| !symbols::is_open(arn)).map(str::to_owned);
    // A role that is given two policies has such a list in a list.
    let inner = parts.pointer("/1/Fn::Join/1/0/Fn::Join/1").map(|list| certain(evaluator, list));
    Some(known.chain(inner.unwrap_or_default()).collect())
}

/// The branches of an `Fn::If` of which nobody knows yet which one is taken.
fn open_branches<'v>(evaluator: &Evaluator<'_>, value: &'v Value) -> Option<[&'v Value; 2]> {
    let [_, yes, no] = value.get("Fn::If")?.as_array()?.as_slice() else { return None };
    taken(evaluator, value).is_none().then_some([yes, no])
}

/// The one that a definition names.
pub(crate) fn named<'a>(
    roles: &'a [TemplateRole],
    role: &RoleRef,
    evaluator: &Evaluator<'_>,
) -> Option<&'a TemplateRole> {
    let same = |one: &str, other: &str| evaluator.symbols.restored(one) == evaluator.symbols.restored(other);
    roles.iter().find(|made| same(&made.arn, role.as_str()) || same(&made.name, role.as_str()))
}

impl TemplateRole {
    /// What a plan is told of it.
    pub(crate) fn state(&self) -> RoleState {
        RoleState::Attached(self.attached.clone())
    }
}

/// Has a role's properties name one policy more, wherever they do not name it yet.
///
/// A list that is known only at deployment stays where it is, and is joined with the addition there.
pub(crate) fn attach(role: &mut Value, policy_arn: &str, evaluator: &Evaluator<'_>) {
    let Some(resource) = role.as_object_mut() else { return };
    let properties = resource.entry("Properties").or_insert_with(|| json!({}));
    let Some(properties) = properties.as_object_mut() else { return };
    add(properties.entry(MANAGED_POLICIES).or_insert_with(|| json!([])), policy_arn, evaluator);
}

fn add(list: &mut Value, policy_arn: &str, evaluator: &Evaluator<'_>) {
    if intrinsic::is_no_value(list) {
        *list = json!([policy_arn]);
        return;
    }
    // A branch of a condition may have it already, and CloudFormation takes no policy twice.
    if certain(evaluator, list).contains(policy_arn) {
        return;
    }
    if let Value::Array(items) = list {
        let addition = items.iter().find_map(|item| otherwise(item, policy_arn, evaluator));
        let addition = addition.unwrap_or_else(|| policy_arn.into());
        if !items.contains(&addition) {
            items.push(addition);
        }
        return;
    }
    let taken = taken(evaluator, list);
    match list.get_mut("Fn::If").and_then(Value::as_array_mut) {
        Some(parts) if parts.len() == 3 => {
            let wanted = |index: &usize| taken.is_none_or(|taken| taken == *index);
            [1, 2]
                .iter()
                .filter(|index| wanted(index))
                .for_each(|index| add(&mut parts[*index], policy_arn, evaluator));
        }
        Some(_) | None => {
            let joined = json!({ "Fn::Join": [",", list.take()] });
            *list = json!({ "Fn::Split": [",", { "Fn::Join": [",", [joined, policy_arn]] }] });
        }
    }
}

/// The policy for when an item is not it, if the deployment decides whether the item is.
fn otherwise(item: &Value, policy_arn: &str, evaluator: &Evaluator<'_>) -> Option<Value> {
    let [yes, no] = open_branches(evaluator, item)?;
    let is = |branch| evaluator.value(branch).is_some_and(|arn| arn == policy_arn);
    let (condition, absent) = (item.pointer("/Fn::If/0")?, json!({ "Ref": "AWS::NoValue" }));
    match (is(yes), is(no)) {
        (true, false) => Some(json!({ "Fn::If": [condition, absent, policy_arn] })),
        (false, true) => Some(json!({ "Fn::If": [condition, policy_arn, absent] })),
        (true, true) | (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> Value {
        json!({
            "Parameters": { "Late": { "Type": "AWS::SSM::Parameter::Value<String>", "Default": "x" } },
            "Conditions": {
                "Yes": { "Fn::Equals": ["a", "a"] },
                "Late": { "Fn::Equals": [{ "Ref": "Late" }, "a"] },
            },
        })
    }

    fn with_evaluator<T>(work: impl FnOnce(&Evaluator<'_>) -> T) -> T {
        let (template, parameters) = (template(), serde_json::Map::new());
        let account = "111122223333".parse().expect("an account");
        let region = "eu-west-1".parse().expect("a Region");
        work(&Evaluator::new(&template, &parameters, &account, &region))
    }

    fn attached(list: Value) -> Value {
        let mut role = json!({ "Type": ROLE, "Properties": { MANAGED_POLICIES: list } });
        with_evaluator(|evaluator| attach(&mut role, "p", evaluator));
        role["Properties"][MANAGED_POLICIES].clone()
    }

    #[test]
    fn a_policy_is_added_to_whatever_kind_of_list_there_is() {
        assert_eq!(attached(json!(["a"])), json!(["a", "p"]));
        assert_eq!(attached(json!({ "Ref": "AWS::NoValue" })), json!(["p"]));
        let either = |condition| json!({ "Fn::If": [condition, ["a"], { "Ref": "AWS::NoValue" }] });
        assert_eq!(attached(either("Yes")), json!({ "Fn::If": ["Yes", ["a", "p"], { "Ref": "AWS::NoValue" }] }));
        assert_eq!(attached(either("Late")), json!({ "Fn::If": ["Late", ["a", "p"], ["p"]] }));
        let list = json!({ "Ref": "List" });
        let joined = json!({ "Fn::Join": [",", list.clone()] });
        assert_eq!(attached(list), json!({ "Fn::Split": [",", { "Fn::Join": [",", [joined, "p"]] }] }));
        let mut bare = json!({ "Type": ROLE });
        with_evaluator(|evaluator| attach(&mut bare, "p", evaluator));
        assert_eq!(bare["Properties"], json!({ MANAGED_POLICIES: ["p"] }));
    }

    #[test]
    fn an_item_that_may_be_the_policy_is_completed() {
        let absent = || json!({ "Ref": "AWS::NoValue" });
        for (item, addition) in [
            (json!(["Late", "p", absent()]), json!(["Late", absent(), "p"])),
            (json!(["Late", absent(), { "Fn::Sub": "p" }]), json!(["Late", "p", absent()])),
        ] {
            let once = attached(json!(["a", { "Fn::If": item }]));
            assert_eq!(once, json!(["a", { "Fn::If": item }, { "Fn::If": addition }]));
            assert_eq!(attached(once.clone()), once);
        }
        let other = json!({ "Fn::If": ["Late", "a", "b"] });
        assert_eq!(attached(json!([other])), json!([other, "p"]));
    }

    #[test]
    fn a_branch_that_has_the_policy_gets_it_no_second_time() {
        let list = json!({ "Fn::If": ["Late", [{ "Fn::Sub": "p" }], ["a"]] });
        assert_eq!(attached(list), json!({ "Fn::If": ["Late", [{ "Fn::Sub": "p" }], ["a", "p"]] }));
        for list in [json!({ "Fn::If": ["Late", ["a"], ["b"]] }), json!({ "Ref": "Late" })] {
            let once = attached(list);
            assert_eq!(with_evaluator(|evaluator| certain(evaluator, &once)), BTreeSet::from(["p".to_owned()]));
            assert_eq!(attached(once.clone()), once);
        }
        with_evaluator(|evaluator| {
            let mut role = json!({ "Type": ROLE, "Properties": { MANAGED_POLICIES: { "Ref": "Late" } } });
            ["p", "q"].iter().for_each(|arn| attach(&mut role, arn, evaluator));
            let both = BTreeSet::from(["p".to_owned(), "q".to_owned()]);
            assert_eq!(certain(evaluator, &role["Properties"][MANAGED_POLICIES]), both);
        });
    }
}
