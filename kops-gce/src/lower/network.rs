//! Lowers a network to a network without ranges of its own; its subnetworks have them.

use kops_core::Result;
use kops_core::graph::{Id, Input};
use kops_core::lower::Lowered;
use kops_core::resource::Network;

use super::{Lowering, Site, native, unsupported};
use crate::kinds::{GceFirewall, GceNetwork};
use crate::path::project_in;

impl Lowered<Site> for Network {
    type Native = GceNetwork;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        if spec.ipv6 || spec.cidrs.iter().any(|cidr| cidr.addr().is_ipv6()) {
            return Err(unsupported(
                "networks with IPv6 are not supported on Google Cloud yet",
                "use IPv4 CIDRs",
            ));
        }
        cx.add(name, GceNetwork::default());
        Ok(())
    }
}

/// The project of a network, if it is another than that of the connection, as with a shared VPC:
/// <https://cloud.google.com/vpc/docs/shared-vpc>.
pub(super) fn host(network: &Input<Id<Network>>, cx: &Lowering<'_>) -> Option<String> {
    let selector = match network {
        Input::Known(id) => Some(id.as_str()),
        other => cx.selector(other),
    };
    project_in(selector?).filter(|project| *project != cx.provider().project)
}

/// A firewall rule of a network, without traffic: in the network's project, because references across projects are
/// not allowed for it.
pub(super) fn firewall(network: &Input<Id<Network>>, direction: &str, cx: &Lowering<'_>) -> GceFirewall {
    GceFirewall { project: host(network, cx), ..GceFirewall::of(native(network.clone()), direction) }
}

/// Rejects what has to be in the network's project if that is another.
pub(super) fn require_own(
    network: &Input<Id<Network>>,
    what: &str,
    hint: &str,
    cx: &Lowering<'_>,
) -> Result<()> {
    match host(network, cx) {
        Some(host) => {
            Err(unsupported(format!("{what} of a network of another project, {host}, belongs there"), hint))
        }
        None => Ok(()),
    }
}
