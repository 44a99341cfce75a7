//! Single machines, and the settings they share with groups of machines.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Address, At, Firewall, Identity, InstanceDisk, LoadBalancer, Output, Resource, SshKey, Subnet};
use crate::graph::{Closed, Id, Open, Secret, Stage};
use crate::setters;

/// A single machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct Instance<S: Stage = Open> {
    /// The subnet it is in.
    pub subnet: At<S, Id<Subnet>>,
    /// The image, by identifier or by a name that the provider resolves.
    pub image: String,
    /// The machine type, as named by the cloud.
    pub machine_type: String,
    /// Its firewalls.
    pub firewalls: BTreeSet<At<S, Id<Firewall>>>,
    /// Its identity, which determines its permissions in the cloud.
    pub identity: Option<At<S, Id<Identity>>>,
    /// The SSH key for logging in.
    pub ssh_key: Option<At<S, Id<SshKey>>>,
    /// The user data, run on first boot; plain (not encoded).
    pub user_data: Option<At<S, Secret>>,
    /// Its system disk.
    pub root_disk: InstanceDisk,
    /// The load balancers that it is a target of.
    #[serde(default)]
    pub load_balancers: BTreeSet<At<S, Id<LoadBalancer>>>,
    /// Its fixed public address, which it keeps when it is replaced.
    #[serde(default)]
    pub address: Option<At<S, Id<Address>>>,
    /// Additional options.
    pub options: MachineOptions,
    /// Labels, in addition to the marks.
    pub labels: BTreeMap<String, String>,
}

impl<S: Stage> Instance<S> {
    /// A machine in a subnet, with a system disk of 20 GiB and without an SSH key.
    ///
    /// ```
    /// use kops_core::graph::TaskGraph;
    /// use kops_core::resource::{Address, Instance, InstanceDisk, Network, Subnet};
    ///
    /// let mut graph = TaskGraph::builder();
    /// let network = graph.add("shop", Network::new(["10.0.0.0/16".parse()?]));
    /// let subnet = graph.add("shop", Subnet::new(network.id(), "10.0.0.0/24".parse()?).zone("a"));
    /// let address = graph.add("door", Address::new());
    /// let door = Instance::new(subnet.id(), "debian-13", "m6i.large")
    ///     .root_disk(InstanceDisk::new(64))
    ///     .address(address.id())
    ///     .label("role", "door");
    /// graph.add("door", door);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(subnet: At<S, Id<Subnet>>, image: impl Into<String>, machine_type: impl Into<String>) -> Self {
        Self {
            subnet,
            image: image.into(),
            machine_type: machine_type.into(),
            firewalls: BTreeSet::new(),
            identity: None,
            ssh_key: None,
            user_data: None,
            root_disk: InstanceDisk::default(),
            load_balancers: BTreeSet::new(),
            address: None,
            options: MachineOptions::default(),
            labels: BTreeMap::new(),
        }
    }

    setters! {
        /// Adds firewalls.
        extend firewalls: At<S, Id<Firewall>>;
        /// Sets its identity.
        option identity: At<S, Id<Identity>>;
        /// Sets the SSH key.
        option ssh_key: At<S, Id<SshKey>>;
        /// Sets the user data, run on first boot; plain (not encoded).
        option user_data: At<S, Secret>;
        /// Sets its system disk.
        set root_disk: InstanceDisk;
        /// Adds load balancers that it is a target of.
        extend load_balancers: At<S, Id<LoadBalancer>>;
        /// Sets its fixed public address.
        option address: At<S, Id<Address>>;
        /// Sets additional options.
        set options: MachineOptions;
        /// Adds labels.
        extend labels: (String, String);
    }

    /// Adds a label.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }
}

impl Instance {
    /// Its private IP address.
    pub const PRIVATE_IP: Output<Self, String> = Output::new("private_ip");
    /// Its public IP address: that of its [`address`](Self::address), or one that lasts as long as the machine. A
    /// machine with neither that nor [`MachineOptions::public_ip`] has none, and referring to it is an error.
    pub const PUBLIC_IP: Output<Self, String> = Output::new("public_ip");
}

impl Resource for Instance {
    const KIND: &'static str = "Instance";
    const OUTPUTS: &'static [&'static str] = &[Self::PRIVATE_IP.name(), Self::PUBLIC_IP.name()];
    type Resolved = Instance<Closed>;
}

/// Options of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MachineOptions {
    /// Whether it gets a public address; if `None`, the subnet decides.
    pub public_ip: Option<bool>,
    /// Whether the metadata service requires session tokens.
    pub metadata_tokens_required: bool,
    /// The hop limit of responses of the metadata service.
    pub metadata_hop_limit: Option<u32>,
    /// Whether metrics are collected at short intervals.
    pub detailed_monitoring: bool,
}

impl MachineOptions {
    /// The cloud's defaults.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// Sets whether it gets a public address.
        option public_ip: bool;
        /// Sets whether the metadata service requires session tokens.
        set metadata_tokens_required: bool;
        /// Sets the hop limit of responses of the metadata service.
        option metadata_hop_limit: u32;
        /// Sets whether metrics are collected at short intervals.
        set detailed_monitoring: bool;
    }
}
