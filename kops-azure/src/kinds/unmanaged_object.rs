//! Objects that belong to no task: those that controllers in a cluster have created (load balancers and
//! addresses of services, disks of volume claims), and what others have in the scope's subnets and resource
//! group.
//!
//! The former carry no mark of a scope. In a resource group that the scope owns, what the cloud controller
//! and the disk driver have named or tagged is the cluster's. In a shared group, only what is called after
//! the cluster is. They are looked for only when the whole scope is to be deleted, in listings that are made
//! anyway, and deleted once the machines are gone that would create them again.
//!
//! The latter keep subnet and group from being deleted, and are named.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use azure_mgmt_network::models;
use futures_util::future::{try_join, try_join4};
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Object, Owner, Query, Scope, State,
    Timing, Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::arm::{self, ArmKind, Head, Model as _, Site, all};
use super::load_balancer::LoadBalancers;
use super::managed_disk::ManagedDisks;
use super::public_ip_address::PublicIpAddresses;
use super::resource_group::{Contained, ResourceGroups, content};
use super::scale_set::ScaleSets;
use super::virtual_network::VirtualNetworks;
use super::{AzureSubnet, ResourceGroup};
use crate::clients::{Clients, Sent};
use crate::{ids, tags};

/// A load balancer, an address or a disk that controllers in the cluster have created, or a foreign object in
/// its subnets and resource group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct UnmanagedObject<S: Stage = Open> {
    /// The resource group it is in.
    pub group: Option<At<S, Id<ResourceGroup>>>,
    /// The subnets of its addresses, which cannot be deleted before it.
    pub subnets: BTreeSet<At<S, Id<AzureSubnet>>>,
    /// The addresses that it uses, which cannot be deleted before it.
    pub uses: BTreeSet<At<S, Id<UnmanagedObject>>>,
}

impl Resource for UnmanagedObject {
    const KIND: &'static str = "UnmanagedObject";
    type Resolved = UnmanagedObject<Closed>;
}

pub(crate) struct UnmanagedObjects(pub(crate) Clients);

/// Who created the scope's objects of this kind.
const MAKER: &str = "a controller of the cluster";

/// Whether something in a group that the scope owns, without a mark, was created by controllers of the
/// cluster.
pub(crate) fn is_made(name: &str, tags: &tags::Tags, scope: &Scope) -> bool {
    let named = [scope.name().to_owned(), format!("{}-internal", scope.name())];
    BALANCERS.contains(&name)
        || named.iter().any(|it| it == name)
        || SERVICES.iter().chain(&CLAIMS).any(|tag| tags.contains_key(*tag))
}

/// The names of load balancers without a cluster's name, as the cloud controller gives them: `azure_loadbalancer.go` of
/// cloud-provider-azure.
const BALANCERS: [&str; 2] = ["kubernetes", "kubernetes-internal"];
/// The tag of an address with the name of the cluster.
const CLUSTER_OF_ADDRESS: &str = "k8s-azure-cluster-name";
/// The tag of an address with the service, and a former one.
const SERVICES: [&str; 2] = ["k8s-azure-service", "service"];
/// Tags of disks that were created for volume claims: `azuredisk.go` of azuredisk-csi-driver.
const CLAIMS: [&str; 3] =
    ["k8s-azure-created-by", "kubernetes.io-created-for-pvc-name", "kubernetes.io-created-for-pv-name"];

/// What a group contains.
struct Group {
    name: String,
    /// Whether the scope owns it, with everything in it.
    is_own: bool,
    networks: Arc<Vec<models::VirtualNetwork>>,
    balancers: Arc<Vec<models::LoadBalancer>>,
    addresses: Arc<Vec<models::PublicIpAddress>>,
    disks: Arc<Vec<azure_mgmt_compute::models::Disk>>,
    sets: Vec<Head>,
    /// Everything in a group that the scope owns.
    content: Vec<Contained>,
}

impl UnmanagedObjects {
    async fn group(&self, query: &Query<'_>) -> Result<Group> {
        let (clients, cx) = (&self.0, query.cx);
        let name = clients.group(query.scope);
        let (lists, sets) = try_join(
            try_join4(
                all::<VirtualNetworks>(clients, cx, &name),
                all::<LoadBalancers>(clients, cx, &name),
                all::<PublicIpAddresses>(clients, cx, &name),
                all::<ManagedDisks>(clients, cx, &name),
            ),
            all::<ScaleSets>(clients, cx, &name),
        )
        .await?;
        let own = Query::new(query.scope, Filter::scope(&[], &[]), cx);
        let groups = ResourceGroups(clients.clone()).list(&own).await?;
        let is_own =
            groups.iter().any(|group| group.owner == Owner::Scope && ids::same(ids::name(&group.id), &name));
        let (networks, balancers, addresses, disks) = lists;
        let sets = sets.iter().map(|set| set.head()).collect();
        let content = if is_own { content(clients, cx, &name).await? } else { Vec::new() };
        Ok(Group { name, is_own, networks, balancers, addresses, disks, sets, content })
    }
}

impl Group {
    fn found(&self, clients: &Clients, scope: &Scope) -> Vec<Object<UnmanagedObject<Closed>>> {
        let site = Site { clients, scope, group: &self.name, name: "" };
        let is_marked = |head: &Head| tags::task(scope, &head.name, &head.tags).is_some();
        let named = |name: &str| name == scope.name() || name == format!("{}-internal", scope.name());
        let mut found = Vec::new();
        let object = |head: &Head,
                      subnets: BTreeSet<Id<AzureSubnet>>,
                      uses: BTreeSet<Id<UnmanagedObject>>| {
            let spec = UnmanagedObject { group: Some(site.group_of(head)), subnets, uses };
            let state = arm::state(head.state.as_deref());
            Object::owned(site.id(Some(&head.id)), &head.name, spec).dependent(MAKER.to_owned()).state(state)
        };
        let made = |head: &Head| {
            let of_cluster = head.tags.get(CLUSTER_OF_ADDRESS).is_some_and(|cluster| cluster == scope.name());
            let in_own = self.is_own && SERVICES.iter().any(|tag| head.tags.contains_key(*tag));
            !is_marked(head) && (of_cluster || in_own)
        };
        let addresses: Vec<Head> = self.addresses.iter().map(arm::Model::head).filter(made).collect();
        for balancer in self.balancers.iter() {
            let head = balancer.head();
            if is_marked(&head)
                || !(named(&head.name) || self.is_own && BALANCERS.contains(&head.name.as_str()))
            {
                continue;
            }
            let fronts = balancer.properties.iter().flat_map(|it| &it.frontend_ip_configurations);
            let fronts = fronts.filter_map(|front| front.properties.as_ref());
            let subnets = fronts.clone().filter_map(|it| it.subnet.as_ref()?.sub_resource.id.as_deref());
            let public = fronts.filter_map(|it| it.public_ip_address.as_ref()?.resource.id.as_deref());
            let is_found = |id: &&str| addresses.iter().any(|address| ids::same(&address.id, id));
            let uses = public.filter(is_found).map(|id| Id::new(site.id(Some(id)))).collect();
            found.push(object(&head, subnets.map(|id| Id::new(site.id(Some(id)))).collect(), uses));
        }
        found.extend(addresses.iter().map(|head| object(head, BTreeSet::new(), BTreeSet::new())));
        let disks = self.disks.iter().map(arm::Model::head).filter(|head| {
            !is_marked(head) && self.is_own && CLAIMS.iter().any(|tag| head.tags.contains_key(*tag))
        });
        found.extend(disks.map(|head| object(&head, BTreeSet::new(), BTreeSet::new())));
        let others = self.others(&site, &found);
        found.extend(others);
        found
    }

    /// What others have in subnets of the scope, and in its group.
    fn others(
        &self,
        site: &Site<'_>,
        found: &[Object<UnmanagedObject<Closed>>],
    ) -> Vec<Object<UnmanagedObject<Closed>>> {
        let mut others = Vec::new();
        let own = self.networks.iter().filter(|network| {
            let head = network.head();
            tags::task(site.scope, &head.name, &head.tags).is_some()
        });
        for subnet in own.flat_map(|network| network.properties.iter().flat_map(|it| &it.subnets)) {
            let id = site.id(subnet.sub_resource.id.as_deref());
            let users = subnet.properties.iter().flat_map(|it| &it.ip_configurations);
            let users = users.filter_map(|it| it.sub_resource.id.as_deref());
            for user in users.filter(|user| !self.is_going(user, site, found)) {
                let spec =
                    UnmanagedObject { group: None, subnets: [Id::new(&id)].into(), uses: BTreeSet::new() };
                others.push(Object::foreign(user, spec));
            }
        }
        for left in self.content.iter().filter(|it| !it.is_going(site.scope)) {
            let group = Some(Id::new(site.clients.group_id(&self.name)));
            let spec = UnmanagedObject { group, subnets: BTreeSet::new(), uses: BTreeSet::new() };
            others.push(Object::foreign(site.id(Some(&left.id)), spec));
        }
        others
    }

    /// Whether who uses a subnet is the scope's, or gone already: subnets tell late.
    fn is_going(&self, user: &str, site: &Site<'_>, found: &[Object<UnmanagedObject<Closed>>]) -> bool {
        let within = |id: &str| {
            let rest = user.get(..id.len()).filter(|it| ids::same(it, id)).map(|_| &user[id.len()..]);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if found.iter().any(|object| within(&object.id)) {
            return true;
        }
        let mut all = self.sets.iter().cloned().chain(self.balancers.iter().map(arm::Model::head));
        if let Some(head) = all.find(|head| within(&head.id)) {
            return tags::task(site.scope, &head.name, &head.tags).is_some();
        }
        let here = ids::group(user).is_some_and(|group| ids::same(group, &self.name));
        here && (is_of(ScaleSets::TYPE, user) || is_of(LoadBalancers::TYPE, user))
    }
}

/// Whether an identifier is that of a resource of a type, or of a part of one.
fn is_of(kind: &str, id: &str) -> bool {
    id.to_ascii_lowercase().contains(&format!("/{}/", kind.to_ascii_lowercase()))
}

/// The deleting call for an object, by its type.
fn deletion(clients: &Clients, id: &str) -> Result<(&'static str, Sent)> {
    let (group, name) = (ids::group(id).unwrap_or_default(), ids::name(id));
    let is = |kind: &str| is_of(kind, id);
    if is(LoadBalancers::TYPE) {
        Ok((LoadBalancers::CALLS.delete, LoadBalancers::delete(clients, group, name)))
    } else if is(PublicIpAddresses::TYPE) {
        Ok((PublicIpAddresses::CALLS.delete, PublicIpAddresses::delete(clients, group, name)))
    } else if is(ManagedDisks::TYPE) {
        Ok((ManagedDisks::CALLS.delete, ManagedDisks::delete(clients, group, name)))
    } else {
        Err(Error::internal(format!("controllers do not create {id}")))
    }
}

#[async_trait]
impl Handler for UnmanagedObjects {
    type Kind = UnmanagedObject;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    /// As long as there are machines of the control plane, their controllers create deleted objects again;
    /// and a scale set holds the load balancers of its machines.
    fn delete_after(&self) -> &'static [&'static str] {
        &["VirtualMachineScaleSet"]
    }

    fn timing(&self) -> Timing {
        Timing::new().vanish(std::time::Duration::from_secs(10))
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<UnmanagedObject<Closed>>>> {
        let mut cx = Context::default();
        let query = &arm::looking_anew(query, &mut cx);
        match query.filter {
            Filter::Scope { dissolving: false, .. } => Ok(Vec::new()),
            Filter::Scope { .. } => Ok(self.group(query).await?.found(&self.0, query.scope)),
            Filter::Ids(ids) => {
                let found = self.group(query).await?.found(&self.0, query.scope);
                Ok(found.into_iter().filter(|object| ids.contains(&object.id)).collect())
            }
        }
    }

    async fn create(
        &self,
        _: Create<'_, UnmanagedObject<Closed>>,
    ) -> Result<Object<UnmanagedObject<Closed>>> {
        Err(not_here())
    }

    async fn update(
        &self,
        _: Update<'_, UnmanagedObject<Closed>>,
    ) -> Result<Object<UnmanagedObject<Closed>>> {
        Err(not_here())
    }

    async fn delete(&self, request: Delete<'_, UnmanagedObject<Closed>>) -> Result<Deletion> {
        if request.object.state == State::Deleting {
            return Ok(Deletion::Pending);
        }
        let (call, request_sent) = deletion(&self.0, &request.object.id)?;
        arm::deleted(&self.0, request.cx, call, &request.object.id, request_sent).await
    }
}

fn not_here() -> Error {
    Error::new(ErrorKind::Unsupported, "only controllers in a cluster create and change objects of this kind")
}
