//! Unmanaged instance groups: how single machines become targets of a load balancer.
//!
//! The listing of groups omits their machines, which take a call for each group that has any.

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use google_cloud_compute_v1::model::instance_groups_list_instances_request::InstanceState;
use google_cloud_compute_v1::model::{
    InstanceGroup, InstanceGroupsAddInstancesRequest, InstanceGroupsListInstancesRequest,
    InstanceGroupsRemoveInstancesRequest, InstanceReference, Operation,
};
use kops_core::cloud::{Context, Mutability, Outputs, pages};
use kops_core::graph::{Closed, Document, Id, Open, Stage};
use kops_core::resource::{At, Output, Resource};
use kops_core::{ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::GceInstance;
use super::collection::{Changing, Collection, Facts, Header, Level, SpecOf, Step};
use super::convert::id;
use crate::clients::Clients;
use crate::paging::listed;
use crate::path::Path;

/// Single machines of a zone, as a target of load balancers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct UnmanagedInstanceGroup<S: Stage = Open> {
    /// The zone.
    pub zone: String,
    /// The machines. A machine can be in one group with a load balancer.
    pub instances: BTreeSet<At<S, Id<GceInstance>>>,
}

impl UnmanagedInstanceGroup {
    /// Its path.
    pub const INSTANCE_GROUP: Output<Self, String> = Output::new("instance_group");
}

impl Resource for UnmanagedInstanceGroup {
    const KIND: &'static str = "UnmanagedInstanceGroup";
    const OUTPUTS: &'static [&'static str] = &[Self::INSTANCE_GROUP.name()];
    type Resolved = UnmanagedInstanceGroup<Closed>;
}

pub(crate) struct UnmanagedInstanceGroups;

/// A group and its machines.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    group: InstanceGroup,
    instances: Vec<String>,
}

#[async_trait]
impl Collection for UnmanagedInstanceGroups {
    type Kind = UnmanagedInstanceGroup;
    type Model = Group;

    const PLURAL: &'static str = "instanceGroups";
    const LEVEL: Level = Level::Zonal;
    const CREATE: &'static str = "compute.instanceGroups.create";
    const DELETE: &'static str = "compute.instanceGroups.delete";
    const UPDATE: &'static str = "compute.instanceGroups.update";

    fn mutability(field: &str) -> Mutability {
        if field == "instances" { Mutability::InPlace } else { Mutability::Replace }
    }

    fn zone(spec: &UnmanagedInstanceGroup<Closed>) -> Option<&str> {
        Some(&spec.zone)
    }

    async fn list(clients: &Clients, project: &str, filter: &str, cx: &Context) -> Result<Vec<Group>> {
        let list = || clients.instance_groups.aggregated_list().set_project(project);
        let groups: Vec<InstanceGroup> =
            listed!(clients, cx, "compute.instanceGroups.list", filter, list(), |page| page
                .items
                .into_values()
                .flat_map(|zone| zone.instance_groups))?;
        let complete = groups.into_iter().map(async |group| {
            let path = Path::parse(group.self_link.as_deref().unwrap_or_default())?;
            let is_empty = group.size.unwrap_or_default() == 0;
            let instances = if is_empty { Ok(Vec::new()) } else { instances(clients, &path, cx).await };
            match instances {
                Ok(instances) => Ok(Some(Group { group, instances })),
                // It was deleted after the listing.
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        });
        Ok(try_join_all(complete).await?.into_iter().flatten().collect())
    }

    fn header(model: &Group) -> Header<'_> {
        let group = &model.group;
        Header { self_link: group.self_link.as_deref(), description: group.description.as_deref() }
    }

    fn facts(
        _: &Clients,
        path: &Path,
        model: &Group,
        _: Option<&Document>,
    ) -> Result<Facts<UnmanagedInstanceGroup<Closed>>> {
        let instances = model.instances.iter().map(|link| id(Some(link))).collect();
        let spec = UnmanagedInstanceGroup { zone: path.zone().to_owned(), instances };
        let mut outputs = Outputs::default();
        outputs.set(UnmanagedInstanceGroup::INSTANCE_GROUP, path.to_string());
        Ok(Facts { outputs, ..Facts::ready(spec) })
    }

    /// The machines are added once the group exists.
    fn inserted(spec: &SpecOf<Self>) -> SpecOf<Self> {
        UnmanagedInstanceGroup { instances: BTreeSet::new(), ..spec.clone() }
    }

    async fn insert(
        clients: &Clients,
        path: &Path,
        mark: String,
        request_id: String,
        _: &UnmanagedInstanceGroup<Closed>,
        cx: &Context,
    ) -> Result<Operation> {
        let group = InstanceGroup::new().set_name(&path.name).set_description(mark);
        let insert = clients.instance_groups.insert().set_project(&path.project).set_zone(path.zone());
        clients.call(cx, Self::CREATE, insert.set_request_id(request_id).set_body(group).send()).await
    }

    async fn update(clients: &Clients, change: Changing<'_, Self>) -> Result<Option<Step>> {
        let path = change.path;
        let now: BTreeSet<Id<GceInstance>> = change.model.instances.iter().map(|it| id(Some(it))).collect();
        let references = |instances: Vec<&Id<GceInstance>>| {
            instances
                .into_iter()
                .map(|it| InstanceReference::new().set_instance(it.as_str()))
                .collect::<Vec<_>>()
        };
        let gone = references(now.difference(&change.spec.instances).collect());
        let new = references(change.spec.instances.difference(&now).collect());
        if !gone.is_empty() {
            let body = InstanceGroupsRemoveInstancesRequest::new().set_instances(gone);
            let remove =
                clients.instance_groups.remove_instances().set_project(&path.project).set_zone(path.zone());
            let remove = remove.set_instance_group(&path.name).set_body(body);
            let remove = remove.set_request_id(change.request_id("removeInstances"));
            let operation = clients.call(change.cx, Self::UPDATE, remove.send()).await?;
            return Ok(Some(Step { operation, more: !new.is_empty() }));
        }
        if new.is_empty() {
            return Ok(None);
        }
        let body = InstanceGroupsAddInstancesRequest::new().set_instances(new);
        let add = clients.instance_groups.add_instances().set_project(&path.project).set_zone(path.zone());
        let add = add
            .set_instance_group(&path.name)
            .set_request_id(change.request_id("addInstances"))
            .set_body(body);
        clients.call(change.cx, Self::UPDATE, add.send()).await.map(|operation| Some(Step::last(operation)))
    }

    async fn delete(clients: &Clients, path: &Path, cx: &Context) -> Result<Operation> {
        let delete = clients.instance_groups.delete().set_project(&path.project).set_zone(path.zone());
        clients.call(cx, Self::DELETE, delete.set_instance_group(&path.name).send()).await
    }
}

/// The URLs of a group's machines, in any state.
async fn instances(clients: &Clients, path: &Path, cx: &Context) -> Result<Vec<String>> {
    pages(async |token: Option<String>| {
        let body = InstanceGroupsListInstancesRequest::new().set_instance_state(InstanceState::All);
        let list = clients.instance_groups.list_instances().set_project(&path.project).set_zone(path.zone());
        let mut list = list.set_instance_group(&path.name).set_body(body);
        if let Some(token) = token {
            list = list.set_page_token(token);
        }
        let page = clients.call(cx, "compute.instanceGroups.listInstances", list.send()).await?;
        Ok((page.items.into_iter().filter_map(|it| it.instance).collect(), page.next_page_token))
    })
    .await
}
