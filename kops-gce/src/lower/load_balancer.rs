//! A load balancer becomes an address, which stands for it, and for each protocol a health check, a backend
//! service and a forwarding rule.
//!
//! Connections pass through to the machines: they arrive at the port that the client asked for, with the client's
//! address. So the balancer's firewalls are around the machines behind it, and one more rule lets Google's health
//! checks in.
//!
//! The address comes first, before the machines that are behind it: what a machine reads at its first boot may
//! name it.

use std::collections::{BTreeMap, BTreeSet};

use kops_core::Result;
use kops_core::graph::{Handle, Id, Input};
use kops_core::lower::Lowered;
use kops_core::resource::{InstanceGroup, Listener, LoadBalancer, Protocol, Scheme};

use super::instance_group::managers;
use super::{Lowering, Site, firewall, native, unsupported};
use crate::kinds::{
    BackendService, ForwardingRule, GceAddress, InstanceGroupManager, NetworkTag, RegionHealthCheck,
};
use crate::{labels, names};

/// Seconds that a machine that leaves goes on with the connections it has, as kOps has it: clients of an API
/// open another one at once.
const DRAINING: u32 = 30;
/// A forwarding rule lists so many ports at most:
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
            return Err(unsupported(
                "an internal load balancer has its address in a subnet",
                "name the subnet",
            ));
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
                address: Some(address.id()),
                // Which of them are open is the firewall's to say.
                ports: if ports.len() > PORTS { BTreeSet::new() } else { ports },
                backend_service: service.id(),
                network: (!public).then(|| native(spec.network.clone())),
                subnetwork: subnet.clone(),
                labels: labels.clone(),
            };
            cx.add(&task, rule);
        }
        let rule = firewall::health_checks(native(spec.network), tag(name), public, checked);
        cx.add(&format!("health-checks-to-{name}"), rule);
        Ok(())
    }
}

/// The tag of the machines behind a balancer.
pub(super) fn tag(balancer: &str) -> Id<NetworkTag> {
    Id::new(names::cloud_name(balancer))
}

/// The listeners by protocol, refused if they are not what passes through.
fn by_protocol(listeners: &[Listener]) -> Result<BTreeMap<&'static str, Vec<&Listener>>> {
    let mut protocols: BTreeMap<&'static str, Vec<&Listener>> = BTreeMap::new();
    for listener in listeners {
        let port = listener.port;
        let protocol = match listener.protocol {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
            _ => {
                return Err(unsupported(
                    format!("a load balancer cannot listen on port {port} like that"),
                    "it speaks TCP or UDP",
                ));
            }
        };
        if listener.certificate.is_some() {
            return Err(unsupported(
                format!("a load balancer that passes connections through cannot end TLS on port {port}"),
                "leave the certificate out",
            ));
        }
        if listener.target_port != port {
            return Err(unsupported(
                format!(
                    "a load balancer that passes connections through cannot send port {port} to port {}",
                    listener.target_port
                ),
                "let machines listen on the port of the load balancer",
            ));
        }
        protocols.entry(protocol).or_default().push(listener);
    }
    Ok(protocols)
}

/// The groups whose machines are behind a balancer.
fn behind(name: &str, cx: &Lowering<'_>) -> Result<BTreeSet<Input<Id<InstanceGroupManager>>>> {
    let mut found = BTreeSet::new();
    for (group, spec) in cx.specs::<InstanceGroup>()? {
        if spec.load_balancers.iter().any(|balancer| Lowering::is_for(balancer, name)) {
            found.extend(managers(group, &spec).map(|(_, task)| Handle::named(&task).id()));
        }
    }
    Ok(found)
}
