//! Lowers DNS zones and records to Azure's.

use kops_core::cloud::bare_domain;
use kops_core::graph::{Id, Input, Wait};
use kops_core::lower::Lowered;
use kops_core::resource::{DnsRecord, DnsTarget, DnsZone, LoadBalancer};
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site, group, labels, native};
use crate::kinds::{AzureDnsZone, AzureLoadBalancer, AzureRecordSet, VirtualNetworkLink};

impl Lowered<Site> for DnsZone {
    type Native = AzureDnsZone;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let group = group(cx);
        let tags = labels(cx, []);
        let private = spec.network.is_some();
        let zone = cx.add(name, AzureDnsZone { group, name: bare_domain(&spec.name), private, tags });
        if let Some(network) = spec.network {
            cx.add(name, VirtualNetworkLink { zone: zone.ready().id(), network: native(network) });
        }
        Ok(())
    }
}

impl Lowered<Site> for DnsRecord {
    type Native = AzureRecordSet;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let values = match spec.target {
            DnsTarget::Values(values) => values,
            DnsTarget::LoadBalancer(balancer) => [address(balancer)?].into(),
        };
        let record = AzureRecordSet {
            zone: native(spec.zone),
            name: bare_domain(&spec.name),
            record_type: spec.record_type,
            ttl: spec.ttl_seconds,
            values,
        };
        cx.add(name, record);
        Ok(())
    }
}

/// The address of a load balancer.
fn address(balancer: Input<Id<LoadBalancer>>) -> Result<Input<String>> {
    let Input::Output(balancer) = balancer else {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "a record for a load balancer needs the load balancer as a task of the graph",
        )
        .with_hint("add the load balancer with GraphBuilder::share"));
    };
    Ok(Input::Output(balancer.output(AzureLoadBalancer::ADDRESS.name()).wait(Wait::Ready)))
}
