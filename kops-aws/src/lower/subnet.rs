//! Lowers a subnet to a subnet and its route table association.

use kops_core::graph::Setting;
use kops_core::lower::Lowered;
use kops_core::resource::{Access, Subnet};
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site, native, routes, tags_with};
use crate::kinds::Ec2Subnet;

/// Tells kOps' tools the purpose of the subnet.
const TYPE: &str = "SubnetType";
/// Tells the cloud controller that public load balancers may use the subnet.
/// <https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/deploy/subnet_discovery/>
const PUBLIC_BALANCERS: &str = "kubernetes.io/role/elb";
/// The same for internal load balancers.
const INTERNAL_BALANCERS: &str = "kubernetes.io/role/internal-elb";

impl Lowered<Site> for Subnet {
    type Native = Ec2Subnet;

    const MEMBER_NAMES: &'static [(&'static str, &'static str)] = &[("labels", "tags")];

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let Some(zone) = &spec.zone else {
            return Err(Error::new(ErrorKind::Unsupported, "on AWS a subnet must be in one zone")
                .with_hint("specify the zone"));
        };
        let zone = super::zone(cx, zone);
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
        routes::lower(name, &subnet, &spec, cx)
    }
}
