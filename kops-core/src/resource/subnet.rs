//! Subnets, and how their machines reach the world.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{At, InternetGateway, NatGateway, Network, Resource};
use crate::graph::{Closed, Id, Open, Stage};
use crate::setters;

/// A part of a network, in one zone where the cloud's subnets are zonal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct Subnet<S: Stage = Open> {
    /// The network it is a part of.
    pub network: At<S, Id<Network>>,
    /// Its address range, inside the network's.
    pub cidr: IpNet,
    /// The zone, as the cloud names it; `None` where subnets span the zones.
    pub zone: Option<String>,
    /// Who lives in it.
    pub access: Access,
    /// The way out.
    pub egress: Egress<S>,
    /// Routes beside the way out.
    #[serde(default)]
    pub routes: BTreeSet<Route>,
    /// Labels beyond those of ownership.
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
    /// Public load balancers, gateways and bastions of a cluster whose machines are private.
    Utility,
}

/// A route to somewhere else than the internet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Route {
    /// The destination.
    pub cidr: IpNet,
    /// The existing object of the cloud that it leads to: a peering, a transit gateway, an appliance.
    pub target: String,
}

/// The way from a subnet to the internet.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum Egress<S: Stage = Open> {
    /// None, or none that the project manages.
    #[default]
    None,
    /// Straight through the network's internet gateway.
    Internet(At<S, Id<InternetGateway>>),
    /// Through a NAT gateway.
    Nat(At<S, Id<NatGateway>>),
    /// Through an existing object of the cloud: a transit gateway, an appliance.
    Existing(String),
}

impl<S: Stage> Subnet<S> {
    /// A private subnet without a way out, in no particular zone.
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

    /// The subnet open to the internet.
    pub fn public(mut self, gateway: At<S, Id<InternetGateway>>) -> Self {
        self.access = Access::Public;
        self.egress = Egress::Internet(gateway);
        self
    }

    /// The subnet with a way out through a NAT gateway.
    pub fn behind(mut self, gateway: At<S, Id<NatGateway>>) -> Self {
        self.egress = Egress::Nat(gateway);
        self
    }

    setters! {
        /// Sets the zone, as the cloud names it.
        text zone;
        /// Sets who lives in it.
        set access: Access;
        /// Sets the way out.
        set egress: Egress<S>;
        /// Adds routes beside the way out.
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
