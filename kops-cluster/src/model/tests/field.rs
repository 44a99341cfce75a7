//! What people really have.

use super::support::{
    errors, graph, ha_private, ha_public, has, names, regional, try_build, warnings, zonal,
};
use crate::spec::{AccessSource, DnsType, LoadBalancerSubnet, Opaque, SubnetType, Topology, validate};
use kops_core::graph::{Key, TaskGraph};
use kops_core::resource::{FirewallRules, InstanceGroup, LoadBalancer, Peer, Subnet};

fn alternatives(graph: &TaskGraph, zone: &str) -> Vec<String> {
    graph.get(&Key::new("DnsZone", zone)).unwrap().options.alternatives.clone()
}

#[test]
fn the_zone_is_the_longest_that_contains_the_name() {
    let mut files = ha_public();
    files.cluster.spec.dns_zone = None;
    assert_eq!(
        alternatives(&graph(&files), "ha.example.com"),
        ["public:example.com"],
        "nobody has the zone com"
    );
}

#[test]
fn names_outside_of_the_given_zone_are_refused() {
    let mut files = ha_public();
    files.cluster.spec.dns_zone = Some("another-example.com".to_owned());
    let errors = errors(&files, zonal());
    assert!(has(&errors, &["spec.dnsZone", "api.ha.example.com is not in the zone another-example.com"]));
    files.cluster.spec.dns_zone = Some("Example.COM.".to_owned());
    try_build(&files, zonal()).unwrap();
}

#[test]
fn an_empty_name_of_a_key_means_none() {
    let mut files = ha_public();
    assert_eq!(names(&graph(&files), "SshKey").len(), 1, "there is one in the store");
    files.cluster.spec.ssh_key_name = Some(String::new());
    let graph = graph(&files);
    assert_eq!(names(&graph, "SshKey"), [""; 0]);
    for (_, group) in graph.specs::<InstanceGroup>().unwrap() {
        assert_eq!(group.ssh_key, None);
    }
}

#[test]
fn routes_of_all_subnets_may_be_somebody_elses() {
    let mut files = ha_private();
    for subnet in &mut files.cluster.spec.networking.subnets {
        subnet.egress = Some("External".to_owned());
    }
    let problems = validate(&files.cluster, &files.instance_groups);
    assert!(!problems.to_string().contains("egress"), "{problems}");
    let graph = graph(&files);
    for kind in ["InternetGateway", "NatGateway", "Address"] {
        assert_eq!(names(&graph, kind), [""; 0], "{kind}");
    }
    for (task, subnet) in graph.specs::<Subnet>().unwrap() {
        assert_eq!(subnet.egress, kops_core::resource::Egress::None, "{}", task.key);
    }
    files.cluster.spec.networking.subnets[3].egress = Some("nat-1".to_owned());
    let problems = validate(&files.cluster, &files.instance_groups).to_string();
    assert!(problems.contains("spec.subnets[3].egress"), "{problems}");
}

#[test]
fn a_balancer_that_machines_use_is_for_all_zones() {
    let mut files = ha_private();
    let networking = &mut files.cluster.spec.networking;
    networking.topology = Some(Topology { dns: Some(DnsType::None), ..Topology::default() });
    let cross_zone = |files: &crate::ClusterFiles| {
        graph(files).spec::<LoadBalancer>("api.ha.example.com").unwrap().cross_zone
    };
    assert!(cross_zone(&files));
    let balancer = |files: &mut crate::ClusterFiles, cross_zone| {
        files.cluster.spec.api.load_balancer.as_mut().unwrap().cross_zone_load_balancing = Some(cross_zone);
    };
    balancer(&mut files, false);
    assert!(!cross_zone(&files));
    assert!(has(&warnings(&files, zonal()), &["crossZoneLoadBalancing", "zone"]));
    balancer(&mut files, true);
    assert!(!has(&warnings(&files, zonal()), &["crossZoneLoadBalancing"]));
}

#[test]
fn a_balancer_in_one_subnet_is_for_the_machines_of_all_zones() {
    let mut files = ha_private();
    let front = LoadBalancerSubnet { name: "utility-us-test-1a".to_owned(), ..LoadBalancerSubnet::default() };
    files.cluster.spec.api.load_balancer.as_mut().unwrap().subnets = vec![front];
    let balancer =
        |files: &crate::ClusterFiles| graph(files).spec::<LoadBalancer>("api.ha.example.com").unwrap();
    let made = balancer(&files);
    assert!(made.subnets.len() == 1 && made.cross_zone);
    files.cluster.spec.api.load_balancer.as_mut().unwrap().cross_zone_load_balancing = Some(false);
    assert!(!balancer(&files).cross_zone);
    assert!(has(&warnings(&files, zonal()), &["crossZoneLoadBalancing", "leads nowhere"]));
    assert!(has(&warnings(&files, regional()), &["crossZoneLoadBalancing", "no effect on this cloud"]));

    // In a single zone there is nowhere else to lead to.
    files.instance_groups.retain(|group| !group.is_control_plane() || group.name().ends_with("1a"));
    for etcd in &mut files.cluster.spec.etcd_clusters {
        etcd.members.truncate(1);
    }
    assert!(!has(&warnings(&files, zonal()), &["crossZoneLoadBalancing"]));
    files.cluster.spec.api.load_balancer.as_mut().unwrap().cross_zone_load_balancing = None;
    assert!(balancer(&files).cross_zone, "groups in other zones may follow");
}

#[test]
fn lists_of_addresses_that_let_nobody_in_are_told() {
    let mut files = ha_public();
    let six = || vec![AccessSource::Cidr("2001:db8::/32".parse().unwrap())];
    let spec = &mut files.cluster.spec;
    (spec.ssh_access, spec.api.access, spec.node_port_access) = (six(), six(), six());
    let told = |files: &crate::ClusterFiles| {
        warnings(files, zonal()).into_iter().filter(|it| it.contains("nobody is let in")).collect::<Vec<_>>()
    };
    assert_eq!(told(&files).len(), 3, "{:?}", told(&files));
    // With clients of IPv4 it is a list as any other.
    files.cluster.spec.ssh_access.push(AccessSource::Cidr("192.0.2.0/24".parse().unwrap()));
    assert!(told(&files).len() == 2 && !has(&told(&files), &["sshAccess"]), "{:?}", told(&files));
}

#[test]
fn addresses_of_balancers_are_refused_where_nobody_places_them() {
    for (key, allocation_id, private_ipv4_address) in [
        ("allocationId", Some("eipalloc-1".to_owned()), None),
        ("privateIPv4Address", None, Some("172.20.0.10".to_owned())),
    ] {
        let mut files = ha_private();
        let name = "utility-us-test-1a".to_owned();
        let place = LoadBalancerSubnet { name, private_ipv4_address, allocation_id, ..Default::default() };
        files.cluster.spec.api.load_balancer.as_mut().unwrap().subnets = vec![place];
        let path = format!("spec.api.loadBalancer.subnets[0].{key}");
        for capabilities in [zonal(), regional()] {
            assert!(has(&errors(&files, capabilities), &[&path, "cannot be placed at an address"]));
        }
    }
}

#[test]
fn etcd_is_closed_to_nodes_whatever_the_plugin() {
    let mut files = ha_private();
    let networking = &mut files.cluster.spec.networking;
    networking.cilium = Some(Opaque(serde_json::json!({ "ipam": "eni" })));
    let graph = graph(&files);
    let rules: FirewallRules = graph.spec("masters.ha.example.com").unwrap();
    let nodes = Peer::Group(kops_core::graph::Handle::named("nodes.ha.example.com").id());
    for rule in rules.rules.iter().filter(|rule| rule.peer == nodes) {
        let ports = rule.ports.unwrap_or_else(|| panic!("{rule:?} is for all ports"));
        let tcp = rule.protocol == kops_core::resource::Protocol::Tcp;
        assert!(!tcp || !(ports.from..=ports.to).contains(&2379), "{rule:?}");
    }
}

#[test]
fn an_existing_subnet_is_compared_with_what_is_said_of_it() {
    let mut files = ha_public();
    files.cluster.spec.networking.network_id = Some("vpc-1".to_owned());
    for (at, subnet) in files.cluster.spec.networking.subnets.iter_mut().enumerate() {
        subnet.id = Some(format!("subnet-{at}"));
        subnet.r#type = Some(SubnetType::Public);
    }
    let facts = |files: &crate::ClusterFiles| {
        let graph = graph(files);
        let task = graph.get(&Key::new("Subnet", "us-test-1a.ha.example.com")).unwrap();
        task.options.expectations.iter().map(|it| (it.fact.clone(), it.source.clone())).collect::<Vec<_>>()
    };
    let fact = |fact: &str, source: &str| (fact.to_owned(), source.to_owned());
    let all = [
        fact("zone", "spec.subnets[0].zone"),
        fact("cidr", "spec.subnets[0].cidr"),
        fact("network", "the network of the cluster"),
    ];
    assert_eq!(facts(&files), all);
    // What is not said is not compared; but where machines are has to be known.
    files.cluster.spec.networking.subnets[0].cidr = None;
    assert_eq!(facts(&files), [all[0].clone(), all[2].clone()]);
    files.cluster.spec.networking.subnets[0].zone = None;
    let problems = validate(&files.cluster, &files.instance_groups).to_string();
    assert!(!problems.contains("spec.subnets[0].zone"), "{problems}");
    assert!(has(&errors(&files, zonal()), &["spec.subnets[0].zone", "has not been looked up"]));
}
