//! A small network to put machines and load balancers into.

use kops_cluster::extensions::{ClusterIdentity, MachineRole, NodeTemplate, Taint};
use kops_core::cloud::Scope;
use kops_core::graph::{GraphBuilder, Handle, Part, Secret};
use kops_core::resource::{
    Extensions, Firewall, HealthCheck, InstanceDisk, InstanceGroup, InternetGateway, Listener, LoadBalancer,
    MachineOptions, Network, Scheme, SshKey, Subnet,
};
use kops_core::{Engine, graph::Input, graph::TaskGraph};
use kops_moto::{IMAGE, Moto};
use serde_json::Value;

use crate::lab::{CLUSTER, Lab, ZONES, connect};

/// A key that nobody has the other half of.
pub(crate) const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ann@desk";

/// An account that somebody has prepared, and in which others have something of every kind.
pub(crate) async fn prepared(prepare: impl FnOnce(&Moto)) -> Lab {
    let moto = Moto::start();
    moto.seed_foreign(CLUSTER);
    prepare(&moto);
    let engine = Engine::new(connect(&moto).await, Scope::new(CLUSTER));
    let before = moto.snapshot();
    Lab { moto, engine, before }
}

/// Two public subnets, and a firewall without rules.
pub(crate) struct Site {
    cluster: String,
    pub(crate) graph: GraphBuilder,
    pub(crate) network: Handle<Network>,
    pub(crate) subnets: Vec<Handle<Subnet>>,
    pub(crate) firewall: Handle<Firewall>,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::of(CLUSTER)
    }

    /// Everything is named after the cluster.
    pub(crate) fn of(cluster: &str) -> Self {
        let mut graph = TaskGraph::builder();
        let cidrs = vec!["172.20.0.0/16".parse().unwrap()];
        let network = graph.add(cluster, Network::new(cidrs));
        let door = graph.add(cluster, InternetGateway::new(network.id()));
        let subnets = (0..2)
            .map(|number| {
                let cidr = format!("172.20.{number}.0/24").parse().unwrap();
                let subnet = Subnet::new(network.id(), cidr).zone(ZONES[number]).public(door.id());
                graph.add(&format!("{}.{cluster}", ZONES[number]), subnet)
            })
            .collect();
        let firewall = Firewall::new(network.id(), "Security group for nodes");
        let firewall = graph.add(&format!("nodes.{cluster}"), firewall);
        Self { cluster: cluster.to_owned(), graph, network, subnets, firewall }
    }

    /// A group of nodes with all that it usually has; `change` makes it another.
    pub(crate) fn group(&mut self, change: impl FnOnce(&mut InstanceGroup)) -> Handle<InstanceGroup> {
        let name = format!("nodes.{}", self.cluster);
        let identity = self.graph.add(&name, ClusterIdentity::of(MachineRole::Node).identity().unwrap());
        let key = self.graph.add(&format!("kubernetes.{}-1f", self.cluster), SshKey::new(KEY));
        let mut group = self.bare_group().identity(identity.id()).ssh_key(key.id());
        change(&mut group);
        self.graph.add(&name, group)
    }

    /// A group of nodes that may do nothing and that nobody can log in to.
    pub(crate) fn bare_group(&self) -> InstanceGroup {
        InstanceGroup::new(self.subnets.iter().map(Handle::id), IMAGE, "m5.large")
            .min(1)
            .max(3)
            .firewalls([self.firewall.id()])
            .user_data(user_data("one"))
            .root_disk(InstanceDisk::new(128).disk_type("gp3"))
            .options(
                MachineOptions::new().public_ip(true).metadata_tokens_required(true).metadata_hop_limit(1),
            )
            .labels([("k8s.io/role/node".to_owned(), "1".to_owned())])
            .extensions(node_template([]))
    }

    /// A load balancer for the API.
    pub(crate) fn balancer(&mut self, change: impl FnOnce(&mut LoadBalancer)) -> Handle<LoadBalancer> {
        let mut balancer = LoadBalancer::new(self.network.id(), self.subnets.iter().map(Handle::id))
            .scheme(Scheme::Public)
            .firewalls([self.firewall.id()])
            .listeners([listener(443)])
            .cross_zone(true);
        change(&mut balancer);
        self.graph.add(&format!("api.{}", self.cluster), balancer)
    }

    pub(crate) fn build(self) -> TaskGraph {
        self.graph.build().unwrap()
    }
}

pub(crate) fn listener(port: u16) -> Listener {
    let health_check = HealthCheck::default();
    Listener::tcp(port).health_check(health_check)
}

pub(crate) fn user_data(secret: &str) -> Input<Secret> {
    Input::secret([Part::from("#!/bin/sh\n# "), Part::Secret(Secret::new(secret))])
}

/// The tags of an object of the account, whatever its service calls them.
pub(crate) fn tag(object: &Value, key: &str) -> Option<String> {
    let tags = object["Tags"].as_array()?;
    tags.iter().find(|it| it["Key"] == key).map(|it| it["Value"].as_str().unwrap().to_owned())
}

/// What every group's nodes carry: a label, and these taints.
pub(crate) fn node_template(taints: impl IntoIterator<Item = Taint>) -> Extensions {
    let mut extensions = Extensions::default();
    let labels = [("pool".to_owned(), "a".to_owned())].into();
    extensions.set(&NodeTemplate::new(labels, taints.into_iter().collect())).unwrap();
    extensions
}
