//! Runs every case through the plan. A folder is a test; `UPDATE_CASES=1` writes `result.json` anew, to be read.

use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::explain::{Verdict, explain};
use ecs_sidecar_core::plan::{Decision, Plan, Settings, plan};
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_tests::cases::{self, Case};
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::BTreeSet;

fn main() {
    let cases = cases::all();
    let mut trials = vec![Trial::test("every_reason_that_a_plan_can_have_has_a_case", every_reason)];
    trials.extend(cases.into_iter().map(|case| Trial::test(case.name.clone(), move || run(&case))));
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn run(case: &Case) -> Result<(), Failed> {
    let settings = case.settings();
    let mut observed = case.observed();
    if case.told.observed.withdrawn {
        observed.withdrawn.extend(plan(&observed, &settings).digest);
    }
    let plan = plan(&observed, &settings);
    let expected = &case.told.expect;
    assert_eq!(plan.decision.label(), expected.decision, "{:?}: {}", plan.reason, plan.message);
    assert_eq!(plan.reason.map(Reason::label), expected.reason.as_deref(), "{}", plan.message);
    let grants: Vec<String> =
        plan.grants.iter().map(|grant| format!("{} {}", grant.role.name(), grant.policy_arn)).collect();
    assert_eq!(grants, expected.grants);
    let fetch = plan.fetch.as_ref().map(|fetch| {
        let architectures: Vec<String> = fetch.architectures.iter().map(ToString::to_string).collect();
        let rule = fetch.rule.as_ref().map(|rule| format!(", making rule {}", rule.prefix)).unwrap_or_default();
        format!("{} for {}{rule}", fetch.repository, architectures.join(" and "))
    });
    assert_eq!(fetch, expected.fetch);
    assert_eq!(plan.log_group.as_ref().map(|group| &group.name), expected.log_group.as_ref());
    agrees(&plan, &case.definition(), &settings);
    let result = plan.result.text();
    if plan.decision.registers() {
        if std::env::var_os("UPDATE_CASES").is_some() {
            std::fs::write(case.folder.join("result.json"), result)?;
        }
        assert_eq!(Some(result), case.result().as_deref(), "result.json is stale");
    } else {
        assert_eq!(result, case.definition().text(), "what is not registered stays as it is");
        assert_eq!(case.result(), None, "result.json is an orphan");
    }
    for text in &case.told.absent {
        assert!(!result.contains(text), "{text} must not appear");
    }
    for text in &case.told.present {
        assert!(result.contains(text), "{text} must appear");
    }
    Ok(())
}

/// What is explained of the choice is what the plan made of it.
fn agrees(plan: &Plan, definition: &TaskDefinition, settings: &Settings) {
    let explained = explain(definition, settings);
    let wanted = match plan.decision {
        Decision::Inject | Decision::Update | Decision::UpToDate | Decision::Fetch => {
            assert_eq!((&explained.winner, explained.reason), (&plan.policy, None));
            Verdict::Sidecar
        }
        Decision::Remove => {
            assert_eq!(explained.reason, plan.reason);
            Verdict::Removed
        }
        Decision::Skip if explained.verdict == Verdict::LeftAlone => {
            assert_eq!((explained.reason, &explained.message), (plan.reason, &plan.message));
            Verdict::LeftAlone
        }
        // Something else is in the way, which is not the choice's to know.
        Decision::Skip | Decision::Withdraw => explained.verdict,
    };
    assert_eq!(explained.verdict, wanted, "{explained:?}");
}

/// Reasons that only acting on a plan can bring; the tests of the shell give those.
const ONLY_IN_ACTING: [Reason; 20] = [
    Reason::Paused,
    Reason::BeingReconciled,
    Reason::Paced,
    Reason::Throttled,
    Reason::NoActiveRevision,
    Reason::RolePolicyLimit,
    Reason::RoleNotModifiable,
    Reason::PolicyNotAttachable,
    Reason::PermissionDenied,
    Reason::RegistrationRefused,
    Reason::FieldRefused,
    Reason::RequiresMore,
    Reason::ImageWarming,
    Reason::ImageNotFetched,
    Reason::ImageNotUpstream,
    Reason::ImageCorrupt,
    Reason::RegistryThrottled,
    Reason::CacheRuleLimit,
    Reason::CacheRuleRefused,
    Reason::LogGroupRefused,
];

fn every_reason() -> Result<(), Failed> {
    let given: BTreeSet<String> = cases::all().into_iter().filter_map(|case| case.told.expect.reason).collect();
    let wanted = Reason::ALL.iter().filter(|reason| !ONLY_IN_ACTING.contains(reason));
    let without: Vec<&str> = wanted.map(|reason| reason.label()).filter(|label| !given.contains(*label)).collect();
    assert!(without.is_empty(), "no case gives {without:?}");
    Ok(())
}
