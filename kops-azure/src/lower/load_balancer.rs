//! Lowers a load balancer to one, with a public address of its own if it is public.

use kops_core::lower::Lowered;
use kops_core::resource::{HealthCheck, Listener, LoadBalancer, Protocol, Scheme};
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site, group, labels, native};
use crate::kinds::{AzureLoadBalancer, BalancerProbe, BalancerRule, Frontend, PublicIpAddress};

/// Azure's minimum interval, in seconds.
/// <https://learn.microsoft.com/en-us/azure/load-balancer/load-balancer-custom-probe-overview>
const SHORTEST_INTERVAL: u32 = 5;

impl Lowered<Site> for LoadBalancer {
    type Native = AzureLoadBalancer;

    /// It has an address only: DNS records provide names.
    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] =
        &[(Self::DNS_NAME.name(), AzureLoadBalancer::ADDRESS.name())];

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let rules = spec.listeners.iter().map(rule).collect::<Result<_>>()?;
        let (group, tags) = (group(cx), labels(cx, []));
        let frontend = match spec.scheme {
            // It serves all subnets.
            Scheme::Public => {
                let address = PublicIpAddress { group: group.clone(), tags: tags.clone() };
                Frontend::Public(cx.add(name, address).ready().id())
            }
            Scheme::Internal => {
                let mut subnets = spec.subnets.into_iter();
                let (Some(subnet), None) = (subnets.next(), subnets.next()) else {
                    return Err(Error::new(
                        ErrorKind::Unsupported,
                        "an internal load balancer on Azure must have its address in one subnet",
                    )
                    .with_hint("specify one: subnets span the zones, and so does the load balancer"));
                };
                Frontend::Internal(native(subnet))
            }
        };
        cx.add(name, AzureLoadBalancer { group, frontend, rules, tags });
        Ok(())
    }
}

fn rule(listener: &Listener) -> Result<BalancerRule> {
    let protocol = match (listener.protocol, &listener.certificate) {
        (Protocol::Tcp, None) => "Tcp",
        (Protocol::Udp, None) => "Udp",
        _ => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("a load balancer on Azure does not support the protocol of port {}", listener.port),
            )
            .with_hint("use TCP or UDP, without a certificate"));
        }
    };
    let HealthCheck { port, https_path, interval_seconds, unhealthy, .. } = &listener.health_check;
    let probe = BalancerProbe {
        protocol: if https_path.is_some() { "Https" } else { "Tcp" }.to_owned(),
        port: port.unwrap_or(listener.target_port),
        path: https_path.clone(),
        interval: (*interval_seconds).max(SHORTEST_INTERVAL),
        // One number for both directions.
        threshold: *unhealthy,
    };
    Ok(BalancerRule {
        port: listener.port,
        protocol: protocol.to_owned(),
        target_port: listener.target_port,
        probe,
    })
}
