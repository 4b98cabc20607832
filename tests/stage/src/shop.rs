//! A machine whose stack moves services, a cluster, and services in it.

use crate::machine::Machine;
use crate::stage::{OPERATOR, SESSION, Stage, parsed, revision_arn, web};
use ecs_sidecar_aws::rollout::RolloutAction;
use ecs_sidecar_aws::service_rows::ServiceRow;
use ecs_sidecar_aws::services::ServiceRef;
use ecs_sidecar_aws::{Deadline, settings};
use ecs_sidecar_core::receipt;
use ecs_sidecar_core::rollout::{RolloutReason, ServiceReport, ServiceState};
use ecs_sidecar_tests::{Call, Caller, DeploymentNotice, Outcome};
use serde_json::{Value, json};
use std::time::Duration;

/// An hour.
pub const HOUR: Duration = Duration::from_secs(3600);

/// The role of a pipeline.
pub const DEPLOYER: &str = "arn:aws:iam::111122223333:role/ci/deployer";

/// What a stack says that moves services, and tells what becomes of them.
const ON: [(&str, &str); 2] = [(settings::ROLLOUT_SERVICES, "true"), (settings::EVENT_BUS, "default")];

/// A machine, and the service `web` of the cluster `shop`, which runs revision 1 of the family `web`.
pub struct Shop {
    /// Its functions and the world.
    pub machine: Machine,
    /// ARN of the service.
    pub web: String,
    /// ARNs of all services, that one included.
    pub services: Vec<String>,
}

/// A service of the cluster `shop`, with other members beside or in place of its own.
pub fn service(name: &str, more: &Value) -> String {
    let mut service = json!({
        "cluster": "shop", "serviceName": name, "taskDefinition": "web:1", "desiredCount": 2,
        "deploymentConfiguration": { "deploymentCircuitBreaker": { "enable": true, "rollback": true } },
        "futureMember": { "ratio": 1.50 }, "tags": [{ "key": "team", "value": "a" }],
    });
    for (name, value) in more.as_object().unwrap() {
        service[name] = value.clone();
    }
    service.to_string()
}

impl Default for Shop {
    fn default() -> Self {
        Self::new()
    }
}

impl Shop {
    /// The service has been running for a while; nobody has looked at its family.
    pub fn new() -> Self {
        Self::with(&[], &json!({}))
    }

    /// The same with other variables for the functions, and other members of the service.
    pub fn with(variables: &[(&str, &str)], more: &Value) -> Self {
        let variables: Vec<_> = variables.iter().copied().chain(ON).collect();
        Self::of(Machine::new(&variables), more)
    }

    /// The same without a word of services in the stack.
    pub fn without_rollout() -> Self {
        Self::of(Machine::new(&[]), &json!({}))
    }

    fn of(machine: Machine, more: &Value) -> Self {
        let world = &machine.stage.world;
        world.add_cluster("shop");
        world.register(&web("1")).unwrap();
        let web = world.add_service(&service("web", more)).unwrap();
        Self { machine, services: vec![web.clone()], web }
    }

    /// Another service, in a cluster that may have to be made, has been running revision 1 for a while. Answers its ARN.
    pub fn add(&mut self, cluster: &str, name: &str, more: &Value) -> String {
        let world = &self.machine.stage.world;
        world.add_cluster(cluster);
        let mut asked: Value = serde_json::from_str(&service(name, more)).unwrap();
        asked["cluster"] = json!(cluster);
        let arn = world.add_service(&asked.to_string()).unwrap();
        self.services.retain(|known| *known != arn);
        self.services.push(arn.clone());
        arn
    }

    /// The family was patched: revision 2.
    pub async fn patched() -> Self {
        Self::patched_with(&[], &json!({})).await
    }

    /// The same with other variables for the functions, and other members of the service.
    pub async fn patched_with(variables: &[(&str, &str)], more: &Value) -> Self {
        let shop = Self::with(variables, more);
        shop.stage().reconcile().await;
        assert_eq!(shop.stage().active(), [1, 2]);
        shop.stage().world.forget_calls();
        shop
    }

    /// The service was moved to revision 2 already.
    pub async fn moved() -> Self {
        let mut shop = Self::patched().await;
        shop.updated_by(Caller::Role(DEPLOYER));
        shop.quiet().await;
        assert_eq!(shop.pins(), 2);
        shop.stage().world.forget_calls();
        shop
    }

    /// A shop of its own that is as this one is now; nothing is on its way there.
    pub fn fork(&self) -> Self {
        Self { machine: self.machine.fork(), web: self.web.clone(), services: self.services.clone() }
    }

    /// The reconcile function and the world.
    pub fn stage(&self) -> &Stage {
        &self.machine.stage
    }

    /// Number of the revision that the service pins.
    pub fn pins(&self) -> u64 {
        number_of(&self.stage().world.service(&self.web).unwrap().task_definition.unwrap())
    }

    /// What the service runs: the app's image, and whether the sidecar is beside it.
    pub fn runs(&self) -> (String, bool) {
        let revision = &self.stage().world.revisions("web")[usize::try_from(self.pins()).unwrap() - 1];
        let definition = parsed(revision);
        let image = definition.containers().next().unwrap().image().unwrap().into_owned();
        (image, definition.containers().any(receipt::is_injected))
    }

    /// Somebody has the service run a revision of the family, and CloudTrail tells.
    pub fn pin(&mut self, number: u64, caller: Caller<'_>) {
        let request = json!({ "cluster": "shop", "service": "web", "taskDefinition": revision_arn(number) });
        self.stage().world.update_service(&request.to_string()).unwrap();
        self.updated_by(caller);
    }

    /// CloudTrail tells that somebody updated the service.
    pub fn updated_by(&mut self, caller: Caller<'_>) {
        let request = json!({ "cluster": "shop", "service": "web" });
        let event = self.stage().world.service_call("UpdateService", &request, caller);
        self.machine.tell(&event);
    }

    /// The newest deployment comes to its end, and ECS tells.
    pub fn deployed(&mut self) {
        let service = self.web.clone();
        self.deployed_of(&service);
    }

    /// The same for another service, named by its ARN.
    pub fn deployed_of(&mut self, service: &str) {
        self.stage().world.deployment_completes(service).unwrap();
        let event = self.stage().world.deployment_state_change(service, DeploymentNotice::Completed);
        self.machine.tell(&event);
    }

    /// ECS tells that a deployment has failed.
    pub fn failed(&mut self) {
        let event = self.stage().world.deployment_state_change(&self.web, DeploymentNotice::Failed);
        self.machine.tell(&event);
    }

    /// Lets everything happen, and each deployment come to its end within two minutes, until there is nothing left to
    /// happen.
    pub async fn quiet(&mut self) {
        for _ in 0..200 {
            self.machine.run_for(Duration::from_secs(120)).await;
            let open = self.under_way();
            for service in &open {
                self.deployed_of(service);
            }
            let left = self.machine.on_their_way("families") + self.machine.on_their_way("sweeps");
            if open.is_empty() && left == 0 {
                return;
            }
        }
        panic!("it does not come to an end");
    }

    /// Services of which a deployment is under way.
    pub fn under_way(&self) -> Vec<String> {
        let is_open = |arn: &&String| {
            let course = self.stage().world.service(arn).unwrap().course;
            course.is_some_and(|course| course.ends_with("IN_PROGRESS"))
        };
        self.services.iter().filter(is_open).cloned().collect()
    }

    /// Whether a deployment of the service `web` is under way.
    pub fn is_deploying(&self) -> bool {
        self.under_way().contains(&self.web)
    }

    /// The schedule wakes the sweep, and everything happens that follows.
    pub async fn sweep(&mut self) {
        self.machine.wake();
        self.quiet().await;
    }

    /// A look by a function that is started for it, with nothing put back into the queue.
    pub async fn look(&self, action: RolloutAction) -> ServiceReport {
        let service: ServiceRef = self.web.parse().unwrap();
        self.stage().another().roll_out(&service, None, action, Deadline::none()).await.unwrap()
    }

    /// The service's row.
    pub async fn row(&self) -> Option<ServiceRow> {
        self.rows().await.into_iter().find(|row| row.service == self.web)
    }

    /// All services' rows.
    pub async fn rows(&self) -> Vec<ServiceRow> {
        self.stage().table().service_rows().await.unwrap()
    }

    /// That the row says so.
    #[track_caller]
    pub fn assert_row(row: Option<&ServiceRow>, state: ServiceState, reason: RolloutReason, about: &str) {
        let told = row.map(|row| (row.state, row.reason.as_deref()));
        assert_eq!(told, Some((Some(state), Some(reason.label()))), "{about}: {row:?}");
    }

    /// The calls of UpdateService that the operator made and ECS took, as they came.
    pub fn updates(&self) -> Vec<Value> {
        let taken = |call: &&Call| call.operation == "UpdateService" && !matches!(call.outcome, Outcome::Failed(_));
        let calls = self.stage().world.calls();
        let updates = calls.iter().filter(taken);
        let bodies = updates.inspect(|call| assert_eq!(call.principal, SESSION));
        bodies.map(|call| serde_json::from_slice(&call.body).unwrap()).collect()
    }

    /// Calls by name.
    pub fn count(&self, operation: &str) -> usize {
        self.stage().world.calls().iter().filter(|call| call.operation == operation).count()
    }

    /// Services that have a slot.
    pub fn slots(&self) -> usize {
        let item = self.stage().world.item("operator", "rollout", "moving").unwrap_or_default();
        item.matches(":service/").count()
    }

    /// What was told of services on the bus: state and reason of each.
    pub fn told(&self) -> Vec<(String, String)> {
        let events = self.stage().world.events();
        let details = events.iter().filter(|event| event.detail_type.contains("Service")).map(|event| {
            let detail: Value = serde_json::from_str(&event.detail).unwrap();
            let word = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
            (word("state"), word("reason"))
        });
        details.collect()
    }

    /// What CloudTrail tells of the operator's own call.
    pub fn own_call(&self) -> Value {
        let request = json!({ "cluster": "shop", "service": "web", "taskDefinition": revision_arn(self.pins()) });
        self.stage().world.service_call("UpdateService", &request, Caller::Role(OPERATOR))
    }
}

/// The number at the end of a revision's ARN.
pub fn number_of(arn: &str) -> u64 {
    arn.rsplit(':').next().unwrap().parse().unwrap()
}
