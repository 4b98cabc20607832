//! Security groups: whether they let port 443 through.
//!
//! Knows: rules, which only ever allow. Must not know: what is behind the port.

use super::cidr::Cidr;
use super::sight::{GroupRule, PeerSight, SecurityGroup};
use std::collections::BTreeMap;

const HTTPS: i32 = 443;

/// Whether rules let something through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lets {
    /// They do; the rule that does it.
    Through(String),
    /// They may; the rule on which it depends.
    Perhaps(String),
    /// They do not.
    Not,
    /// A group was not seen.
    Unseen(String),
}

/// The security groups of a VPC, by id.
pub(super) type Groups = BTreeMap<String, SecurityGroup>;

/// Whom rules have to name: addresses of all these ranges, or one of these groups or prefix lists.
#[derive(Debug, Default)]
pub(super) struct Peers<'a> {
    /// Ranges, all of which have to get through.
    pub(super) ranges: Vec<Cidr>,
    /// Groups that every peer is in; `None` if it is not known.
    pub(super) groups: Option<&'a [String]>,
    /// A prefix list that stands for all peers.
    pub(super) prefix_list: Option<&'a str>,
    /// A prefix list that none of the peers is on.
    pub(super) other_list: Option<&'a str>,
    /// Whether none of the peers has a private address.
    pub(super) are_public: bool,
}

/// Whether one of these groups lets HTTPS in from these peers.
pub(super) fn inbound(ids: &[String], groups: &Groups, from: &Peers<'_>) -> Lets {
    judge(ids, groups, from, |group| &group.inbound)
}

/// Whether one of these groups lets HTTPS out to these peers.
pub(super) fn outbound(ids: &[String], groups: &Groups, to: &Peers<'_>) -> Lets {
    judge(ids, groups, to, |group| &group.outbound)
}

fn judge(ids: &[String], groups: &Groups, peers: &Peers<'_>, side: fn(&SecurityGroup) -> &Vec<GroupRule>) -> Lets {
    let mut perhaps = None;
    let mut covered = vec![false; peers.ranges.len()];
    for id in ids {
        let Some(group) = groups.get(id) else { return Lets::Unseen(id.clone()) };
        for rule in side(group).iter().filter(|rule| is_https(rule)) {
            match &rule.peer {
                PeerSight::Range(range) => {
                    for (covered, wanted) in covered.iter_mut().zip(&peers.ranges) {
                        *covered |= range.holds(*wanted);
                        let is_other = peers.are_public && range.is_private();
                        if !range.holds(*wanted) && range.meets(*wanted) && !is_other {
                            perhaps = Some(format!("{id} names {range}, a part of {wanted}"));
                        }
                    }
                    if !covered.is_empty() && covered.iter().all(|covered| *covered) {
                        return Lets::Through(format!("{id} with {range}"));
                    }
                }
                PeerSight::Group(peer) => match peers.groups {
                    Some(known) if known.contains(peer) => return Lets::Through(format!("{id} with {peer}")),
                    Some(_) => {}
                    None => perhaps = Some(format!("{id} names the group {peer}")),
                },
                PeerSight::PrefixList(list) if peers.prefix_list == Some(list) => {
                    return Lets::Through(format!("{id} with {list}"));
                }
                PeerSight::PrefixList(list) if peers.other_list == Some(list) => {}
                PeerSight::PrefixList(list) => perhaps = Some(format!("{id} names the prefix list {list}")),
            }
        }
    }
    perhaps.map_or(Lets::Not, Lets::Perhaps)
}

fn is_https(rule: &GroupRule) -> bool {
    match rule.protocol.as_str() {
        "-1" => true,
        "tcp" | "6" => rule.ports.is_none_or(|(first, last)| first == -1 || (first..=last).contains(&HTTPS)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().expect("a range")
    }

    fn rule(protocol: &str, ports: Option<(i32, i32)>, peer: PeerSight) -> GroupRule {
        GroupRule { protocol: protocol.to_owned(), ports, peer }
    }

    fn inbound_of(rules: Vec<GroupRule>, from: &Peers<'_>) -> Lets {
        let group = SecurityGroup { inbound: rules, outbound: Vec::new() };
        inbound(&["sg-1".to_owned()], &Groups::from([("sg-1".to_owned(), group)]), from)
    }

    #[test]
    fn protocol_and_ports_have_to_cover_https() {
        let all = || PeerSight::Range(Cidr::ALL);
        let from = Peers { ranges: vec![cidr("10.7.1.0/24")], ..Peers::default() };
        for (protocol, ports, through) in [
            ("tcp", Some((443, 443)), true),
            ("6", Some((0, 65535)), true),
            ("-1", None, true),
            ("tcp", Some((80, 442)), false),
            ("udp", Some((443, 443)), false),
            ("icmp", Some((-1, -1)), false),
        ] {
            let lets = inbound_of(vec![rule(protocol, ports, all())], &from);
            assert_eq!(matches!(lets, Lets::Through(_)), through, "{protocol} {ports:?}");
        }
    }

    #[test]
    fn every_range_has_to_be_covered_by_some_rule() {
        let from = Peers { ranges: vec![cidr("10.7.1.0/24"), cidr("10.7.2.0/24")], ..Peers::default() };
        let tcp = |range: &str| rule("tcp", Some((443, 443)), PeerSight::Range(cidr(range)));
        assert!(matches!(inbound_of(vec![tcp("10.7.1.0/24"), tcp("10.7.2.0/23")], &from), Lets::Through(_)));
        assert_eq!(inbound_of(vec![tcp("10.7.1.0/24")], &from), Lets::Not);
        assert!(matches!(inbound_of(vec![tcp("10.7.1.0/25")], &from), Lets::Perhaps(_)));
        assert_eq!(inbound_of(vec![], &Peers::default()), Lets::Not);
    }

    #[test]
    fn a_prefix_list_counts_if_it_is_known_what_is_on_it() {
        let tcp = || vec![rule("tcp", Some((443, 443)), PeerSight::PrefixList("pl-1".to_owned()))];
        let known = Peers { prefix_list: Some("pl-1"), ..Peers::default() };
        assert!(matches!(inbound_of(tcp(), &known), Lets::Through(_)));
        assert!(matches!(inbound_of(tcp(), &Peers::default()), Lets::Perhaps(_)));
        assert_eq!(inbound_of(tcp(), &Peers { other_list: Some("pl-1"), ..Peers::default() }), Lets::Not);
    }

    #[test]
    fn a_group_counts_if_the_tasks_have_it() {
        let groups = vec!["sg-task".to_owned()];
        let tcp = |group: &str| vec![rule("tcp", Some((443, 443)), PeerSight::Group(group.to_owned()))];
        let known = Peers { groups: Some(&groups), ..Peers::default() };
        assert!(matches!(inbound_of(tcp("sg-task"), &known), Lets::Through(_)));
        assert_eq!(inbound_of(tcp("sg-other"), &known), Lets::Not);
        assert!(matches!(inbound_of(tcp("sg-other"), &Peers::default()), Lets::Perhaps(_)));
        assert_eq!(inbound(&["sg-9".to_owned()], &Groups::new(), &known), Lets::Unseen("sg-9".to_owned()));
    }
}
