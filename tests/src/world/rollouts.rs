//! Arranging clusters and services, driving their deployments, and looking at them, without calls.
//!
//! Knows: how a deployment can end. Must not know: why it does; that is the test's to say.

use crate::World;
use crate::world::answer::{Answer, ServiceError};
use crate::world::call::{Service as Wire, Shown};
use crate::world::cluster;
use crate::world::ecs;
use crate::world::input::Input;
use crate::world::service::{Course, Deployment, Rollback, Rollout, Service, ServiceDeployment, Status};
use crate::world::services::DEPLOYED;
use crate::world::view::ServiceView;
use ecs_sidecar_core::json::{Document, quote};

/// What ECS says of a deployment whose tasks do not come up.
const NEVER_CAME_UP: &str = "ECS deployment circuit breaker: tasks failed to start.";

impl World {
    /// Makes a cluster, also one that is there, and answers its ARN. Even `default` is not there unless it was made.
    pub fn add_cluster(&self, name: &str) -> String {
        let Ok(_) = self.directly("CreateCluster", &format!("{{\"clusterName\":{}}}", quote(name))) else {
            unreachable!("nothing about a cluster's name is refused")
        };
        cluster::arn(&self.place, name)
    }

    /// Creates a service, written as CreateService takes it, and answers its ARN. Its first deployment is in progress.
    pub fn create_service(&self, text: &str) -> Result<String, ServiceError> {
        let answer = self.directly("CreateService", text)?;
        let service = answer.root().get("service");
        Ok(service.map(|service| ecs::text_of(service, "serviceArn").into_owned()).unwrap_or_default())
    }

    /// The same, and its first deployment has been completed: a service that has been running for a while.
    pub fn add_service(&self, text: &str) -> Result<String, ServiceError> {
        let arn = self.create_service(text)?;
        if self.service(&arn).is_some_and(|service| service.deployment.is_some()) {
            self.deployment_completes(&arn)?;
        }
        Ok(arn)
    }

    /// Changes a service, written as UpdateService takes it.
    pub fn update_service(&self, text: &str) -> Result<(), ServiceError> {
        self.directly("UpdateService", text).map(|_| ())
    }

    /// Deletes a service, named by its ARN, whether or not it has tasks; while it has, it drains.
    pub fn delete_service(&self, arn: &str) -> Result<(), ServiceError> {
        let cluster = arn.rsplit('/').nth(1).unwrap_or_default();
        let text = format!("{{\"cluster\":{},\"service\":{},\"force\":true}}", quote(cluster), quote(arn));
        self.directly("DeleteService", &text).map(|_| ())
    }

    /// The last tasks of a deleted service have ended.
    pub fn service_drains(&self, arn: &str) -> Result<(), ServiceError> {
        self.drive(arn, |service, _, _| {
            service.deployments.clear();
            service.status = Status::Inactive;
            Ok(())
        })
    }

    /// Gives a service, named by its ARN, a tag.
    pub fn tag_service(&self, arn: &str, key: &str, value: &str) -> Result<(), ServiceError> {
        let tag = format!("{{\"key\":{},\"value\":{}}}", quote(key), quote(value));
        self.directly("TagResource", &format!("{{\"resourceArn\":{},\"tags\":[{tag}]}}", quote(arn))).map(|_| ())
    }

    /// A service by its ARN.
    pub fn service(&self, arn: &str) -> Option<ServiceView> {
        self.look(|state| {
            let service = state.service_of(&self.place, "service", arn)?;
            let primary = service.deployments.first();
            let course = service.service_deployments.first().map(|one| one.course.label());
            Some(ServiceView {
                arn: service.arn(),
                cluster: service.cluster.clone(),
                name: service.name.clone(),
                task_definition: service.task_definition.clone(),
                deployment: primary.map(Deployment::id),
                course,
                configuration: service.said.render(),
                text: service.described(true),
            })
        })
    }

    /// All its tasks run: the newest deployment of a service is completed, and the older ones are gone.
    pub fn deployment_completes(&self, arn: &str) -> Result<(), ServiceError> {
        self.drive(arn, |service, now, _| {
            let desired = service.desired();
            let primary = service.in_progress()?;
            primary.complete(desired, now);
            service.deployments.truncate(1);
            service.finish(Course::Successful, None, now)
        })
    }

    /// So many tasks of the newest deployment end before they were well, and others take their place.
    pub fn tasks_fail(&self, arn: &str, count: u64) -> Result<(), ServiceError> {
        self.drive(arn, |service, now, _| {
            let primary = service.in_progress()?;
            primary.failed_tasks += count;
            primary.updated_at = now.to_owned();
            Ok(())
        })
    }

    /// The circuit breaker ends the newest deployment, and is not set to roll it back: the service keeps its task
    /// definition, and the tasks of the deployment before go on.
    pub fn deployment_fails(&self, arn: &str) -> Result<(), ServiceError> {
        self.drive(arn, |service, now, _| {
            service.fail(now)?;
            service.finish(Course::Stopped, Some(NEVER_CAME_UP), now)
        })
    }

    /// The circuit breaker ends the newest deployment and begins to roll back: the service has the task definition of
    /// before again, in a new deployment that is in progress.
    pub fn deployment_is_rolling_back(&self, arn: &str) -> Result<(), ServiceError> {
        self.drive(arn, |service, now, number| {
            service.fail(now)?;
            let source = service.service_deployments.first().and_then(|one| one.sources.first()).copied();
            let source = source.ok_or_else(|| impossible("there is nothing to roll back to"))?;
            service.roll_back(source, number, now)
        })
    }

    /// The rollback has come to its end: the tasks of before run again. Only the service deployment still tells of it; the
    /// deployment looks like any that was completed.
    pub fn rollback_completes(&self, arn: &str) -> Result<(), ServiceError> {
        self.drive(arn, |service, now, _| {
            let desired = service.desired();
            service.rolling_back()?;
            let primary = service.in_progress()?;
            primary.complete(desired, now);
            service.deployments.truncate(1);
            service.finish(Course::RollbackSuccessful, Some(NEVER_CAME_UP), now)
        })
    }

    /// The tasks of before do not come up either.
    pub fn rollback_fails(&self, arn: &str) -> Result<(), ServiceError> {
        self.drive(arn, |service, now, _| {
            service.rolling_back()?;
            service.fail(now)?;
            service.finish(Course::RollbackFailed, Some(NEVER_CAME_UP), now)
        })
    }

    /// The circuit breaker rolls the newest deployment back, to the end.
    pub fn deployment_rolls_back(&self, arn: &str) -> Result<(), ServiceError> {
        self.deployment_is_rolling_back(arn)?;
        self.rollback_completes(arn)
    }

    /// Changes a service by its ARN as ECS itself would: told the time and a number that nothing has yet.
    fn drive(
        &self,
        arn: &str,
        deed: impl FnOnce(&mut Service, &str, u64) -> Result<(), ServiceError>,
    ) -> Result<(), ServiceError> {
        let now = self.caller().now;
        self.write(|state| {
            let found = state.service_of(&self.place, "service", arn);
            let mut service = found.ok_or_else(|| impossible(&format!("there is no {arn}")))?.clone();
            state.numbers += 1;
            deed(&mut service, &now, state.numbers)?;
            state.put_service(service);
            Ok(())
        })
    }

    fn directly(&self, operation: &str, body: &str) -> Result<Document, ServiceError> {
        let input = Input::read(Wire::Ecs, body.as_bytes())?;
        let Answer(answer) = self.perform(Wire::Ecs, operation, &self.caller(), &input, &Shown::Now)?;
        Document::parse(answer).map_err(|error| ServiceError::serialization(error.to_string()))
    }
}

/// A test wants what ECS could not do.
fn impossible(message: &str) -> ServiceError {
    ServiceError::new("Impossible", message)
}

impl Service {
    /// The newest deployment, which must not have ended.
    fn in_progress(&mut self) -> Result<&mut Deployment, ServiceError> {
        let primary = self.deployments.first_mut().filter(|primary| primary.rollout == Rollout::InProgress);
        primary.ok_or_else(|| impossible("no deployment is in progress"))
    }

    fn rolling_back(&self) -> Result<(), ServiceError> {
        let newest = self.service_deployments.first();
        let is_on_its_way = newest.is_some_and(|newest| newest.course == Course::RollbackInProgress);
        if is_on_its_way { Ok(()) } else { Err(impossible("nothing is rolled back")) }
    }

    fn newest(&mut self) -> Result<&mut ServiceDeployment, ServiceError> {
        let newest = self.service_deployments.first_mut().filter(|newest| newest.course.is_open());
        newest.ok_or_else(|| impossible("no service deployment is open"))
    }

    fn finish(&mut self, course: Course, reason: Option<&str>, now: &str) -> Result<(), ServiceError> {
        let newest = self.newest()?;
        newest.course = course;
        newest.reason = reason.map(str::to_owned);
        newest.finished_at = Some(now.to_owned());
        Ok(())
    }

    /// As many tasks of the newest deployment have failed as the circuit breaker lets.
    fn fail(&mut self, now: &str) -> Result<(), ServiceError> {
        let threshold = self.threshold();
        let primary = self.in_progress()?;
        primary.rollout = Rollout::Failed;
        primary.reason = NEVER_CAME_UP.to_owned();
        primary.failed_tasks = primary.failed_tasks.max(threshold);
        primary.running = 0;
        primary.updated_at = now.to_owned();
        self.newest()?.failures = threshold;
        Ok(())
    }

    /// Goes back to the revision of that number in a deployment of a new number.
    fn roll_back(&mut self, revision: u64, number: u64, now: &str) -> Result<(), ServiceError> {
        let before = self.revision(revision).ok_or_else(|| impossible("the revision of before is gone"))?.clone();
        self.task_definition = Some(before.task_definition);
        for (name, value) in before.said.iter().filter(|(name, _)| DEPLOYED.contains(name)) {
            self.said.set(name, value);
        }
        let newest = self.newest()?;
        newest.course = Course::RollbackInProgress;
        newest.reason = Some(NEVER_CAME_UP.to_owned());
        newest.rollback = Some(Rollback { reason: NEVER_CAME_UP.to_owned(), started_at: now.to_owned(), revision });
        let mut deployment = Deployment::new(number, revision, now);
        deployment.reason =
            format!("ECS deployment circuit breaker: rolling back to deploymentId {}.", deployment.id());
        // The tasks of before are its own now.
        deployment.running =
            self.deployments.iter().filter(|one| one.revision == revision).map(|one| one.running).sum();
        self.deployments.retain(|one| one.revision != revision);
        self.deployments.insert(0, deployment);
        Ok(())
    }
}
