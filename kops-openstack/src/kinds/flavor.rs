//! Flavors: machine types.

use async_trait::async_trait;
use kops_core::Result;
use kops_core::cloud::{Lookup, Object, Query};
use kops_core::resource::Resource;
use serde::{Deserialize, Serialize};

use crate::clients::{Call, Clients, Service};

/// A machine type; looked up by name or identifier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flavor {
    /// The number of vCPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory: u64,
    /// Its disk in GiB; none if 0.
    pub disk: u32,
}

impl Resource for Flavor {
    const KIND: &'static str = "Flavor";
    type Resolved = Self;
}

#[derive(Deserialize)]
struct Found {
    id: String,
    name: String,
    vcpus: u32,
    ram: u64,
    disk: u32,
}

#[derive(Debug)]
pub(crate) struct Flavors(pub(crate) Clients);

#[async_trait]
impl Lookup for Flavors {
    type Kind = Flavor;

    async fn look_up(&self, selectors: &[&str], query: &Query<'_>) -> Result<Vec<Object<Flavor>>> {
        // The listing has no filter by name; clouds have a few dozen flavors.
        let found: Vec<Found> =
            self.0.all(query.cx, Call::get(Service::Compute, "flavors/detail"), "flavors").await?;
        let object = |it: Found| {
            Object::foreign(it.id, Flavor { cpus: it.vcpus, memory: it.ram, disk: it.disk }).alias(it.name)
        };
        Ok(found.into_iter().map(object).filter(|it| selectors.iter().any(|s| it.matches(s))).collect())
    }
}
