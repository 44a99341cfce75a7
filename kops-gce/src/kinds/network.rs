//! Networks. They are global and have no ranges; subnetworks have.

use async_trait::async_trait;
use google_cloud_compute_v1::model::{Network, NetworkRoutingConfig, Operation};
use kops_core::Result;
use kops_core::cloud::{Context, Mutability};
use kops_core::graph::Document;
use kops_core::resource::Resource;
use serde::{Deserialize, Serialize};

use super::collection::{Changing, Collection, Facts, Header, Level, Step};
use super::convert::text;
use crate::clients::Clients;
use crate::paging::listed;
use crate::path::Path;

/// A VPC network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GceNetwork {
    /// Whether Google creates a subnetwork in every region.
    pub auto_create_subnetworks: bool,
    /// The scope of dynamic routes: `REGIONAL` or `GLOBAL`.
    pub routing_mode: String,
}

impl Default for GceNetwork {
    /// Without automatic subnetworks, and with regional routes.
    fn default() -> Self {
        Self { auto_create_subnetworks: false, routing_mode: "REGIONAL".to_owned() }
    }
}

impl Resource for GceNetwork {
    const KIND: &'static str = "GceNetwork";
    type Resolved = Self;
}

pub(crate) struct Networks;

#[async_trait]
impl Collection for Networks {
    type Kind = GceNetwork;
    type Model = Network;

    const PLURAL: &'static str = "networks";
    const LEVEL: Level = Level::Global;
    const CREATE: &'static str = "compute.networks.create";
    const DELETE: &'static str = "compute.networks.delete";
    const UPDATE: &'static str = "compute.networks.update";

    fn mutability(field: &str) -> Mutability {
        match field {
            "routing_mode" => Mutability::InPlace,
            // A new network would contain nothing of what is in this one.
            _ => Mutability::Immutable,
        }
    }

    async fn list(clients: &Clients, project: &str, filter: &str, cx: &Context) -> Result<Vec<Network>> {
        let list = || clients.networks.list().set_project(project);
        listed!(clients, cx, "compute.networks.list", filter, list(), |page| page.items)
    }

    fn header(model: &Network) -> Header<'_> {
        Header { self_link: model.self_link.as_deref(), description: model.description.as_deref() }
    }

    fn facts(_: &Clients, _: &Path, model: &Network, _: Option<&Document>) -> Result<Facts<GceNetwork>> {
        let mode = model.routing_config.as_ref().and_then(|config| config.routing_mode.as_ref());
        Ok(Facts::ready(GceNetwork {
            auto_create_subnetworks: model.auto_create_subnetworks.unwrap_or_default(),
            routing_mode: text(mode.and_then(|mode| mode.name())),
        }))
    }

    async fn insert(
        clients: &Clients,
        path: &Path,
        mark: String,
        request_id: String,
        spec: &GceNetwork,
        cx: &Context,
    ) -> Result<Operation> {
        let network = Network::new()
            .set_name(&path.name)
            .set_description(mark)
            .set_auto_create_subnetworks(spec.auto_create_subnetworks)
            .set_routing_config(routing(spec));
        let insert = clients.networks.insert().set_project(&path.project).set_request_id(request_id);
        clients.call(cx, Self::CREATE, insert.set_body(network).send()).await
    }

    async fn update(clients: &Clients, change: Changing<'_, Self>) -> Result<Option<Step>> {
        let body = Network::new().set_routing_config(routing(change.spec));
        let patch = clients.networks.patch().set_project(&change.path.project).set_network(&change.path.name);
        let patch = patch.set_request_id(change.request_id("patch")).set_body(body);
        clients.call(change.cx, Self::UPDATE, patch.send()).await.map(|operation| Some(Step::last(operation)))
    }

    async fn delete(clients: &Clients, path: &Path, cx: &Context) -> Result<Operation> {
        let delete = clients.networks.delete().set_project(&path.project).set_network(&path.name);
        clients.call(cx, Self::DELETE, delete.send()).await
    }
}

fn routing(spec: &GceNetwork) -> NetworkRoutingConfig {
    NetworkRoutingConfig::new().set_routing_mode(spec.routing_mode.as_str())
}
