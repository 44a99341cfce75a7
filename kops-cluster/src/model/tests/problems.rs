//! What only the graph shows to be wrong: each with its path and a fix.

use super::support::{errors, ha_private, ha_public, has, regional, zonal};
use crate::spec::{
    AccessSource, DnsType, InstanceGroup, LoadBalancerClass, Manager, Role, SshCredential, SubnetType,
    UserData, VolumeSpec, WarmPool,
};
use kops_core::cloud::Capabilities;

#[test]
fn everything_wrong_is_found_at_once() {
    let mut files = ha_private();
    let spec = &mut files.cluster.spec;
    spec.networking.subnets[0].egress = Some("nat-1".to_owned());
    let mut other = spec.networking.subnets[0].clone();
    other.name = "second".to_owned();
    other.egress = None;
    spec.networking.subnets.push(other);
    spec.networking.subnets[1].ipv6_cidr = Some("/64#1".to_owned());
    spec.networking.subnets[2].cidr = None;
    spec.networking.subnets.remove(5);
    spec.etcd_clusters[1].members[2].instance_group = Some("nowhere".to_owned());
    spec.etcd_clusters[0].members[0].volume_size = Some(-1);
    spec.api.load_balancer.as_mut().unwrap().class = Some(LoadBalancerClass::Classic);
    files.instance_groups[0].spec.image = None;
    files.instance_groups[3].spec.subnets = vec!["elsewhere".to_owned()];
    files.instance_groups[4].spec.tenancy = Some("host".to_owned());
    files.instance_groups[5].spec.warm_pool = Some(WarmPool::default());
    files.instance_groups[5].spec.manager = Some(Manager::Karpenter);
    files.instance_groups.push(InstanceGroup::named("api", Role::ApiServer, "ha.example.com"));
    let errors = errors(&files, zonal());
    for words in [
        ["Cluster/ha.example.com", "spec.subnets[5].egress", "differs", "second"],
        ["Cluster/ha.example.com", "spec.subnets[1].ipv6CIDR", "IPv6", "IPv4"],
        ["Cluster/ha.example.com", "spec.subnets[2].cidr", "required", "CIDR"],
        ["Cluster/ha.example.com", "spec.subnets[2]", "us-test-1c", "Utility"],
        [
            "Cluster/ha.example.com",
            "spec.etcdClusters[1].etcdMembers[2].instanceGroup",
            "nowhere",
            "control-plane-us-test-1a",
        ],
        ["Cluster/ha.example.com", "spec.etcdClusters[0].etcdMembers[0].volumeSize", "size", "20"],
        ["Cluster/ha.example.com", "spec.api.loadBalancer.class", "classic", "Network"],
        ["InstanceGroup/control-plane-us-test-1a", "spec.image", "required", "image"],
        ["InstanceGroup/nodes-us-test-1a", "spec.subnets[0]", "elsewhere", "us-test-1b"],
        ["InstanceGroup/nodes-us-test-1b", "spec.tenancy", "not supported", "remove it"],
        ["InstanceGroup/nodes-us-test-1c", "spec.warmPool", "not supported", "remove it"],
        ["InstanceGroup/nodes-us-test-1c", "spec.manager", "Karpenter", "CloudGroup"],
        ["InstanceGroup/api", "spec.role", "APIServer", "ControlPlane"],
    ] {
        assert!(has(&errors, &words), "{words:?} in {errors:#?}");
    }
}

#[test]
fn what_the_cloud_cannot_do_is_refused() {
    let mut files = ha_private();
    files.cluster.spec.networking.network_id = Some("net".to_owned());
    files.cluster.spec.ssh_access = vec![AccessSource::PrefixList("pl-1".to_owned())];
    files.instance_groups[3].spec.max_price = Some("1".to_owned());
    let errors = errors(&files, Capabilities::new().zonal_subnets(true));
    for words in [
        ["spec.networkID", "existing", "remove"],
        ["spec.sshAccess[0]", "pl-1", "CIDRs"],
        ["spec.topology.dns", "public DNS", "None"],
        ["spec.api.loadBalancer.type", "public load balancers", "DNS"],
        ["InstanceGroup/nodes-us-test-1a: spec.maxPrice", "spot", "remove"],
    ] {
        assert!(has(&errors, &words), "{words:?} in {errors:#?}");
    }
}

#[test]
fn an_api_that_nobody_can_find_is_refused() {
    let mut files = ha_public();
    files.cluster.spec.api.load_balancer = None;
    files.cluster.spec.networking.topology.as_mut().unwrap().dns = Some(DnsType::None);
    assert!(has(&errors(&files, zonal()), &["spec.api", "not reachable", "loadBalancer"]));
}

#[test]
fn a_load_balancer_needs_a_place() {
    let mut files = ha_private();
    for subnet in &mut files.cluster.spec.networking.subnets {
        subnet.r#type = Some(SubnetType::Private);
        subnet.egress = Some("External".to_owned());
    }
    let errors = errors(&files, zonal());
    assert!(has(&errors, &["spec.api.loadBalancer.type", "no public subnet", "Utility"]), "{errors:#?}");
    assert!(has(&errors, &["spec.topology.bastion", "no public subnet", "Utility"]), "{errors:#?}");
}

#[test]
fn a_member_of_etcd_lives_in_one_zone() {
    let mut files = ha_private();
    files.instance_groups[0].spec.subnets.push("us-test-1b".to_owned());
    assert!(has(&errors(&files, zonal()), &["etcdMembers[0].instanceGroup", "one zone", "is in 2"]));
    for subnet in &mut files.cluster.spec.networking.subnets {
        subnet.zone = None;
    }
    assert!(has(&errors(&files, regional()), &["etcdMembers[0].instanceGroup", "is in 0"]));
}

#[test]
fn machines_of_a_group_are_alike() {
    let mut files = ha_private();
    files.instance_groups[3].spec.subnets.push("utility-us-test-1a".to_owned());
    assert!(has(&errors(&files, zonal()), &["nodes-us-test-1a", "spec.subnets", "cannot be mixed"]));
}

#[test]
fn keys_taints_disks_and_user_data_are_checked() {
    let mut files = ha_private();
    files.ssh_keys.push(SshCredential::default());
    let spec = &mut files.instance_groups[3].spec;
    spec.taints = vec!["web".to_owned()];
    let disk = VolumeSpec { device: "/dev/xvdd".to_owned(), size: Some(10), ..VolumeSpec::default() };
    spec.volumes =
        vec![disk.clone(), disk, VolumeSpec { device: "/dev/xvde".to_owned(), ..VolumeSpec::default() }];
    spec.additional_user_data =
        vec![UserData { name: "a\"b".to_owned(), r#type: "text/plain".to_owned(), ..UserData::default() }];
    let errors = errors(&files, zonal());
    for words in [
        ["SSHCredential/admin", "spec.publicKey", "2 SSH keys"],
        ["nodes-us-test-1a", "spec.taints[0]", "key=value"],
        ["nodes-us-test-1a", "spec.volumes[1].device", "twice"],
        ["nodes-us-test-1a", "spec.volumes[2].size", "GiB"],
        ["nodes-us-test-1a", "spec.additionalUserData[0].type", "text/x-shellscript"],
        ["nodes-us-test-1a", "spec.additionalUserData[0].name", "letters"],
    ] {
        assert!(has(&errors, &words), "{words:?} in {errors:#?}");
    }
    files.ssh_keys = vec![SshCredential::default()];
    assert!(has(&super::support::errors(&files, zonal()), &["SSHCredential/", "not a public SSH key"]));
}

#[test]
fn a_cluster_without_control_plane_is_refused() {
    let mut files = ha_private();
    files.instance_groups.retain(|group| !group.is_control_plane());
    assert!(has(&errors(&files, zonal()), &["no instance group of role ControlPlane"]));
}

#[test]
fn two_things_of_one_name_are_refused() {
    let mut files = ha_private();
    let again = files.instance_groups[3].clone();
    files.instance_groups.push(again);
    assert!(has(&errors(&files, zonal()), &["InstanceGroup/nodes-us-test-1a", "two tasks"]));
}
