//! Lowers a subnet to a subnet with an interface of its router.

use std::net::IpAddr;

use ipnet::IpNet;
use kops_core::graph::Setting;
use kops_core::lower::Lowered;
use kops_core::resource::{Egress, Route, Subnet};
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site, native, tags_with};
use crate::kinds::{HostRoute, NeutronSubnet, RouterInterface};

impl Lowered<Site> for Subnet {
    type Native = NeutronSubnet;

    const MEMBER_NAMES: &'static [(&'static str, &'static str)] = &[("labels", "tags")];

    /// Its zone is ignored: subnets span the availability zones.
    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        if matches!(spec.cidr, IpNet::V6(_)) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "subnets with IPv6 are not supported on OpenStack yet",
            ));
        }
        let servers = &cx.provider().name_servers;
        let subnet = NeutronSubnet {
            network: native(spec.network),
            cidr: spec.cidr.trunc(),
            name_servers: if servers.is_empty() { Setting::Unmanaged } else { Setting::To(servers.clone()) },
            routes: spec.routes.iter().map(route).collect::<Result<_>>()?,
            tags: tags_with(cx, &spec.labels),
        };
        let subnet = cx.add(name, subnet);
        match spec.egress {
            Egress::None => {}
            Egress::Internet(gateway) => {
                cx.add(name, RouterInterface { router: native(gateway), subnet: subnet.id() });
            }
            Egress::Nat(_) | Egress::Existing(_) => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "on OpenStack the egress of a subnet must be a router",
                )
                .with_hint(
                    "use the internet gateway, which is lowered to the router, as its egress, or none",
                ));
            }
        }
        Ok(())
    }
}

fn route(route: &Route) -> Result<HostRoute> {
    // The next hop of a route is an address here.
    if route.target.parse::<IpAddr>().is_err() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("`{}` is not a valid route target on OpenStack", route.target),
        )
        .with_hint("use the address of the next hop, in the subnet"));
    }
    Ok(HostRoute { destination: route.cidr.trunc(), nexthop: route.target.clone() })
}
