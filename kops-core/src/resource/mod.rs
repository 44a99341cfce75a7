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
