//! Public IP addresses.

use std::time::Duration;

use async_trait::async_trait;
use azure_mgmt_network::models;
use kops_core::Result;
use kops_core::cloud::{Context, Mutability, Object, Timing};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Output, Resource};
use serde::{Deserialize, Serialize};

use super::ResourceGroup;
use super::arm::{ArmKind, Calls, Head, Site, calls, model, network};
use crate::clients::{Clients, Pages, Sent};
use crate::tags::{self, Tags};

/// A static public IPv4 address of the SKU Standard, which standard load balancers and NAT gateways require.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct PublicIpAddress<S: Stage = Open> {
    /// The resource group it is in.
    pub group: At<S, Id<ResourceGroup>>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl PublicIpAddress {
    /// The address, in dotted form; known once it is allocated.
    pub const ADDRESS: Output<Self, String> = Output::new("address");
}

impl Resource for PublicIpAddress {
    const KIND: &'static str = "PublicIpAddress";
    const OUTPUTS: &'static [&'static str] = &[Self::ADDRESS.name()];
    type Resolved = PublicIpAddress<Closed>;
}

pub(crate) struct PublicIpAddresses;

model!(models::PublicIpAddress);

/// The address of a resource, if it is allocated.
pub(crate) fn address(model: &models::PublicIpAddress) -> Option<&str> {
    model.properties.as_ref()?.ip_address.as_deref()
}

#[async_trait]
impl ArmKind for PublicIpAddresses {
    type Kind = PublicIpAddress;
    type Model = models::PublicIpAddress;
    type Around = ();

    const TYPE: &'static str = "Microsoft.Network/publicIPAddresses";
    const CALLS: Calls = calls!("Microsoft.Network/publicIPAddresses");

    network!(public_ip_addresses_client);

    fn mutability(field: &str) -> Mutability {
        if field == "tags" { Mutability::InPlace } else { Mutability::Replace }
    }

    fn timing() -> Timing {
        Timing::new().settle(Duration::from_secs(4)).vanish(Duration::from_secs(10))
    }

    fn blank(location: &str) -> Self::Model {
        let mut model = Self::Model::new();
        model.resource.location = Some(location.to_owned());
        model
    }

    fn fill(_: &PublicIpAddress<Closed>, model: &mut Self::Model, _: &Site<'_>) -> Result<()> {
        use models::{IpAllocationMethod, IpVersion, public_ip_address_sku};
        model.sku.get_or_insert_default().name = Some(public_ip_address_sku::Name::Standard);
        let properties = model.properties.get_or_insert_default();
        properties.public_ip_allocation_method = Some(IpAllocationMethod::Static);
        properties.public_ip_address_version = Some(IpVersion::IPv4);
        Ok(())
    }

    fn tags(spec: &PublicIpAddress<Closed>) -> Tags {
        spec.tags.clone()
    }

    fn observe(
        site: &Site<'_>,
        head: &Head,
        model: &Self::Model,
        (): &(),
    ) -> Result<Object<PublicIpAddress<Closed>>> {
        let spec = PublicIpAddress { group: site.group_of(head), tags: tags::further(&head.tags) };
        let object = site.object(head, spec);
        Ok(match address(model) {
            Some(address) => object.output(PublicIpAddress::ADDRESS, address.to_owned()).alias(address),
            None => object,
        })
    }

    async fn around(_: &Clients, _: &Context, _: &str) -> Result<()> {
        Ok(())
    }
}
