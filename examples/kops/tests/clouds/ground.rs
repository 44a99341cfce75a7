//! What is asked for stands on something: a plain cluster, or a network with a subnet.

use std::collections::{BTreeMap, BTreeSet};

use kops_cluster::{ClusterFiles, LoadBalancerType, NewCluster, SshCredential, new_cluster};
use kops_core::graph::{GraphBuilder, Handle, TaskGraph};
use kops_core::resource::{
    Address, Extensions, Firewall, HealthCheck, InstanceGroup, InternetGateway, Listener, LoadBalancer,
    MachineOptions, NatGateway, Network, Protocol, RootVolume, Scheme, SshKey, Subnet,
};

use crate::offline::Offline;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ada@example";

/// A cluster of one control plane and one node, with other `options` and another specification.
pub(crate) fn cluster(
    offline: &Offline,
    options: fn(&mut NewCluster, &Offline),
    edit: fn(&mut ClusterFiles, &Offline),
) -> Result<ClusterFiles, kops_cluster::Problems> {
    let mut new = NewCluster {
        name: "demo.example.com".to_owned(),
        cloud: offline.cloud.name().to_owned(),
        zones: vec![offline.zones[0].to_owned()],
        control_plane_size: Some("large".to_owned()),
        node_size: Some("large".to_owned()),
        image: Some("image".to_owned()),
        api_load_balancer: Some(LoadBalancerType::Public),
        ..NewCluster::default()
    };
    options(&mut new, offline);
    let (cluster, instance_groups) = new_cluster(&new)?;
    let mut key = SshCredential::default();
    "admin".clone_into(&mut key.metadata.name);
    KEY.clone_into(&mut key.spec.public_key);
    let mut files = ClusterFiles { cluster, instance_groups, ssh_keys: vec![key] };
    edit(&mut files, offline);
    Ok(files)
}

/// A graph with a network, a subnet, a firewall and an SSH key.
pub(crate) struct Ground<'a> {
    pub(crate) offline: &'a Offline,
    pub(crate) graph: GraphBuilder,
    pub(crate) network: Handle<Network>,
    pub(crate) subnet: Handle<Subnet>,
    pub(crate) wall: Handle<Firewall>,
    pub(crate) key: Handle<SshKey>,
}

impl<'a> Ground<'a> {
    pub(crate) fn new(offline: &'a Offline) -> Self {
        let mut graph = TaskGraph::builder();
        let network = graph.add("main", network());
        let subnet = graph.add("main", subnet(&network, offline, "10.0.1.0/24"));
        let wall = Firewall { network: network.id(), description: "machines".to_owned() };
        let wall = graph.add("wall", wall);
        let key = graph.add("admin", SshKey::new(KEY));
        Self { offline, graph, network, subnet, wall, key }
    }

    /// A NAT gateway with an address, and a subnet that goes out by it.
    pub(crate) fn gateway(&mut self) {
        let door = self.graph.add("main", InternetGateway { network: self.network.id() });
        let open = subnet(&self.network, self.offline, "10.0.2.0/24").public(door.id());
        let open = self.graph.add("open", open);
        let address = self.graph.add("nat", Address {});
        let subnet_of_gateway = self.offline.cloud.capabilities().zonal_nat_gateways.then(|| open.id());
        let nat = NatGateway { network: self.network.id(), subnet: subnet_of_gateway, address: address.id() };
        let nat = self.graph.add("nat", nat);
        let closed = subnet(&self.network, self.offline, "10.0.3.0/24").behind(nat.id());
        self.graph.add("closed", closed);
    }

    /// A load balancer with one port.
    pub(crate) fn balance(&mut self, name: &str, scheme: Scheme, listener: Listener) -> Handle<LoadBalancer> {
        let balancer = LoadBalancer {
            network: self.network.id(),
            subnets: [self.subnet.id()].into(),
            scheme,
            firewalls: BTreeSet::new(),
            listeners: vec![listener],
            cross_zone: false,
            extensions: Extensions::default(),
        };
        self.graph.add(name, balancer)
    }
}

/// A network of IPv4.
pub(crate) fn network() -> Network {
    Network { cidrs: vec!["10.0.0.0/16".parse().unwrap()], ipv6: false }
}

fn subnet(network: &Handle<Network>, offline: &Offline, cidr: &str) -> Subnet {
    let zone = offline.zones[0].to_owned();
    Subnet {
        zone: offline.cloud.capabilities().zonal_subnets.then_some(zone),
        ..Subnet::new(network.id(), cidr.parse().unwrap(), "")
    }
}

/// A port for TCP, or what `other` makes of it.
pub(crate) fn listener(other: impl FnOnce(&mut Listener)) -> Listener {
    let mut listener = Listener {
        port: 443,
        protocol: Protocol::Tcp,
        target_port: 443,
        health_check: HealthCheck::default(),
        certificate: None,
    };
    other(&mut listener);
    listener
}

/// A group of one machine.
pub(crate) fn group(on: &Ground<'_>) -> InstanceGroup {
    InstanceGroup {
        subnets: [on.subnet.id()].into(),
        zones: if on.offline.cloud.capabilities().zonal_subnets {
            BTreeSet::new()
        } else {
            [on.offline.zones[0].to_owned()].into()
        },
        image: "image".to_owned(),
        machine_type: "large".to_owned(),
        min: 1,
        max: 1,
        firewalls: [on.wall.id()].into(),
        identity: None,
        ssh_key: Some(on.key.id()),
        user_data: None,
        root_volume: RootVolume { size: 20, ..RootVolume::default() },
        volumes: BTreeMap::new(),
        load_balancers: BTreeSet::new(),
        options: MachineOptions::default(),
        spot: None,
        labels: BTreeMap::new(),
        extensions: Extensions::default(),
    }
}
