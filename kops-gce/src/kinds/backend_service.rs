//! Backend services: the targets of a passthrough load balancer.

use std::collections::BTreeSet;

use async_trait::async_trait;
use google_cloud_compute_v1::model::backend::BalancingMode;
use google_cloud_compute_v1::model::{Backend, BackendService as Model, ConnectionDraining, Operation};
use kops_core::Result;
use kops_core::cloud::{Context, Mutability};
use kops_core::graph::{Closed, Document, Id, Open, Reference, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::collection::{Changing, Collection, Facts, Header, Level, Step, Writing};
use super::convert::{count, id, int, text};
use super::{InstanceGroupManager, RegionHealthCheck, UnmanagedInstanceGroup};
use crate::clients::Clients;
use crate::paging::listed;
use crate::path::{Path, short, whole};

/// The target of a load balancer's connections, in the region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct BackendService<S: Stage = Open> {
    /// `EXTERNAL` or `INTERNAL`.
    pub scheme: String,
    /// `TCP` or `UDP`.
    pub protocol: String,
    /// The health check of the machines.
    pub health_check: At<S, Id<RegionHealthCheck>>,
    /// The paths of the instance groups whose machines receive connections, with a manager or without: which it is, a
    /// group's URL does not tell.
    pub groups: BTreeSet<At<S, String>>,
    /// The connection draining timeout, in seconds.
    pub draining: u32,
}

impl Resource for BackendService {
    const KIND: &'static str = "BackendService";
    type Resolved = BackendService<Closed>;
}

pub(crate) struct BackendServices;

#[async_trait]
impl Collection for BackendServices {
    type Kind = BackendService;
    type Model = Model;

    const PLURAL: &'static str = "backendServices";
    const LEVEL: Level = Level::Regional;
    const CREATE: &'static str = "compute.regionBackendServices.create";
    const DELETE: &'static str = "compute.regionBackendServices.delete";
    const UPDATE: &'static str = "compute.regionBackendServices.update";

    fn mutability(field: &str) -> Mutability {
        match field {
            "scheme" | "protocol" => Mutability::Replace,
            _ => Mutability::InPlace,
        }
    }

    async fn list(clients: &Clients, project: &str, filter: &str, cx: &Context) -> Result<Vec<Model>> {
        let list = || clients.region_backend_services.list().set_project(project).set_region(&clients.region);
        listed!(clients, cx, "compute.regionBackendServices.list", filter, list(), |page| page.items)
    }

    fn header(model: &Model) -> Header<'_> {
        Header { self_link: model.self_link.as_deref(), description: model.description.as_deref() }
    }

    fn facts(
        _: &Clients,
        _: &Path,
        model: &Model,
        _: Option<&Document>,
    ) -> Result<Facts<BackendService<Closed>>> {
        let draining = model.connection_draining.as_ref().and_then(|draining| draining.draining_timeout_sec);
        Ok(Facts::ready(BackendService {
            scheme: text(model.load_balancing_scheme.as_ref().and_then(|scheme| scheme.name())),
            protocol: text(model.protocol.as_ref().and_then(|protocol| protocol.name())),
            health_check: id(model.health_checks.first().map(String::as_str)),
            groups: model.backends.iter().filter_map(|it| it.group.as_deref()).map(short).collect(),
            draining: count(draining),
        }))
    }

    /// A group, or its manager, is deleted after it is taken out of the service.
    fn extra_references(spec: &BackendService<Closed>) -> Vec<Reference> {
        let either = |group: &String| {
            let manager = group.replace("/instanceGroups/", "/instanceGroupManagers/");
            [
                Reference::new(<InstanceGroupManager>::KIND, manager),
                Reference::new(<UnmanagedInstanceGroup>::KIND, group.as_str()),
            ]
        };
        spec.groups.iter().flat_map(either).collect()
    }

    async fn insert(
        clients: &Clients,
        path: &Path,
        mark: String,
        request_id: String,
        spec: &BackendService<Closed>,
        cx: &Context,
    ) -> Result<Operation> {
        let service = Model::new()
            .set_name(&path.name)
            .set_description(mark)
            .set_load_balancing_scheme(spec.scheme.as_str())
            .set_protocol(spec.protocol.as_str());
        let insert = clients.region_backend_services.insert().set_project(&path.project);
        let insert = insert.set_region(path.region()).set_request_id(request_id);
        clients.call(cx, Self::CREATE, insert.set_body(written(service, spec)?).send()).await
    }

    async fn update(clients: &Clients, change: Changing<'_, Self>) -> Result<Option<Step>> {
        let request_id = change.request_id("update");
        let model = written(change.model, change.spec)?;
        let writing = Writing { model, request_id: Some(request_id), cx: change.cx };
        Self::write(clients, change.path, writing).await.map(|operation| Some(Step::last(operation)))
    }

    const ADOPTS: bool = true;

    fn described(model: Model, description: String) -> Model {
        model.set_description(description)
    }

    async fn write(clients: &Clients, path: &Path, writing: Writing<'_, Self>) -> Result<Operation> {
        let Writing { model, request_id, cx } = writing;
        let update = clients.region_backend_services.update().set_project(&path.project);
        let update = update.set_region(path.region()).set_backend_service(&path.name);
        let update = update.set_or_clear_request_id(request_id).set_body(model);
        clients.call(cx, Self::UPDATE, update.send()).await
    }

    async fn delete(clients: &Clients, path: &Path, cx: &Context) -> Result<Operation> {
        let delete = clients.region_backend_services.delete().set_project(&path.project);
        let delete = delete.set_region(path.region()).set_backend_service(&path.name);
        clients.call(cx, Self::DELETE, delete.send()).await
    }
}

fn written(service: Model, spec: &BackendService<Closed>) -> Result<Model> {
    // By whole URLs: "Partial URLs are not supported"
    // (<https://cloud.google.com/compute/docs/reference/rest/v1/regionBackendServices>, `backends[].group`).
    let backend =
        |group: &String| Backend::new().set_group(whole(group)).set_balancing_mode(BalancingMode::Connection);
    Ok(service
        .set_health_checks([spec.health_check.as_str()])
        .set_backends(spec.groups.iter().map(backend))
        .set_connection_draining(ConnectionDraining::new().set_draining_timeout_sec(int(spec.draining)?)))
}
