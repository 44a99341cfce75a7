//! New clusters from options: what `kops create cluster` would write.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use kops_cluster::{
    AnyObject, DnsType, ExistingNetwork, ExistingSubnet, InstanceGroup, LoadBalancerType, NewCluster, Role,
    TopologyKind, new_cluster, validate, write_manifest,
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
    let crowded = with(|new| {
        new.topology = TopologyKind::Private;
        new.network_cidr = "10.0.0.0/26".parse().ok();
    });
    let found = problems(&crowded);
    assert_eq!(found.len(), 1, "once, not for each subnet: {found:#?}");
    assert!(found[0].contains("its 6 subnets (use a network of /25 or larger"), "{found:#?}");
}

#[test]
fn a_small_network_is_divided_as_finely_as_necessary() {
    let options = with(|new| {
        new.topology = TopologyKind::Private;
        new.network_cidr = "192.168.168.0/24".parse().ok();
    });
    let (cluster, _) = new_cluster(&options).unwrap();
    let cidrs: Vec<_> =
        cluster.spec.networking.subnets.iter().filter_map(|subnet| Some(subnet.cidr?.to_string())).collect();
    let expected = [
        "192.168.168.0/26",
        "192.168.168.64/26",
        "192.168.168.128/26",
        "192.168.168.192/28",
        "192.168.168.208/28",
        "192.168.168.224/28",
    ];
    assert_eq!(cidrs, expected);
}

#[test]
fn wavelength_zones_have_regions() {
    let options = with(|new| new.zones = vec!["us-east-1-wl1-bos-wlz-1".to_owned()]);
    let (cluster, _) = new_cluster(&options).unwrap();
    assert_eq!(cluster.region().as_deref(), Some("us-east-1"));
}

#[test]
fn existing_subnets_are_in_the_order_of_the_zones() {
    let options = with(|new| {
        new.topology = TopologyKind::Private;
        new.zones = zones("us-east-1", "ba");
        new.control_plane_zones = zones("us-east-1", "c");
        new.network_id = Some("vpc-1".to_owned());
        new.subnets = ["subnet-b", "subnet-a", "subnet-c"].map(str::to_owned).to_vec();
        new.utility_subnets = ["subnet-ub", "subnet-ua", "subnet-uc"].map(str::to_owned).to_vec();
    });
    let (cluster, _) = new_cluster(&options).unwrap();
    let subnets: Vec<_> = cluster
        .spec
        .networking
        .subnets
        .iter()
        .map(|subnet| (subnet.name.as_str(), subnet.id.as_deref().unwrap()))
        .collect();
    let expected = [
        ("us-east-1a", "subnet-a"),
        ("us-east-1b", "subnet-b"),
        ("us-east-1c", "subnet-c"),
        ("utility-us-east-1a", "subnet-ua"),
        ("utility-us-east-1b", "subnet-ub"),
        ("utility-us-east-1c", "subnet-uc"),
    ];
    assert_eq!(subnets, expected);
}

#[test]
fn new_subnets_of_an_existing_network_have_what_others_leave() {
    let subnet = |id: &str, cidr: &str| ExistingSubnet::new(id, None, cidr.parse().unwrap());
    let existing = ExistingNetwork::new(
        "vpc-1",
        ["10.7.0.0/16", "10.8.0.0/16"].map(|cidr| cidr.parse().unwrap()),
        [subnet("subnet-1", "10.7.0.0/17"), subnet("subnet-2", "10.7.128.0/18")],
    );
    let options = with(|new| {
        new.zones = zones("us-east-1", "ab");
        new.existing_network = Some(existing.clone());
    });
    let (cluster, _) = new_cluster(&options).unwrap();
    let networking = &cluster.spec.networking;
    assert_eq!(networking.network_id.as_deref(), Some("vpc-1"));
    assert_eq!(networking.network_cidr, "10.7.0.0/16".parse().ok());
    let cidrs: Vec<_> = networking.subnets.iter().map(|subnet| subnet.cidr.unwrap().to_string()).collect();
    assert_eq!(cidrs, ["10.7.192.0/19", "10.7.224.0/19"]);
    // A block without room leaves them to the next.
    let full = ExistingNetwork::new(
        "vpc-1",
        existing.cidrs.clone(),
        [subnet("subnet-1", "10.7.0.0/16"), subnet("subnet-2", "10.8.0.0/17")],
    );
    let (cluster, _) = new_cluster(&options.existing_network(full)).unwrap();
    let subnets = &cluster.spec.networking.subnets;
    let cidrs: Vec<_> = subnets.iter().map(|subnet| subnet.cidr.unwrap().to_string()).collect();
    assert_eq!(cidrs, ["10.8.128.0/18", "10.8.192.0/18"]);
}
