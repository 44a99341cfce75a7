//! New clusters from options: what `kops create cluster` would write.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use kops_cluster::{
    AnyObject, DnsType, InstanceGroup, LoadBalancerType, NewCluster, Role, TopologyKind, new_cluster,
    validate, write_manifest,
};

fn zones(region: &str, letters: &str) -> Vec<String> {
    letters.chars().map(|letter| format!("{region}{letter}")).collect()
}

fn options() -> NewCluster {
    NewCluster::new("demo.example.com", "aws").zones(zones("us-east-1", "abc"))
}

fn with(change: impl FnOnce(&mut NewCluster)) -> NewCluster {
    let mut new = options();
    change(&mut new);
    new
}

fn problems(options: &NewCluster) -> Vec<String> {
    new_cluster(options).unwrap_err().errors().map(ToString::to_string).collect()
}

#[track_caller]
fn expect(options: &NewCluster, expected: &str) {
    let found = problems(options);
    assert!(found.iter().any(|problem| problem.starts_with(expected)), "{expected}\nin {found:#?}");
}

#[test]
fn a_private_cluster_is_as_kops_makes_it() {
    let options = with(|new| {
        new.control_plane_zones = zones("us-east-1", "abc");
        new.node_count = Some(4);
        new.topology = TopologyKind::Private;
        new.bastion = true;
        new.dns = DnsType::Public;
        new.dns_zone = Some("example.com".to_owned());
        new.api_load_balancer = Some(LoadBalancerType::Internal);
        new.admin_access = vec!["192.0.2.0/24".to_owned()];
        new.kubernetes_version = Some("1.34.2".to_owned());
        new.config_base = Some("s3://kops-state/demo.example.com".to_owned());
    });
    let (cluster, groups) = new_cluster(&options).unwrap();
    assert!(validate(&cluster, &groups).is_empty());
    let objects: Vec<AnyObject> =
        std::iter::once(AnyObject::from(cluster)).chain(groups.into_iter().map(AnyObject::from)).collect();
    let written = write_manifest(&objects).unwrap();
    let expected = include_str!("cluster/new-private.yaml");
    let values = |text: &str| serde_saphyr::from_multiple::<serde_json::Value>(text).unwrap();
    assert_eq!(values(&written), values(expected), "{written}");
}

#[test]
fn the_smallest_cluster() {
    let (cluster, groups) = new_cluster(&with(|new| new.zones = zones("us-east-1", "a"))).unwrap();
    let subnet = &cluster.spec.networking.subnets[0];
    assert_eq!(subnet.cidr, Some("172.20.0.0/16".parse().unwrap()));
    assert_eq!(cluster.spec.networking.dns_type(), DnsType::None);
    assert!(cluster.spec.api.load_balancer.is_some() && cluster.spec.api.public_name.is_none());
    let names: Vec<_> =
        groups.iter().map(|group| (group.name(), group.role(), group.spec.max_size)).collect();
    assert_eq!(
        names,
        [
            ("control-plane-us-east-1a", Role::ControlPlane, Some(1)),
            ("nodes-us-east-1a", Role::Node, Some(1))
        ]
    );
    assert_eq!(cluster.spec.etcd_clusters[0].members[0].name, "a");
}

#[test]
fn several_control_plane_machines_to_a_zone_have_numbers() {
    let options = with(|new| {
        new.zones = zones("us-east-1", "ab");
        new.control_plane_count = Some(5);
    });
    let (cluster, groups) = new_cluster(&options).unwrap();
    let names: Vec<_> =
        groups.iter().filter(|group| group.is_control_plane()).map(InstanceGroup::name).collect();
    assert_eq!(
        names,
        [
            "control-plane-us-east-1a-1",
            "control-plane-us-east-1b-1",
            "control-plane-us-east-1a-2",
            "control-plane-us-east-1b-2",
            "control-plane-us-east-1a-3"
        ]
    );
    let members: Vec<_> =
        cluster.spec.etcd_clusters[0].members.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(members, ["a-1", "b-1", "a-2", "b-2", "a-3"]);
}

#[test]
fn the_api_is_found_by_dns_where_it_can_be() {
    let (cluster, _) = new_cluster(&with(|new| new.dns = DnsType::Public)).unwrap();
    assert!(cluster.spec.api.dns.is_some() && cluster.spec.api.load_balancer.is_none());
    assert_eq!(cluster.spec.api.public_name.as_deref(), Some("api.demo.example.com"));
}

#[test]
fn existing_networks_are_used() {
    let options = with(|new| {
        new.topology = TopologyKind::Private;
        new.network_id = Some("vpc-1".to_owned());
        new.network_cidr = "10.0.0.0/16".parse().ok();
        new.subnets = ["subnet-a", "subnet-b", "subnet-c"].map(str::to_owned).to_vec();
        new.utility_subnets = ["subnet-ua", "subnet-ub", "subnet-uc"].map(str::to_owned).to_vec();
    });
    let (cluster, _) = new_cluster(&options).unwrap();
    let ids: Vec<_> =
        cluster.spec.networking.subnets.iter().map(|subnet| subnet.id.as_deref().unwrap()).collect();
    assert_eq!(ids, ["subnet-a", "subnet-b", "subnet-c", "subnet-ua", "subnet-ub", "subnet-uc"]);
    assert!(cluster.spec.networking.subnets.iter().all(|subnet| subnet.cidr.is_none()));
    let mut nowhere = options.clone();
    nowhere.network_id = None;
    expect(&nowhere, "network-id: existing subnets require an existing network");
    let mut too_few = options;
    too_few.subnets.truncate(1);
    expect(
        &too_few,
        "subnets: there are 1 subnets for 3 zones or regions (specify one for each of us-east-1a, us-east-1b, us-east-1c, in this order)",
    );
}

#[test]
fn other_clouds_have_their_own_ways() {
    let options = with(|new| {
        new.cloud = "gce".to_owned();
        new.zones = ["us-central1-a", "us-central1-b"].map(str::to_owned).to_vec();
        new.project = Some("example".to_owned());
        new.image = Some("ubuntu-os-cloud/ubuntu-2404-noble-amd64".to_owned());
        new.topology = TopologyKind::Private;
    });
    let (cluster, groups) = new_cluster(&options).unwrap();
    let subnets = &cluster.spec.networking.subnets;
    assert_eq!(subnets.len(), 1, "one to a region, and no utility subnets");
    assert_eq!((subnets[0].region.as_deref(), subnets[0].zone.as_deref()), (Some("us-central1"), None));
    assert_eq!(subnets[0].cidr, Some("10.0.16.0/20".parse().unwrap()));
    assert_eq!(groups[1].spec.zones, ["us-central1-a"]);
    assert_eq!(groups[1].spec.subnets, ["us-central1"]);
    assert_eq!(
        cluster.spec.cloud_provider.as_ref().unwrap().gce().unwrap().project.as_deref(),
        Some("example")
    );

    for cloud in ["memory", "openstack"] {
        let options = with(|new| {
            new.cloud = cloud.to_owned();
            new.image = Some("ubuntu-24.04".to_owned());
            new.control_plane_size = Some("m1.large".to_owned());
            new.node_size = Some("m1.large".to_owned());
        });
        let (cluster, groups) = new_cluster(&options).unwrap();
        assert_eq!(cluster.spec.cloud_provider.as_ref().unwrap().name(), cloud);
        assert_eq!(groups.len(), 4);
    }
}

#[test]
fn machines_are_as_they_are_wanted() {
    let options = with(|new| {
        new.node_size = Some("m7i.large".to_owned());
        new.node_image = Some("ami-nodes".to_owned());
        new.node_volume_size = Some(200);
        new.node_security_groups = vec!["sg-nodes".to_owned()];
        new.control_plane_size = Some("t3.large".to_owned());
        new.control_plane_volume_size = Some(80);
        new.control_plane_security_groups = vec!["sg-control".to_owned()];
        new.image = Some("ami-all".to_owned());
        new.encrypt_etcd_storage = Some(false);
        new.etcd_storage_type = Some("io2".to_owned());
        new.networking = "calico".to_owned();
    });
    let (cluster, groups) = new_cluster(&options).unwrap();
    let (control_plane, nodes) = (&groups[0].spec, &groups[1].spec);
    assert_eq!(nodes.machine_type.as_deref(), Some("m7i.large"));
    assert_eq!(
        (nodes.image.as_deref(), control_plane.image.as_deref()),
        (Some("ami-nodes"), Some("ami-all"))
    );
    assert_eq!(nodes.root_volume.as_ref().unwrap().size, Some(200));
    assert_eq!(nodes.additional_security_groups, ["sg-nodes"]);
    assert_eq!(control_plane.machine_type.as_deref(), Some("t3.large"));
    assert_eq!(control_plane.additional_security_groups, ["sg-control"]);
    let member = &cluster.spec.etcd_clusters[1].members[0];
    assert_eq!((member.encrypted_volume, member.volume_type.as_deref()), (Some(false), Some("io2")));
    assert!(cluster.spec.networking.calico.is_some() && cluster.spec.kube_proxy.is_none());
}

#[test]
fn every_wrong_option_is_told_at_once() {
    let found = problems(
        &NewCluster::new("Demo", "aws2")
            .control_plane_count(2)
            .kubernetes_version("latest")
            .bastion(true)
            .networking("celium")
            .admin_access(["home"])
            .ssh_access(["192.0.2.0/24", "work"])
            .utility_subnets(["subnet-1"])
            .etcd_clusters(["main", "main"]),
    );
    let expected = [
        "name: \"Demo\" is not a DNS name",
        "kubernetes-version: \"latest\" is not a version",
        "cloud: \"aws2\" is not supported (use one of aws, gce, azure, openstack, memory)",
        "zones: is required",
        "bastion: machines with public addresses need no bastion",
        "utility-subnets: a public topology has no utility subnets",
        "admin-access[0]: \"home\" is not a CIDR",
        "ssh-access[1]: \"work\" is not a CIDR",
        "networking: unknown network plugin \"celium\" (did you mean cilium?",
        "control-plane-count: 2 control-plane machines tolerate no more failures than 1",
        "etcd-clusters[1]: main is listed twice",
    ];
    for expected in expected {
        assert!(found.iter().any(|problem| problem.starts_with(expected)), "{expected}\nin {found:#?}");
    }
}

#[test]
fn each_wrong_option_is_told() {
    expect(&with(|new| new.cloud = String::new()), "cloud: is required");
    expect(&with(|new| new.cloud = "hetzner".to_owned()), "cloud: \"hetzner\" is not supported");
    expect(&with(|new| new.zones = zones("us-east-1", "aba")), "zones[2]: us-east-1a is listed twice");
    expect(
        &with(|new| new.control_plane_count = Some(0)),
        "control-plane-count: a cluster needs a control plane",
    );
    expect(&with(|new| new.control_plane_count = Some(11)), "control-plane-count: 11 is too many");
    expect(&with(|new| new.node_count = Some(u32::MAX)), "node-count: is too large");
    expect(&with(|new| new.etcd_clusters = vec![]), "etcd-clusters: at least one is required");
    expect(
        &with(|new| new.control_plane_zones = zones("us-east-1", "ab")),
        "control-plane-zones: 2 control-plane machines tolerate no more",
    );
    expect(
        &with(|new| {
            new.control_plane_zones = zones("us-east-1", "abc");
            new.control_plane_count = Some(1);
        }),
        "control-plane-count: 1 machines cannot be distributed over 3 zones",
    );
    // What only shows in the result speaks of its fields.
    expect(
        &with(|new| new.zones = vec!["nowhere".to_owned()]),
        "Cluster/demo.example.com: spec.subnets[0].zone: \"nowhere\" is not the name of a zone",
    );
    expect(
        &with(|new| new.network_cidr = "10.0.0.0/27".parse().ok()),
        "network-cidr: 10.0.0.0/27 has no room for its 3 subnets (use a network of /26 or larger",
    );
}
