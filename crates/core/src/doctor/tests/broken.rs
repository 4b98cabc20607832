//! One thing broken at a time, and the code that must come of it.

use super::world::{
    acl, attached, definition, endpoint, endpoints, execution_role, group, https, open, route, simulate, stored,
    task_role, the_trail, vpc, without,
};
use crate::cache::CacheState;
use crate::doctor::{Code, ImageSight, Network, PeerSight, Seen, Selectors, Sight, Simulated, Unseen};
use crate::observed::{ImageState, StoredImage};
use crate::policy::Architecture;
use std::collections::BTreeSet;

type Break = fn(&mut Sight);

fn denied<T>() -> Seen<T> {
    Seen::No("UnauthorizedOperation".to_owned())
}

fn range(text: &str) -> PeerSight {
    PeerSight::Range(text.parse().expect("a range"))
}

fn policy(sight: &mut Sight, name: &str, statements: &str) {
    endpoint(sight, name).policy = Seen::Yes(format!(r#"{{"Statement":[{statements}]}}"#));
}

const ALL: &str = r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}"#;

pub(super) const BROKEN: &[(Code, &str, Break)] = &[
    // --- network
    (Code::NotSeen, "service denied", |s| {
        let unseen =
            Unseen { subject: "service shop/web".to_owned(), why: "denied".to_owned(), action: "ecs:DescribeServices" };
        s.unseen.push(unseen);
    }),
    (Code::NotSeen, "the service's subnets denied", |s| s.network = Some(Network::Unseen("denied".to_owned()))),
    (Code::NotSeen, "attributes denied", |s| vpc(s).dns_support = denied()),
    (Code::NotSeen, "subnets denied", |s| vpc(s).subnets = denied()),
    (Code::NotSeen, "route tables denied", |s| vpc(s).route_tables = denied()),
    (Code::NotSeen, "endpoints denied", |s| vpc(s).endpoints = denied()),
    (Code::NotSeen, "security groups denied", |s| vpc(s).security_groups = denied()),
    (Code::NotSeen, "prefix lists denied", |s| vpc(s).s3_prefix_list = denied()),
    (Code::NotSeen, "private DNS not told", |s| endpoint(s, "xray").private_dns = denied()),
    (Code::NotSeen, "groups not told", |s| endpoint(s, "xray").groups = denied()),
    (Code::NotSeen, "policy not told", |s| endpoint(s, "xray").policy = denied()),
    (Code::NotSeen, "a group of another VPC", |s| {
        endpoint(s, "xray").groups = Seen::Yes(vec!["sg-9".to_owned()]);
        group(s, "sg-task").outbound.push(https(range("10.7.0.0/16")));
    }),
    (Code::NotSeen, "network ACLs denied", |s| vpc(s).acls = denied()),
    (Code::NetworkAclClosed, "nothing goes out", |s| acl(s).outbound[0].allows = false),
    (Code::NetworkAclClosed, "no answers come in", |s| acl(s).inbound[0].ports = Some((443, 443))),
    (Code::NetworkAclClosed, "an endpoint's own subnet lets nothing in", |s| {
        let mut second = acl(s).clone();
        (second.id, second.is_default, second.subnets) = ("acl-2".to_owned(), false, vec!["subnet-b".to_owned()]);
        second.inbound.retain(|rule| !rule.allows);
        if let Seen::Yes(acls) = &mut vpc(s).acls {
            acls.push(second);
        }
        vpc(s).task_subnets = Some(vec!["subnet-a".to_owned()]);
    }),
    (Code::NetworkAclPartly, "one range goes out", |s| {
        acl(s).outbound[0].range = "10.0.0.0/8".parse().expect("a range")
    }),
    (Code::DnsSupportOff, "support off", |s| vpc(s).dns_support = Seen::Yes(false)),
    (Code::DnsHostnamesOff, "host names off", |s| vpc(s).dns_hostnames = Seen::Yes(false)),
    (Code::InstanceNetwork, "bridge mode", |s| s.network = Some(Network::Instances("network mode bridge".to_owned()))),
    (Code::GroupsUnknown, "groups of the tasks unknown", |s| {
        vpc(s).task_groups = None;
        group(s, "sg-endpoint").inbound = vec![https(range("10.7.0.0/16"))];
    }),
    (Code::NoSubnets, "an empty VPC", |s| vpc(s).subnets = Seen::Yes(Vec::new())),
    (Code::InternetRoute, "no endpoint, but a NAT gateway", |s| {
        open(s);
        without(s, ".xray");
    }),
    (Code::InternetRoute, "no private DNS, but a NAT gateway", |s| {
        open(s);
        endpoint(s, "xray").private_dns = Seen::Yes(false);
    }),
    // --- endpoints
    (Code::EndpointMissing, "no ecr.api", |s| without(s, ".ecr.api")),
    (Code::EndpointMissing, "no ecr.dkr", |s| without(s, ".ecr.dkr")),
    (Code::EndpointMissing, "no s3", |s| without(s, ".s3")),
    (Code::EndpointMissing, "no logs", |s| without(s, ".logs")),
    (Code::EndpointMissing, "no xray", |s| without(s, ".xray")),
    (Code::EndpointMissing, "one closed subnet among open ones", |s| {
        without(s, ".xray");
        if let Seen::Yes(tables) = &mut vpc(s).route_tables {
            let mut second = tables[0].clone();
            (second.id, second.is_main, second.subnets) = ("rtb-2".to_owned(), false, vec!["subnet-b".to_owned()]);
            tables.push(second);
        }
        open(s);
        endpoint(s, "s3").route_tables.push("rtb-2".to_owned());
    }),
    (Code::EndpointElsewhere, "no endpoint, but a transit gateway", |s| {
        route(s, "0.0.0.0/0", "tgw-1");
        without(s, ".xray");
    }),
    (Code::EndpointElsewhere, "no gateway for S3, but a transit gateway", |s| {
        route(s, "0.0.0.0/0", "tgw-1");
        without(s, ".s3");
    }),
    (Code::EndpointNotAvailable, "pending", |s| endpoint(s, "logs").state = "pendingAcceptance".to_owned()),
    (Code::EndpointNotAvailable, "gateway deleting", |s| endpoint(s, "s3").state = "deleting".to_owned()),
    (Code::EndpointWithoutSubnets, "in no subnet", |s| endpoint(s, "logs").subnets.clear()),
    (Code::EndpointInOtherZone, "in one zone only", |s| endpoint(s, "logs").subnets.truncate(1)),
    (Code::PrivateDnsOff, "private DNS off", |s| endpoint(s, "ecr.dkr").private_dns = Seen::Yes(false)),
    (Code::GatewayNotRouted, "on no route table", |s| endpoint(s, "s3").route_tables.clear()),
    (Code::InterfaceForS3, "an interface for S3", |s| endpoint(s, "s3").is_gateway = false),
    (Code::EndpointClosed, "nobody let in", |s| group(s, "sg-endpoint").inbound.clear()),
    (Code::EndpointClosed, "others let in", |s| {
        group(s, "sg-endpoint").inbound =
            vec![https(PeerSight::Group("sg-other".to_owned())), https(range("10.8.0.0/16"))];
    }),
    (Code::EndpointClosed, "another port let in", |s| group(s, "sg-endpoint").inbound[0].ports = Some((80, 80))),
    (Code::TasksClosed, "let out to S3 only", |s| drop(group(s, "sg-task").outbound.remove(0))),
    (Code::TasksClosed, "let out to another range", |s| group(s, "sg-task").outbound[0].peer = range("10.8.0.0/16")),
    (Code::TasksClosedToS3, "let out to the endpoints only", |s| drop(group(s, "sg-task").outbound.remove(1))),
    (Code::TasksClosedToS3, "let out within the VPC only", |s| {
        group(s, "sg-task").outbound[1].peer = range("10.7.0.0/16")
    }),
    (Code::RulesUnclear, "a part of a subnet let in", |s| {
        group(s, "sg-endpoint").inbound = vec![https(range("10.7.1.0/25"))];
    }),
    (Code::RulesUnclear, "a prefix list let in", |s| {
        group(s, "sg-endpoint").inbound = vec![https(PeerSight::PrefixList("pl-own".to_owned()))];
    }),
    (Code::RulesUnclear, "a part of the internet let out", |s| {
        group(s, "sg-task").outbound[1].peer = range("52.0.0.0/8")
    }),
    (Code::EndpointPolicyDenies, "a denial", |s| {
        policy(s, "xray", &format!(r#"{ALL},{{"Effect":"Deny","Principal":"*","Action":"xray:Put*","Resource":"*"}}"#));
    }),
    (Code::EndpointPolicyExcludes, "sampling left out", |s| {
        policy(s, "xray", r#"{"Effect":"Allow","Principal":"*","Action":"xray:PutTraceSegments","Resource":"*"}"#);
    }),
    (Code::EndpointPolicyExcludes, "ECR's bucket left out", |s| {
        policy(s, "s3", r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"arn:aws:s3:::own/*"}"#);
    }),
    (Code::EndpointPolicyExcludes, "the own account's identities alone to S3", |s| {
        let condition = r#""Condition":{"StringEquals":{"aws:PrincipalAccount":"111122223333"}}"#;
        policy(s, "s3", &format!(r#"{{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*",{condition}}}"#));
    }),
    (Code::EndpointPolicyExcludes, "another log group", |s| {
        let group = "arn:aws:logs:eu-west-1:111122223333:log-group:/other:*";
        policy(s, "logs", &format!(r#"{{"Effect":"Allow","Principal":"*","Action":"*","Resource":"{group}"}}"#));
    }),
    (Code::EndpointPolicyUnclear, "a condition", |s| {
        let condition = r#""Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}"#;
        policy(
            s,
            "ecr.api",
            &format!(r#"{{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*",{condition}}}"#),
        );
    }),
    (Code::UnknownPermissions, "a policy that nobody knows", |s| {
        let own = "arn:aws:iam::111122223333:policy/Own".to_owned();
        s.policy.spec.permissions.task_role.push(own.clone());
        attached(task_role(s)).policies.insert(own);
    }),
    // --- image
    (Code::NotSeen, "registry denied", |s| image(s).state = ImageState::Refused("no".to_owned())),
    (Code::NotSeen, "layers denied", |s| {
        let (offered, unseen) = (None, Some("no".to_owned()));
        image(s).state = ImageState::Present(StoredImage { offered, complete: BTreeSet::new(), unseen, ..stored() });
    }),
    (Code::NotSeen, "rules denied", |s| image(s).cache = CacheState::Refused("no".to_owned())),
    (Code::CachePrefixTaken, "another registry's rule", |s| {
        image(s).cache = CacheState::PrefixTaken("quay.io".to_owned())
    }),
    (Code::ImageMissing, "no image", |s| image(s).state = ImageState::Missing),
    (Code::ImageArchitectureMissing, "the other architecture only", |s| {
        let arm = BTreeSet::from([Architecture::Arm]);
        image(s).state = ImageState::Present(StoredImage { offered: Some(arm.clone()), complete: arm, ..stored() });
    }),
    (Code::ImageArchitectureMissing, "layers of the other architecture only", |s| {
        let complete = BTreeSet::from([Architecture::Arm]);
        image(s).state = ImageState::Present(StoredImage { complete, ..stored() });
    }),
    (Code::ImageWouldExpire, "a lifecycle policy", |s| {
        image(s).state = ImageState::Present(StoredImage { expires: Some("rule 1".to_owned()), ..stored() });
    }),
    // --- roles and logs
    (Code::NoTaskRole, "no task role", |s| s.task_role = None),
    (Code::NoExecutionRole, "no execution role", |s| s.execution_role = None),
    (Code::InstanceRole, "no task role on an instance", |s| {
        on_instances(s);
        s.task_role = None;
    }),
    (Code::InstancePulls, "no execution role on an instance", |s| {
        on_instances(s);
        s.execution_role = None;
    }),
    (Code::NotSeen, "role denied", |s| task_role(s).attachments = denied()),
    (Code::RoleMissing, "role gone", |s| task_role(s).attachments = Seen::Yes(None)),
    (Code::RoleOtherAccount, "another account's", |s| {
        task_role(s).role = crate::ids::RoleRef::new("arn:aws:iam::999988887777:role/web");
    }),
    (Code::RoleLacksPolicy, "not attached", |s| attached(task_role(s)).policies.clear()),
    (Code::RoleLacksPolicy, "not attached, and the simulation says so", |s| {
        attached(task_role(s)).policies.clear();
        simulate(task_role(s), "xray:PutTraceSegments", Simulated::Denied);
    }),
    (Code::RoleLacksAction, "nothing attached", |s| attached(execution_role(s)).policies.clear()),
    (Code::RoleLacksAction, "the simulation denies", |s| {
        simulate(execution_role(s), "ecr:BatchGetImage", Simulated::Denied);
    }),
    (Code::RoleUnclear, "policies of the user's own", |s| {
        attached(execution_role(s)).policies = ["arn:aws:iam::111122223333:policy/Own".to_owned()].into();
    }),
    (Code::RoleUnclear, "inline policies only", |s| {
        attached(execution_role(s)).policies.clear();
        attached(execution_role(s)).has_inline = true;
    }),
    (Code::RoleUnclear, "it depends", |s| simulate(execution_role(s), "ecr:BatchGetImage", Simulated::Depends)),
    (Code::BoundaryUnclear, "a boundary", |s| {
        attached(task_role(s)).boundary = Some("arn:aws:iam::111122223333:policy/Boundary".to_owned());
    }),
    (Code::BoundaryDenies, "a boundary that denies", |s| {
        attached(task_role(s)).boundary = Some("arn:aws:iam::111122223333:policy/Boundary".to_owned());
        simulate(task_role(s), "xray:PutTraceSegments", Simulated::DeniedByBoundary);
    }),
    (Code::LogGroupMissing, "no log group", |s| s.log_groups[0].exists = Some(Seen::Yes(false))),
    (Code::NotSeen, "log groups denied", |s| s.log_groups[0].exists = Some(denied())),
    // --- trails
    (Code::NotSeen, "trails denied", |s| s.trails = denied()),
    (Code::NoTrail, "no trail", |s| s.trails = Seen::Yes(Vec::new())),
    (Code::TrailNotLogging, "switched off", |s| the_trail(s).is_logging = Seen::Yes(false)),
    (Code::TrailElsewhere, "another Region's", |s| {
        (the_trail(s).is_multi_region, the_trail(s).home_region) = (false, "us-east-1".to_owned());
    }),
    (Code::TrailWithoutWrites, "reads only", |s| the_trail(s).selectors = Seen::Yes(Selectors::NoWrites)),
    (Code::TrailUnclear, "narrowed", |s| the_trail(s).selectors = Seen::Yes(Selectors::Narrowed)),
    (Code::TrailUnclear, "the organization's", |s| {
        (the_trail(s).is_organization, the_trail(s).selectors) = (true, denied());
    }),
    (Code::TrailUnclear, "one switched off, one unreadable", |s| {
        let mut other = the_trail(s).clone();
        other.is_logging = denied();
        the_trail(s).is_logging = Seen::Yes(false);
        if let Seen::Yes(trails) = &mut s.trails {
            trails.push(other);
        }
    }),
];

/// Container instances, with the endpoints that their agents need.
fn on_instances(sight: &mut Sight) {
    sight.on_fargate = false;
    vpc(sight).endpoints =
        endpoints(&["ecr.api", "ecr.dkr", "s3", "logs", "xray", "ecs", "ecs-agent", "ecs-telemetry"]);
    definition(sight, |text| text.replace("FARGATE", "EC2"));
}

fn image(sight: &mut Sight) -> &mut ImageSight {
    sight.image.as_mut().expect("an image")
}
