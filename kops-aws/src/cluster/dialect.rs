//! The AWS-specific settings of a cluster's specification.

use std::collections::BTreeSet;

use kops_cluster::cloud::{Dialect, Purpose, extend};
use kops_cluster::extensions::MachineRole;
use kops_cluster::model::{Names, dns_zone};
use kops_cluster::{
    Cluster, InstanceGroup, InstanceRequirements, MinMax, MixedInstancesPolicy, Opaque, Path, Problems,
};
use kops_core::graph::{GraphBuilder, Handle, Key};
use kops_core::resource::{self, DnsZone, Identity, LoadBalancer, Network};

use super::quantity;
use crate::Policy;
use crate::extensions::{self, AwsIdentity, AwsInstanceGroup, AwsLoadBalancer, MixedInstances};
use crate::kinds::HostedZoneAssociation;
use crate::lower::{LIFETIMES, native};

/// Translates AWS-specific settings of a specification to [`extensions`] of the tasks.
///
/// ```
/// use kops_aws::AwsDialect;
/// use kops_cluster::cloud::Dialect;
///
/// assert!(AwsDialect.group_fields().contains(&"mixedInstancesPolicy"));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsDialect;

impl Dialect for AwsDialect {
    fn group_fields(&self) -> &[&str] {
        &[
            "capacityRebalance",
            "cpuCredits",
            "detailedInstanceMonitoring",
            "externalLoadBalancers",
            "instanceInterruptionBehavior",
            "instanceMetadata.httpPutResponseHopLimit",
            "instanceMetadata.httpTokens",
            "instanceProtection",
            "maxInstanceLifetime",
            "mixedInstancesPolicy",
            "rootVolume.optimization",
            "suspendProcesses",
            "tenancy",
        ]
    }

    fn cluster_fields(&self) -> &[&str] {
        &[
            "additionalPolicies",
            "api.loadBalancer.accessLog",
            "api.loadBalancer.sslPolicy",
            "externalPolicies",
            "iam.permissionsBoundary",
        ]
    }

    fn instance_group(
        &self,
        _: &Cluster,
        group: &InstanceGroup,
        task: &mut resource::InstanceGroup,
        problems: &mut Problems,
    ) {
        let spec = &group.spec;
        let extension = AwsInstanceGroup {
            mixed: spec.mixed_instances_policy.as_ref().map(|policy| mixed(policy, problems)),
            interruption_behavior: spec.instance_interruption_behavior.clone(),
            tenancy: spec.tenancy.clone(),
            cpu_credits: spec.cpu_credits.clone(),
            ebs_optimized: spec
                .root_volume
                .as_ref()
                .and_then(|volume| volume.optimization)
                .unwrap_or_default(),
            capacity_rebalance: spec.capacity_rebalance.unwrap_or_default(),
            instance_protection: spec.instance_protection.unwrap_or_default(),
            suspended_processes: spec.suspend_processes.iter().cloned().collect(),
            max_instance_lifetime: lifetime(group, problems),
            target_groups: target_groups(group, problems),
            ..AwsInstanceGroup::default()
        };
        extend(&mut task.extensions, &extension, problems);
    }

    fn pins_addresses(&self) -> bool {
        true
    }

    fn load_balancer(
        &self,
        cluster: &Cluster,
        purpose: Purpose,
        task: &mut LoadBalancer,
        problems: &mut Problems,
    ) {
        let mut extension = AwsLoadBalancer::default();
        match purpose {
            Purpose::Bastion => {
                extension
                    .target_group_names
                    .extend(task.listeners.iter().map(|it| (it.port, "bastion".to_owned())));
            }
            Purpose::Api => api(cluster, task, &mut extension, problems),
        }
        extend(&mut task.extensions, &extension, problems);
    }

    fn private_zone(
        &self,
        zone: &Handle<DnsZone>,
        network: &Handle<Network>,
        graph: &mut GraphBuilder,
    ) -> Option<Key> {
        let association = HostedZoneAssociation { zone: native(zone.id()), vpc: native(network.id()) };
        Some(graph.add(network.key().name(), association).key().clone())
    }

    fn identity(&self, cluster: &Cluster, role: MachineRole, task: &mut Identity, problems: &mut Problems) {
        let spec = &cluster.spec;
        let names: &[&str] = match role {
            // kOps has used both names.
            MachineRole::ControlPlane => &["control-plane", "master"],
            MachineRole::Node => &["node"],
            MachineRole::Bastion => &["bastion"],
        };
        let iam = spec.iam.as_ref();
        let extension = AwsIdentity {
            additional_policy: names.iter().find_map(|name| additional_policy(cluster, name, problems)),
            policy_arns: names
                .iter()
                .filter_map(|name| spec.external_policies.get(*name))
                .flatten()
                .cloned()
                .collect(),
            permissions_boundary: iam.and_then(|iam| iam.permissions_boundary.clone()),
            dns_zones: dns_zone(cluster)
                .filter(|_| role == MachineRole::ControlPlane)
                .iter()
                .map(Handle::id)
                .collect(),
            container_registry: role != MachineRole::Bastion
                && iam.and_then(|iam| iam.allow_container_registry).unwrap_or_default(),
            registry_caches: role != MachineRole::Bastion
                && is_set(spec.containerd.as_ref(), "useECRCredentialsForMirrors", &true.into()),
            network_interfaces: attaches_interfaces(cluster, role),
            source_dest_check: role == MachineRole::Node && sends_packets_of_pods(cluster),
        };
        extend(&mut task.extensions, &extension, problems);
    }
}

/// Whether a setting in a part of a specification has a value.
fn is_set(part: Option<&Opaque>, field: &str, value: &serde_json::Value) -> bool {
    part.and_then(|part| part.0.get(field)) == Some(value)
}

/// Whether the network plugin attaches interfaces from machines of the role: Cilium's operator runs on the control
/// plane, Amazon's plugin on every machine.
fn attaches_interfaces(cluster: &Cluster, role: MachineRole) -> bool {
    let networking = &cluster.spec.networking;
    let cilium = is_set(networking.cilium.as_ref(), "ipam", &"eni".into());
    match role {
        MachineRole::ControlPlane => cilium || networking.amazonvpc.is_some(),
        MachineRole::Node => networking.amazonvpc.is_some(),
        MachineRole::Bastion => false,
    }
}

/// Whether the network plugin has no tunnels between machines, or not within a subnet.
fn sends_packets_of_pods(cluster: &Cluster) -> bool {
    let networking = &cluster.spec.networking;
    networking.kindnet.is_some()
        || networking.kuberouter.is_some()
        || is_set(networking.calico.as_ref(), "awsSrcDstCheck", &"Disable".into())
}

/// The names of target groups, and the other settings of the API's load balancer.
fn api(cluster: &Cluster, task: &LoadBalancer, extension: &mut AwsLoadBalancer, problems: &mut Problems) {
    for listener in &task.listeners {
        let name = match (listener.port, &listener.certificate) {
            (_, Some(_)) => "tls".to_owned(),
            (443 | 8443, None) => "tcp".to_owned(),
            (port, None) => format!("api-{port}"),
        };
        extension.target_group_names.insert(listener.port, name);
    }
    let Some(spec) = &cluster.spec.api.load_balancer else { return };
    extension.ssl_policy.clone_from(&spec.ssl_policy);
    for place in &spec.subnets {
        let (private_ip, allocation) = (place.private_ipv4_address.clone(), place.allocation_id.clone());
        if private_ip.is_some() || allocation.is_some() {
            let subnet = Names::of(cluster.name()).scoped(&place.name);
            extension.addresses.insert(subnet, extensions::PinnedAddress { private_ip, allocation });
        }
    }
    let Some(log) = &spec.access_log else { return };
    let path = Path::of("spec.api.loadBalancer.accessLog");
    if log.interval.is_some() {
        problems.error(path.key("interval"), "a network load balancer has no interval", "remove it");
    }
    match &log.bucket {
        Some(bucket) if !bucket.is_empty() => {
            let prefix = log.bucket_prefix.clone().unwrap_or_default();
            extension.access_log = Some(extensions::AccessLog { bucket: bucket.clone(), prefix });
        }
        _ => problems.error(path.key("bucket"), "is required", "specify the bucket of the log"),
    }
}

fn additional_policy(cluster: &Cluster, role: &str, problems: &mut Problems) -> Option<Policy> {
    let text = cluster.spec.additional_policies.get(role)?;
    // kOps accepts the bare statements.
    let policy = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(statements @ serde_json::Value::Array(_)) => Policy::of_statements(&statements),
        _ => Policy::parse(text),
    };
    match policy {
        Ok(policy) => Some(policy),
        Err(error) => {
            let path = Path::of("spec.additionalPolicies").key(role);
            problems.error(path, error.message(), "use a JSON list of statements");
            None
        }
    }
}

fn lifetime(group: &InstanceGroup, problems: &mut Problems) -> Option<u32> {
    let lifetime = group.spec.max_instance_lifetime.as_ref()?.to_std();
    // In kOps, zero means that there is no limit.
    if lifetime.is_zero() {
        return None;
    }
    let seconds = u32::try_from(lifetime.as_secs()).ok().filter(|seconds| LIFETIMES.contains(seconds));
    if seconds.is_none() {
        problems.error(
            Path::of("spec.maxInstanceLifetime"),
            "AWS limits the life of machines to between a day and a year",
            "use 24h to 8760h, or 0 for no limit",
        );
    }
    seconds
}

fn target_groups(group: &InstanceGroup, problems: &mut Problems) -> BTreeSet<String> {
    let path = Path::of("spec.externalLoadBalancers");
    let mut arns = BTreeSet::new();
    for (at, balancer) in group.spec.external_load_balancers.iter().enumerate() {
        match (&balancer.target_group_arn, &balancer.load_balancer_name) {
            (Some(arn), None) => drop(arns.insert(arn.clone())),
            _ => problems.error(
                path.index(at),
                "classic load balancers are not supported",
                "use targetGroupARN instead of loadBalancerName",
            ),
        }
    }
    arns
}

fn mixed(policy: &MixedInstancesPolicy, problems: &mut Problems) -> MixedInstances {
    let path = Path::of("spec.mixedInstancesPolicy");
    let mut number = |value: Option<i64>, field: &str| {
        let value = value?;
        let number = u32::try_from(value).ok();
        if number.is_none() {
            problems.error(path.key(field), format!("{value} must not be negative"), "use 0 or more");
        }
        number
    };
    let (base, above, pools) = (
        number(policy.on_demand_base, "onDemandBase"),
        number(policy.on_demand_above_base, "onDemandAboveBase"),
        number(policy.spot_instance_pools, "spotInstancePools"),
    );
    MixedInstances {
        machine_types: policy.instances.clone(),
        requirements: policy.instance_requirements.as_ref().map(|it| requirements(it, &path, problems)),
        on_demand_strategy: policy.on_demand_allocation_strategy.clone(),
        on_demand_base: base,
        on_demand_above_base: above,
        spot_strategy: policy.spot_allocation_strategy.clone(),
        spot_pools: pools,
    }
}

fn requirements(
    required: &InstanceRequirements,
    path: &Path,
    problems: &mut Problems,
) -> extensions::InstanceRequirements {
    let path = path.key("instanceRequirements");
    let (min_cpus, max_cpus) = bounds(required.cpu.as_ref(), &path.key("cpu"), quantity::count, problems);
    let (min_memory, max_memory) =
        bounds(required.memory.as_ref(), &path.key("memory"), quantity::mebibytes, problems);
    extensions::InstanceRequirements {
        min_cpus,
        max_cpus,
        min_memory,
        max_memory,
        excluded: required.excluded_instance_types.iter().cloned().collect(),
    }
}

fn bounds(
    bounds: Option<&MinMax>,
    path: &Path,
    read: fn(&serde_json::Value) -> Option<u32>,
    problems: &mut Problems,
) -> (u32, Option<u32>) {
    let mut bound = |value: Option<&Opaque>, field: &str| {
        let value = value?;
        let number = read(&value.0);
        if number.is_none() {
            problems.error(
                path.key(field),
                format!("{} is not a quantity", value.0),
                "use a quantity such as 2 or 4Gi",
            );
        }
        number
    };
    let Some(bounds) = bounds else { return (0, None) };
    (bound(bounds.min.as_ref(), "min").unwrap_or_default(), bound(bounds.max.as_ref(), "max"))
}
