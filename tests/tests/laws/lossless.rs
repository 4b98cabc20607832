//! Nothing outside the edits changes: told without the code that makes the edits.

use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::json::Value;
use ecs_sidecar_core::plan::Plan;

/// Every member of the source stands in the result with the same bytes and in the same order, but for those that an
/// edit names; a list that an edit adds to begins with what it held.
pub(crate) fn assert_nothing_else_changed(source: &TaskDefinition, plan: &Plan) {
    let edited: Vec<String> = plan.edits.iter().map(|edit| edit.path.to_string()).collect();
    for (name, value) in source.root().members() {
        let result = plan.result.root().members().find(|(key, _)| *key == name);
        let (_, result) = result.unwrap_or_else(|| panic!("{name} is gone"));
        if name == "containerDefinitions" {
            containers(value, result, &edited);
        } else if !edited.contains(&name.to_string()) {
            assert_eq!(value.raw(), result.raw(), "{name}");
        }
    }
    let order = |definition: &TaskDefinition| -> Vec<String> {
        definition.root().members().map(|(key, _)| key.into_owned()).collect()
    };
    assert!(order(&plan.result).starts_with(&order(source)), "the order of members");
}

fn containers(source: Value<'_>, result: Value<'_>, edited: &[String]) {
    assert_eq!(result.items().len(), source.items().len() + 1, "just one container is added");
    for (before, after) in source.items().zip(result.items()) {
        let name = before.get("name").and_then(Value::as_str).expect("a name").into_owned();
        for (key, value) in before.members() {
            let here = format!("containerDefinitions[{name}].{key}[");
            let (_, now) = after.members().find(|(found, _)| *found == key).unwrap_or_else(|| panic!("{key} is gone"));
            if edited.iter().any(|path| path.starts_with(&here)) {
                let kept = value.items().zip(now.items()).all(|(old, new)| old.raw() == new.raw());
                assert!(kept && now.items().len() > value.items().len(), "{here}");
            } else {
                assert_eq!(value.raw(), now.raw(), "{name}.{key}");
            }
        }
        let added = after.members().skip(before.members().count());
        for (key, _) in added {
            let here = format!("containerDefinitions[{name}].{key}[");
            assert!(edited.iter().any(|path| path.starts_with(&here)), "{name}.{key} came from nowhere");
        }
    }
}
