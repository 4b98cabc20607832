//! The doctor: can a task with the sidecar reach what it needs without internet, and will events come?
//!
//! Knows: what AWS is documented to want of a VPC, of roles and of trails. Must not know: how any of it is looked up.
//!
//! A [`Sight`] is what was seen; each part of it can also say why it was not. [`examine`] judges it and answers with a
//! tree of [`Finding`]s. Judging is conservative: what cannot be known is `not checked` and says so, never `OK`.

mod acl;
mod cidr;
mod code;
mod endpoint;
mod finding;
mod firewall;
mod image;
mod mend;
mod needs;
mod network;
mod policy;
mod roles;
mod route;
mod sight;
mod trails;

#[cfg(test)]
mod tests;

pub use code::{Code, State};
pub use finding::{Finding, Totals};
pub use image::wanted_architectures;
pub use needs::{Actions, Endpoint, named_log_groups, required_actions, runs_on_fargate};
pub use sight::{
    AclRule, Attachments, Cidr, Endpoints, GroupRule, ImageSight, LogGroup, Network, NetworkAcl, PeerSight, RoleSight,
    Route, RouteTable, SecurityGroup, Seen, Selectors, Sight, Simulated, Subnet, TaskNetwork, Trail, Unseen,
    VpcEndpoint,
};

/// Judges what was seen. The root of the tree has the worst state of all below.
pub fn examine(sight: &Sight) -> Finding {
    let unseen = sight.unseen.iter().map(|unseen| Finding::not_seen(&unseen.subject, &unseen.why, unseen.action));
    let mut parts: Vec<Finding> = unseen.collect();
    parts.extend(sight.network.as_ref().map(|network| network::judge(sight, network)));
    parts.extend(sight.image.as_ref().map(|image| image::judge(sight, image)));
    parts.extend(sight.task.as_ref().map(|_| roles::judge(sight)));
    parts.push(trails::judge(sight));
    Finding::group(sight.subject.clone(), parts)
}
