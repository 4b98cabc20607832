//! The log group that a sidecar logs to is there before the task.

use ecs_sidecar_aws::settings;
use ecs_sidecar_core::plan::Decision;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_stage::stage::{ACCOUNT, REGION, Stage, at_first, web};
use ecs_sidecar_tests::Fault;
use serde_json::{Value, json};

fn logging(group: &str, more: &Value) -> String {
    let mut definition: Value = serde_json::from_str(&web("1")).unwrap();
    let mut options = json!({ "awslogs-group": group, "awslogs-region": REGION, "awslogs-stream-prefix": "app" });
    options.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    definition["containerDefinitions"][0]["logConfiguration"] = json!({ "logDriver": "awslogs", "options": options });
    definition.to_string()
}

fn sidecar_options(stage: &Stage) -> Value {
    let definition: Value = serde_json::from_str(&stage.world.newest_active("web").unwrap().text).unwrap();
    let containers = definition["containerDefinitions"].as_array().unwrap();
    containers.iter().find(|container| container["name"] == "xray-daemon").unwrap()["logConfiguration"]["options"]
        .clone()
}

#[tokio::test]
async fn a_missing_log_group_is_made_with_its_retention_or_is_a_reason() {
    let stage = Stage::with(&[(settings::LOG_GROUPS, "create")]);
    stage.world.register(&logging("/shop/web", &json!({}))).unwrap();
    // Its name only begins alike.
    stage.world.add_log_group("/shop/web-old");
    let report = stage.reconcile().await;
    assert_eq!((report.outcome, report.log_group.as_deref()), ("registered", Some("/shop/web")), "{report:?}");
    assert_eq!(stage.world.log_group("/shop/web"), Some(Some(30)));
    let calls = stage.world.call_lines();
    let at = |name: &str| calls.iter().position(|line| line.starts_with(name)).unwrap();
    assert!(at("PutRetentionPolicy") < at("AttachRolePolicy") && at("CreateLogGroup") < at("RegisterTaskDefinition"));

    let stage = Stage::with(&[]);
    stage.world.register(&logging("/shop/web", &json!({}))).unwrap();
    assert_eq!(stage.reconcile().await.reason, Some(Reason::LogGroupMissing));
    assert_eq!(stage.active(), [1]);

    for (denied, reason) in
        [("CreateLogGroup", Reason::LogGroupRefused), ("DescribeLogGroups", Reason::LogGroupUnreadable)]
    {
        let stage = Stage::with(&[(settings::LOG_GROUPS, "create")]);
        stage.world.register(&logging("/shop/web", &json!({}))).unwrap();
        stage.world.deny(denied, None);
        let report = stage.reconcile().await;
        assert_eq!((report.decision, report.reason), (Decision::Skip, Some(reason)), "{report:?}");
        assert_eq!(stage.active(), [1], "{denied}");
        assert!(stage.world.attached("web").is_empty(), "{denied}: granted before the log group was there");
    }
}

#[tokio::test]
async fn a_log_group_that_somebody_else_makes_meanwhile_will_do_and_one_elsewhere_is_not_looked_for() {
    let stage = Stage::with(&[(settings::LOG_GROUPS, "create")]);
    stage.world.register(&logging("/shop/web", &json!({}))).unwrap();
    at_first(&stage.world, "CreateLogGroup", |_| Fault::before(|world| world.add_log_group("/shop/web")));
    assert_eq!(stage.reconcile().await.outcome, "registered");
    assert_eq!(stage.world.log_group("/shop/web"), Some(None), "somebody else's is left as it is");

    let stage = Stage::with(&[]);
    stage.world.register(&logging("/shop/web", &json!({ "awslogs-region": "us-east-1" }))).unwrap();
    assert_eq!(stage.reconcile().await.outcome, "registered");
}

#[tokio::test]
async fn the_log_driver_is_left_to_make_the_group_only_where_the_execution_role_may() {
    let create = json!({ "awslogs-create-group": "true" });
    let arrange = |may: bool| {
        let stage = Stage::with(&[]);
        stage.world.register(&logging("/shop/web", &create)).unwrap();
        if may {
            let role = format!("arn:aws:iam::{ACCOUNT}:role/execution");
            stage.world.allow(&role, "logs:CreateLogGroup");
        }
        stage
    };
    let stage = arrange(true);
    assert_eq!(stage.reconcile().await.outcome, "registered");
    assert_eq!(sidecar_options(&stage)["awslogs-create-group"], "true");
    let stage = arrange(false);
    assert_eq!(stage.reconcile().await.reason, Some(Reason::LogGroupMissing));
    stage.world.add_log_group("/shop/web");
    assert_eq!(stage.reconcile().await.outcome, "registered");
    assert!(sidecar_options(&stage).get("awslogs-create-group").is_none());
    assert_eq!(stage.reconcile_afresh().await.decision, Decision::UpToDate);
    // Who may not be asked about is taken at the definition's word.
    let stage = arrange(false);
    stage.world.deny("SimulatePrincipalPolicy", None);
    stage.world.add_log_group("/shop/web");
    assert_eq!(stage.reconcile().await.outcome, "registered");
    assert_eq!(sidecar_options(&stage)["awslogs-create-group"], "true");
}
