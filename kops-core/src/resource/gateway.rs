//! Gateways between a network and the internet.

use serde::{Deserialize, Serialize};

use super::{Address, At, Network, Output, Resource, Subnet};
use crate::graph::{Closed, Id, Open, Stage};
use crate::setters;

/// The internet gateway of a network, for machines with public addresses.
///
/// A network has only one, so the selector of a shared one may also be the identifier of the network.
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

impl InternetGateway {
    /// The public address of machines without one of their own, on clouds whose internet gateways translate addresses:
    /// those without NAT gateways.
    pub const PUBLIC_IP: Output<Self, String> = Output::new("public_ip");
}

impl Resource for InternetGateway {
    const KIND: &'static str = "InternetGateway";
    const OUTPUTS: &'static [&'static str] = &[Self::PUBLIC_IP.name()];
    type Resolved = InternetGateway<Closed>;
}

/// A NAT gateway, through which machines without public addresses connect to the internet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct NatGateway<S: Stage = Open> {
    /// The network whose machines it serves.
    pub network: At<S, Id<Network>>,
    /// The public subnet it is in; `None` on clouds whose gateways are outside of the network.
    pub subnet: Option<At<S, Id<Subnet>>>,
    /// The public address that its machines appear with.
    pub address: At<S, Id<Address>>,
}

impl<S: Stage> NatGateway<S> {
    /// A gateway for the machines of a network, which appear with a public address.
    pub fn new(network: At<S, Id<Network>>, address: At<S, Id<Address>>) -> Self {
        Self { network, subnet: None, address }
    }

    setters! {
        /// Sets the public subnet it is in.
        option subnet: At<S, Id<Subnet>>;
    }
}

impl NatGateway {
    /// The public address, in dotted decimal notation.
    pub const PUBLIC_IP: Output<Self, String> = Output::new("public_ip");
}

impl Resource for NatGateway {
    const KIND: &'static str = "NatGateway";
    const OUTPUTS: &'static [&'static str] = &[Self::PUBLIC_IP.name()];
    type Resolved = NatGateway<Closed>;
}
