//! What machines of a cluster may do: the calls of a control plane's application credential, and the URLs of all machines.
//!
//! In the state store, control planes read everything of their cluster and write what they agree upon; nodes read their
//! bundles, the program and the join object, and write their own status. Nobody deletes anything but backups. Of the
//! cloud, control planes see the servers.

use std::collections::BTreeSet;

use kops_cluster::extensions::{ClusterIdentity, MachineRole};
use kops_core::resource::Identity;
use kops_core::{Error, ErrorKind, Result};
use kops_node::stage0::CREDENTIAL;

use crate::AccessRule;
use crate::clients::Endpoint;
use crate::kinds::ApplicationCredential;
use crate::lower::{Access, Site};

/// A directory of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directory {
    pub(super) container: String,
    /// Empty, or with a slash at its end.
    pub(super) prefix: String,
}

impl Directory {
    /// The directory of a `swift://` URL; `None` for other stores, which machines read without a credential.
    pub(super) fn of(url: &str) -> Result<Option<Self>> {
        let Some(place) = url.strip_prefix("swift://") else { return Ok(None) };
        let (container, prefix) = place.split_once('/').unwrap_or((place, ""));
        if container.is_empty() {
            return Err(Error::invalid(format!("the state store {url:?} has no container"))
                .with_hint("use swift://container/prefix"));
        }
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Some(Self { container: container.to_owned(), prefix }))
    }
}

/// What the machines of an identity log in with; `None` outside of clusters, for bastions, and with other stores.
pub(crate) fn access(spec: &Identity, site: &Site) -> Result<Option<Access>> {
    let Some(identity) = spec.extensions.get::<ClusterIdentity>()? else { return Ok(None) };
    let directory = identity.state_store.as_deref().map_or(Ok(None), Directory::of)?;
    let Some(directory) = directory.filter(|_| identity.role != MachineRole::Bastion) else {
        return Ok(None);
    };
    let credential = match identity.role {
        MachineRole::ControlPlane => Some(ApplicationCredential {
            access_rules: rules(&directory, &site.services)?,
            container: directory.container.clone(),
            object: format!("{}{CREDENTIAL}", directory.prefix),
        }),
        MachineRole::Node | MachineRole::Bastion => None,
    };
    Ok(Some(Access { container: directory.container, credential }))
}

/// The calls of a control plane. The listing has the names of other clusters in the same container; their content it
/// does not read.
fn rules(directory: &Directory, services: &[Endpoint]) -> Result<BTreeSet<AccessRule>> {
    let Directory { container, prefix } = directory;
    let mut calls = vec![
        "GET compute/servers/detail".to_owned(),
        format!("GET object-store/{container}"),
        format!("GET object-store/{container}/{prefix}**"),
        format!("DELETE object-store/{container}/{prefix}backups/**"),
    ];
    calls.extend(WRITTEN.map(|path| format!("PUT object-store/{container}/{prefix}{path}/**")));
    let rule = |call: &String| {
        AccessRule::of(call, services).ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                format!("the catalogue lacks a service that control planes use ({call})"),
            )
            .with_hint("see `openstack catalog list`; check the region and the interface")
        })
    };
    calls.iter().map(rule).collect()
}

/// What control planes write.
const WRITTEN: [&str; 4] = ["backups", "control-plane", "join", "machines"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Service;

    #[test]
    fn a_directory_is_a_part_of_a_container() {
        let of = |url: &str| Directory::of(url).unwrap();
        let directory = |container: &str, prefix: &str| {
            Some(Directory { container: container.to_owned(), prefix: prefix.to_owned() })
        };
        assert_eq!(
            of("swift://state/clusters/ha.example.com/"),
            directory("state", "clusters/ha.example.com/")
        );
        assert_eq!(of("swift://state"), directory("state", ""));
        assert_eq!(of("https://state.example.com/ha.example.com"), None);
        assert!(Directory::of("swift:///x").unwrap_err().to_string().contains("has no container"));
    }

    #[test]
    fn a_control_plane_writes_and_deletes_what_is_its_own() {
        let at = |service, kind, url: &str| Endpoint { service, kind, url: url.parse().unwrap() };
        let services = [
            at(Service::Compute, "compute", "https://cloud.example.com/compute/v2.1"),
            at(Service::ObjectStore, "object-store", "https://swift.example.com/v1/AUTH_0/"),
        ];
        let directory = Directory::of("swift://state/ha.example.com").unwrap().unwrap();
        let rules: Vec<_> = rules(&directory, &services).unwrap().iter().map(ToString::to_string).collect();
        let own = "/v1/AUTH_0/state/ha.example.com";
        assert_eq!(
            rules,
            [
                "compute GET /compute/v2.1/servers/detail".to_owned(),
                format!("object-store DELETE {own}/backups/**"),
                "object-store GET /v1/AUTH_0/state".to_owned(),
                format!("object-store GET {own}/**"),
                format!("object-store PUT {own}/backups/**"),
                format!("object-store PUT {own}/control-plane/**"),
                format!("object-store PUT {own}/join/**"),
                format!("object-store PUT {own}/machines/**"),
            ]
        );
        let error = super::rules(&directory, &services[..1]).unwrap_err();
        assert!(error.to_string().contains("object-store"), "{error}");
    }
}
