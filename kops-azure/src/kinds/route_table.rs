//! Route tables, with their routes.

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
use super::arm::{ArmKind, Calls, Head, Site, calls, model, network, text};
use crate::clients::{Clients, Pages, Sent};
use crate::tags::{self, Tags};

/// The routes of the subnets that use it. Foreign routes, such as those that Kubernetes' cloud controller
/// adds for pods, are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct RouteTable<S: Stage = Open> {
    /// The resource group it is in.
    pub group: At<S, Id<ResourceGroup>>,
    /// Its routes, in addition to Azure's own.
    pub routes: BTreeSet<AzureRoute>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AzureRoute {
    /// The destination.
    pub cidr: IpNet,
    /// The type of the next hop: `VirtualAppliance`, `VirtualNetworkGateway`, `VnetLocal`, `Internet` or
    /// `None`.
    pub next_hop: String,
    /// The address of an appliance.
    #[serde(default)]
    pub address: Option<String>,
}

impl AzureRoute {
    /// The name of one of our routes: its prefix distinguishes it from foreign ones.
    fn name(&self) -> String {
        format!("{OURS}{}", crate::names::plain(&self.cidr.to_string(), 70))
    }
}

const OURS: &str = "kops-";

impl Resource for RouteTable {
    const KIND: &'static str = "RouteTable";
    type Resolved = RouteTable<Closed>;
}

pub(crate) struct RouteTables;

model!(models::RouteTable);

fn is_ours(route: &models::Route) -> bool {
    route.name.as_deref().is_some_and(|name| name.starts_with(OURS))
}

#[async_trait]
impl ArmKind for RouteTables {
    type Kind = RouteTable;
    type Model = models::RouteTable;
    type Around = ();

    const TYPE: &'static str = "Microsoft.Network/routeTables";
    const CALLS: Calls = calls!("Microsoft.Network/routeTables");

    network!(route_tables_client);

    fn mutability(field: &str) -> Mutability {
        if field == "group" { Mutability::Replace } else { Mutability::InPlace }
    }

    fn timing() -> Timing {
        Timing::new().settle(Duration::from_secs(4)).vanish(Duration::from_secs(10))
    }

    fn blank(location: &str) -> Self::Model {
        let mut model = Self::Model::new();
        model.resource.location = Some(location.to_owned());
        model
    }

    fn fill(spec: &RouteTable<Closed>, model: &mut Self::Model, _: &Site<'_>) -> Result<()> {
        let properties = model.properties.get_or_insert_default();
        properties.routes.retain(|route| !is_ours(route));
        for route in &spec.routes {
            let hop: models::RouteNextHopType = super::parsed(&route.next_hop, "a kind of next hop")?;
            let mut format = models::RoutePropertiesFormat::new(hop);
            format.address_prefix = Some(route.cidr.to_string());
            format.next_hop_ip_address.clone_from(&route.address);
            properties.routes.push(models::Route {
                name: Some(route.name()),
                properties: Some(format),
                ..models::Route::default()
            });
        }
        Ok(())
    }

    fn tags(spec: &RouteTable<Closed>) -> Tags {
        spec.tags.clone()
    }

    fn observe(
        site: &Site<'_>,
        head: &Head,
        model: &Self::Model,
        (): &(),
    ) -> Result<Object<RouteTable<Closed>>> {
        let routes = model.properties.iter().flat_map(|it| &it.routes).filter(|route| is_ours(route));
        let read = |format: &models::RoutePropertiesFormat| {
            Ok(AzureRoute {
                cidr: super::cidr(format.address_prefix.as_deref().unwrap_or_default())?,
                next_hop: text(Some(&format.next_hop_type)).unwrap_or_default(),
                address: format.next_hop_ip_address.clone(),
            })
        };
        let spec = RouteTable {
            group: site.group_of(head),
            routes: routes.filter_map(|it| it.properties.as_ref()).map(read).collect::<Result<_>>()?,
            tags: tags::further(&head.tags),
        };
        Ok(site.object(head, spec))
    }

    async fn around(_: &Clients, _: &Context, _: &str) -> Result<()> {
        Ok(())
    }
}
