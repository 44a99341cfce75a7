//! The configuration of an in-memory cloud.

use std::collections::BTreeMap;
use std::time::Duration;

use super::kinds::MemoryKind;
use super::meter::Allowance;
use crate::cloud::{Capabilities, IdentityClass, Timing};
use crate::resource::{DnsRecord, Instance, InstanceGroup, LoadBalancer, NatGateway, Resource as _, Volume};

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) capabilities: Capabilities,
    pub(super) latencies: Latencies,
    pub(super) identities: BTreeMap<&'static str, IdentityClass>,
    pub(super) quotas: BTreeMap<&'static str, usize>,
    pub(super) page: usize,
    /// The rate limits, if there are any.
    pub(super) allowance: Vec<Allowance>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            capabilities: Capabilities {
                nat_gateways: true,
                public_load_balancers: true,
                internal_load_balancers: true,
                public_dns: true,
                private_dns: true,
                prefix_lists: true,
                spot: true,
                ipv6: true,
                shared_networks: true,
                zonal_subnets: true,
                zonal_nat_gateways: true,
                surge: true,
            },
            latencies: Latencies::default(),
            identities: BTreeMap::new(),
            quotas: BTreeMap::new(),
            // As in S3, IAM and most of EC2.
            page: 1000,
            allowance: Vec::new(),
        }
    }
}

impl Settings {
    pub(super) fn identity<R: MemoryKind>(&self) -> IdentityClass {
        self.identities.get(R::KIND).copied().unwrap_or(R::IDENTITY)
    }
}

/// How long operations of a [`MemoryCloud`](super::MemoryCloud) take. By default, they take no time.
///
/// ```
/// use std::time::Duration;
/// use kops_core::testing::Latencies;
///
/// let slow_disks = Latencies::default().call(Duration::from_millis(50)).settling("Volume", Duration::from_secs(8));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latencies {
    call: Duration,
    settle: BTreeMap<&'static str, Duration>,
    vanish: BTreeMap<&'static str, Duration>,
    deadline: BTreeMap<&'static str, Duration>,
}

impl Latencies {
    /// Approximately the times of AWS, as observed, not as guaranteed: a NAT gateway takes 95 s, a network load
    /// balancer 120 s, a machine 86 s until its node has joined, each call 250 ms.
    pub fn realistic() -> Self {
        let seconds = Duration::from_secs;
        Self::default()
            .call(Duration::from_millis(250))
            .settling(NatGateway::KIND, seconds(95))
            .settling(LoadBalancer::KIND, seconds(120))
            .settling(InstanceGroup::KIND, seconds(86))
            .settling(Instance::KIND, seconds(86))
            .settling(Volume::KIND, seconds(5))
            .settling(DnsRecord::KIND, seconds(30))
            .vanishing(NatGateway::KIND, seconds(50))
            .vanishing(LoadBalancer::KIND, seconds(10))
            .vanishing(InstanceGroup::KIND, seconds(60))
            .vanishing(Instance::KIND, seconds(40))
    }

    /// Sets how long each call takes.
    pub fn call(mut self, time: Duration) -> Self {
        self.call = time;
        self
    }

    /// Sets how long objects of a kind take until they are ready.
    pub fn settling(mut self, kind: &'static str, time: Duration) -> Self {
        self.settle.insert(kind, time);
        self
    }

    /// Sets how long objects of a kind take until they are gone.
    pub fn vanishing(mut self, kind: &'static str, time: Duration) -> Self {
        self.vanish.insert(kind, time);
        self
    }

    /// Sets how long a run waits for objects of a kind: [`Timing::deadline`].
    pub fn deadline(mut self, kind: &'static str, time: Duration) -> Self {
        self.deadline.insert(kind, time);
        self
    }

    pub(super) fn of_call(&self) -> Duration {
        self.call
    }

    pub(super) fn settle(&self, kind: &str) -> Duration {
        self.settle.get(kind).copied().unwrap_or_default()
    }

    pub(super) fn vanish(&self, kind: &str) -> Duration {
        self.vanish.get(kind).copied().unwrap_or_default()
    }

    pub(super) fn timing(&self, kind: &str) -> Timing {
        let usual = Timing::default();
        let deadline = self.deadline.get(kind).copied().unwrap_or(usual.deadline);
        Timing { call: self.call, settle: self.settle(kind), vanish: self.vanish(kind), deadline, ..usual }
    }
}
