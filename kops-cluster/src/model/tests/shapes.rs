//! Other shapes: public, without DNS, in existing networks, on other kinds of clouds.

use super::support::{
    build_with, counts, graph, group, ha_private, ha_public, has, names, regional, summary, try_build,
    warnings, zonal,
};
use crate::bootstrap::{BootMachine, JoinService, NodeBootstrap};
use crate::bundle::StoreFiles;
use crate::model::dns_zone;
use crate::spec::{
    Api, ApiDns, ApiLoadBalancer, CloudProvider, Cluster, DnsType, GceCloud, LoadBalancerSubnet,
    LoadBalancerType, Opaque, Problems, Role, RouteSpec, Topology,
};
use kops_core::graph::{Handle, Input, Key, Lifecycle, Secret};
use kops_core::resource::{
    Address, DnsRecord, DnsTarget, DnsZone, Egress, FirewallRules, Identity, InstanceGroup, LoadBalancer,
    NatGateway, Network, Peer, Protocol, Scheme, Subnet,
};

fn selector(graph: &kops_core::graph::TaskGraph, kind: &str, name: &str) -> String {
    match &graph.get(&Key::new(kind, name)).unwrap().lifecycle {
        Lifecycle::Shared { selector, .. } => selector.clone(),
        other => panic!("{kind}/{name} is {other:?}"),
    }
}

#[test]
fn a_public_cluster_needs_no_nat() {
    let graph = graph(&ha_public());
    let counts = counts(&graph);
    assert_eq!((counts.get("NatGateway"), counts.get("Address")), (None, None));
    assert_eq!(counts["Subnet"], 3);
    let nodes: InstanceGroup = graph.spec("nodes-us-test-1a.ha.example.com").unwrap();
    assert_eq!(nodes.options.public_ip, Some(true));
    let subnet: Subnet = graph.spec("us-test-1a.ha.example.com").unwrap();
    assert_eq!(subnet.labels["kubernetes.io/role/internal-elb"], "1", "there is nothing private");
    // Without a bastion SSH reaches machines directly.
    let rules: FirewallRules = graph.spec("nodes.ha.example.com").unwrap();
    let ssh = rules.rules.iter().filter(|rule| rule.ports.is_some_and(|ports| ports.from == 22));
    assert_eq!(ssh.count(), 2);
}

#[test]
fn subnets_are_labelled_for_load_balancers_unless_that_is_refused() {
    let labels = |files: &crate::spec::ClusterFiles| -> Vec<String> {
        let graph = graph(files);
        let subnets = graph.specs::<Subnet>().unwrap();
        subnets.into_iter().flat_map(|(_, subnet)| subnet.labels.into_keys()).collect()
    };
    let mut files = ha_private();
    // Three private subnets and three of the load balancers, each with its type and one role.
    assert_eq!(labels(&files).len(), 12);
    files.cluster.spec.networking.tag_subnets = Some(false);
    assert_eq!(labels(&files), Vec::<String>::new());
}

#[test]
fn without_dns_machines_use_the_load_balancers_name() {
    let mut files = ha_private();
    let networking = &mut files.cluster.spec.networking;
    networking.topology = Some(Topology { dns: Some(DnsType::None), ..Topology::default() });
    let graph = graph(&files);
    assert_eq!(names(&graph, "DnsZone").len() + names(&graph, "DnsRecord").len(), 0);
    assert!(dns_zone(&files.cluster).is_none());
    let nodes: InstanceGroup = graph.spec("nodes-us-test-1a.ha.example.com").unwrap();
    let user_data = serde_json::to_string(&nodes.user_data).unwrap();
    assert!(
        user_data.contains(r#""task":"LoadBalancer/api.ha.example.com","output":"dns_name""#),
        "{user_data}"
    );
}

#[test]
fn a_private_zone_is_looked_up_among_private_ones() {
    let mut files = ha_private();
    files.cluster.spec.networking.topology.as_mut().unwrap().dns = Some(DnsType::Private);
    let built = try_build(&files, zonal()).unwrap();
    assert_eq!(selector(&built.graph, "DnsZone", "example.com"), DnsZone::selector("example.com", true));
    assert!(has(&warnings(&files, zonal()), &["spec.dnsZone", "associate"]));
    // An identifier selects as it is.
    files.cluster.spec.dns_zone = Some("Z123".to_owned());
    assert_eq!(selector(&graph(&files), "DnsZone", "Z123"), "Z123");
    // Without one the zone is the longest that the cluster's name is in.
    files.cluster.spec.dns_zone = None;
    let graph = graph(&files);
    assert_eq!(names(&graph, "DnsZone"), ["ha.example.com"]);
    let task = graph.get(dns_zone(&files.cluster).unwrap().key()).unwrap();
    assert_eq!(selector(&graph, "DnsZone", "ha.example.com"), "private:ha.example.com");
    assert_eq!(task.options.alternatives, ["private:example.com", "private:com"]);
}

#[test]
fn an_api_found_by_dns_alone_begins_as_a_placeholder() {
    let mut files = ha_public();
    files.cluster.spec.api =
        Api { dns: Some(ApiDns::default()), load_balancer: None, ..files.cluster.spec.api };
    let graph = graph(&files);
    assert_eq!(names(&graph, "LoadBalancer"), [""; 0]);
    for name in ["api.ha.example.com", "api.internal.ha.example.com"] {
        let task = graph.get(&Key::new("DnsRecord", name)).unwrap();
        assert_eq!(task.lifecycle, Lifecycle::CreateOnly);
        let record: DnsRecord = graph.spec(name).unwrap();
        assert!(matches!(record.target, DnsTarget::Values(_)));
    }
    assert!(has(&warnings(&files, zonal()), &["spec.api", "placeholder"]));
    // The API's port is open on the machines themselves.
    let rules: FirewallRules = graph.spec("masters.ha.example.com").unwrap();
    let open = rules.rules.iter().filter(|rule| {
        rule.ports.is_some_and(|ports| ports.from == 443) && matches!(rule.peer, Peer::Cidr(_))
    });
    assert_eq!(open.count(), 2);
}

#[test]
fn an_internal_load_balancer_stands_in_private_subnets() {
    let mut files = ha_private();
    let balancer = files.cluster.spec.api.load_balancer.as_mut().unwrap();
    balancer.r#type = Some(LoadBalancerType::Internal);
    balancer.additional_security_groups = vec!["sg-lb".to_owned()];
    files.cluster.spec.api.access = vec!["10.0.0.0/8".parse().unwrap()];
    let graph = graph(&files);
    let balancer: LoadBalancer = graph.spec("api.ha.example.com").unwrap();
    assert_eq!(balancer.scheme, Scheme::Internal);
    assert!(!format!("{:?}", balancer.subnets).contains("utility-"));
    assert_eq!(balancer.firewalls.len(), 2);
    // Machines get in as themselves.
    let rules: FirewallRules = graph.spec("api-elb.ha.example.com").unwrap();
    let nodes = Peer::Group(Handle::named("nodes.ha.example.com").id());
    assert!(rules.rules.iter().any(|rule| rule.peer == nodes));
    assert!(warnings(&files, zonal()).is_empty());
}

#[test]
fn load_balancers_stand_where_they_are_told() {
    let mut files = ha_private();
    let balancer = files.cluster.spec.api.load_balancer.as_mut().unwrap();
    balancer.subnets =
        vec![LoadBalancerSubnet { name: "utility-us-test-1c".to_owned(), ..LoadBalancerSubnet::default() }];
    balancer.security_group_override = Some("sg-api".to_owned());
    balancer.ssl_certificate = Some("arn:aws:acm:us-test-1:0:certificate/1".to_owned());
    let graph = graph(&files);
    let balancer: LoadBalancer = graph.spec("api.ha.example.com").unwrap();
    assert_eq!(balancer.subnets.len(), 1);
    let ports: Vec<_> = balancer.listeners.iter().map(|it| (it.port, it.certificate.is_some())).collect();
    assert_eq!(ports, [(443, true), (8443, false)]);
    assert_eq!(selector(&graph, "Firewall", "sg-api"), "sg-api");
    assert!(has(
        &warnings(&files, zonal()),
        &["spec.api.loadBalancer.securityGroupOverride", "sg-api", "443"]
    ));
    // Its rules are its owner's; the control plane lets it in.
    assert!(!names(&graph, "FirewallRules").iter().any(|name| name.contains("api")));
    let rules: FirewallRules = graph.spec("masters.ha.example.com").unwrap();
    let balancer = Peer::Group(Handle::named("sg-api").id());
    assert!(rules.rules.iter().any(|rule| rule.peer == balancer));
}

#[test]
fn existing_networks_and_subnets_are_left_alone() {
    let mut files = ha_private();
    let networking = &mut files.cluster.spec.networking;
    networking.network_id = Some("vpc-1".to_owned());
    for (at, subnet) in networking.subnets.iter_mut().enumerate() {
        subnet.id = Some(format!("subnet-{at}"));
        subnet.cidr = None;
    }
    let graph = graph(&files);
    assert_eq!(selector(&graph, "Network", "ha.example.com"), "vpc-1");
    assert_eq!(selector(&graph, "Subnet", "utility-us-test-1a.ha.example.com"), "subnet-3");
    let made: Vec<_> = ["InternetGateway", "NatGateway", "Address"]
        .into_iter()
        .flat_map(|kind| names(&graph, kind))
        .collect();
    assert_eq!(made, [""; 0]);
}

#[test]
fn own_subnets_in_an_existing_network_use_its_gateway() {
    let mut files = ha_private();
    files.cluster.spec.networking.network_id = Some("vpc-1".to_owned());
    let graph = graph(&files);
    assert_eq!(selector(&graph, "InternetGateway", "ha.example.com"), "vpc-1");
    assert_eq!(names(&graph, "NatGateway").len(), 3);
}

#[test]
fn the_way_out_can_be_given() {
    let mut files = ha_private();
    let subnets = &mut files.cluster.spec.networking.subnets;
    subnets[0].egress = Some("nat-1".to_owned());
    subnets[1].egress = Some("eipalloc-1".to_owned());
    subnets[2].egress = Some("tgw-1".to_owned());
    subnets[2].additional_routes = vec![RouteSpec {
        cidr: Some("192.168.0.0/16".parse().unwrap()),
        target: "pcx-1".to_owned(),
        ..RouteSpec::default()
    }];
    let graph = graph(&files);
    assert_eq!(selector(&graph, "NatGateway", "us-test-1a.ha.example.com"), "nat-1");
    assert_eq!(selector(&graph, "Address", "us-test-1b.ha.example.com"), "eipalloc-1");
    let nat: NatGateway = graph.spec("us-test-1b.ha.example.com").unwrap();
    assert_eq!(nat.address, Handle::<Address>::named("us-test-1b.ha.example.com").id());
    let subnet: Subnet = graph.spec("us-test-1c.ha.example.com").unwrap();
    assert_eq!(subnet.egress, Egress::Existing("tgw-1".to_owned()));
    assert_eq!(subnet.routes.first().unwrap().target, "pcx-1");
    // The addresses of an API that is not for everybody: that of the gateway at tgw-1 is not known.
    files.cluster.spec.api.access = vec!["192.0.2.0/24".parse().unwrap()];
    let warnings = warnings(&files, zonal());
    assert!(has(&warnings, &["spec.kubernetesApiAccess", "us-test-1c"]), "{warnings:?}");

    files.cluster.spec.networking.subnets[2].egress = Some("External".to_owned());
    let graph = super::support::graph(&files);
    let subnet: Subnet = graph.spec("us-test-1c.ha.example.com").unwrap();
    assert_eq!(subnet.egress, Egress::None);
}

#[test]
fn a_public_address_of_ones_own_is_used() {
    let mut files = ha_private();
    files.cluster.spec.networking.subnets[0].public_ip = Some("203.0.113.7".to_owned());
    assert_eq!(selector(&graph(&files), "Address", "us-test-1a.ha.example.com"), "203.0.113.7");
}

#[test]
fn where_subnets_span_zones_one_nat_gateway_serves_all() {
    let mut files = ha_private();
    let networking = &mut files.cluster.spec.networking;
    networking.subnets.truncate(1);
    networking.subnets[0].zone = None;
    networking.subnets[0].name = "us-test1".to_owned();
    for group in &mut files.instance_groups {
        let zone =
            group.name().rsplit_once("us-").map_or("us-test-1a".to_owned(), |(_, rest)| format!("us-{rest}"));
        group.spec.subnets = vec!["us-test1".to_owned()];
        group.spec.zones = vec![zone];
    }
    let graph = try_build(&files, regional()).unwrap_or_else(|problems| panic!("{problems}")).graph;
    assert_eq!(names(&graph, "NatGateway"), ["ha.example.com"]);
    let nat: NatGateway = graph.spec("ha.example.com").unwrap();
    assert_eq!(nat.subnet, None);
    assert_eq!(nat.network, Handle::<Network>::named("ha.example.com").id());
    let nodes: InstanceGroup = graph.spec("nodes-us-test-1b.ha.example.com").unwrap();
    assert_eq!(nodes.zones.into_iter().collect::<Vec<_>>(), ["us-test-1b"]);
    assert_eq!(names(&graph, "Volume").len(), 6);

    // Where nothing translates addresses for a network, the gateway does.
    let routers = regional().nat_gateways(false);
    let graph = try_build(&files, routers).unwrap().graph;
    let subnet: Subnet = graph.spec("us-test1.ha.example.com").unwrap();
    assert!(matches!(subnet.egress, Egress::Internet(_)));
    assert_eq!(names(&graph, "NatGateway"), [""; 0]);
}

#[test]
fn groups_may_bring_firewall_and_identity() {
    let mut files = ha_private();
    for group in files.instance_groups.iter_mut().filter(|group| group.role() == Role::Node) {
        group.spec.security_group_override = Some("sg-nodes".to_owned());
        group.spec.iam = Some(crate::spec::IamProfile {
            profile: Some("arn:aws:iam::0:instance-profile/nodes".to_owned()),
            ..Default::default()
        });
    }
    let graph = graph(&files);
    assert_eq!(names(&graph, "Identity").len(), 3);
    assert_eq!(selector(&graph, "Firewall", "sg-nodes"), "sg-nodes");
    assert!(!names(&graph, "Firewall").contains(&"nodes.ha.example.com"));
    let nodes: InstanceGroup = graph.spec("nodes-us-test-1a.ha.example.com").unwrap();
    let profile = Handle::<Identity>::named("arn:aws:iam::0:instance-profile/nodes");
    assert_eq!(nodes.identity, Some(profile.id()));
    let warned = warnings(&files, zonal());
    assert!(
        has(&warned, &["InstanceGroup/nodes-us-test-1a", "spec.securityGroupOverride", "sg-nodes"]),
        "{warned:?}"
    );
}

#[test]
fn all_machines_may_run_under_one_existing_identity() {
    let mut files = ha_private();
    let account = "machines@project.iam.gserviceaccount.com";
    let settings = GceCloud { service_account: Some(account.to_owned()), ..GceCloud::default() };
    files.cluster.spec.cloud_provider = Some(CloudProvider::Gce(settings));
    let graph = graph(&files);
    assert_eq!(names(&graph, "Identity"), [account]);
    assert_eq!(selector(&graph, "Identity", account), account);
    let nodes: InstanceGroup = graph.spec("nodes-us-test-1a.ha.example.com").unwrap();
    assert_eq!(nodes.identity, Some(Handle::<Identity>::named(account).id()));
}

#[test]
fn existing_ssh_keys_are_used() {
    let mut files = ha_private();
    files.cluster.spec.ssh_key_name = Some("operators".to_owned());
    assert_eq!(selector(&graph(&files), "SshKey", "operators"), "operators");
    files.cluster.spec.ssh_key_name = None;
    files.ssh_keys.clear();
    let graph = graph(&files);
    assert_eq!(names(&graph, "SshKey"), [""; 0]);
    let nodes: InstanceGroup = graph.spec("nodes-us-test-1a.ha.example.com").unwrap();
    assert_eq!(nodes.ssh_key, None);
}

#[test]
fn network_plugins_have_their_say_about_firewalls() {
    let node_rules = |plugin: &str, settings: serde_json::Value| {
        let mut files = ha_private();
        let networking = &mut files.cluster.spec.networking;
        networking.cilium = None;
        *networking.plugin_mut(plugin).unwrap() = Some(Opaque(settings));
        let rules: FirewallRules = graph(&files).spec("masters.ha.example.com").unwrap();
        let nodes = Peer::Group(Handle::named("nodes.ha.example.com").id());
        rules.rules.into_iter().filter(|rule| rule.peer == nodes).collect::<Vec<_>>()
    };
    let ip_in_ip = |rules: &[kops_core::resource::FirewallRule]| {
        rules.iter().any(|it| it.protocol == Protocol::Number(4))
    };
    assert!(ip_in_ip(&node_rules("calico", serde_json::json!({}))));
    assert!(!ip_in_ip(&node_rules("cilium", serde_json::json!({}))));
    // Pods with addresses of the network have the firewall of their machines: etcd is not for them, either.
    let native = node_rules("amazonvpc", serde_json::json!({}));
    assert_eq!(node_rules("cilium", serde_json::json!({"ipam": "eni"})), native);
    assert!(native.iter().all(|rule| rule.protocol != Protocol::Any));
    let reaches = |port: u16| {
        let tcp = native.iter().filter(|rule| rule.protocol == Protocol::Tcp);
        tcp.filter_map(|rule| rule.ports).any(|it| (it.from..=it.to).contains(&port))
    };
    assert!(reaches(443) && !reaches(2380));
    let etcd = node_rules("cilium", serde_json::json!({"etcdManaged": true}));
    assert!(etcd.iter().any(|rule| rule.ports.is_some_and(|ports| ports.from == 2383)));
    // So has a third cluster of etcd.
    let mut files = ha_private();
    let mut leases = files.cluster.spec.etcd_clusters[0].clone();
    leases.name = "leases".to_owned();
    files.cluster.spec.etcd_clusters.push(leases);
    let rules: FirewallRules = graph(&files).spec("masters.ha.example.com").unwrap();
    assert!(rules.rules.iter().any(|rule| rule.ports.is_some_and(|ports| ports.from == 2383)));
}

#[test]
fn service_ports_are_open_to_whom_they_should() {
    let mut files = ha_private();
    files.cluster.spec.node_port_access = vec!["10.0.0.0/8".parse().unwrap()];
    files.cluster.spec.kube_api_server =
        Some(Opaque(serde_json::json!({"serviceNodePortRange": "31000-31999"})));
    let rules: FirewallRules = graph(&files).spec("nodes.ha.example.com").unwrap();
    let open =
        rules.rules.iter().filter(|rule| rule.ports.is_some_and(|it| (it.from, it.to) == (31000, 31999)));
    assert_eq!(open.count(), 2, "TCP and UDP");
}

#[test]
fn groups_of_one_role_share_what_the_role_has() {
    let mut files = ha_private();
    let more: Vec<_> = (0..100).map(|at| group(&format!("more-{at}"), Role::Node, "us-test-1a")).collect();
    let before = counts(&graph(&files)).values().sum::<usize>();
    files.instance_groups.extend(more);
    assert_eq!(counts(&graph(&files)).values().sum::<usize>(), before + 100);
}

/// A bootstrap as kOps has it, with a service on the control plane that hands out certificates.
#[derive(Debug)]
struct Kops(Vec<JoinService>);

impl NodeBootstrap for Kops {
    fn user_data(&self, _: &BootMachine<'_>, _: &mut StoreFiles, _: &mut Problems) -> Option<Input<Secret>> {
        None
    }

    fn join_services(&self) -> &[JoinService] {
        &self.0
    }

    fn answers_probes(&self, _: &Cluster) -> bool {
        true
    }
}

#[test]
fn what_machines_join_by_is_passed_on() {
    let files = ha_private();
    let bootstrap = Kops(vec![JoinService::new("kops-controller", 3988)]);
    let graph = build_with(&files, zonal(), &bootstrap).unwrap().graph;
    let balancer: LoadBalancer = graph.spec("api.ha.example.com").unwrap();
    assert!(balancer.listeners.iter().map(|listener| listener.port).eq([443, 3988]));
    let paths = balancer.listeners.iter().map(|it| it.health_check.https_path.as_deref());
    assert!(paths.eq([Some("/readyz"), None]), "{:?}", balancer.listeners);
    assert!(names(&graph, "DnsRecord").contains(&"kops-controller.internal.ha.example.com"));
    for firewall in ["masters.ha.example.com", "api-elb.ha.example.com"] {
        let rules: FirewallRules = graph.spec(firewall).unwrap();
        assert!(
            rules.rules.iter().any(|rule| rule.ports.is_some_and(|ports| ports.from == 3988)),
            "{firewall}"
        );
    }
}

#[test]
fn an_existing_network_looks_like_this() {
    let mut files = ha_public();
    let networking = &mut files.cluster.spec.networking;
    networking.network_id = Some("vpc-1".to_owned());
    networking.topology = Some(Topology { dns: Some(DnsType::None), ..Topology::default() });
    for (at, subnet) in networking.subnets.iter_mut().enumerate() {
        subnet.id = Some(format!("subnet-{at}"));
    }
    files.cluster.spec.api.load_balancer = Some(ApiLoadBalancer::default());
    assert_eq!(summary(&graph(&files)), include_str!("../testdata/shared-public.txt"));
}
