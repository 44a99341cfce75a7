//! NAT gateways.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_mgmt_network::models;
use kops_core::Result;
use kops_core::cloud::{Context, Mutability, Object, Timing};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Output, Resource};
use serde::{Deserialize, Serialize};

use super::arm::{ArmKind, Calls, Head, Site, all, calls, model, network};
use super::public_ip_address::{PublicIpAddresses, address};
use super::{PublicIpAddress, ResourceGroup};
use crate::clients::{Clients, Pages, Sent};
use crate::ids;
use crate::tags::{self, Tags};

/// Lets machines without public addresses open connections to the internet. Subnets refer to it; it is not in
/// a subnet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct AzureNatGateway<S: Stage = Open> {
    /// The resource group it is in.
    pub group: At<S, Id<ResourceGroup>>,
    /// The public addresses of its connections.
    pub addresses: BTreeSet<At<S, Id<PublicIpAddress>>>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl AzureNatGateway {
    /// The first of its public addresses, in dotted form.
    pub const PUBLIC_IP: Output<Self, String> = Output::new("public_ip");
}

impl Resource for AzureNatGateway {
    const KIND: &'static str = "AzureNatGateway";
    const OUTPUTS: &'static [&'static str] = &[Self::PUBLIC_IP.name()];
    type Resolved = AzureNatGateway<Closed>;
}

pub(crate) struct NatGateways;

model!(models::NatGateway);

#[async_trait]
impl ArmKind for NatGateways {
    type Kind = AzureNatGateway;
    type Model = models::NatGateway;
    /// The public addresses of the group.
    type Around = Arc<Vec<models::PublicIpAddress>>;

    const TYPE: &'static str = "Microsoft.Network/natGateways";
    const CALLS: Calls = calls!("Microsoft.Network/natGateways");

    network!(nat_gateways_client);

    fn mutability(field: &str) -> Mutability {
        if field == "group" { Mutability::Replace } else { Mutability::InPlace }
    }

    fn volatile_outputs(changed: &BTreeSet<String>) -> &'static [&'static str] {
        if changed.contains("addresses") { const { &[AzureNatGateway::PUBLIC_IP.name()] } } else { &[] }
    }

    fn timing() -> Timing {
        Timing::new().settle(Duration::from_secs(12)).vanish(Duration::from_secs(12))
    }

    fn blank(location: &str) -> Self::Model {
        let mut model = Self::Model::new();
        model.resource.location = Some(location.to_owned());
        model
    }

    fn fill(spec: &AzureNatGateway<Closed>, model: &mut Self::Model, _: &Site<'_>) -> Result<()> {
        model.sku.get_or_insert_default().name = Some(models::nat_gateway_sku::Name::Standard);
        let reference = |id: &Id<PublicIpAddress>| models::SubResource { id: Some(id.as_str().to_owned()) };
        model.properties.get_or_insert_default().public_ip_addresses =
            spec.addresses.iter().map(reference).collect();
        Ok(())
    }

    fn tags(spec: &AzureNatGateway<Closed>) -> Tags {
        spec.tags.clone()
    }

    fn observe(
        site: &Site<'_>,
        head: &Head,
        model: &Self::Model,
        addresses: &Self::Around,
    ) -> Result<Object<AzureNatGateway<Closed>>> {
        let used: Vec<String> = model
            .properties
            .iter()
            .flat_map(|it| &it.public_ip_addresses)
            .map(|it| site.id(it.id.as_deref()))
            .collect();
        let spec = AzureNatGateway {
            group: site.group_of(head),
            addresses: used.iter().map(Id::new).collect(),
            tags: tags::further(&head.tags),
        };
        let is_used = |it: &&models::PublicIpAddress| {
            it.resource.id.as_deref().is_some_and(|id| used.iter().any(|used| ids::same(used, id)))
        };
        let object = site.object(head, spec);
        Ok(match addresses.iter().find(is_used).and_then(address) {
            Some(address) => object.output(AzureNatGateway::PUBLIC_IP, address.to_owned()),
            None => object,
        })
    }

    async fn around(clients: &Clients, cx: &Context, group: &str) -> Result<Self::Around> {
        all::<PublicIpAddresses>(clients, cx, group).await
    }
}
