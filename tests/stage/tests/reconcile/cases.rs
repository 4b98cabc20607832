//! The cases once more, through the function's own code: a definition is registered, and the family reconciled.

use ecs_sidecar_aws::{Deadline, ReconcileAction, Urgency, settings};
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::receipt::{self, Receipt};
use ecs_sidecar_stage::stage::{self, Stage, parsed};
use ecs_sidecar_tests::World;
use ecs_sidecar_tests::cases::{self, AskedWord, Case, ImageTold, RoleTold, Seen};

/// Whether a world can be arranged for the case: a person's wish to remove cannot be told to the operator, and what
/// was seen of the past (withdrawals, who registered) has tests of its own.
fn can_be_arranged(case: &Case) -> bool {
    let seen = &case.told.observed;
    let image = seen.image.clone().filter(|told| !matches!(told, ImageTold::Word(word) if word != "refused"));
    let past = Seen { image, task_role: None, execution_role: None, ..seen.clone() } != Seen::default();
    let refused = [&seen.task_role, &seen.execution_role].iter().any(|role| matches!(role, Some(RoleTold::Word(_))));
    let has_receipt = case.definition().containers().any(receipt::is_injected);
    case.told.asked != AskedWord::Remove
        && !past
        && !refused
        && !has_receipt
        // Whoever can look need not be told.
        && case.told.expect.reason.as_deref() != Some("imageDigestUnknown")
}

/// The function's variables that say what the case says. Asking by hand is opting in, so there the mode is for all.
fn variables(case: &Case) -> Vec<(&'static str, String)> {
    let told = &case.told;
    let preset = ecs_sidecar_core::policy::PRESETS[0].1.to_owned();
    let policy = case.policy_file().map_or(preset, |file| std::fs::read_to_string(file).unwrap());
    let policy = match told.asked {
        AskedWord::Inject => policy.replace("mode: optIn", "mode: optOut"),
        AskedWord::Standing | AskedWord::Remove => policy,
    };
    let list = |items: &Option<Vec<String>>| items.as_ref().map_or_else(|| "*".to_owned(), |items| items.join(","));
    vec![
        (settings::POLICY, policy),
        (settings::ALLOWED_ROLES, list(&told.bounds.roles)),
        (settings::ALLOWED_UPSTREAMS, list(&told.bounds.upstreams)),
        (settings::ALLOWED_POLICY_ARNS, list(&told.bounds.policy_arns)),
        (settings::EXECUTION_POLICY_ARN, told.execution_policy_arn.clone().unwrap_or_default()),
        (settings::DEFAULT_TASK_ROLE_ARN, told.defaults.task_role.clone().unwrap_or_default()),
        (settings::DEFAULT_EXECUTION_ROLE_ARN, told.defaults.execution_role.clone().unwrap_or_default()),
        (settings::TRUST_INSTANCE_ROLE, told.defaults.trust_instance_role.to_string()),
        (settings::CACHE, told.bounds.cache.clone().unwrap_or_else(|| "create".to_owned())),
    ]
}

/// Roles, policies and image as the case has them; where it says nothing, nothing is missing.
fn arrange(world: &World, case: &Case) {
    let seen = &case.told.observed;
    world.add_policy("ecs-sidecar-pull");
    let definition = case.definition();
    let defaults = [&case.told.defaults.task_role, &case.told.defaults.execution_role];
    let defaults = defaults.into_iter().flatten().map(|arn| ecs_sidecar_core::ids::RoleRef::new(arn));
    for role in definition.task_role().into_iter().chain(definition.execution_role()).chain(defaults) {
        world.add_role(role.path_and_name());
    }
    let attach = |role: Option<ecs_sidecar_core::ids::RoleRef>, told: &Option<RoleTold>, usual: &[&str]| {
        let told = match told {
            Some(RoleTold::Attached(arns)) => arns.clone(),
            Some(RoleTold::Word(_)) | None => usual.iter().map(|arn| (*arn).to_owned()).collect(),
        };
        role.iter().for_each(|role| told.iter().for_each(|arn| world.attach(role.name(), arn)));
    };
    attach(definition.task_role(), &seen.task_role, &[stage::TRACES]);
    attach(definition.execution_role(), &seen.execution_role, &[]);
    if seen.image != Some(ImageTold::Word("missing".to_owned())) {
        world.add_image(stage::IMAGE, "3.x");
    }
    let text: serde_json::Value = serde_json::from_str(definition.text()).unwrap();
    let apps = text["containerDefinitions"].as_array().cloned().unwrap_or_default();
    let groups = apps.iter().filter_map(|app| app["logConfiguration"]["options"]["awslogs-group"].as_str());
    groups.chain(["/sidecars"]).for_each(|group| world.add_log_group(group));
}

/// What a receipt says was done, whoever did it and to which revision.
fn done(definition: &TaskDefinition) -> Option<(String, Vec<(String, String)>)> {
    let Receipt { digest, edits, .. } = receipt::read(definition).unwrap()?;
    Some((digest.to_string(), edits.iter().map(|entry| (entry.path.clone(), entry.after.get().to_owned())).collect()))
}

#[tokio::test]
async fn the_function_decides_each_case_as_the_program_does() {
    let mut ridden = 0;
    for case in cases::all().iter().filter(|case| can_be_arranged(case)) {
        let variables = variables(case);
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let bare = Stage::bare(&variables);
        arrange(&bare.world, case);
        // What ECS refuses to register cannot be reconciled either.
        if bare.world.register(case.definition().text()).is_err() {
            continue;
        }
        ridden += 1;
        let family = case.definition().family().unwrap().parse().unwrap();
        let report = bare
            .reconciler
            .reconcile(&family, ReconcileAction::Reconcile, Urgency::Event, Deadline::none())
            .await
            .unwrap();
        let expected = &case.told.expect;
        let told = (report.decision.label(), report.reason.map(|reason| reason.label()));
        assert_eq!(told, (expected.decision.as_str(), expected.reason.as_deref()), "{}: {}", case.name, report.message);
        let newest = parsed(&bare.world.newest_active("web").unwrap());
        let wanted = case.result().map(|result| TaskDefinition::parse(&result).unwrap());
        assert_eq!(done(&newest), wanted.as_ref().and_then(done), "{}", case.name);
    }
    assert!(ridden >= 35, "only {ridden} cases");
}
