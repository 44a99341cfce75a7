//! Every rule of validation: what it says, where, and that it stays silent otherwise.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use kops_cluster::{
    CloudProvider, Cluster, DnsType, InstanceGroup, LoadBalancerClass, LoadBalancerType, NewCluster,
    OpenstackCloud, OpenstackLoadBalancer, Role, SshCredential, SubnetType, TopologyKind, new_cluster,
    populate, set, validate,
};

/// A cluster with everything: three zones, private machines, a bastion, a load balancer.
fn ha() -> (Cluster, Vec<InstanceGroup>) {
    let zones = ["us-east-1a", "us-east-1b", "us-east-1c"].map(str::to_owned).to_vec();
    new_cluster(
        &NewCluster::new("ha.example.com", "aws")
            .control_plane_zones(zones.clone())
            .zones(zones)
            .topology(TopologyKind::Private)
            .bastion(true)
            .dns(DnsType::Public),
    )
    .unwrap()
}

/// The places of the groups in [`ha`].
const CONTROL_PLANE: usize = 0;
const NODES: usize = 3;
const BASTION: usize = 6;

fn problems(cluster: &Cluster, groups: &[InstanceGroup]) -> Vec<String> {
    validate(cluster, groups).iter().map(ToString::to_string).collect()
}

/// Changes a good cluster by `--set` and looks for a problem that begins with `path: message`.
#[track_caller]
fn expect_after_set(settings: &[(&str, &str)], expected: &str) {
    let (mut cluster, groups) = ha();
    for (path, value) in settings {
        set(&mut cluster, path, value).unwrap();
    }
    expect(&cluster, &groups, &format!("Cluster/ha.example.com: {expected}"));
}

#[track_caller]
fn expect_of_group(at: usize, settings: &[(&str, &str)], expected: &str) {
    let (cluster, mut groups) = ha();
    for (path, value) in settings {
        set(&mut groups[at], path, value).unwrap();
    }
    expect(&cluster, &groups, &format!("InstanceGroup/{}: {expected}", groups[at].name()));
}

#[track_caller]
fn expect(cluster: &Cluster, groups: &[InstanceGroup], expected: &str) {
    let found = problems(cluster, groups);
    assert!(found.iter().any(|problem| problem.starts_with(expected)), "{expected}\nin {found:#?}");
    // Every problem says what to do about it.
    assert!(validate(cluster, groups).iter().all(|problem| !problem.fix.is_empty()));
}

#[test]
fn a_good_cluster_has_no_problems() {
    let (cluster, groups) = ha();
    assert_eq!(problems(&cluster, &groups), [""; 0]);
}

#[test]
fn filling_in_twice_changes_nothing() {
    let (cluster, groups) = ha();
    let once = populate(&cluster, &groups);
    assert_eq!(populate(&once.0, &once.1), once);
    assert_eq!(problems(&once.0, &once.1), [""; 0]);
    let bare = populate(&Cluster::named("x.example.com"), &[InstanceGroup::default()]);
    assert_eq!(populate(&bare.0, &bare.1), bare);
}

#[test]
fn what_is_left_open_is_filled_in() {
    let (cluster, mut groups) = ha();
    groups[NODES].spec = kops_cluster::InstanceGroupSpec::default();
    let (cluster, groups) = populate(&cluster, &groups);
    let (networking, etcd) = (&cluster.spec.networking, &cluster.spec.etcd_clusters[0]);
    assert_eq!(networking.service_cluster_ip_range, Some("100.64.0.0/13".parse().unwrap()));
    assert_eq!(networking.pod_cidr, Some("100.96.0.0/11".parse().unwrap()));
    assert_eq!(etcd.version.as_deref(), Some("3.6.12"));
    let member = &etcd.members[0];
    assert_eq!((member.volume_type.as_deref(), member.volume_size), (Some("gp3"), Some(20)));
    assert_eq!((member.volume_iops, member.volume_throughput), (Some(3000), Some(125)));
    let sizes: Vec<_> =
        groups.iter().map(|group| group.spec.root_volume.as_ref().unwrap().size.unwrap()).collect();
    assert_eq!(sizes, [64, 64, 64, 128, 128, 128, 32]);
    let nodes = &groups[NODES].spec;
    assert_eq!((nodes.min_size, nodes.max_size, nodes.role), (Some(2), Some(2), Some(Role::Node)));
    assert_eq!(nodes.machine_type.as_deref(), Some("t3.medium"));
    assert_eq!(nodes.subnets, ["us-east-1a", "us-east-1b", "us-east-1c"]);
    assert_eq!(nodes.instance_metadata.as_ref().unwrap().http_tokens.as_deref(), Some("required"));
}

#[test]
fn nobody_is_let_in_by_default() {
    let (mut cluster, groups) = ha();
    cluster.spec.ssh_access.clear();
    cluster.spec.api.access.clear();
    let (full, _) = populate(&cluster, &groups);
    assert!(full.spec.ssh_access.is_empty() && full.spec.api.access.is_empty());
    expect(
        &cluster,
        &groups,
        "Cluster/ha.example.com: spec.kubernetesApiAccess: the API is not reachable from outside",
    );
}

#[test]
fn names() {
    for (name, why) in [
        ("", "the cluster has no name"),
        ("HA.example.com", "\"HA.example.com\" is not a DNS name"),
        ("ha", "\"ha\" is not a full DNS name"),
        ("ha..com", "\"ha..com\" is not a DNS name"),
        (&format!("{}.com", vec!["a".repeat(60); 4].join(".")), "is too long"),
    ] {
        let (mut cluster, groups) = ha();
        cluster.metadata.name = name.to_owned();
        expect(&cluster, &groups, &format!("Cluster/{name}: metadata.name: {why}"));
    }
    for (name, why) in [("Nodes", "\"Nodes\" is not a name"), ("api", "api is reserved")] {
        let (cluster, mut groups) = ha();
        groups[NODES].metadata.name = name.to_owned();
        expect(&cluster, &groups, &format!("InstanceGroup/{name}: metadata.name: {why}"));
    }
    let (cluster, mut groups) = ha();
    groups.push(groups[NODES].clone());
    expect(
        &cluster,
        &groups,
        "InstanceGroup/nodes-us-east-1a: metadata.name: another group has the same name",
    );
    let (mut cluster, groups) = ha();
    cluster.metadata.name = "other.example.com".to_owned();
    expect(
        &cluster,
        &groups,
        "InstanceGroup/bastions: metadata.labels[\"kops.k8s.io/cluster\"]: the group belongs to cluster ha.example.com",
    );
}

#[test]
fn cloud_and_version() {
    let (mut cluster, groups) = ha();
    cluster.spec.cloud_provider = None;
    expect(&cluster, &groups, "Cluster/ha.example.com: spec.cloudProvider: is required");
    expect_after_set(
        &[("spec.cloudProvider", "hetzner")],
        "spec.cloudProvider: hetzner is not supported (use one of aws",
    );
    for (version, why) in [
        ("1.34", "\"1.34\" is not a version"),
        ("stable", "\"stable\" is not a version"),
        ("1.31.9", "1.31.9 is too old"),
        ("1.38.0", "1.38.0 is newer than the supported versions"),
    ] {
        expect_after_set(&[("spec.kubernetesVersion", version)], &format!("spec.kubernetesVersion: {why}"));
    }
    let (mut cluster, groups) = ha();
    set(&mut cluster, "spec.kubernetesVersion", "v1.35.2").unwrap();
    assert_eq!(problems(&cluster, &groups), [""; 0]);
}

#[test]
fn network_blocks() {
    expect_after_set(
        &[("spec.networkCIDR", "172.20.1.0/16")],
        "spec.networkCIDR: 172.20.1.0/16 has host bits set (use 172.20.0.0/16)",
    );
    expect_after_set(
        &[("spec.networkCIDR", "172.16.0.0/12")],
        "spec.networkCIDR: 172.16.0.0/12 is not between /16 and /28",
    );
    expect_after_set(
        &[("spec.additionalNetworkCIDRs", "10.9.0.0/16,172.20.64.0/18")],
        "spec.additionalNetworkCIDRs[1]: 172.20.64.0/18 overlaps 172.20.0.0/16",
    );
    expect_after_set(
        &[("spec.podCIDR", "172.20.0.0/17")],
        "spec.podCIDR: 172.20.0.0/17 overlaps the network 172.20.0.0/16",
    );
    // Services may lie in the network, but not where a subnet is.
    expect_after_set(
        &[("spec.serviceClusterIPRange", "172.20.64.0/20")],
        "spec.subnets[0].cidr: 172.20.64.0/18 of subnet us-east-1a overlaps 172.20.64.0/20, where services are",
    );
    let (mut cluster, groups) = ha();
    for (path, value) in [
        ("spec.networking.cilium", "{ipam: eni}"),
        ("spec.nonMasqueradeCIDR", "172.20.0.0/16"),
        ("spec.podCIDR", "172.20.0.0/16"),
        ("spec.serviceClusterIPRange", "172.20.32.0/19"),
    ] {
        set(&mut cluster, path, value).unwrap();
    }
    assert!(!validate(&cluster, &groups).has_errors(), "{}", validate(&cluster, &groups));
    expect_after_set(
        &[("spec.nonMasqueradeCIDR", "172.0.0.0/8")],
        "spec.nonMasqueradeCIDR: 172.0.0.0/8 overlaps the network",
    );
    expect_after_set(
        &[("spec.podCIDR", "100.64.0.0/11")],
        "spec.podCIDR: 100.64.0.0/11 overlaps the services' 100.64.0.0/13",
    );
    expect_after_set(
        &[("spec.podCIDR", "10.32.0.0/12")],
        "spec.podCIDR: 10.32.0.0/12 is outside 100.64.0.0/10",
    );
}

#[test]
fn pods_may_live_in_the_network_where_the_plugin_does_that() {
    let (mut cluster, groups) = ha();
    cluster.spec.networking.cilium = None;
    set(&mut cluster, "spec.networking.amazonvpc", "{}").unwrap();
    set(&mut cluster, "spec.nonMasqueradeCIDR", "172.20.0.0/16").unwrap();
    set(&mut cluster, "spec.podCIDR", "172.20.0.0/16").unwrap();
    set(&mut cluster, "spec.serviceClusterIPRange", "100.64.0.0/13").unwrap();
    assert_eq!(problems(&cluster, &groups), [""; 0]);
}

/// What is filled in does not make a specification invalid.
#[test]
fn subnets_are_made_beside_services_in_the_network() {
    let (mut cluster, groups) = ha();
    cluster.spec.networking.cilium = None;
    set(&mut cluster, "spec.networking.amazonvpc", "{}").unwrap();
    set(&mut cluster, "spec.nonMasqueradeCIDR", "172.20.0.0/16").unwrap();
    cluster.spec.networking.subnets.iter_mut().for_each(|subnet| subnet.cidr = None);
    assert_eq!(problems(&cluster, &groups), [""; 0]);
    let (cluster, groups) = populate(&cluster, &groups);
    let networking = &cluster.spec.networking;
    assert_eq!(networking.service_cluster_ip_range, "172.20.0.0/19".parse().ok());
    let cidrs: Vec<_> = networking.subnets.iter().map(|subnet| subnet.cidr.unwrap().to_string()).collect();
    assert_eq!(
        cidrs,
        [
            "172.20.64.0/19",
            "172.20.96.0/19",
            "172.20.128.0/19",
            "172.20.32.0/22",
            "172.20.36.0/22",
            "172.20.40.0/22"
        ]
    );
    // One that is given stays where services are, and is refused.
    let mut given = cluster.clone();
    given.spec.networking.subnets[5].cidr = "172.20.16.0/22".parse().ok();
    let told = "Cluster/ha.example.com: spec.subnets[5].cidr: 172.20.16.0/22 of subnet utility-us-east-1c overlaps \
                172.20.0.0/19, where services are";
    expect(&given, &groups, told);
}

#[test]
fn network_plugins() {
    let (mut cluster, groups) = ha();
    cluster.spec.networking.cilium = None;
    expect(&cluster, &groups, "Cluster/ha.example.com: spec.networking: no network plugin is set");
    expect_after_set(
        &[("spec.networking.calico", "{}")],
        "spec.networking: calico and cilium are mutually exclusive",
    );
}

#[test]
fn subnets() {
    let (mut cluster, groups) = ha();
    cluster.spec.networking.subnets.clear();
    expect(&cluster, &groups, "Cluster/ha.example.com: spec.subnets: there are no subnets");
    expect_after_set(&[("spec.subnets[0].name", "")], "spec.subnets[0].name: the subnet has no name");
    expect_after_set(&[("spec.subnets[0].name", " a")], "spec.subnets[0].name: \" a\" is not a name");
    expect_after_set(
        &[("spec.subnets[1].name", "us-east-1a")],
        "spec.subnets[1].name: another subnet is also named us-east-1a",
    );
    expect_after_set(&[("spec.subnets[0].zone", "")], "spec.subnets[0].zone: the subnet has no zone");
    expect_after_set(
        &[("spec.subnets[0].zone", "us-east-1")],
        "spec.subnets[0].zone: \"us-east-1\" is not the name of a zone",
    );
    expect_after_set(
        &[("spec.subnets[0].zone", "eu-west-1a")],
        "spec.subnets: they are in eu-west-1 and us-east-1",
    );
    expect_after_set(
        &[("spec.subnets[1].cidr", "10.0.0.0/20")],
        "spec.subnets[1].cidr: 10.0.0.0/20 is outside the network 172.20.0.0/16",
    );
    expect_after_set(
        &[("spec.subnets[1].cidr", "172.20.0.0/29")],
        "spec.subnets[1].cidr: 172.20.0.0/29 is too small (use a /28 or larger)",
    );
    expect_after_set(
        &[("spec.subnets[1].cidr", "172.20.64.0/20")],
        "spec.subnets[1].cidr: 172.20.64.0/20 overlaps 172.20.64.0/18 of subnet us-east-1a",
    );
    expect_after_set(
        &[("spec.subnets[1].cidr", "172.20.65.0/18")],
        "spec.subnets[1].cidr: 172.20.65.0/18 has host bits set",
    );
    expect_after_set(
        &[("spec.subnets[0].ipv6CIDR", "10.0.0.0/8")],
        "spec.subnets[0].ipv6CIDR: \"10.0.0.0/8\" is not an IPv6 CIDR",
    );
    expect_after_set(
        &[("spec.subnets[0].id", "subnet-1")],
        "spec.subnets[0].id: an existing subnet requires an existing network",
    );
    expect_after_set(
        &[("spec.subnets[0].egress", "igw-1")],
        "spec.subnets[0].egress: \"igw-1\" is not a valid egress",
    );
    expect_after_set(
        &[("spec.subnets[3].egress", "nat-1")],
        "spec.subnets[3].egress: a public subnet cannot have an egress",
    );
    expect_after_set(
        &[("spec.subnets[3].publicIP", "here")],
        "spec.subnets[3].publicIP: \"here\" is not an address",
    );
    for (field, value, why) in [
        ("target", "vpc-1", "\"vpc-1\" is not a valid route target"),
        ("cidr", "172.20.9.0/24", "172.20.9.0/24 is within the network"),
    ] {
        expect_after_set(
            &[(&format!("spec.subnets[0].additionalRoutes[0].{field}"), value)],
            &format!("spec.subnets[0].additionalRoutes[0].{field}: {why}"),
        );
    }
    expect_after_set(
        &[("spec.subnets[0].additionalRoutes[0].target", "pcx-1")],
        "spec.subnets[0].additionalRoutes[0].cidr: the route has no destination",
    );
    expect_after_set(
        &[
            ("spec.networkID", "vpc-1"),
            ("spec.subnets[0].id", "subnet-1"),
            ("spec.subnets[0].additionalRoutes[0].target", "pcx-1"),
        ],
        "spec.subnets[0].additionalRoutes[0]: an existing subnet keeps its own routes",
    );
}

#[test]
fn subnets_without_room_or_network() {
    let (mut cluster, groups) = ha();
    cluster.spec.networking.subnets.iter_mut().for_each(|subnet| subnet.cidr = None);
    assert_eq!(problems(&cluster, &groups), [""; 0], "addresses are found");
    set(&mut cluster, "spec.networkCIDR", "172.20.0.0/27").unwrap();
    expect(&cluster, &groups, "Cluster/ha.example.com: spec.subnets[0].cidr: 172.20.0.0/27 has no room");
    cluster.spec.networking.network_cidr = None;
    set(&mut cluster, "spec.networkID", "vpc-1").unwrap();
    expect(&cluster, &groups, "Cluster/ha.example.com: spec.subnets[0].cidr: its CIDR cannot be allocated");
}

#[test]
fn shared_subnets_need_no_addresses() {
    let (mut cluster, groups) = ha();
    set(&mut cluster, "spec.networkID", "vpc-1").unwrap();
    cluster.spec.networking.network_cidr = None;
    for subnet in &mut cluster.spec.networking.subnets {
        subnet.cidr = None;
        subnet.id = Some(format!("subnet-{}", subnet.name));
    }
    assert_eq!(problems(&cluster, &groups), [""; 0]);
}

#[test]
fn topology() {
    let (mut cluster, groups) = ha();
    cluster.spec.networking.subnets.retain(|subnet| subnet.name != "utility-us-east-1b");
    let expected = "Cluster/ha.example.com: spec.subnets[1]: this private subnet has no egress: there is no utility subnet in us-east-1b";
    expect(&cluster, &groups, expected);
    set(&mut cluster, "spec.subnets[1].egress", "nat-1").unwrap();
    assert_eq!(problems(&cluster, &groups), [""; 0]);

    let (mut cluster, mut groups) = ha();
    groups.remove(BASTION);
    expect(
        &cluster,
        &groups,
        "Cluster/ha.example.com: spec.topology.bastion: no instance group has role Bastion",
    );
    set(&mut cluster, "spec.topology.bastion.bastionPublicName", "b_b").unwrap();
    expect(
        &cluster,
        &groups,
        "Cluster/ha.example.com: spec.topology.bastion.bastionPublicName: \"b_b\" is not a DNS name",
    );

    let (mut cluster, groups) = ha();
    for subnet in &mut cluster.spec.networking.subnets {
        subnet.r#type = Some(SubnetType::Public);
    }
    expect(
        &cluster,
        &groups,
        "InstanceGroup/bastions: spec.role: a bastion is for private machines, but there are none",
    );
    set(&mut cluster, "spec.topology.masters", "private").unwrap();
    set(&mut cluster, "spec.topology.nodes", "hidden").unwrap();
    expect(
        &cluster,
        &groups,
        "Cluster/ha.example.com: spec.topology.masters: private machines need private subnets",
    );
    expect(&cluster, &groups, "Cluster/ha.example.com: spec.topology.nodes: \"hidden\" is not supported");
}

#[test]
fn names_of_gossip_are_not_published() {
    let (mut cluster, mut groups) = ha();
    cluster.metadata.name = "old.k8s.local".to_owned();
    for group in &mut groups {
        group.metadata.labels.clear();
    }
    cluster.spec.networking.topology.as_mut().unwrap().bastion = None;
    cluster.spec.api.public_name = None;
    expect(
        &cluster,
        &groups,
        "Cluster/old.k8s.local: spec.topology.dns.type: names below k8s.local are not published",
    );
    assert!(!validate(&cluster, &groups).has_errors());
    assert_eq!(populate(&cluster, &groups).0.spec.api.public_name, None);
    assert_eq!(cluster.dns_type(), DnsType::None);
}

#[test]
fn api() {
    let (mut cluster, groups) = ha();
    set(&mut cluster, "spec.api.dns", "{}").unwrap();
    assert_eq!(problems(&cluster, &groups), [""; 0], "beside a load balancer it says nothing");
    cluster.spec.api.load_balancer = None;
    set(&mut cluster, "spec.api.dns", "{}").unwrap();
    assert_eq!(problems(&cluster, &groups), [""; 0]);
    set(&mut cluster, "spec.topology.dns.type", "None").unwrap();
    expect(&cluster, &groups, "Cluster/ha.example.com: spec.api.dns: the API cannot use DNS");

    expect_after_set(
        &[("spec.masterPublicName", "api_x")],
        "spec.masterPublicName: \"api_x\" is not a DNS name",
    );
    expect_after_set(
        &[("spec.additionalSans", "*.x.com,10.0.0.1,no way")],
        "spec.additionalSans[2]: \"no way\" is neither a DNS name nor an address",
    );
    expect_after_set(
        &[("spec.api.loadBalancer.class", "Classic")],
        "spec.api.loadBalancer.class: classic load balancers are not supported",
    );
    expect_after_set(
        &[("spec.api.loadBalancer.idleTimeoutSeconds", "10")],
        "spec.api.loadBalancer.idleTimeoutSeconds: 10 s is not between 60 s and 6000 s",
    );
    expect_after_set(
        &[("spec.api.loadBalancer.sslPolicy", "x")],
        "spec.api.loadBalancer.sslPolicy: it has no effect without a certificate",
    );
    expect_after_set(
        &[("spec.api.loadBalancer.sslCertificate", "x")],
        "spec.api.loadBalancer.sslCertificate: \"x\" is not an ARN",
    );
    expect_after_set(
        &[
            ("spec.api.loadBalancer.securityGroupOverride", "sg-1"),
            ("spec.api.loadBalancer.additionalSecurityGroups", "sg-2"),
        ],
        "spec.api.loadBalancer.additionalSecurityGroups: a load balancer with securityGroupOverride cannot have additional",
    );
}

#[test]
fn classes_of_load_balancers_are_awss_own() {
    let (mut cluster, groups) = ha();
    set(&mut cluster, "spec.cloudProvider", "memory").unwrap();
    cluster.spec.api.load_balancer.as_mut().unwrap().class = Some(LoadBalancerClass::Network);
    expect(
        &cluster,
        &groups,
        "Cluster/ha.example.com: spec.api.loadBalancer.class: there is no Network class on memory",
    );
}

#[test]
fn subnets_of_the_load_balancer() {
    let place = "spec.api.loadBalancer.subnets[0]";
    let name = format!("{place}.name");
    expect_after_set(
        &[(&name, "nowhere")],
        &format!("{name}: there is no subnet \"nowhere\" (use one of us-east-1a"),
    );
    expect_after_set(
        &[(&name, "us-east-1a")],
        &format!("{name}: a public load balancer is not reachable in the private subnet us-east-1a"),
    );
    let internal = ("spec.api.loadBalancer.type", "Internal");
    let address = format!("{place}.privateIPv4Address");
    let allocation = format!("{place}.allocationId");
    expect_after_set(
        &[internal, (&name, "us-east-1a"), (&allocation, "eipalloc-1")],
        &format!("{allocation}: an internal load balancer has no public address"),
    );
    expect_after_set(
        &[internal, (&name, "us-east-1a"), (&address, "10.0.0.1")],
        &format!("{address}: 10.0.0.1 is not in subnet us-east-1a"),
    );
    expect_after_set(
        &[internal, (&name, "us-east-1a"), (&address, "x")],
        &format!("{address}: \"x\" is not an address"),
    );
    expect_after_set(
        &[(&name, "utility-us-east-1a"), (&address, "172.20.0.9")],
        &format!("{address}: a public load balancer cannot have a fixed private address"),
    );
    expect_after_set(
        &[(&name, "utility-us-east-1a"), ("spec.api.loadBalancer.subnets[1].name", "utility-us-east-1a")],
        "spec.api.loadBalancer.subnets[1].name: subnet utility-us-east-1a is listed twice",
    );
    let (mut cluster, groups) = ha();
    for (path, value) in [internal, (&name, "us-east-1a"), (&address, "172.20.64.9")] {
        set(&mut cluster, path, value).unwrap();
    }
    assert_eq!(cluster.spec.api.load_balancer.as_ref().unwrap().r#type, Some(LoadBalancerType::Internal));
    assert_eq!(problems(&cluster, &groups), [""; 0]);
}

#[test]
fn etcd() {
    let (mut cluster, groups) = ha();
    cluster.spec.etcd_clusters.remove(0);
    expect(&cluster, &groups, "Cluster/ha.example.com: spec.etcdClusters: there is no etcd cluster main");
    let (mut cluster, groups) = ha();
    cluster.spec.etcd_clusters[0].members.pop();
    expect(
        &cluster,
        &groups,
        "Cluster/ha.example.com: spec.etcdClusters[0].etcdMembers: 2 members tolerate no more failures than 1",
    );
    expect(
        &cluster,
        &groups,
        "Cluster/ha.example.com: spec.etcdClusters[0].etcdMembers: control-plane group control-plane-us-east-1c has no member",
    );
    cluster.spec.etcd_clusters[0].members.clear();
    expect(
        &cluster,
        &groups,
        "Cluster/ha.example.com: spec.etcdClusters[0].etcdMembers: there are no members",
    );
    let member = |field: &str| format!("spec.etcdClusters[0].etcdMembers[1].{field}");
    expect_after_set(
        &[("spec.etcdClusters[1].name", "more")],
        "spec.etcdClusters[1].name: unknown etcd cluster \"more\"",
    );
    expect_after_set(
        &[("spec.etcdClusters[1].name", "main")],
        "spec.etcdClusters[1].name: main is listed twice",
    );
    expect_after_set(
        &[("spec.etcdClusters[0].provider", "Legacy")],
        "spec.etcdClusters[0].provider: etcd is always run by etcd-manager",
    );
    for (field, value, why) in [
        ("name", "a", "another member is also named a"),
        ("name", "", "\"\" is not a name"),
        ("instanceGroup", "gone", "there is no instance group \"gone\""),
        ("instanceGroup", "nodes-us-east-1a", "nodes-us-east-1a has role Node"),
        ("instanceGroup", "control-plane-us-east-1a", "another member is on control-plane-us-east-1a"),
        ("volumeSize", "0", "must be at least 1 GiB"),
        ("volumeType", "floppy", "unknown volume type \"floppy\" (use one of gp3, gp2"),
        ("volumeIops", "90000", "90000 operations/s is out of range for a gp3 volume"),
        ("volumeIops", "11000", "11000 operations/s is too many for 20 GiB"),
        ("volumeThroughput", "3000", "3000 MiB/s is out of range for a gp3 volume"),
        ("volumeThroughput", "800", "800 MiB/s requires more than 3000 operations/s"),
    ] {
        expect_after_set(&[(&member(field), value)], &format!("{}: {why}", member(field)));
    }
    expect_after_set(
        &[(&member("volumeType"), "gp2"), (&member("volumeIops"), "100")],
        &format!("{}: operations a second of a gp2 volume cannot be set", member("volumeIops")),
    );
    expect_after_set(
        &[(&member("encryptedVolume"), "false"), (&member("kmsKeyId"), "x")],
        &format!("{}: the volume has a key, but is not encrypted", member("kmsKeyId")),
    );
    let (mut cluster, groups) = ha();
    cluster.spec.etcd_clusters[0].members[0].instance_group = None;
    expect(
        &cluster,
        &groups,
        "Cluster/ha.example.com: spec.etcdClusters[0].etcdMembers[0].instanceGroup: is required",
    );
}

#[test]
fn roles_of_groups() {
    let (cluster, groups) = ha();
    expect(&cluster, &groups[NODES..], "Cluster/ha.example.com: spec: no instance group has role Master");
    let without_nodes: Vec<_> = groups.iter().filter(|group| group.role() != Role::Node).cloned().collect();
    let found = validate(&cluster, &without_nodes);
    assert!(!found.has_errors());
    expect(&cluster, &without_nodes, "Cluster/ha.example.com: spec: no instance group has role Node");
    expect_of_group(NODES, &[("spec.role", "APIServer")], "spec.role: role APIServer is not supported");
    expect_of_group(NODES, &[("spec.manager", "Karpenter")], "spec.manager: Karpenter is not supported");
}

#[test]
fn sizes_of_groups() {
    expect_of_group(
        CONTROL_PLANE,
        &[("spec.maxSize", "2")],
        "spec.maxSize: a control-plane group must have exactly one machine, not 2",
    );
    expect_of_group(
        CONTROL_PLANE,
        &[("spec.minSize", "0")],
        "spec.minSize: a control-plane group must have exactly one machine, not 0",
    );
    expect_of_group(NODES, &[("spec.minSize", "5")], "spec.minSize: 5 is greater than maxSize 1");
    expect_of_group(NODES, &[("spec.minSize", "-1")], "spec.minSize: -1 must not be negative");
}

#[test]
fn places_of_groups() {
    expect_of_group(
        NODES,
        &[("spec.subnets", "nowhere")],
        "spec.subnets[0]: cluster ha.example.com has no subnet \"nowhere\" (use one of us-east-1a",
    );
    expect_of_group(
        NODES,
        &[("spec.subnets", "us-east-1a,us-east-1a")],
        "spec.subnets[1]: subnet us-east-1a is listed twice",
    );
    expect_of_group(
        NODES,
        &[("spec.zones", "us-east-1b")],
        "spec.zones: none of its subnets is in us-east-1b",
    );
    expect_of_group(
        CONTROL_PLANE,
        &[("spec.subnets", "us-east-1a,us-east-1b")],
        "spec.subnets: a control-plane group must be in one zone, not in us-east-1a, us-east-1b",
    );
    let (mut cluster, groups) = ha();
    cluster.spec.networking.subnets.clear();
    let (_, mut groups) = (&cluster, groups);
    groups[NODES].spec.subnets.clear();
    expect(&cluster, &groups, "InstanceGroup/nodes-us-east-1a: spec.subnets: the group has no subnets");
    let (mut cluster, groups) = ha();
    set(&mut cluster, "spec.cloudProvider", "gce").unwrap();
    expect(
        &cluster,
        &groups,
        "InstanceGroup/nodes-us-east-1a: spec.zones: subnets of gce are regional, so the group needs a zone",
    );
}

#[test]
fn machines() {
    let (mut cluster, mut groups) = ha();
    set(&mut cluster, "spec.cloudProvider", "openstack").unwrap();
    groups[NODES].spec.image = None;
    groups[NODES].spec.machine_type = None;
    expect(&cluster, &groups, "InstanceGroup/nodes-us-east-1a: spec.image: is required");
    expect(&cluster, &groups, "InstanceGroup/nodes-us-east-1a: spec.machineType: is required");
    for (path, value, why) in [
        ("spec.tenancy", "mine", "\"mine\" is not supported (use one of default, dedicated, host"),
        ("spec.cpuCredits", "many", "\"many\" is not supported"),
        ("spec.instanceInterruptionBehavior", "explode", "\"explode\" is not supported"),
        ("spec.gcpProvisioningModel", "spot", "\"spot\" is not supported"),
        ("spec.instanceMetadata.httpTokens", "maybe", "\"maybe\" is not supported"),
        ("spec.instanceMetadata.httpPutResponseHopLimit", "99", "must be between 1 and 64"),
        ("spec.iam.profile", "nodes", "\"nodes\" is not an ARN"),
        ("spec.maxPrice", "cheap", "\"cheap\" is not a price"),
        ("spec.rootVolumeSize", "0", "must be at least 1 GiB"),
        ("spec.rootVolumeType", "gp9", "unknown volume type \"gp9\""),
        ("spec.rootVolumeIops", "100", "100 operations/s is out of range for a gp3 volume"),
        ("spec.rootVolumeThroughput", "50", "50 MiB/s is out of range for a gp3 volume"),
        ("spec.volumeMounts[0].path", "data", "\"data\" is not a path"),
        ("spec.volumeMounts[0].filesystem", "fat", "\"fat\" is not supported"),
        ("spec.mixedInstancesPolicy.onDemandAboveBase", "101", "must be a percentage"),
        ("spec.mixedInstancesPolicy.onDemandBase", "-1", "must not be negative"),
        ("spec.mixedInstancesPolicy.spotAllocationStrategy", "random", "\"random\" is not supported"),
        ("spec.mixedInstancesPolicy.onDemandAllocationStrategy", "random", "\"random\" is not supported"),
        ("spec.warmPool.minSize", "-1", "must not be negative"),
        ("spec.rollingUpdate.maxSurge", "-1", "-1 must not be negative"),
        ("spec.rollingUpdate.maxUnavailable", "120%", "\"120%\" is not a percentage"),
        ("spec.cloudLabels.Name", "x", "Name is reserved by kOps"),
        ("spec.nodeLabels[\"Ex.com/x\"]", "x", "\"Ex.com/x\" is not a valid label key"),
        ("spec.nodeLabels.x", "a b", "\"a b\" is not a valid label value"),
    ] {
        expect_of_group(NODES, &[(path, value)], &format!("{path}: {why}"));
    }
    expect_of_group(
        NODES,
        &[("spec.volumeMounts[0].path", "/data")],
        "spec.volumeMounts[0].device: is required",
    );
    expect_of_group(
        NODES,
        &[("spec.volumes[0].size", "10")],
        "spec.volumes[0].device: the volume has no device",
    );
    expect_of_group(
        NODES,
        &[("spec.volumes[0].device", "/dev/x")],
        "spec.volumes[0].size: the volume has no size",
    );
    expect_of_group(
        NODES,
        &[("spec.volumes", "[{device: /dev/x, size: 1}, {device: /dev/x, size: 1}]")],
        "spec.volumes[1].device: /dev/x is listed twice",
    );
    expect_of_group(
        NODES,
        &[("spec.externalLoadBalancers", "[{}]")],
        "spec.externalLoadBalancers[0]: must refer to either",
    );
    expect_of_group(
        NODES,
        &[("spec.additionalUserData[0].name", "x")],
        "spec.additionalUserData[0]: name and type are required",
    );
    expect_of_group(
        NODES,
        &[
            ("spec.mixedInstancesPolicy.instances", "a,b"),
            ("spec.mixedInstancesPolicy.instanceRequirements", "{cpu: {min: 2}}"),
        ],
        "spec.mixedInstancesPolicy.instanceRequirements: instances and instanceRequirements are mutually exclusive",
    );
    expect_of_group(
        NODES,
        &[
            ("spec.mixedInstancesPolicy.spotInstancePools", "2"),
            ("spec.mixedInstancesPolicy.spotAllocationStrategy", "diversified"),
        ],
        "spec.mixedInstancesPolicy.spotInstancePools: it applies to the strategy lowest-price only",
    );
    expect_of_group(
        NODES,
        &[("spec.warmPool.minSize", "3"), ("spec.warmPool.maxSize", "2")],
        "spec.warmPool.maxSize: 2 is less than minSize 3",
    );
    expect_of_group(
        NODES,
        &[("spec.rollingUpdate.maxSurge", "0"), ("spec.rollingUpdate.maxUnavailable", "0%")],
        "spec.rollingUpdate.maxSurge: no machine can be replaced",
    );
}

#[test]
fn taints() {
    for (taint, why) in [
        ("dedicated", "\"dedicated\" has no effect"),
        ("dedicated=web:Never", "\"Never\" is not an effect"),
        ("=web:NoSchedule", "\"=web:NoSchedule\" is not a taint"),
        ("a b=web:NoSchedule", "\"a b=web:NoSchedule\" is not a taint"),
    ] {
        expect_of_group(NODES, &[("spec.taints", taint)], &format!("spec.taints[0]: {why}"));
    }
    expect_of_group(
        NODES,
        &[("spec.taints", "a=1:NoSchedule,a=2:NoSchedule")],
        "spec.taints[1]: a has effect NoSchedule twice",
    );
    let (cluster, mut groups) = ha();
    set(&mut groups[NODES], "spec.taints", "a=1:NoSchedule,a:NoExecute,example.com/x=y:PreferNoSchedule")
        .unwrap();
    assert_eq!(problems(&cluster, &groups), [""; 0]);
}

#[test]
fn access_policies_and_labels() {
    expect_after_set(
        &[("spec.sshAccess", "192.0.2.7/24")],
        "spec.sshAccess[0]: 192.0.2.7/24 has host bits set (use 192.0.2.0/24)",
    );
    expect_after_set(
        &[("spec.kubernetesApiAccess", "::/0,::/0")],
        "spec.kubernetesApiAccess[1]: ::/0 is listed twice",
    );
    expect_after_set(
        &[("spec.cloudProvider", "openstack"), ("spec.nodePortAccess", "pl-1")],
        "spec.nodePortAccess[0]: openstack has no prefix lists",
    );
    expect_after_set(
        &[("spec.additionalPolicies.master", "{}")],
        "spec.additionalPolicies.master: is not a JSON list of policy statements",
    );
    expect_after_set(
        &[("spec.additionalPolicies.worker", "[]")],
        "spec.additionalPolicies.worker: \"worker\" is not a role",
    );
    expect_after_set(
        &[("spec.externalPolicies.node", "admin")],
        "spec.externalPolicies.node[0]: \"admin\" is not an ARN",
    );
    expect_after_set(
        &[("spec.cloudLabels[\"kubernetes.io/cluster/x\"]", "owned")],
        "spec.cloudLabels[\"kubernetes.io/cluster/x\"]: kubernetes.io/cluster/x is reserved by kOps",
    );
    expect_after_set(
        &[("spec.cloudLabels[\"AWS:x\"]", "x")],
        "spec.cloudLabels.AWS:x: AWS:x is reserved by aws",
    );
    let (mut cluster, mut groups) = ha();
    for key in ["k8s.io/cluster-autoscaler/enabled", "k8s.io/cluster-autoscaler/node-template/label/a"] {
        cluster.spec.cloud_labels.insert(key.to_owned(), "1".to_owned());
    }
    let name = groups[NODES].name().to_owned();
    groups[NODES].spec.cloud_labels.insert("kops.k8s.io/instancegroup".to_owned(), name);
    assert_eq!(problems(&cluster, &groups), [""; 0]);
    expect_after_set(&[("spec.iam.legacy", "true")], "spec.iam.legacy: such permissions no longer exist");
    expect_after_set(&[("spec.dnsZone", "")], "spec.dnsZone: must not be empty");
    expect_after_set(
        &[("spec.iam.serviceAccountExternalPermissions[0].name", "x")],
        "spec.iam.serviceAccountExternalPermissions[0].namespace: \"\" is not a name",
    );
    let (mut cluster, groups) = ha();
    let account = "spec.iam.serviceAccountExternalPermissions[0]";
    for (field, value) in [("name", "reports"), ("namespace", "team-*")] {
        set(&mut cluster, &format!("{account}.{field}"), value).unwrap();
    }
    assert_eq!(problems(&cluster, &groups), [""; 0], "whether a cloud has them is the model's affair");
    expect_after_set(
        &[("spec.rollingUpdate.maxSurge", "x%")],
        "spec.rollingUpdate.maxSurge: \"x%\" is not a percentage",
    );
    expect_after_set(&[("spec.warmPool.maxSize", "-1")], "spec.warmPool.maxSize: must not be negative");
}

#[test]
fn settings_without_effect_are_warnings() {
    let (mut cluster, mut groups) = ha();
    set(&mut cluster, "spec.clusterAutoscaler.enabled", "true").unwrap();
    set(&mut cluster, "spec.cloudConfig.awsEBSCSIDriver.enabled", "false").unwrap();
    set(&mut groups[NODES], "spec.autoscale", "false").unwrap();
    // What is rendered into bundles has an effect.
    set(&mut cluster, "spec.kubeAPIServer.auditLogMaxAge", "10").unwrap();
    set(&mut groups[NODES], "spec.kubelet.maxPods", "30").unwrap();
    let found = validate(&cluster, &groups);
    assert!(!found.has_errors(), "{found}");
    let paths: Vec<String> = found.warnings().map(|problem| problem.path.to_string()).collect();
    assert_eq!(paths, ["spec.clusterAutoscaler", "spec.cloudConfig.awsEBSCSIDriver", "spec.autoscale"]);
}

#[test]
fn settings_with_an_effect_are_not_said_to_have_none() {
    let warnings = |change: &dyn Fn(&mut Cluster)| -> Vec<String> {
        let (mut cluster, groups) = ha();
        change(&mut cluster);
        validate(&cluster, &groups).warnings().map(ToString::to_string).collect()
    };
    for method in ["SOURCE_IP_PORT", "ROUND_ROBIN"] {
        let found = warnings(&|cluster| {
            let loadbalancer = OpenstackLoadBalancer {
                provider: Some("ovn".to_owned()),
                method: Some(method.to_owned()),
                ..OpenstackLoadBalancer::default()
            };
            let settings = OpenstackCloud { loadbalancer: Some(loadbalancer), ..OpenstackCloud::default() };
            cluster.spec.cloud_provider = Some(CloudProvider::Openstack(settings));
        });
        assert!(!found.iter().any(|it| it.contains("loadbalancer")), "{found:?}");
    }
    // Rights and firewalls depend on settings of plugins that are not installed.
    let found = warnings(&|cluster| set(cluster, "spec.networking.cilium", "{ipam: eni}").unwrap());
    let of_plugin = found.iter().find(|it| it.contains("spec.networking.cilium")).unwrap();
    assert!(of_plugin.contains("permissions") && !of_plugin.contains("not implemented"), "{of_plugin}");
}

#[test]
fn all_problems_are_told_at_once() {
    let (mut cluster, mut groups) = ha();
    for (path, value) in [
        ("spec.kubernetesVersion", "new"),
        ("spec.subnets[0].cidr", "10.0.0.0/30"),
        ("spec.etcdClusters[0].etcdMembers[0].volumeSize", "0"),
        ("spec.sshAccess", "192.0.2.1/24"),
    ] {
        set(&mut cluster, path, value).unwrap();
    }
    groups[CONTROL_PLANE].spec.max_size = Some(2);
    groups[NODES].spec.subnets = vec!["nowhere".to_owned()];
    let found = validate(&cluster, &groups);
    assert_eq!(found.errors().count(), 7, "{found}");
    let error = found.into_result().unwrap_err().to_string();
    assert!(error.starts_with("7 problems:\n  Cluster/ha.example.com: spec.kubernetesVersion: "), "{error}");
}

#[test]
fn ssh_keys() {
    let mut key = SshCredential::default();
    key.metadata.name = "admin".to_owned();
    key.spec.public_key =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ann@desk"
            .to_owned();
    assert!(key.validate().is_empty());
    key.spec.public_key = "-----BEGIN OPENSSH PRIVATE KEY-----".to_owned();
    let found = key.validate().to_string();
    assert!(found.contains("SSHCredential/admin: spec.publicKey: it is not a public SSH key"), "{found}");
    assert!(!found.contains("BEGIN"), "{found}");
}
