//! Lowers a load balancer to a network load balancer, with a listener and a target group for each port.

use kops_core::graph::{Expectation, Handle, Id, Input, Setting};
use kops_core::lower::Lowered;
use kops_core::resource::{HealthCheck, Listener, LoadBalancer, Protocol, Subnet};
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site, limits, native, tags_with};
use crate::extensions::{AwsLoadBalancer, PinnedAddress};
use crate::kinds::certificate::ISSUED;
use crate::kinds::{
    Bucket, Certificate, Leg, NetworkLoadBalancer, NetworkLoadBalancerListener, SslPolicy, TargetGroup,
    target_group,
};

/// How many seconds a deregistered machine keeps its connections; kOps' value, because clients of an API
/// reconnect at once.
const DEREGISTRATION_DELAY: u32 = 30;

impl Lowered<Site> for LoadBalancer {
    type Native = NetworkLoadBalancer;

    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] =
        &[(Self::DNS_NAME.name(), NetworkLoadBalancer::DNS_NAME.name())];

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let extension = spec.extensions.get::<AwsLoadBalancer>()?.unwrap_or_default();
        let zones = zones_of(&spec, cx)?;
        limits::one_in_each_zone(zones.iter().map(String::as_str))?;
        super::require_in_zones_of(cx, &spec.subnets, super::BALANCER)?;
        if let Some(log) = &extension.access_log {
            cx.looked_up_for::<Bucket>(&log.bucket, &format!("the log of {name} (accessLog.bucket)"));
        }
        for certificate in spec.listeners.iter().filter_map(|listener| listener.certificate.as_ref()) {
            let what = format!("a listener of {name} (sslCertificate)");
            let found = cx.looked_up_for::<Certificate>(certificate, &what);
            let issued = Expectation::is("status", &ISSUED, "what a listener needs")?;
            cx.expect(&found, issued.hint("validate or renew the certificate, or use another one"));
        }
        if let Some(policy) = &extension.ssl_policy {
            cx.looked_up_for::<SslPolicy>(policy, &format!("a listener of {name} (sslPolicy)"));
        }
        let leg = |subnet: Input<Id<Subnet>>| {
            let pinned = match &subnet {
                Input::Output(output) => extension.addresses.get(output.task.name()).cloned(),
                _ => None,
            };
            let PinnedAddress { private_ip, allocation } = pinned.unwrap_or_default();
            Leg { private_ip, allocation, ..Leg::in_subnet(native(subnet)) }
        };
        let balancer = NetworkLoadBalancer {
            scheme: spec.scheme,
            subnets: spec.subnets.into_iter().map(leg).collect(),
            security_groups: spec.firewalls.into_iter().map(native).collect(),
            cross_zone: spec.cross_zone,
            access_log: extension.access_log.clone(),
            tags: tags_with(cx, []),
        };
        let balancer = cx.add(name, balancer);
        for listener in &spec.listeners {
            let (protocol, check) = (protocol(listener)?, &listener.health_check);
            let group = TargetGroup {
                vpc: native(spec.network.clone()),
                protocol: protocol.to_owned(),
                port: listener.target_port,
                health: health(check),
                deregistration_delay: DEREGISTRATION_DELAY,
                close_connections: true,
                tags: tags_with(cx, []),
            };
            let group = cx.add(&target_group_name(name, cx.scope().name(), listener.port, &extension), group);
            let policy = extension.ssl_policy.clone().filter(|_| listener.certificate.is_some());
            let listener = NetworkLoadBalancerListener {
                load_balancer: balancer.id(),
                port: listener.port,
                protocol: protocol.to_owned(),
                certificate: listener.certificate.clone(),
                ssl_policy: policy.map_or(Setting::Unmanaged, Setting::To),
                target_group: group.id(),
                tags: tags_with(cx, []),
            };
            cx.add(&format!("{name}-{}", listener.port), listener);
        }
        Ok(())
    }
}

/// The zones of the subnets, as far as they are tasks of the graph.
fn zones_of(spec: &LoadBalancer, cx: &Lowering<'_>) -> Result<Vec<String>> {
    let subnets = cx.specs::<Subnet>()?;
    let zone = |id: &Input<Id<Subnet>>| {
        let own = subnets.iter().find(|(name, _)| Lowering::is_for(id, name));
        own.and_then(|(_, subnet)| subnet.zone.clone())
    };
    Ok(spec.subnets.iter().filter_map(zone).collect())
}

fn protocol(listener: &Listener) -> Result<&'static str> {
    match (listener.protocol, &listener.certificate) {
        // Towards the machines the protocol is TLS again.
        (Protocol::Tcp, Some(_)) => Ok("TLS"),
        (Protocol::Tcp, None) => Ok("TCP"),
        (Protocol::Udp, None) => Ok("UDP"),
        _ => Err(Error::new(
            ErrorKind::Unsupported,
            format!("a network load balancer does not support the protocol of port {}", listener.port),
        )
        .with_hint("use TCP, TCP with a certificate, or UDP")),
    }
}

fn health(check: &HealthCheck) -> target_group::HealthCheck {
    target_group::HealthCheck {
        protocol: if check.https_path.is_some() { "HTTPS" } else { "TCP" }.to_owned(),
        port: check.port,
        path: check.https_path.clone(),
        interval: check.interval_seconds,
        healthy: check.healthy,
        unhealthy: check.unhealthy,
    }
}

/// The name of the task of a listener's target group: after its purpose, if an extension specifies one.
fn target_group_name(balancer: &str, scope: &str, port: u16, extension: &AwsLoadBalancer) -> String {
    let own = balancer.strip_suffix(scope).and_then(|own| own.strip_suffix('.'));
    match (extension.target_group_names.get(&port), own) {
        (Some(purpose), _) => format!("{purpose}.{scope}"),
        (None, Some(own)) => format!("{own}-{port}.{scope}"),
        (None, None) => format!("{balancer}-{port}"),
    }
}

/// The target groups of a load balancer: a machine behind it is in all of them.
pub(super) fn target_groups(
    id: &Input<Id<LoadBalancer>>,
    cx: &Lowering<'_>,
) -> Result<Vec<Input<Id<TargetGroup>>>> {
    let specs = cx.specs::<LoadBalancer>()?;
    let Some((name, spec)) = specs.into_iter().find(|(name, _)| Lowering::is_for(id, name)) else {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "the target groups of a shared load balancer are not known",
        )
        .with_hint("list the target groups themselves: AwsInstanceGroup::target_groups"));
    };
    let extension = spec.extensions.get::<AwsLoadBalancer>()?.unwrap_or_default();
    let group = |listener: &Listener| {
        let task = target_group_name(name, cx.scope().name(), listener.port, &extension);
        Handle::<TargetGroup>::named(&task).id()
    };
    Ok(spec.listeners.iter().map(group).collect())
}
