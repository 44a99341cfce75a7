//! The yardstick: kOps' own highly available cluster in three zones, private, with bastion.

use std::collections::BTreeMap;

use super::support::{counts, graph, ha_private, names, summary};
use crate::extensions::NodeTemplate;
use crate::model::scope_of;
use kops_core::graph::Input;
use kops_core::resource::{
    Direction, Egress, FirewallRule, FirewallRules, InstanceGroup, LoadBalancer, NatGateway, Peer, Scheme,
    Subnet, Volume,
};

/// kOps makes of the same cluster, on AWS: 6 subnets, 3 NAT gateways and addresses, 5 security groups, 2 load
/// balancers, 6 volumes, 7 auto scaling groups, 3 roles. Here a group stands for its launch template and hooks
/// too, rules of a firewall are one task, a subnet stands for its route table and association; what handles
/// terminations (queue and event rules) is not made.
#[test]
fn it_has_what_kops_makes() {
    let expected = BTreeMap::from([
        ("Network", 1),
        ("InternetGateway", 1),
        ("Subnet", 6),
        ("Address", 3),
        ("NatGateway", 3),
        ("Firewall", 5),
        ("FirewallRules", 5),
        ("LoadBalancer", 2),
        ("DnsZone", 1),
        ("DnsRecord", 3),
        ("Volume", 6),
        ("Identity", 3),
        ("SshKey", 1),
        ("InstanceGroup", 7),
    ]);
    assert_eq!(counts(&graph(&ha_private())), expected);
}

#[test]
fn things_are_called_as_kops_calls_them() {
    let golden = include_str!("../testdata/ha-private.txt");
    assert_eq!(summary(&graph(&ha_private())), golden);
}

#[test]
fn the_same_specification_gives_the_same_graph() {
    assert_eq!(graph(&ha_private()), graph(&ha_private()));
}

#[test]
fn private_machines_go_out_in_their_own_zone() {
    let graph = graph(&ha_private());
    let subnet: Subnet = graph.spec("us-test-1b.ha.example.com").unwrap();
    let nat = kops_core::graph::Handle::<NatGateway>::named("us-test-1b.ha.example.com");
    assert_eq!(subnet.egress, Egress::Nat(nat.id()));
    let nat: NatGateway = graph.spec("us-test-1b.ha.example.com").unwrap();
    let utility = kops_core::graph::Handle::<Subnet>::named("utility-us-test-1b.ha.example.com");
    assert_eq!(nat.subnet, Some(utility.id()));
    let utility: Subnet = graph.spec("utility-us-test-1b.ha.example.com").unwrap();
    assert!(matches!(utility.egress, Egress::Internet(_)));
    assert_eq!(utility.labels["kubernetes.io/role/elb"], "1");
    assert!(!utility.labels.contains_key("kubernetes.io/role/internal-elb"));
    assert_eq!(subnet.labels["kubernetes.io/role/internal-elb"], "1");
}

/// Who may reach a firewall's machines, as `protocol ports from`.
fn ingress(graph: &kops_core::graph::TaskGraph, firewall: &str) -> Vec<String> {
    let rules: FirewallRules = graph.spec(firewall).unwrap();
    let shown = |rule: &FirewallRule| {
        let ports = rule.ports.map_or("all".to_owned(), |ports| format!("{}-{}", ports.from, ports.to));
        let peer = match &rule.peer {
            Peer::Cidr(cidr) => cidr.to_string(),
            Peer::Group(Input::Output(output)) => output.task.name().to_owned(),
            Peer::Address(Input::Output(output)) => output.to_string(),
            other => format!("{other:?}"),
        };
        format!("{:?} {ports} from {peer}", rule.protocol)
    };
    let ingress = rules.rules.iter().filter(|rule| rule.direction == Direction::Ingress);
    let mut shown: Vec<_> = ingress.map(shown).collect();
    shown.sort();
    shown
}

#[test]
fn machines_talk_as_kops_lets_them() {
    let graph = graph(&ha_private());
    assert_eq!(
        ingress(&graph, "masters.ha.example.com"),
        [
            "Any all from masters.ha.example.com",
            "Icmp 3-4 from api-elb.ha.example.com",
            "Tcp 1-2378 from nodes.ha.example.com",
            "Tcp 22-22 from bastion.ha.example.com",
            "Tcp 2382-4000 from nodes.ha.example.com",
            "Tcp 4003-65535 from nodes.ha.example.com",
            "Tcp 443-443 from api-elb.ha.example.com",
            "Udp 1-65535 from nodes.ha.example.com",
        ]
    );
    assert_eq!(
        ingress(&graph, "nodes.ha.example.com"),
        [
            "Any all from masters.ha.example.com",
            "Any all from nodes.ha.example.com",
            "Tcp 22-22 from bastion.ha.example.com",
        ]
    );
    assert_eq!(
        ingress(&graph, "bastion.ha.example.com"),
        ["Icmp 3-4 from bastion-elb.ha.example.com", "Tcp 22-22 from bastion-elb.ha.example.com"]
    );
    assert_eq!(
        ingress(&graph, "bastion-elb.ha.example.com"),
        [
            "Icmp 3-4 from 0.0.0.0/0",
            "Icmp 3-4 from bastion.ha.example.com",
            "IcmpV6 2-0 from ::/0",
            "Tcp 22-22 from 0.0.0.0/0",
            "Tcp 22-22 from ::/0",
        ]
    );
    assert_eq!(
        ingress(&graph, "api-elb.ha.example.com"),
        [
            "Icmp 3-4 from 0.0.0.0/0",
            "Icmp 3-4 from masters.ha.example.com",
            "IcmpV6 2-0 from ::/0",
            "Tcp 443-443 from 0.0.0.0/0",
            "Tcp 443-443 from ::/0",
        ]
    );
    let out = |name: &str| {
        let rules: FirewallRules = graph.spec(name).unwrap();
        rules.rules.iter().filter(|rule| rule.direction == Direction::Egress).count()
    };
    for firewall in names(&graph, "Firewall") {
        assert_eq!(out(firewall), 2, "{firewall} lets everything out, in IPv4 and IPv6");
    }
}

#[test]
fn machines_behind_nat_reach_a_guarded_api() {
    let mut files = ha_private();
    files.cluster.spec.api.access = vec!["192.0.2.0/24".parse().unwrap(), "pl-0123".parse().unwrap()];
    let rules = ingress(&graph(&files), "api-elb.ha.example.com");
    for rule in [
        "Tcp 443-443 from ${Address/us-test-1a.ha.example.com.ip}",
        "Tcp 443-443 from ${Address/us-test-1c.ha.example.com.ip}",
        "Tcp 443-443 from 192.0.2.0/24",
        "Tcp 443-443 from PrefixList(\"pl-0123\")",
    ] {
        assert!(rules.iter().any(|it| it == rule), "{rule} in {rules:#?}");
    }
}

#[test]
fn load_balancers_stand_in_the_utility_subnets() {
    let graph = graph(&ha_private());
    for (name, ports) in [("api.ha.example.com", [443]), ("bastion.ha.example.com", [22])] {
        let balancer: LoadBalancer = graph.spec(name).unwrap();
        assert_eq!(balancer.scheme, Scheme::Public);
        assert_eq!(balancer.subnets.len(), 3);
        let utility = balancer.subnets.iter().filter(|subnet| format!("{subnet:?}").contains("utility-"));
        assert_eq!(utility.count(), 3);
        assert!(balancer.listeners.iter().map(|listener| listener.port).eq(ports));
    }
}

#[test]
fn etcds_disks_carry_the_labels_that_their_machines_look_for() {
    let graph = graph(&ha_private());
    let volume: Volume = graph.spec("b.etcd-main.ha.example.com").unwrap();
    assert_eq!(volume.zone, "us-test-1b");
    assert!(volume.encrypted);
    let labels: Vec<_> = volume.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(labels, ["k8s.io/etcd/main=b/a,b,c", "k8s.io/role/control-plane=1", "k8s.io/role/master=1"]);
}

#[test]
fn groups_are_as_specified() {
    let mut files = ha_private();
    let nodes = &mut files.instance_groups[3].spec;
    nodes.max_size = Some(5);
    nodes.taints = vec!["dedicated=web:NoSchedule".to_owned(), "gpu:NoExecute".to_owned()];
    nodes.node_labels.insert("example.com/tier".to_owned(), "web".to_owned());
    nodes.cloud_labels.insert("cost".to_owned(), "7".to_owned());
    nodes.max_price = Some("0.25".to_owned());
    nodes.additional_security_groups = vec!["sg-1".to_owned()];
    files.instance_groups[4].spec.additional_security_groups = vec!["sg-1".to_owned()];
    let graph = graph(&files);

    let control: InstanceGroup = graph.spec("control-plane-us-test-1a.masters.ha.example.com").unwrap();
    assert_eq!(control.load_balancers.len(), 1);
    assert_eq!(control.options.public_ip, Some(false));
    assert_eq!(control.labels["k8s.io/role/control-plane"], "1");
    let nodes: InstanceGroup = graph.spec("nodes-us-test-1a.ha.example.com").unwrap();
    assert_eq!((nodes.min, nodes.max), (1, 5));
    assert!(nodes.load_balancers.is_empty());
    let template = nodes.extensions.get::<NodeTemplate>().unwrap().unwrap();
    let taints: Vec<_> = template.taints.iter().map(ToString::to_string).collect();
    assert_eq!(taints, ["dedicated=web:NoSchedule", "gpu=:NoExecute"]);
    assert_eq!(nodes.labels["kops.k8s.io/instancegroup"], "nodes-us-test-1a");
    assert_eq!(nodes.labels["cost"], "7");
    assert_eq!(nodes.spot.unwrap().max_price.as_deref(), Some("0.25"));
    assert_eq!(nodes.firewalls.len(), 2);
    assert_eq!(names(&graph, "Firewall").iter().filter(|name| **name == "sg-1").count(), 1);
    let bastion: InstanceGroup = graph.spec("bastions.ha.example.com").unwrap();
    assert_eq!(bastion.options.public_ip, Some(true));
    assert_eq!(bastion.user_data, None);
}

#[test]
fn a_cluster_owns_what_carries_its_name_and_labels_it() {
    let scope = scope_of(&ha_private().cluster);
    assert_eq!(scope.name(), "ha.example.com");
    assert_eq!(scope.extra_labels()["team"], "platform");
}
