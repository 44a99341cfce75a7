//! A cluster in small: a network with a private subnet and NAT, firewalls, a load balancer, identities and groups.

use kops_cluster::extensions::{ClusterIdentity, MachineRole};
use kops_core::graph::{GraphBuilder, Handle, Input, Secret, TaskGraph};
use kops_core::resource::{
    Access, Address, Egress, Firewall, FirewallRule, FirewallRules, Identity, InstanceDisk, InstanceGroup,
    InternetGateway, Listener, LoadBalancer, NatGateway, Network, Peer, Scheme, SshKey, Subnet,
};
use kops_gce_emulator::IMAGE;

use crate::lab::ZONES;

/// A public key of nobody's.
pub(crate) const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK0wmN/Cr3JXqmLW7u+g9pTh+wyqDHpSQEIQczXkVx9q test";

pub(crate) struct Site {
    pub(crate) cluster: String,
    pub(crate) graph: GraphBuilder,
    pub(crate) network: Handle<Network>,
    pub(crate) subnet: Handle<Subnet>,
    pub(crate) firewall: Handle<Firewall>,
    pub(crate) identity: Handle<Identity>,
    pub(crate) key: Handle<SshKey>,
}

pub(crate) fn user_data(text: &str) -> Input<Secret> {
    Input::Known(Secret::new(format!("#cloud-config\n# {text}\n")))
}

pub(crate) fn listener(port: u16) -> Listener {
    Listener::tcp(port)
}

impl Site {
    /// The parts that everything else needs.
    pub(crate) fn of(cluster: &str) -> Self {
        let mut graph = TaskGraph::builder();
        let named = |own: &str| format!("{own}.{cluster}");
        let network = graph.add(cluster, Network::new(["10.0.0.0/16".parse().unwrap()]));
        graph.add(cluster, InternetGateway::new(network.id()));
        let address = graph.add(cluster, Address::new());
        let nat = NatGateway::new(network.id(), address.id());
        let nat = graph.add(cluster, nat);
        let subnet = Subnet::new(network.id(), "10.0.16.0/20".parse().unwrap())
            .access(Access::Private)
            .egress(Egress::Nat(nat.id()));
        let subnet = graph.add(&named("europe-west1"), subnet);
        let firewall = Firewall::new(network.id(), "nodes");
        let firewall = graph.add(&named("nodes"), firewall);
        let out = FirewallRule::all_to(Peer::Cidr("0.0.0.0/0".parse().unwrap()));
        let ssh = FirewallRule::tcp(22, Peer::Cidr("192.0.2.0/24".parse().unwrap()));
        let among = FirewallRule::all_from(Peer::Group(firewall.id()));
        graph.add(&named("nodes"), FirewallRules::new(firewall.id(), [out, ssh, among]));
        let identity = graph.add(&named("nodes"), ClusterIdentity::of(MachineRole::Node).identity().unwrap());
        let key = graph.add(&named("key"), SshKey::new(KEY));
        Self { cluster: cluster.to_owned(), graph, network, subnet, firewall, identity, key }
    }

    pub(crate) fn bare_group(&self) -> InstanceGroup {
        InstanceGroup::new([self.subnet.id()], IMAGE, "n2-standard-2")
            .zones(ZONES[..1].iter().map(|zone| (*zone).to_owned()))
            .min(1)
            .max(2)
            .firewalls([self.firewall.id()])
            .identity(self.identity.id())
            .ssh_key(self.key.id())
            .user_data(user_data("hello"))
            .root_disk(InstanceDisk::new(64))
            .labels([("kops.k8s.io/instancegroup".to_owned(), "nodes".to_owned())])
    }

    pub(crate) fn group(
        &mut self,
        name: &str,
        edit: impl FnOnce(&mut InstanceGroup),
    ) -> Handle<InstanceGroup> {
        let mut group = self.bare_group();
        edit(&mut group);
        self.graph.add(&format!("{name}.{}", self.cluster), group)
    }

    pub(crate) fn balancer(&mut self, scheme: Scheme, listeners: Vec<Listener>) -> Handle<LoadBalancer> {
        let balancer =
            LoadBalancer::new(self.network.id(), [self.subnet.id()]).scheme(scheme).listeners(listeners);
        self.graph.add(&format!("api.{}", self.cluster), balancer)
    }

    pub(crate) fn build(self) -> TaskGraph {
        self.graph.build().unwrap()
    }
}
