//! AWS-specific settings, as typed extensions of the agnostic kinds.
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
use kops_core::setters;
use serde::{Deserialize, Serialize};

use crate::Policy;

/// Extends an [`InstanceGroup`](kops_core::resource::InstanceGroup).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AwsInstanceGroup {
    /// Several machine types, on-demand and spot.
    pub mixed: Option<MixedInstances>,
    /// What happens to a spot machine that is interrupted: `terminate` (the default), `stop` or `hibernate`.
    pub interruption_behavior: Option<String>,
    /// The tenancy: `default`, `dedicated` or `host`.
    pub tenancy: Option<String>,
    /// Burst credits: `standard` or `unlimited`.
    pub cpu_credits: Option<String>,
    /// Whether machines are EBS-optimised; most types always are.
    pub ebs_optimized: bool,
    /// Whether a spot machine at risk is replaced before it is interrupted.
    pub capacity_rebalance: bool,
    /// Whether machines are protected from scale-in.
    pub instance_protection: bool,
    /// Scaling processes to suspend, such as `AZRebalance`.
    pub suspended_processes: BTreeSet<String>,
    /// The maximum lifetime of a machine, in seconds; at least a day.
    pub max_instance_lifetime: Option<u32>,
    /// Lifecycle hooks, by name.
    pub lifecycle_hooks: BTreeMap<String, Hook>,
    /// ARNs of existing target groups with which the machines are registered.
    pub target_groups: BTreeSet<String>,
}

impl Extension for AwsInstanceGroup {
    const NAME: &'static str = "aws/InstanceGroup";
}

/// Several machine types in one group, and the share of spot machines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MixedInstances {
    /// The types, in order of preference.
    pub machine_types: Vec<String>,
    /// The required properties of types, instead of their names.
    pub requirements: Option<InstanceRequirements>,
    /// The allocation strategy of on-demand machines: `prioritized` or `lowest-price`.
    pub on_demand_strategy: Option<String>,
    /// The minimum number of on-demand machines.
    pub on_demand_base: Option<u32>,
    /// The percentage of on-demand machines above that minimum.
    pub on_demand_above_base: Option<u32>,
    /// The allocation strategy of spot machines: `capacity-optimized`, `price-capacity-optimized`, …
    pub spot_strategy: Option<String>,
    /// The number of spot pools to use, with the strategy `lowest-price`.
    pub spot_pools: Option<u32>,
}

/// Required properties of machine types.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InstanceRequirements {
    /// The minimum number of vCPUs.
    pub min_cpus: u32,
    /// The maximum number of vCPUs.
    pub max_cpus: Option<u32>,
    /// The minimum memory, in MiB.
    pub min_memory: u32,
    /// The maximum memory, in MiB.
    pub max_memory: Option<u32>,
    /// Types to exclude; `*` is a wildcard.
    pub excluded: BTreeSet<String>,
}

/// A lifecycle hook: a machine waits for an external action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// The transition at which the machine waits.
    pub transition: Transition,
    /// The timeout, in seconds.
    #[serde(default = "Hook::usual_timeout")]
    pub timeout: u32,
    /// Whether the machine continues after the timeout; otherwise it is terminated.
    #[serde(default)]
    pub go_on: bool,
}

impl Hook {
    /// Five minutes, the timeout of kOps' hooks.
    fn usual_timeout() -> u32 {
        300
    }
}

/// A lifecycle transition of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Transition {
    /// After its start, before it is in service.
    Launching,
    /// Before it is terminated.
    Terminating,
}

/// Extends a [`LoadBalancer`](kops_core::resource::LoadBalancer).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AwsLoadBalancer {
    /// The names of target groups, by the port of the listener; by default derived from load balancer and
    /// port.
    pub target_group_names: BTreeMap<u16, String>,
    /// The policy of TLS listeners, such as `ELBSecurityPolicy-TLS13-1-2-2021-06`.
    pub ssl_policy: Option<String>,
    /// The destination of its access log.
    pub access_log: Option<AccessLog>,
    /// Its addresses, by the task of the subnet; chosen by AWS in other subnets.
    pub addresses: BTreeMap<String, PinnedAddress>,
}

/// The address of a load balancer in a subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PinnedAddress {
    /// The private address of an internal load balancer.
    pub private_ip: Option<String>,
    /// The allocation id of the elastic IP address of a public load balancer.
    pub allocation: Option<String>,
}

impl PinnedAddress {
    setters! {
        /// Sets the private address of an internal load balancer.
        text private_ip;
        /// Sets the allocation id of the elastic IP address of a public load balancer.
        text allocation;
    }
}

impl Extension for AwsLoadBalancer {
    const NAME: &'static str = "aws/LoadBalancer";
}

/// The destination of a load balancer's access log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessLog {
    /// The S3 bucket, whose policy must allow load balancers to write.
    pub bucket: String,
    /// The prefix in the bucket.
    #[serde(default)]
    pub prefix: String,
}

/// Extends an [`Identity`](kops_core::resource::Identity).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AwsIdentity {
    /// Permissions in addition to those of the role in the cluster.
    pub additional_policy: Option<Policy>,
    /// Existing policies, by ARN.
    pub policy_arns: BTreeSet<String>,
    /// The ARN of the permissions boundary of the role.
    pub permissions_boundary: Option<String>,
    /// Zones whose records the machines may manage.
    pub dns_zones: BTreeSet<Input<Id<DnsZone>>>,
    /// Whether machines may pull from the account's container registry.
    pub container_registry: bool,
    /// Whether machines may pull images of other registries through the account's, as which they are kept there.
    pub registry_caches: bool,
    /// Whether machines may attach network interfaces and assign addresses, for plugins that give pods addresses of the
    /// network.
    pub network_interfaces: bool,
    /// Whether machines may switch off the check of source and destination of the cluster's machines, for plugins that
    /// send packets with the addresses of pods.
    pub source_dest_check: bool,
}

impl Extension for AwsIdentity {
    const NAME: &'static str = "aws/Identity";
}
