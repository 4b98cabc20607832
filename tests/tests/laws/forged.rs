//! Receipts that nobody wrote honestly: whatever a label says, the plan stands, and no role is set by it.

use super::labels::{no_role_is_set, patched, with_label};
use super::{GROWING, preset};
use ecs_sidecar_core::names;
use proptest::prelude::*;
use serde_json::Value;

fn honest() -> Value {
    let patched = patched(&preset(GROWING));
    let label =
        patched["containerDefinitions"][1]["dockerLabels"][names::RECEIPT].as_str().expect("a label").to_owned();
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_forged_entry_sets_no_role_and_breaks_nothing(label in forged()) {
        let policy = preset(GROWING);
        no_role_is_set(&with_label(&patched(&policy), &label), &policy);
    }

    #[test]
    fn any_text_as_a_label_breaks_nothing(label in "\\PC{0,80}") {
        let policy = preset(GROWING);
        no_role_is_set(&with_label(&patched(&policy), &label), &policy);
    }
}
