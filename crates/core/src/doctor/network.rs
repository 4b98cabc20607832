//! The network: what the VPC must be like, and which endpoints it must have.

use super::acl;
use super::code::Code;
use super::endpoint;
use super::finding::Finding;
use super::mend;
use super::needs;
use super::route::{self, Ways};
use super::sight::{Network, Seen, Sight, Subnet, TaskNetwork};

/// Judges the network.
pub(super) fn judge(sight: &Sight, network: &Network) -> Finding {
    match network {
        Network::Instances(how) => Finding::of(
            Code::InstanceNetwork,
            "network",
            format!("{how}: the tasks use their instances' network; name its VPC with --vpc"),
        ),
        Network::Unseen(why) => Finding::not_seen("network", why, "ec2:DescribeSubnets"),
        Network::Vpc(network) => {
            let mut parts = vec![attributes(sight, network)];
            let ways = match (&network.subnets, &network.route_tables) {
                (Seen::Yes(subnets), Seen::Yes(tables)) => Ok(route::ways(network, subnets, tables)),
                (Seen::No(why), _) => Err(Finding::not_seen("subnets", why, "ec2:DescribeSubnets")),
                (_, Seen::No(why)) => Err(Finding::not_seen("route tables", why, "ec2:DescribeRouteTables")),
            };
            match ways {
                Ok(ways) if ways.subnets().next().is_none() => {
                    parts.push(Finding::of(Code::NoSubnets, "subnets", "the VPC has none"));
                }
                Ok(ways) => {
                    parts.push(subnets(&ways));
                    parts.push(acl::judge(sight, network, &ways));
                    parts.push(endpoints(sight, network, &ways));
                }
                Err(finding) => parts.push(finding),
            }
            if network.task_groups.is_none() {
                let message = "not known without --service, so what they let out is not judged";
                parts.push(Finding::of(Code::GroupsUnknown, "security groups of the tasks", message));
            }
            Finding::group(format!("network {}", network.vpc), parts)
        }
    }
}

fn attributes(sight: &Sight, network: &TaskNetwork) -> Finding {
    let one = |seen: &Seen<bool>, name: &str, option: &str, code| match seen {
        Seen::Yes(true) => Finding::ok(name, "on"),
        Seen::Yes(false) => {
            let command = format!("ec2 modify-vpc-attribute --vpc-id {} --{option} '{{\"Value\":true}}'", network.vpc);
            Finding::of(code, name, "off; private DNS names of endpoints need it").mended(mend::aws(sight, &command))
        }
        Seen::No(why) => Finding::not_seen(name, why, "ec2:DescribeVpcAttribute"),
    };
    let parts = vec![
        one(&network.dns_support, "enableDnsSupport", "enable-dns-support", Code::DnsSupportOff),
        one(&network.dns_hostnames, "enableDnsHostnames", "enable-dns-hostnames", Code::DnsHostnamesOff),
    ];
    Finding::group("DNS attributes", parts)
}

fn subnets(ways: &Ways<'_>) -> Finding {
    let named = |subnet: &Subnet| format!("{} in {}", subnet.id, subnet.zone);
    let closed = ways.closed.iter().map(|(subnet, table)| {
        Finding::ok(named(subnet), format!("no way to the internet (route table {})", table.id))
    });
    let elsewhere = ways.elsewhere.iter().map(|(subnet, table, target)| {
        Finding::ok(named(subnet), format!("default route to {target} (route table {})", table.id))
    });
    let open =
        ways.open.iter().map(|(subnet, target)| Finding::ok(named(subnet), format!("internet through {target}")));
    let parts: Vec<Finding> = closed.chain(elsewhere).chain(open).collect();
    Finding::group("subnets of the tasks", parts)
}

/// One finding for each endpoint that is needed; the group has one command for all that are to be created.
fn endpoints(sight: &Sight, network: &TaskNetwork, ways: &Ways<'_>) -> Finding {
    let (needed, unknown) = needs::endpoints(sight);
    let there = match &network.endpoints {
        Seen::Yes(there) => there,
        Seen::No(why) => return Finding::not_seen("endpoints", why, "ec2:DescribeVpcEndpoints"),
    };
    let mut parts = Vec::new();
    let mut missing = Vec::new();
    for (wanted, why) in needed {
        let finding = endpoint::judge(sight, network, ways, there, wanted, &why);
        if finding.all().iter().any(|part| part.code == Some(Code::EndpointMissing)) {
            missing.push(wanted);
        }
        parts.push(finding);
    }
    for arn in unknown {
        let message = format!("it is not known which services {arn} is for; its endpoints are not looked at");
        parts.push(Finding::of(Code::UnknownPermissions, format!("endpoints for {arn}"), message));
    }
    let group = Finding::group("endpoints", parts);
    if missing.is_empty() { group } else { group.mended(mend::stack(sight, network, ways, &missing)) }
}
