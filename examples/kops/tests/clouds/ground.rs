//! What is asked for stands on something: a plain cluster, or a network with a subnet.

use std::collections::BTreeSet;

use kops_cluster::{ClusterFiles, LoadBalancerType, NewCluster, SshCredential, new_cluster};
use kops_core::graph::{GraphBuilder, Handle, TaskGraph};
use kops_core::resource::{
    Address, Firewall, InstanceDisk, InstanceGroup, InternetGateway, Listener, LoadBalancer, NatGateway,
    Network, Scheme, SshKey, Subnet,
};

use crate::offline::Offline;

pub(crate) const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ada@example";

/// A cluster of one control plane and one node, with other `options` and another specification.
pub(crate) fn cluster(
    offline: &Offline,
    options: fn(&mut NewCluster, &Offline),
    edit: fn(&mut ClusterFiles, &Offline),
) -> Result<ClusterFiles, kops_cluster::Problems> {
    let mut new = NewCluster::new("demo.example.com", offline.cloud.name().to_owned())
        .zones([offline.zones[0]])
        .control_plane_size("large")
        .node_size("large")
        .image("image")
        .api_load_balancer(LoadBalancerType::Public);
    options(&mut new, offline);
    let (cluster, instance_groups) = new_cluster(&new)?;
    let mut key = SshCredential::default();
    "admin".clone_into(&mut key.metadata.name);
    KEY.clone_into(&mut key.spec.public_key);
    let mut files = ClusterFiles::new(cluster, instance_groups, [key]);
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
        let wall = Firewall::new(network.id(), "machines");
        let wall = graph.add("wall", wall);
        let key = graph.add("admin", SshKey::new(KEY));
        Self { offline, graph, network, subnet, wall, key }
    }

    /// A NAT gateway with an address, and a subnet that goes out by it.
    pub(crate) fn gateway(&mut self) {
        let door = self.graph.add("main", InternetGateway::new(self.network.id()));
        let open = subnet(&self.network, self.offline, "10.0.2.0/24").public(door.id());
        let open = self.graph.add("open", open);
        let address = self.graph.add("nat", Address::new());
        let subnet_of_gateway = self.offline.cloud.capabilities().zonal_nat_gateways.then(|| open.id());
        let nat = NatGateway::new(self.network.id(), address.id()).subnet(subnet_of_gateway);
        let nat = self.graph.add("nat", nat);
        let closed = subnet(&self.network, self.offline, "10.0.3.0/24").behind(nat.id());
        self.graph.add("closed", closed);
    }

    /// A load balancer with one port.
    pub(crate) fn balance(&mut self, name: &str, scheme: Scheme, listener: Listener) -> Handle<LoadBalancer> {
        let balancer =
            LoadBalancer::new(self.network.id(), [self.subnet.id()]).scheme(scheme).listeners([listener]);
        self.graph.add(name, balancer)
    }
}

/// A network of IPv4.
pub(crate) fn network() -> Network {
    Network::new(["10.0.0.0/16".parse().unwrap()])
}

fn subnet(network: &Handle<Network>, offline: &Offline, cidr: &str) -> Subnet {
    let subnet = Subnet::new(network.id(), cidr.parse().unwrap());
    if offline.cloud.capabilities().zonal_subnets { subnet.zone(offline.zones[0]) } else { subnet }
}

/// A port for TCP, or what `other` makes of it.
pub(crate) fn listener(other: impl FnOnce(&mut Listener)) -> Listener {
    let mut listener = Listener::tcp(443);
    other(&mut listener);
    listener
}

/// A group of one machine.
pub(crate) fn group(on: &Ground<'_>) -> InstanceGroup {
    InstanceGroup::new([on.subnet.id()], "image", "large")
        .zones(if on.offline.cloud.capabilities().zonal_subnets {
            BTreeSet::new()
        } else {
            [on.offline.zones[0].to_owned()].into()
        })
        .firewalls([on.wall.id()])
        .ssh_key(on.key.id())
        .root_disk(InstanceDisk::new(20))
}
