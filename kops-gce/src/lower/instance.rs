//! Lowers a single machine to an instance.

use std::collections::{BTreeMap, BTreeSet};

use kops_core::lower::Lowered;
use kops_core::resource::Instance;
use kops_core::{Error, Result};

use super::machine::{Request, machine};
use super::{Lowering, Site};
use crate::extensions::GceInstanceGroup;
use crate::kinds::GceInstance;

/// Kubernetes' label for a node's zone:
/// <https://kubernetes.io/docs/reference/labels-annotations-taints/#topologykubernetesiozone>.
const ZONE: &str = "topology.kubernetes.io/zone";

impl Lowered<Site> for Instance {
    type Native = GceInstance;

    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] =
        &[(Self::PRIVATE_IP.name(), GceInstance::PRIVATE_IP.name())];

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        // Subnets are not zonal here, and an agnostic machine has no zone: a label specifies it.
        let Some(zone) = spec.labels.get(ZONE).cloned() else {
            return Err(
                Error::invalid("it has no zone").with_hint(format!("specify one in the label {ZONE}"))
            );
        };
        super::zone(cx, &zone)?;
        super::machine_type(cx, &zone, &spec.machine_type);
        let extension = GceInstanceGroup::default();
        let request = Request {
            subnet: &spec.subnet,
            image: &spec.image,
            machine_type: &spec.machine_type,
            firewalls: &spec.firewalls,
            load_balancers: &BTreeSet::new(),
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
        let instance = GceInstance {
            zone,
            machine_type: machine.machine_type,
            disks: machine.disks,
            subnetwork: machine.subnetwork,
            public_ip: machine.public_ip,
            tags: machine.tags,
            service_account: machine.service_account,
            metadata: machine.metadata,
            labels: machine.labels,
        };
        cx.add(name, instance);
        Ok(())
    }
}
