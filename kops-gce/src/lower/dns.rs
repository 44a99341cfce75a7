//! Lowers DNS zones and records.

use kops_core::Result;
use kops_core::graph::{Input, Wait};
use kops_core::lower::Lowered;
use kops_core::resource::{DnsRecord, DnsTarget, DnsZone, RecordType};

use super::{Lowering, Site, native, unsupported};
use crate::kinds::{GceAddress, ManagedZone, ResourceRecordSet};

impl Lowered<Site> for DnsZone {
    type Native = ManagedZone;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        cx.add(name, ManagedZone { name: spec.name, network: spec.network.map(native) });
        Ok(())
    }
}

impl Lowered<Site> for DnsRecord {
    type Native = ResourceRecordSet;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let values = match spec.target {
            DnsTarget::Values(values) => values,
            // A record for a load balancer contains its address.
            DnsTarget::LoadBalancer(balancer) => {
                if spec.record_type != RecordType::A {
                    return Err(unsupported(
                        "load balancers have IPv4 addresses only",
                        "use a record of type A",
                    ));
                }
                let Input::Output(balancer) = balancer else {
                    return Err(unsupported(
                        "the address of that load balancer is not known",
                        "use its address as the record's value",
                    ));
                };
                [Input::Output(balancer.output(GceAddress::IP.name()).wait(Wait::Ready))].into()
            }
        };
        let record = ResourceRecordSet {
            zone: native(spec.zone),
            name: spec.name,
            record_type: spec.record_type,
            ttl: spec.ttl_seconds,
            values,
        };
        cx.add(name, record);
        Ok(())
    }
}
