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
//! In a state store in Cloud Storage, control planes read the objects of their cluster and write what they agree upon,
//! and nodes read what is for nodes and write their own status, by conditions on the objects' names.

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
    roles.extend(store(identity.role, identity.state_store.as_deref(), scope.name())?);
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

/// Reads objects; and lists those of a bucket that a condition allows.
const VIEWER: &str = "roles/storage.objectViewer";
/// Writes and deletes objects. (There is no role that replaces objects without deleting others: Cloud Storage has one
/// permission for both.)
const USER: &str = "roles/storage.objectUser";

/// What a role's machines may do with the cluster's objects in its state store, by the objects' names; nothing for other
/// stores. Control planes read everything and list; nodes read what is for nodes, and do not list.
fn store(
    role: MachineRole,
    url: Option<&str>,
    cluster: &str,
) -> Result<Vec<(&'static str, Option<Condition>)>> {
    let Some(place) = url.and_then(|url| url.strip_prefix("gs://")) else { return Ok(Vec::new()) };
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
    let bucket = format!("projects/_/buckets/{bucket}");
    let within = |paths: &[&str]| -> Vec<String> {
        let object = |path: &&str| format!("resource.name.startsWith(\"{bucket}/objects/{prefix}/{path}\")");
        paths.iter().map(object).collect()
    };
    let granted = |role, title: &str, parts: Vec<String>| {
        (role, Some(Condition { title: title.to_owned(), expression: parts.join(" || ") }))
    };
    Ok(match role {
        MachineRole::ControlPlane => {
            let mut read = within(&[""]);
            read.push(format!("resource.name == \"{bucket}\""));
            vec![
                granted(VIEWER, "state of the cluster", read),
                granted(
                    USER,
                    "state of the control plane",
                    within(&["backups/", "control-plane/", "join/", "machines/"]),
                ),
            ]
        }
        MachineRole::Node => vec![
            granted(VIEWER, "state for nodes", within(&["igconfig/node/", "join/nodes", "kops-node/"])),
            granted(USER, "status of nodes", within(&["machines/"])),
        ],
        MachineRole::Bastion => Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_elsewhere_needs_no_role() {
        let role = MachineRole::ControlPlane;
        assert!(store(role, Some("s3://b/c"), "c").unwrap().is_empty());
        assert!(store(role, None, "c").unwrap().is_empty());
        assert!(store(role, Some("gs://"), "c").is_err());
        let roles = store(role, Some("gs://b/p/c.example.com"), "c.example.com").unwrap();
        let expression = &roles[0].1.as_ref().unwrap().expression;
        assert!(expression.contains("buckets/b/objects/p/c.example.com/\""), "{expression}");
    }

    #[test]
    fn a_node_reads_no_keys_and_lists_nothing() {
        let roles = store(MachineRole::Node, Some("gs://b/c"), "c").unwrap();
        let [(VIEWER, Some(read)), (USER, Some(write))] = roles.as_slice() else { panic!("{roles:?}") };
        assert_eq!(
            read.expression,
            "resource.name.startsWith(\"projects/_/buckets/b/objects/c/igconfig/node/\") || \
             resource.name.startsWith(\"projects/_/buckets/b/objects/c/join/nodes\") || \
             resource.name.startsWith(\"projects/_/buckets/b/objects/c/kops-node/\")"
        );
        assert_eq!(
            write.expression,
            "resource.name.startsWith(\"projects/_/buckets/b/objects/c/machines/\")"
        );
    }

    #[test]
    fn a_control_plane_reads_everything_and_writes_backups_and_what_it_agrees_upon() {
        let roles = store(MachineRole::ControlPlane, Some("gs://b/c"), "c").unwrap();
        let [(VIEWER, Some(read)), (USER, Some(write))] = roles.as_slice() else { panic!("{roles:?}") };
        let below =
            |path: &str| format!("resource.name.startsWith(\"projects/_/buckets/b/objects/c/{path}\")");
        let parts = |condition: &Condition| -> Vec<String> {
            condition.expression.split(" || ").map(str::to_owned).collect()
        };
        assert_eq!(parts(read), [below(""), "resource.name == \"projects/_/buckets/b\"".to_owned()]);
        // Nothing else: with a right to write bundles, a control plane could make machines run whatever it likes.
        assert_eq!(parts(write), ["backups/", "control-plane/", "join/", "machines/"].map(below));
    }
}
