//! Load balancers.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{At, Extensions, Firewall, Network, Output, Protocol, Resource, Subnet};
use crate::graph::{Closed, Id, Open, Stage};
use crate::setters;

/// A load balancer for TCP, with its listeners and one target group each.
///
/// Who is behind it is said by the instance groups that name it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
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

impl<S: Stage> LoadBalancer<S> {
    /// A load balancer inside the network that listens on nothing yet.
    ///
    /// ```
    /// use kops_core::graph::TaskGraph;
    /// use kops_core::resource::{HealthCheck, Listener, LoadBalancer, Network, Scheme, Subnet};
    ///
    /// let mut graph = TaskGraph::builder();
    /// let network = graph.add("shop", Network::new(["10.0.0.0/16".parse()?]));
    /// let subnet = graph.add("shop", Subnet::new(network.id(), "10.0.0.0/24".parse()?).zone("a"));
    /// let check = HealthCheck::new().https_path("/healthz");
    /// let front = LoadBalancer::new(network.id(), [subnet.id()])
    ///     .scheme(Scheme::Public)
    ///     .listen(Listener::tcp(443).target_port(8443).health_check(check));
    /// graph.add("front", front);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(network: At<S, Id<Network>>, subnets: impl IntoIterator<Item = At<S, Id<Subnet>>>) -> Self {
        Self {
            network,
            subnets: subnets.into_iter().collect(),
            scheme: Scheme::Internal,
            firewalls: BTreeSet::new(),
            listeners: Vec::new(),
            cross_zone: false,
            extensions: Extensions::default(),
        }
    }

    /// Adds a listener.
    pub fn listen(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    setters! {
        /// Sets who can reach it.
        set scheme: Scheme;
        /// Adds firewalls around it.
        extend firewalls: At<S, Id<Firewall>>;
        /// Adds listeners.
        extend listeners: Listener;
        /// Sets whether a leg also sends to targets in other zones.
        set cross_zone: bool;
        /// Sets what only one provider understands.
        set extensions: Extensions;
    }
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
#[non_exhaustive]
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

impl Listener {
    /// A port that is served by the same port of the machines behind.
    pub fn new(protocol: Protocol, port: u16) -> Self {
        Self { port, protocol, target_port: port, health_check: HealthCheck::default(), certificate: None }
    }

    /// A port of TCP that is served by the same port of the machines behind.
    pub fn tcp(port: u16) -> Self {
        Self::new(Protocol::Tcp, port)
    }

    /// A port of UDP that is served by the same port of the machines behind.
    pub fn udp(port: u16) -> Self {
        Self::new(Protocol::Udp, port)
    }

    setters! {
        /// Sets the protocol.
        set protocol: Protocol;
        /// Sets the port of the machines behind.
        set target_port: u16;
        /// Sets how a machine shows that it works.
        set health_check: HealthCheck;
        /// Ends TLS at the balancer, with this certificate of the cloud's.
        text certificate;
    }
}

/// How a machine behind a load balancer shows that it works.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HealthCheck {
    /// The port asked; the target port when `None`.
    pub port: Option<u16>,
    /// The path of an HTTPS request; a bare TCP connection when `None`.
    pub https_path: Option<String>,
    /// Seconds between two questions.
    pub interval_seconds: u32,
    /// Good answers in a row that make a machine healthy.
    pub healthy: u32,
    /// Bad answers in a row that make it unhealthy.
    pub unhealthy: u32,
}

impl Default for HealthCheck {
    /// A TCP connection every 10 s, two answers decide.
    fn default() -> Self {
        Self { port: None, https_path: None, interval_seconds: 10, healthy: 2, unhealthy: 2 }
    }
}

impl HealthCheck {
    /// A TCP connection every 10 s, two answers decide.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// Sets the port asked.
        option port: u16;
        /// Asks by HTTPS for a path instead of a bare TCP connection.
        text https_path;
        /// Sets the seconds between two questions.
        set interval_seconds: u32;
        /// Sets how many good answers in a row make a machine healthy.
        set healthy: u32;
        /// Sets how many bad answers in a row make it unhealthy.
        set unhealthy: u32;
    }
}
