//! Lowers an instance group to a template, which represents it, and a managed instance group in each of its
//! zones. As in kOps, the size is divided among the zones, and the first zones get the remainder.

use kops_core::graph::Handle;
use kops_core::lower::Lowered;
use kops_core::resource::{Egress, InstanceGroup, NatGateway, Subnet};
use kops_core::{Error, Result};

use super::machine::{Request, machine};
use super::{Lowering, Site, unsupported};
use crate::extensions::GceInstanceGroup;
use crate::kinds::{InstanceGroupManager, InstanceTemplate, Router, Size};
use crate::names;

impl Lowered<Site> for InstanceGroup {
    type Native = InstanceTemplate;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let extension = spec.extensions.get::<GceInstanceGroup>()?.unwrap_or_default();
        let Some(subnet) = spec.subnets.first() else {
            return Err(Error::invalid("it has no subnet").with_hint("specify the subnet of its machines"));
        };
        if spec.subnets.len() > 1 {
            return Err(unsupported(
                "the machines of a group must be in one subnet, which spans the zones",
                "use one subnet, or create one group for each",
            ));
        }
        if spec.spot.as_ref().is_some_and(|spot| spot.max_price.is_some()) {
            return Err(unsupported(
                "the price of spot machines is set by Google",
                "remove the maximum price",
            ));
        }
        let mut looked_up = None;
        for zone in &spec.zones {
            super::zone(cx, zone)?;
            looked_up = Some(super::machine_type(cx, zone, &spec.machine_type));
        }
        let Some(looked_up) = looked_up else {
            return Err(Error::invalid("it has no zone").with_hint("list the zones of its machines"));
        };
        let nat = way_out(subnet, cx)?;
        let request = Request {
            subnet,
            image: &spec.image,
            machine_type: &spec.machine_type,
            looked_up,
            firewalls: &spec.firewalls,
            load_balancers: &spec.load_balancers,
            identity: spec.identity.as_ref(),
            ssh_key: spec.ssh_key.as_ref(),
            user_data: spec.user_data.as_ref(),
            root_volume: &spec.root_disk,
            volumes: &spec.disks,
            options: &spec.options,
            labels: &spec.labels,
            spot: spec.spot.is_some(),
            extension: &extension,
        };
        let machine = machine(&request, cx)?;
        let template = cx.add(name, InstanceTemplate { machine });
        let zones = u32::try_from(spec.zones.len()).unwrap_or(1);
        for ((zone, task), number) in managers(name, &spec).zip(0..) {
            let share = |whole: u32| whole / zones + u32::from(number < whole % zones);
            let manager = InstanceGroupManager {
                zone: zone.to_owned(),
                template: template.id(),
                base_name: names::base_name(&task),
                size: Size { min: share(spec.min), max: share(spec.max) },
            };
            let manager = cx.add(&task, manager);
            // Booting machines install packages right away.
            if let Some(router) = &nat {
                cx.after(&manager, router);
            }
        }
        Ok(())
    }
}

/// The zones of a group with the names of their managers' tasks: prefixed with the letter of the zone, as in
/// kOps.
pub(super) fn managers<'s>(
    name: &'s str,
    spec: &'s InstanceGroup,
) -> impl Iterator<Item = (&'s str, String)> {
    spec.zones.iter().map(move |zone| {
        let letter = zone.rsplit('-').next().unwrap_or(zone);
        (zone.as_str(), format!("{letter}.{name}"))
    })
}

/// The NAT gateway of a subnet, if the graph creates both.
fn way_out(
    subnet: &kops_core::graph::Input<kops_core::graph::Id<Subnet>>,
    cx: &Lowering<'_>,
) -> Result<Option<Handle<Router>>> {
    let subnets = cx.specs::<Subnet>()?;
    let Some((_, spec)) = subnets.into_iter().find(|(name, _)| Lowering::is_for(subnet, name)) else {
        return Ok(None);
    };
    let Egress::Nat(gateway) = spec.egress else { return Ok(None) };
    let gateways = cx.specs::<NatGateway>()?;
    Ok(gateways
        .into_iter()
        .find(|(name, _)| Lowering::is_for(&gateway, name))
        .map(|(name, _)| Handle::named(name)))
}
