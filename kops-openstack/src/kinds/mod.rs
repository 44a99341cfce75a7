//! The native kinds of OpenStack: one file for each kind, one kind for each object of the APIs.
//!
//! Lowering creates tasks of these kinds from agnostic ones; a program can also add them to a graph itself.
//! If an agnostic kind has the same name, OpenStack's is prefixed with its service (`NeutronSubnet`).

pub(crate) mod rest;

// What machines may do.
mod application_credential;
mod temp_url_key;

// The network.
mod address_pair;
pub(crate) mod floating_ip;
mod network;
pub(crate) mod port;
mod router;
mod router_interface;
mod security_group;
mod security_group_rules;
mod subnet;

// Machines and disks.
mod key_pair;
pub(crate) mod server;
mod server_group;
mod volume;
mod volume_attachment;

// Balancing.
mod balancing;
mod health_monitor;
mod listener;
mod load_balancer;
mod pool;
pub(crate) mod pool_members;

// Names.
mod dns_zone;
mod record_set;
mod unmanaged_object;

// Looked up.
mod availability_zone;
mod external_network;
mod flavor;
mod image;

use std::sync::Arc;

use kops_core::cloud::{AccountWide, Class, DynHandler, lookup};
use kops_core::resource::Resource as _;

use crate::clients::Clients;

pub use application_credential::ApplicationCredential;
pub use temp_url_key::TempUrlKey;

pub use address_pair::AddressPair;
pub use floating_ip::FloatingIp;
pub use network::NeutronNetwork;
pub use port::NeutronPort;
pub use router::Router;
pub use router_interface::RouterInterface;
pub use security_group::SecurityGroup;
pub use security_group_rules::{RulePeer, SecurityGroupRule, SecurityGroupRules};
pub use subnet::{HostRoute, NeutronSubnet};

pub use key_pair::KeyPair;
pub use server::{BootVolume, NovaServer};
pub use server_group::ServerGroup;
pub use volume::CinderVolume;
pub use volume_attachment::VolumeAttachment;

pub use health_monitor::HealthMonitor;
pub use listener::Listener;
pub use load_balancer::OctaviaLoadBalancer;
pub use pool::Pool;
pub use pool_members::{Member, PoolMembers};

pub use dns_zone::DesignateZone;
pub use record_set::RecordSet;
pub use unmanaged_object::UnmanagedObject;

pub use availability_zone::AvailabilityZone;
pub use external_network::ExternalNetwork;
pub use flavor::Flavor;
pub use image::Image;

/// Kinds of objects without marks of their own, each with the kind of the containing object.
pub(crate) const PARTS: &[(&str, &str)] = &[
    (<RouterInterface>::KIND, <NeutronSubnet>::KIND),
    (<SecurityGroupRules>::KIND, SecurityGroup::KIND),
    (<PoolMembers>::KIND, <Pool>::KIND),
    (<VolumeAttachment>::KIND, CinderVolume::KIND),
];

/// The class of each kind.
pub(crate) const CLASSES: &[(Class, &[&str])] = &[
    (Class::Data, &[CinderVolume::KIND, <VolumeAttachment>::KIND]),
    (Class::Compute, &[KeyPair::KIND, ServerGroup::KIND, <NovaServer>::KIND, Flavor::KIND, Image::KIND]),
    (
        Class::Network,
        &[
            NeutronNetwork::KIND,
            <NeutronSubnet>::KIND,
            <Router>::KIND,
            <RouterInterface>::KIND,
            SecurityGroup::KIND,
            <SecurityGroupRules>::KIND,
            <NeutronPort>::KIND,
            <FloatingIp>::KIND,
            <OctaviaLoadBalancer>::KIND,
            <Listener>::KIND,
            <Pool>::KIND,
            <PoolMembers>::KIND,
            <HealthMonitor>::KIND,
            ExternalNetwork::KIND,
            <UnmanagedObject>::KIND,
        ],
    ),
    (Class::Identity, &[ApplicationCredential::KIND, TempUrlKey::KIND]),
    (Class::Dns, &[DesignateZone::KIND, <RecordSet>::KIND]),
    // The region's infrastructure.
    (Class::Other, &[AvailabilityZone::KIND]),
];

/// A handler for every kind.
pub(crate) fn handlers(clients: &Clients, region: &str) -> Vec<Arc<dyn DynHandler>> {
    let c = || clients.clone();
    vec![
        Arc::new(application_credential::ApplicationCredentials(c())),
        Arc::new(temp_url_key::TempUrlKeys(c())),
        Arc::new(network::Networks(c())),
        Arc::new(subnet::Subnets(c())),
        Arc::new(router::Routers(c())),
        Arc::new(router_interface::RouterInterfaces(c())),
        Arc::new(security_group::SecurityGroups(c())),
        Arc::new(security_group_rules::RuleSets(c())),
        Arc::new(port::Ports(c())),
        Arc::new(floating_ip::FloatingIps(c())),
        Arc::new(key_pair::KeyPairs(c())),
        Arc::new(server_group::ServerGroups(c())),
        Arc::new(server::Servers(c())),
        Arc::new(volume::Volumes(c())),
        Arc::new(volume_attachment::VolumeAttachments(c())),
        Arc::new(load_balancer::LoadBalancers(c())),
        Arc::new(listener::Listeners(c())),
        Arc::new(pool::Pools(c())),
        Arc::new(pool_members::MemberSets(c())),
        Arc::new(health_monitor::HealthMonitors(c())),
        Arc::new(unmanaged_object::UnmanagedObjects(c())),
        // DNS may be a single service for several regions.
        Arc::new(AccountWide::new(region, dns_zone::Zones(c()))),
        Arc::new(AccountWide::new(region, record_set::RecordSets(c()))),
        lookup(availability_zone::AvailabilityZones(c())),
        lookup(external_network::ExternalNetworks(c())),
        lookup(flavor::Flavors(c())),
        lookup(image::Images(c())),
    ]
}
