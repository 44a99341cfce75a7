//! Load balancers.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{At, Extensions, Firewall, Network, Output, Protocol, Resource, Subnet};
use crate::graph::{Closed, Id, Open, Stage};
use crate::setters;

/// A TCP or UDP load balancer, with its listeners and one target group for each.
///
/// Its targets are the instance groups and instances that refer to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct LoadBalancer<S: Stage = Open> {
    /// The network it is in.
    pub network: At<S, Id<Network>>,
    /// The subnets it is attached to.
    pub subnets: BTreeSet<At<S, Id<Subnet>>>,
    /// From where it can be reached.
    pub scheme: Scheme,
    /// Its firewalls.
    pub firewalls: BTreeSet<At<S, Id<Firewall>>>,
    /// Its listeners.
    pub listeners: Vec<Listener>,
    /// Whether it also forwards to targets in other zones.
    pub cross_zone: bool,
    /// Settings that only one provider understands.
    #[serde(default, skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

impl<S: Stage> LoadBalancer<S> {
    /// An internal load balancer without listeners.
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
        /// Sets from where it can be reached.
        set scheme: Scheme;
        /// Adds firewalls.
        extend firewalls: At<S, Id<Firewall>>;
        /// Adds listeners.
        extend listeners: Listener;
        /// Sets whether it also forwards to targets in other zones.
        set cross_zone: bool;
        /// Sets settings that only one provider understands.
        set extensions: Extensions;
    }
}

impl LoadBalancer {
    /// The DNS name for clients.
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

/// A port on which a load balancer listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Listener {
    /// The port for clients.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The port of the targets.
    pub target_port: u16,
    /// The health check of the targets.
    pub health_check: HealthCheck,
    /// The cloud's certificate with which the load balancer terminates TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

impl Listener {
    /// A listener that forwards to the same port of the targets.
    pub fn new(protocol: Protocol, port: u16) -> Self {
        Self { port, protocol, target_port: port, health_check: HealthCheck::default(), certificate: None }
    }

    /// A TCP listener that forwards to the same port of the targets.
    pub fn tcp(port: u16) -> Self {
        Self::new(Protocol::Tcp, port)
    }

    /// A UDP listener that forwards to the same port of the targets.
    pub fn udp(port: u16) -> Self {
        Self::new(Protocol::Udp, port)
    }

    setters! {
        /// Sets the protocol.
        set protocol: Protocol;
        /// Sets the port of the targets.
        set target_port: u16;
        /// Sets the health check of the targets.
        set health_check: HealthCheck;
        /// Sets the cloud's certificate with which the load balancer terminates TLS.
        text certificate;
    }
}

/// A health check of the targets of a load balancer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HealthCheck {
    /// The port to check; the target port if `None`.
    pub port: Option<u16>,
    /// The path of an HTTPS request; if `None`, only a TCP connection is made.
    pub https_path: Option<String>,
    /// The interval between checks, in seconds.
    pub interval_seconds: u32,
    /// The number of successful checks in a row after which a target is healthy.
    pub healthy: u32,
    /// The number of failed checks in a row after which a target is unhealthy.
    pub unhealthy: u32,
}

impl Default for HealthCheck {
    /// A TCP connection every 10 s; two checks decide.
    fn default() -> Self {
        Self { port: None, https_path: None, interval_seconds: 10, healthy: 2, unhealthy: 2 }
    }
}

impl HealthCheck {
    /// A TCP connection every 10 s; two checks decide.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// Sets the port to check.
        option port: u16;
        /// Checks with an HTTPS request for this path instead of a TCP connection.
        text https_path;
        /// Sets the interval between checks, in seconds.
        set interval_seconds: u32;
        /// Sets the number of successful checks in a row after which a target is healthy.
        set healthy: u32;
        /// Sets the number of failed checks in a row after which a target is unhealthy.
        set unhealthy: u32;
    }
}
