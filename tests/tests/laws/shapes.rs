//! Members of the right names and of any shape: nothing panics, and what is skipped stays as it is.

use super::{GROWING, inject, observed, settings};
use ecs_sidecar_core::check;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::keys::{container, nested, task};
use ecs_sidecar_core::normalize::canonical;
use ecs_sidecar_core::plan::{Asked, Decision, plan};
use ecs_sidecar_core::policy::Capacity;
use proptest::prelude::*;
use serde_json::{Map, Value};

/// Names that some part of the program looks for.
const NAMES: [&str; 20] = [
    nested::NAME,
    nested::VALUE,
    nested::KEY,
    nested::OPTIONS,
    nested::LOG_DRIVER,
    nested::CONTAINER_PORT,
    nested::CONTAINER_NAME,
    container::IMAGE,
    container::CPU,
    container::MEMORY,
    container::ENVIRONMENT,
    container::SECRETS,
    container::LINKS,
    container::PORT_MAPPINGS,
    container::DOCKER_LABELS,
    container::LOG_CONFIGURATION,
    container::DEPENDS_ON,
    container::HEALTH_CHECK,
    "ecs-sidecar/inject",
    "ecs-sidecar/receipt",
];

fn anything() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(&["", "awslogs", "bridge", "web", "true", "false", "512", "START"][..])
            .prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(&NAMES[..]), inner), 0..5).prop_map(|members| Value::Object(
                members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            )),
        ]
    })
}

fn members(names: &'static [&'static str]) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((prop::sample::select(names), anything()), 0..6)
        .prop_map(|members| members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_shape_of_any_member_is_too_odd(
        around in members(&task::REGISTRABLE),
        containers in prop::collection::vec(members(&container::KNOWN), 1..3),
    ) {
        let mut definition = around;
        definition.insert(task::CONTAINER_DEFINITIONS.to_owned(), containers.into_iter().map(Value::Object).collect());
        let Ok(definition) = TaskDefinition::parse(&Value::Object(definition).to_string()) else { return Ok(()) };
        check::check(&definition);
        canonical(&definition);
        for asked in [Asked::Standing, Asked::Inject, Asked::Remove] {
            let plan = plan(&observed(definition.clone()), &settings(asked, GROWING));
            if plan.decision == Decision::Skip {
                prop_assert_eq!(plan.result.text(), definition.text());
            }
        }
        let again = TaskDefinition::parse(definition.text()).expect("register form is register form");
        prop_assert_eq!(again.text(), definition.text());
        inject(&definition, Capacity::Never);
    }
}
