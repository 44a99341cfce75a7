//! The native kinds of AWS: one file for each kind, one kind for each object of the API.
//!
//! Lowering creates tasks of these kinds from agnostic ones; a program can also add them to a graph itself.
//! If an agnostic kind has the same name, AWS's is prefixed with its service (`Ec2Subnet`).
//!
//! [`Route`], [`RouteTableAssociation`] and [`SecurityGroupRules`] document which objects in a route table or
//! a security group are owned, although they carry no tags.

// The network.
mod child;
mod dhcp_options;
mod dhcp_options_association;
mod egress_only_internet_gateway;
mod elastic_ip;
mod internet_gateway;
mod ip_permission;
pub(crate) mod listing;
mod nat_gateway;
mod network_interface;
mod route;
mod route_table;
mod route_table_association;
mod security_group;
mod security_group_rules;
mod subnet;
mod vpc;
mod vpc_cidr_block;

// Machines and disks.
pub(crate) mod auto_scaling_group;
mod convert;
mod ebs_volume;
mod instance;
mod instance_targets;
mod key_pair;
mod launch_template;
mod launch_template_data;
pub(crate) mod lifecycle_hook;
pub(crate) mod mixed_instances;
mod named;

// Balancing.
mod balancing;
mod classic_load_balancer;
mod listener;
mod network_load_balancer;
pub(crate) mod target_group;

// Names.
mod hosted_zone;
mod hosted_zone_association;
mod record_set;
mod record_text;

// Identities.
mod iam_role;
mod iam_role_policy;
mod instance_profile;

// Looked up.
pub(crate) mod availability_zone;
mod bucket;
pub(crate) mod certificate;
mod image;
mod instance_type;
pub(crate) mod kms_key;
mod managed_policy;
mod ssl_policy;

use std::sync::Arc;

use kops_core::cloud::{AccountWide, Class, DynHandler, lookup};
use kops_core::resource::Resource as _;

use crate::clients::Clients;

pub use dhcp_options::DhcpOptions;
pub use dhcp_options_association::DhcpOptionsAssociation;
pub use egress_only_internet_gateway::EgressOnlyInternetGateway;
pub use elastic_ip::ElasticIp;
pub use internet_gateway::Ec2InternetGateway;
pub use nat_gateway::Ec2NatGateway;
pub use network_interface::NetworkInterface;
pub use route::{Route, RouteTarget};
pub use route_table::RouteTable;
pub use route_table_association::RouteTableAssociation;
pub use security_group::SecurityGroup;
pub use security_group_rules::{RulePeer, SecurityGroupRule, SecurityGroupRules};
pub use subnet::Ec2Subnet;
pub use vpc::Vpc;
#[cfg(feature = "cluster")]
pub(crate) use vpc::ipv4_blocks as vpc_blocks;
pub use vpc_cidr_block::VpcCidrBlock;

pub use auto_scaling_group::AutoScalingGroup;
pub use ebs_volume::EbsVolume;
pub use instance::{Ec2Instance, RootDisk};
pub use key_pair::KeyPair;
pub use launch_template::{BlockDevice, LaunchTemplate, MachineTag, SpotMarket};
pub(crate) use launch_template_data::MOST_USER_DATA;
pub use lifecycle_hook::LifecycleHook;
pub use mixed_instances::MixedInstancesPolicy;

pub use classic_load_balancer::ClassicLoadBalancer;
pub use listener::NetworkLoadBalancerListener;
pub use network_load_balancer::{Leg, NetworkLoadBalancer};
pub use target_group::{HealthCheck, TargetGroup};

pub use hosted_zone::HostedZone;
pub use hosted_zone_association::HostedZoneAssociation;
pub use record_set::{RecordSet, RecordTarget};

pub use iam_role::IamRole;
pub use iam_role_policy::IamRolePolicy;
pub use instance_profile::InstanceProfile;

pub use availability_zone::AvailabilityZone;
pub use bucket::Bucket;
pub use certificate::Certificate;
pub use image::Image;
pub use instance_type::InstanceType;
pub use kms_key::KmsKey;
pub use managed_policy::ManagedPolicy;
pub use ssl_policy::SslPolicy;

/// Kinds of objects without marks of their own, each with the kind of the containing object.
pub(crate) const PARTS: &[(&str, &str)] = &[
    (<VpcCidrBlock>::KIND, Vpc::KIND),
    (<DhcpOptionsAssociation>::KIND, Vpc::KIND),
    (<HostedZoneAssociation>::KIND, Vpc::KIND),
    (<Route>::KIND, <RouteTable>::KIND),
    (<RouteTableAssociation>::KIND, <RouteTable>::KIND),
    (<SecurityGroupRules>::KIND, <SecurityGroup>::KIND),
    (<LifecycleHook>::KIND, <AutoScalingGroup>::KIND),
    (<NetworkLoadBalancerListener>::KIND, <NetworkLoadBalancer>::KIND),
    (<IamRolePolicy>::KIND, <IamRole>::KIND),
];

/// The class of each kind.
pub(crate) const CLASSES: &[(Class, &[&str])] = &[
    (Class::Data, &[EbsVolume::KIND]),
    (
        Class::Compute,
        &[
            <KeyPair>::KIND,
            <Ec2Instance>::KIND,
            <LaunchTemplate>::KIND,
            <AutoScalingGroup>::KIND,
            <LifecycleHook>::KIND,
            Image::KIND,
            InstanceType::KIND,
        ],
    ),
    (
        Class::Network,
        &[
            Vpc::KIND,
            <VpcCidrBlock>::KIND,
            <DhcpOptions>::KIND,
            <DhcpOptionsAssociation>::KIND,
            <Ec2InternetGateway>::KIND,
            <EgressOnlyInternetGateway>::KIND,
            <Ec2Subnet>::KIND,
            <ElasticIp>::KIND,
            <Ec2NatGateway>::KIND,
            <RouteTable>::KIND,
            <Route>::KIND,
            <RouteTableAssociation>::KIND,
            <SecurityGroup>::KIND,
            <SecurityGroupRules>::KIND,
            <NetworkInterface>::KIND,
            <ClassicLoadBalancer>::KIND,
            <NetworkLoadBalancer>::KIND,
            <NetworkLoadBalancerListener>::KIND,
            <TargetGroup>::KIND,
            Certificate::KIND,
            SslPolicy::KIND,
        ],
    ),
    (
        Class::Identity,
        &[<IamRole>::KIND, <IamRolePolicy>::KIND, <InstanceProfile>::KIND, ManagedPolicy::KIND, KmsKey::KIND],
    ),
    (Class::Dns, &[<HostedZone>::KIND, <HostedZoneAssociation>::KIND, <RecordSet>::KIND]),
    // The region's infrastructure.
    (Class::Other, &[AvailabilityZone::KIND, Bucket::KIND]),
];

/// A handler for every kind.
pub(crate) fn handlers(clients: &Clients, region: &str) -> Vec<Arc<dyn DynHandler>> {
    let mut all = network(clients);
    all.extend(machines(clients));
    all.extend(balancing(clients));
    all.extend(names(clients, region));
    all.extend(identities(clients, region));
    all.extend(looked_up(clients));
    all
}

fn network(clients: &Clients) -> Vec<Arc<dyn DynHandler>> {
    vec![
        Arc::new(vpc::Vpcs(clients.clone())),
        Arc::new(vpc_cidr_block::VpcCidrBlocks(clients.clone())),
        Arc::new(dhcp_options::DhcpOptionSets(clients.clone())),
        Arc::new(dhcp_options_association::DhcpOptionsAssociations(clients.clone())),
        Arc::new(internet_gateway::InternetGateways(clients.clone())),
        Arc::new(egress_only_internet_gateway::EgressOnlyInternetGateways(clients.clone())),
        Arc::new(subnet::Subnets(clients.clone())),
        Arc::new(network_interface::NetworkInterfaces(clients.clone())),
        Arc::new(elastic_ip::ElasticIps(clients.clone())),
        Arc::new(nat_gateway::NatGateways(clients.clone())),
        Arc::new(route_table::RouteTables(clients.clone())),
        Arc::new(route::Routes(clients.clone())),
        Arc::new(route_table_association::RouteTableAssociations(clients.clone())),
        Arc::new(security_group::SecurityGroups(clients.clone())),
        Arc::new(security_group_rules::RuleSets(clients.clone())),
    ]
}

fn machines(clients: &Clients) -> Vec<Arc<dyn DynHandler>> {
    vec![
        Arc::new(key_pair::KeyPairs(clients.clone())),
        Arc::new(ebs_volume::EbsVolumes(clients.clone())),
        Arc::new(instance::Instances(clients.clone())),
        Arc::new(launch_template::LaunchTemplates(clients.clone())),
        Arc::new(auto_scaling_group::AutoScalingGroups(clients.clone())),
        Arc::new(lifecycle_hook::LifecycleHooks(clients.clone())),
    ]
}

fn balancing(clients: &Clients) -> Vec<Arc<dyn DynHandler>> {
    vec![
        Arc::new(classic_load_balancer::ClassicLoadBalancers(clients.clone())),
        Arc::new(network_load_balancer::NetworkLoadBalancers(clients.clone())),
        Arc::new(listener::Listeners(clients.clone())),
        Arc::new(target_group::TargetGroups(clients.clone())),
    ]
}

/// Zones, and records in shared zones, are account-wide.
fn names(clients: &Clients, region: &str) -> Vec<Arc<dyn DynHandler>> {
    vec![
        Arc::new(AccountWide::new(region, hosted_zone::HostedZones(clients.clone()))),
        Arc::new(hosted_zone_association::HostedZoneAssociations(clients.clone())),
        Arc::new(AccountWide::new(region, record_set::RecordSets(clients.clone()))),
    ]
}

/// IAM has no regions.
fn identities(clients: &Clients, region: &str) -> Vec<Arc<dyn DynHandler>> {
    vec![
        Arc::new(AccountWide::new(region, iam_role::IamRoles(clients.clone()))),
        Arc::new(AccountWide::new(region, iam_role_policy::IamRolePolicies(clients.clone()))),
        Arc::new(AccountWide::new(region, instance_profile::InstanceProfiles(clients.clone()))),
    ]
}

fn looked_up(clients: &Clients) -> Vec<Arc<dyn DynHandler>> {
    vec![
        lookup(availability_zone::AvailabilityZones(clients.clone())),
        lookup(image::Images(clients.clone())),
        lookup(instance_type::InstanceTypes(clients.clone())),
        lookup(managed_policy::ManagedPolicies(clients.clone())),
        lookup(certificate::Certificates(clients.clone())),
        lookup(kms_key::KmsKeys(clients.clone())),
        lookup(ssl_policy::SslPolicies(clients.clone())),
        lookup(bucket::Buckets(clients.clone())),
    ]
}
