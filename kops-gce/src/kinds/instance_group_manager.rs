//! Managed instance groups: machines of one template in one zone.
//!
//! **Size.** A group has a size, but no bounds: those belong to an autoscaler. A size within the requested
//! bounds needs no change; another is changed to the nearest bound.
//!
//! **Template.** A group that gets another template keeps its machines as they are (its update policy is
//! `OPPORTUNISTIC`): replacing them is left to a rolling update, which drains nodes first.

use std::time::Duration;

use async_trait::async_trait;
use google_cloud_compute_v1::model::instance_group_manager_update_policy::Type;
use google_cloud_compute_v1::model::{
    InstanceGroupManager as Model, InstanceGroupManagerUpdatePolicy,
    InstanceGroupManagersSetInstanceTemplateRequest, Operation,
};
use kops_core::Result;
use kops_core::cloud::{Context, Mutability, Outputs, Timing};
use kops_core::graph::{Closed, Document, Id, Open, Stage};
use kops_core::resource::{At, Output, Resource};
use serde::{Deserialize, Serialize};

use super::InstanceTemplate;
use super::collection::{Changing, Collection, Facts, Header, Level, Step};
use super::convert::{count, id, int, text};
use crate::clients::Clients;
use crate::paging::listed;
use crate::path::Path;

/// A group of machines in a zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct InstanceGroupManager<S: Stage = Open> {
    /// The zone.
    pub zone: String,
    /// The template of its machines.
    pub template: At<S, Id<InstanceTemplate>>,
    /// The prefix of its machines' names.
    pub base_name: String,
    /// The bounds of its size.
    pub size: Size,
}

/// Bounds of a size. For a group that no task requests any longer, both are its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// The minimum.
    pub min: u32,
    /// The maximum.
    pub max: u32,
}

impl InstanceGroupManager {
    /// The path of its group, which has its name.
    pub const INSTANCE_GROUP: Output<Self, String> = Output::new("instance_group");
}

impl Resource for InstanceGroupManager {
    const KIND: &'static str = "InstanceGroupManager";
    const OUTPUTS: &'static [&'static str] = &[Self::INSTANCE_GROUP.name()];
    type Resolved = InstanceGroupManager<Closed>;
}

pub(crate) struct InstanceGroupManagers;

/// The groups that match a filter, in all zones.
pub(crate) async fn list(clients: &Clients, project: &str, filter: &str, cx: &Context) -> Result<Vec<Model>> {
    let list = || clients.groups.aggregated_list().set_project(project);
    listed!(clients, cx, "compute.instanceGroupManagers.list", filter, list(), |page| page
        .items
        .into_values()
        .flat_map(|zone| zone.instance_group_managers))
}

#[async_trait]
impl Collection for InstanceGroupManagers {
    type Kind = InstanceGroupManager;
    type Model = Model;

    const PLURAL: &'static str = "instanceGroupManagers";
    const LEVEL: Level = Level::Zonal;
    const CREATE: &'static str = "compute.instanceGroupManagers.create";
    const DELETE: &'static str = "compute.instanceGroupManagers.delete";
    const UPDATE: &'static str = "compute.instanceGroupManagers.update";

    fn mutability(field: &str) -> Mutability {
        match field {
            "template" | "size" => Mutability::InPlace,
            _ => Mutability::Replace,
        }
    }

    fn timing() -> Timing {
        // A group is created at once; its deletion takes as long as that of its machines.
        Timing::new()
            .settle(Duration::from_secs(5))
            .vanish(Duration::from_mins(1))
            .poll(Duration::from_secs(5))
    }

    fn zone(spec: &InstanceGroupManager<Closed>) -> Option<&str> {
        Some(&spec.zone)
    }

    async fn list(clients: &Clients, project: &str, filter: &str, cx: &Context) -> Result<Vec<Model>> {
        list(clients, project, filter, cx).await
    }

    fn header(model: &Model) -> Header<'_> {
        Header { self_link: model.self_link.as_deref(), description: model.description.as_deref() }
    }

    fn facts(
        _: &Clients,
        path: &Path,
        model: &Model,
        wanted: Option<&Document>,
    ) -> Result<Facts<InstanceGroupManager<Closed>>> {
        let now = count(model.target_size);
        let wanted: Option<Size> =
            wanted.and_then(|wanted| serde_json::from_value(wanted.get("size")?.clone()).ok());
        let size = wanted.filter(|size| (size.min..=size.max).contains(&now));
        let mut outputs = Outputs::default();
        let group = path.to_string().replace("/instanceGroupManagers/", "/instanceGroups/");
        outputs.set(InstanceGroupManager::INSTANCE_GROUP, group);
        let spec = InstanceGroupManager {
            zone: path.zone().to_owned(),
            template: id(template_of(model)),
            base_name: text(model.base_instance_name.as_deref()),
            size: size.unwrap_or(Size { min: now, max: now }),
        };
        Ok(Facts { outputs, ..Facts::ready(spec) })
    }

    async fn insert(
        clients: &Clients,
        path: &Path,
        mark: String,
        request_id: String,
        spec: &InstanceGroupManager<Closed>,
        cx: &Context,
    ) -> Result<Operation> {
        let group = Model::new()
            .set_name(&path.name)
            .set_description(mark)
            .set_base_instance_name(&spec.base_name)
            .set_instance_template(spec.template.as_str())
            .set_target_size(int(spec.size.min)?)
            .set_update_policy(InstanceGroupManagerUpdatePolicy::new().set_type(Type::Opportunistic));
        let insert = clients.groups.insert().set_project(&path.project).set_zone(path.zone());
        clients.call(cx, Self::CREATE, insert.set_request_id(request_id).set_body(group).send()).await
    }

    async fn update(clients: &Clients, change: Changing<'_, Self>) -> Result<Option<Step>> {
        let (path, spec) = (change.path, change.spec);
        let now = count(change.model.target_size);
        let size = now.clamp(spec.size.min, spec.size.max.max(spec.size.min));
        if id::<InstanceTemplate>(template_of(&change.model)) != spec.template {
            let body = InstanceGroupManagersSetInstanceTemplateRequest::new()
                .set_instance_template(spec.template.as_str());
            let set = clients.groups.set_instance_template().set_project(&path.project).set_zone(path.zone());
            let set = set.set_instance_group_manager(&path.name).set_body(body);
            let set = set.set_request_id(change.request_id("setInstanceTemplate"));
            let operation = clients.call(change.cx, Self::UPDATE, set.send()).await?;
            return Ok(Some(Step { operation, more: size != now }));
        }
        if size == now {
            return Ok(None);
        }
        let resize = clients.groups.resize().set_project(&path.project).set_zone(path.zone());
        let resize = resize.set_instance_group_manager(&path.name).set_size(int(size)?);
        let resize = resize.set_request_id(change.request_id("resize"));
        clients
            .call(change.cx, Self::UPDATE, resize.send())
            .await
            .map(|operation| Some(Step::last(operation)))
    }

    async fn delete(clients: &Clients, path: &Path, cx: &Context) -> Result<Operation> {
        let delete = clients.groups.delete().set_project(&path.project).set_zone(path.zone());
        clients.call(cx, Self::DELETE, delete.set_instance_group_manager(&path.name).send()).await
    }
}

/// The template of a group with a single version of its machines.
pub(crate) fn template_of(model: &Model) -> Option<&str> {
    let version = model.versions.first().and_then(|version| version.instance_template.as_deref());
    model.instance_template.as_deref().or(version)
}
