//! Events of what happened in ECS: what stands where in them.

use crate::services::{service, world};
use ecs_sidecar_tests::{Caller, DeploymentNotice, StoppedContainer, StoppedTask, World};
use serde_json::{Value, json};

const DEPLOYER: &str = "arn:aws:iam::111122223333:role/ci/deployer";
const CLOUDFORMATION: &str = "cloudformation.amazonaws.com";

fn staged() -> (World, String) {
    let (world, _) = world();
    let arn = world.add_service(&service(json!({ "taskDefinition": "web:1" }))).unwrap();
    (world, arn)
}

#[test]
fn a_call_is_told_with_its_request_its_answer_and_its_caller() {
    let (world, arn) = staged();
    let request = json!({ "cluster": "shop", "service": arn, "taskDefinition": "web:2" });
    world.update_service(&request.to_string()).unwrap();
    let event = world.service_call("UpdateService", &request, Caller::Role(DEPLOYER));
    assert_eq!((&event["source"], &event["detail-type"]), (&json!("aws.ecs"), &json!("AWS API Call via CloudTrail")));
    assert_eq!((&event["time"], &event["resources"]), (&json!("2026-01-02T03:04:05Z"), &json!([])));
    let detail = &event["detail"];
    assert_eq!((&detail["eventName"], &detail["requestParameters"]), (&json!("UpdateService"), &request));
    let told = &detail["responseElements"]["service"];
    assert_eq!((&told["serviceArn"], &told["taskDefinition"]), (&json!(arn), &json!(world.revisions("web")[1].arn)));
    let issuer = detail.pointer("/userIdentity/sessionContext/sessionIssuer/arn");
    assert_eq!((issuer, detail["userIdentity"].get("invokedBy")), (Some(&json!(DEPLOYER)), None));

    let create = json!({ "cluster": "arn:aws:ecs:eu-west-1:111122223333:cluster/shop", "serviceName": "web" });
    let created = world.service_call("CreateService", &create, Caller::Service(CLOUDFORMATION, DEPLOYER));
    let detail = &created["detail"];
    assert_eq!(detail["responseElements"]["service"]["serviceName"], "web");
    let by = [&detail["userIdentity"]["invokedBy"], &detail["sourceIPAddress"], &detail["userAgent"]];
    assert_eq!(by, [CLOUDFORMATION; 3]);
    assert_ne!((&created["id"], &detail["eventID"]), (&event["id"], &event["detail"]["eventID"]));

    let nobody = Caller::User("arn:aws:iam::111122223333:user/jo");
    let none = world.service_call("UpdateService", &json!({ "service": "none" }), nobody);
    assert_eq!(none["detail"]["responseElements"], Value::Null);
    assert_eq!(none["detail"]["userIdentity"].get("sessionContext"), None);
}

#[test]
fn a_deployment_is_told_by_its_service_and_not_by_its_task_definition() {
    let (world, arn) = staged();
    for (notice, name, kind) in [
        (DeploymentNotice::InProgress, "SERVICE_DEPLOYMENT_IN_PROGRESS", "INFO"),
        (DeploymentNotice::Completed, "SERVICE_DEPLOYMENT_COMPLETED", "INFO"),
        (DeploymentNotice::Failed, "SERVICE_DEPLOYMENT_FAILED", "ERROR"),
    ] {
        let event = world.deployment_state_change(&arn, notice);
        assert_eq!(
            (&event["detail-type"], &event["resources"]),
            (&json!("ECS Deployment State Change"), &json!([arn]))
        );
        assert_eq!((&event["detail"]["eventName"], &event["detail"]["eventType"]), (&json!(name), &json!(kind)));
        assert_eq!(event["detail"]["deploymentId"], json!(world.service(&arn).unwrap().deployment));
        assert!(!event.to_string().contains("task-definition"));
    }
}

#[test]
fn a_stopped_task_is_told_with_its_containers() {
    let (world, arn) = staged();
    let containers = [
        StoppedContainer { name: "app", exit_code: Some(0), reason: None },
        StoppedContainer { name: "xray-daemon", exit_code: None, reason: Some("CannotPullContainerError: no") },
    ];
    let task = StoppedTask {
        task_definition: &world.revisions("web")[1].arn,
        stop_code: "TaskFailedToStart",
        reason: "Task failed to start",
        containers: &containers,
    };
    let event = world.task_stopped(&arn, task);
    let detail = &event["detail"];
    assert_eq!((&event["detail-type"], &event["resources"][0]), (&json!("ECS Task State Change"), &detail["taskArn"]));
    assert_eq!((&detail["lastStatus"], &detail["stopCode"]), (&json!("STOPPED"), &json!("TaskFailedToStart")));
    assert_eq!((&detail["group"], &detail["taskDefinitionArn"]), (&json!("service:web"), &json!(task.task_definition)));
    assert_eq!(detail["clusterArn"], "arn:aws:ecs:eu-west-1:111122223333:cluster/shop");
    let [app, daemon] = detail["containers"].as_array().unwrap().as_slice() else { panic!("{detail}") };
    assert_eq!((app["exitCode"].as_i64(), app.get("reason")), (Some(0), None));
    assert_eq!((daemon.get("exitCode"), &daemon["reason"]), (None, &json!("CannotPullContainerError: no")));
    assert_ne!(world.task_stopped(&arn, task)["detail"]["taskArn"], detail["taskArn"], "each task is another one");
}
