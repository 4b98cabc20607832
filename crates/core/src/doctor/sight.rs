//! What was seen of the world, as far as the doctor judges it. Each part can say why it was not seen instead.

pub use super::cidr::Cidr;
use crate::cache::CacheState;
use crate::definition::TaskDefinition;
use crate::ids::{AccountId, Region};
use crate::observed::ImageState;
use crate::policy::{Architecture, Policy};
use std::collections::{BTreeMap, BTreeSet};

/// Something that was looked at, or why it could not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen<T> {
    /// It was seen.
    Yes(T),
    /// AWS did not let it be seen; its words, for people.
    No(String),
}

impl<T> Seen<T> {
    /// The same, borrowed.
    pub fn as_ref(&self) -> Seen<&T> {
        match self {
            Self::Yes(value) => Seen::Yes(value),
            Self::No(why) => Seen::No(why.clone()),
        }
    }

    /// What was seen, if it was.
    pub fn ok(self) -> Option<T> {
        match self {
            Self::Yes(value) => Some(value),
            Self::No(_) => None,
        }
    }

    /// Changes what was seen.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Seen<U> {
        match self {
            Self::Yes(value) => Seen::Yes(change(value)),
            Self::No(why) => Seen::No(why),
        }
    }
}

/// All that was seen.
#[derive(Debug, Clone)]
pub struct Sight {
    /// What is examined, for people: `service shop/web`.
    pub subject: String,
    /// The account that was asked.
    pub account: AccountId,
    /// The Region that was asked.
    pub region: Region,
    /// The policy whose sidecar is meant.
    pub policy: Policy,
    /// What was asked for and could not be seen at all.
    pub unseen: Vec<Unseen>,
    /// The network, if one is examined.
    pub network: Option<Network>,
    /// The task definition, if one is examined.
    pub task: Option<TaskDefinition>,
    /// Whether the tasks run on Fargate; container instances need more endpoints and less of roles.
    pub on_fargate: bool,
    /// The sidecar's image, if the Region has a registry to ask.
    pub image: Option<ImageSight>,
    /// The definition's task role, if it has one.
    pub task_role: Option<RoleSight>,
    /// The definition's execution role, if it has one.
    pub execution_role: Option<RoleSight>,
    /// Log groups that containers name.
    pub log_groups: Vec<LogGroup>,
    /// The trails that log in this Region.
    pub trails: Seen<Vec<Trail>>,
}

/// Something that was asked for and could not be seen at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// What: `service shop/web`.
    pub subject: String,
    /// AWS's words, for people.
    pub why: String,
    /// The action to grant.
    pub action: &'static str,
}

/// The network of tasks.
#[derive(Debug, Clone)]
pub enum Network {
    /// A VPC that tasks have network interfaces in.
    Vpc(Box<TaskNetwork>),
    /// The instances' own network, of which the service says nothing; the network mode or launch type, for people.
    Instances(String),
    /// A service's subnets could not be seen; AWS's words.
    Unseen(String),
}

/// A VPC as the tasks in it meet it.
#[derive(Debug, Clone)]
pub struct TaskNetwork {
    /// Its id.
    pub vpc: String,
    /// Its IPv4 ranges.
    pub cidrs: Vec<Cidr>,
    /// Attribute enableDnsSupport.
    pub dns_support: Seen<bool>,
    /// Attribute enableDnsHostnames.
    pub dns_hostnames: Seen<bool>,
    /// All subnets of the VPC.
    pub subnets: Seen<Vec<Subnet>>,
    /// Ids of the subnets that tasks run in; `None` for all that have no way to the internet.
    pub task_subnets: Option<Vec<String>>,
    /// Route tables of the VPC.
    pub route_tables: Seen<Vec<RouteTable>>,
    /// Endpoints of the VPC.
    pub endpoints: Endpoints,
    /// Security groups of the VPC, by id.
    pub security_groups: Seen<BTreeMap<String, SecurityGroup>>,
    /// Network ACLs of the VPC.
    pub acls: Seen<Vec<NetworkAcl>>,
    /// Ids of the tasks' security groups; `None` if it is not known which tasks.
    pub task_groups: Option<Vec<String>>,
    /// Whether tasks get a public address; `None` if it is not known which tasks.
    pub public_address: Option<bool>,
    /// Id of S3's prefix list in this Region.
    pub s3_prefix_list: Seen<String>,
}

/// The endpoints of a VPC.
pub type Endpoints = Seen<Vec<VpcEndpoint>>;

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// Its id.
    pub id: String,
    /// Its Availability Zone.
    pub zone: String,
    /// Its IPv4 range; `None` for one that has IPv6 alone.
    pub cidr: Option<Cidr>,
}

/// A route table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTable {
    /// Its id.
    pub id: String,
    /// Whether it serves subnets that name none.
    pub is_main: bool,
    /// Subnets that name it.
    pub subnets: Vec<String>,
    /// Its routes that are in force.
    pub routes: Vec<Route>,
}

/// A route in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The range or prefix list that it is for.
    pub destination: String,
    /// Id of where it leads: `local`, `nat-...`, `igw-...`, `vpce-...`, `tgw-...`.
    pub target: String,
}

/// A VPC endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VpcEndpoint {
    /// Its id.
    pub id: String,
    /// `com.amazonaws.eu-west-1.ecr.dkr`
    pub service: String,
    /// Whether it works through route tables instead of network interfaces.
    pub is_gateway: bool,
    /// `available`, `pending`, `failed`, ...
    pub state: String,
    /// Whether the service's usual name leads to it.
    pub private_dns: Seen<bool>,
    /// Subnets that an interface endpoint is in.
    pub subnets: Vec<String>,
    /// Route tables that a gateway is on.
    pub route_tables: Vec<String>,
    /// Security groups of an interface endpoint.
    pub groups: Seen<Vec<String>>,
    /// Its policy document.
    pub policy: Seen<String>,
}

/// A network ACL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkAcl {
    /// Its id.
    pub id: String,
    /// Whether it serves subnets that name none.
    pub is_default: bool,
    /// Subnets that name it.
    pub subnets: Vec<String>,
    /// What may come in.
    pub inbound: Vec<AclRule>,
    /// What may go out.
    pub outbound: Vec<AclRule>,
}

/// A rule of a network ACL for IPv4 addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclRule {
    /// Its number; of the rules that fit, the lowest decides.
    pub number: i32,
    /// Whether it allows or denies.
    pub allows: bool,
    /// Whether it is for TCP, alone or with every other protocol.
    pub is_tcp: bool,
    /// First and last port; `None` for all.
    pub ports: Option<(i32, i32)>,
    /// From or to whom.
    pub range: Cidr,
}

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroup {
    /// What may come in.
    pub inbound: Vec<GroupRule>,
    /// What may go out.
    pub outbound: Vec<GroupRule>,
}

/// A rule of a security group. A rule for several peers is several of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRule {
    /// `tcp`, a number, or `-1` for all.
    pub protocol: String,
    /// First and last port; `None` where the protocol has none.
    pub ports: Option<(i32, i32)>,
    /// From or to whom.
    pub peer: PeerSight,
}

/// Whom a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerSight {
    /// IPv4 addresses.
    Range(Cidr),
    /// Members of a security group.
    Group(String),
    /// A prefix list.
    PrefixList(String),
}

/// The sidecar's image in the private registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSight {
    /// Repository and tag: `ecr-public/xray/aws-xray-daemon:3.x`.
    pub reference: String,
    /// Architectures that are wanted.
    pub wanted: Vec<Architecture>,
    /// By which rule it comes.
    pub cache: CacheState,
    /// What of it is there.
    pub state: ImageState,
}

/// A role of the definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSight {
    /// As the definition names it.
    pub role: crate::ids::RoleRef,
    /// Its managed policies and boundary; `None` if there is no such role.
    pub attachments: Seen<Option<Attachments>>,
    /// What IAM's simulation says of each action.
    pub simulated: Seen<BTreeMap<String, Simulated>>,
}

/// What hangs on a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachments {
    /// ARNs of its managed policies.
    pub policies: BTreeSet<String>,
    /// ARN of its permissions boundary.
    pub boundary: Option<String>,
    /// Whether it has inline policies too.
    pub has_inline: bool,
}

/// What IAM's simulation says of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Simulated {
    /// It is allowed.
    Allowed,
    /// It is not.
    Denied,
    /// It is not, and the boundary is why.
    DeniedByBoundary,
    /// It depends on the request.
    Depends,
}

/// A log group that a container names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGroup {
    /// Its name.
    pub name: String,
    /// Whether it exists; `None` if a container says that it be created.
    pub exists: Option<Seen<bool>>,
}

/// A trail that DescribeTrails shows in this Region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Where it was made.
    pub home_region: String,
    /// Whether it logs all Regions.
    pub is_multi_region: bool,
    /// Whether it is the organization's.
    pub is_organization: bool,
    /// Whether its logging is on.
    pub is_logging: Seen<bool>,
    /// What it logs.
    pub selectors: Seen<Selectors>,
}

/// Whether a trail's selectors take management events that write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selectors {
    /// They do.
    Writes,
    /// They do not.
    NoWrites,
    /// They are narrowed by fields that are not judged.
    Narrowed,
}
