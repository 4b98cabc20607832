//! What is asked of the doctor.

use ecs_sidecar_core::ids::{Family, SubnetId, VpcId};
use ecs_sidecar_core::policy::Policy;
use std::fmt;
use std::str::FromStr;

/// What is to be looked at. Network and task may come from different selectors.
#[derive(Debug, Clone)]
pub struct Question {
    /// The VPC that tasks run in.
    pub vpc: Option<VpcId>,
    /// Its subnets that tasks run in; all without a way to the internet if there are none.
    pub subnets: Vec<SubnetId>,
    /// A service, which has a network and a task definition.
    pub service: Option<ServiceName>,
    /// A family, whose newest ACTIVE revision is looked at.
    pub family: Option<Family>,
    /// The policy whose sidecar is meant.
    pub policy: Policy,
    /// Prefix of the cache rule.
    pub cache_prefix: String,
}

impl Question {
    /// What it is about, for people.
    pub(crate) fn subject(&self) -> String {
        let service = self.service.as_ref().map(|service| format!("service {service}"));
        let family = self.family.as_ref().map(|family| format!("family {family}"));
        let vpc = self.vpc.as_ref().map(ToString::to_string);
        [service, family, vpc].into_iter().flatten().collect::<Vec<_>>().join(" in ")
    }
}

/// A service as people name it: `cluster/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceName {
    /// The cluster's name.
    pub cluster: String,
    /// The service's own.
    pub name: String,
}

/// A text that names no service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be CLUSTER/NAME, such as shop/checkout")]
pub struct ServiceNameError;

impl FromStr for ServiceName {
    type Err = ServiceNameError;

    fn from_str(text: &str) -> Result<Self, ServiceNameError> {
        // The ARN of a service ends in the same two parts.
        let path = match text.strip_prefix("arn:") {
            Some(arn) => arn.split_once(":service/").ok_or(ServiceNameError)?.1,
            None => text,
        };
        let part_ok = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        match path.split_once('/') {
            Some((cluster, name)) if part_ok(cluster) && part_ok(name) => {
                Ok(Self { cluster: cluster.to_owned(), name: name.to_owned() })
            }
            Some(_) | None => Err(ServiceNameError),
        }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_by_its_cluster_and_itself() {
        let service: ServiceName = "shop/checkout".parse().expect("a service");
        assert_eq!("arn:aws:ecs:eu-west-1:111122223333:service/shop/checkout".parse(), Ok(service));
        for text in
            ["checkout", "/checkout", "shop/", "shop/a/b", "arn:aws:ecs:eu-west-1:111122223333:cluster/shop", ""]
        {
            assert_eq!(text.parse::<ServiceName>(), Err(ServiceNameError), "{text}");
        }
    }
}
