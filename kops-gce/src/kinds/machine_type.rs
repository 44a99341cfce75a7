//! Machine types, which differ by zone.

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use kops_core::cloud::{Lookup, Object, Query};
use kops_core::resource::Resource;
use kops_core::{ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::clients::Clients;
use crate::paging::listed;
use crate::path::Path;

/// A machine type in a zone, by `zone/name`: `europe-west3-a/n2-standard-4`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MachineType {}

impl Resource for MachineType {
    const KIND: &'static str = "MachineType";
    type Resolved = Self;
}

pub(crate) struct MachineTypes(pub(crate) Clients);

#[async_trait]
impl Lookup for MachineTypes {
    type Kind = MachineType;

    async fn look_up(&self, selectors: &[&str], query: &Query<'_>) -> Result<Vec<Object<MachineType>>> {
        let clients = &self.0;
        let named = selectors.iter().filter_map(|selector| selector.split_once('/'));
        // Custom types (`n2-custom-4-8192`) are in no listing, but can be read individually.
        let (custom, listed): (Vec<_>, Vec<_>) = named.partition(|(_, name)| name.contains("custom-"));
        let mut found = Vec::new();
        if !listed.is_empty() {
            let wanted: BTreeSet<&str> = listed.iter().map(|(_, name)| *name).collect();
            let filter = format!("name eq \"{}\"", wanted.into_iter().collect::<Vec<_>>().join("|"));
            let list = || clients.machine_types.aggregated_list().set_project(&clients.project);
            let types =
                listed!(clients, query.cx, "compute.machineTypes.list", &filter, list(), |page| page
                    .items
                    .into_values()
                    .flat_map(|zone| zone.machine_types))?;
            let paths = types.iter().filter_map(|it| Path::parse(it.self_link.as_deref()?).ok());
            found.extend(paths.map(|path| format!("{}/{}", path.zone(), path.name)));
        }
        let ask = |(zone, name): (&str, &str)| {
            let get = clients.machine_types.get().set_project(&clients.project).set_zone(zone);
            let get = clients.call(query.cx, "compute.machineTypes.get", get.set_machine_type(name).send());
            let id = format!("{zone}/{name}");
            async move {
                match get.await {
                    Ok(_) => Ok(Some(id)),
                    Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Invalid) => {
                        Ok(None)
                    }
                    Err(error) => Err(error),
                }
            }
        };
        found.extend(try_join_all(custom.into_iter().map(ask)).await?.into_iter().flatten());
        found.retain(|id| selectors.contains(&id.as_str()));
        Ok(found.into_iter().map(|id| Object::foreign(id, MachineType {})).collect())
    }
}
