//! DNS zones and records.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{At, LoadBalancer, Network, Resource};
use crate::graph::{Closed, Id, Open, Stage};
use crate::setters;

/// A DNS zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct DnsZone<S: Stage = Open> {
    /// Its name, without the final dot.
    pub name: String,
    /// The network in which it is visible; public if `None`.
    pub network: Option<At<S, Id<Network>>>,
}

impl<S: Stage> DnsZone<S> {
    /// A public zone. The name is without the final dot.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), network: None }
    }

    setters! {
        /// Makes it a private zone, visible in a network only.
        option network: At<S, Id<Network>>;
    }
}

impl DnsZone {
    /// The selector of a shared zone, by its name among public or private zones: there can be one of each. Handlers
    /// return it as an alias of zones.
    ///
    /// ```
    /// use kops_core::resource::DnsZone;
    ///
    /// assert_eq!(DnsZone::selector("example.com", false), "public:example.com");
    /// assert_eq!(DnsZone::selector("example.com", true), "private:example.com");
    /// ```
    pub fn selector(name: &str, private: bool) -> String {
        format!("{}:{name}", if private { "private" } else { "public" })
    }
}

impl Resource for DnsZone {
    const KIND: &'static str = "DnsZone";
    type Resolved = DnsZone<Closed>;
}

/// A DNS record set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct DnsRecord<S: Stage = Open> {
    /// The zone.
    pub zone: At<S, Id<DnsZone>>,
    /// The full name, without the final dot.
    pub name: String,
    /// The type.
    pub record_type: RecordType,
    /// The time to live, in seconds; ignored by clouds that link a name to a load balancer.
    pub ttl_seconds: u32,
    /// Its value.
    pub target: DnsTarget<S>,
}

impl<S: Stage> DnsRecord<S> {
    /// A record with a time to live of five minutes. The name is the full one, without the final dot.
    pub fn new(
        zone: At<S, Id<DnsZone>>,
        name: impl Into<String>,
        record_type: RecordType,
        target: DnsTarget<S>,
    ) -> Self {
        Self { zone, name: name.into(), record_type, ttl_seconds: 300, target }
    }

    setters! {
        /// Sets the time to live, in seconds.
        set ttl_seconds: u32;
        /// Sets what it points to.
        set target: DnsTarget<S>;
    }
}

impl Resource for DnsRecord {
    const KIND: &'static str = "DnsRecord";
    type Resolved = DnsRecord<Closed>;
}

/// The type of a DNS record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Another name.
    Cname,
    /// Text.
    Txt,
}

/// What a DNS record points to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum DnsTarget<S: Stage = Open> {
    /// Values, in the format of the record's type.
    Values(BTreeSet<At<S, String>>),
    /// A load balancer, with the kind of link that the cloud has.
    LoadBalancer(At<S, Id<LoadBalancer>>),
}

impl<S: Stage> DnsTarget<S> {
    /// Values, in the format of the record's type.
    pub fn values<V: Into<At<S, String>>>(values: impl IntoIterator<Item = V>) -> Self {
        Self::Values(values.into_iter().map(Into::into).collect())
    }
}
