//! Machine types and zones, from the SKUs of the region.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use azure_mgmt_compute::models::ResourceSku;
use kops_core::Result;
use kops_core::cloud::{Context, Lookup, Object, Query};
use kops_core::resource::{Output, Resource};
use serde::{Deserialize, Serialize};

use crate::clients::{Clients, pages};

/// A machine type that is available in the region, by its name: `Standard_D2s_v5`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VmSize {
    /// The zones of the region in which it is available.
    #[serde(default)]
    pub zones: BTreeSet<String>,
}

impl VmSize {
    /// The processor architecture, `x64` or `Arm64`.
    pub const ARCHITECTURE: Output<Self, String> = Output::new("architecture");
}

impl Resource for VmSize {
    const KIND: &'static str = "VmSize";
    const OUTPUTS: &'static [&'static str] = &[Self::ARCHITECTURE.name()];
    type Resolved = Self;
}

/// A zone, in kOps' form: the region and the zone's number, `eastus-1`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AzureZone {}

impl Resource for AzureZone {
    const KIND: &'static str = "AzureZone";
    type Resolved = Self;
}

/// The capability of a SKU with its architecture.
const ARCHITECTURE: &str = "CpuArchitectureType";
const READ: &str = "Microsoft.Compute/skus/read";

/// The machine types of the region: one listing, of a few pages, for types and zones.
async fn sizes(clients: &Clients, cx: &Context) -> Result<Arc<Vec<ResourceSku>>> {
    cx.memo
        .get_or_try(READ, async || {
            let list = clients.compute.resource_skus_client().list(&clients.subscription);
            let list = list.filter(format!("location eq '{}'", clients.location));
            let all = clients.list(cx, READ, pages(list.into_stream(), |page| page.value)).await?;
            let machines = |sku: &ResourceSku| sku.resource_type.as_deref() == Some("virtualMachines");
            Ok(all.into_iter().filter(machines).collect())
        })
        .await
}

fn zones(sku: &ResourceSku) -> BTreeSet<String> {
    sku.location_info.iter().flat_map(|info| info.zones.iter().cloned()).collect()
}

#[derive(Debug)]
pub(crate) struct VmSizes(pub(crate) Clients);

#[async_trait]
impl Lookup for VmSizes {
    type Kind = VmSize;

    async fn look_up(&self, selectors: &[&str], query: &Query<'_>) -> Result<Vec<Object<VmSize>>> {
        let sizes = sizes(&self.0, query.cx).await?;
        let wanted = |sku: &&ResourceSku| {
            let name = sku.name.as_deref().unwrap_or_default();
            selectors.iter().any(|selector| selector.eq_ignore_ascii_case(name))
        };
        let object = |sku: &ResourceSku| {
            let name = sku.name.clone().unwrap_or_default();
            // Azure accepts any spelling and preserves it.
            let selector =
                selectors.iter().find(|it| it.eq_ignore_ascii_case(&name)).map(|it| (*it).to_owned());
            let object = Object::foreign(selector.unwrap_or(name), VmSize { zones: zones(sku) });
            let mut capabilities = sku.capabilities.iter();
            let architecture = capabilities.find(|it| it.name.as_deref() == Some(ARCHITECTURE));
            match architecture.and_then(|it| it.value.clone()) {
                Some(architecture) => object.output(VmSize::ARCHITECTURE, architecture),
                None => object,
            }
        };
        Ok(sizes.iter().filter(wanted).map(object).collect())
    }
}

#[derive(Debug)]
pub(crate) struct Zones(pub(crate) Clients);

#[async_trait]
impl Lookup for Zones {
    type Kind = AzureZone;

    async fn look_up(&self, selectors: &[&str], query: &Query<'_>) -> Result<Vec<Object<AzureZone>>> {
        let sizes = sizes(&self.0, query.cx).await?;
        let all: BTreeSet<String> = sizes.iter().flat_map(zones).collect();
        let known = |selector: &&&str| {
            let zone = selector.strip_prefix(self.0.location.as_str()).and_then(|it| it.strip_prefix('-'));
            zone.is_some_and(|zone| all.contains(zone))
        };
        Ok(selectors.iter().filter(known).map(|it| Object::foreign(*it, AzureZone {})).collect())
    }
}
