//! Machine types, which differ by zone.
//!
//! What a type is able to do follows from the type, not from the specification: accelerators that come with it are
//! part of the service's description.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use google_cloud_compute_v1::model;
use kops_core::cloud::{Lookup, Object, Query};
use kops_core::resource::{Output, Resource};
use kops_core::{ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::clients::Clients;
use crate::paging::listed;
use crate::path::Path;

/// A machine type in a zone, by `zone/name`: `europe-west3-a/n2-standard-4`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MachineType {}

impl MachineType {
    /// What can happen to machines of this type during maintenance of their host: `MIGRATE` or `TERMINATE`.
    pub const ON_HOST_MAINTENANCE: Output<Self, String> = Output::new("on_host_maintenance");
    /// The processor architecture, `X86_64` or `ARM64`.
    pub const ARCHITECTURE: Output<Self, String> = Output::new("architecture");
}

impl Resource for MachineType {
    const KIND: &'static str = "MachineType";
    const OUTPUTS: &'static [&'static str] = &[Self::ON_HOST_MAINTENANCE.name(), Self::ARCHITECTURE.name()];
    type Resolved = Self;
}

/// Machines of which nothing in their type's description tells that they cannot be migrated: bare metal, and families
/// for high-performance computing. <https://cloud.google.com/compute/docs/instances/live-migration-process#limitations>
const FIXED_FAMILIES: &[&str] = &["h3", "h4d", "x4"];

/// How a host's maintenance ends: see [`MachineType::ON_HOST_MAINTENANCE`].
fn on_host_maintenance(name: &str, has_accelerators: bool) -> &'static str {
    let family = name.split('-').next().unwrap_or(name);
    let fixed = has_accelerators || name.ends_with("-metal") || FIXED_FAMILIES.contains(&family);
    if fixed { TERMINATE } else { MIGRATE }
}

/// Machines move to another host.
pub(crate) const MIGRATE: &str = "MIGRATE";
/// Machines are stopped, and started again.
pub(crate) const TERMINATE: &str = "TERMINATE";

pub(crate) struct MachineTypes(pub(crate) Clients);

#[async_trait]
impl Lookup for MachineTypes {
    type Kind = MachineType;

    async fn look_up(&self, selectors: &[&str], query: &Query<'_>) -> Result<Vec<Object<MachineType>>> {
        let clients = &self.0;
        let named = selectors.iter().filter_map(|selector| selector.split_once('/'));
        // Custom types (`n2-custom-4-8192`) are in no listing, but can be read individually.
        let (custom, listed): (Vec<_>, Vec<_>) = named.partition(|(_, name)| name.contains("custom-"));
        let mut found: BTreeMap<String, Object<MachineType>> = BTreeMap::new();
        if !listed.is_empty() {
            let wanted: BTreeSet<&str> = listed.iter().map(|(_, name)| *name).collect();
            let filter = format!("name eq \"{}\"", wanted.into_iter().collect::<Vec<_>>().join("|"));
            let list = || clients.machine_types.aggregated_list().set_project(&clients.project);
            let types =
                listed!(clients, query.cx, "compute.machineTypes.list", &filter, list(), |page| page
                    .items
                    .into_values()
                    .flat_map(|zone| zone.machine_types))?;
            found.extend(types.iter().filter_map(|it| {
                let path = Path::parse(it.self_link.as_deref()?).ok()?;
                let id = format!("{}/{}", path.zone(), path.name);
                Some((id.clone(), object(id, it)))
            }));
        }
        let ask = |(zone, name): (&str, &str)| {
            let get = clients.machine_types.get().set_project(&clients.project).set_zone(zone);
            let get = clients.call(query.cx, "compute.machineTypes.get", get.set_machine_type(name).send());
            let id = format!("{zone}/{name}");
            async move {
                match get.await {
                    Ok(it) => Ok(Some((id.clone(), object(id, &it)))),
                    Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Invalid) => {
                        Ok(None)
                    }
                    Err(error) => Err(error),
                }
            }
        };
        found.extend(try_join_all(custom.into_iter().map(ask)).await?.into_iter().flatten());
        found.retain(|id, _| selectors.contains(&id.as_str()));
        Ok(found.into_values().collect())
    }
}

fn object(id: String, model: &model::MachineType) -> Object<MachineType> {
    let name = id.rsplit('/').next().unwrap_or(&id);
    let ends = on_host_maintenance(name, !model.accelerators.is_empty()).to_owned();
    let object = Object::foreign(id, MachineType {}).output(MachineType::ON_HOST_MAINTENANCE, ends);
    match model.architecture.as_ref().and_then(|it| it.name()) {
        Some(architecture) => object.output(MachineType::ARCHITECTURE, architecture.to_owned()),
        None => object,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_that_cannot_be_migrated_are_stopped() {
        for (name, has_accelerators, ends) in [
            ("n2-standard-4", false, MIGRATE),
            ("c3-standard-192-metal", false, TERMINATE),
            ("h3-standard-88", false, TERMINATE),
            ("g2-standard-4", true, TERMINATE),
        ] {
            assert_eq!(on_host_maintenance(name, has_accelerators), ends, "{name}");
        }
    }
}
