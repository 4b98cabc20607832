//! The commands that mend what is missing. Nothing here is ever run.

use super::acl::Side;
use super::needs::Endpoint;
use super::route::Ways;
use super::sight::{Cidr, Sight, Subnet, TaskNetwork, VpcEndpoint};
use std::collections::BTreeSet;

/// The template that creates endpoints.
const TEMPLATE: &str = "infra/cloudformation/endpoints.yaml";

/// A command of the AWS CLI, for the Region that was looked at.
pub(super) fn aws(sight: &Sight, command: &str) -> String {
    format!("aws {command} --region {}", sight.region)
}

/// A command of IAM, which has no Region.
pub(super) fn iam(command: &str) -> String {
    format!("aws iam {command}")
}

/// How the template creates one endpoint; the command for all stands with their group.
pub(super) fn parameter(endpoint: Endpoint) -> String {
    format!("parameter {}=create of {TEMPLATE}", endpoint.parameter())
}

/// The stack that creates just what is missing.
pub(super) fn stack(sight: &Sight, network: &TaskNetwork, ways: &Ways<'_>, missing: &[Endpoint]) -> String {
    let mut zones = BTreeSet::new();
    let closed = ways.closed.iter().map(|(subnet, _)| *subnet);
    let first_of_zone: Vec<&Subnet> = closed.filter(|subnet| zones.insert(subnet.zone.as_str())).collect();
    let mut parameters = vec![
        format!("VpcId={}", network.vpc),
        format!("SubnetIds={}", join(first_of_zone.iter().map(|subnet| subnet.id.as_str()))),
    ];
    if missing.contains(&Endpoint::S3) {
        let tables: BTreeSet<&str> = ways.closed.iter().map(|(_, table)| table.id.as_str()).collect();
        parameters.push(format!("RouteTableIds={}", join(tables)));
    }
    parameters.extend(who_connects(network, ways));
    for endpoint in Endpoint::ALL {
        let parameter = endpoint.parameter();
        match (missing.contains(&endpoint), endpoint.is_created_by_default()) {
            (true, _) => parameters.push(format!("{parameter}=create")),
            (false, true) => parameters.push(format!("{parameter}=exists")),
            (false, false) => {}
        }
    }
    let command = format!(
        "cloudformation deploy --template-file {TEMPLATE} --stack-name {} --parameter-overrides {}",
        stack_name(network, missing),
        parameters.join(" ")
    );
    aws(sight, &command)
}

/// A name of its own for what is created: in a stack that is there already, `exists` would take endpoints away.
fn stack_name(network: &TaskNetwork, missing: &[Endpoint]) -> String {
    let created = missing.iter().map(|endpoint| endpoint.parameter().to_lowercase()).collect::<Vec<_>>();
    format!("ecs-sidecar-{}-{}", network.vpc, created.join("-"))
}

fn join<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    ids.into_iter().collect::<Vec<_>>().join(",")
}

/// Three groups at most have a parameter; where the tasks' groups are not known, the VPC's addresses do.
fn who_connects(network: &TaskNetwork, ways: &Ways<'_>) -> Vec<String> {
    match network.task_groups.as_deref() {
        Some(groups @ [_, ..]) => {
            groups.iter().take(3).zip(1..).map(|(group, n)| format!("TaskSecurityGroup{n}={group}")).collect()
        }
        Some([]) | None => {
            let holds = |cidr: &&Cidr| ways.subnets().filter_map(|subnet| subnet.cidr).all(|subnet| cidr.holds(subnet));
            let cidr = network.cidrs.iter().find(holds).or(network.cidrs.first());
            cidr.map(|cidr| format!("TaskCidr={cidr}")).into_iter().collect()
        }
    }
}

/// A rule that lets the tasks in to an endpoint.
pub(super) fn ingress(sight: &Sight, network: &TaskNetwork, group: &str) -> String {
    let task = network.task_groups.as_ref().and_then(|groups| groups.first());
    let from = match (task, network.cidrs.first()) {
        (Some(task), _) => format!("--source-group {task}"),
        (None, Some(cidr)) => format!("--cidr {cidr}"),
        (None, None) => "--cidr ...".to_owned(),
    };
    aws(sight, &format!("ec2 authorize-security-group-ingress --group-id {group} --protocol tcp --port 443 {from}"))
}

/// A rule that lets the tasks out.
pub(super) fn egress(sight: &Sight, group: &str, to: &str) -> String {
    let permission = format!("'IpProtocol=tcp,FromPort=443,ToPort=443,{to}'");
    aws(sight, &format!("ec2 authorize-security-group-egress --group-id {group} --ip-permissions {permission}"))
}

/// A rule of a network ACL that lets TCP ports through, from or to these addresses.
pub(super) fn acl_entry(sight: &Sight, acl: &str, side: Side, number: i32, ports: (i32, i32), peers: Cidr) -> String {
    let side = match side {
        Side::In => "ingress",
        Side::Out => "egress",
    };
    let (first, last) = ports;
    let command = format!(
        "ec2 create-network-acl-entry --network-acl-id {acl} --{side} --rule-number {number} --protocol tcp \
         --port-range From={first},To={last} --cidr-block {peers} --rule-action allow"
    );
    aws(sight, &command)
}

/// An endpoint's policy is replaced as a whole, so that nobody but its owner can say what else it is to let pass.
pub(super) fn endpoint_policy(sight: &Sight, endpoint: &VpcEndpoint) -> String {
    let command =
        format!("ec2 modify-vpc-endpoint --vpc-endpoint-id {} --policy-document file://policy.json", endpoint.id);
    format!("{}, with the statements that {TEMPLATE} has for it", aws(sight, &command))
}
