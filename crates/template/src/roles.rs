//! The roles of a template: which of them a definition names, and how they get policies.
//!
//! Knows: `AWS::IAM::Role`. Must not know: which policies are wanted. A role that the template does not make is the
//! operator's business; nothing here is done by API.

use crate::evaluate::{Evaluator, ROLE};
use crate::intrinsic;
use ecs_sidecar_core::ids::RoleRef;
use ecs_sidecar_core::observed::RoleState;
use serde_json::{Value, json};

const MANAGED_POLICIES: &str = "ManagedPolicyArns";

/// A role of the template.
#[derive(Debug, Clone)]
pub(crate) struct TemplateRole {
    /// Logical id.
    pub(crate) id: String,
    /// Its ARN, with marks for what is not known of it.
    arn: String,
    name: String,
    attached: Vec<String>,
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
            let attached = policies.and_then(|policies| evaluator.value(policies));
            let attached = attached.as_ref().and_then(Value::as_array).into_iter().flatten();
            TemplateRole {
                id: id.clone(),
                arn: evaluator.role_arn(id, resource),
                name: evaluator.name_of(id, resource, "RoleName"),
                attached: attached.filter_map(|arn| arn.as_str().map(str::to_owned)).collect(),
            }
        })
        .collect()
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
        RoleState::Attached(self.attached.iter().cloned().collect())
    }
}

/// Has a role's properties name one policy more. `branch` tells the branch that an `Fn::If` takes, if that can be said.
///
/// A list that is known only at deployment stays where it is, and is joined with the addition there.
pub(crate) fn attach(role: &mut Value, policy_arn: &str, branch: &dyn Fn(&Value) -> Option<usize>) {
    let Some(resource) = role.as_object_mut() else { return };
    let properties = resource.entry("Properties").or_insert_with(|| json!({}));
    let Some(properties) = properties.as_object_mut() else { return };
    add(properties.entry(MANAGED_POLICIES).or_insert_with(|| json!([])), policy_arn, branch);
}

fn add(list: &mut Value, policy_arn: &str, branch: &dyn Fn(&Value) -> Option<usize>) {
    if intrinsic::is_no_value(list) {
        *list = json!([policy_arn]);
        return;
    }
    if let Value::Array(items) = list {
        items.push(policy_arn.into());
        return;
    }
    let taken = branch(list);
    match list.get_mut("Fn::If").and_then(Value::as_array_mut) {
        Some(parts) if parts.len() == 3 => {
            let wanted = |index: &usize| taken.is_none_or(|taken| taken == *index);
            [1, 2].iter().filter(|index| wanted(index)).for_each(|index| add(&mut parts[*index], policy_arn, branch));
        }
        Some(_) | None => {
            let joined = json!({ "Fn::Join": [",", list.take()] });
            *list = json!({ "Fn::Split": [",", { "Fn::Join": [",", [joined, policy_arn]] }] });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attached(list: Value, taken: Option<usize>) -> Value {
        let mut role = json!({ "Type": ROLE, "Properties": { MANAGED_POLICIES: list } });
        attach(&mut role, "p", &|_| taken);
        role["Properties"][MANAGED_POLICIES].clone()
    }

    #[test]
    fn a_policy_is_added_to_whatever_kind_of_list_there_is() {
        assert_eq!(attached(json!(["a"]), None), json!(["a", "p"]));
        assert_eq!(attached(json!({ "Ref": "AWS::NoValue" }), None), json!(["p"]));
        let either = || json!({ "Fn::If": ["C", ["a"], { "Ref": "AWS::NoValue" }] });
        assert_eq!(attached(either(), Some(1)), json!({ "Fn::If": ["C", ["a", "p"], { "Ref": "AWS::NoValue" }] }));
        assert_eq!(attached(either(), None), json!({ "Fn::If": ["C", ["a", "p"], ["p"]] }));
        let list = json!({ "Ref": "List" });
        let joined = json!({ "Fn::Join": [",", list.clone()] });
        assert_eq!(attached(list, None), json!({ "Fn::Split": [",", { "Fn::Join": [",", [joined, "p"]] }] }));
        let mut bare = json!({ "Type": ROLE });
        attach(&mut bare, "p", &|_| None);
        assert_eq!(bare["Properties"], json!({ MANAGED_POLICIES: ["p"] }));
    }
}
