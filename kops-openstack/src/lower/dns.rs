//! Lowers DNS zones and records to those of Designate.

use std::collections::BTreeSet;

use kops_core::cloud::bare_domain;
use kops_core::graph::{Handle, Id, Input};
use kops_core::lower::Lowered;
use kops_core::resource::{DnsRecord, DnsTarget, DnsZone, LoadBalancer, RecordType, Scheme};
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site, native};
use crate::kinds::{DesignateZone, FloatingIp, OctaviaLoadBalancer, RecordSet};

impl Lowered<Site> for DnsZone {
    type Native = DesignateZone;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        if spec.network.is_some() {
            return Err(Error::new(ErrorKind::Unsupported, "OpenStack has no private DNS zones")
                .with_hint("use a public zone, or none"));
        }
        cx.add(name, DesignateZone { name: bare_domain(&spec.name) });
        Ok(())
    }
}

impl Lowered<Site> for DnsRecord {
    type Native = RecordSet;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let values = match spec.target {
            DnsTarget::Values(values) => values,
            DnsTarget::LoadBalancer(balancer) => {
                if spec.record_type != RecordType::A {
                    return Err(Error::new(
                        ErrorKind::Unsupported,
                        "a load balancer on OpenStack has an IPv4 address: it needs an A record",
                    ));
                }
                BTreeSet::from([address(&balancer, cx)?])
            }
        };
        let record = RecordSet {
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
fn address(balancer: &Input<Id<LoadBalancer>>, cx: &Lowering<'_>) -> Result<Input<String>> {
    let specs = cx.specs::<LoadBalancer>()?;
    match specs.iter().find(|(name, _)| Lowering::is_for(balancer, name)) {
        Some((name, spec)) if spec.scheme == Scheme::Public => {
            Ok(Handle::<FloatingIp>::named(name).get(FloatingIp::IP))
        }
        Some((name, _)) => Ok(Handle::<OctaviaLoadBalancer>::named(name).get(OctaviaLoadBalancer::ADDRESS)),
        None => Err(Error::new(
            ErrorKind::Unsupported,
            "whether a shared load balancer has a public address is not known",
        )
        .with_hint("use the address itself as the record's value")),
    }
}
