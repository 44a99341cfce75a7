//! Lowers an identity to a role, its policy, and an instance profile.

use std::collections::BTreeSet;

use kops_core::Result;
use kops_core::graph::{Id, Input, Part};
use kops_core::lower::Lowered;
use kops_core::resource::{DnsZone, Identity};
use serde_json::{Value, json};

use super::{Lowering, Site};
use crate::Policy;
use crate::extensions::AwsIdentity;
use crate::iam_policy::VERSION;
use crate::kinds::{IamRole, IamRolePolicy, InstanceProfile, ManagedPolicy};

impl Lowered<Site> for Identity {
    /// The kind that machines refer to.
    type Native = InstanceProfile;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let extension = spec.extensions.get::<AwsIdentity>()?.unwrap_or_default();
        let partition = partition(&cx.provider().region);
        let mut statements = Vec::new();
        #[cfg(feature = "cluster")]
        statements.extend(crate::cluster::identity::statements(&spec, &extension, cx.scope(), partition)?);
        if let Some(policy) = &extension.additional_policy {
            statements.extend(policy.statements());
        }
        let policy =
            if statements.is_empty() { None } else { Some(policy(statements, &extension.dns_zones)?) };

        for arn in &extension.policy_arns {
            cx.looked_up_for::<ManagedPolicy>(
                arn,
                &format!("the external policies of {name} (externalPolicies)"),
            );
        }
        if let Some(arn) = &extension.permissions_boundary {
            cx.looked_up_for::<ManagedPolicy>(arn, "the boundary of roles (iam.permissionsBoundary)");
        }
        let role = IamRole {
            trust: trust(partition)?,
            permissions_boundary: extension.permissions_boundary,
            managed_policies: extension.policy_arns,
        };
        let role = cx.add(name, role);
        let profile = cx.add(name, InstanceProfile { role: Some(role.id()) });
        if let Some(document) = policy {
            let policy = cx.add(name, IamRolePolicy { role: role.id(), document });
            // The first steps of a machine fail if it does not have the permissions yet.
            cx.after(&profile, &policy);
        }
        Ok(())
    }
}

/// The trust policy: machines of EC2 may assume the role.
fn trust(partition: &str) -> Result<Policy> {
    let service = if partition == "aws-cn" { "ec2.amazonaws.com.cn" } else { "ec2.amazonaws.com" };
    Policy::from_value(&json!({
        "Version": VERSION,
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }))
}

/// The policy of these statements. Identifiers of zones replace their [`slot`]s once they are known.
fn policy(statements: Vec<Value>, zones: &BTreeSet<Input<Id<DnsZone>>>) -> Result<Input<Policy>> {
    let policy = Policy::of_statements(&Value::Array(statements))?;
    if zones.is_empty() {
        return Ok(Input::Known(policy));
    }
    let mut parts = Vec::new();
    let mut rest = policy.as_str();
    for (number, zone) in zones.iter().enumerate() {
        // Zones are listed in order, and sorting keeps their order: all slots have the same number of digits.
        let Some((before, after)) = rest.split_once(&slot(number)) else { continue };
        parts.push(Input::Known(before.to_owned()));
        parts.push(zone.clone().into_text());
        rest = after;
    }
    parts.push(Input::Known(rest.to_owned()));
    match Input::concat(parts) {
        Input::Known(text) => Policy::parse(&text).map(Input::Known),
        Input::Output(output) => Ok(Input::Concat(vec![Part::Output { output }])),
        Input::Concat(parts) => Ok(Input::Concat(parts)),
    }
}

/// A placeholder for a zone while the policy is built.
pub(crate) fn slot(zone: usize) -> String {
    format!("(zone {zone:04})")
}

/// The partition of a region: the first part of its ARNs.
fn partition(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "aws-cn",
        Some("us") if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

#[cfg(test)]
mod tests {
    use kops_core::graph::Handle;

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

    #[test]
    fn zones_are_put_in_when_they_are_known() {
        let known = Input::Known(Id::<DnsZone>::new("Z1"));
        let zones = BTreeSet::from([known, Handle::<DnsZone>::named("example.com").id()]);
        let resources = [0, 1].map(|zone| format!("arn:aws:route53:::hostedzone/{}", slot(zone)));
        let statement =
            json!({"Effect": "Allow", "Action": ["route53:GetHostedZone"], "Resource": resources});
        let policy = policy(vec![statement], &zones).unwrap();
        let Input::Concat(parts) = policy else { panic!("{policy:?}") };
        assert_eq!(parts.iter().filter(|part| matches!(part, Part::Output { .. })).count(), 1);
        let text: String =
            parts.iter().map(|part| if let Part::Text(text) = part { text.as_str() } else { "Z2" }).collect();
        let policy = Policy::parse(&text).unwrap();
        assert!(policy.as_str().contains("hostedzone/Z1"), "{policy}");
        assert!(policy.as_str().contains("hostedzone/Z2"), "{policy}");
    }
}
