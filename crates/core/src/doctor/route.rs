//! Where a subnet's routes lead.

use super::sight::{RouteTable, Subnet, TaskNetwork};

/// The way from a subnet to what is not in the VPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// None: a closed subnet.
    None,
    /// To the internet, through this gateway.
    Internet(String),
    /// To another network, of which nothing is known.
    Elsewhere(String),
}

/// The table that serves a subnet: the one that names it, else the VPC's main one.
pub(super) fn table<'a>(tables: &'a [RouteTable], subnet: &Subnet) -> Option<&'a RouteTable> {
    let named = tables.iter().find(|table| table.subnets.contains(&subnet.id));
    named.or_else(|| tables.iter().find(|table| table.is_main))
}

/// Where the default route of a table leads. An internet gateway serves only what has a public address.
pub(super) fn way(table: &RouteTable, network: &TaskNetwork) -> Way {
    let Some(route) = table.routes.iter().find(|route| route.destination == "0.0.0.0/0") else { return Way::None };
    let target = route.target.clone();
    if target.starts_with("nat-") {
        Way::Internet(target)
    } else if target.starts_with("igw-") {
        if network.public_address == Some(false) { Way::None } else { Way::Internet(target) }
    } else {
        Way::Elsewhere(target)
    }
}
