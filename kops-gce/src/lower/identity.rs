//! An identity becomes a service account, and a member of each role that such machines need.
//!
//! | machines | roles | for |
//! |---|---|---|
//! | control plane | `compute.instanceAdmin.v1` | attaching disks, groups' sizes, machines' labels |
//! | | `compute.networkAdmin` | routes of pods, load balancers of services |
//! | | `compute.securityAdmin` | firewall rules of those |
//! | | `iam.serviceAccountUser` | machines of groups run under accounts |
//! | | `dns.admin` | the cluster's names |
//! | nodes | `compute.viewer` | finding themselves |
//! | bastions | none | |
//!
//! Those that read a state store in Cloud Storage may look at the objects of their cluster there, by a condition
//! on the objects' names.

use kops_core::graph::{Handle, Id, Input};
use kops_core::lower::Lowered;
use kops_core::resource::{Identity, Role};
use kops_core::{Error, Result};

use super::{Lowering, Site};
use crate::extensions::GceIdentity;
use crate::kinds::{Condition, ProjectIamBinding, ServiceAccount};

impl Lowered<Site> for Identity {
    type Native = ServiceAccount;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let extension = spec.extensions.get::<GceIdentity>()?.unwrap_or_default();
        let account = cx.add(name, ServiceAccount { display_name: display_name(name) });
        let roles = roles(spec.role).iter().map(|role| (*role).to_owned()).chain(extension.roles);
        for role in roles {
            bind(name, &account, &role, None, cx);
        }
        if spec.role != Role::Bastion
            && let Some(condition) = store(spec.state_store.as_deref(), cx.scope().name())?
        {
            bind(name, &account, "roles/storage.objectViewer", Some(condition), cx);
        }
        Ok(())
    }
}

/// The longest display name, in bytes:
/// <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts>.
const LONGEST: usize = 100;

fn display_name(name: &str) -> String {
    kops_core::cloud::shortened(name, LONGEST)
}

fn roles(role: Role) -> &'static [&'static str] {
    match role {
        Role::ControlPlane => &[
            "roles/compute.instanceAdmin.v1",
            "roles/compute.networkAdmin",
            "roles/compute.securityAdmin",
            "roles/dns.admin",
            "roles/iam.serviceAccountUser",
        ],
        Role::Node => &["roles/compute.viewer"],
        Role::Bastion => &[],
    }
}

fn bind(
    name: &str,
    account: &Handle<ServiceAccount>,
    role: &str,
    condition: Option<Condition>,
    cx: &mut Lowering<'_>,
) {
    let service_account: Input<Id<ServiceAccount>> = account.id();
    let own = role.rsplit('/').next().unwrap_or(role);
    let binding = ProjectIamBinding { role: role.to_owned(), service_account, condition };
    cx.add(&format!("{own}.{name}"), binding);
}

/// That an object is the cluster's in its state store; `None` for stores elsewhere.
fn store(url: Option<&str>, cluster: &str) -> Result<Option<Condition>> {
    let Some(place) = url.and_then(|url| url.strip_prefix("gs://")) else { return Ok(None) };
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    if bucket.is_empty() {
        return Err(Error::invalid(format!("the state store gs://{place} names no bucket"))
            .hint("it is written gs://bucket/prefix"));
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
