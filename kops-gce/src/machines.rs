//! The machines of a cluster's instance groups.
//!
//! A machine's metadata names the group that created it and its template
//! (<https://cloud.google.com/compute/docs/instance-groups/getting-info-about-migs#metadata>), so two
//! listings find all of them, however many groups there are. It is outdated if its group has another template
//! today.
//!
//! A machine that was detached from its group carries a label with the size that the group is to have again;
//! it still belongs to the cluster, and is outdated by definition.
//!
//! **Identifiers** are `zone/name/number`: a machine that is created again keeps its name, and gets another
//! number.
//!
//! **Load balancers** have groups behind them, not machines. A machine that is deleted leaves them
//! automatically, and its connections have [half a minute](crate::kinds::BackendService) to finish; there is
//! nothing to deregister.

use async_trait::async_trait;
use futures_util::future::try_join;
use google_cloud_compute_v1::model::instance::Status;
use google_cloud_compute_v1::model::{
    Instance, InstanceGroupManager as Group, InstanceGroupManagersAbandonInstancesRequest,
    InstanceGroupManagersRecreateInstancesRequest, InstancesSetLabelsRequest,
};
use kops_core::cloud::{Context, Machine, MachineState, Machines, Mark, Scope};
use kops_core::{Error, ErrorKind, Result};

use crate::kinds::collection::marked_by;
use crate::kinds::convert::{count, int};
use crate::kinds::instance_group_manager::{self, template_of};
use crate::kinds::list_instances;
use crate::paging::listed;
use crate::path::{Path, last, short};
use crate::{Gce, labels};

/// The label of a machine that was detached from its group: the size that the group is to have.
const DETACHED: &str = "kops-k8s-io-detached-size";

#[async_trait]
impl Machines for Gce {
    async fn members(&self, scope: &Scope, cx: &Context) -> Result<Vec<Machine>> {
        let mut machines: Vec<_> =
            self.all(scope, cx).await?.into_iter().map(|member| member.machine).collect();
        machines.sort_by(|a, b| (&a.group, &a.id).cmp(&(&b.group, &b.id)));
        Ok(machines)
    }

    async fn detach(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()> {
        let member = self.find(scope, machine, cx).await?;
        let size = member.detached.unwrap_or_else(|| count(member.manager.target_size));
        if member.detached.is_none() {
            // The label comes first: without it the group's size to restore would be unknown.
            self.mark(&member, size, cx).await?;
        }
        // Done before, or interrupted in between: abandoning a machine that is no longer a member is
        // rejected.
        if self.is_counted(&member, cx).await? {
            self.abandon(&member, cx).await?;
        }
        self.resize(&member, size, cx).await
    }

    async fn deregister(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()> {
        // Load balancers drain it when it is deleted; see above. Its scope is checked all the same.
        self.find(scope, machine, cx).await.map(drop)
    }

    async fn terminate(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()> {
        let member = self.find(scope, machine, cx).await?;
        if member.machine.state == MachineState::Terminating {
            return Ok(());
        }
        let clients = self.clients();
        let path = &member.path;
        let ended = if self.is_counted(&member, cx).await? {
            let body = InstanceGroupManagersRecreateInstancesRequest::new().set_instances([path.to_string()]);
            let group = &member.group;
            let recreate = clients.groups.recreate_instances().set_project(&group.project);
            let recreate =
                recreate.set_zone(group.zone()).set_instance_group_manager(&group.name).set_body(body);
            clients.call(cx, "compute.instanceGroupManagers.update", recreate.send()).await
        } else {
            let delete = clients.instances.delete().set_project(&path.project).set_zone(path.zone());
            clients.call(cx, "compute.instances.delete", delete.set_instance(&path.name).send()).await
        };
        match ended {
            // It has been deleted in the meantime.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            ended => ended.map(drop),
        }
    }
}

/// A machine with what is needed to act on it.
struct Member {
    machine: Machine,
    path: Path,
    group: Path,
    manager: Group,
    instance: Instance,
    /// The size that its group is to have, if it was detached or is to be.
    detached: Option<u32>,
}

impl Gce {
    async fn all(&self, scope: &Scope, cx: &Context) -> Result<Vec<Member>> {
        let clients = self.clients();
        let ours = format!("labels.{} eq \"{}\"", labels::CLUSTER, labels::cluster(scope));
        // Groups are listed for all zones, so their marks contain the region.
        let scope = &scope.at(&clients.region);
        let marked = marked_by(scope);
        let (groups, instances) = try_join(
            instance_group_manager::list(clients, &clients.project, &marked, cx),
            list_instances(clients, &clients.project, &ours, cx),
        )
        .await?;
        let groups: Vec<(Path, Mark, Group)> = groups
            .into_iter()
            .filter_map(|group| {
                let mark = Mark::read(scope, group.description.as_deref()?)?;
                let task = scope.task(&mark.task).to_owned();
                let mark = mark.for_task(task);
                Some((Path::parse(group.self_link.as_deref()?).ok()?, mark, group))
            })
            .collect();
        Ok(instances.into_iter().filter_map(|instance| member(instance, &groups)).collect())
    }

    async fn find(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<Member> {
        let members = self.all(scope, cx).await?;
        members.into_iter().find(|member| member.machine.id == machine).ok_or_else(|| {
            Error::not_found(format!("the groups of {} have no machine {machine}", scope.name()))
                .with_hint("it may have been deleted; list the machines again")
        })
    }

    /// Whether it counts towards its group's size: not if it was detached, which only the group knows for
    /// certain.
    async fn is_counted(&self, member: &Member, cx: &Context) -> Result<bool> {
        if member.detached.is_none() {
            return Ok(true);
        }
        let (clients, group) = (self.clients(), &member.group);
        let list = || {
            let list = clients.groups.list_managed_instances().set_project(&group.project);
            list.set_zone(group.zone()).set_instance_group_manager(&group.name)
        };
        let members = listed!(clients, cx, "compute.instanceGroupManagers.get", "", list(), |page| page
            .managed_instances)?;
        Ok(members.iter().any(|it| it.instance.as_deref().map(short) == Some(member.path.to_string())))
    }

    async fn mark(&self, member: &Member, size: u32, cx: &Context) -> Result<()> {
        let mut labels = member.instance.labels.clone();
        labels.insert(DETACHED.to_owned(), size.to_string());
        let body = InstancesSetLabelsRequest::new()
            .set_labels(labels)
            .set_or_clear_label_fingerprint(member.instance.label_fingerprint.clone());
        let path = &member.path;
        let set = self.clients().instances.set_labels().set_project(&path.project).set_zone(path.zone());
        let set = set.set_instance(&path.name).set_body(body);
        self.clients().call(cx, "compute.instances.setLabels", set.send()).await.map(drop)
    }

    async fn abandon(&self, member: &Member, cx: &Context) -> Result<()> {
        let body =
            InstanceGroupManagersAbandonInstancesRequest::new().set_instances([member.path.to_string()]);
        let group = &member.group;
        let abandon = self.clients().groups.abandon_instances().set_project(&group.project);
        let abandon = abandon.set_zone(group.zone()).set_instance_group_manager(&group.name).set_body(body);
        self.clients().call(cx, "compute.instanceGroupManagers.update", abandon.send()).await.map(drop)
    }

    async fn resize(&self, member: &Member, size: u32, cx: &Context) -> Result<()> {
        let group = &member.group;
        let resize = self.clients().groups.resize().set_project(&group.project).set_zone(group.zone());
        let resize = resize.set_instance_group_manager(&group.name).set_size(int(size)?);
        self.clients().call(cx, "compute.instanceGroupManagers.update", resize.send()).await.map(drop)
    }
}

/// An instance as a member of one of the groups.
fn member(instance: Instance, groups: &[(Path, Mark, Group)]) -> Option<Member> {
    let path = Path::parse(instance.self_link.as_deref()?).ok()?;
    let metadata = |key: &str| {
        let items = &instance.metadata.as_ref()?.items;
        items.iter().find(|item| item.key.as_deref() == Some(key))?.value.clone()
    };
    // It names the project by number rather than by name.
    let by = metadata("created-by")?;
    let by = Path::parse(&by).ok()?;
    let (group, mark, manager) =
        groups.iter().find(|(group, _, _)| group.place == by.place && group.name == by.name)?;
    let detached = instance.labels.get(DETACHED).and_then(|size| size.parse().ok());
    let state = match instance.status {
        Some(Status::Provisioning | Status::Staging | Status::Pending) => MachineState::Pending,
        Some(Status::Stopping | Status::PendingStop | Status::Deprovisioning | Status::Terminated) => {
            MachineState::Terminating
        }
        _ if detached.is_some() => MachineState::Detached,
        _ => MachineState::Running,
    };
    let mut outdated = Vec::new();
    let made_from = metadata("instance-template").map(|template| last(&template));
    let today = template_of(manager).map(last);
    if detached.is_some() {
        outdated.push("it was detached from its group".to_owned());
    } else if let (Some(made_from), Some(today)) = (made_from, today)
        && made_from != today
    {
        outdated.push(format!(
            "it was created from template {made_from}; the group's current template is {today}"
        ));
    }
    let interface = instance.network_interfaces.first();
    let machine = Machine::new(
        format!("{}/{}/{}", path.zone(), path.name, instance.id.unwrap_or_default()),
        mark.task.split_once('.').map_or(mark.task.as_str(), |(_, group)| group).to_owned(),
        path.zone().to_owned(),
        last(instance.machine_type.as_deref().unwrap_or_default()),
        state,
    )
    .private_ip(interface.and_then(|it| it.network_ip.clone()))
    .public_ip(interface.and_then(|it| it.access_configs.first()?.nat_ip.clone()))
    .private_dns(instance.hostname.clone().or_else(|| instance.name.clone()))
    .outdated(outdated);
    Some(Member { machine, path, group: group.clone(), manager: manager.clone(), instance, detached })
}
