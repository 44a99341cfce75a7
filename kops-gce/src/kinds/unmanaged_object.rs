//! Objects that belong to no task: those that controllers in a cluster have created for services of type
//! `LoadBalancer`, for volume claims, and as routes to the pods of nodes; and what others have in the scope's
//! networks.
//!
//! They are looked for only when the whole scope is to be deleted. Those of controllers are deleted after the machines,
//! on which the controllers would create them again. Those of others keep the networks from being deleted, and are
//! reported by name.

mod found;

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures_util::future::{try_join3, try_join4, try_join5};
use google_cloud_compute_v1::model as compute;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mark, Object, Owner, Query, Resolved,
    Scope, Timing, Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::collection::marked_by;
use super::{GceNetwork, Subnetwork, instance_group_manager};
use crate::clients::Clients;
use crate::labels;
use crate::operations::{Change, Progress};
use crate::paging::listed;
use crate::path::{Path, short};
use found::Project;

/// An object that controllers in the cluster have created, or a foreign one in its network, of any collection
/// of Compute Engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct UnmanagedObject<S: Stage = Open> {
    /// The network it is in, which cannot be deleted before it.
    pub network: Option<At<S, Id<GceNetwork>>>,
    /// The subnetwork it is in.
    pub subnetwork: Option<At<S, Id<Subnetwork>>>,
    /// The objects of this kind that it uses, or that tell whose it is: they are deleted after it.
    pub uses: BTreeSet<At<S, Id<UnmanagedObject>>>,
}

impl Resource for UnmanagedObject {
    const KIND: &'static str = "UnmanagedObject";
    type Resolved = UnmanagedObject<Closed>;
}

pub(crate) struct UnmanagedObjects(pub(crate) Clients);

/// Who created the scope's objects of this kind.
const MAKER: &str = "a controller of the cluster";

impl UnmanagedObjects {
    /// All that may be the cluster's or in its way: two handfuls of listings, when a scope is deleted.
    async fn project(&self, scope: &Scope, cx: &Context) -> Result<Project> {
        let (clients, region) = (&self.0, &self.0.region);
        let project = &clients.project;
        let marked = marked_by(scope);
        let managers = instance_group_manager::list(clients, project, &marked, cx);
        let networks = async {
            let list = || clients.networks.list().set_project(project);
            listed!(clients, cx, "compute.networks.list", &marked, list(), |page| page.items)
        };
        let instances = super::list_instances(clients, project, "", cx);
        let disks = async {
            let filter = format!("labels.{} eq \"{}\"", labels::CLUSTER, labels::cluster(scope));
            let list = || clients.disks.aggregated_list().set_project(project);
            listed!(clients, cx, "compute.disks.list", &filter, list(), |page| page
                .items
                .into_values()
                .flat_map(|zone| zone.disks))
        };
        let (managers, networks, instances, disks) = try_join4(managers, networks, instances, disks).await?;
        let firewalls = async {
            let host = clients.host(cx).await?;
            let mut found = Vec::new();
            for project in std::iter::once(project.clone()).chain(host) {
                let list = || clients.firewalls.list().set_project(&project);
                found.extend(listed!(clients, cx, "compute.firewalls.list", "", list(), |page| page.items)?);
            }
            Ok(found)
        };
        let routes = async {
            let list = || clients.routes.list().set_project(project);
            listed!(clients, cx, "compute.routes.list", "", list(), |page| page.items)
        };
        let rules = async {
            let list = || clients.forwarding_rules.list().set_project(project).set_region(region);
            listed!(clients, cx, "compute.forwardingRules.list", "", list(), |page| page.items)
        };
        let pools = async {
            let list = || clients.target_pools.list().set_project(project).set_region(region);
            listed!(clients, cx, "compute.targetPools.list", "", list(), |page| page.items)
        };
        let addresses = async {
            let list = || clients.addresses.list().set_project(project).set_region(region);
            listed!(clients, cx, "compute.addresses.list", "", list(), |page| page.items)
        };
        let (firewalls, routes, rules, pools, addresses) =
            try_join5(firewalls, routes, rules, pools, addresses).await?;
        let http_checks = async {
            let list = || clients.http_health_checks.list().set_project(project);
            listed!(clients, cx, "compute.httpHealthChecks.list", "", list(), |page| page.items)
        };
        let checks = async {
            let list = || clients.health_checks.list().set_project(project);
            listed!(clients, cx, "compute.healthChecks.list", "", list(), |page| page.items)
        };
        let services = async {
            let list = || clients.region_backend_services.list().set_project(project).set_region(region);
            listed!(clients, cx, "compute.regionBackendServices.list", "", list(), |page| page.items)
        };
        let groups = async {
            let list = || clients.instance_groups.aggregated_list().set_project(project);
            listed!(clients, cx, "compute.instanceGroups.list", "", list(), |page| page
                .items
                .into_values()
                .flat_map(|zone| zone.instance_groups))
        };
        let ((http_checks, checks, services), groups) =
            futures_util::future::try_join(try_join3(http_checks, checks, services), groups).await?;
        let managers: BTreeSet<String> =
            managers.iter().filter_map(|it| Some(last_two(it.self_link.as_deref()?))).collect();
        let ours = |it: &&compute::Instance| {
            let items = it.metadata.iter().flat_map(|metadata| &metadata.items);
            let by = items
                .clone()
                .find(|item| item.key.as_deref() == Some("created-by"))
                .and_then(|it| it.value.as_deref());
            let marked = it.description.as_deref().is_some_and(|text| Mark::read(scope, text).is_some());
            marked || by.is_some_and(|by| managers.contains(&last_two(by)))
        };
        let machines: Vec<&compute::Instance> = instances.iter().filter(ours).collect();
        Ok(Project {
            name: project.clone(),
            networks: networks.iter().filter_map(|it| it.self_link.as_deref().map(short)).collect(),
            machines: machines.iter().filter_map(|it| it.self_link.as_deref().map(short)).collect(),
            instances,
            firewalls,
            routes,
            rules,
            pools,
            http_checks,
            checks,
            services,
            groups,
            addresses,
            disks,
        })
    }

    async fn operation(&self, path: &Path, cx: &Context) -> Result<compute::Operation> {
        let (clients, project, region, zone) = (&self.0, &path.project, path.region(), path.zone());
        macro_rules! delete {
            ($call:literal, $request:expr) => {
                clients.call(cx, $call, $request.send()).await
            };
        }
        let name = path.name.as_str();
        match path.collection.as_str() {
            "firewalls" => delete!(
                "compute.firewalls.delete",
                clients.firewalls.delete().set_project(project).set_firewall(name)
            ),
            "routes" => {
                delete!("compute.routes.delete", clients.routes.delete().set_project(project).set_route(name))
            }
            "forwardingRules" => delete!(
                "compute.forwardingRules.delete",
                clients
                    .forwarding_rules
                    .delete()
                    .set_project(project)
                    .set_region(region)
                    .set_forwarding_rule(name)
            ),
            "targetPools" => delete!(
                "compute.targetPools.delete",
                clients.target_pools.delete().set_project(project).set_region(region).set_target_pool(name)
            ),
            "addresses" => delete!(
                "compute.addresses.delete",
                clients.addresses.delete().set_project(project).set_region(region).set_address(name)
            ),
            "backendServices" => delete!(
                "compute.regionBackendServices.delete",
                clients
                    .region_backend_services
                    .delete()
                    .set_project(project)
                    .set_region(region)
                    .set_backend_service(name)
            ),
            "httpHealthChecks" => delete!(
                "compute.httpHealthChecks.delete",
                clients.http_health_checks.delete().set_project(project).set_http_health_check(name)
            ),
            "healthChecks" => delete!(
                "compute.healthChecks.delete",
                clients.health_checks.delete().set_project(project).set_health_check(name)
            ),
            "instanceGroups" => delete!(
                "compute.instanceGroups.delete",
                clients.instance_groups.delete().set_project(project).set_zone(zone).set_instance_group(name)
            ),
            "disks" => delete!(
                "compute.disks.delete",
                clients.disks.delete().set_project(project).set_zone(zone).set_disk(name)
            ),
            other => Err(Error::internal(format!("controllers do not create {other}"))),
        }
    }
}

/// Two parts of a path, zone and name: managers name their project by its number.
fn last_two(link: &str) -> String {
    let mut parts = link.rsplit('/');
    let (name, _, zone) = (parts.next(), parts.next(), parts.next());
    format!("{}/{}", zone.unwrap_or_default(), name.unwrap_or_default())
}

#[async_trait]
impl Handler for UnmanagedObjects {
    type Kind = UnmanagedObject;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    /// As long as there are machines of the control plane, their controllers create deleted objects again.
    fn delete_after(&self) -> &'static [&'static str] {
        &["InstanceGroupManager", "GceInstance"]
    }

    fn timing(&self) -> Timing {
        Timing::new().poll(std::time::Duration::from_secs(2))
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Resolved<Self>>>> {
        let ids = match query.filter {
            Filter::Ids(ids) => ids,
            Filter::Scope { dissolving: false, .. } => return Ok(Vec::new()),
            Filter::Scope { .. } => return Ok(self.project(query.scope, query.cx).await?.found(query.scope)),
        };
        // Their deletions are what is waited for.
        let mut found = Vec::new();
        for (id, progress) in self.0.operations.look(&self.0, ids, query.cx).await? {
            let path = Path::parse(&id)?;
            let blank = UnmanagedObject { network: None, subnetwork: None, uses: BTreeSet::new() };
            let object = Object::owned(id.clone(), path.name.clone(), blank).dependent(MAKER.to_owned());
            match progress {
                Progress::Running(_) => found.push(object.state(kops_core::cloud::State::Deleting)),
                Progress::Failed(_, error) if error.kind().is_transient() => {
                    let operation = self.operation(&path, query.cx).await?;
                    self.0.operations.begun(
                        "compute.delete",
                        query.scope,
                        &path,
                        &operation,
                        Change::Delete,
                    )?;
                    found.push(object.state(kops_core::cloud::State::Deleting));
                }
                Progress::Failed(_, error) => return Err(error.with_task(&id)),
            }
        }
        debug_assert!(found.iter().all(|object| object.owner == Owner::Scope));
        Ok(found)
    }

    async fn create(&self, _: Create<'_, Resolved<Self>>) -> Result<Object<Resolved<Self>>> {
        Err(not_here())
    }

    async fn update(&self, _: Update<'_, Resolved<Self>>) -> Result<Object<Resolved<Self>>> {
        Err(not_here())
    }

    async fn delete(&self, request: Delete<'_, Resolved<Self>>) -> Result<Deletion> {
        let path = Path::parse(&request.object.id)?;
        let operation = match self.operation(&path, request.cx).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Deletion::Done),
            operation => operation?,
        };
        self.0.operations.begun("compute.delete", request.scope, &path, &operation, Change::Delete)?;
        Ok(Deletion::Pending)
    }
}

fn not_here() -> Error {
    Error::new(ErrorKind::Unsupported, "only controllers in a cluster create and change objects of this kind")
}
