//! The native kinds of Google Cloud: one file for each.
//!
//! Kinds with the name of an agnostic kind are prefixed with `Gce`.

mod address;
mod backend_service;
pub(crate) mod collection;
pub(crate) mod convert;
mod disk;
mod firewall;
mod forwarding_rule;
mod image;
mod instance;
pub(crate) mod instance_group_manager;
mod instance_template;
mod machine;
mod machine_type;
mod managed_zone;
mod managed_zone_network;
mod network;
mod project_iam_binding;
mod region_health_check;
mod resource_record_set;
mod router;
pub(crate) mod service_account;
mod subnetwork;
mod unmanaged_instance_group;
mod unmanaged_object;
mod word;
mod zone;

use std::sync::Arc;

use kops_core::cloud::{AccountWide, Class, DynHandler, Handler, lookup};
use kops_core::resource::Resource as _;

use crate::clients::Clients;
use crate::names;
use collection::Compute;

pub use address::GceAddress;
pub use backend_service::BackendService;
pub use disk::Disk;
pub use firewall::{GceFirewall, Traffic};
pub use forwarding_rule::ForwardingRule;
pub use image::Image;
pub use instance::GceInstance;
pub use instance_group_manager::{InstanceGroupManager, Size};
pub use instance_template::InstanceTemplate;
pub use machine::{Machine, MachineDisk};
pub use machine_type::MachineType;
pub(crate) use machine_type::TERMINATE;
pub use managed_zone::ManagedZone;
pub use managed_zone_network::ManagedZoneNetwork;
pub use network::GceNetwork;
pub use project_iam_binding::{Condition, ProjectIamBinding};
pub use region_health_check::RegionHealthCheck;
pub use resource_record_set::ResourceRecordSet;
pub use router::{Nat, Router};
pub use service_account::ServiceAccount;
pub use subnetwork::Subnetwork;
pub use unmanaged_instance_group::UnmanagedInstanceGroup;
pub use unmanaged_object::UnmanagedObject;
pub use word::{DefaultInternetGateway, MetadataSshKey, NetworkTag};
pub use zone::Zone;

pub(crate) use instance::list as list_instances;

/// Kinds of objects without marks of their own, each with the kind of the containing object.
pub(crate) const PARTS: &[(&str, &str)] =
    &[("ProjectIamBinding", "ServiceAccount"), ("ManagedZoneNetwork", "GceNetwork")];

/// The class of each kind.
pub(crate) const CLASSES: &[(Class, &[&str])] = &[
    (Class::Data, &[Disk::KIND]),
    (
        Class::Compute,
        &[
            <GceInstance>::KIND,
            <InstanceTemplate>::KIND,
            <InstanceGroupManager>::KIND,
            <UnmanagedInstanceGroup>::KIND,
            Image::KIND,
            MachineType::KIND,
            MetadataSshKey::KIND,
        ],
    ),
    (
        Class::Network,
        &[
            GceNetwork::KIND,
            <Subnetwork>::KIND,
            <GceFirewall>::KIND,
            <Router>::KIND,
            <GceAddress>::KIND,
            RegionHealthCheck::KIND,
            <BackendService>::KIND,
            <ForwardingRule>::KIND,
            NetworkTag::KIND,
            DefaultInternetGateway::KIND,
            <UnmanagedObject>::KIND,
        ],
    ),
    (Class::Identity, &[ServiceAccount::KIND, <ProjectIamBinding>::KIND]),
    (Class::Dns, &[<ManagedZone>::KIND, <ManagedZoneNetwork>::KIND, <ResourceRecordSet>::KIND]),
    // The region's infrastructure.
    (Class::Other, &[Zone::KIND]),
];

/// The handler of a kind with project-wide listings: global kinds, and zonal ones, which are listed for all zones at
/// once.
fn wide(clients: &Clients, handler: impl Handler) -> Arc<dyn DynHandler> {
    Arc::new(AccountWide::new(&clients.region, handler))
}

/// A handler for each kind.
pub(crate) fn handlers(clients: &Clients) -> Arc<[Arc<dyn DynHandler>]> {
    [
        wide(clients, Compute::<network::Networks>::new(clients)),
        Arc::new(Compute::<subnetwork::Subnetworks>::new(clients)),
        wide(clients, Compute::<firewall::Firewalls>::new(clients)),
        Arc::new(Compute::<router::Routers>::new(clients)),
        Arc::new(Compute::<address::Addresses>::new(clients)),
        wide(clients, Compute::<disk::Disks>::new(clients)),
        wide(clients, Compute::<instance_template::InstanceTemplates>::new(clients)),
        wide(clients, Compute::<instance_group_manager::InstanceGroupManagers>::new(clients)),
        wide(clients, Compute::<instance::Instances>::new(clients)),
        wide(clients, Compute::<unmanaged_instance_group::UnmanagedInstanceGroups>::new(clients)),
        Arc::new(Compute::<region_health_check::RegionHealthChecks>::new(clients)),
        Arc::new(Compute::<backend_service::BackendServices>::new(clients)),
        Arc::new(Compute::<forwarding_rule::ForwardingRules>::new(clients)),
        wide(clients, service_account::ServiceAccounts(clients.clone())),
        wide(clients, project_iam_binding::ProjectIamBindings(clients.clone())),
        wide(clients, managed_zone::ManagedZones(clients.clone())),
        wide(clients, managed_zone_network::ManagedZoneNetworks(clients.clone())),
        wide(clients, resource_record_set::ResourceRecordSets(clients.clone())),
        wide(clients, unmanaged_object::UnmanagedObjects(clients.clone())),
        lookup(zone::Zones(clients.clone())),
        lookup(machine_type::MachineTypes(clients.clone())),
        lookup(image::Images(clients.clone())),
        lookup(word::Words::<NetworkTag>::new(names::cloud_name)),
        lookup(word::Words::<DefaultInternetGateway>::new(str::to_owned)),
        lookup(word::Words::<MetadataSshKey>::new(str::to_owned)),
    ]
    .into()
}
