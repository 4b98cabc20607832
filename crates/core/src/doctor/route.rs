//! Where a subnet's routes lead.

use super::sight::{RouteTable, Subnet, TaskNetwork};

/// What is known of the tasks' subnets together.
#[derive(Debug)]
pub(super) struct Ways<'a> {
    /// Subnets without a way to the internet.
    pub(super) closed: Vec<(&'a Subnet, &'a RouteTable)>,
    /// Subnets whose default route leads to another network, and the target.
    pub(super) elsewhere: Vec<(&'a Subnet, &'a RouteTable, String)>,
    /// Subnets with a way to the internet, and the gateway.
    pub(super) open: Vec<(&'a Subnet, String)>,
}

impl<'a> Ways<'a> {
    /// All subnets that tasks run in.
    pub(super) fn subnets(&self) -> impl Iterator<Item = &'a Subnet> {
        let closed = self.closed.iter().map(|(subnet, _)| *subnet);
        let elsewhere = self.elsewhere.iter().map(|(subnet, _, _)| *subnet);
        closed.chain(elsewhere).chain(self.open.iter().map(|(subnet, _)| *subnet))
    }
}

/// Where the tasks' subnets lead.
pub(super) fn ways<'a>(network: &TaskNetwork, subnets: &'a [Subnet], tables: &'a [RouteTable]) -> Ways<'a> {
    let mut ways = Ways { closed: Vec::new(), elsewhere: Vec::new(), open: Vec::new() };
    let is_wanted = |subnet: &&Subnet| network.task_subnets.as_ref().is_none_or(|ids| ids.contains(&subnet.id));
    for subnet in subnets.iter().filter(is_wanted) {
        // Every VPC has a main table, so there is always one.
        let Some(table) = table(tables, subnet) else { continue };
        match way(table, network) {
            Way::None => ways.closed.push((subnet, table)),
            Way::Elsewhere(target) => ways.elsewhere.push((subnet, table, target)),
            Way::Internet(target) => ways.open.push((subnet, target)),
        }
    }
    // Where nobody said which, tasks are not looked for in public subnets, unless there are no others.
    if network.task_subnets.is_none() && !(ways.closed.is_empty() && ways.elsewhere.is_empty()) {
        ways.open.clear();
    }
    ways
}

/// The way from a subnet to what is not in the VPC.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// None: a closed subnet.
    None,
    /// To the internet, through this gateway.
    Internet(String),
    /// To another network, of which nothing is known.
    Elsewhere(String),
}

/// The table that serves a subnet: the one that names it, else the VPC's main one.
fn table<'a>(tables: &'a [RouteTable], subnet: &Subnet) -> Option<&'a RouteTable> {
    let named = tables.iter().find(|table| table.subnets.contains(&subnet.id));
    named.or_else(|| tables.iter().find(|table| table.is_main))
}

/// Where the default route of a table leads. An internet gateway serves only what has a public address.
fn way(table: &RouteTable, network: &TaskNetwork) -> Way {
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
