//! The native kinds of Azure: one file for each kind, one kind for each resource of Azure Resource Manager.
//!
//! Lowering creates tasks of these kinds from agnostic ones; a program can also add them to a graph itself.
//! If an agnostic kind has the same name, Azure's is prefixed (`AzureSubnet`).
//!
//! Most kinds differ only in their models: see the module of the handler that they share.

pub(crate) mod arm;

mod resource_group;

// The network.
mod application_security_group;
mod load_balancer;
mod nat_gateway;
mod network_security_group;
mod public_ip_address;
mod route_table;
mod subnet;
mod virtual_network;

// Machines and disks.
mod managed_disk;
pub(crate) mod scale_set;
pub(crate) mod scale_set_document;
mod ssh_public_key;

// Identities.
mod role_assignment;
mod user_assigned_identity;

// Names.
mod dns_zone;
mod record_set;
mod unmanaged_object;
mod virtual_network_link;

// Looked up.
mod image;
mod vm_size;

use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use kops_core::cloud::{AccountWide, Class, DynHandler, Handler, lookup};
use kops_core::resource::Resource as _;
use kops_core::{Error, Result};
use serde::Serialize;

use crate::clients::Clients;
use arm::Arm;

pub use application_security_group::ApplicationSecurityGroup;
pub use dns_zone::AzureDnsZone;
pub use image::Image;
pub use load_balancer::{AzureLoadBalancer, BalancerProbe, BalancerRule, Frontend};
pub use managed_disk::ManagedDisk;
pub use nat_gateway::AzureNatGateway;
pub use network_security_group::{NetworkSecurityGroup, RuleOrder, SecurityPeer, SecurityRule};
pub use public_ip_address::PublicIpAddress;
pub use record_set::AzureRecordSet;
pub use resource_group::ResourceGroup;
pub use role_assignment::RoleAssignment;
pub use route_table::{AzureRoute, RouteTable};
pub use scale_set::{ScaleSetDisk, SpotTerms, VirtualMachineScaleSet};
pub use ssh_public_key::SshPublicKey;
pub use subnet::AzureSubnet;
pub use unmanaged_object::UnmanagedObject;
pub use user_assigned_identity::UserAssignedIdentity;
pub use virtual_network::VirtualNetwork;
pub use virtual_network_link::VirtualNetworkLink;
pub use vm_size::{AzureZone, VmSize};

pub(crate) use network_security_group::OURS;
pub(crate) use scale_set::{MOST_CUSTOM_DATA, offer_of};

/// The class of each kind.
pub(crate) const CLASSES: &[(Class, &[&str])] = &[
    (Class::Data, &[<ManagedDisk>::KIND]),
    (Class::Compute, &[<SshPublicKey>::KIND, <VirtualMachineScaleSet>::KIND, Image::KIND, VmSize::KIND]),
    (
        Class::Network,
        &[
            <VirtualNetwork>::KIND,
            <AzureSubnet>::KIND,
            <NetworkSecurityGroup>::KIND,
            <ApplicationSecurityGroup>::KIND,
            <RouteTable>::KIND,
            <PublicIpAddress>::KIND,
            <AzureNatGateway>::KIND,
            <AzureLoadBalancer>::KIND,
            <UnmanagedObject>::KIND,
        ],
    ),
    (Class::Identity, &[<UserAssignedIdentity>::KIND, <RoleAssignment>::KIND]),
    (Class::Dns, &[<AzureDnsZone>::KIND, <VirtualNetworkLink>::KIND, <AzureRecordSet>::KIND]),
    // Resource groups, and the region's infrastructure.
    (Class::Other, &[ResourceGroup::KIND, AzureZone::KIND]),
];

/// The handler of a kind with subscription-wide listings, which all kinds have: resource groups, which contain
/// everything else, zones and role assignments.
fn wide(clients: &Clients, handler: impl Handler) -> Arc<dyn DynHandler> {
    Arc::new(AccountWide::new(&clients.location, handler))
}

/// A handler for every kind.
pub(crate) fn handlers(clients: &Clients) -> Vec<Arc<dyn DynHandler>> {
    vec![
        wide(clients, resource_group::ResourceGroups(clients.clone())),
        wide(clients, Arm::<virtual_network::VirtualNetworks>::new(clients)),
        wide(clients, subnet::Subnets(clients.clone())),
        wide(clients, Arm::<network_security_group::NetworkSecurityGroups>::new(clients)),
        wide(clients, Arm::<application_security_group::ApplicationSecurityGroups>::new(clients)),
        wide(clients, Arm::<route_table::RouteTables>::new(clients)),
        wide(clients, Arm::<public_ip_address::PublicIpAddresses>::new(clients)),
        wide(clients, Arm::<nat_gateway::NatGateways>::new(clients)),
        wide(clients, Arm::<load_balancer::LoadBalancers>::new(clients)),
        wide(clients, Arm::<managed_disk::ManagedDisks>::new(clients)),
        wide(clients, Arm::<ssh_public_key::SshPublicKeys>::new(clients)),
        wide(clients, Arm::<scale_set::ScaleSets>::new(clients)),
        wide(clients, Arm::<user_assigned_identity::UserAssignedIdentities>::new(clients)),
        wide(clients, unmanaged_object::UnmanagedObjects(clients.clone())),
        wide(clients, role_assignment::RoleAssignments(clients.clone())),
        wide(clients, dns_zone::Zones(clients.clone())),
        wide(clients, virtual_network_link::VirtualNetworkLinks(clients.clone())),
        wide(clients, record_set::RecordSets(clients.clone())),
        lookup(image::Images(clients.clone())),
        lookup(vm_size::VmSizes(clients.clone())),
        lookup(vm_size::Zones(clients.clone())),
    ]
}

/// A CIDR in Azure's form.
pub(crate) fn cidr(text: &str) -> Result<IpNet> {
    text.parse().map_err(|_| Error::internal(format!("Azure returned the invalid CIDR `{text}`")))
}

/// A value of one of the SDK's enumerations. They accept any text; unknown values are rejected.
pub(crate) fn parsed<T: FromStr + Serialize + std::fmt::Debug>(text: &str, what: &str) -> Result<T> {
    let unknown = || Error::invalid(format!("{text:?} is not {what}"));
    let value = T::from_str(text).map_err(|_| unknown())?;
    if format!("{value:?}").starts_with("UnknownValue") { Err(unknown()) } else { Ok(value) }
}
