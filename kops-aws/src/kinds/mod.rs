//! AWS's own kinds: one file, one kind, one object of the API.
//!
//! Lowering makes tasks of these kinds from agnostic ones; a program can as well put them into a graph
//! itself. Where an agnostic kind has the same name, AWS's is prefixed by its service (`Ec2Subnet`).
//!
//! What objects in a route table or a security group are ours, although they carry no tags, is said in
//! [`Route`], [`RouteTableAssociation`] and [`SecurityGroupRules`].

// The network.
mod dhcp_options;
mod dhcp_options_association;
mod egress_only_internet_gateway;
mod elastic_ip;
mod internet_gateway;
mod listing;
mod nat_gateway;
mod route;
mod route_table;
mod route_table_association;
mod security_group;
mod security_group_rules;
mod subnet;
mod vpc;
mod vpc_cidr_block;

// Looked up.
mod availability_zone;
mod image;
mod instance_type;
mod lookup;

use std::sync::Arc;

use kops_core::cloud::DynHandler;

use crate::clients::Clients;

pub use dhcp_options::DhcpOptions;
pub use dhcp_options_association::DhcpOptionsAssociation;
pub use egress_only_internet_gateway::EgressOnlyInternetGateway;
pub use elastic_ip::ElasticIp;
pub use internet_gateway::Ec2InternetGateway;
pub use nat_gateway::Ec2NatGateway;
pub use route::{Route, RouteTarget};
pub use route_table::RouteTable;
pub use route_table_association::RouteTableAssociation;
pub use security_group::SecurityGroup;
pub use security_group_rules::{RulePeer, SecurityGroupRule, SecurityGroupRules};
pub use subnet::Ec2Subnet;
pub use vpc::Vpc;
pub use vpc_cidr_block::VpcCidrBlock;

pub use availability_zone::AvailabilityZone;
pub use image::Image;
pub use instance_type::InstanceType;

/// A handler for every kind.
pub(crate) fn handlers(clients: &Clients) -> Vec<Arc<dyn DynHandler>> {
    let mut all = network(clients);
    all.extend(looked_up(clients));
    all
}

fn network(_: &Clients) -> Vec<Arc<dyn DynHandler>> {
    Vec::new()
}

fn looked_up(_: &Clients) -> Vec<Arc<dyn DynHandler>> {
    Vec::new()
}
