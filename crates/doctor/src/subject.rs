//! What is examined: the service or family, its task definition, and where its tasks run.
//!
//! Knows: ECS's answers. Must not know: the network behind the ids.

use crate::error::Error;
use crate::question::{Question, ServiceName};
use aws_sdk_ecs::types::{AssignPublicIp, AwsVpcConfiguration, LaunchType, Service};
use aws_types::SdkConfig;
use ecs_sidecar_aws::ecs::Ecs;
use ecs_sidecar_aws::meter::Meter;
use ecs_sidecar_aws::{Chain, Error as CallError};
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::doctor::{Unseen, runs_on_fargate};

/// ECS's code for a cluster that does not exist.
const NO_CLUSTER: [&str; 1] = ["ClusterNotFoundException"];

/// A service that was deleted is described for a while.
const DELETED: &str = "INACTIVE";

/// What was found of the service or family.
#[derive(Debug)]
pub(crate) struct Subject {
    /// Its task definition.
    pub(crate) task: Option<TaskDefinition>,
    /// Where its tasks run.
    pub(crate) place: Option<Place>,
    /// Whether they run on Fargate.
    pub(crate) on_fargate: bool,
    /// What could not be seen.
    pub(crate) unseen: Vec<Unseen>,
}

/// Where tasks run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a VPC; in these subnets of it, or it is not known in which.
    Vpc { vpc: String, subnets: Option<Vec<String>> },
    /// In subnets that a service names, with these security groups; perhaps in a VPC that was named too.
    Service { service: String, subnets: Vec<String>, groups: Vec<String>, public_address: bool, vpc: Option<String> },
    /// In the instances' network; why.
    Instances(String),
}

/// The ECS clients: one keeps definitions as they are.
#[derive(Debug, Clone)]
pub(crate) struct Subjects {
    raw: Ecs,
    client: aws_sdk_ecs::Client,
}

impl Subjects {
    /// The clients.
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self { raw: Ecs::new(config, Vec::new(), Meter::default()), client: aws_sdk_ecs::Client::new(config) }
    }

    /// Finds what the question is about.
    pub(crate) async fn find(&self, question: &Question) -> Result<Subject, Error> {
        let mut subject = Subject { task: None, place: named_vpc(question), on_fargate: true, unseen: Vec::new() };
        if let Some(name) = &question.service {
            match self.service(name).await {
                Ok(service) => self.fill_from_service(name, &service, &mut subject).await?,
                Err(Error::Call(error)) => subject.unseen.push(Unseen {
                    subject: format!("service {name}"),
                    why: Chain(&error).to_string(),
                    action: "ecs:DescribeServices",
                }),
                Err(error @ (Error::NoSuch { .. } | Error::Identity { .. } | Error::OtherVpc { .. })) => {
                    return Err(error);
                }
            }
        }
        if let Some(family) = &question.family {
            self.fill_task(family.as_str(), &mut subject).await?;
            subject.on_fargate = subject.task.as_ref().is_none_or(runs_on_fargate);
        }
        Ok(subject)
    }

    async fn service(&self, name: &ServiceName) -> Result<Service, Error> {
        let sent = self.client.describe_services().cluster(&name.cluster).services(&name.name).send().await;
        let no_such = || Error::NoSuch { what: format!("service {name}") };
        let answer = match sent.map_err(|error| CallError::call("DescribeServices", name.to_string(), &error)) {
            Ok(answer) => answer,
            Err(error) if error.is_code(&NO_CLUSTER) => {
                return Err(Error::NoSuch { what: format!("cluster {}", name.cluster) });
            }
            Err(error) => return Err(error.into()),
        };
        // A service that is not there is no error to ECS but one of the answer's failures.
        answer
            .services
            .unwrap_or_default()
            .into_iter()
            .find(|service| service.status() != Some(DELETED))
            .ok_or_else(no_such)
    }

    async fn fill_from_service(
        &self,
        name: &ServiceName,
        service: &Service,
        subject: &mut Subject,
    ) -> Result<(), Error> {
        // Where something else than ECS deploys, the primary task set says it.
        let set = service.task_sets().iter().find(|set| set.status() == Some("PRIMARY"));
        let definition = service.task_definition().or_else(|| set.and_then(|set| set.task_definition()));
        if let Some(definition) = definition {
            self.fill_task(definition, subject).await?;
        }
        let launch_type = service.launch_type().or_else(|| set.and_then(|set| set.launch_type()));
        let providers = match service.capacity_provider_strategy() {
            [] => set.map(|set| set.capacity_provider_strategy()).unwrap_or_default(),
            providers => providers,
        };
        subject.on_fargate = match launch_type {
            Some(launch_type) => *launch_type == LaunchType::Fargate,
            None if providers.is_empty() => subject.task.as_ref().is_none_or(runs_on_fargate),
            None => providers.iter().all(|provider| provider.capacity_provider().starts_with("FARGATE")),
        };
        let network = service.network_configuration().or_else(|| set.and_then(|set| set.network_configuration()));
        subject.place = match (network.and_then(|network| network.awsvpc_configuration()), subject.place.take()) {
            (Some(own), named) => Some(service_place(name, own, named)),
            // The instances' VPC, if somebody named it.
            (None, Some(named)) => Some(named),
            (None, None) => {
                let launch_type = launch_type.map_or("EC2", LaunchType::as_str);
                Some(Place::Instances(format!("launch type {launch_type}, network mode other than awsvpc")))
            }
        };
        Ok(())
    }

    async fn fill_task(&self, what: &str, subject: &mut Subject) -> Result<(), Error> {
        match self.raw.describe(what).await {
            Ok(Some(task)) => subject.task = Some(task),
            Ok(None) => return Err(Error::NoSuch { what: format!("ACTIVE task definition {what}") }),
            Err(error) => subject.unseen.push(Unseen {
                subject: format!("task definition {what}"),
                why: Chain(&error).to_string(),
                action: "ecs:DescribeTaskDefinition",
            }),
        }
        Ok(())
    }
}

fn named_vpc(question: &Question) -> Option<Place> {
    let vpc = question.vpc.as_ref()?.to_string();
    let subnets: Vec<String> = question.subnets.iter().map(ToString::to_string).collect();
    Some(Place::Vpc { vpc, subnets: Some(subnets).filter(|subnets| !subnets.is_empty()) })
}

fn service_place(name: &ServiceName, own: &AwsVpcConfiguration, named: Option<Place>) -> Place {
    let vpc = match named {
        Some(Place::Vpc { vpc, .. }) => Some(vpc),
        Some(Place::Service { .. } | Place::Instances(_)) | None => None,
    };
    Place::Service {
        service: format!("service {name}"),
        subnets: own.subnets().to_vec(),
        groups: own.security_groups().to_vec(),
        public_address: own.assign_public_ip() == Some(&AssignPublicIp::Enabled),
        vpc,
    }
}
