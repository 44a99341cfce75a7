//! Routes.
//!
//! Routes carry no tags, and others write to a cluster's route tables as well: the cloud controller and some
//! network plugins add a route for the pods of each node. So of the routes in the scope's own tables, these
//! are owned by the scope:
//!
//! - those that the graph requests;
//! - the default routes, to `0.0.0.0/0` and `::/0`;
//! - those that the table's tags mark as created by us, see [`Route::mark`].
//!
//! The others are neither returned nor removed; they are deleted with the table.

use std::collections::HashSet;

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, RouteOrigin};
use ipnet::IpNet;
use kops_core::Result;
use kops_core::cloud::{
    Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query, Replacement, Update,
    refers_to,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::{Ec2InternetGateway, Ec2NatGateway, EgressOnlyInternetGateway, RouteTable};
use super::{child, listing, route_table};
use crate::clients::Clients;
use crate::tags::{self, Tags};

/// The target of packets to certain addresses.
///
/// Once no task requests it any longer, a route other than a default route is only known as owned if its
/// table carries the tag [`Route::mark`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Route<S: Stage = Open> {
    /// The table it is in.
    pub table: At<S, Id<RouteTable>>,
    /// The destination.
    pub destination: IpNet,
    /// The target.
    pub target: RouteTarget<S>,
}

/// The target of a route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum RouteTarget<S: Stage = Open> {
    /// In and out.
    InternetGateway(At<S, Id<Ec2InternetGateway>>),
    /// Out, by IPv4.
    NatGateway(At<S, Id<Ec2NatGateway>>),
    /// Out, by IPv6.
    EgressOnlyInternetGateway(At<S, Id<EgressOnlyInternetGateway>>),
    /// Another existing object, by its identifier: a transit gateway (`tgw-…`), a peering connection
    /// (`pcx-…`), an instance (`i-…`), a network interface (`eni-…`), a virtual private gateway (`vgw-…`).
    Existing(String),
}

impl Route {
    /// The tag of a table that marks the route to a destination as owned; its value is `owned`.
    pub fn mark(destination: IpNet) -> String {
        format!("kops.k8s.io/route/{destination}")
    }

    /// The default name of a route's task.
    pub(crate) fn name_of(table: &str, destination: IpNet) -> String {
        format!("{table}:{destination}")
    }
}

impl Resource for Route {
    const KIND: &'static str = "Route";
    type Resolved = Route<Closed>;
}

/// An identifier for a route, which has none of its own.
fn id_of(table: &str, destination: IpNet) -> String {
    format!("{table}/{destination}")
}

/// Sets destination and target of a call; creating and replacing a route are different types.
macro_rules! with {
    ($call:expr, $table:expr, $destination:expr, $target:expr) => {{
        let call = $call.route_table_id($table.as_str());
        let call = match $destination {
            IpNet::V4(cidr) => call.destination_cidr_block(cidr.to_string()),
            IpNet::V6(cidr) => call.destination_ipv6_cidr_block(cidr.to_string()),
        };
        match $target.id() {
            (TargetKind::Gateway, id) => call.gateway_id(id),
            (TargetKind::NatGateway, id) => call.nat_gateway_id(id),
            (TargetKind::EgressOnlyInternetGateway, id) => call.egress_only_internet_gateway_id(id),
            (TargetKind::TransitGateway, id) => call.transit_gateway_id(id),
            (TargetKind::Peering, id) => call.vpc_peering_connection_id(id),
            (TargetKind::Instance, id) => call.instance_id(id),
            (TargetKind::NetworkInterface, id) => call.network_interface_id(id),
        }
    }};
}

#[derive(Debug)]
pub(crate) struct Routes(pub(crate) Clients);

#[async_trait]
impl Handler for Routes {
    type Kind = Route;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        if field == "target" { Mutability::InPlace } else { Mutability::Replace }
    }

    fn replacement(&self) -> Replacement {
        Replacement::CreateFirst
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Route<Closed>>>> {
        let tables = match query.filter {
            Filter::Scope { .. } => route_table::owned(&self.0, query).await?,
            Filter::Ids(ids) => {
                let tables: HashSet<_> = ids.iter().filter_map(|id| Some(id.split_once('/')?.0)).collect();
                let tables: Vec<_> = tables.into_iter().collect();
                let filters = listing::any_of("route-table-id", &tables);
                let describe = |filter| listing::route_tables(&self.0, query.cx, filter);
                listing::find(filters, describe).await?.into()
            }
        };
        let wanted = query.wanted_as::<Route>()?;
        let mut found = Vec::new();
        for table in tables.iter() {
            let tags = tags::read(table.tags());
            let (Some(id), Some(task)) = (table.route_table_id(), tags::task(query.scope, &tags)) else {
                continue;
            };
            let wanted: Vec<_> =
                wanted.iter().filter(|(_, it)| refers_to(&it.table, id, Some(task))).collect();
            for route in
                table.routes().iter().filter(|route| route.origin() == Some(&RouteOrigin::CreateRoute))
            {
                let destination = route.destination_cidr_block().or(route.destination_ipv6_cidr_block());
                // Destinations can be prefix lists, too.
                let Some(destination) = destination else { continue };
                let destination = listing::cidr(Some(destination))?;
                let asked_for = wanted.iter().find(|(_, it)| it.destination == destination);
                let asked = match query.filter {
                    Filter::Scope { .. } => asked_for.is_some() || is_ours(&tags, destination),
                    Filter::Ids(ids) => ids.contains(&id_of(id, destination)),
                };
                if !asked {
                    continue;
                }
                let name = asked_for
                    .map_or_else(|| Route::name_of(task, destination), |(name, _)| (*name).to_owned());
                let preferred = asked_for.and_then(|(_, it)| match &it.target {
                    RouteTarget::Existing(id) => Some(id.as_str()),
                    _ => None,
                });
                let spec = Route { table: Id::new(id), destination, target: target_of(route, preferred) };
                found.push(child::inside(&tags, Object::owned(id_of(id, destination), name, spec)));
            }
        }
        Ok(found)
    }

    async fn create(&self, request: Create<'_, Route<Closed>>) -> Result<Object<Route<Closed>>> {
        let Route { table, destination, target } = request.spec;
        let call = with!(self.0.ec2.create_route(), table, destination, target);
        self.0.call(request.cx, "ec2:CreateRoute", call.send()).await?;
        let id = id_of(table.as_str(), *destination);
        Ok(Object::owned(id, request.name, request.spec.clone()))
    }

    async fn update(&self, request: Update<'_, Route<Closed>>) -> Result<Object<Route<Closed>>> {
        let Route { table, destination, target } = request.spec;
        let call = with!(self.0.ec2.replace_route(), table, destination, target);
        self.0.call(request.cx, "ec2:ReplaceRoute", call.send()).await?;
        Ok(request.object.clone().spec(request.spec.clone()))
    }

    async fn delete(&self, request: Delete<'_, Route<Closed>>) -> Result<Deletion> {
        let Route { table, destination, .. } = &request.object.spec;
        let call = self.0.ec2.delete_route().route_table_id(table.as_str());
        let call = match destination {
            IpNet::V4(cidr) => call.destination_cidr_block(cidr.to_string()),
            IpNet::V6(cidr) => call.destination_ipv6_cidr_block(cidr.to_string()),
        };
        self.0.call(request.cx, "ec2:DeleteRoute", call.send()).await?;
        Ok(Deletion::Done)
    }
}

fn is_ours(table: &Tags, destination: IpNet) -> bool {
    destination.prefix_len() == 0 || table.contains_key(&Route::mark(destination))
}

/// The parameter for a target.
enum TargetKind {
    /// Internet gateways and virtual private gateways.
    Gateway,
    NatGateway,
    EgressOnlyInternetGateway,
    TransitGateway,
    Peering,
    Instance,
    NetworkInterface,
}

impl RouteTarget<Closed> {
    fn id(&self) -> (TargetKind, &str) {
        match self {
            Self::InternetGateway(id) => (TargetKind::Gateway, id.as_str()),
            Self::NatGateway(id) => (TargetKind::NatGateway, id.as_str()),
            Self::EgressOnlyInternetGateway(id) => (TargetKind::EgressOnlyInternetGateway, id.as_str()),
            Self::Existing(id) => {
                let kind = match id.split('-').next() {
                    Some("nat") => TargetKind::NatGateway,
                    Some("eigw") => TargetKind::EgressOnlyInternetGateway,
                    Some("tgw") => TargetKind::TransitGateway,
                    Some("pcx") => TargetKind::Peering,
                    Some("i") => TargetKind::Instance,
                    Some("eni") => TargetKind::NetworkInterface,
                    _ => TargetKind::Gateway,
                };
                (kind, id)
            }
        }
    }
}

/// The target of a route. AWS returns an instance together with its network interface; `preferred` is the one
/// that was requested.
fn target_of(route: &types::Route, preferred: Option<&str>) -> RouteTarget<Closed> {
    if let Some(id) = route.nat_gateway_id() {
        return RouteTarget::NatGateway(Id::new(id));
    }
    if let Some(id) = route.egress_only_internet_gateway_id() {
        return RouteTarget::EgressOnlyInternetGateway(Id::new(id));
    }
    if let Some(id) = route.gateway_id().filter(|id| id.starts_with("igw-")) {
        return RouteTarget::InternetGateway(Id::new(id));
    }
    let others = [
        route.transit_gateway_id(),
        route.vpc_peering_connection_id(),
        route.instance_id(),
        route.network_interface_id(),
        route.gateway_id(),
    ];
    let others = || others.into_iter().flatten();
    let id = others().find(|id| Some(*id) == preferred).or_else(|| others().next());
    RouteTarget::Existing(id.unwrap_or_default().to_owned())
}
