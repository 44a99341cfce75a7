//! Lowers DNS zones and records to those of Route 53.

use kops_core::cloud::bare_domain;
use kops_core::graph::{Id, Input};
use kops_core::lower::Lowered;
use kops_core::resource::{DnsRecord, DnsTarget, DnsZone, LoadBalancer};
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site, native};
use crate::kinds::{HostedZone, NetworkLoadBalancer, RecordSet, RecordTarget};

impl Lowered<Site> for DnsZone {
    type Native = HostedZone;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        cx.add(name, HostedZone { name: bare_domain(&spec.name), vpc: spec.network.map(native) });
        Ok(())
    }
}

impl Lowered<Site> for DnsRecord {
    type Native = RecordSet;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let target = match spec.target {
            DnsTarget::Values(values) => RecordTarget::Values { ttl: spec.ttl_seconds, values },
            DnsTarget::LoadBalancer(balancer) => alias(balancer)?,
        };
        let record = RecordSet {
            zone: native(spec.zone),
            name: bare_domain(&spec.name),
            record_type: spec.record_type,
            target,
        };
        cx.add(name, record);
        Ok(())
    }
}

/// An alias of a load balancer's name.
fn alias(balancer: Input<Id<LoadBalancer>>) -> Result<RecordTarget> {
    let Input::Output(balancer) = balancer else {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "a record that is an alias of a load balancer needs the load balancer as a task of the graph",
        )
        .with_hint("add the load balancer with GraphBuilder::share"));
    };
    let output = |name: &str| Input::Output(balancer.clone().output(name));
    Ok(RecordTarget::Alias {
        dns_name: output(NetworkLoadBalancer::DNS_NAME.name()),
        dns_zone: output(NetworkLoadBalancer::DNS_ZONE.name()),
    })
}
