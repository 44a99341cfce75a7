//! DNS zones, public and private.
//!
//! One kind for the resources of two providers, since an agnostic zone may be either. All zones of the
//! subscription are read by two listings: a zone that is looked up may be in any resource group.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_mgmt_dns::package_2018_05::models as public;
use azure_mgmt_privatedns::models as private;
use futures_util::future::try_join;
use kops_core::Result;
use kops_core::cloud::{
    Adopt, Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Owner,
    Query, Scope, State, Timing, Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, DnsZone, Resource};
use kops_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

use super::ResourceGroup;
use super::arm::{self, Calls, calls, text};
use crate::clients::{Clients, pages, sent};
use crate::ids;
use crate::tags::{self, Tags};

/// A DNS zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct AzureDnsZone<S: Stage = Open> {
    /// The resource group it is in.
    pub group: At<S, Id<ResourceGroup>>,
    /// Its name, without the final dot.
    pub name: String,
    /// Whether the zone is private: visible only to networks that are linked to it.
    pub private: bool,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for AzureDnsZone {
    const KIND: &'static str = "AzureDnsZone";
    type Resolved = AzureDnsZone<Closed>;
}

const PUBLIC: Calls = calls!("Microsoft.Network/dnszones");
const PRIVATE: Calls = calls!("Microsoft.Network/privateDnsZones");
/// Zones are global.
const GLOBAL: &str = "global";
/// The condition that the resource must not exist.
const NONE: &str = "*";

/// The known properties of a zone.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) private: bool,
    pub(crate) tags: Tags,
    state: Option<String>,
}

impl Zone {
    fn public(model: &public::Zone) -> Self {
        Self {
            id: model.resource.id.clone().unwrap_or_default(),
            name: model.resource.name.clone().unwrap_or_default(),
            private: false,
            tags: tags::read(model.resource.tags.as_ref()),
            state: None,
        }
    }

    fn private(model: &private::PrivateZone) -> Self {
        let resource = &model.tracked_resource.resource;
        Self {
            id: resource.id.clone().unwrap_or_default(),
            name: resource.name.clone().unwrap_or_default(),
            private: true,
            tags: tags::read(model.tracked_resource.tags.as_ref()),
            state: text(model.properties.as_ref().and_then(|it| it.provisioning_state.as_ref())),
        }
    }

    pub(crate) fn object(&self, clients: &Clients, scope: &Scope) -> Object<AzureDnsZone<Closed>> {
        let own = clients.group(scope);
        let id = ids::canonical(&self.id, &own);
        let group = clients.group_id(ids::group(&id).unwrap_or(&own));
        let spec = AzureDnsZone {
            group: Id::new(group),
            name: self.name.clone(),
            private: self.private,
            tags: tags::further(&self.tags),
        };
        tags::object(scope, &id, &self.name, &self.tags, spec)
            .alias(DnsZone::selector(&self.name, self.private))
            .state(arm::state(self.state.as_deref()))
    }
}

/// Whether an identifier is that of a private zone, or of something in one.
pub(crate) fn is_private(id: &str) -> bool {
    ids::after(id, "privateDnsZones").is_some()
}

/// All zones of the subscription.
pub(crate) async fn zones(clients: &Clients, cx: &Context) -> Result<Arc<Vec<Zone>>> {
    cx.memo
        .get_or_try("Microsoft.Network/dnszones", async || {
            let public = clients.dns.zones_client().list(&clients.subscription);
            let public = clients.list(cx, PUBLIC.read, pages(public.into_stream(), |page| page.value));
            let private = clients.privatedns.private_zones_client().list(&clients.subscription);
            let private = clients.list(cx, PRIVATE.read, pages(private.into_stream(), |page| page.value));
            let (public, private) = try_join(public, private).await?;
            Ok(public.iter().map(Zone::public).chain(private.iter().map(Zone::private)).collect())
        })
        .await
}

#[derive(Debug)]
pub(crate) struct Zones(pub(crate) Clients);

#[async_trait]
impl Handler for Zones {
    type Kind = AzureDnsZone;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, field: &str) -> Mutability {
        // A new zone would have other name servers and no records.
        if field == "tags" { Mutability::InPlace } else { Mutability::Immutable }
    }

    fn timing(&self) -> Timing {
        Timing::new().settle(Duration::from_secs(20)).vanish(Duration::from_secs(10))
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<AzureDnsZone<Closed>>>> {
        let mut cx = Context::default();
        let query = &arm::looking_anew(query, &mut cx);
        let own = self.0.group(query.scope);
        let wanted = query.wanted_as::<AzureDnsZone>()?;
        let zones = zones(&self.0, query.cx).await?;
        let objects = zones.iter().map(|zone| (zone, zone.object(&self.0, query.scope)));
        Ok(match query.filter {
            Filter::Ids(ids) => {
                let asked = |object: &Object<_>| ids.iter().any(|id| ids::same(id, &object.id));
                objects.map(|(_, object)| object).filter(asked).collect()
            }
            Filter::Scope { shared, .. } => objects
                .filter_map(|(zone, mut object)| {
                    if object.owner == Owner::Scope {
                        return Some(object);
                    }
                    let here = ids::group(&object.id).is_some_and(|group| ids::same(group, &own));
                    let wants = |(_, spec): &&(&str, AzureDnsZone)| {
                        here && spec.private == zone.private && spec.name.eq_ignore_ascii_case(&zone.name)
                    };
                    if let Some((task, _)) = wanted.iter().find(wants) {
                        object.name = Some((*task).to_owned());
                        return Some(object);
                    }
                    shared.iter().any(|selector| object.matches(selector)).then_some(object)
                })
                .collect(),
        })
    }

    async fn create(
        &self,
        request: Create<'_, AzureDnsZone<Closed>>,
    ) -> Result<Object<AzureDnsZone<Closed>>> {
        let tags = tags::of_new(&request, &request.spec.tags);
        self.put(request.cx, request.scope, request.spec, &tags, true).await.map_err(|error| {
            match error.kind() {
                ErrorKind::Conflict => {
                    arm::exists(&request.spec.name).with_call(PUBLIC.write).with_source(error)
                }
                _ => error,
            }
        })
    }

    async fn update(
        &self,
        request: Update<'_, AzureDnsZone<Closed>>,
    ) -> Result<Object<AzureDnsZone<Closed>>> {
        let zones = zones(&self.0, request.cx).await?;
        let now = zones.iter().find(|zone| ids::same(&zone.id, &request.object.id));
        let mut tags =
            now.map(|zone| zone.tags.clone()).ok_or_else(|| Error::not_found("the zone is gone"))?;
        tags.extend(request.spec.tags.clone());
        self.put(request.cx, request.scope, request.spec, &tags, false).await
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, AzureDnsZone<Closed>>) -> Result<Object<AzureDnsZone<Closed>>> {
        arm::adopt(&self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, AzureDnsZone<Closed>>) -> Result<Deletion> {
        let id = &request.object.id;
        let (group, name) = (ids::group(id).unwrap_or_default(), ids::name(id));
        let (call, delete) = if is_private(id) {
            let client = self.0.privatedns.private_zones_client();
            (PRIVATE.delete, sent(client.delete(group, name, &self.0.subscription).send()))
        } else {
            (PUBLIC.delete, sent(self.0.dns.zones_client().delete(group, name, &self.0.subscription).send()))
        };
        arm::deleted(&self.0, request.cx, call, id, delete).await
    }
}

impl Zones {
    async fn put(
        &self,
        cx: &Context,
        scope: &Scope,
        spec: &AzureDnsZone<Closed>,
        tags: &Tags,
        fresh: bool,
    ) -> Result<Object<AzureDnsZone<Closed>>> {
        let group = ids::name(spec.group.as_str());
        let subscription = &self.0.subscription;
        if !spec.private {
            let mut model = public::Zone::new(public::Resource::new(GLOBAL.to_owned()));
            model.resource.tags = Some(tags::write(tags));
            let put = self.0.dns.zones_client().create_or_update(group, &spec.name, model, subscription);
            let put = if fresh { put.if_none_match(NONE) } else { put };
            let zone: public::Zone = self.0.fetch(cx, PUBLIC.write, sent(put.send())).await?;
            return Ok(Zone::public(&zone).object(&self.0, scope));
        }
        let mut model = private::PrivateZone::default();
        model.tracked_resource.location = Some(GLOBAL.to_owned());
        model.tracked_resource.tags = Some(tags::write(tags));
        let put =
            self.0.privatedns.private_zones_client().create_or_update(group, &spec.name, model, subscription);
        let put = if fresh { put.if_none_match(NONE) } else { put };
        let answer = self.0.call(cx, PRIVATE.write, sent(put.send())).await?;
        let id = ids::of(subscription, group, "Microsoft.Network/privateDnsZones", &spec.name);
        self.0.remember(&id, &answer);
        // The response is 202 without a body.
        let zone = Zone { id, name: spec.name.clone(), private: true, tags: tags.clone(), state: None };
        Ok(zone.object(&self.0, scope).state(State::Pending))
    }
}
