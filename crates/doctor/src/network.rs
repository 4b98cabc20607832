//! VPCs: attributes, subnets, routes, endpoints and security groups.
//!
//! Knows: EC2's answers. Must not know: what a task needs of them.

use crate::error::Error;
use crate::subject::Place;
use crate::{Answer, seen};
use aws_sdk_ec2::operation::describe_vpc_attribute::DescribeVpcAttributeOutput;
use aws_sdk_ec2::types::{self as ec2, Filter, VpcAttributeName, VpcEndpointType};
use aws_types::SdkConfig;
use ecs_sidecar_aws::{Chain, Error as CallError};
use ecs_sidecar_core::doctor::{
    AclRule, Cidr, Endpoints, GroupRule, Network, NetworkAcl, PeerSight, Route, RouteTable, SecurityGroup, Seen,
    Subnet, TaskNetwork, VpcEndpoint,
};
use ecs_sidecar_core::ids::{AccountId, Region};

/// EC2's codes for what does not exist.
const NO_VPC: [&str; 2] = ["InvalidVpcID.NotFound", "InvalidVpcID.Malformed"];
const NO_SUBNET: [&str; 2] = ["InvalidSubnetID.NotFound", "InvalidSubnetID.Malformed"];

/// What awsvpc takes where a service names no group.
const DEFAULT_GROUP: &str = "default";

/// What DescribeVpcs says; nothing if nobody may see it.
#[derive(Debug, Default)]
struct Own {
    cidrs: Vec<Cidr>,
    owner: Option<String>,
}

/// The EC2 client.
#[derive(Debug, Clone)]
pub(crate) struct Networks {
    client: aws_sdk_ec2::Client,
}

impl Networks {
    /// A client.
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self { client: aws_sdk_ec2::Client::new(config) }
    }

    /// Looks at the network of a place.
    pub(crate) async fn look(&self, account: &AccountId, region: &Region, place: &Place) -> Result<Network, Error> {
        let network = match place {
            Place::Instances(why) => return Ok(Network::Instances(why.clone())),
            Place::Vpc { vpc, subnets } => {
                let (network, _) = self.vpc(account, region, vpc).await?;
                TaskNetwork { task_subnets: subnets.clone(), ..network }
            }
            Place::Service { service, subnets, vpc, public_address, groups } => {
                let found = match self.vpc_of(subnets).await {
                    Ok(found) => found,
                    Err(Error::Call(error)) => return Ok(Network::Unseen(Chain(&error).to_string())),
                    Err(error @ (Error::NoSuch { .. } | Error::Identity { .. } | Error::OtherVpc { .. })) => {
                        return Err(error);
                    }
                };
                if let Some(named) = vpc.as_ref().filter(|named| **named != found) {
                    let (subject, named) = (service.clone(), named.clone());
                    return Err(Error::OtherVpc { subject, found, named });
                }
                let (network, default_group) = self.vpc(account, region, &found).await?;
                let task_groups = if groups.is_empty() { default_group.into_iter().collect() } else { groups.clone() };
                TaskNetwork {
                    task_subnets: Some(subnets.clone()),
                    task_groups: Some(task_groups),
                    public_address: Some(*public_address),
                    ..network
                }
            }
        };
        if let (Some(chosen), Seen::Yes(subnets)) = (&network.task_subnets, &network.subnets)
            && let Some(id) = chosen.iter().find(|id| subnets.iter().all(|subnet| subnet.id != **id))
        {
            return Err(Error::NoSuch { what: format!("subnet {id} in {}", network.vpc) });
        }
        Ok(Network::Vpc(Box::new(network)))
    }

    /// The VPC, and its default security group: what tasks get where a service names none.
    async fn vpc(
        &self,
        account: &AccountId,
        region: &Region,
        vpc: &str,
    ) -> Result<(TaskNetwork, Option<String>), Error> {
        let (own, dns_support, dns_hostnames, subnets, route_tables, endpoints, groups, acls, s3_prefix_list) = tokio::join!(
            self.own(vpc),
            self.attribute(vpc, VpcAttributeName::EnableDnsSupport, DescribeVpcAttributeOutput::enable_dns_support),
            self.attribute(vpc, VpcAttributeName::EnableDnsHostnames, DescribeVpcAttributeOutput::enable_dns_hostnames),
            self.subnets(vpc),
            self.route_tables(vpc),
            self.endpoints(vpc),
            self.groups(vpc),
            self.acls(vpc),
            self.s3_prefix_list(region),
        );
        let own = own?;
        let (default_group, security_groups) = match seen(groups) {
            Seen::Yes(groups) => (default_of(&groups), Seen::Yes(groups.into_iter().filter_map(group).collect())),
            Seen::No(why) => (None, Seen::No(why)),
        };
        let network = TaskNetwork {
            vpc: vpc.to_owned(),
            cidrs: own.cidrs,
            dns_support: seen(dns_support),
            dns_hostnames: seen(dns_hostnames),
            subnets: seen(subnets),
            task_subnets: None,
            route_tables: seen(route_tables),
            endpoints: visible(seen(endpoints), own.owner.as_deref(), account),
            security_groups,
            acls: seen(acls),
            task_groups: None,
            public_address: None,
            s3_prefix_list,
        };
        Ok((network, default_group))
    }

    /// The VPC's ranges and owner; nothing if nobody may see them, for they serve mostly the commands that mend.
    async fn own(&self, vpc: &str) -> Result<Own, Error> {
        let sent = self.client.describe_vpcs().vpc_ids(vpc).send().await;
        match sent.map_err(|error| CallError::call("DescribeVpcs", vpc, &error)) {
            Ok(answer) => {
                let no_such = || Error::NoSuch { what: format!("VPC {vpc}") };
                let found = answer.vpcs().first().ok_or_else(no_such)?;
                let more = found.cidr_block_association_set().iter().filter_map(|block| block.cidr_block());
                let mut cidrs: Vec<Cidr> =
                    found.cidr_block().into_iter().chain(more).filter_map(|cidr| cidr.parse().ok()).collect();
                cidrs.dedup();
                Ok(Own { cidrs, owner: found.owner_id().map(str::to_owned) })
            }
            Err(error) if error.is_code(&NO_VPC) => Err(Error::NoSuch { what: format!("VPC {vpc}") }),
            Err(_) => Ok(Own::default()),
        }
    }

    /// The VPC of a service's subnets.
    async fn vpc_of(&self, subnets: &[String]) -> Result<String, Error> {
        let sent = self.client.describe_subnets().set_subnet_ids(Some(subnets.to_vec())).send().await;
        let what = subnets.join(", ");
        let no_such = || Error::NoSuch { what: format!("subnet {what}") };
        match sent.map_err(|error| CallError::call("DescribeSubnets", what.clone(), &error)) {
            Ok(answer) => {
                answer.subnets().first().and_then(|subnet| subnet.vpc_id()).map(str::to_owned).ok_or_else(no_such)
            }
            Err(error) if error.is_code(&NO_SUBNET) => Err(no_such()),
            Err(error) => Err(error.into()),
        }
    }

    /// One attribute; a call answers one alone.
    async fn attribute(
        &self,
        vpc: &str,
        name: VpcAttributeName,
        read: fn(&DescribeVpcAttributeOutput) -> Option<&ec2::AttributeBooleanValue>,
    ) -> Answer<bool> {
        let sent = self.client.describe_vpc_attribute().vpc_id(vpc).attribute(name).send().await;
        let answer = sent.map_err(|error| CallError::call("DescribeVpcAttribute", vpc, &error))?;
        Ok(read(&answer).and_then(|value| value.value()).unwrap_or(false))
    }

    async fn subnets(&self, vpc: &str) -> Answer<Vec<Subnet>> {
        let pages = self.client.describe_subnets().filters(of_vpc(vpc)).into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await;
        let all = all.map_err(|error| CallError::call("DescribeSubnets", vpc, &error))?;
        let subnet = |subnet: ec2::Subnet| {
            let cidr = subnet.cidr_block().and_then(|cidr| cidr.parse().ok());
            Some(Subnet { id: subnet.subnet_id?, zone: subnet.availability_zone.unwrap_or_default(), cidr })
        };
        Ok(all.into_iter().filter_map(subnet).collect())
    }

    async fn route_tables(&self, vpc: &str) -> Answer<Vec<RouteTable>> {
        let pages = self.client.describe_route_tables().filters(of_vpc(vpc)).into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await;
        let all = all.map_err(|error| CallError::call("DescribeRouteTables", vpc, &error))?;
        Ok(all.iter().map(route_table).collect())
    }

    async fn endpoints(&self, vpc: &str) -> Answer<Vec<VpcEndpoint>> {
        let pages = self.client.describe_vpc_endpoints().filters(of_vpc(vpc)).into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await;
        let all = all.map_err(|error| CallError::call("DescribeVpcEndpoints", vpc, &error))?;
        // Some emulators know no filters here.
        Ok(all.into_iter().filter(|endpoint| endpoint.vpc_id() == Some(vpc)).filter_map(endpoint).collect())
    }

    async fn groups(&self, vpc: &str) -> Answer<Vec<ec2::SecurityGroup>> {
        let pages = self.client.describe_security_groups().filters(of_vpc(vpc)).into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await;
        all.map_err(|error| CallError::call("DescribeSecurityGroups", vpc, &error))
    }

    async fn acls(&self, vpc: &str) -> Answer<Vec<NetworkAcl>> {
        let pages = self.client.describe_network_acls().filters(of_vpc(vpc)).into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await;
        let all = all.map_err(|error| CallError::call("DescribeNetworkAcls", vpc, &error))?;
        Ok(all.iter().map(acl).collect())
    }

    async fn s3_prefix_list(&self, region: &Region) -> Seen<String> {
        let name = format!("com.amazonaws.{region}.s3");
        let filter = Filter::builder().name("prefix-list-name").values(&name).build();
        let pages = self.client.describe_prefix_lists().filters(filter).into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await;
        match seen(all.map_err(|error| CallError::call("DescribePrefixLists", &*name, &error))) {
            Seen::Yes(lists) => match lists.into_iter().find_map(|list| list.prefix_list_id) {
                Some(id) => Seen::Yes(id),
                None => Seen::No(format!("there is no prefix list {name}")),
            },
            Seen::No(why) => Seen::No(why),
        }
    }
}

/// Endpoints of a VPC that another account shares are seen by that account alone.
fn visible(endpoints: Endpoints, owner: Option<&str>, account: &AccountId) -> Endpoints {
    match owner.filter(|owner| *owner != account.as_str()) {
        Some(owner) => Seen::No(format!("the VPC is shared by account {owner}, which alone sees its endpoints")),
        None => endpoints,
    }
}

fn default_of(groups: &[ec2::SecurityGroup]) -> Option<String> {
    let default = groups.iter().find(|group| group.group_name() == Some(DEFAULT_GROUP));
    default.and_then(|group| group.group_id()).map(str::to_owned)
}

fn group(group: ec2::SecurityGroup) -> Option<(String, SecurityGroup)> {
    let side = |permissions: &[ec2::IpPermission]| permissions.iter().flat_map(rules).collect();
    let sides = SecurityGroup { inbound: side(group.ip_permissions()), outbound: side(group.ip_permissions_egress()) };
    Some((group.group_id?, sides))
}

fn of_vpc(vpc: &str) -> Filter {
    Filter::builder().name("vpc-id").values(vpc).build()
}

fn route_table(table: &ec2::RouteTable) -> RouteTable {
    let route = |route: &ec2::Route| {
        let destination = route.destination_cidr_block().or(route.destination_prefix_list_id())?;
        let target = [
            route.nat_gateway_id(),
            route.gateway_id(),
            route.transit_gateway_id(),
            route.vpc_peering_connection_id(),
            route.network_interface_id(),
            route.instance_id(),
            route.local_gateway_id(),
            route.carrier_gateway_id(),
            route.core_network_arn(),
        ];
        let target = target.into_iter().flatten().next().unwrap_or("an unknown target");
        Some(Route { destination: destination.to_owned(), target: target.to_owned() })
    };
    let in_force = table.routes().iter().filter(|route| route.state() != Some(&ec2::RouteState::Blackhole));
    RouteTable {
        id: table.route_table_id().unwrap_or_default().to_owned(),
        is_main: table.associations().iter().any(|association| association.main() == Some(true)),
        subnets: table.associations().iter().filter_map(|one| one.subnet_id().map(str::to_owned)).collect(),
        routes: in_force.filter_map(route).collect(),
    }
}

fn acl(acl: &ec2::NetworkAcl) -> NetworkAcl {
    let side = |egress| {
        let rules = acl.entries().iter().filter(|entry| entry.egress() == Some(egress));
        rules.filter_map(acl_rule).collect()
    };
    NetworkAcl {
        id: acl.network_acl_id().unwrap_or_default().to_owned(),
        is_default: acl.is_default() == Some(true),
        subnets: acl.associations().iter().filter_map(|one| one.subnet_id().map(str::to_owned)).collect(),
        inbound: side(false),
        outbound: side(true),
    }
}

/// A rule for IPv4; there are rules for IPv6 beside them.
fn acl_rule(entry: &ec2::NetworkAclEntry) -> Option<AclRule> {
    Some(AclRule {
        number: entry.rule_number()?,
        allows: entry.rule_action() == Some(&ec2::RuleAction::Allow),
        is_tcp: matches!(entry.protocol(), Some("-1" | "6")),
        ports: entry.port_range().and_then(|range| range.from().zip(range.to())),
        range: entry.cidr_block()?.parse().ok()?,
    })
}

fn endpoint(endpoint: ec2::VpcEndpoint) -> Option<VpcEndpoint> {
    let groups =
        endpoint.groups.map(|groups| groups.into_iter().filter_map(|group| group.group_id).collect::<Vec<_>>());
    Some(VpcEndpoint {
        id: endpoint.vpc_endpoint_id?,
        service: endpoint.service_name?,
        is_gateway: endpoint.vpc_endpoint_type == Some(VpcEndpointType::Gateway),
        state: endpoint.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
        private_dns: endpoint.private_dns_enabled.map_or_else(|| untold("private DNS"), Seen::Yes),
        subnets: endpoint.subnet_ids.unwrap_or_default(),
        route_tables: endpoint.route_table_ids.unwrap_or_default(),
        groups: groups.map_or_else(|| untold("security groups"), Seen::Yes),
        policy: endpoint.policy_document.map_or_else(|| untold("policy"), Seen::Yes),
    })
}

/// A rule for several peers as one for each.
fn rules(permission: &ec2::IpPermission) -> Vec<GroupRule> {
    let ranges = permission.ip_ranges().iter().filter_map(|range| range.cidr_ip()?.parse().ok().map(PeerSight::Range));
    let groups = permission.user_id_group_pairs().iter().filter_map(|pair| pair.group_id().map(str::to_owned));
    let lists = permission.prefix_list_ids().iter().filter_map(|list| list.prefix_list_id().map(str::to_owned));
    let peers = ranges.chain(groups.map(PeerSight::Group)).chain(lists.map(PeerSight::PrefixList));
    let rule = |peer| GroupRule {
        protocol: permission.ip_protocol().unwrap_or_default().to_owned(),
        ports: permission.from_port().zip(permission.to_port()),
        peer,
    };
    peers.map(rule).collect()
}

fn untold<T>(what: &str) -> Seen<T> {
    Seen::No(format!("EC2 did not tell the endpoint's {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoints_of_a_shared_vpc_are_not_taken_for_none() {
        let account = "111122223333".parse().expect("an account");
        let none = || Seen::Yes(Vec::new());
        assert_eq!(visible(none(), Some("111122223333"), &account), none());
        assert_eq!(visible(none(), None, &account), none());
        let Seen::No(why) = visible(none(), Some("999988887777"), &account) else { panic!("they are not seen") };
        assert!(why.contains("account 999988887777"), "{why}");
    }

    #[test]
    fn routes_that_lead_nowhere_do_not_count() {
        let to = |gateway: &str, state| {
            ec2::Route::builder().destination_cidr_block("0.0.0.0/0").nat_gateway_id(gateway).state(state).build()
        };
        let table = ec2::RouteTable::builder()
            .route_table_id("rtb-1")
            .routes(to("nat-gone", ec2::RouteState::Blackhole))
            .routes(to("nat-1", ec2::RouteState::Active));
        let routes = route_table(&table.build()).routes;
        assert_eq!(routes, [Route { destination: "0.0.0.0/0".to_owned(), target: "nat-1".to_owned() }]);
    }

    #[test]
    fn rules_of_an_acl_are_told_apart_by_side_and_family() {
        let entry = |number, egress| {
            ec2::NetworkAclEntry::builder()
                .rule_number(number)
                .egress(egress)
                .protocol("6")
                .rule_action(ec2::RuleAction::Allow)
                .port_range(ec2::PortRange::builder().from(443).to(443).build())
        };
        let seen = ec2::NetworkAcl::builder()
            .network_acl_id("acl-1")
            .is_default(true)
            .entries(entry(100, true).cidr_block("10.0.0.0/8").build())
            .entries(entry(101, true).ipv6_cidr_block("::/0").build())
            .entries(entry(102, false).cidr_block("0.0.0.0/0").rule_action(ec2::RuleAction::Deny).build());
        let acl = acl(&seen.build());
        let rule = |number, allows, range: &str| AclRule {
            number,
            allows,
            is_tcp: true,
            ports: Some((443, 443)),
            range: range.parse().expect("a range"),
        };
        assert_eq!(acl.outbound, [rule(100, true, "10.0.0.0/8")]);
        assert_eq!(acl.inbound, [rule(102, false, "0.0.0.0/0")]);
    }

    #[test]
    fn a_rule_for_several_peers_is_one_for_each() {
        let permission = ec2::IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(443)
            .to_port(443)
            .ip_ranges(ec2::IpRange::builder().cidr_ip("10.0.0.0/8").build())
            .user_id_group_pairs(ec2::UserIdGroupPair::builder().group_id("sg-1").build())
            .prefix_list_ids(ec2::PrefixListId::builder().prefix_list_id("pl-1").build());
        let peers: Vec<PeerSight> = rules(&permission.build()).into_iter().map(|rule| rule.peer).collect();
        let range = PeerSight::Range("10.0.0.0/8".parse().expect("a range"));
        assert_eq!(peers, [range, PeerSight::Group("sg-1".to_owned()), PeerSight::PrefixList("pl-1".to_owned())]);
    }
}
