//! The plain ride, and that it is not ridden twice.

use ecs_sidecar_aws::{Deadline, ReconcileAction, Urgency, settings};
use ecs_sidecar_core::plan::Decision;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::{normalize, receipt};
use ecs_sidecar_stage::stage::{LOOK, Stage, TRACES, lines, parsed, web, web_on_instances};

#[tokio::test]
async fn a_family_that_asks_gets_its_sidecar_its_grants_and_keeps_everything_else() {
    let stage = Stage::with_web();
    let before = parsed(&stage.world.newest_active("web").unwrap());
    let report = stage.reconcile().await;
    assert_eq!((report.decision, report.outcome), (Decision::Inject, "registered"), "{report:?}");
    assert!(report.notes.is_empty(), "{:?}", report.notes);
    let writes = ["AttachRolePolicy web", "AttachRolePolicy execution", "RegisterTaskDefinition web"];
    assert_eq!(stage.take_calls(), lines(&LOOK, &writes));
    assert_eq!(stage.world.attached("web"), [TRACES]);
    assert_eq!(stage.world.attached("execution"), [stage.execution_policy.as_str()]);
    stage.assert_newest_patches(1);
    let after = parsed(&stage.world.newest_active("web").unwrap());
    assert_eq!(after.containers().len(), 2);
    assert!(after.text().contains("futureMember"), "a member that nobody knows was lost");
    let undone = receipt::undo(&after).unwrap().unwrap().source;
    assert_eq!(normalize::canonical(&undone), normalize::canonical(&before));
}

#[tokio::test]
async fn up_to_date_is_two_calls_warm_and_nine_cold_and_no_write() {
    let stage = Stage::with_patched_web().await;
    let report = stage.reconcile().await;
    assert_eq!((report.decision, report.outcome), (Decision::UpToDate, "nothing"), "{report:?}");
    assert_eq!(stage.take_calls(), lines(&LOOK[..2], &[]));
    let family = "web".parse().unwrap();
    stage.another().reconcile(&family, ReconcileAction::Reconcile, Urgency::Event, Deadline::none()).await.unwrap();
    assert_eq!(stage.take_calls(), lines(&LOOK, &[]));
    assert_eq!(stage.active(), [1, 2]);
}

#[tokio::test]
async fn a_family_that_does_not_ask_costs_two_reads() {
    let stage = Stage::new();
    stage.world.register(&web("1").replace("ecs-sidecar/inject", "team")).unwrap();
    let report = stage.reconcile().await;
    assert_eq!((report.decision, report.reason), (Decision::Skip, Some(Reason::NotRequested)));
    assert_eq!(stage.take_calls(), lines(&LOOK[..2], &[]));
}

#[tokio::test]
async fn a_plan_and_an_audit_report_and_write_nothing() {
    let stage = Stage::with_web();
    let family = "web".parse().unwrap();
    let report =
        stage.reconciler.reconcile(&family, ReconcileAction::Plan, Urgency::Event, Deadline::none()).await.unwrap();
    assert_eq!((report.decision, report.outcome), (Decision::Inject, "planned"));
    assert_eq!(report.grants.len(), 2);
    assert_eq!(stage.take_calls(), lines(&LOOK, &[]));

    let stage = Stage::with(&[(settings::MODE, "audit")]);
    stage.world.register(&web("1")).unwrap();
    let report = stage.reconcile().await;
    assert_eq!((report.decision, report.outcome), (Decision::Inject, "planned"));
    assert_eq!(stage.take_calls(), lines(&LOOK, &[]));
}

#[tokio::test]
async fn a_family_without_an_active_revision_is_no_error() {
    let stage = Stage::new();
    let report = stage.reconcile().await;
    assert_eq!((report.decision, report.outcome), (Decision::Skip, "nothing"));
    stage.world.register(&web("1")).unwrap();
    stage.world.deregister("web:1").unwrap();
    let report = stage.reconcile().await;
    assert_eq!((report.decision, report.outcome), (Decision::Skip, "nothing"));
    assert!(stage.take_calls().iter().all(|line| line.starts_with("DescribeTask") || line.starts_with("ListTask")));
}

#[tokio::test]
async fn an_opt_out_takes_the_sidecar_away() {
    let stage = Stage::with_patched_web().await;
    let patched = parsed(&stage.world.newest_active("web").unwrap());
    stage.world.register(&patched.text().replace("\"value\":\"true\"", "\"value\":\"false\"")).unwrap();
    let report = stage.reconcile().await;
    assert_eq!((report.decision, report.reason), (Decision::Remove, Some(Reason::OptedOut)), "{report:?}");
    let newest = parsed(&stage.world.newest_active("web").unwrap());
    assert_eq!((newest.containers().len(), report.outcome), (1, "registered"));
    stage.world.forget_calls();
    assert_eq!(stage.reconcile().await.decision, Decision::Skip);
    // Nothing in it says what it was made of, so that has to be looked at.
    assert_eq!(stage.take_calls(), lines(&LOOK[..2], &["DescribeTaskDefinition web:3"]));
}

#[tokio::test]
async fn on_instances_up_to_date_is_one_call_more() {
    let stage = Stage::new();
    stage.world.register(&web_on_instances()).unwrap();
    stage.reconcile().await;
    stage.world.forget_calls();
    assert_eq!(stage.reconcile().await.decision, Decision::UpToDate);
    assert_eq!(stage.take_calls(), lines(&LOOK[..2], &["DescribeTaskDefinition web:1"]));
}

/// Also in a function that is never idle: looking again at what is remembered does not renew it.
#[tokio::test(start_paused = true)]
async fn what_roles_have_is_remembered_for_a_quarter_of_an_hour() {
    let minutes = |minutes: u64| tokio::time::advance(std::time::Duration::from_secs(60 * minutes));
    let stage = Stage::with_patched_web().await;
    minutes(10).await;
    stage.reconcile().await;
    assert_eq!(stage.take_calls(), lines(&LOOK[..2], &[]));
    stage.world.add_role("app/web");
    minutes(6).await;
    assert_eq!(stage.reconcile().await.outcome, "granted");
    assert_eq!(stage.world.attached("web"), [TRACES]);
}

#[tokio::test]
async fn grants_alone_are_told_as_such() {
    let stage = Stage::with_patched_web().await;
    stage.world.add_role("app/web");
    let family = "web".parse().unwrap();
    let planned =
        stage.another().reconcile(&family, ReconcileAction::Plan, Urgency::Event, Deadline::none()).await.unwrap();
    assert_eq!((planned.decision, planned.outcome), (Decision::UpToDate, "planned"));
    let report = stage.reconcile_afresh().await;
    assert_eq!((report.decision, report.outcome), (Decision::UpToDate, "granted"));
    let [grant] = report.grants.as_slice() else { panic!("{:?}", report.grants) };
    assert_eq!(grant.policy_arn, TRACES);
    assert_eq!(stage.reconcile_afresh().await.outcome, "nothing");
}

/// A registration is followed by a look at the gap, and perhaps by a deregistration.
#[tokio::test]
async fn a_registration_is_not_begun_without_the_time_to_take_it_back() {
    let stage = Stage::with_web();
    let soon = Deadline::at(tokio::time::Instant::now() + std::time::Duration::from_secs(30));
    let family = "web".parse().unwrap();
    let error =
        stage.reconciler.reconcile(&family, ReconcileAction::Reconcile, Urgency::Event, soon).await.unwrap_err();
    assert!(error.is_retryable() && !stage.wrote(), "{error}");
}

#[tokio::test]
async fn nothing_is_begun_that_may_not_end_in_time() {
    let stage = Stage::with_web();
    let soon = Deadline::at(tokio::time::Instant::now() + std::time::Duration::from_secs(1));
    let family = "web".parse().unwrap();
    let error =
        stage.reconciler.reconcile(&family, ReconcileAction::Reconcile, Urgency::Event, soon).await.unwrap_err();
    assert!(error.is_retryable() && stage.take_calls().is_empty(), "{error}");
}
