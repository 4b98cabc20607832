//! Network ACLs: whether they let HTTPS out of the tasks' subnets and the answers back, and the same at the endpoints.
//!
//! Knows: that the first rule that fits decides, that answers need a rule of their own, and that nothing is filtered
//! within a subnet (VPC user guide, "Network ACL basics"). Must not know: security groups.

use super::code::Code;
use super::finding::Finding;
use super::mend;
use super::needs;
use super::route::Ways;
use super::sight::{AclRule, Cidr, NetworkAcl, Seen, Sight, TaskNetwork};
use std::collections::{BTreeMap, BTreeSet};

/// The port of every service.
const HTTPS: Ports = (443, 443);

/// The ports that Linux asks from, and that answers come back to: its ip_local_port_range where nobody changed it. (The VPC
/// user guide, "Ephemeral ports", names 32768 to 61000.)
const ANSWERS: Ports = (32768, 60999);

type Ports = (i32, i32);

/// A way through an ACL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Into the subnet.
    In,
    /// Out of it.
    Out,
}

/// What has to get through an ACL.
struct Flow {
    side: Side,
    ports: Ports,
    /// The other end.
    peers: Vec<Cidr>,
}

/// Whether rules let something through.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Lets {
    Through,
    /// Only a part of it, as far as can be seen; the number of the first rule that says so.
    Partly(i32),
    Not,
}

/// Judges each ACL of the tasks' subnets and of the endpoints' that they need.
pub(super) fn judge(sight: &Sight, network: &TaskNetwork, ways: &Ways<'_>) -> Finding {
    let subject = "network ACLs";
    let acls = match &network.acls {
        Seen::Yes(acls) => acls,
        Seen::No(why) => return Finding::not_seen(subject, why, "ec2:DescribeNetworkAcls"),
    };
    let tasks: BTreeSet<&str> = ways.subnets().map(|subnet| subnet.id.as_str()).collect();
    let endpoints: BTreeSet<&str> = of_endpoints(sight, network).difference(&tasks).copied().collect();
    let ranges: Vec<Cidr> = ways.subnets().filter_map(|subnet| subnet.cidr).collect();
    // By ACL, whether it serves tasks and whether it serves endpoints alone.
    let mut served: BTreeMap<&str, (&NetworkAcl, bool, bool)> = BTreeMap::new();
    for (subnet, is_task) in tasks.iter().map(|id| (*id, true)).chain(endpoints.iter().map(|id| (*id, false))) {
        // Every VPC has a default ACL, so there is always one.
        let Some(acl) = of_subnet(acls, subnet) else { continue };
        let (_, of_tasks, of_endpoints) = served.entry(&acl.id).or_insert((acl, false, false));
        *of_tasks |= is_task;
        *of_endpoints |= !is_task;
    }
    let parts = served.into_values().map(|(acl, of_tasks, of_endpoints)| {
        let mut flows = Vec::new();
        if of_tasks {
            flows.push(Flow { side: Side::Out, ports: HTTPS, peers: vec![Cidr::ALL] });
            flows.push(Flow { side: Side::In, ports: ANSWERS, peers: vec![Cidr::ALL] });
        }
        if of_endpoints {
            flows.push(Flow { side: Side::In, ports: HTTPS, peers: ranges.clone() });
            flows.push(Flow { side: Side::Out, ports: ANSWERS, peers: ranges.clone() });
        }
        one(sight, acl, &flows)
    });
    Finding::group(subject, parts.collect())
}

/// Subnets of interface endpoints that the task needs.
fn of_endpoints<'a>(sight: &Sight, network: &'a TaskNetwork) -> BTreeSet<&'a str> {
    let Seen::Yes(there) = &network.endpoints else { return BTreeSet::new() };
    let (needed, _) = needs::endpoints(sight);
    let is_needed = |service: &str| needed.iter().any(|(endpoint, _)| endpoint.is_service(service, &sight.region));
    let needed = there.iter().filter(|endpoint| !endpoint.is_gateway && is_needed(&endpoint.service));
    needed.flat_map(|endpoint| endpoint.subnets.iter().map(String::as_str)).collect()
}

/// The ACL that serves a subnet: the one that names it, else the VPC's default one.
fn of_subnet<'a>(acls: &'a [NetworkAcl], subnet: &str) -> Option<&'a NetworkAcl> {
    let named = acls.iter().find(|acl| acl.subnets.iter().any(|id| id == subnet));
    named.or_else(|| acls.iter().find(|acl| acl.is_default))
}

fn one(sight: &Sight, acl: &NetworkAcl, flows: &[Flow]) -> Finding {
    let mut partly = None;
    let mut closed = BTreeSet::new();
    let mut commands = Vec::new();
    for (flow, peers) in flows.iter().flat_map(|flow| flow.peers.iter().map(move |peers| (flow, *peers))) {
        let (rules, way) = match flow.side {
            Side::In => (&acl.inbound, "in"),
            Side::Out => (&acl.outbound, "out"),
        };
        let what = if flow.ports == HTTPS { "TCP port 443" } else { "answers (TCP ports 32768 to 60999)" };
        match lets(rules, flow.ports, peers) {
            Lets::Through => {}
            Lets::Partly(rule) => partly = partly.or(Some(format!("{what} {way} depends on rule {rule}"))),
            Lets::Not => {
                closed.insert(format!("no {what} {way}"));
                // The first rule that fits decides, so that these go before all that are there.
                let lowest = rules.iter().map(|rule| rule.number).min().unwrap_or(100);
                let before = 1 + i32::try_from(commands.len()).unwrap_or(0);
                let number = (lowest - before).max(1);
                commands.push(mend::acl_entry(sight, &acl.id, flow.side, number, flow.ports, peers));
            }
        }
    }
    if !closed.is_empty() {
        let message = format!("lets {}", closed.into_iter().collect::<Vec<_>>().join(", "));
        return Finding::of(Code::NetworkAclClosed, &acl.id, message).mended(commands.join(" && "));
    }
    match partly {
        Some(what) => Finding::of(Code::NetworkAclPartly, &acl.id, what),
        None => Finding::ok(&acl.id, "lets port 443 and its answers through"),
    }
}

/// Whether all TCP ports get through, to or from all those addresses.
fn lets(rules: &[AclRule], ports: Ports, peers: Cidr) -> Lets {
    let mut rules: Vec<&AclRule> = rules.iter().filter(|rule| rule.is_tcp && rule.range.meets(peers)).collect();
    rules.sort_by_key(|rule| rule.number);
    let (mut allowed, mut denied) = (None, None);
    for rule in rules {
        let (first, last) = rule.ports.unwrap_or((0, i32::from(u16::MAX)));
        if last < ports.0 || ports.1 < first {
            continue;
        }
        let part = if rule.allows { &mut allowed } else { &mut denied };
        part.get_or_insert(rule.number);
        if first <= ports.0 && ports.1 <= last && rule.range.holds(peers) {
            break;
        }
    }
    match (allowed, denied) {
        (Some(_), None) => Lets::Through,
        (None, _) => Lets::Not,
        (Some(allowed), Some(denied)) => Lets::Partly(allowed.min(denied)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(number: i32, allows: bool, ports: Option<Ports>, range: &str) -> AclRule {
        AclRule { number, allows, is_tcp: true, ports, range: range.parse().expect("a range") }
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let last = || rule(32767, false, None, "0.0.0.0/0");
        let open = || rule(100, true, None, "0.0.0.0/0");
        let https = |rules: &[AclRule]| lets(rules, HTTPS, Cidr::ALL);
        assert_eq!(https(&[last(), open()]), Lets::Through, "in whatever order they come");
        assert_eq!(https(&[last()]), Lets::Not);
        assert_eq!(https(&[]), Lets::Not);
        assert_eq!(https(&[rule(50, false, Some(HTTPS), "0.0.0.0/0"), open(), last()]), Lets::Not);
        assert_eq!(https(&[rule(50, false, Some((22, 22)), "0.0.0.0/0"), open(), last()]), Lets::Through);
        assert_eq!(https(&[rule(50, false, None, "10.9.0.0/16"), open(), last()]), Lets::Partly(50));
        assert_eq!(https(&[rule(100, true, Some(HTTPS), "10.0.0.0/8"), last()]), Lets::Partly(100));
        assert_eq!(https(&[AclRule { is_tcp: false, ..open() }, last()]), Lets::Not, "UDP");
    }

    #[test]
    fn only_rules_for_the_other_end_and_for_all_ports_count() {
        let ten: Cidr = "10.7.1.0/24".parse().expect("a range");
        let rules = [
            rule(90, false, None, "192.168.0.0/16"),
            rule(100, true, Some((1024, 65535)), "10.0.0.0/8"),
            rule(32767, false, None, "0.0.0.0/0"),
        ];
        assert_eq!(lets(&rules, ANSWERS, ten), Lets::Through);
        assert_eq!(lets(&rules, HTTPS, ten), Lets::Not);
        let narrow = [rule(100, true, Some((32768, 40000)), "10.0.0.0/8"), rule(32767, false, None, "0.0.0.0/0")];
        assert_eq!(lets(&narrow, ANSWERS, ten), Lets::Partly(100));
    }
}
