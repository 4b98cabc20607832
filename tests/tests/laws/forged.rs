//! Receipts that nobody wrote honestly: whatever a label says, the plan stands, and no role is set by it.

use super::{GROWING, inject, observed, parse, settings};
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::names;
use ecs_sidecar_core::plan::{Asked, plan};
use ecs_sidecar_core::policy::Capacity;
use proptest::prelude::*;
use serde_json::{Value, json};

const OWN_ROLE: &str = "arn:aws:iam::111122223333:role/app/web";

/// A patched definition with room for a label.
fn patched() -> Value {
    let source = json!({
        "family": "web",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "taskRoleArn": OWN_ROLE,
        "executionRoleArn": OWN_ROLE,
        "containerDefinitions": [{ "name": "web", "image": "web:1", "memory": 512, "environment": [{ "name": "A", "value": "b" }] }],
    });
    let plan = inject(&parse(&source.to_string()), GROWING);
    serde_json::from_str(plan.result.text()).expect("JSON")
}

fn with_label(label: &str) -> TaskDefinition {
    let mut definition = patched();
    definition["containerDefinitions"][1]["dockerLabels"][names::RECEIPT] = label.into();
    parse(&definition.to_string())
}

fn honest() -> Value {
    let label =
        patched()["containerDefinitions"][1]["dockerLabels"][names::RECEIPT].as_str().expect("a label").to_owned();
    serde_json::from_str(&label).expect("JSON")
}

fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("\"\\ud800\"".to_owned()),
        Just("\"arn:aws:iam::111122223333:role/admin\"".to_owned()),
        Just("\"1 vCPU\"".to_owned()),
        Just("{\"name\":\"web\"}".to_owned()),
        Just("[[[[]]]]".to_owned()),
        any::<u64>().prop_map(|number| number.to_string()),
        "\\PC{0,12}".prop_map(|text| Value::from(text).to_string()),
    ]
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(
            &[
                "cpu",
                "memory",
                "taskRoleArn",
                "executionRoleArn",
                "networkMode",
                "tags[a]",
                "containerDefinitions",
                "containerDefinitions[web]",
                "containerDefinitions[web].image",
                "containerDefinitions[web].environment[A]",
                "containerDefinitions[xray-daemon]",
                "containerDefinitions[xray-daemon].dockerLabels[x]",
                "",
                "[",
                "a..b",
            ][..]
        )
        .prop_map(str::to_owned),
        "\\PC{0,20}",
    ]
}

/// A label with one more entry, of anything.
fn forged() -> impl Strategy<Value = String> {
    let entry = (path(), prop::option::of(fragment()), fragment(), any::<bool>());
    (entry, any::<bool>()).prop_map(|((path, before, after, made_list), first)| {
        let before = before.map(|before| format!("\"before\":{before},")).unwrap_or_default();
        let path = Value::from(path);
        let entry = format!("{{\"path\":{path},{before}\"after\":{after},\"madeList\":{made_list}}}");
        let receipt = honest();
        let honest = receipt["edits"].as_array().expect("edits").iter().map(ToString::to_string);
        let mut edits: Vec<String> = honest.collect();
        edits.insert(if first { 0 } else { edits.len() }, entry);
        let rest = receipt.to_string();
        let begin = rest.split("\"edits\":").next().expect("a beginning").to_owned();
        format!("{begin}\"edits\":[{}]}}", edits.join(","))
    })
}

fn no_role_is_set(definition: &TaskDefinition) {
    for asked in [Asked::Standing, Asked::Inject, Asked::Remove] {
        for capacity in [Capacity::Fit, GROWING] {
            let plan = plan(&observed(definition.clone()), &settings(asked, capacity));
            for role in plan.result.task_role().into_iter().chain(plan.result.execution_role()) {
                assert_eq!(role.as_str(), OWN_ROLE, "a receipt must not set a role");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_forged_entry_sets_no_role_and_breaks_nothing(label in forged()) {
        no_role_is_set(&with_label(&label));
    }

    #[test]
    fn any_text_as_a_label_breaks_nothing(label in "\\PC{0,80}") {
        no_role_is_set(&with_label(&label));
    }
}
