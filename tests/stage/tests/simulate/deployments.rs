//! What ECS does by itself: deployments come to their ends.
//!
//! Knows: how they can end. Must not know: who began them.

use crate::post::{Parcel, Queue};
use crate::scene::{Scene, purpose};
use crate::worker::Instance;
use ecs_sidecar_stage::stage::SESSION;
use ecs_sidecar_tests::{Call, DeploymentNotice, Outcome};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_local;
use tokio::time::sleep;

impl Scene {
    /// Notes messages that the operator has sent.
    pub(crate) fn collect(self: &Arc<Self>) {
        for queue in [Queue::Families, Queue::Sweeps] {
            for message in self.world.take_messages(queue.name()) {
                self.send(queue, message.body, Duration::from_secs(message.delay_seconds));
            }
        }
    }

    /// A message is handed to an instance.
    pub(crate) fn delivered(&self, instance: &Instance, parcel: &Parcel) {
        self.tell(&instance.name, &format!("is handed {}", summary(&parcel.body)));
        let mut state = self.state();
        state.tally.delivered();
        if instance.name.starts_with("sweeper") {
            state.tally.count("sweeps");
        }
    }

    /// The operator may have updated a service.
    pub(crate) fn deployed_by(self: &Arc<Self>, call: &Call) {
        if call.operation != "UpdateService" || call.principal != SESSION || matches!(call.outcome, Outcome::Failed(_))
        {
            return;
        }
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        if let Some(service) = body["service"].as_str() {
            self.state().tally.count("services moved by the operator");
            self.deploys(&crate::definitions::service_arn(service.rsplit('/').next().unwrap_or_default()));
        }
    }

    /// The newest deployment of a service comes to its end one day.
    pub(crate) fn deploys(self: &Arc<Self>, service: &str) {
        let Some(view) = self.world.service(service) else { return };
        let number = {
            let mut state = self.state();
            state.deployments += 1;
            state.deployments
        };
        let mut draw = self.script.chance.draw(&[purpose::DEPLOYMENT, number]);
        let (scene, service, deployment) = (self.clone(), service.to_owned(), view.deployment);
        let end = draw.weighted(&[(72, End::Completes), (14, End::RollsBack), (8, End::Fails), (6, End::Hangs)]);
        spawn_local(async move {
            sleep(Duration::from_millis(draw.between(10_000, 300_000))).await;
            scene.ends(&service, deployment.as_deref(), end).await;
        });
    }

    /// That deployment ends, if it is still the newest.
    async fn ends(self: &Arc<Self>, service: &str, deployment: Option<&str>, end: End) {
        let open = |scene: &Self| {
            let view = scene.world.service(service)?;
            let is_open = view.course.is_some_and(|course| course.ends_with("IN_PROGRESS"));
            (is_open && view.deployment.as_deref() == deployment).then_some(view)
        };
        self.set_clock();
        if open(self).is_none() {
            return;
        }
        let end = if self.is_calm() { End::Completes } else { end };
        match end {
            End::Hangs => {}
            End::Completes => self.completes(service),
            End::Fails => {
                let notice = self.world.deployment_state_change(service, DeploymentNotice::Failed);
                if self.world.deployment_fails(service).is_ok() {
                    self.happens(service, "fails", notice.to_string());
                }
            }
            End::RollsBack => {
                let notice = self.world.deployment_state_change(service, DeploymentNotice::Failed);
                if self.world.deployment_is_rolling_back(service).is_err() {
                    return self.completes(service);
                }
                self.happens(service, "fails and is rolled back", notice.to_string());
                self.repin(service);
                sleep(Duration::from_secs(40)).await;
                self.set_clock();
                if self.world.rollback_completes(service).is_ok() {
                    let notice = self.world.deployment_state_change(service, DeploymentNotice::Completed);
                    self.happens(service, "is rolled back", notice.to_string());
                }
            }
        }
    }

    /// What is rolled back is not what its owner wants any more.
    fn repin(&self, service: &str) {
        let now = self.world.service(service).and_then(|view| view.task_definition);
        if let Some(now) = now {
            self.state().people.pinned.insert(service.to_owned(), now);
        }
    }

    /// The newest deployment of a service is completed.
    pub(crate) fn completes(self: &Arc<Self>, service: &str) {
        let done = self.world.deployment_completes(service).or_else(|_| self.world.rollback_completes(service));
        if done.is_ok() {
            let notice = self.world.deployment_state_change(service, DeploymentNotice::Completed);
            self.happens(service, "completes", notice.to_string());
        }
    }

    fn happens(self: &Arc<Self>, service: &str, what: &str, notice: String) {
        let name = service.rsplit('/').next().unwrap_or_default();
        self.tell("ECS", &format!("the deployment of {name} {what}"));
        let place = match what {
            "completes" => "deployment completes",
            "fails" => "deployment fails",
            _ => "deployment is rolled back",
        };
        self.state().tally.count(place);
        self.event(notice);
    }
}

/// How a deployment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Completes,
    RollsBack,
    Fails,
    Hangs,
}

/// What a message is about, without ids that differ.
fn summary(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = text(&body["name"]);
    let kind = if name.is_empty() { text(&body["detail-type"]) } else { name };
    let service = body["service"].as_str().or_else(|| body["resources"][0].as_str()).unwrap_or_default();
    let about = body["family"].as_str().unwrap_or_else(|| service.rsplit('/').next().unwrap_or_default());
    format!("{kind} {about}").trim_end().to_owned()
}
