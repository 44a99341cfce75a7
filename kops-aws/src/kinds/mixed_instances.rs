//! The mixed instances policy of an auto scaling group.
//!
//! AWS fills in and returns defaults for omitted fields. So the policy is completed here with the same
//! defaults, and can be compared with what AWS returns.

use std::collections::BTreeSet;

use aws_sdk_autoscaling::types::{self, LaunchTemplateSpecification};
use kops_core::Result;
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::At;
use serde::{Deserialize, Serialize};

use super::InstanceType;
use super::convert::{count, int};
use crate::extensions::InstanceRequirements;

/// Several machine types in one group, and the share of spot machines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct MixedInstancesPolicy<S: Stage = Open> {
    /// The types, in order of preference; empty if `requirements` are given.
    pub instance_types: Vec<At<S, Id<InstanceType>>>,
    /// The required properties of types.
    pub requirements: Option<InstanceRequirements>,
    /// The allocation strategy of on-demand machines.
    pub on_demand_strategy: String,
    /// The minimum number of on-demand machines.
    pub on_demand_base: u32,
    /// The percentage of on-demand machines above that minimum.
    pub on_demand_above_base: u32,
    /// The allocation strategy of spot machines.
    pub spot_strategy: String,
    /// The number of spot pools to use; only with the strategy `lowest-price`.
    pub spot_pools: Option<u32>,
    /// The maximum price in US dollars per hour; the on-demand price if `None`.
    pub spot_max_price: Option<String>,
}

/// The only strategy with a number of pools.
pub(crate) const LOWEST_PRICE: &str = "lowest-price";

/// The policy in the API's form.
pub(crate) fn request(
    policy: &MixedInstancesPolicy<Closed>,
    template: LaunchTemplateSpecification,
) -> Result<types::MixedInstancesPolicy> {
    let distribution = types::InstancesDistribution::builder()
        .on_demand_allocation_strategy(&policy.on_demand_strategy)
        .on_demand_base_capacity(int(policy.on_demand_base)?)
        .on_demand_percentage_above_base_capacity(int(policy.on_demand_above_base)?)
        .spot_allocation_strategy(&policy.spot_strategy)
        .set_spot_instance_pools(policy.spot_pools.map(int).transpose()?)
        // Empty means the on-demand price.
        .spot_max_price(policy.spot_max_price.as_deref().unwrap_or_default())
        .build();
    let of_type =
        |it: &Id<InstanceType>| types::LaunchTemplateOverrides::builder().instance_type(it.as_str());
    let mut overrides: Vec<_> = policy.instance_types.iter().map(|it| of_type(it).build()).collect();
    if let Some(required) = &policy.requirements {
        let required = requirements(required)?;
        overrides.push(types::LaunchTemplateOverrides::builder().instance_requirements(required).build());
    }
    let template = types::LaunchTemplate::builder()
        .launch_template_specification(template)
        .set_overrides(Some(overrides));
    Ok(types::MixedInstancesPolicy::builder()
        .launch_template(template.build())
        .instances_distribution(distribution)
        .build())
}

fn requirements(required: &InstanceRequirements) -> Result<types::InstanceRequirements> {
    let cpus = types::VCpuCountRequest::builder()
        .min(int(required.min_cpus)?)
        .set_max(required.max_cpus.map(int).transpose()?);
    let memory = types::MemoryMiBRequest::builder()
        .min(int(required.min_memory)?)
        .set_max(required.max_memory.map(int).transpose()?);
    let excluded: Vec<_> = required.excluded.iter().cloned().collect();
    Ok(types::InstanceRequirements::builder()
        .v_cpu_count(cpus.build())
        .memory_mib(memory.build())
        .set_excluded_instance_types((!excluded.is_empty()).then_some(excluded))
        .build())
}

/// The policy from the API's form.
pub(crate) fn read(policy: &types::MixedInstancesPolicy) -> MixedInstancesPolicy<Closed> {
    let distribution = policy.instances_distribution.as_ref();
    let overrides = policy.launch_template.as_ref().map(|it| it.overrides()).unwrap_or_default();
    let text = |of: fn(&types::InstancesDistribution) -> Option<String>| distribution.and_then(of);
    let number = |of: fn(&types::InstancesDistribution) -> Option<i32>| distribution.and_then(of);
    let spot_strategy = text(|it| it.spot_allocation_strategy.clone()).unwrap_or(LOWEST_PRICE.to_owned());
    MixedInstancesPolicy {
        instance_types: overrides.iter().filter_map(|it| it.instance_type.as_deref()).map(Id::new).collect(),
        requirements: overrides
            .iter()
            .find_map(|it| it.instance_requirements.as_ref())
            .map(read_requirements),
        on_demand_strategy: text(|it| it.on_demand_allocation_strategy.clone()).unwrap_or_default(),
        on_demand_base: count(number(|it| it.on_demand_base_capacity)),
        on_demand_above_base: count(number(|it| it.on_demand_percentage_above_base_capacity)),
        spot_pools: number(|it| it.spot_instance_pools)
            .filter(|_| spot_strategy == LOWEST_PRICE)
            .map(|pools| count(Some(pools))),
        spot_strategy,
        spot_max_price: text(|it| it.spot_max_price.clone()).filter(|price| !price.is_empty()),
    }
}

fn read_requirements(required: &types::InstanceRequirements) -> InstanceRequirements {
    let cpus = required.v_cpu_count.as_ref();
    let memory = required.memory_mib.as_ref();
    InstanceRequirements {
        min_cpus: count(cpus.and_then(|it| it.min)),
        max_cpus: cpus.and_then(|it| it.max).map(|max| count(Some(max))),
        min_memory: count(memory.and_then(|it| it.min)),
        max_memory: memory.and_then(|it| it.max).map(|max| count(Some(max))),
        excluded: required.excluded_instance_types().iter().cloned().collect::<BTreeSet<_>>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_comes_back_as_it_went() {
        let named = MixedInstancesPolicy {
            instance_types: vec![Id::new("m6i.large"), Id::new("m5.large")],
            requirements: None,
            on_demand_strategy: "prioritized".to_owned(),
            on_demand_base: 1,
            on_demand_above_base: 0,
            spot_strategy: LOWEST_PRICE.to_owned(),
            spot_pools: Some(3),
            spot_max_price: Some("0.1".to_owned()),
        };
        let required = MixedInstancesPolicy {
            instance_types: Vec::new(),
            requirements: Some(InstanceRequirements {
                min_cpus: 2,
                max_cpus: None,
                min_memory: 4096,
                max_memory: Some(8192),
                excluded: BTreeSet::from(["t*".to_owned()]),
            }),
            spot_strategy: "price-capacity-optimized".to_owned(),
            spot_pools: None,
            spot_max_price: None,
            ..named.clone()
        };
        for policy in [named, required] {
            let template = LaunchTemplateSpecification::builder().launch_template_id("lt-1").build();
            assert_eq!(read(&request(&policy, template).unwrap()), policy);
        }
    }
}
