//! Lowers a single machine to an instance.

use std::collections::BTreeMap;

use kops_core::graph::Input;
use kops_core::lower::Lowered;
use kops_core::resource::Instance;
use kops_core::{Error, Result};

use super::machine::{Request, machine};
use super::{Lowering, Site, unsupported};
use crate::extensions::GceInstanceGroup;
use crate::kinds::{GceAddress, GceInstance, UnmanagedInstanceGroup};

/// Kubernetes' label for a node's zone:
/// <https://kubernetes.io/docs/reference/labels-annotations-taints/#topologykubernetesiozone>.
const ZONE: &str = "topology.kubernetes.io/zone";

impl Lowered<Site> for Instance {
    type Native = GceInstance;

    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] = &[
        (Self::PRIVATE_IP.name(), GceInstance::PRIVATE_IP.name()),
        (Self::PUBLIC_IP.name(), GceInstance::PUBLIC_IP.name()),
    ];

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        // Subnets are not zonal here, and an agnostic machine has no zone: a label specifies it.
        let Some(zone) = spec.labels.get(ZONE).cloned() else {
            return Err(
                Error::invalid("it has no zone").with_hint(format!("specify one in the label {ZONE}"))
            );
        };
        super::zone(cx, &zone)?;
        let looked_up = super::machine_type(cx, &zone, &spec.machine_type);
        let extension = GceInstanceGroup::default();
        let request = Request {
            subnet: &spec.subnet,
            image: &spec.image,
            machine_type: &spec.machine_type,
            looked_up,
            firewalls: &spec.firewalls,
            load_balancers: &spec.load_balancers,
            identity: spec.identity.as_ref(),
            ssh_key: spec.ssh_key.as_ref(),
            user_data: spec.user_data.as_ref(),
            root_volume: &spec.root_disk,
            volumes: &BTreeMap::new(),
            options: &spec.options,
            labels: &spec.labels,
            spot: false,
            extension: &extension,
        };
        let machine = machine(&request, cx)?;
        let address = spec.address.map(|address| match address {
            Input::Output(address) => Ok(Input::Output(address.output(GceAddress::IP.name()))),
            _ => Err(unsupported(
                "the address has to be a task of the graph",
                "add it with GraphBuilder::add or GraphBuilder::share",
            )),
        });
        let address = address.transpose()?;
        let instance = GceInstance {
            zone: zone.clone(),
            machine_type: machine.machine_type,
            disks: machine.disks,
            subnetwork: machine.subnetwork,
            public_ip: machine.public_ip || address.is_some(),
            address,
            tags: machine.tags,
            on_host_maintenance: machine.on_host_maintenance,
            service_account: machine.service_account,
            metadata: machine.metadata,
            labels: machine.labels,
        };
        let instance = cx.add(name, instance);
        if !spec.load_balancers.is_empty() {
            cx.add(name, UnmanagedInstanceGroup { zone, instances: [instance.id()].into() });
        }
        Ok(())
    }
}
