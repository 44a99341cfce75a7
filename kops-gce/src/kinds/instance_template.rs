//! Templates of a group's machines.
//!
//! A template is immutable. A change creates a new template, whose name contains a digest of its content: it
//! is created beside the old one, groups switch to it, and the old one is deleted: at once, or, if Google
//! considers it in use as long as there are machines of it, by the first plan after the last of those was
//! replaced.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join;
use google_cloud_compute_v1::model::{InstanceTemplate as Model, Operation};
use kops_core::cloud::{Context, Mutability, Replacement, Scope, Timing};
use kops_core::graph::{Closed, Document, Open, Stage};
use kops_core::resource::Resource;
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::collection::{Collection, Facts, Header, Level, marked_by};
use super::instance_group_manager::{self, template_of};
use super::machine::{self, Machine};
use crate::clients::Clients;
use crate::paging::listed;
use crate::path::{Path, Place, last};
use crate::{labels, names};

/// The configuration of a group's machines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct InstanceTemplate<S: Stage = Open> {
    /// The machine's configuration.
    pub machine: Machine<S>,
}

impl Resource for InstanceTemplate {
    const KIND: &'static str = "InstanceTemplate";
    type Resolved = InstanceTemplate<Closed>;
}

pub(crate) struct InstanceTemplates;

#[async_trait]
impl Collection for InstanceTemplates {
    type Kind = InstanceTemplate;
    type Model = Model;

    const PLURAL: &'static str = "instanceTemplates";
    const LEVEL: Level = Level::Global;
    const CREATE: &'static str = "compute.instanceTemplates.create";
    const DELETE: &'static str = "compute.instanceTemplates.delete";
    const UPDATE: &'static str = "compute.instanceTemplates.create";

    fn mutability(_: &str) -> Mutability {
        Mutability::Replace
    }

    fn replacement() -> Replacement {
        Replacement::CreateFirst
    }

    /// Groups that are deleted release the templates of their machines, old ones among them.
    fn delete_after() -> &'static [&'static str] {
        &["InstanceGroupManager"]
    }

    fn timing() -> Timing {
        Timing::new()
            .settle(Duration::from_secs(1))
            .vanish(Duration::from_secs(2))
            .poll(Duration::from_secs(2))
    }

    fn cloud_name(_: &str) -> Option<String> {
        None
    }

    fn new_name(task: &str, spec: &InstanceTemplate<Closed>) -> Result<String> {
        let document = serde_json::to_vec(spec)
            .map_err(|error| Error::internal("a template cannot be serialised").with_source(error))?;
        let digest = Sha256::digest(&document);
        let digest = digest.iter().take(5).fold(String::new(), |digest, byte| format!("{digest}{byte:02x}"));
        Ok(names::template_name(task, &digest))
    }

    async fn list(clients: &Clients, project: &str, filter: &str, cx: &Context) -> Result<Vec<Model>> {
        let list = || clients.templates.list().set_project(project);
        listed!(clients, cx, "compute.instanceTemplates.list", filter, list(), |page| page.items)
    }

    /// Templates that no group uses any longer, but that machines were created from.
    async fn lingering(clients: &Clients, scope: &Scope, cx: &Context) -> Result<HashSet<String>> {
        let project = &clients.project;
        let ours = format!("labels.{} eq \"{}\"", labels::CLUSTER, labels::cluster(scope));
        let marked = marked_by(scope);
        let (groups, instances) = try_join(
            instance_group_manager::list(clients, project, &marked, cx),
            super::list_instances(clients, project, &ours, cx),
        )
        .await?;
        let had: HashSet<String> =
            groups.iter().filter_map(|group| Some(last(template_of(group)?))).collect();
        let of_machine = |instance: &google_cloud_compute_v1::model::Instance| {
            let items = &instance.metadata.as_ref()?.items;
            let item = items.iter().find(|item| item.key.as_deref() == Some("instance-template"))?;
            item.value.as_deref().map(last)
        };
        // Machines name the project by its number.
        let used = instances.iter().filter_map(of_machine).filter(|name| !had.contains(name));
        Ok(used.map(|name| clients.path(Place::Global, Self::PLURAL, &name).to_string()).collect())
    }

    fn header(model: &Model) -> Header<'_> {
        Header { self_link: model.self_link.as_deref(), description: model.description.as_deref() }
    }

    fn facts(
        _: &Clients,
        _: &Path,
        model: &Model,
        _: Option<&Document>,
    ) -> Result<Facts<InstanceTemplate<Closed>>> {
        let properties = model.properties.clone().unwrap_or_default();
        Ok(Facts::ready(InstanceTemplate { machine: machine::read(&properties) }))
    }

    async fn insert(
        clients: &Clients,
        path: &Path,
        mark: String,
        request_id: String,
        spec: &InstanceTemplate<Closed>,
        cx: &Context,
    ) -> Result<Operation> {
        let template = Model::new()
            .set_name(&path.name)
            .set_description(mark)
            .set_properties(machine::written(&spec.machine, None));
        let insert = clients.templates.insert().set_project(&path.project).set_request_id(request_id);
        clients.call(cx, Self::CREATE, insert.set_body(template).send()).await
    }

    async fn delete(clients: &Clients, path: &Path, cx: &Context) -> Result<Operation> {
        let delete = clients.templates.delete().set_project(&path.project).set_instance_template(&path.name);
        clients.call(cx, Self::DELETE, delete.send()).await
    }
}
