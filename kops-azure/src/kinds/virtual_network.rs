//! Virtual networks.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use azure_mgmt_network::models;
use ipnet::IpNet;
use kops_core::Result;
use kops_core::cloud::{Context, Mutability, Object, Timing};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::ResourceGroup;
use super::arm::{ArmKind, Calls, Head, Site, calls, model, network};
use crate::clients::{Clients, Pages, Sent};
use crate::tags::{self, Tags};

/// A private network of a region. It has access to the internet by default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct VirtualNetwork<S: Stage = Open> {
    /// The resource group it is in.
    pub group: At<S, Id<ResourceGroup>>,
    /// Its CIDRs.
    pub cidrs: BTreeSet<IpNet>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for VirtualNetwork {
    const KIND: &'static str = "VirtualNetwork";
    type Resolved = VirtualNetwork<Closed>;
}

pub(crate) struct VirtualNetworks;

model!(models::VirtualNetwork);

#[async_trait]
impl ArmKind for VirtualNetworks {
    type Kind = VirtualNetwork;
    type Model = models::VirtualNetwork;
    type Around = ();

    const TYPE: &'static str = "Microsoft.Network/virtualNetworks";
    const CALLS: Calls = calls!("Microsoft.Network/virtualNetworks");

    network!(virtual_networks_client);

    fn name(task: &str) -> String {
        crate::names::plain(task, 64)
    }

    fn mutability(field: &str) -> Mutability {
        if field == "group" { Mutability::Replace } else { Mutability::InPlace }
    }

    /// Everything in a network would have to be replaced with it: writing it once more is what helps.
    fn mends() -> bool {
        true
    }

    fn timing() -> Timing {
        Timing::new().settle(Duration::from_secs(5)).vanish(Duration::from_secs(10))
    }

    fn blank(location: &str) -> Self::Model {
        let mut model = Self::Model::new();
        model.resource.location = Some(location.to_owned());
        model
    }

    fn fill(spec: &VirtualNetwork<Closed>, model: &mut Self::Model, _: &Site<'_>) -> Result<()> {
        let properties = model.properties.get_or_insert_default();
        let address_prefixes = spec.cidrs.iter().map(ToString::to_string).collect();
        properties.address_space = Some(models::AddressSpace { address_prefixes });
        Ok(())
    }

    fn tags(spec: &VirtualNetwork<Closed>) -> Tags {
        spec.tags.clone()
    }

    fn observe(
        site: &Site<'_>,
        head: &Head,
        model: &Self::Model,
        (): &(),
    ) -> Result<Object<VirtualNetwork<Closed>>> {
        let space = model.properties.as_ref().and_then(|it| it.address_space.as_ref());
        let cidrs = space.into_iter().flat_map(|it| &it.address_prefixes);
        let spec = VirtualNetwork {
            group: site.group_of(head),
            cidrs: cidrs.map(|cidr| super::cidr(cidr)).collect::<Result<_>>()?,
            tags: tags::further(&head.tags),
        };
        Ok(site.object(head, spec))
    }

    async fn around(_: &Clients, _: &Context, _: &str) -> Result<()> {
        Ok(())
    }
}
