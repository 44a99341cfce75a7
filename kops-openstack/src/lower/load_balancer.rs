//! Lowers a load balancer to one with a listener, a pool, its members and a health monitor for each port, and
//! a floating IP address if it is public.

use std::collections::BTreeSet;

use kops_core::graph::{Handle, Id, Input, Setting};
use kops_core::lower::{Lowered, Outlet};
use kops_core::resource::{Instance, InstanceGroup, Listener, LoadBalancer, Protocol, Resource as _, Scheme};
use kops_core::{Error, ErrorKind, Result};

use super::firewall::allowed;
use super::instance_group::slots;
use super::{Lowering, Site, address, native, tags_with};
use crate::extensions::OpenstackLoadBalancer;
use crate::kinds::{
    self, FloatingIp, HealthMonitor, Member, NeutronPort, OctaviaLoadBalancer, Pool, PoolMembers,
};

impl Lowered<Site> for LoadBalancer {
    type Native = OctaviaLoadBalancer;

    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] =
        &[(Self::DNS_NAME.name(), OctaviaLoadBalancer::ADDRESS.name())];

    /// A public load balancer is reached at its floating IP address.
    const OUTLET: Option<Outlet<Self>> = Some(|spec, output| {
        let public = spec.scheme == Scheme::Public && output == Self::DNS_NAME.name();
        public.then_some((<FloatingIp>::KIND, FloatingIp::IP.name()))
    });

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        // The address is in one subnet, which must not change when others are added after it.
        let Some(subnet) = spec.subnets.first().cloned() else {
            return Err(Error::invalid("a load balancer needs a subnet for its address"));
        };
        let extension = spec.extensions.get::<OpenstackLoadBalancer>()?.unwrap_or_default();
        let (algorithm, passes_through) = (extension.algorithm().to_owned(), extension.passes_through());
        let balancer = OctaviaLoadBalancer {
            subnet: native(subnet.clone()),
            provider: extension.provider.map_or(Setting::Unmanaged, Setting::To),
            flavor: extension.flavor.map_or(Setting::Unmanaged, Setting::To),
            tags: tags_with(cx, []),
        };
        let balancer = cx.add(name, balancer);
        if spec.scheme == Scheme::Public {
            address::add(name, &subnet, balancer.ready().get(OctaviaLoadBalancer::PORT), cx)?;
        }
        let behind = members(name, cx)?;
        for listener in &spec.listeners {
            let how = How { algorithm: &algorithm, passes_through };
            port(name, &spec, listener, &balancer, &behind, how, cx)?;
        }
        Ok(())
    }
}

/// How a load balancer forwards.
#[derive(Clone, Copy)]
struct How<'a> {
    algorithm: &'a str,
    passes_through: bool,
}

/// The parts of a port. Each waits for the previous one, because the whole load balancer is busy in the
/// meantime.
fn port(
    name: &str,
    spec: &LoadBalancer,
    listener: &Listener,
    balancer: &Handle<OctaviaLoadBalancer>,
    behind: &BTreeSet<Input<String>>,
    how: How<'_>,
    cx: &mut Lowering<'_>,
) -> Result<()> {
    let protocol = match (listener.protocol, &listener.certificate) {
        (Protocol::Tcp, None) => "TCP",
        (Protocol::Udp, None) => "UDP",
        _ => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "a load balancer on OpenStack does not support the protocol of port {}",
                    listener.port
                ),
            )
            .with_hint("use TCP, without a certificate, or UDP"));
        }
    };
    let task = format!("{name}-{}", listener.port);
    let door = kinds::Listener {
        load_balancer: balancer.ready().id(),
        protocol: protocol.to_owned(),
        port: listener.port,
        // If the machines see the clients, their firewalls decide; older releases of OVN's driver reject a
        // list.
        allowed_cidrs: if how.passes_through { BTreeSet::new() } else { allowed(spec, listener.port, cx)? },
    };
    let door = cx.add(&task, door);
    let pool = Pool {
        listener: door.ready().id(),
        protocol: protocol.to_owned(),
        algorithm: how.algorithm.to_owned(),
    };
    let pool = cx.add(&task, pool);
    let members: BTreeSet<_> = behind
        .iter()
        .map(|address| Member { address: address.clone(), port: listener.target_port })
        .collect();
    let members =
        (!members.is_empty()).then(|| cx.add(&task, PoolMembers { pool: pool.ready().id(), members }));
    let check = &listener.health_check;
    if check.port.is_some_and(|port| port != listener.target_port) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "on OpenStack a health check uses the port of the machines",
        )
        .with_hint("remove the port of the health check"));
    }
    if how.passes_through && check.https_path.is_some() {
        return Err(Error::new(ErrorKind::Unsupported, "load balancers of OVN check with connections only")
            .with_hint("remove the path of the health check"));
    }
    let kind = match (protocol, &check.https_path) {
        (_, Some(_)) => "HTTPS",
        ("UDP", None) => "UDP-CONNECT",
        _ => "TCP",
    };
    let monitor = HealthMonitor {
        pool: pool.ready().id(),
        kind: kind.to_owned(),
        interval: check.interval_seconds,
        timeout: check.interval_seconds.saturating_sub(1).clamp(1, 5),
        healthy: check.healthy,
        unhealthy: check.unhealthy,
        path: check.https_path.clone(),
    };
    let monitor = cx.add(&task, monitor);
    if let Some(members) = members {
        cx.after(&monitor, &members.ready());
    }
    Ok(())
}

/// The addresses of the machines that are behind a load balancer.
fn members(name: &str, cx: &Lowering<'_>) -> Result<BTreeSet<Input<String>>> {
    let mut addresses = BTreeSet::new();
    for (group, spec) in cx.specs::<InstanceGroup>()? {
        if spec.load_balancers.iter().any(|it| is_for(it, name)) {
            let ports = slots(group, &spec, cx.scope().name()).into_iter();
            addresses.extend(ports.map(|slot| Handle::<NeutronPort>::named(&slot).get(NeutronPort::IP)));
        }
    }
    for (instance, spec) in cx.specs::<Instance>()? {
        if spec.load_balancers.iter().any(|it| is_for(it, name)) {
            addresses.insert(Handle::<NeutronPort>::named(instance).get(NeutronPort::IP));
        }
    }
    Ok(addresses)
}

fn is_for(id: &Input<Id<LoadBalancer>>, name: &str) -> bool {
    Lowering::is_for(id, name)
}
