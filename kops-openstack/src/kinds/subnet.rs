//! Subnets.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use ipnet::IpNet;
use kops_core::Result;
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Handler, IdentityClass, Mark, Mutability, Object, Query, Scope, Update,
};
use kops_core::graph::{Closed, Id, Open, Setting, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::NeutronNetwork;
use super::rest::{self, Collection, Common};
use crate::clients::Clients;
use crate::tags::Tags;

/// A CIDR in a network; it spans the availability zones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct NeutronSubnet<S: Stage = Open> {
    /// The network.
    pub network: At<S, Id<NeutronNetwork>>,
    /// The CIDR.
    pub cidr: IpNet,
    /// Addresses of name servers for its machines, in order; the cloud's own if empty.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub name_servers: Setting<Vec<String>>,
    /// Host routes of its machines, by destination, with the address of the next hop.
    #[serde(default)]
    pub routes: BTreeSet<HostRoute>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

/// A host route of machines in a subnet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostRoute {
    /// The destination.
    pub destination: IpNet,
    /// The address of the next hop, in the subnet.
    pub nexthop: String,
}

impl Resource for NeutronSubnet {
    const KIND: &'static str = "NeutronSubnet";
    type Resolved = NeutronSubnet<Closed>;
}

const SUBNETS: Collection = Collection::network("subnets", "subnet");

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Found {
    #[serde(flatten)]
    pub(super) common: Common,
    network_id: String,
    cidr: IpNet,
    #[serde(default)]
    pub(super) gateway_ip: Option<String>,
    #[serde(default)]
    dns_nameservers: Vec<String>,
    #[serde(default)]
    host_routes: BTreeSet<HostRoute>,
}

#[derive(Debug)]
pub(crate) struct Subnets(pub(crate) Clients);

#[async_trait]
impl Handler for Subnets {
    type Kind = NeutronSubnet;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        match field {
            // Every machine in the subnet would have to be replaced with it.
            "network" | "cidr" => Mutability::Immutable,
            _ => Mutability::InPlace,
        }
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<NeutronSubnet<Closed>>>> {
        let found: Vec<Found> = SUBNETS.asked_for(&self.0, query).await?;
        Ok(rest::each_once(found.iter().map(|it| self.observed(query.scope, it)).collect()))
    }

    async fn create(
        &self,
        request: Create<'_, NeutronSubnet<Closed>>,
    ) -> Result<Object<NeutronSubnet<Closed>>> {
        let spec = request.spec;
        let mut body = json!({
            "name": request.name,
            "network_id": spec.network.as_str(),
            "ip_version": if matches!(spec.cidr, IpNet::V4(_)) { 4 } else { 6 },
            "cidr": spec.cidr.to_string(),
            "host_routes": spec.routes,
        });
        if let Some(servers) = spec.name_servers.managed() {
            body["dns_nameservers"] = json!(servers);
        }
        let mark = Mark::of_new(&request);
        let body = rest::marked(&mark, body);
        let made: Found = SUBNETS.create(&self.0, request.cx, body).await?;
        Ok(self.observed(request.scope, &made))
    }

    async fn update(
        &self,
        request: Update<'_, NeutronSubnet<Closed>>,
    ) -> Result<Object<NeutronSubnet<Closed>>> {
        let Update { scope, name, object, spec, changed, cx, .. } = request;
        let mut now = object.clone();
        let mut body = BTreeMap::<&str, Value>::new();
        if changed.contains("name_servers")
            && let Some(servers) = spec.name_servers.managed()
        {
            body.insert("dns_nameservers", json!(servers));
        }
        if changed.contains("routes") {
            body.insert("host_routes", json!(spec.routes));
        }
        if !body.is_empty() {
            let found: Found = SUBNETS.update(&self.0, cx, &object.id, json!(body)).await?;
            now = self.observed(scope, &found);
        }
        if changed.contains("tags") {
            SUBNETS.set_tags(&self.0, cx, &object.id, &Mark::of(scope, name, object), &spec.tags).await?;
            now.spec.tags.extend(spec.tags.clone());
        }
        Ok(now)
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(
        &self,
        request: Adopt<'_, NeutronSubnet<Closed>>,
    ) -> Result<Object<NeutronSubnet<Closed>>> {
        SUBNETS.adopt(&self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, NeutronSubnet<Closed>>) -> Result<Deletion> {
        rest::done(SUBNETS.delete(&self.0, request.cx, &request.object.id).await)
    }
}

impl Subnets {
    fn observed(&self, scope: &Scope, found: &Found) -> Object<NeutronSubnet<Closed>> {
        let spec = NeutronSubnet {
            network: Id::new(&found.network_id),
            cidr: found.cidr,
            name_servers: Setting::To(found.dns_nameservers.clone()),
            routes: found.host_routes.clone(),
            tags: found.common.further_tags(),
        };
        found.common.object(&self.0, scope, spec)
    }
}

/// The subnets of the project, listed once per observation, with the tasks that they were created for.
pub(super) async fn of_project(clients: &Clients, query: &Query<'_>) -> Result<std::sync::Arc<Vec<Found>>> {
    SUBNETS.of_project(clients, query).await
}
