//! The agnostic kinds. For the definition of a kind, see [`crate::graph::Resource`].
//!
//! A specification is created with a constructor that takes the required fields; the others have a default, are set
//! with methods named after them, and can also be assigned. Later versions may add fields, but never a required one:
//!
//! ```
//! use kops_core::resource::{HealthCheck, Listener};
//!
//! let mut api = Listener::tcp(443).target_port(8443).health_check(HealthCheck::new().https_path("/healthz"));
//! api.health_check.interval_seconds = 30;
//! ```
//!
//! Enums ([`Protocol`], [`Peer`], [`Egress`], …) are exhaustive on purpose: a provider has to support each variant,
//! and the compiler tells it where a new one is missing.

mod address;
mod class;
mod dns;
mod extension;
mod firewall;
mod gateway;
mod identity;
mod instance;
mod instance_disk;
mod instance_group;
mod load_balancer;
mod network;
mod ssh_key;
mod subnet;
mod volume;

pub use address::Address;
pub use class::Class;
pub use dns::{DnsRecord, DnsTarget, DnsZone, RecordType};
pub use extension::{Extension, Extensions};
pub use firewall::{Direction, Firewall, FirewallRule, FirewallRules, Peer, Ports, Protocol};
pub use gateway::{InternetGateway, NatGateway};
pub use identity::Identity;
pub use instance::{Instance, MachineOptions};
pub use instance_disk::InstanceDisk;
pub use instance_group::{InstanceGroup, SpotOptions};
pub use load_balancer::{HealthCheck, Listener, LoadBalancer, Scheme};
pub use network::Network;
pub use ssh_key::SshKey;
pub use subnet::{Access, Egress, Route, Subnet};
pub use volume::Volume;

#[doc(no_inline)]
pub use crate::graph::{At, Output, Resource};

/// The classes of the agnostic kinds.
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
