//! Filling in the defaults of a specification.

use ipnet::IpNet;

use super::subnets::assign_cidrs_beside;
use super::{
    CHANNEL, CloudDefaults, ETCD_VOLUME_SIZE, KUBERNETES_VERSION, NON_MASQUERADE_CIDR, VolumeLimits,
};
use crate::spec::types::{
    ApiDns, ApiLoadBalancer, Cluster, ClusterSpec, DnsType, EtcdCluster, InstanceGroup,
    InstanceMetadataOptions, LoadBalancerType, Manager, Networking, Role, SubnetType, Topology, UpdatePolicy,
};

/// Fills in everything that a specification leaves open.
///
/// A pure and idempotent function that never fails; what cannot be filled in (CIDRs in a network without
/// room, an image on a cloud without a default one) stays open, and [`validate`](crate::spec::validate())
/// reports it.
///
/// Access to machines and to the API is never filled in: an empty list allows nobody.
pub fn populate(cluster: &Cluster, groups: &[InstanceGroup]) -> (Cluster, Vec<InstanceGroup>) {
    let mut cluster = cluster.clone();
    let cloud = CloudDefaults::of(cluster.spec.cloud_provider.as_ref());
    populate_cluster(&mut cluster, cloud);
    let groups = groups.iter().map(|group| populate_group(group, &cluster.spec, cloud)).collect();
    (cluster, groups)
}

fn populate_cluster(cluster: &mut Cluster, cloud: &CloudDefaults) {
    let spec = &mut cluster.spec;
    spec.channel.get_or_insert_with(|| CHANNEL.to_owned());
    let kubernetes = spec.kubernetes_version.get_or_insert_with(|| KUBERNETES_VERSION.to_owned()).clone();
    spec.cluster_dns_domain.get_or_insert_with(|| "cluster.local".to_owned());
    spec.update_policy.get_or_insert(UpdatePolicy::Automatic);
    spec.iam.get_or_insert_default().legacy.get_or_insert(false);
    populate_network(&mut spec.networking, cloud);
    populate_api(cluster, cloud);
    for etcd in &mut cluster.spec.etcd_clusters {
        populate_etcd(etcd, &kubernetes, cloud);
    }
}

fn populate_network(networking: &mut Networking, cloud: &CloudDefaults) {
    if networking.network_id.is_none() && networking.network_cidr.is_none() {
        networking.network_cidr = parsed(cloud.network_cidr);
    }
    for subnet in &mut networking.subnets {
        subnet.r#type.get_or_insert(SubnetType::Public);
        if let Some(zone) = &subnet.zone
            && subnet.region.is_none()
            && cloud.regional_subnets
        {
            subnet.region = (cloud.region_of)(zone);
        }
    }
    let topology = networking.topology.get_or_insert_with(Topology::default);
    topology.dns.get_or_insert(DnsType::Public);
    let all = networking.non_masquerade_cidr.or_else(|| parsed(Some(NON_MASQUERADE_CIDR)));
    networking.non_masquerade_cidr = all;
    if let Some(IpNet::V4(all)) = all {
        // Services get the first eighth, pods the second half: 100.64.0.0/13 and 100.96.0.0/11 by default.
        let part = |bits: u8, at: usize| {
            let prefix = all.prefix_len().checked_add(bits)?;
            all.trunc().subnets(prefix).ok()?.nth(at).map(IpNet::V4)
        };
        networking.service_cluster_ip_range = networking.service_cluster_ip_range.or_else(|| part(3, 0));
        networking.pod_cidr = networking.pod_cidr.or_else(|| part(1, 1));
    }
    let pool = networking
        .network_cidr
        .or_else(|| if networking.network_id.is_none() { parsed(cloud.subnet_pool) } else { None });
    if let Some(pool) = pool {
        // Services may lie in the network, but in no subnet.
        let services: Vec<IpNet> = networking.service_cluster_ip_range.into_iter().collect();
        assign_cidrs_beside(pool, &services, &mut networking.subnets, cloud.longest_subnet_prefix);
    }
}

fn populate_api(cluster: &mut Cluster, cloud: &CloudDefaults) {
    let (dns, name) = (cluster.dns_type(), cluster.name().to_owned());
    let spec = &mut cluster.spec;
    let private = spec.networking.subnets.iter().any(|subnet| subnet.r#type == Some(SubnetType::Private));
    let api = &mut spec.api;
    if api.dns.is_none() && api.load_balancer.is_none() {
        if private || dns == DnsType::None {
            api.load_balancer = Some(ApiLoadBalancer::default());
        } else {
            api.dns = Some(ApiDns::default());
        }
    }
    if let Some(balancer) = &mut api.load_balancer {
        balancer.r#type.get_or_insert(LoadBalancerType::Public);
        balancer.class = balancer.class.or(cloud.load_balancer_class);
    }
    if dns != DnsType::None && !name.is_empty() {
        api.public_name.get_or_insert_with(|| format!("api.{name}"));
    }
}

fn populate_etcd(etcd: &mut EtcdCluster, kubernetes: &str, cloud: &CloudDefaults) {
    if etcd.version.is_none() {
        etcd.version = etcd_version(kubernetes).map(str::to_owned);
    }
    for member in &mut etcd.members {
        member.volume_size.get_or_insert(ETCD_VOLUME_SIZE);
        if member.volume_type.is_none() {
            member.volume_type = cloud.volume_type.map(str::to_owned);
        }
        if let Some((iops, throughput)) = cloud.volume_performance
            && member.volume_type.as_deref() == cloud.volume_type
        {
            member.volume_iops.get_or_insert(iops);
            member.volume_throughput.get_or_insert(throughput);
        }
        populate_iops(member.volume_type.as_deref(), &mut member.volume_iops, cloud);
    }
}

fn populate_group(group: &InstanceGroup, cluster: &ClusterSpec, cloud: &CloudDefaults) -> InstanceGroup {
    let mut group = group.clone();
    let role = group.role();
    let spec = &mut group.spec;
    spec.role = Some(role);
    spec.manager.get_or_insert(Manager::CloudGroup);
    if spec.machine_type.is_none() {
        spec.machine_type = cloud.machine_type(role).map(str::to_owned);
    }
    if spec.image.is_none() {
        let machine_type = spec.machine_type.as_deref().unwrap_or_default();
        spec.image = cloud.image.map(|image| image(machine_type).to_owned());
    }
    // Two nodes survive the loss of one; groups of other roles have one machine.
    let usual = if role == Role::Node { 2 } else { 1 };
    let min = *spec.min_size.get_or_insert_with(|| spec.max_size.map_or(usual, |max| max.min(usual)));
    spec.max_size.get_or_insert(min.max(usual));
    if spec.subnets.is_empty() {
        let fits = |r#type| r#type != Some(SubnetType::Utility);
        spec.subnets =
            cluster.networking.subnets.iter().filter(|s| fits(s.r#type)).map(|s| s.name.clone()).collect();
    }
    let volume = spec.root_volume.get_or_insert_default();
    volume.size.get_or_insert_with(|| root_volume_size(role));
    if volume.r#type.is_none() {
        volume.r#type = cloud.volume_type.map(str::to_owned);
    }
    if let Some((iops, throughput)) = cloud.volume_performance
        && volume.r#type.as_deref() == cloud.volume_type
    {
        volume.iops.get_or_insert(iops);
        volume.throughput.get_or_insert(throughput);
    }
    populate_iops(volume.r#type.as_deref(), &mut volume.iops, cloud);
    if cloud.encrypt_volumes {
        volume.encryption.get_or_insert(true);
    }
    for volume in &mut spec.volumes {
        populate_iops(volume.r#type.as_deref(), &mut volume.iops, cloud);
    }
    if cloud.metadata_tokens {
        let metadata = spec.instance_metadata.get_or_insert_with(InstanceMetadataOptions::default);
        metadata.http_tokens.get_or_insert_with(|| "required".to_owned());
        metadata.http_put_response_hop_limit.get_or_insert(1);
    }
    group
}

/// Fills in the operations per second of a volume whose type has to be told them.
fn populate_iops<N: TryFrom<i64>>(r#type: Option<&str>, iops: &mut Option<N>, cloud: &CloudDefaults) {
    let least = r#type.and_then(|r#type| VolumeLimits::least_iops(cloud.name, r#type));
    if iops.is_none() {
        *iops = least.and_then(|least| N::try_from(least).ok());
    }
}

/// The default size of the root volume for a role's machines, in GiB.
pub fn root_volume_size(role: Role) -> i32 {
    match role {
        Role::Bastion => 32,
        Role::Node => 128,
        Role::ControlPlane | Role::ApiServer | Role::Etcd | Role::Scheduler | Role::KubeControllerManager => {
            64
        }
    }
}

/// The etcd version for a Kubernetes version.
pub fn etcd_version(kubernetes: &str) -> Option<&'static str> {
    let version = semver::Version::parse(kubernetes.strip_prefix('v').unwrap_or(kubernetes)).ok()?;
    Some(match (version.major, version.minor) {
        (..=1, ..34) => "3.5.31",
        (..=1, ..37) => "3.6.12",
        _ => "3.7.0",
    })
}

fn parsed(cidr: Option<&str>) -> Option<IpNet> {
    cidr.and_then(|cidr| cidr.parse().ok())
}
