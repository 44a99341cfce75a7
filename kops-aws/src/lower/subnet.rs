//! Lowers a subnet to a subnet and its route table association.

use kops_core::graph::{Handle, Setting};
use kops_core::lower::Lowered;
use kops_core::resource::{Access, Egress, Network, Subnet};
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site, native, routes, tags_with};
use crate::kinds::{Ec2Subnet, VpcCidrBlock};

impl Lowered<Site> for Subnet {
    type Native = Ec2Subnet;

    const MEMBER_NAMES: &'static [(&'static str, &'static str)] = &[("labels", "tags"), ("network", "vpc")];

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let Some(zone) = &spec.zone else {
            return Err(Error::new(ErrorKind::Unsupported, "on AWS a subnet must be in one zone")
                .with_hint("specify the zone"));
        };
        let zone = match spec.egress {
            Egress::Internet(_) => super::zone_with(cx, zone, super::OPEN_SUBNET)?,
            _ => super::zone(cx, zone),
        };
        let labels = spec.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let tags = tags_with(cx, labels);
        let subnet = Ec2Subnet {
            vpc: native(spec.network.clone()),
            cidr: spec.cidr.trunc(),
            zone,
            map_public_ip: Setting::To(spec.access == Access::Public),
            // Nodes are named after their instance, as Kubernetes' cloud controller expects.
            resource_names: true.into(),
            resource_name_records: true.into(),
            tags,
        };
        let subnet = cx.add(name, subnet);
        // AWS rejects a subnet outside of the CIDRs that are associated with its network already.
        for block in blocks_around(&spec, cx)? {
            cx.after(&subnet, &block);
        }
        routes::lower(name, &subnet, &spec, cx)
    }
}

/// The further CIDRs of the network that contain a subnet.
fn blocks_around(spec: &Subnet, cx: &Lowering<'_>) -> Result<Vec<Handle<VpcCidrBlock>>> {
    let networks = cx.specs::<Network>()?;
    let of_subnet = networks.iter().filter(|(name, _)| Lowering::is_for(&spec.network, name));
    let around = of_subnet.flat_map(|(name, network)| {
        let further = network.cidrs.iter().skip(1).map(ipnet::IpNet::trunc);
        let around = further.filter(|block| block.contains(&spec.cidr));
        around.map(|block| Handle::named(&VpcCidrBlock::name_of(name, block)))
    });
    Ok(around.collect())
}
