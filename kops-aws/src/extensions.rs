//! What only AWS understands, as typed extensions of the agnostic kinds.
//!
//! ```
//! use kops_aws::extensions::{AwsInstanceGroup, MixedInstances};
//! use kops_core::resource::Extensions;
//!
//! let mut extensions = Extensions::default();
//! extensions.set(&AwsInstanceGroup {
//!     mixed: Some(MixedInstances {
//!         machine_types: vec!["m6i.large".to_owned(), "m5.large".to_owned()],
//!         on_demand_base: Some(1),
//!         on_demand_above_base: Some(0),
//!         ..MixedInstances::default()
//!     }),
//!     ..AwsInstanceGroup::default()
//! })?;
//! # Ok::<(), kops_core::Error>(())
//! ```

use std::collections::{BTreeMap, BTreeSet};

use kops_core::graph::{Id, Input};
use kops_core::resource::{DnsZone, Extension};
use serde::{Deserialize, Serialize};

use crate::Policy;

/// Extends an [`InstanceGroup`](kops_core::resource::InstanceGroup).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AwsInstanceGroup {
    /// Several machine types, on demand and spot.
    pub mixed: Option<MixedInstances>,
    /// What happens to a spot machine that is taken back: `terminate` (the default), `stop` or `hibernate`.
    pub interruption_behavior: Option<String>,
    /// Whose hardware: `default`, `dedicated` or `host`.
    pub tenancy: Option<String>,
    /// Burst credits: `standard` or `unlimited`.
    pub cpu_credits: Option<String>,
    /// Whether machines have a path of their own to their disks; most types always do.
    pub ebs_optimized: bool,
    /// Whether a spot machine at risk is replaced before it is taken back.
    pub capacity_rebalance: bool,
    /// Whether machines are safe when the group shrinks.
    pub instance_protection: bool,
    /// Scaling processes that are switched off, such as `AZRebalance`.
    pub suspended_processes: BTreeSet<String>,
    /// Seconds that a machine may live: at least a day.
    pub max_instance_lifetime: Option<u32>,
    /// Moments at which a machine waits for somebody, by name.
    pub lifecycle_hooks: BTreeMap<String, Hook>,
    /// Target groups of somebody else's, by ARN, that the machines stand behind.
    pub target_groups: BTreeSet<String>,
}

impl Extension for AwsInstanceGroup {
    const NAME: &'static str = "aws/InstanceGroup";
}

/// Several machine types in one group, and how much of it is spot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MixedInstances {
    /// The types, the most wanted first.
    pub machine_types: Vec<String>,
    /// What a type must have, instead of naming types.
    pub requirements: Option<InstanceRequirements>,
    /// How types are chosen on demand: `prioritized` or `lowest-price`.
    pub on_demand_strategy: Option<String>,
    /// How many machines are on demand in any case.
    pub on_demand_base: Option<u32>,
    /// Which share of the others is on demand, in percent.
    pub on_demand_above_base: Option<u32>,
    /// How types are chosen among spot machines: `capacity-optimized`, `price-capacity-optimized` …
    pub spot_strategy: Option<String>,
    /// From how many pools spot machines come, with the strategy `lowest-price`.
    pub spot_pools: Option<u32>,
}

/// What a machine type must have.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InstanceRequirements {
    /// The fewest processors.
    pub min_cpus: u32,
    /// The most processors.
    pub max_cpus: Option<u32>,
    /// The least memory, in MiB.
    pub min_memory: u32,
    /// The most memory, in MiB.
    pub max_memory: Option<u32>,
    /// Types that are out; `*` stands for anything.
    pub excluded: BTreeSet<String>,
}

/// A moment at which a machine waits for somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// When.
    pub transition: Transition,
    /// How many seconds it waits.
    #[serde(default = "Hook::usual_timeout")]
    pub timeout: u32,
    /// Whether it goes on when nobody has come; otherwise it is ended.
    #[serde(default)]
    pub go_on: bool,
}

impl Hook {
    /// Five minutes, as kOps' hooks have.
    fn usual_timeout() -> u32 {
        300
    }
}

/// A moment in a machine's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Transition {
    /// Between its start and its service.
    Launching,
    /// Between its service and its end.
    Terminating,
}

/// Extends a [`LoadBalancer`](kops_core::resource::LoadBalancer).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AwsLoadBalancer {
    /// The names of target groups, by the port of the listener; after the balancer and the port otherwise.
    pub target_group_names: BTreeMap<u16, String>,
    /// The policy of TLS listeners, such as `ELBSecurityPolicy-TLS13-1-2-2021-06`.
    pub ssl_policy: Option<String>,
    /// Where it writes its access log.
    pub access_log: Option<AccessLog>,
}

impl Extension for AwsLoadBalancer {
    const NAME: &'static str = "aws/LoadBalancer";
}

/// Where a load balancer writes its access log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessLog {
    /// The S3 bucket, whose policy lets load balancers write.
    pub bucket: String,
    /// The prefix in the bucket.
    #[serde(default)]
    pub prefix: String,
}

/// Extends an [`Identity`](kops_core::resource::Identity).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AwsIdentity {
    /// What machines may do beyond what their role needs.
    pub additional_policy: Option<Policy>,
    /// Existing policies, by ARN.
    pub policy_arns: BTreeSet<String>,
    /// The ARN of the policy that bounds the role.
    pub permissions_boundary: Option<String>,
    /// Zones whose records the machines keep.
    pub dns_zones: BTreeSet<Input<Id<DnsZone>>>,
    /// Whether machines may pull from the account's container registry.
    pub container_registry: bool,
}

impl Extension for AwsIdentity {
    const NAME: &'static str = "aws/Identity";
}
