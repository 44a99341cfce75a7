//! Lowers a subnet to a subnet, which refers to its security group, route table and NAT gateway.
//!
//! It spans the zones of the region, so its zone is ignored; and it carries no tags, so neither do its
//! labels.

use std::collections::BTreeSet;

use kops_core::graph::Input;
use kops_core::lower::Lowered;
use kops_core::resource::{Egress, Subnet};
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site, group, labels, native, rules};
use crate::kinds::{AzureRoute, AzureSubnet, RouteTable};

/// The default route.
const DEFAULT: &str = "0.0.0.0/0";

impl Lowered<Site> for Subnet {
    type Native = AzureSubnet;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let mut routes = BTreeSet::new();
        for route in &spec.routes {
            routes.insert(leading_to(route.cidr, &route.target)?);
        }
        let nat_gateway = match spec.egress {
            Egress::Nat(gateway) => Some(native(gateway)),
            Egress::Existing(target) => {
                let default = DEFAULT.parse().map_err(|_| Error::internal("the default route is invalid"))?;
                routes.insert(leading_to(default, &target)?);
                None
            }
            Egress::None | Egress::Internet(_) => None,
        };
        let network = rules::name_of(&spec.network);
        let (group, tags) = (group(cx), labels(cx, []));
        // One table for all subnets, to which the cloud controller may add routes of pods; a table of its own
        // for a subnet with other routes.
        let table = if routes.is_empty() { network.clone() } else { name.to_owned() };
        let table = cx.add_once(&table, RouteTable { group, routes, tags });
        let security_group = rules::security_group(&spec.network, cx)?;
        let subnet = AzureSubnet {
            network: native(spec.network),
            cidr: spec.cidr.trunc(),
            security_group: security_group.map(|it| it.ready().id()),
            route_table: Some(table.ready().id()),
            nat_gateway,
        };
        cx.add(name, subnet);
        Ok(())
    }
}

/// A route to an existing object: the address of an appliance, or `VirtualNetworkGateway`.
fn leading_to(cidr: ipnet::IpNet, target: &str) -> Result<AzureRoute> {
    let cidr = cidr.trunc();
    if target.parse::<std::net::IpAddr>().is_ok() {
        let address = Some(target.to_owned());
        return Ok(AzureRoute { cidr, next_hop: "VirtualAppliance".to_owned(), address });
    }
    if ["VirtualNetworkGateway", "VnetLocal", "None"].contains(&target) {
        return Ok(AzureRoute { cidr, next_hop: target.to_owned(), address: None });
    }
    Err(Error::new(ErrorKind::Unsupported, format!("{target} is not a valid route target on Azure"))
        .with_hint("use the address of an appliance, or VirtualNetworkGateway"))
}

/// The name of the task that an input refers to, or the last segment of a known identifier.
pub(super) fn name_of<R>(id: &Input<kops_core::graph::Id<R>>) -> String {
    match id {
        Input::Known(id) => crate::ids::name(id.as_str()).to_owned(),
        Input::Output(output) => output.task.name().to_owned(),
        Input::Concat(_) => String::new(),
    }
}
