//! Load balancers.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{At, Extensions, Firewall, Network, Output, Protocol, Resource, Subnet};
use crate::graph::{Closed, Id, Open, Stage};

/// A load balancer for TCP, with its listeners and one target group each.
///
/// Who is behind it is said by the instance groups that name it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct LoadBalancer<S: Stage = Open> {
    /// The network it lives in.
    pub network: At<S, Id<Network>>,
    /// The subnets it has a leg in.
    pub subnets: BTreeSet<At<S, Id<Subnet>>>,
    /// Who can reach it.
    pub scheme: Scheme,
    /// The firewalls around it.
    pub firewalls: BTreeSet<At<S, Id<Firewall>>>,
    /// What it listens on.
    pub listeners: Vec<Listener>,
    /// Whether a leg also sends to targets in other zones.
    pub cross_zone: bool,
    /// What only one provider understands.
    #[serde(default, skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

impl LoadBalancer {
    /// The name under which clients reach it.
    pub const DNS_NAME: Output<Self, String> = Output::new("dns_name");
}

impl Resource for LoadBalancer {
    const KIND: &'static str = "LoadBalancer";
    const OUTPUTS: &'static [&'static str] = &[Self::DNS_NAME.name()];
    type Resolved = LoadBalancer<Closed>;
}

/// From where a load balancer can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scheme {
    /// From the internet.
    Public,
    /// From inside the network.
    Internal,
}

/// A port that a load balancer serves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listener {
    /// The port clients connect to.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The port of the machines behind.
    pub target_port: u16,
    /// How a machine shows that it works.
    pub health_check: HealthCheck,
    /// Ends TLS at the balancer, with this certificate of the cloud's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

/// How a machine behind a load balancer shows that it works.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HealthCheck {
    /// The port asked; the target port when `None`.
    pub port: Option<u16>,
    /// The path of an HTTPS request; a bare TCP connection when `None`.
    pub https_path: Option<String>,
    /// Seconds between two questions.
    pub interval: u32,
    /// Good answers in a row that make a machine healthy.
    pub healthy: u32,
    /// Bad answers in a row that make it unhealthy.
    pub unhealthy: u32,
}

impl Default for HealthCheck {
    /// A TCP connection every 10 s, two answers decide.
    fn default() -> Self {
        Self { port: None, https_path: None, interval: 10, healthy: 2, unhealthy: 2 }
    }
}
