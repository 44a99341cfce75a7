//! Gateways between a network and the internet.

use serde::{Deserialize, Serialize};

use super::{Address, At, Network, Output, Resource, Subnet};
use crate::graph::{Closed, Id, Open, Stage};
use crate::setters;

/// The network's door to the internet, for machines with public addresses.
///
/// A network has one, so the identifier of the network selects a shared one as well as its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct InternetGateway<S: Stage = Open> {
    /// The network.
    pub network: At<S, Id<Network>>,
}

impl<S: Stage> InternetGateway<S> {
    /// The internet gateway of a network.
    pub fn new(network: At<S, Id<Network>>) -> Self {
        Self { network }
    }
}

impl Resource for InternetGateway {
    const KIND: &'static str = "InternetGateway";
    type Resolved = InternetGateway<Closed>;
}

/// Lets machines without public addresses open connections to the internet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct NatGateway<S: Stage = Open> {
    /// The network whose machines it serves.
    pub network: At<S, Id<Network>>,
    /// The public subnet it lives in; `None` where gateways serve a whole network from outside of it.
    pub subnet: Option<At<S, Id<Subnet>>>,
    /// The public address its machines appear under.
    pub address: At<S, Id<Address>>,
}

impl<S: Stage> NatGateway<S> {
    /// A gateway for the machines of a network, which appear under a public address.
    pub fn new(network: At<S, Id<Network>>, address: At<S, Id<Address>>) -> Self {
        Self { network, subnet: None, address }
    }

    setters! {
        /// Sets the public subnet it lives in.
        option subnet: At<S, Id<Subnet>>;
    }
}

impl NatGateway {
    /// The public address, in dotted form.
    pub const PUBLIC_IP: Output<Self, String> = Output::new("public_ip");
}

impl Resource for NatGateway {
    const KIND: &'static str = "NatGateway";
    const OUTPUTS: &'static [&'static str] = &[Self::PUBLIC_IP.name()];
    type Resolved = NatGateway<Closed>;
}
