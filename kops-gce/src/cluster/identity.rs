//! The permissions of a cluster's machines: the roles of their service accounts.
//!
//! | machines | roles | for |
//! |---|---|---|
//! | control plane | `compute.instanceAdmin.v1` | attaching disks, resizing groups, labelling machines |
//! | | `compute.networkAdmin` | routes of pods, load balancers of services |
//! | | `compute.securityAdmin` | firewall rules of those load balancers |
//! | | `iam.serviceAccountUser` | creating machines with service accounts |
//! | | `dns.admin` | the cluster's DNS records |
//! | nodes | `compute.viewer` | describing themselves |
//! | bastions | none | |
//!
//! Machines that read a state store in Cloud Storage may read the objects of their cluster there, by a
//! condition on the objects' names.

use kops_cluster::extensions::{ClusterIdentity, MachineRole};
use kops_core::cloud::Scope;
use kops_core::resource::Identity;
use kops_core::{Error, Result};

use crate::kinds::Condition;

/// The roles for an identity's role in a cluster, each with its condition; none for an identity outside of
/// clusters.
pub(crate) fn roles(spec: &Identity, scope: &Scope) -> Result<Vec<(&'static str, Option<Condition>)>> {
    let Some(identity) = spec.extensions.get::<ClusterIdentity>()? else { return Ok(Vec::new()) };
    let mut roles: Vec<_> = roles_of(identity.role).iter().map(|role| (*role, None)).collect();
    if identity.role != MachineRole::Bastion
        && let Some(condition) = store(identity.state_store.as_deref(), scope.name())?
    {
        roles.push(("roles/storage.objectViewer", Some(condition)));
    }
    Ok(roles)
}

fn roles_of(role: MachineRole) -> &'static [&'static str] {
    match role {
        MachineRole::ControlPlane => &[
            "roles/compute.instanceAdmin.v1",
            "roles/compute.networkAdmin",
            "roles/compute.securityAdmin",
            "roles/dns.admin",
            "roles/iam.serviceAccountUser",
        ],
        MachineRole::Node => &["roles/compute.viewer"],
        MachineRole::Bastion => &[],
    }
}

/// The condition that an object belongs to the cluster in its state store; `None` for other stores.
fn store(url: Option<&str>, cluster: &str) -> Result<Option<Condition>> {
    let Some(place) = url.and_then(|url| url.strip_prefix("gs://")) else { return Ok(None) };
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    if bucket.is_empty() {
        return Err(Error::invalid(format!("the state store gs://{place} has no bucket"))
            .with_hint("use gs://bucket/prefix"));
    }
    let prefix = prefix.trim_matches('/');
    let prefix = if prefix.is_empty() { cluster } else { prefix };
    if [bucket, prefix].iter().any(|text| text.contains(['"', '\\'])) {
        return Err(Error::invalid(format!("the state store gs://{place} has quotes in its name")));
    }
    Ok(Some(Condition {
        title: "state of the cluster".to_owned(),
        expression: format!(
            "resource.name.startsWith(\"projects/_/buckets/{bucket}/objects/{prefix}/\") || \
             resource.name == \"projects/_/buckets/{bucket}\""
        ),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_elsewhere_needs_no_role() {
        assert_eq!(store(Some("s3://b/c"), "c").unwrap(), None);
        assert_eq!(store(None, "c").unwrap(), None);
        assert!(store(Some("gs://"), "c").is_err());
        let condition = store(Some("gs://b/p/c.example.com"), "c.example.com").unwrap().unwrap();
        assert!(condition.expression.contains("buckets/b/objects/p/c.example.com/"), "{condition:?}");
    }
}
