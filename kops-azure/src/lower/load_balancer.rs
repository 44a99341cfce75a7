//! A load balancer becomes one, with a public address of its own where it is public.

use kops_core::lower::Lowered;
use kops_core::resource::{HealthCheck, Listener, LoadBalancer, Protocol, Scheme};
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site, group, labels, native};
use crate::kinds::{AzureLoadBalancer, BalancerProbe, BalancerRule, Frontend, PublicIpAddress};

/// Azure asks no more often, in seconds.
/// <https://learn.microsoft.com/en-us/azure/load-balancer/load-balancer-custom-probe-overview>
const SHORTEST_INTERVAL: u32 = 5;

impl Lowered<Site> for LoadBalancer {
    type Native = AzureLoadBalancer;

    /// Clients reach it at an address: names are for records to give.
    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] =
        &[(Self::DNS_NAME.name(), AzureLoadBalancer::ADDRESS.name())];

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let rules = spec.listeners.iter().map(rule).collect::<Result<_>>()?;
        let (group, tags) = (group(cx), labels(cx, []));
        let frontend = match spec.scheme {
            // It stands before all subnets.
            Scheme::Public => {
                let address = PublicIpAddress { group: group.clone(), tags: tags.clone() };
                Frontend::Public(cx.add(name, address).ready().id())
            }
            Scheme::Internal => {
                let mut subnets = spec.subnets.into_iter();
                let (Some(subnet), None) = (subnets.next(), subnets.next()) else {
                    return Err(Error::new(
                        ErrorKind::Unsupported,
                        "an internal load balancer on Azure has an address in one subnet",
                    )
                    .with_hint("name one: subnets span the zones, and so does the balancer"));
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
                format!("a load balancer of Azure cannot listen on port {} like that", listener.port),
            )
            .with_hint("it passes on TCP or UDP, and ends no TLS"));
        }
    };
    let HealthCheck { port, https_path, interval_seconds, unhealthy, .. } = &listener.health_check;
    let probe = BalancerProbe {
        protocol: if https_path.is_some() { "Https" } else { "Tcp" }.to_owned(),
        port: port.unwrap_or(listener.target_port),
        path: https_path.clone(),
        interval: (*interval_seconds).max(SHORTEST_INTERVAL),
        // One number for both verdicts.
        threshold: *unhealthy,
    };
    Ok(BalancerRule {
        port: listener.port,
        protocol: protocol.to_owned(),
        target_port: listener.target_port,
        probe,
    })
}
