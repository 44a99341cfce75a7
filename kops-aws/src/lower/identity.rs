//! An identity becomes a role, what it may do, and the instance profile that hands it to machines.

use kops_core::Result;
use kops_core::lower::Lowered;
use kops_core::resource::Identity;

use super::permissions::{Machines, trust};
use super::{Lowering, Site};
use crate::extensions::AwsIdentity;
use crate::kinds::{IamRole, IamRolePolicy, InstanceProfile};

impl Lowered<Site> for Identity {
    /// What machines refer to.
    type Native = InstanceProfile;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let extension = spec.extensions.get::<AwsIdentity>()?.unwrap_or_default();
        let machines = Machines {
            cluster: cx.scope().name(),
            partition: partition(&cx.provider().region),
            state_store: spec.state_store.as_deref(),
            zones: extension.dns_zones.iter().map(|zone| zone.clone().into_text()).collect(),
            registry: extension.container_registry,
        };
        let mut statements = machines.statements(spec.role)?;
        if let Some(policy) = &extension.additional_policy {
            statements.extend(policy.statements());
        }
        let policy = if statements.is_empty() { None } else { Some(machines.policy(statements)?) };

        let role = IamRole {
            trust: trust(partition(&cx.provider().region))?,
            permissions_boundary: extension.permissions_boundary,
            managed_policies: extension.policy_arns,
        };
        let role = cx.add(name, role);
        let profile = cx.add(name, InstanceProfile { role: Some(role.id()) });
        if let Some(document) = policy {
            let policy = cx.add(name, IamRolePolicy { role: role.id(), document });
            // A machine's first steps fail when it may not take them yet.
            cx.after(&profile, &policy);
        }
        Ok(())
    }
}

/// The partition that a region is in: the first part of its ARNs.
fn partition(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "aws-cn",
        Some("us") if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_lie_in_partitions() {
        for (region, expected) in [
            ("us-east-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("eu-central-1", "aws"),
        ] {
            assert_eq!(partition(region), expected);
        }
    }
}
