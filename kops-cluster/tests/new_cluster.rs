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
    NewCluster {
        name: "demo.example.com".to_owned(),
        cloud: "aws".to_owned(),
        zones: zones("us-east-1", "abc"),
        ..NewCluster::default()
    }
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
    let options = NewCluster {
        control_plane_zones: zones("us-east-1", "abc"),
        node_count: Some(4),
        topology: TopologyKind::Private,
        bastion: true,
        dns: DnsType::Public,
        dns_zone: Some("example.com".to_owned()),
        api_load_balancer: Some(LoadBalancerType::Internal),
        admin_access: vec!["192.0.2.0/24".to_owned()],
        kubernetes_version: Some("1.34.2".to_owned()),
        config_base: Some("s3://kops-state/demo.example.com".to_owned()),
        ..options()
    };
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
    let (cluster, groups) = new_cluster(&NewCluster { zones: zones("us-east-1", "a"), ..options() }).unwrap();
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
    let options = NewCluster { zones: zones("us-east-1", "ab"), control_plane_count: Some(5), ..options() };
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
    let (cluster, _) = new_cluster(&NewCluster { dns: DnsType::Public, ..options() }).unwrap();
    assert!(cluster.spec.api.dns.is_some() && cluster.spec.api.load_balancer.is_none());
    assert_eq!(cluster.spec.api.public_name.as_deref(), Some("api.demo.example.com"));
}

#[test]
fn existing_networks_are_used() {
    let options = NewCluster {
        topology: TopologyKind::Private,
        network_id: Some("vpc-1".to_owned()),
        network_cidr: Some("10.0.0.0/16".to_owned()),
        subnets: ["subnet-a", "subnet-b", "subnet-c"].map(str::to_owned).to_vec(),
        utility_subnets: ["subnet-ua", "subnet-ub", "subnet-uc"].map(str::to_owned).to_vec(),
        ..options()
    };
    let (cluster, _) = new_cluster(&options).unwrap();
    let ids: Vec<_> =
        cluster.spec.networking.subnets.iter().map(|subnet| subnet.id.as_deref().unwrap()).collect();
    assert_eq!(ids, ["subnet-a", "subnet-b", "subnet-c", "subnet-ua", "subnet-ub", "subnet-uc"]);
    assert!(cluster.spec.networking.subnets.iter().all(|subnet| subnet.cidr.is_none()));
    expect(
        &NewCluster { network_id: None, ..options.clone() },
        "network-id: existing subnets require an existing network",
    );
    expect(
        &NewCluster { subnets: vec!["subnet-a".to_owned()], ..options },
        "subnets: there are 1 subnets for 3 zones or regions (specify one for each of us-east-1a, us-east-1b, us-east-1c, in this order)",
    );
}

#[test]
fn other_clouds_have_their_own_ways() {
    let options = NewCluster {
        cloud: "gce".to_owned(),
        zones: ["us-central1-a", "us-central1-b"].map(str::to_owned).to_vec(),
        project: Some("example".to_owned()),
        image: Some("ubuntu-os-cloud/ubuntu-2404-noble-amd64".to_owned()),
        topology: TopologyKind::Private,
        ..options()
    };
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
        let options = NewCluster {
            cloud: cloud.to_owned(),
            image: Some("ubuntu-24.04".to_owned()),
            control_plane_size: Some("m1.large".to_owned()),
            node_size: Some("m1.large".to_owned()),
            ..self::options()
        };
        let (cluster, groups) = new_cluster(&options).unwrap();
        assert_eq!(cluster.spec.cloud_provider.as_ref().unwrap().name(), cloud);
        assert_eq!(groups.len(), 4);
    }
}

#[test]
fn machines_are_as_they_are_wanted() {
    let options = NewCluster {
        node_size: Some("m7i.large".to_owned()),
        node_image: Some("ami-nodes".to_owned()),
        node_volume_size: Some(200),
        node_security_groups: vec!["sg-nodes".to_owned()],
        control_plane_size: Some("t3.large".to_owned()),
        control_plane_volume_size: Some(80),
        control_plane_security_groups: vec!["sg-control".to_owned()],
        image: Some("ami-all".to_owned()),
        encrypt_etcd_storage: Some(false),
        etcd_storage_type: Some("io2".to_owned()),
        networking: "calico".to_owned(),
        ..options()
    };
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
    let found = problems(&NewCluster {
        name: "Demo".to_owned(),
        cloud: "aws2".to_owned(),
        zones: vec![],
        control_plane_count: Some(2),
        kubernetes_version: Some("latest".to_owned()),
        bastion: true,
        networking: "celium".to_owned(),
        network_cidr: Some("10.0.0.0".to_owned()),
        additional_network_cidrs: vec!["10.1.0.0/16".to_owned(), "x".to_owned()],
        admin_access: vec!["home".to_owned()],
        ssh_access: vec!["192.0.2.0/24".to_owned(), "work".to_owned()],
        utility_subnets: vec!["subnet-1".to_owned()],
        etcd_clusters: vec!["main".to_owned(), "main".to_owned()],
        ..NewCluster::default()
    });
    let expected = [
        "name: \"Demo\" is not a DNS name",
        "kubernetes-version: \"latest\" is not a version",
        "cloud: \"aws2\" is not supported (use one of aws, gce, azure, openstack, memory)",
        "zones: is required",
        "bastion: machines with public addresses need no bastion",
        "utility-subnets: a public topology has no utility subnets",
        "admin-access[0]: \"home\" is not a CIDR",
        "ssh-access[1]: \"work\" is not a CIDR",
        "network-cidr: \"10.0.0.0\" is not a CIDR",
        "additional-network-cidrs[1]: \"x\" is not a CIDR",
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
    expect(&NewCluster { cloud: String::new(), ..options() }, "cloud: is required");
    expect(&NewCluster { cloud: "hetzner".to_owned(), ..options() }, "cloud: \"hetzner\" is not supported");
    expect(
        &NewCluster { zones: zones("us-east-1", "aba"), ..options() },
        "zones[2]: us-east-1a is listed twice",
    );
    expect(
        &NewCluster { control_plane_count: Some(0), ..options() },
        "control-plane-count: a cluster needs a control plane",
    );
    expect(&NewCluster { control_plane_count: Some(11), ..options() }, "control-plane-count: 11 is too many");
    expect(&NewCluster { node_count: Some(u32::MAX), ..options() }, "node-count: is too large");
    expect(&NewCluster { etcd_clusters: vec![], ..options() }, "etcd-clusters: at least one is required");
    expect(
        &NewCluster { control_plane_zones: zones("us-east-1", "ab"), ..options() },
        "control-plane-zones: 2 control-plane machines tolerate no more",
    );
    expect(
        &NewCluster {
            control_plane_zones: zones("us-east-1", "abc"),
            control_plane_count: Some(1),
            ..options()
        },
        "control-plane-count: 1 machines cannot be distributed over 3 zones",
    );
    // What only shows in the result speaks of its fields.
    expect(
        &NewCluster { zones: vec!["nowhere".to_owned()], ..options() },
        "Cluster/demo.example.com: spec.subnets[0].zone: \"nowhere\" is not the name of a zone",
    );
    expect(
        &NewCluster { network_cidr: Some("10.0.0.0/27".to_owned()), ..options() },
        "Cluster/demo.example.com: spec.subnets[0].cidr: 10.0.0.0/27 has no room",
    );
}
