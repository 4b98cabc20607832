//! One endpoint of a VPC: there, available, found by name, reached and not too narrow.

use super::cidr::Cidr;
use super::code::Code;
use super::finding::Finding;
use super::firewall::{self, Groups, Lets, Peers};
use super::mend;
use super::needs::Endpoint;
use super::policy::{self, Caller, Verdict};
use super::route::Ways;
use super::sight::{Seen, Sight, Subnet, TaskNetwork, VpcEndpoint};

/// What the judgement of one endpoint rests on.
struct Case<'a> {
    sight: &'a Sight,
    network: &'a TaskNetwork,
    ways: &'a Ways<'a>,
    wanted: Endpoint,
}

/// Judges whether the tasks reach this service.
pub(super) fn judge(
    sight: &Sight,
    network: &TaskNetwork,
    ways: &Ways<'_>,
    there: &[VpcEndpoint],
    wanted: Endpoint,
    why: &str,
) -> Finding {
    let case = Case { sight, network, ways, wanted };
    let own: Vec<&VpcEndpoint> =
        there.iter().filter(|endpoint| wanted.is_service(&endpoint.service, &sight.region)).collect();
    let parts = if wanted == Endpoint::S3 { case.gateway(&own) } else { case.interface(&own) };
    let mut group = Finding::group(format!("endpoint {}", wanted.name()), parts);
    group.message = why.to_owned();
    group
}

impl Case<'_> {
    fn interface(&self, own: &[&VpcEndpoint]) -> Vec<Finding> {
        // Several may be there; one alone can have the service's usual name.
        let mut own: Vec<&VpcEndpoint> = own.iter().copied().filter(|endpoint| !endpoint.is_gateway).collect();
        own.sort_by_key(|endpoint| (endpoint.private_dns != Seen::Yes(true), !is_available(endpoint)));
        let Some(endpoint) = own.first() else { return vec![self.absent()] };
        let mut parts = vec![self.state(endpoint)];
        match &endpoint.private_dns {
            Seen::Yes(true) => parts.push(Finding::ok("private DNS", "on")),
            Seen::Yes(false) => parts.push(self.private_dns_off(endpoint)),
            Seen::No(why) => parts.push(Finding::of(Code::NotSeen, "private DNS", why)),
        }
        parts.push(self.zones(endpoint));
        match (&self.network.security_groups, &endpoint.groups) {
            (Seen::Yes(groups), Seen::Yes(ids)) => {
                parts.push(self.lets_in(ids, groups));
                parts.extend(self.lets_out(endpoint, ids, groups));
            }
            (Seen::No(why), _) => parts.push(Finding::not_seen("security groups", why, "ec2:DescribeSecurityGroups")),
            (_, Seen::No(why)) => parts.push(Finding::of(Code::NotSeen, "security groups", why)),
        }
        parts.push(self.policy(endpoint, Caller::Account));
        parts
    }

    fn gateway(&self, own: &[&VpcEndpoint]) -> Vec<Finding> {
        let gateways: Vec<&VpcEndpoint> = own.iter().copied().filter(|endpoint| endpoint.is_gateway).collect();
        let Some(first) = gateways.first() else {
            let interface = own.iter().find(|endpoint| !endpoint.is_gateway);
            return vec![match interface {
                Some(interface) if self.is_needed() => Finding::of(
                    Code::InterfaceForS3,
                    &interface.id,
                    "an interface endpoint, and no gateway; whether it serves ECR's layers depends on its DNS options",
                )
                .mended(mend::parameter(self.wanted)),
                Some(_) | None => self.absent(),
            }];
        };
        let mut parts: Vec<Finding> = gateways.iter().map(|gateway| self.state(gateway)).collect();
        parts.extend(self.routed(first, &gateways));
        parts.extend(self.lets_out_to_s3());
        parts.extend(gateways.iter().map(|gateway| self.policy(gateway, Caller::Service)));
        parts
    }

    /// Whether a subnet has no other way to the service.
    fn is_needed(&self) -> bool {
        !self.ways.closed.is_empty()
    }

    fn absent(&self) -> Finding {
        let subject = self.wanted.name();
        if let Some((subnet, _)) = self.ways.closed.first() {
            let message = format!("the VPC has none, and {} has no other way to the service", subnet.id);
            return Finding::of(Code::EndpointMissing, subject, message).mended(mend::parameter(self.wanted));
        }
        self.not_needed(subject, "the VPC has none")
    }

    /// Where no subnet is closed: the service is reached by the internet, or perhaps by another network.
    fn not_needed(&self, subject: &str, what: &str) -> Finding {
        if let Some((subnet, _, target)) = self.ways.elsewhere.first() {
            let message =
                format!("{what}; the default route of {} leads to {target}, and what is there is not known", subnet.id);
            return Finding::of(Code::EndpointElsewhere, subject, message).mended(mend::parameter(self.wanted));
        }
        let gateway = self.ways.open.first().map_or("the internet", |(_, gateway)| gateway.as_str());
        let message = format!("{what}; reached by the internet through {gateway}. A closed VPC would need it");
        Finding::of(Code::InternetRoute, subject, message)
    }

    fn state(&self, endpoint: &VpcEndpoint) -> Finding {
        if is_available(endpoint) {
            return Finding::ok(&endpoint.id, "available");
        }
        let message = format!("its state is {}, not available", endpoint.state);
        let command = format!(
            "ec2 describe-vpc-endpoints --vpc-endpoint-ids {} --query VpcEndpoints[].[State,LastError]",
            endpoint.id
        );
        Finding::of(Code::EndpointNotAvailable, &endpoint.id, message).mended(mend::aws(self.sight, &command))
    }

    fn private_dns_off(&self, endpoint: &VpcEndpoint) -> Finding {
        if !self.is_needed() {
            return self.not_needed("private DNS", &format!("{} has none", endpoint.id));
        }
        let command = format!("ec2 modify-vpc-endpoint --vpc-endpoint-id {} --private-dns-enabled", endpoint.id);
        Finding::of(Code::PrivateDnsOff, "private DNS", format!("off at {}", endpoint.id))
            .mended(mend::aws(self.sight, &command))
    }

    fn subnets_of(&self, endpoint: &VpcEndpoint) -> Vec<&Subnet> {
        let all = match &self.network.subnets {
            Seen::Yes(subnets) => subnets.as_slice(),
            Seen::No(_) => &[],
        };
        all.iter().filter(|subnet| endpoint.subnets.contains(&subnet.id)).collect()
    }

    fn zones(&self, endpoint: &VpcEndpoint) -> Finding {
        let subject = "Availability Zones";
        let subnets = self.subnets_of(endpoint);
        let add = |subnet: &str| {
            let id = &endpoint.id;
            mend::aws(self.sight, &format!("ec2 modify-vpc-endpoint --vpc-endpoint-id {id} --add-subnet-ids {subnet}"))
        };
        let any = self.ways.subnets().next().map_or("subnet-...", |subnet| subnet.id.as_str());
        if endpoint.subnets.is_empty() {
            return Finding::of(Code::EndpointWithoutSubnets, subject, "it is in no subnet").mended(add(any));
        }
        let elsewhere = self.ways.subnets().find(|task| subnets.iter().all(|subnet| subnet.zone != task.zone));
        match elsewhere {
            Some(task) => {
                let message = format!("none of it is in {}, the zone of {}: traffic crosses zones", task.zone, task.id);
                Finding::of(Code::EndpointInOtherZone, subject, message).mended(add(&task.id))
            }
            None => Finding::ok(subject, "in each zone of the tasks' subnets"),
        }
    }

    fn lets_in(&self, ids: &[String], groups: &Groups) -> Finding {
        let subject = "inbound 443";
        let ranges: Vec<Cidr> = self.ways.subnets().filter_map(|subnet| subnet.cidr).collect();
        let from = Peers { ranges, groups: self.network.task_groups.as_deref(), ..Peers::default() };
        let mended = |finding: Finding| match ids.first() {
            Some(group) => finding.mended(mend::ingress(self.sight, self.network, group)),
            None => finding,
        };
        match firewall::inbound(ids, groups, &from) {
            Lets::Through(rule) => Finding::ok(subject, format!("let in by {rule}")),
            Lets::Perhaps(rule) => Finding::of(Code::RulesUnclear, subject, rule),
            Lets::Not => {
                let message = format!("no rule of {} lets the tasks in", ids.join(", "));
                mended(Finding::of(Code::EndpointClosed, subject, message))
            }
            Lets::Unseen(id) => Finding::of(Code::NotSeen, subject, format!("security group {id} is not of this VPC")),
        }
    }

    /// What the tasks let out to an interface endpoint; nothing if it is not known which tasks.
    fn lets_out(&self, endpoint: &VpcEndpoint, endpoint_groups: &[String], groups: &Groups) -> Option<Finding> {
        let tasks = self.network.task_groups.as_ref()?;
        let subject = "outbound 443 of the tasks";
        let ranges = self.subnets_of(endpoint).into_iter().filter_map(|subnet| subnet.cidr).collect();
        // An interface endpoint has addresses of the VPC, which are not S3's.
        let other_list = self.network.s3_prefix_list.clone().ok();
        let to = Peers { ranges, groups: Some(endpoint_groups), other_list: other_list.as_deref(), ..Peers::default() };
        Some(match firewall::outbound(tasks, groups, &to) {
            Lets::Through(rule) => Finding::ok(subject, format!("let out by {rule}")),
            Lets::Perhaps(rule) => Finding::of(Code::RulesUnclear, subject, rule),
            Lets::Not => {
                let message = format!("no rule of {} lets the tasks out to it", tasks.join(", "));
                let pair = endpoint_groups.first().map(|group| format!("UserIdGroupPairs=[{{GroupId={group}}}]"));
                let finding = Finding::of(Code::TasksClosed, subject, message);
                match (tasks.first(), pair) {
                    (Some(task), Some(pair)) => finding.mended(mend::egress(self.sight, task, &pair)),
                    (_, _) => finding,
                }
            }
            Lets::Unseen(id) => Finding::of(Code::NotSeen, subject, format!("security group {id} is not of this VPC")),
        })
    }

    /// What the tasks let out to S3, whose addresses are a prefix list.
    fn lets_out_to_s3(&self) -> Option<Finding> {
        let tasks = self.network.task_groups.as_ref()?;
        let subject = "outbound 443 of the tasks to S3";
        let groups = match &self.network.security_groups {
            Seen::Yes(groups) => groups,
            Seen::No(why) => return Some(Finding::not_seen(subject, why, "ec2:DescribeSecurityGroups")),
        };
        let list = self.network.s3_prefix_list.clone().ok();
        let to = Peers {
            ranges: vec![Cidr::ALL],
            groups: Some(&[]),
            prefix_list: list.as_deref(),
            are_public: true,
            ..Peers::default()
        };
        Some(match (firewall::outbound(tasks, groups, &to), &self.network.s3_prefix_list) {
            (Lets::Through(rule), _) => Finding::ok(subject, format!("let out by {rule}")),
            (Lets::Unseen(id), _) => {
                Finding::of(Code::NotSeen, subject, format!("security group {id} is not of this VPC"))
            }
            (Lets::Perhaps(_), Seen::No(why)) => Finding::not_seen(subject, why, "ec2:DescribePrefixLists"),
            (Lets::Perhaps(rule), Seen::Yes(_)) => Finding::of(Code::RulesUnclear, subject, rule),
            (Lets::Not, _) => self.closed_to_s3(subject, tasks),
        })
    }

    fn closed_to_s3(&self, subject: &str, tasks: &[String]) -> Finding {
        let message = format!("no rule of {} lets the tasks out to the prefix list of S3", tasks.join(", "));
        let finding = Finding::of(Code::TasksClosedToS3, subject, message);
        let Some(task) = tasks.first() else { return finding };
        let list = self.network.s3_prefix_list.clone().ok().unwrap_or_else(|| "pl-...".to_owned());
        finding.mended(mend::egress(self.sight, task, &format!("PrefixListIds=[{{PrefixListId={list}}}]")))
    }

    /// Route tables of subnets without internet that no gateway is on.
    fn routed(&self, first: &VpcEndpoint, gateways: &[&VpcEndpoint]) -> Vec<Finding> {
        let closed = self.ways.closed.iter().map(|(subnet, table)| (*subnet, *table));
        let tables = closed.chain(self.ways.elsewhere.iter().map(|(subnet, table, _)| (*subnet, *table)));
        let mut seen = Vec::new();
        let mut findings = Vec::new();
        for (subnet, table) in tables.filter(|(_, table)| {
            let is_new = !seen.contains(&table.id);
            seen.push(table.id.clone());
            is_new
        }) {
            let subject = format!("route table {}", table.id);
            let on = gateways.iter().find(|gateway| gateway.route_tables.contains(&table.id));
            findings.push(match on {
                Some(gateway) => Finding::ok(subject, format!("leads to {}", gateway.id)),
                None => {
                    let message = format!("{} is not on it, which serves {}", first.id, subnet.id);
                    let command = format!(
                        "ec2 modify-vpc-endpoint --vpc-endpoint-id {} --add-route-table-ids {}",
                        first.id, table.id
                    );
                    Finding::of(Code::GatewayNotRouted, subject, message).mended(mend::aws(self.sight, &command))
                }
            });
        }
        findings
    }

    fn policy(&self, endpoint: &VpcEndpoint, caller: Caller) -> Finding {
        let subject = "endpoint policy";
        let document = match &endpoint.policy {
            Seen::Yes(document) => document,
            Seen::No(why) => return Finding::of(Code::NotSeen, subject, why),
        };
        let actions = self.wanted.actions(self.sight);
        let mend = || mend::endpoint_policy(self.sight, endpoint);
        match policy::judge(document, &actions, caller, &self.sight.account) {
            Verdict::Passes if actions.is_empty() => Finding::ok(subject, "AWS names no calls to look for"),
            Verdict::Passes => Finding::ok(subject, "lets what the task calls pass"),
            Verdict::Unclear(why) => Finding::of(Code::EndpointPolicyUnclear, subject, why),
            Verdict::Excluded(action) => {
                let message = format!("no statement allows {action}");
                Finding::of(Code::EndpointPolicyExcludes, subject, message).mended(mend())
            }
            Verdict::Denied(action) => {
                let message = format!("a statement denies {action}");
                Finding::of(Code::EndpointPolicyDenies, subject, message).mended(mend())
            }
        }
    }
}

/// CloudFormation and the console write `available`; the API of old wrote `Available`.
fn is_available(endpoint: &VpcEndpoint) -> bool {
    endpoint.state.eq_ignore_ascii_case("available")
}
