//! Subnets, and how their machines connect to the internet.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{At, InternetGateway, NatGateway, Network, Resource};
use crate::graph::{Closed, Id, Open, Stage};
use crate::setters;

/// A part of a network; in one zone, if the cloud's subnets are zonal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct Subnet<S: Stage = Open> {
    /// The network it is in.
    pub network: At<S, Id<Network>>,
    /// Its CIDR, within the network's.
    pub cidr: IpNet,
    /// The zone, as named by the cloud; `None` if subnets span the zones.
    pub zone: Option<String>,
    /// What it is for.
    pub access: Access,
    /// Its route to the internet.
    pub egress: Egress<S>,
    /// Additional routes.
    #[serde(default)]
    pub routes: BTreeSet<Route>,
    /// Labels, in addition to the marks.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// What a subnet is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Access {
    /// Machines with public addresses, and public load balancers.
    Public,
    /// Machines without public addresses.
    #[default]
    Private,
    /// Public load balancers, gateways and bastions for private machines.
    Utility,
}

/// A route to a destination other than the internet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Route {
    /// The destination.
    pub cidr: IpNet,
    /// The existing object of the cloud to which it leads: a peering, a transit gateway, an appliance.
    pub target: String,
}

/// How a subnet is connected to the internet.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum Egress<S: Stage = Open> {
    /// Not at all, or by a route that is not managed here.
    #[default]
    None,
    /// Through the network's internet gateway.
    Internet(At<S, Id<InternetGateway>>),
    /// Through a NAT gateway.
    Nat(At<S, Id<NatGateway>>),
    /// Through an existing object of the cloud, such as a transit gateway or an appliance.
    Existing(String),
}

impl<S: Stage> Subnet<S> {
    /// A private subnet without a route to the internet, in no particular zone.
    pub fn new(network: At<S, Id<Network>>, cidr: IpNet) -> Self {
        Self {
            network,
            cidr,
            zone: None,
            access: Access::Private,
            egress: Egress::None,
            routes: BTreeSet::new(),
            labels: BTreeMap::new(),
        }
    }

    /// Makes it public, with a route to the internet through a gateway.
    pub fn public(mut self, gateway: At<S, Id<InternetGateway>>) -> Self {
        self.access = Access::Public;
        self.egress = Egress::Internet(gateway);
        self
    }

    /// Adds a route to the internet through a NAT gateway.
    pub fn behind(mut self, gateway: At<S, Id<NatGateway>>) -> Self {
        self.egress = Egress::Nat(gateway);
        self
    }

    setters! {
        /// Sets the zone, as named by the cloud.
        text zone;
        /// Sets what it is for.
        set access: Access;
        /// Sets its route to the internet.
        set egress: Egress<S>;
        /// Adds routes.
        extend routes: Route;
        /// Adds labels.
        extend labels: (String, String);
    }

    /// Adds a label.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }
}

impl Route {
    /// A route to an existing object of the cloud.
    pub fn new(cidr: IpNet, target: impl Into<String>) -> Self {
        Self { cidr, target: target.into() }
    }
}

impl Resource for Subnet {
    const KIND: &'static str = "Subnet";
    type Resolved = Subnet<Closed>;
}
