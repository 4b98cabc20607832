//! A task that runs to completion is never hurt: its sidecar does not keep it alive, does not fail it, and nothing of
//! the owner's waits for it unless somebody said so. Judged in what is registered, without the code that makes it.

use super::{GROWING, arbitrary, corpus, observed, parse, settings};
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::observed::ImageState;
use ecs_sidecar_core::plan::{Asked, Decision, Plan, plan};
use ecs_sidecar_core::policy::{PRESETS, Policy};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Seconds that a task may be held by a sidecar that does not heed its signal.
const LONGEST_STOP: u64 = 120;

/// What a policy may say of how the sidecar starts and ends, as lines of the preset and what stands in their place.
const HARD: [(&str, &str); 8] = [
    ("dependsOn: none", "dependsOn: START"),
    ("    essential: false\n", ""),
    ("essential: false", "essential: false\n    stopTimeout: 120"),
    ("essential: false", "essential: false\n    startTimeout: 120"),
    ("essential: false", "essential: false\n    healthCheck:\n      command: [CMD, /healthy]"),
    ("restartPolicy:\n      enabled: true", "restartPolicy:\n      enabled: false"),
    ("capacity: fit", "capacity: never"),
    ("logging: inherit", "logging: none"),
];

/// What no policy may say.
const TOO_HARD: [(&str, &str); 6] = [
    ("essential: false", "essential: true"),
    ("essential: false", "stopTimeout: 121"),
    ("essential: false", "dependsOn:\n      - containerName: web\n        condition: COMPLETE"),
    ("dependsOn: none", "dependsOn: SUCCESS"),
    ("dependsOn: none", "dependsOn: COMPLETE"),
    ("dependsOn: none", "dependsOn: HEALTHY"),
];

fn preset() -> &'static str {
    PRESETS.iter().find(|(name, _)| *name == "xray-daemon").expect("the preset").1
}

fn changed(from: &str, to: &str) -> String {
    assert!(preset().contains(from), "{from}");
    preset().replace(from, to)
}

/// Every preset, and the preset made as hard on a job as a policy may be.
fn policies() -> Vec<Policy> {
    let hard = HARD.iter().map(|(from, to)| changed(from, to));
    let texts = PRESETS.iter().map(|(_, text)| (*text).to_owned()).chain(hard);
    texts.map(|text| Policy::parse(&text).expect("a policy")).collect()
}

fn injected(source: &TaskDefinition, policy: &Policy) -> Plan {
    let mut settings = settings(Asked::Inject, GROWING);
    let mut policy = policy.clone();
    policy.spec.permissions = settings.policies.remove(0).spec.permissions;
    settings.policies.push(policy);
    let mut observed = observed(source.clone());
    let digest = format!("sha256:{}", "0a".repeat(32)).parse().expect("a digest");
    observed.image = ImageState::NotChecked(Some(digest));
    plan(&observed, &settings)
}

fn containers(definition: &TaskDefinition) -> Vec<Value> {
    let definition: Value = serde_json::from_str(definition.text()).expect("JSON");
    definition["containerDefinitions"].as_array().expect("containers").clone()
}

fn waits(app: &Value) -> Vec<Value> {
    app["dependsOn"].as_array().cloned().unwrap_or_default()
}

/// ECS takes a container for essential when nothing is said.
fn essential(containers: &[Value]) -> Vec<&Value> {
    containers.iter().filter(|one| one["essential"].as_bool().unwrap_or(true)).map(|one| &one["name"]).collect()
}

/// The law. Answers whether anything was injected.
fn hurts_no_job(source: &TaskDefinition, policy: &Policy) -> bool {
    let plan = injected(source, policy);
    if plan.decision != Decision::Inject {
        return false;
    }
    let (before, after) = (containers(source), containers(&plan.result));
    let name = json!(policy.container_name());
    let (sidecars, apps): (Vec<Value>, Vec<Value>) = after.iter().cloned().partition(|one| one["name"] == name);
    let [sidecar] = &sidecars[..] else { panic!("{} sidecars", sidecars.len()) };
    assert_eq!(sidecar["essential"], json!(false), "a task ends with its essential containers");
    for waiting in ["dependsOn", "links", "volumesFrom"] {
        assert_eq!(sidecar.get(waiting), None, "it waits for nobody");
    }
    let stop = sidecar.get("stopTimeout").map_or(Some(0), Value::as_u64);
    assert!(stop.is_some_and(|seconds| seconds <= LONGEST_STOP), "{stop:?}");

    assert_eq!(essential(&before), essential(&after), "what ends the task is what its owner said");
    let asks = policy.spec.application.depends_on == ecs_sidecar_core::policy::Dependency::Start;
    for app in &apps {
        let owners = before.iter().find(|one| one["name"] == app["name"]).map(waits).expect("an app of the source");
        for wait in waits(app).iter().filter(|wait| wait["containerName"] == name) {
            let start = wait["condition"] == json!("START");
            assert!(!["COMPLETE", "SUCCESS"].iter().any(|end| wait["condition"] == *end), "it would never start");
            assert!(owners.contains(wait) || asks && start, "{wait}");
        }
    }
    true
}

/// The definition with containers that wait for others, or for a container that is not there yet.
fn with_waits(text: &str, waits: &[(usize, usize, &str)]) -> TaskDefinition {
    let mut definition: Value = serde_json::from_str(text).expect("JSON");
    let containers = definition["containerDefinitions"].as_array_mut().expect("containers");
    let count = containers.len();
    for (from, to, condition) in waits {
        let to = if *to < count { format!("c{to}") } else { "xray-daemon".to_owned() };
        let app = containers[from % count].as_object_mut().expect("a container");
        let list = app.entry("dependsOn").or_insert(json!([])).as_array_mut().expect("a list");
        list.push(json!({ "containerName": to, "condition": condition }));
    }
    parse(&definition.to_string())
}

fn conditions() -> impl Strategy<Value = Vec<(usize, usize, &'static str)>> {
    let condition = prop::sample::select(&["START", "COMPLETE", "SUCCESS", "HEALTHY"][..]);
    prop::collection::vec((0..4_usize, 0..6_usize, condition), 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sidecar_hurts_a_job(text in arbitrary::texts(), waits in conditions(), policy in prop::sample::select(policies())) {
        hurts_no_job(&parse(&text), &policy);
        hurts_no_job(&with_waits(&text, &waits), &policy);
    }
}

#[test]
fn no_sidecar_hurts_a_job_that_others_wrote() {
    let definitions = corpus::definitions();
    for policy in policies() {
        let sources = definitions.iter().map(|(_, text)| TaskDefinition::parse(text).expect("a definition"));
        let count = sources.filter(|source| hurts_no_job(source, &policy)).count();
        assert!(definitions.is_empty() || count > 30, "{}: {count}", policy.name());
    }
}

#[test]
fn what_would_hurt_a_job_is_no_policy() {
    for (from, to) in TOO_HARD {
        assert!(Policy::parse(&changed(from, to)).is_err(), "{to}");
    }
}
