//! The route tables that a network's subnets need, and their routes.
//!
//! Subnets with the same egress share a table, with kOps' name:
//!
//! | egress | table | routes |
//! |---|---|---|
//! | the internet gateway | the network's name | `0.0.0.0/0`, and `::/0` in a network with IPv6 |
//! | a NAT gateway | `private-` and the gateway's name, which is `<zone>.<network>` in a cluster | `0.0.0.0/0`; `::/0` through the egress-only gateway |
//! | an existing object | `private-<zone>.<network>` | `0.0.0.0/0` |
//! | none | none: the VPC's main one, which has no default route | |
//!
//! A subnet with routes of its own and no egress has a table named after it, `private-<subnet>`.

use std::collections::BTreeMap;

use ipnet::IpNet;
use kops_core::graph::{Handle, Id, Input};
use kops_core::resource::{Access, Egress, InternetGateway, NatGateway, Network, Subnet};
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, native, tags_with};
use crate::kinds::{
    Ec2Instance, Ec2Subnet, EgressOnlyInternetGateway, Route, RouteTable, RouteTableAssociation, RouteTarget,
};

/// Tells kOps' tools the purpose of a table.
const ROLE: &str = "kubernetes.io/kops/role";

/// Adds the association of a subnet with its route table, and the table with its routes unless another subnet
/// has added it.
pub(super) fn lower(
    name: &str,
    subnet: &Handle<Ec2Subnet>,
    spec: &Subnet,
    cx: &mut Lowering<'_>,
) -> Result<()> {
    let Some(table) = table_of(name, spec) else { return Ok(()) };
    agree(name, &table, spec, cx)?;
    let role = table.strip_suffix(&network_name(spec)).map_or("private", |rest| rest.trim_end_matches('.'));
    let role = if role.is_empty() { "public" } else { role };
    let marks: Vec<_> = spec.routes.iter().map(|route| Route::mark(route.cidr.trunc())).collect();
    let tags =
        tags_with(cx, [(ROLE, role)].into_iter().chain(marks.iter().map(|mark| (mark.as_str(), "owned"))));
    let handle = cx.add_once(&table, RouteTable { vpc: native(spec.network.clone()), tags });
    for (destination, target) in routes_of(name, spec, cx)? {
        let name = Route::name_of(&table, destination);
        cx.add_once(&name, Route { table: handle.id(), destination, target });
    }
    cx.add(name, RouteTableAssociation { subnet: subnet.id(), table: handle.id() });
    Ok(())
}

/// The name of a subnet's table.
fn table_of(name: &str, spec: &Subnet) -> Option<String> {
    match &spec.egress {
        Egress::Internet(_) => Some(network_name(spec)),
        Egress::Nat(gateway) => Some(format!("private-{}", name_of(gateway, || zonal(spec)))),
        Egress::Existing(_) => Some(format!("private-{}", zonal(spec))),
        Egress::None if spec.routes.is_empty() => None,
        Egress::None => Some(format!("private-{name}")),
    }
}

fn zonal(spec: &Subnet) -> String {
    format!("{}.{}", spec.zone.as_deref().unwrap_or_default(), network_name(spec))
}

fn network_name(spec: &Subnet) -> String {
    match &spec.network {
        Input::Output(output) => output.task.name().to_owned(),
        Input::Known(id) => id.to_string(),
        Input::Concat(_) => String::new(),
    }
}

/// The name of the task that an identifier is an output of, or `other` if it is a known one.
fn name_of<R>(id: &Input<Id<R>>, other: impl FnOnce() -> String) -> String {
    if let Input::Output(output) = id { output.task.name().to_owned() } else { other() }
}

/// Subnets that share a table must have the same routes.
fn agree(name: &str, table: &str, spec: &Subnet, cx: &Lowering<'_>) -> Result<()> {
    for (other, beside) in cx.specs::<Subnet>()? {
        let same_table = beside.network == spec.network && table_of(other, &beside).as_deref() == Some(table);
        if same_table && (beside.egress != spec.egress || beside.routes != spec.routes) && other < name {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("it shares the route table {table} with Subnet/{other}, but their routes differ"),
            )
            .with_hint("use the same egress and the same routes for all subnets of a zone"));
        }
    }
    Ok(())
}

/// The routes of a subnet's table.
fn routes_of(name: &str, spec: &Subnet, cx: &mut Lowering<'_>) -> Result<BTreeMap<IpNet, RouteTarget>> {
    let mut routes = BTreeMap::new();
    for route in &spec.routes {
        routes.insert(route.cidr.trunc(), existing(&route.target, name, cx)?);
    }
    let v6 = has_ipv6(&spec.network, cx)?;
    match &spec.egress {
        Egress::None => {}
        Egress::Internet(gateway) => {
            let target = RouteTarget::InternetGateway(native::<InternetGateway>(gateway.clone()));
            if v6 {
                routes.insert(everywhere_v6(), target.clone());
            }
            routes.insert(everywhere(), target);
        }
        Egress::Nat(gateway) => {
            // A route must not name a gateway that is not ready yet: see the crate's documentation.
            let target = match native::<NatGateway>(gateway.clone()) {
                Input::Output(output) => {
                    Handle::<crate::kinds::Ec2NatGateway>::named(output.task.name()).ready().id()
                }
                known => known,
            };
            routes.insert(everywhere(), RouteTarget::NatGateway(target));
            if v6 && spec.access == Access::Private {
                let gateway = Handle::<EgressOnlyInternetGateway>::named(&network_name(spec));
                routes.insert(everywhere_v6(), RouteTarget::EgressOnlyInternetGateway(gateway.id()));
            }
        }
        Egress::Existing(id) => {
            routes.insert(everywhere(), existing(id, name, cx)?);
        }
    }
    Ok(routes)
}

/// Whether the network is one of the graph's with IPv6.
fn has_ipv6(network: &Input<Id<Network>>, cx: &Lowering<'_>) -> Result<bool> {
    let Input::Output(output) = network else { return Ok(false) };
    Ok(cx.specs::<Network>()?.iter().any(|(name, it)| *name == output.task.name() && it.ipv6))
}

/// The target with an AWS identifier. It is looked up if it is of a kind of ours: AWS's answer to a route by way of one
/// that is not there does not tell it from one that has just been created.
fn existing(id: &str, subnet: &str, cx: &mut Lowering<'_>) -> Result<RouteTarget> {
    let named_by = format!("a route of the subnet {subnet}");
    let (prefix, rest) = id.split_once('-').unwrap_or_default();
    match prefix {
        "igw" => Ok(RouteTarget::InternetGateway(cx.looked_up_for(id, &named_by).id())),
        "nat" => Ok(RouteTarget::NatGateway(cx.looked_up_for(id, &named_by).id())),
        "eigw" => Ok(RouteTarget::EgressOnlyInternetGateway(cx.looked_up_for(id, &named_by).id())),
        "i" => {
            cx.looked_up_for::<Ec2Instance>(id, &named_by);
            Ok(RouteTarget::Existing(id.to_owned()))
        }
        "tgw" | "pcx" | "eni" | "vgw" if !rest.is_empty() => Ok(RouteTarget::Existing(id.to_owned())),
        _ => Err(Error::new(ErrorKind::Unsupported, format!("`{id}` is not a valid route target")).with_hint(
            "use a transit gateway (tgw-…), a peering connection (pcx-…), a NAT gateway (nat-…), an instance (i-…), a \
             network interface (eni-…) or a virtual private gateway (vgw-…)",
        )),
    }
}

fn everywhere() -> IpNet {
    IpNet::V4(ipnet::Ipv4Net::default())
}

fn everywhere_v6() -> IpNet {
    IpNet::V6(ipnet::Ipv6Net::default())
}
