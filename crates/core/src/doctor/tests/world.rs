//! A world in which a task of a closed VPC has all it needs, and handles to break it.

use crate::cache::CacheState;
use crate::definition::TaskDefinition;
use crate::doctor::{
    AclRule, Attachments, Cidr, Endpoints, GroupRule, ImageSight, LogGroup, Network, NetworkAcl, PeerSight, RoleSight,
    Route, RouteTable, SecurityGroup, Seen, Selectors, Sight, Simulated, Subnet, TaskNetwork, Trail, VpcEndpoint,
};
use crate::ids::RoleRef;
use crate::observed::{ImageState, StoredImage};
use crate::policy::{Architecture, Policy};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const XRAY: &str = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess";
const ALLOW_ALL: &str = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;
const DEFINITION: &str = r#"{"family":"web","requiresCompatibilities":["FARGATE"],"networkMode":"awsvpc","cpu":"256","memory":"1024","taskRoleArn":"arn:aws:iam::111122223333:role/web","executionRoleArn":"arn:aws:iam::111122223333:role/pull","containerDefinitions":[{"name":"web","image":"web:7","logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"/shop/web","awslogs-region":"eu-west-1","awslogs-stream-prefix":"app"}}}]}"#;

pub(super) fn healthy() -> Sight {
    Sight {
        subject: "service shop/web".to_owned(),
        account: "111122223333".parse().expect("an account"),
        region: "eu-west-1".parse().expect("a Region"),
        policy: Policy::preset("xray-daemon").expect("a preset"),
        unseen: Vec::new(),
        network: Some(Network::Vpc(Box::new(network()))),
        task: Some(TaskDefinition::parse(DEFINITION).expect("a definition")),
        on_fargate: true,
        image: Some(ImageSight {
            reference: "ecr-public/xray/aws-xray-daemon:3.x".to_owned(),
            wanted: vec![Architecture::X86],
            cache: CacheState::NoRule,
            state: ImageState::Present(stored()),
        }),
        task_role: Some(role("web", &[XRAY])),
        execution_role: Some(role("pull", &["arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"])),
        log_groups: vec![LogGroup { name: "/shop/web".to_owned(), exists: Some(Seen::Yes(true)) }],
        trails: Seen::Yes(vec![trail()]),
    }
}

fn set(items: &[&str]) -> BTreeSet<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn network() -> TaskNetwork {
    let subnet = |id: &str, zone: &str, cidr: &str| Subnet {
        id: id.to_owned(),
        zone: zone.to_owned(),
        cidr: Some(cidr.parse().expect("a range")),
    };
    TaskNetwork {
        vpc: "vpc-1".to_owned(),
        cidrs: vec!["10.7.0.0/16".parse().expect("a range")],
        dns_support: Seen::Yes(true),
        dns_hostnames: Seen::Yes(true),
        subnets: Seen::Yes(vec![
            subnet("subnet-a", "eu-west-1a", "10.7.1.0/24"),
            subnet("subnet-b", "eu-west-1b", "10.7.2.0/24"),
        ]),
        task_subnets: Some(vec!["subnet-a".to_owned(), "subnet-b".to_owned()]),
        route_tables: Seen::Yes(vec![RouteTable {
            id: "rtb-1".to_owned(),
            is_main: true,
            subnets: vec!["subnet-a".to_owned()],
            routes: vec![Route { destination: "10.7.0.0/16".to_owned(), target: "local".to_owned() }],
        }]),
        endpoints: endpoints(&["ecr.api", "ecr.dkr", "s3", "logs", "xray"]),
        security_groups: Seen::Yes(BTreeMap::from([
            (
                "sg-task".to_owned(),
                SecurityGroup {
                    inbound: Vec::new(),
                    outbound: vec![
                        https(PeerSight::Group("sg-endpoint".to_owned())),
                        https(PeerSight::PrefixList("pl-s3".to_owned())),
                    ],
                },
            ),
            (
                "sg-endpoint".to_owned(),
                SecurityGroup { inbound: vec![https(PeerSight::Group("sg-task".to_owned()))], outbound: Vec::new() },
            ),
        ])),
        task_groups: Some(vec!["sg-task".to_owned()]),
        acls: Seen::Yes(vec![NetworkAcl {
            id: "acl-1".to_owned(),
            is_default: true,
            subnets: vec!["subnet-a".to_owned()],
            inbound: acl_rules(),
            outbound: acl_rules(),
        }]),
        public_address: Some(false),
        s3_prefix_list: Seen::Yes("pl-s3".to_owned()),
    }
}

/// The rules that every VPC begins with.
fn acl_rules() -> Vec<AclRule> {
    let rule = |number, allows| AclRule { number, allows, is_tcp: true, ports: None, range: Cidr::ALL };
    vec![rule(100, true), rule(32767, false)]
}

/// The ACL of all subnets.
pub(super) fn acl(sight: &mut Sight) -> &mut NetworkAcl {
    let Seen::Yes(acls) = &mut vpc(sight).acls else { panic!("ACLs are seen") };
    &mut acls[0]
}

pub(super) fn https(peer: PeerSight) -> GroupRule {
    GroupRule { protocol: "tcp".to_owned(), ports: Some((443, 443)), peer }
}

/// Endpoints for these services, in both subnets or on the one route table.
pub(super) fn endpoints(names: &[&str]) -> Endpoints {
    let of = |name: &&str| VpcEndpoint {
        id: format!("vpce-{name}"),
        service: format!("com.amazonaws.eu-west-1.{name}"),
        is_gateway: *name == "s3",
        state: "available".to_owned(),
        private_dns: Seen::Yes(*name != "s3"),
        subnets: if *name == "s3" { Vec::new() } else { vec!["subnet-a".to_owned(), "subnet-b".to_owned()] },
        route_tables: if *name == "s3" { vec!["rtb-1".to_owned()] } else { Vec::new() },
        groups: Seen::Yes(if *name == "s3" { Vec::new() } else { vec!["sg-endpoint".to_owned()] }),
        policy: Seen::Yes(ALLOW_ALL.to_owned()),
    };
    Seen::Yes(names.iter().map(of).collect())
}

fn role(name: &str, policies: &[&str]) -> RoleSight {
    RoleSight {
        role: RoleRef::new(&format!("arn:aws:iam::111122223333:role/{name}")),
        attachments: Seen::Yes(Some(Attachments { policies: set(policies), boundary: None, has_inline: false })),
        simulated: Seen::No("AccessDenied".to_owned()),
    }
}

pub(super) fn trail() -> Trail {
    Trail {
        arn: "arn:aws:cloudtrail:eu-west-1:111122223333:trail/audit".to_owned(),
        name: "audit".to_owned(),
        home_region: "eu-west-1".to_owned(),
        is_multi_region: true,
        is_organization: false,
        is_logging: Seen::Yes(true),
        selectors: Seen::Yes(Selectors::Writes),
    }
}

fn seen<T>(seen: &mut Seen<T>) -> &mut T {
    match seen {
        Seen::Yes(value) => value,
        Seen::No(why) => panic!("seen in a healthy world: {why}"),
    }
}

pub(super) fn vpc(sight: &mut Sight) -> &mut TaskNetwork {
    match sight.network.as_mut() {
        Some(Network::Vpc(network)) => network,
        Some(Network::Instances(_) | Network::Unseen(_)) | None => panic!("a healthy world has a VPC"),
    }
}

pub(super) fn endpoint<'a>(sight: &'a mut Sight, name: &str) -> &'a mut VpcEndpoint {
    let found = seen(&mut vpc(sight).endpoints).iter_mut().find(|endpoint| endpoint.service.ends_with(name));
    found.expect("it is there in a healthy world")
}

pub(super) fn group<'a>(sight: &'a mut Sight, id: &str) -> &'a mut SecurityGroup {
    seen(&mut vpc(sight).security_groups).get_mut(id).expect("it is there in a healthy world")
}

pub(super) fn route(sight: &mut Sight, destination: &str, target: &str) {
    let route = Route { destination: destination.to_owned(), target: target.to_owned() };
    seen(&mut vpc(sight).route_tables)[0].routes.push(route);
}

/// A NAT gateway for all subnets.
pub(super) fn open(sight: &mut Sight) {
    route(sight, "0.0.0.0/0", "nat-1");
}

pub(super) fn without(sight: &mut Sight, name: &str) {
    seen(&mut vpc(sight).endpoints).retain(|endpoint| !endpoint.service.ends_with(name));
}

pub(super) fn definition(sight: &mut Sight, change: impl Fn(&str) -> String) {
    let text = change(sight.task.as_ref().expect("a definition").text());
    sight.task = Some(TaskDefinition::parse(&text).expect("still a definition"));
}

pub(super) fn task_role(sight: &mut Sight) -> &mut RoleSight {
    sight.task_role.as_mut().expect("a task role")
}

pub(super) fn execution_role(sight: &mut Sight) -> &mut RoleSight {
    sight.execution_role.as_mut().expect("an execution role")
}

pub(super) fn attached(role: &mut RoleSight) -> &mut Attachments {
    seen(&mut role.attachments).as_mut().expect("the role is there")
}

pub(super) fn simulate(role: &mut RoleSight, action: &str, said: Simulated) {
    role.simulated = Seen::Yes(BTreeMap::from([(action.to_owned(), said)]));
}

pub(super) fn the_trail(sight: &mut Sight) -> &mut Trail {
    &mut seen(&mut sight.trails)[0]
}

/// An image that is there for both architectures.
pub(super) fn stored() -> StoredImage {
    let both = BTreeSet::from([Architecture::X86, Architecture::Arm]);
    StoredImage {
        digest: format!("sha256:{}", "0a".repeat(32)).parse().expect("a digest"),
        offered: Some(both.clone()),
        complete: both,
        unseen: None,
        age_hours: Some(1),
        expires: None,
    }
}
