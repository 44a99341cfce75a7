//! Lowers a load balancer to an address, which represents it, and, for each protocol, a health check, a
//! backend service and a forwarding rule.
//!
//! It is a passthrough load balancer: connections arrive at the machines with the port that the client
//! connected to and the client's address. So the load balancer's firewalls apply to the machines behind it,
//! and one more rule allows Google's health checks.
//!
//! The address is created first, before the machines behind it, whose user data may contain it.

use std::collections::{BTreeMap, BTreeSet};

use kops_core::Result;
use kops_core::graph::{Handle, Id, Input};
use kops_core::lower::Lowered;
use kops_core::resource::{Instance, InstanceGroup, Listener, LoadBalancer, Protocol, Scheme};

use super::instance_group::managers;
use super::{Lowering, Site, firewall, native, network, unsupported};
use crate::kinds::{
    BackendService, ForwardingRule, GceAddress, InstanceGroupManager, NetworkTag, RegionHealthCheck,
    UnmanagedInstanceGroup,
};
use crate::{labels, names};

/// The connection draining timeout, in seconds; kOps' value, because clients of an API reconnect at once.
const DRAINING: u32 = 30;
/// The maximum number of ports of a forwarding rule:
/// <https://cloud.google.com/load-balancing/docs/forwarding-rule-concepts#port_specifications>.
const PORTS: usize = 5;

impl Lowered<Site> for LoadBalancer {
    type Native = GceAddress;

    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] =
        &[(Self::DNS_NAME.name(), GceAddress::IP.name())];

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let public = spec.scheme == Scheme::Public;
        let subnet = spec.subnets.first().cloned().map(native);
        if !public && subnet.is_none() {
            return Err(unsupported("an internal load balancer needs a subnet", "specify the subnet"));
        }
        let subnet = subnet.filter(|_| !public);
        let labels = labels::of(cx.scope(), []);
        let address = cx.add(name, GceAddress { subnetwork: subnet.clone(), labels: labels.clone() });
        let groups = behind(name, cx)?;
        let scheme = if public { "EXTERNAL" } else { "INTERNAL" };
        let mut checked = BTreeSet::new();
        for (protocol, listeners) in by_protocol(&spec.listeners)? {
            let task = if protocol == "TCP" {
                name.to_owned()
            } else {
                format!("{}-{name}", protocol.to_lowercase())
            };
            let Some(first) = listeners.first() else { continue };
            let health = &first.health_check;
            let port = health.port.unwrap_or(first.target_port);
            checked.insert(port.to_string());
            let check = RegionHealthCheck {
                port: u32::from(port),
                https_path: health.https_path.clone(),
                interval: health.interval_seconds,
                healthy: health.healthy,
                unhealthy: health.unhealthy,
            };
            let check = cx.add(&task, check);
            let service = BackendService {
                scheme: scheme.to_owned(),
                protocol: protocol.to_owned(),
                health_check: check.id(),
                groups: groups.clone(),
                draining: DRAINING,
            };
            let service = cx.add(&task, service);
            let ports: BTreeSet<String> = listeners.iter().map(|it| it.port.to_string()).collect();
            let rule = ForwardingRule {
                scheme: scheme.to_owned(),
                protocol: protocol.to_owned(),
                ip: address.get(GceAddress::IP),
                // The firewall decides which of them are open.
                ports: if ports.len() > PORTS { BTreeSet::new() } else { ports },
                backend_service: service.id(),
                network: (!public).then(|| native(spec.network.clone())),
                subnetwork: subnet.clone(),
                labels: labels.clone(),
            };
            cx.add(&task, rule);
        }
        let blank = network::firewall(&spec.network, "INGRESS", cx);
        let rule = firewall::health_checks(blank, tag(name), public, checked);
        cx.add(&format!("health-checks-to-{name}"), rule);
        Ok(())
    }
}

/// The tag of the machines behind a load balancer.
pub(super) fn tag(balancer: &str) -> Id<NetworkTag> {
    Id::new(names::cloud_name(balancer))
}

/// The listeners by protocol; rejected if passthrough does not support them.
fn by_protocol(listeners: &[Listener]) -> Result<BTreeMap<&'static str, Vec<&Listener>>> {
    let mut protocols: BTreeMap<&'static str, Vec<&Listener>> = BTreeMap::new();
    for listener in listeners {
        let port = listener.port;
        let protocol = match listener.protocol {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
            _ => {
                return Err(unsupported(
                    format!("a load balancer does not support the protocol of port {port}"),
                    "use TCP or UDP",
                ));
            }
        };
        if listener.certificate.is_some() {
            return Err(unsupported(
                format!("a passthrough load balancer cannot terminate TLS on port {port}"),
                "remove the certificate",
            ));
        }
        if listener.target_port != port {
            return Err(unsupported(
                format!(
                    "a passthrough load balancer cannot forward port {port} to port {}",
                    listener.target_port
                ),
                "make the machines listen on the port of the load balancer",
            ));
        }
        protocols.entry(protocol).or_default().push(listener);
    }
    Ok(protocols)
}

/// The groups whose machines are behind a load balancer, and those of single machines.
fn behind(name: &str, cx: &Lowering<'_>) -> Result<BTreeSet<Input<String>>> {
    let is_behind = |balancers: &BTreeSet<Input<Id<LoadBalancer>>>| {
        balancers.iter().any(|balancer| Lowering::is_for(balancer, name))
    };
    let mut found = BTreeSet::new();
    for (group, spec) in cx.specs::<InstanceGroup>()? {
        if is_behind(&spec.load_balancers) {
            let managed = |task: &str| {
                Handle::<InstanceGroupManager>::named(task).get(InstanceGroupManager::INSTANCE_GROUP)
            };
            found.extend(managers(group, &spec).map(|(_, task)| managed(&task)));
        }
    }
    for (instance, spec) in cx.specs::<Instance>()? {
        if is_behind(&spec.load_balancers) {
            let single = Handle::<UnmanagedInstanceGroup>::named(instance);
            found.insert(single.get(UnmanagedInstanceGroup::INSTANCE_GROUP));
        }
    }
    Ok(found)
}
