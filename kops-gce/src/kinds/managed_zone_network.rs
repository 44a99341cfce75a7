//! Networks that can resolve the names of private zones.

use std::collections::BTreeSet;

use async_trait::async_trait;
use google_cloud_dns_v1::model::managed_zone::Visibility;
use google_cloud_dns_v1::model::{
    ManagedZone as Model, ManagedZonePrivateVisibilityConfig, ManagedZonePrivateVisibilityConfigNetwork,
};
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mark, Mutability, Object, Query,
    Update, refers_to,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::collection::marked_by;
use super::managed_zone::all;
use super::{GceNetwork, ManagedZone};
use crate::clients::Clients;
use crate::paging::listed;
use crate::path::{short, whole};

/// Lets a network resolve the names of an existing private zone.
///
/// It carries no mark: those of the scope's own networks are owned by the scope. To save calls, a plan looks for them
/// only if its graph has one or is empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct ManagedZoneNetwork<S: Stage = Open> {
    /// The zone.
    pub zone: At<S, Id<ManagedZone>>,
    /// The network.
    pub network: At<S, Id<GceNetwork>>,
}

impl Resource for ManagedZoneNetwork {
    const KIND: &'static str = "ManagedZoneNetwork";
    type Resolved = ManagedZoneNetwork<Closed>;
}

pub(crate) struct ManagedZoneNetworks(pub(crate) Clients);

type Pair = ManagedZoneNetwork<Closed>;

impl ManagedZoneNetworks {
    /// The paths of the scope's own networks, with their tasks.
    async fn own_networks(&self, query: &Query<'_>) -> Result<Vec<(String, Mark)>> {
        let clients = &self.0;
        let list = || clients.networks.list().set_project(&clients.project);
        let filter = marked_by(query.scope);
        let networks =
            listed!(clients, query.cx, "compute.networks.list", &filter, list(), |page| page.items)?;
        let own = networks.into_iter().filter_map(|network| {
            let mark = Mark::read(query.scope, network.description.as_deref()?)?;
            Some((short(network.self_link.as_deref()?), mark))
        });
        Ok(own.collect())
    }

    /// Changes the networks of a zone. The service has no condition for it, so it is read right before.
    async fn change(&self, zone: &str, cx: &Context, change: impl Fn(&mut BTreeSet<String>)) -> Result<()> {
        let zones = all(&self.0, &cx.fresh()).await?;
        let found = zones.iter().find(|it| it.name.as_deref() == Some(zone));
        let found = found.ok_or_else(|| Error::not_found(format!("there is no zone {zone}")))?;
        let before = networks(found);
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok(());
        }
        let networks = after
            .iter()
            .map(|path| ManagedZonePrivateVisibilityConfigNetwork::new().set_network_url(whole(path)));
        let config = ManagedZonePrivateVisibilityConfig::new().set_networks(networks);
        let patch = self.0.dns_zones.patch().set_project(&self.0.project).set_managed_zone(zone);
        let patch = patch.set_body(Model::new().set_private_visibility_config(config));
        self.0.call(cx, "dns.managedZones.update", patch.send()).await.map(drop)
    }
}

/// The paths of the networks that can resolve a zone.
fn networks(zone: &Model) -> BTreeSet<String> {
    let config = zone.private_visibility_config.iter().flat_map(|config| &config.networks);
    config.filter_map(|network| network.network_url.as_deref().map(short)).collect()
}

#[async_trait]
impl Handler for ManagedZoneNetworks {
    type Kind = ManagedZoneNetwork;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, _: &str) -> Mutability {
        Mutability::Replace
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Pair>>> {
        let fresh = query.cx.fresh();
        let (needless, cx) = match query.filter {
            Filter::Scope { wanted, dissolving, .. } => (wanted.is_empty() && !dissolving, query.cx),
            Filter::Ids(ids) => (ids.is_empty(), &fresh),
        };
        if needless {
            return Ok(Vec::new());
        }
        let own = self.own_networks(query).await?;
        let wanted = query.wanted_as::<ManagedZoneNetwork>()?;
        let mut found = Vec::new();
        for zone in all(&self.0, cx).await?.iter() {
            let Some(name) = zone.name.as_deref() else { continue };
            // The scope's own zones come and go with their network.
            let is_own = zone.description.as_deref().is_some_and(|it| Mark::read(query.scope, it).is_some());
            if is_own || zone.visibility != Some(Visibility::Private) {
                continue;
            }
            let seen = networks(zone);
            for (path, mark) in own.iter().filter(|(path, _)| seen.contains(path)) {
                let named = wanted.iter().find(|(_, it)| refers_to(&it.network, path, Some(&mark.task)));
                let task = named.map_or(mark.task.as_str(), |(task, _)| *task);
                let spec = Pair { zone: Id::new(name), network: Id::new(path) };
                found.push(Object::owned(id_of(name, path), task, spec).retained(mark.retained));
            }
        }
        if let Filter::Ids(ids) = query.filter {
            found.retain(|object| ids.contains(&object.id));
        }
        Ok(found)
    }

    async fn create(&self, request: Create<'_, Pair>) -> Result<Object<Pair>> {
        let spec = request.spec;
        let (zone, network) = (spec.zone.as_str(), spec.network.as_str());
        self.change(zone, request.cx, |networks| _ = networks.insert(network.to_owned())).await?;
        Ok(Object::owned(id_of(zone, network), request.name, spec.clone()))
    }

    async fn update(&self, request: Update<'_, Pair>) -> Result<Object<Pair>> {
        // Every change replaces it.
        Ok(request.object.clone())
    }

    async fn delete(&self, request: Delete<'_, Pair>) -> Result<Deletion> {
        let spec = &request.object.spec;
        let network = spec.network.as_str();
        self.change(spec.zone.as_str(), request.cx, |networks| _ = networks.remove(network)).await?;
        Ok(Deletion::Done)
    }
}

fn id_of(zone: &str, network: &str) -> String {
    format!("{zone}:{network}")
}
