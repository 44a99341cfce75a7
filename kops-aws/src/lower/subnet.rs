//! Lowers a subnet to a subnet and its route table association.

use kops_core::graph::{Handle, Setting};
use kops_core::lower::Lowered;
use kops_core::resource::{Access, Egress, Network, Subnet};
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site, native, routes, tags_with};
use crate::kinds::{Ec2Subnet, VpcCidrBlock};

/// Tells kOps' tools the purpose of the subnet.
const TYPE: &str = "SubnetType";
/// Tells the cloud controller that public load balancers may use the subnet.
/// <https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/deploy/subnet_discovery/>
const PUBLIC_BALANCERS: &str = "kubernetes.io/role/elb";
/// The same for internal load balancers.
const INTERNAL_BALANCERS: &str = "kubernetes.io/role/internal-elb";

impl Lowered<Site> for Subnet {
    type Native = Ec2Subnet;

    const MEMBER_NAMES: &'static [(&'static str, &'static str)] = &[("labels", "tags"), ("network", "vpc")];

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let Some(zone) = &spec.zone else {
            return Err(Error::new(ErrorKind::Unsupported, "on AWS a subnet must be in one zone")
                .with_hint("specify the zone"));
        };
        // https://docs.aws.amazon.com/wavelength/latest/developerguide/how-wavelengths-work.html
        let zone = match spec.egress {
            Egress::Internet(_) => super::zone_with(cx, zone, "a subnet with an internet gateway")?,
            _ => super::zone(cx, zone),
        };
        let mut tags = vec![(TYPE, format!("{:?}", spec.access))];
        if spec.access == Access::Private {
            tags.push((INTERNAL_BALANCERS, "1".to_owned()));
        } else {
            tags.push((PUBLIC_BALANCERS, "1".to_owned()));
            // Without private subnets, internal load balancers are placed in public ones.
            let beside = cx.specs::<Subnet>()?;
            let mut beside = beside.iter().filter(|(_, other)| other.network == spec.network);
            if !beside.any(|(_, other)| other.access == Access::Private) {
                tags.push((INTERNAL_BALANCERS, "1".to_owned()));
            }
        }
        let labels = spec.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let tags = tags_with(cx, tags.iter().map(|(key, value)| (*key, value.as_str())).chain(labels));
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
        // AWS refuses a subnet outside of the CIDRs that are associated with its network already.
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
