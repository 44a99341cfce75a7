//! The provider-agnostic kinds. What a kind is, see [`crate::graph::Resource`].

mod address;
mod dns;
mod extension;
mod firewall;
mod gateway;
mod identity;
mod instance;
mod instance_group;
mod load_balancer;
mod network;
mod ssh_key;
mod subnet;
mod volume;

pub use address::Address;
pub use dns::{DnsRecord, DnsTarget, DnsZone, RecordType};
pub use extension::{Extension, Extensions};
pub use firewall::{Direction, Firewall, FirewallRule, FirewallRules, Peer, Ports, Protocol};
pub use gateway::{InternetGateway, NatGateway};
pub use identity::Identity;
pub use instance::{Instance, MachineOptions, RootVolume};
pub use instance_group::{InstanceGroup, SpotOptions};
pub use load_balancer::{HealthCheck, Listener, LoadBalancer, Scheme};
pub use network::Network;
pub use ssh_key::SshKey;
pub use subnet::{Access, Egress, Route, Subnet};
pub use volume::Volume;

#[doc(no_inline)]
pub use crate::graph::{At, Output, Resource};

use crate::cloud::Class;

/// What objects of the agnostic kinds are for.
pub(crate) const CLASSES: &[(Class, &[&str])] = &[
    (Class::Data, &[Volume::KIND]),
    (Class::Compute, &[<Instance>::KIND, <InstanceGroup>::KIND, SshKey::KIND]),
    (
        Class::Network,
        &[
            Network::KIND,
            <Subnet>::KIND,
            <InternetGateway>::KIND,
            <NatGateway>::KIND,
            Address::KIND,
            <Firewall>::KIND,
            <FirewallRules>::KIND,
            <LoadBalancer>::KIND,
        ],
    ),
    (Class::Identity, &[Identity::KIND]),
    (Class::Dns, &[<DnsZone>::KIND, <DnsRecord>::KIND]),
];

/// The names of the agnostic kinds.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    CLASSES.iter().flat_map(|(_, kinds)| kinds.iter().copied())
}
