//! Groups of identical machines.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    At, Extensions, Firewall, Identity, InstanceDisk, LoadBalancer, MachineOptions, Resource, SshKey, Subnet,
};
use crate::graph::{Closed, Id, Open, Secret, Stage};
use crate::setters;

/// A group of identical machines whose size the cloud maintains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct InstanceGroup<S: Stage = Open> {
    /// The subnets over which its machines are distributed.
    pub subnets: BTreeSet<At<S, Id<Subnet>>>,
    /// The zones over which its machines are distributed, if subnets span the zones; otherwise empty.
    #[serde(default)]
    pub zones: BTreeSet<String>,
    /// The image, by identifier or by a name that the provider resolves.
    pub image: String,
    /// The machine type, as named by the cloud.
    pub machine_type: String,
    /// The minimum number of machines.
    pub min: u32,
    /// The maximum number of machines.
    pub max: u32,
    /// The firewalls of each machine.
    pub firewalls: BTreeSet<At<S, Id<Firewall>>>,
    /// The identity of its machines, which determines their permissions in the cloud.
    pub identity: Option<At<S, Id<Identity>>>,
    /// The SSH key for logging in.
    pub ssh_key: Option<At<S, Id<SshKey>>>,
    /// The user data, run by each machine on first boot; plain (not encoded).
    pub user_data: Option<At<S, Secret>>,
    /// The machines' system disks.
    pub root_disk: InstanceDisk,
    /// Additional disks of each machine, by device name.
    pub disks: BTreeMap<String, InstanceDisk>,
    /// The load balancers that its machines are targets of.
    pub load_balancers: BTreeSet<At<S, Id<LoadBalancer>>>,
    /// Additional options of the machines.
    pub options: MachineOptions,
    /// Use spot machines, which are cheaper, but can be reclaimed by the cloud.
    pub spot: Option<SpotOptions>,
    /// Labels, in addition to the marks.
    pub labels: BTreeMap<String, String>,
    /// Settings that only one provider understands.
    #[serde(default, skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

impl<S: Stage> InstanceGroup<S> {
    /// One machine in one of the subnets, with a system disk of 20 GiB and without an SSH key.
    ///
    /// ```
    /// use kops_core::graph::TaskGraph;
    /// use kops_core::resource::{InstanceGroup, InstanceDisk, Network, Subnet};
    ///
    /// let mut graph = TaskGraph::builder();
    /// let network = graph.add("shop", Network::new(["10.0.0.0/16".parse()?]));
    /// let subnet = graph.add("shop", Subnet::new(network.id(), "10.0.0.0/24".parse()?).zone("a"));
    /// let workers = InstanceGroup::new([subnet.id()], "debian-13", "m6i.large")
    ///     .min(2)
    ///     .max(5)
    ///     .disk("/dev/sdb", InstanceDisk::new(100));
    /// graph.add("workers", workers);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(
        subnets: impl IntoIterator<Item = At<S, Id<Subnet>>>,
        image: impl Into<String>,
        machine_type: impl Into<String>,
    ) -> Self {
        Self {
            subnets: subnets.into_iter().collect(),
            zones: BTreeSet::new(),
            image: image.into(),
            machine_type: machine_type.into(),
            min: 1,
            max: 1,
            firewalls: BTreeSet::new(),
            identity: None,
            ssh_key: None,
            user_data: None,
            root_disk: InstanceDisk::default(),
            disks: BTreeMap::new(),
            load_balancers: BTreeSet::new(),
            options: MachineOptions::default(),
            spot: None,
            labels: BTreeMap::new(),
            extensions: Extensions::default(),
        }
    }

    setters! {
        /// Adds zones over which its machines are distributed.
        texts zones;
        /// Sets the minimum number of machines.
        set min: u32;
        /// Sets the maximum number of machines.
        set max: u32;
        /// Adds firewalls of each machine.
        extend firewalls: At<S, Id<Firewall>>;
        /// Sets the identity of its machines.
        option identity: At<S, Id<Identity>>;
        /// Sets the SSH key.
        option ssh_key: At<S, Id<SshKey>>;
        /// Sets the user data, run by each machine on first boot; plain (not encoded).
        option user_data: At<S, Secret>;
        /// Sets the machines' system disks.
        set root_disk: InstanceDisk;
        /// Adds load balancers that its machines are targets of.
        extend load_balancers: At<S, Id<LoadBalancer>>;
        /// Sets additional options of the machines.
        set options: MachineOptions;
        /// Uses spot machines, which are cheaper, but can be reclaimed by the cloud.
        option spot: SpotOptions;
        /// Adds labels.
        extend labels: (String, String);
        /// Sets settings that only one provider understands.
        set extensions: Extensions;
    }

    /// Adds a disk to each machine, by device name.
    pub fn disk(mut self, device: impl Into<String>, disk: InstanceDisk) -> Self {
        self.disks.insert(device.into(), disk);
        self
    }

    /// Adds a label.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }
}

impl Resource for InstanceGroup {
    const KIND: &'static str = "InstanceGroup";
    type Resolved = InstanceGroup<Closed>;
}

/// Options of spot machines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SpotOptions {
    /// The maximum price per machine and hour, in the cloud's currency; the list price if `None`.
    pub max_price: Option<String>,
}

impl SpotOptions {
    /// Spot machines at up to the list price.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// Sets the maximum price per machine and hour, in the cloud's currency.
        text max_price;
    }
}
