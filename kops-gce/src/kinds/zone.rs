//! Zones of the region.

use async_trait::async_trait;
use kops_core::Result;
use kops_core::cloud::{Lookup, Object, Query};
use kops_core::resource::Resource;
use serde::{Deserialize, Serialize};

use crate::clients::Clients;
use crate::paging::listed;
use crate::path::last;

/// A zone, by its name: `europe-west3-a`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Zone {}

impl Resource for Zone {
    const KIND: &'static str = "Zone";
    type Resolved = Self;
}

pub(crate) struct Zones(pub(crate) Clients);

#[async_trait]
impl Lookup for Zones {
    type Kind = Zone;

    async fn look_up(&self, selectors: &[&str], query: &Query<'_>) -> Result<Vec<Object<Zone>>> {
        let clients = &self.0;
        let list = || clients.zones.list().set_project(&clients.project);
        let zones = listed!(clients, query.cx, "compute.zones.list", "", list(), |page| page.items)?;
        let here = |zone: &google_cloud_compute_v1::model::Zone| {
            zone.region.as_deref().is_some_and(|region| last(region) == clients.region)
        };
        let names = zones.into_iter().filter(here).filter_map(|zone| zone.name);
        Ok(names
            .filter(|name| selectors.contains(&name.as_str()))
            .map(|name| Object::foreign(name, Zone {}))
            .collect())
    }
}
