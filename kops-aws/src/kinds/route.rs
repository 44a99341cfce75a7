//! Routes.

use ipnet::IpNet;
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::{Ec2InternetGateway, Ec2NatGateway, EgressOnlyInternetGateway, RouteTable};

/// Where packets for some addresses go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Route<S: Stage = Open> {
    /// The table it is in.
    pub table: At<S, Id<RouteTable>>,
    /// The addresses.
    pub destination: IpNet,
    /// Where to.
    pub target: RouteTarget<S>,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum RouteTarget<S: Stage = Open> {
    /// Out and in.
    InternetGateway(At<S, Id<Ec2InternetGateway>>),
    /// Out, by IPv4.
    NatGateway(At<S, Id<Ec2NatGateway>>),
    /// Out, by IPv6.
    EgressOnlyInternetGateway(At<S, Id<EgressOnlyInternetGateway>>),
    /// Another existing object, by its identifier: a transit gateway (`tgw-…`), a peering (`pcx-…`), an
    /// instance (`i-…`), a network interface (`eni-…`), a virtual private gateway (`vgw-…`).
    Existing(String),
}

impl Route {
    /// The name of the task for a route, unless it is given another.
    pub(crate) fn name_of(table: &str, destination: IpNet) -> String {
        format!("{table}:{destination}")
    }
}

impl Resource for Route {
    const KIND: &'static str = "Route";
    type Resolved = Route<Closed>;
}
