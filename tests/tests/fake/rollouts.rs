//! Deployments of services: how they begin, and how each end of them looks.

use crate::services::{service, world};
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{
    DeploymentRolloutState, Service, ServiceDeployment, ServiceDeploymentRollbackMonitorsStatus,
    ServiceDeploymentStatus,
};
use ecs_sidecar_tests::World;
use serde_json::{Value, json};

/// A service on revision 1 that has been running, and its deployment of revision 2, which has begun.
async fn begun(more: Value) -> (World, Client, String) {
    let (world, client) = world();
    let mut asked = more;
    asked["taskDefinition"] = json!("web:1");
    let arn = world.add_service(&service(asked)).unwrap();
    client.update_service().cluster("shop").service("web").task_definition("web:2").send().await.unwrap();
    (world, client, arn)
}

async fn looked_at(client: &Client) -> Service {
    let answer = client.describe_services().cluster("shop").services("web").send().await.unwrap();
    answer.services()[0].clone()
}

/// The newest service deployment, with the task definition that it brings out.
async fn newest(client: &Client) -> (ServiceDeployment, String) {
    let listed = client.list_service_deployments().cluster("shop").service("web").send().await.unwrap();
    let newest = &listed.service_deployments()[0];
    let arn = newest.service_deployment_arn().unwrap();
    let described = client.describe_service_deployments().service_deployment_arns(arn).send().await.unwrap();
    let described = described.service_deployments()[0].clone();
    assert_eq!(described.status(), newest.status());
    let revision = newest.target_service_revision_arn().unwrap();
    assert_eq!(described.target_service_revision().unwrap().arn(), Some(revision));
    let revisions = client.describe_service_revisions().service_revision_arns(revision).send().await.unwrap();
    (described, revisions.service_revisions()[0].task_definition().unwrap().to_owned())
}

/// Status, revision and state of each deployment.
fn deployments(service: &Service) -> Vec<(String, String, Option<DeploymentRolloutState>)> {
    let one = |one: &aws_sdk_ecs::types::Deployment| {
        let revision = one.task_definition().unwrap().rsplit('/').next().unwrap().to_owned();
        (one.status().unwrap().to_owned(), revision, one.rollout_state().cloned())
    };
    service.deployments().iter().map(one).collect()
}

fn line(
    status: &str,
    revision: &str,
    state: DeploymentRolloutState,
) -> (String, String, Option<DeploymentRolloutState>) {
    (status.to_owned(), revision.to_owned(), Some(state))
}

#[tokio::test]
async fn a_new_task_definition_begins_a_deployment_and_the_same_one_does_not() {
    use DeploymentRolloutState::{Completed, InProgress};
    let (world, client, arn) = begun(json!({ "desiredCount": 2 })).await;
    let now = looked_at(&client).await;
    assert_eq!(deployments(&now), [line("PRIMARY", "web:2", InProgress), line("ACTIVE", "web:1", Completed)]);
    let [primary, active] = now.deployments() else { panic!("{now:?}") };
    assert!(primary.id().unwrap().starts_with("ecs-svc/") && primary.id() != active.id());
    assert_eq!((primary.pending_count(), active.running_count(), now.running_count()), (2, 2, 2));
    let (deployment, brings) = newest(&client).await;
    assert_eq!(deployment.status(), Some(&ServiceDeploymentStatus::InProgress));
    assert_eq!(deployment.service_deployment_arn(), now.current_service_deployment());
    assert!(deployment.service_deployment_arn().unwrap().contains(":service-deployment/shop/web/"));
    assert_eq!(brings, now.task_definition().unwrap());
    assert_eq!(deployment.source_service_revisions().len(), 1);

    client.update_service().cluster("shop").service("web").task_definition("web:2").send().await.unwrap();
    client.update_service().cluster("shop").service("web").desired_count(3).send().await.unwrap();
    assert_eq!(newest(&client).await.0.service_deployment_arn(), deployment.service_deployment_arn());
    client.update_service().cluster("shop").service("web").force_new_deployment(true).send().await.unwrap();
    let forced = newest(&client).await.0;
    assert_ne!(forced.service_deployment_arn(), deployment.service_deployment_arn());
    world.deployment_completes(&arn).unwrap();
    let stopped = client.list_service_deployments().cluster("shop").service("web");
    let stopped = stopped.status(ServiceDeploymentStatus::Stopped).send().await.unwrap();
    let [stopped] = stopped.service_deployments() else { panic!("{stopped:?}") };
    assert_eq!(stopped.service_deployment_arn(), deployment.service_deployment_arn(), "overtaken");
}

#[tokio::test]
async fn a_completed_deployment_is_the_only_one() {
    let (world, client, arn) = begun(json!({})).await;
    world.deployment_completes(&arn).unwrap();
    let now = looked_at(&client).await;
    assert_eq!(deployments(&now), [line("PRIMARY", "web:2", DeploymentRolloutState::Completed)]);
    assert_eq!(newest(&client).await.0.status(), Some(&ServiceDeploymentStatus::Successful));
    assert_eq!(world.deployment_completes(&arn).unwrap_err().code, "Impossible", "there is none to be completed");
}

#[tokio::test]
async fn a_failed_deployment_keeps_its_task_definition_and_the_tasks_before() {
    use DeploymentRolloutState::{Completed, Failed};
    let (world, client, arn) = begun(json!({})).await;
    world.tasks_fail(&arn, 2).unwrap();
    assert_eq!(looked_at(&client).await.deployments()[0].failed_tasks(), 2);
    world.deployment_fails(&arn).unwrap();
    let now = looked_at(&client).await;
    assert_eq!(deployments(&now), [line("PRIMARY", "web:2", Failed), line("ACTIVE", "web:1", Completed)]);
    assert!(now.task_definition().unwrap().ends_with("web:2"));
    assert_eq!(now.running_count(), 1);
    let (deployment, _) = newest(&client).await;
    assert_eq!((deployment.status(), deployment.rollback()), (Some(&ServiceDeploymentStatus::Stopped), None));
    let breaker = deployment.deployment_circuit_breaker().unwrap();
    assert_eq!(breaker.status(), Some(&ServiceDeploymentRollbackMonitorsStatus::Triggered));
    assert_eq!(breaker.failure_count(), breaker.threshold());
}

#[tokio::test]
async fn a_rollback_brings_the_task_definition_of_before_back() {
    use DeploymentRolloutState::{Completed, Failed, InProgress};
    let (world, client, arn) = begun(json!({})).await;
    assert_eq!(world.rollback_completes(&arn).unwrap_err().code, "Impossible", "none has begun");
    world.deployment_is_rolling_back(&arn).unwrap();
    let now = looked_at(&client).await;
    assert_eq!(deployments(&now), [line("PRIMARY", "web:1", InProgress), line("ACTIVE", "web:2", Failed)]);
    let (id, reason) = (now.deployments()[0].id().unwrap(), now.deployments()[0].rollout_state_reason().unwrap());
    assert_eq!(reason, format!("ECS deployment circuit breaker: rolling back to deploymentId {id}."));
    assert_eq!(now.running_count(), 1, "the tasks of before go on");
    assert!(now.task_definition().unwrap().ends_with("web:1"));
    let (deployment, brought) = newest(&client).await;
    assert_eq!(deployment.status(), Some(&ServiceDeploymentStatus::RollbackInProgress));
    assert!(brought.ends_with("web:2"), "it is still the deployment of what failed");
    let back = deployment.rollback().unwrap().service_revision_arn().unwrap();
    let back = client.describe_service_revisions().service_revision_arns(back).send().await.unwrap();
    assert!(back.service_revisions()[0].task_definition().unwrap().ends_with("web:1"));

    let fork = world.fork();
    world.rollback_completes(&arn).unwrap();
    let now = looked_at(&client).await;
    assert_eq!(deployments(&now), [line("PRIMARY", "web:1", Completed)]);
    let reason = now.deployments()[0].rollout_state_reason().unwrap();
    assert!(reason.starts_with("ECS deployment ecs-svc/") && reason.ends_with(" completed."), "{reason}");
    assert_eq!(newest(&client).await.0.status(), Some(&ServiceDeploymentStatus::RollbackSuccessful));
    fork.rollback_fails(&arn).unwrap();
    assert_eq!(fork.service(&arn).unwrap().course, Some("ROLLBACK_FAILED"));
}

#[tokio::test]
async fn what_was_changed_together_is_rolled_back_together() {
    let (world, client) = world();
    let arn = world.add_service(&service(json!({ "taskDefinition": "web:1", "platformVersion": "1.3.0" }))).unwrap();
    let update = client.update_service().cluster("shop").service("web").platform_version("1.4.0");
    update.task_definition("web:2").send().await.unwrap();
    world.deployment_rolls_back(&arn).unwrap();
    let now = looked_at(&client).await;
    assert_eq!(now.platform_version(), Some("1.3.0"));
    assert_eq!(world.service(&arn).unwrap().course, Some("ROLLBACK_SUCCESSFUL"));
    // Nothing is left of it that a next deployment could stumble over.
    client.update_service().cluster("shop").service("web").task_definition("web:2").send().await.unwrap();
    world.deployment_completes(&arn).unwrap();
    assert_eq!(looked_at(&client).await.deployments().len(), 1);
}

#[tokio::test]
async fn only_rolling_updates_tell_their_state_in_the_service() {
    for strategy in ["BLUE_GREEN", "LINEAR", "CANARY"] {
        let more = json!({ "deploymentConfiguration": { "strategy": strategy } });
        let (world, client, arn) = begun(more).await;
        let now = looked_at(&client).await;
        assert_eq!(now.deployment_configuration().unwrap().strategy().unwrap().as_str(), strategy);
        assert_eq!(now.deployments()[0].rollout_state(), None);
        world.deployment_rolls_back(&arn).unwrap();
        assert_eq!(newest(&client).await.0.status(), Some(&ServiceDeploymentStatus::RollbackSuccessful));
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_item_by_item() {
    let (_world, client, _arn) = begun(json!({})).await;
    let known = newest(&client).await.0.service_deployment_arn().unwrap().to_owned();
    let none = format!("{known}0");
    let answer = client.describe_service_deployments().service_deployment_arns(&none).service_deployment_arns(&known);
    let answer = answer.send().await.unwrap();
    assert_eq!((answer.service_deployments().len(), answer.failures()[0].arn()), (1, Some(&*none)));
    let answer = client.describe_service_revisions().service_revision_arns(&known).send().await.unwrap();
    assert_eq!((answer.service_revisions().len(), answer.failures()[0].reason()), (0, Some("MISSING")));
}
