//! Links between private DNS zones and networks.

use std::time::Duration;

use async_trait::async_trait;
use azure_mgmt_privatedns::models;
use futures_util::future::try_join_all;
use kops_core::Result;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Owner, Query,
    Scope, State, Timing, Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

use super::arm::{self, Calls, calls, text};
use super::dns_zone::zones;
use super::{AzureDnsZone, VirtualNetwork};
use crate::clients::{Clients, pages, sent};
use crate::tags::{self, Tags};
use crate::{ids, names};

/// Makes a private DNS zone, the scope's own or an existing one, visible to a network.
///
/// To save calls, a plan looks for those of existing zones only if its graph has a link or is empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct VirtualNetworkLink<S: Stage = Open> {
    /// The zone.
    pub zone: At<S, Id<AzureDnsZone>>,
    /// The network.
    pub network: At<S, Id<VirtualNetwork>>,
}

impl Resource for VirtualNetworkLink {
    const KIND: &'static str = "VirtualNetworkLink";
    type Resolved = VirtualNetworkLink<Closed>;
}

const CALLS: Calls = calls!("Microsoft.Network/privateDnsZones/virtualNetworkLinks");

/// The zones of private endpoints, of which a subscription may have dozens:
/// <https://learn.microsoft.com/azure/private-link/private-endpoint-dns>.
const PRIVATE_LINK: &str = "privatelink.";

#[derive(Debug)]
pub(crate) struct VirtualNetworkLinks(pub(crate) Clients);

#[async_trait]
impl Handler for VirtualNetworkLinks {
    type Kind = VirtualNetworkLink;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, _: &str) -> Mutability {
        Mutability::Replace
    }

    fn timing(&self) -> Timing {
        Timing::new().settle(Duration::from_secs(30)).vanish(Duration::from_secs(30))
    }

    /// A listing for each private zone that may have a link of the scope.
    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<VirtualNetworkLink<Closed>>>> {
        let own = self.0.group(query.scope);
        let zones: Vec<String> = match query.filter {
            Filter::Scope { wanted, dissolving, .. } => zones(&self.0, query.cx)
                .await?
                .iter()
                .filter(|zone| zone.private)
                .map(|zone| zone.object(&self.0, query.scope))
                .filter(|zone| {
                    let is_looked_at = !wanted.is_empty() || dissolving;
                    zone.owner == Owner::Scope || is_looked_at && !zone.spec.name.starts_with(PRIVATE_LINK)
                })
                .map(|zone| zone.id)
                .collect(),
            Filter::Ids(ids) => {
                let mut zones: Vec<_> = ids.iter().map(|id| ids::parent(id).to_owned()).collect();
                zones.sort_unstable();
                zones.dedup();
                zones
            }
        };
        let lists = zones.iter().map(|zone| {
            let (group, name) = (ids::group(zone).unwrap_or_default(), ids::name(zone));
            let client = self.0.privatedns.virtual_network_links_client();
            let list = client.list(group, name, &self.0.subscription);
            self.0.list(query.cx, CALLS.read, pages(list.into_stream(), |page| page.value))
        });
        let found = try_join_all(lists).await?;
        let mut objects = Vec::new();
        for model in found.iter().flatten() {
            let object = observed(query.scope, &own, model);
            let object = match object.state {
                State::Failed(_) => {
                    let why = self.0.failure(query.cx, &object.id).await;
                    object.state(State::Failed(why))
                }
                _ => object,
            };
            objects.push(object);
        }
        Ok(match query.filter {
            Filter::Ids(_) => arm::asked_for(query, &own, objects, name),
            Filter::Scope { .. } => {
                let mut objects = arm::asked_for(query, &own, objects, name);
                objects.retain(|object| object.name.is_some());
                objects
            }
        })
    }

    async fn create(
        &self,
        request: Create<'_, VirtualNetworkLink<Closed>>,
    ) -> Result<Object<VirtualNetworkLink<Closed>>> {
        let tags = tags::of_new(&request, &Tags::new());
        let name = name(request.name);
        let put = self.put(request.cx, request.scope, request.spec, &name, &tags).await;
        put.map_err(|error| match error.kind() {
            ErrorKind::Conflict => arm::exists(&name).with_call(CALLS.write).with_source(error),
            _ => error,
        })
    }

    async fn update(
        &self,
        request: Update<'_, VirtualNetworkLink<Closed>>,
    ) -> Result<Object<VirtualNetworkLink<Closed>>> {
        // Every change replaces the link.
        Ok(request.object.clone())
    }

    async fn delete(&self, request: Delete<'_, VirtualNetworkLink<Closed>>) -> Result<Deletion> {
        let id = &request.object.id;
        let zone = ids::parent(id);
        let (group, parent) = (ids::group(zone).unwrap_or_default(), ids::name(zone));
        let client = self.0.privatedns.virtual_network_links_client();
        let delete = client.delete(group, parent, ids::name(id), &self.0.subscription);
        arm::deleted(&self.0, request.cx, CALLS.delete, id, sent(delete.send())).await
    }
}

impl VirtualNetworkLinks {
    async fn put(
        &self,
        cx: &Context,
        scope: &Scope,
        spec: &VirtualNetworkLink<Closed>,
        name: &str,
        tags: &Tags,
    ) -> Result<Object<VirtualNetworkLink<Closed>>> {
        let mut model = models::VirtualNetworkLink::default();
        model.tracked_resource.location = Some("global".to_owned());
        model.tracked_resource.tags = Some(tags::write(tags));
        let properties = model.properties.get_or_insert_default();
        properties.virtual_network = Some(models::SubResource { id: Some(spec.network.as_str().to_owned()) });
        properties.registration_enabled = Some(false);
        let zone = spec.zone.as_str();
        let (group, parent) = (ids::group(zone).unwrap_or_default(), ids::name(zone));
        let client = self.0.privatedns.virtual_network_links_client();
        let put = client.create_or_update(group, parent, name, model.clone(), &self.0.subscription);
        let answer = self.0.call(cx, CALLS.write, sent(put.if_none_match("*").send())).await?;
        let id = format!("{zone}/virtualNetworkLinks/{name}");
        self.0.remember(&id, &answer);
        let bytes = answer.into_body().collect().await;
        let bytes = bytes.map_err(|error| crate::error::from_sdk(CALLS.write, None, error))?;
        let own = self.0.group(scope);
        if !bytes.is_empty() {
            let made = serde_json::from_slice(&bytes).map_err(|error| {
                Error::internal("malformed response").with_call(CALLS.write).with_source(error)
            })?;
            return Ok(observed(scope, &own, &made));
        }
        model.tracked_resource.resource.id = Some(id);
        model.tracked_resource.resource.name = Some(name.to_owned());
        Ok(observed(scope, &own, &model).state(State::Pending))
    }
}

fn name(task: &str) -> String {
    names::plain(task, 80)
}

fn observed(
    scope: &Scope,
    own: &str,
    model: &models::VirtualNetworkLink,
) -> Object<VirtualNetworkLink<Closed>> {
    let resource = &model.tracked_resource.resource;
    let id = ids::canonical(resource.id.as_deref().unwrap_or_default(), own);
    let properties = model.properties.as_ref();
    let network = properties.and_then(|it| it.virtual_network.as_ref()).and_then(|it| it.id.as_deref());
    let spec = VirtualNetworkLink {
        zone: Id::new(ids::parent(&id)),
        network: Id::new(ids::canonical(network.unwrap_or_default(), own)),
    };
    let tags = tags::read(model.tracked_resource.tags.as_ref());
    let called = resource.name.clone().unwrap_or_default();
    let state = text(properties.and_then(|it| it.provisioning_state.as_ref()));
    tags::object(scope, &id, &called, &tags, spec).state(arm::state(state.as_deref()))
}
