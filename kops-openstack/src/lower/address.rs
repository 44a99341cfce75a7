//! Lowers an address to a floating IP address, associated with the port of the instance that it is for, if there is one.

use kops_core::Result;
use kops_core::graph::{Handle, Id, Input};
use kops_core::lower::Lowered;
use kops_core::resource::{Address, Egress, Instance, Subnet};

use super::{Lowering, Site, external_network, tags_with};
use crate::kinds::{FloatingIp, NeutronPort, RouterInterface};

impl Lowered<Site> for Address {
    type Native = FloatingIp;

    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] = &[(Self::IP.name(), FloatingIp::IP.name())];

    fn lower(name: &str, _: Self, cx: &mut Lowering<'_>) -> Result<()> {
        for (instance, spec) in cx.specs::<Instance>()? {
            if spec.address.is_some_and(|address| Lowering::is_for(&address, name)) {
                let port = Handle::<NeutronPort>::named(instance);
                return add(name, &spec.subnet, port.id().into_text(), cx);
            }
        }
        let external_network = external_network(cx);
        let tags = tags_with(cx, []);
        cx.add(name, FloatingIp { external_network, port: None, tags });
        Ok(())
    }
}

/// Adds a floating IP address for a port in a subnet.
pub(super) fn add(
    name: &str,
    subnet: &Input<Id<Subnet>>,
    port: Input<String>,
    cx: &mut Lowering<'_>,
) -> Result<()> {
    let external_network = external_network(cx);
    let tags = tags_with(cx, []);
    let address = cx.add(name, FloatingIp { external_network, port: Some(port), tags });
    // The subnet is reached through the router; Networking rejects the association without one.
    for (name, spec) in cx.specs::<Subnet>()? {
        if Lowering::is_for(subnet, name) && matches!(spec.egress, Egress::Internet(_)) {
            cx.after(&address, &Handle::<RouterInterface>::named(name));
        }
    }
    Ok(())
}
