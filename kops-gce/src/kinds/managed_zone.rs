//! Zones of Cloud DNS: looked up for most clusters, created on request.

use std::sync::Arc;

use async_trait::async_trait;
use google_cloud_dns_v1::model::managed_zone::Visibility;
use google_cloud_dns_v1::model::{
    ManagedZone as Model, ManagedZonePrivateVisibilityConfig, ManagedZonePrivateVisibilityConfigNetwork,
};
use kops_core::cloud::{
    Adopt, Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mark, Mutability, Object,
    Owner, Query, Update, pages,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, DnsZone, Resource};
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::GceNetwork;
use super::convert::{id, text};
use crate::clients::Clients;
use crate::names;

/// A DNS zone; its name among the project's zones is its identifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct ManagedZone<S: Stage = Open> {
    /// The domain, without the final dot.
    pub name: String,
    /// The network that can resolve a private zone; the zone is public if `None`.
    pub network: Option<At<S, Id<GceNetwork>>>,
}

impl Resource for ManagedZone {
    const KIND: &'static str = "ManagedZone";
    type Resolved = ManagedZone<Closed>;
}

pub(crate) struct ManagedZones(pub(crate) Clients);

type Zone = ManagedZone<Closed>;

/// All zones of the project, once per observation.
pub(crate) async fn all(clients: &Clients, cx: &Context) -> Result<Arc<Vec<Model>>> {
    let list = async || {
        pages(async |token: Option<String>| {
            let mut request = clients.dns_zones.list().set_project(&clients.project);
            if let Some(token) = token {
                request = request.set_page_token(token);
            }
            let page = clients.call(cx, "dns.managedZones.list", request.send()).await?;
            Ok((page.managed_zones, page.next_page_token))
        })
        .await
    };
    cx.memo.get_or_try("managed zones", list).await
}

/// The domain, without the final dot.
pub(crate) fn domain(zone: &Model) -> &str {
    let name = zone.dns_name.as_deref().unwrap_or_default();
    name.strip_suffix('.').unwrap_or(name)
}

#[async_trait]
impl Handler for ManagedZones {
    type Kind = ManagedZone;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, _: &str) -> Mutability {
        Mutability::Replace
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Zone>>> {
        // The engine is waiting for a change, so an observation's memoised listing is of no use.
        let fresh = query.cx.fresh();
        let cx = if matches!(query.filter, Filter::Ids(_)) { &fresh } else { query.cx };
        let zones = all(&self.0, cx).await?;
        let mut found = Vec::new();
        for zone in zones.iter() {
            let private = zone.visibility == Some(Visibility::Private);
            let mut networks = zone.private_visibility_config.iter().flat_map(|config| &config.networks);
            let network = networks.find_map(|network| network.network_url.as_deref());
            let spec = Zone { name: domain(zone).to_owned(), network: network.map(|it| id(Some(it))) };
            let name = text(zone.name.as_deref());
            let description = zone.description.as_deref().unwrap_or_default();
            let mut object = match Mark::read(query.scope, description) {
                Some(mark) => mark.object(&name, spec),
                None => Object::foreign(&name, spec).held_by(Mark::other(query.scope, description)),
            };
            if let (Owner::Other, Filter::Scope { wanted, .. }) = (object.owner, query.filter) {
                let holds = |task: &str| names::cloud_name(task) == name;
                object.name = wanted.iter().map(|it| it.name).find(|task| holds(task)).map(str::to_owned);
            }
            found.push(object.alias(domain(zone)).alias(DnsZone::selector(domain(zone), private)));
        }
        found.retain(|object| match query.filter {
            Filter::Ids(ids) => ids.contains(&object.id),
            Filter::Scope { shared, .. } => {
                object.name.is_some() || shared.iter().any(|selector| object.matches(selector))
            }
        });
        Ok(found)
    }

    async fn create(&self, request: Create<'_, Zone>) -> Result<Object<Zone>> {
        let (spec, mark, name) = (request.spec, Mark::of_new(&request), names::cloud_name(request.name));
        let mut zone = Model::new()
            .set_name(&name)
            .set_dns_name(format!("{}.", spec.name))
            .set_description(mark.text())
            .set_visibility(Visibility::Public);
        if let Some(network) = &spec.network {
            let url = format!("https://www.googleapis.com/compute/v1/{network}");
            let network = ManagedZonePrivateVisibilityConfigNetwork::new().set_network_url(url);
            let config = ManagedZonePrivateVisibilityConfig::new().set_networks([network]);
            zone = zone.set_visibility(Visibility::Private).set_private_visibility_config(config);
        }
        let create = self.0.dns_zones.create().set_project(&self.0.project).set_body(zone);
        self.0.call(request.cx, "dns.managedZones.create", create.send()).await?;
        Ok(mark.object(name, spec.clone()))
    }

    async fn update(&self, _: Update<'_, Zone>) -> Result<Object<Zone>> {
        Err(Error::internal("a zone cannot be changed in place"))
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, Zone>) -> Result<Object<Zone>> {
        let id = &request.object.id;
        let zones = all(&self.0, &request.cx.fresh()).await?;
        let zone = zones.iter().find(|zone| zone.name.as_ref() == Some(id));
        let zone = zone.ok_or_else(|| Error::not_found(format!("{id} is gone")))?;
        let present = zone.description.as_deref().unwrap_or_default();
        let mark = request.mark(Mark::other(request.scope, present))?;
        let patch = self.0.dns_zones.patch().set_project(&self.0.project).set_managed_zone(id);
        let patch = patch.set_body(Model::new().set_description(mark.text()));
        self.0.call(request.cx, "dns.managedZones.update", patch.send()).await?;
        Ok(request.adopted())
    }

    async fn delete(&self, request: Delete<'_, Zone>) -> Result<Deletion> {
        let delete =
            self.0.dns_zones.delete().set_project(&self.0.project).set_managed_zone(&request.object.id);
        self.0.call(request.cx, "dns.managedZones.delete", delete.send()).await?;
        Ok(Deletion::Done)
    }
}
