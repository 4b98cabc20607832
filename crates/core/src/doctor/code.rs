//! Why a finding is not simply OK: one stable code for each reason. The table in `docs/doctor.md` is made from here.

use std::fmt;

/// How a finding ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It is as it must be.
    Ok,
    /// It could not be looked at, or what was seen does not settle it.
    NotChecked,
    /// Something is missing; the finding says how to mend it.
    Missing,
}

impl State {
    /// The stable word for machines.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotChecked => "notChecked",
            Self::Missing => "missing",
        }
    }
}

impl serde::Serialize for State {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}

/// A code, the state that it stands for, and what it means for the person who reads it.
macro_rules! codes {
    ($($variant:ident $label:literal $state:ident $meaning:literal;)*) => {
        /// Why a finding is not simply OK. See the module.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $meaning] $variant,)*
        }

        impl Code {
            /// All codes, in the order in which the reference lists them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable code.
            pub fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            /// The state of a finding with this code.
            pub fn state(self) -> State {
                match self { $(Self::$variant => State::$state,)* }
            }

            /// What it means and what to do, in a sentence or two.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

codes! {
    NotSeen "notSeen" NotChecked "AWS did not let this be looked at. The message says what it answered; the mend names the action to grant.";
    DnsSupportOff "dnsSupportOff" Missing "The VPC's attribute enableDnsSupport is off, so that private DNS names of endpoints do not resolve.";
    DnsHostnamesOff "dnsHostnamesOff" Missing "The VPC's attribute enableDnsHostnames is off, which private DNS of endpoints needs.";
    NoSubnets "noSubnets" NotChecked "The VPC has no subnets, so there is nothing to judge of routes and endpoints.";
    NetworkAclClosed "networkAclClosed" Missing "A network ACL lets TCP port 443 or its answers through nowhere. Rules count by their number, and answers need a rule of their own.";
    NetworkAclPartly "networkAclPartly" NotChecked "A network ACL lets port 443 or its answers through for some addresses or ports and not for others. Whether those are enough is not judged.";
    InternetRoute "internetRoute" Ok "The subnets have a way to the internet, so the endpoint is not necessary; a closed VPC would need it.";
    InstanceNetwork "instanceNetwork" NotChecked "The tasks have no network interface of their own but use that of their instances, which is not seen from the service. Name the instances' VPC with --vpc.";
    GroupsUnknown "groupsUnknown" NotChecked "Which security groups the tasks have is not known without --service, so that what they let out is not judged.";
    EndpointMissing "endpointMissing" Missing "The VPC has no endpoint for a service that the task needs, and its subnets have no other way there.";
    EndpointElsewhere "endpointElsewhere" NotChecked "The VPC has no endpoint for this service, but the subnets' default route leads to another network (transit gateway, firewall, peering), which may have one or a way to the internet.";
    EndpointNotAvailable "endpointNotAvailable" Missing "The endpoint exists but is not in the state available.";
    EndpointWithoutSubnets "endpointWithoutSubnets" Missing "The endpoint is in no subnet, so that it has no address.";
    EndpointInOtherZone "endpointInOtherZone" Ok "The endpoint has no network interface in the Availability Zone of a task's subnet. It works, at the price of traffic between zones, and only as long as the other zone does.";
    PrivateDnsOff "privateDnsOff" Missing "The endpoint's private DNS is off, so that the service's usual name leads to the internet.";
    GatewayNotRouted "gatewayNotRouted" Missing "The S3 gateway endpoint is not on the route table of a task's subnet.";
    InterfaceForS3 "interfaceForS3" NotChecked "There is an interface endpoint for S3 and no gateway. AWS documents the gateway for ECR's layers; whether the interface serves them depends on its DNS options.";
    EndpointClosed "endpointClosed" Missing "The endpoint's security groups do not let the tasks in on port 443.";
    TasksClosed "tasksClosed" Missing "The tasks' security groups do not let port 443 out to the endpoint.";
    TasksClosedToS3 "tasksClosedToS3" Missing "The tasks' security groups do not let port 443 out to the prefix list of S3, where ECR keeps an image's layers.";
    RulesUnclear "rulesUnclear" NotChecked "Rules of a security group might let 443 through, but name a prefix list, a part of the addresses, or groups of which it is not known whether the tasks have them.";
    EndpointPolicyDenies "endpointPolicyDenies" Missing "The endpoint's policy denies an action that the task needs.";
    EndpointPolicyExcludes "endpointPolicyExcludes" Missing "No statement of the endpoint's policy allows an action that the task needs.";
    EndpointPolicyUnclear "endpointPolicyUnclear" NotChecked "The endpoint's policy has conditions or exclusions that cannot be judged without the request itself.";
    UnknownPermissions "unknownPermissions" NotChecked "The sidecar policy attaches a managed policy of which it is not known which services it is for, so their endpoints are not looked at.";
    ImageMissing "imageMissing" Missing "The sidecar's image is not in the private registry, and a task in a closed VPC could not fetch it.";
    ImageArchitectureMissing "imageArchitectureMissing" Missing "The image is in the private registry, but not for the task's architecture to the last layer.";
    ImageWouldExpire "imageWouldExpire" Missing "The policy pins the image by its digest, and the repository's lifecycle policy would delete it while revisions name it.";
    CachePrefixTaken "cachePrefixTaken" Missing "A pull-through cache rule fills the image's repository from another registry.";
    NoTaskRole "noTaskRole" Missing "The definition has no task role, so that on Fargate the sidecar has no credentials.";
    InstanceRole "instanceRole" NotChecked "The definition has no task role; on container instances the sidecar then has what the instance's role may.";
    NoExecutionRole "noExecutionRole" Missing "The definition has no execution role, which pulling from a private registry needs on Fargate.";
    InstancePulls "instancePulls" NotChecked "The definition has no execution role; on container instances the instance's role then pulls the images.";
    RoleMissing "roleMissing" Missing "A role of the definition does not exist.";
    RoleOtherAccount "roleOtherAccount" NotChecked "A role of the definition belongs to another account.";
    RoleLacksPolicy "roleLacksPolicy" Missing "The role lacks a managed policy of the sidecar policy. The operator attaches it, unless the policy says permissions: verify.";
    RoleLacksAction "roleLacksAction" Missing "IAM's simulation says that the role may not do what the task needs.";
    RoleUnclear "roleUnclear" NotChecked "The role has policies, but not the managed one that would settle it, and IAM's simulation was not to be had or depends on the request.";
    BoundaryUnclear "boundaryUnclear" NotChecked "The role has a permissions boundary, which may take away what its policies grant; IAM's simulation would tell.";
    BoundaryDenies "boundaryDenies" Missing "The role's permissions boundary does not allow what the task needs.";
    LogGroupMissing "logGroupMissing" Missing "A container logs to a log group that does not exist, and nothing says that it be created: the task will not start.";
    NoTrail "noTrail" Missing "There is no trail in the account, so that EventBridge never tells of a registration.";
    TrailNotLogging "trailNotLogging" Missing "The trail's logging is switched off.";
    TrailElsewhere "trailElsewhere" Missing "The trail logs one other Region only.";
    TrailWithoutWrites "trailWithoutWrites" Missing "The trail does not log management events that write.";
    TrailUnclear "trailUnclear" NotChecked "A trail logs here, but what it logs could not be read or is narrowed by fields that are not judged.";
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
