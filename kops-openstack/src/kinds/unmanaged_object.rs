//! Objects that belong to no task: those that controllers in a cluster have created (load balancers of
//! services with their floating addresses and security groups, volumes of claims), and ports of others in the
//! scope's networks.
//!
//! The cloud controller and the volume driver write the cluster's name to the objects that they create. These
//! are listed only when the whole scope is to be deleted, and deleted once the machines are gone that would
//! create them again. The ports keep the networks from being deleted, and are named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::{try_join4, try_join5};
use kops_core::cloud::{
    Create, Delete, Deletion, Filter, Handler, IdentityClass, Object, Query, Scope, State, Timing, Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::floating_ip::ADDRESSES;
use super::load_balancer::BALANCERS;
use super::network::NETWORKS;
use super::port::FoundPort;
use super::rest::{self, Common};
use super::router::{FoundRouter, ROUTERS};
use super::security_group::GROUPS;
use super::{NeutronNetwork, NeutronSubnet, SecurityGroup, balancing, port, subnet};
use crate::clients::{Call, Clients, Service};

/// A load balancer, a floating address, a security group or a volume that controllers in the cluster have
/// created, or a port of others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct UnmanagedObject<S: Stage = Open> {
    /// The network it is in, which cannot be deleted before it.
    pub network: Option<At<S, Id<NeutronNetwork>>>,
    /// The subnet of its address, which cannot be deleted before it.
    pub subnet: Option<At<S, Id<NeutronSubnet>>>,
    /// The security groups of the scope that a port of others has.
    pub security_groups: BTreeSet<At<S, Id<SecurityGroup>>>,
    /// The objects of this kind that it uses, which cannot be deleted before it.
    pub uses: BTreeSet<At<S, Id<UnmanagedObject>>>,
}

impl Default for UnmanagedObject<Closed> {
    fn default() -> Self {
        Self { network: None, subnet: None, security_groups: BTreeSet::new(), uses: BTreeSet::new() }
    }
}

impl Resource for UnmanagedObject {
    const KIND: &'static str = "UnmanagedObject";
    type Resolved = UnmanagedObject<Closed>;
}

#[derive(Debug)]
pub(crate) struct UnmanagedObjects(pub(crate) Clients);

/// Who created the scope's objects of this kind.
const MAKER: &str = "a controller of the cluster";

/// A volume's metadata with the name of the cluster: `pkg/csi/cinder` of cloud-provider-openstack.
const CLUSTER_OF_VOLUME: &str = "cinder.csi.openstack.org/cluster";

#[derive(Clone, Debug, Deserialize)]
struct Balancer {
    #[serde(flatten)]
    common: Common,
    #[serde(default)]
    name: String,
    #[serde(default)]
    provisioning_status: String,
    #[serde(default)]
    vip_port_id: String,
    #[serde(default)]
    vip_subnet_id: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Address {
    #[serde(flatten)]
    common: Common,
    #[serde(rename = "floating_ip_address", default)]
    ip: String,
    #[serde(default)]
    port_id: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Group {
    #[serde(flatten)]
    common: Common,
    #[serde(default)]
    name: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Volume {
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

/// The collections, as in identifiers of this kind.
const KINDS: [(&str, Service, &str); 4] = [
    ("loadbalancer", Service::LoadBalancer, "lbaas/loadbalancers"),
    ("floatingip", Service::Network, "floatingips"),
    ("security-group", Service::Network, "security-groups"),
    ("volume", Service::Volume, "volumes"),
];

/// Whether a description says that the object is for a service of a cluster:
/// `Kubernetes external service default/web from cluster ha.example.com`, or `… in cluster …`
/// (`pkg/openstack/loadbalancer.go` of cloud-provider-openstack).
fn is_for(description: Option<&str>, scope: &Scope) -> bool {
    let words = ["Kubernetes external service ", "Floating IP for Kubernetes ", "Security Group for "];
    let cluster =
        |text: &str| text.rsplit_once(" cluster ").is_some_and(|(_, cluster)| cluster == scope.name());
    description.is_some_and(|text| words.iter().any(|word| text.starts_with(word)) && cluster(text))
}

/// What the project has.
struct Project<'a> {
    clients: &'a Clients,
    scope: &'a Scope,
    balancers: Arc<Vec<Balancer>>,
    addresses: Arc<Vec<Address>>,
    groups: Arc<Vec<Group>>,
    networks: Arc<Vec<Group>>,
    ports: Arc<Vec<FoundPort>>,
    routers: Arc<Vec<FoundRouter>>,
    subnets: Arc<Vec<subnet::Found>>,
    volumes: Vec<Volume>,
}

impl UnmanagedObjects {
    async fn project<'a>(&'a self, query: &Query<'a>) -> Result<Project<'a>> {
        let clients = &self.0;
        let volumes = async {
            if !clients.has(Service::Volume) {
                return Ok(Vec::new());
            }
            clients.all::<Volume>(query.cx, Call::get(Service::Volume, "volumes/detail"), "volumes").await
        };
        let (lists, volumes, routers, subnets) = Box::pin(try_join4(
            try_join5(
                BALANCERS.of_project::<Balancer>(clients, query),
                ADDRESSES.of_project::<Address>(clients, query),
                GROUPS.of_project::<Group>(clients, query),
                NETWORKS.of_project::<Group>(clients, query),
                port::of_project(clients, query),
            ),
            volumes,
            ROUTERS.of_project::<FoundRouter>(clients, query),
            subnet::of_project(clients, query),
        ))
        .await?;
        let (balancers, addresses, groups, networks, ports) = lists;
        let scope = query.scope;
        Ok(Project {
            clients,
            scope,
            balancers,
            addresses,
            groups,
            networks,
            ports,
            routers,
            subnets,
            volumes,
        })
    }
}

impl Project<'_> {
    fn found(&self) -> Vec<Object<UnmanagedObject<Closed>>> {
        let mut found = self.balancing();
        for group in self.groups.iter().filter(|it| self.is_made(&it.common)) {
            found.push(object(2, &group.common.id, &group.name, UnmanagedObject::default()));
        }
        let is_ours = |volume: &&Volume| {
            volume.metadata.get(CLUSTER_OF_VOLUME).is_some_and(|cluster| cluster == self.scope.name())
        };
        for volume in self.volumes.iter().filter(is_ours) {
            let name = volume.name.as_deref().unwrap_or(&volume.id);
            found.push(object(3, &volume.id, name, UnmanagedObject::default()));
        }
        found.extend(self.ports_of_others());
        found
    }

    fn is_ours(&self, common: &Common) -> bool {
        common.mark(self.clients, self.scope).is_some()
    }

    fn is_made(&self, common: &Common) -> bool {
        !self.is_ours(common) && is_for(common.description.as_deref(), self.scope)
    }

    /// The load balancers that controllers have created, and their floating IPs.
    fn balancing(&self) -> Vec<Object<UnmanagedObject<Closed>>> {
        let made: Vec<&Balancer> = self.balancers.iter().filter(|it| self.is_made(&it.common)).collect();
        let port_of = |id: &str| self.ports.iter().find(|port| port.common.id == id);
        let mut found = Vec::new();
        for balancer in &made {
            let spec = UnmanagedObject {
                network: port_of(&balancer.vip_port_id).map(|port| Id::new(&port.network_id)),
                subnet: Some(Id::new(&balancer.vip_subnet_id)),
                ..UnmanagedObject::default()
            };
            let object = object(0, &balancer.common.id, &balancer.name, spec);
            found.push(object.state(balancing::state(&balancer.provisioning_status)));
        }
        for address in self.addresses.iter().filter(|it| self.is_made(&it.common)) {
            // An address holds the router's interface in the subnet of its port.
            let port = address.port_id.as_deref().and_then(port_of);
            let balancer = made.iter().find(|it| address.port_id.as_deref() == Some(&it.vip_port_id));
            let spec = UnmanagedObject {
                network: port.map(|port| Id::new(&port.network_id)),
                subnet: port.and_then(|port| Some(Id::new(&port.fixed_ips.first()?.subnet_id))),
                // First the address, so that nobody is led to what is gone.
                uses: balancer.map(|it| Id::new(id(0, &it.common.id))).into_iter().collect(),
                ..UnmanagedObject::default()
            };
            found.push(object(1, &address.common.id, &address.ip, spec));
        }
        found
    }

    /// The ports of others in networks of the scope, or with its security groups.
    fn ports_of_others(&self) -> Vec<Object<UnmanagedObject<Closed>>> {
        let own = self.networks.iter().filter(|it| self.is_ours(&it.common));
        let own: BTreeSet<&str> = own.map(|it| it.common.id.as_str()).collect();
        let groups = self.groups.iter().filter(|it| self.is_ours(&it.common));
        let groups: BTreeSet<&str> = groups.map(|it| it.common.id.as_str()).collect();
        let mut found = Vec::new();
        for port in self.ports.iter().filter(|port| !self.goes_with_scope(port)) {
            let with = port.security_groups.iter().map(String::as_str).filter(|id| groups.contains(id));
            let spec = UnmanagedObject {
                network: Some(Id::new(&port.network_id)),
                subnet: port.fixed_ips.first().map(|it| Id::new(&it.subnet_id)),
                security_groups: with.map(Id::new).collect(),
                uses: BTreeSet::new(),
            };
            if own.contains(port.network_id.as_str()) || !spec.security_groups.is_empty() {
                found.push(Object::foreign(format!("port/{}", port.common.id), spec));
            }
        }
        found
    }

    /// Whether a port is the scope's, or part of what goes with it: of a load balancer, of a network's services.
    fn goes_with_scope(&self, port: &FoundPort) -> bool {
        if let Some(router) = port.router() {
            // Interfaces of routers, and those at the address of a subnet's gateway, are a kind of their own.
            let is_own = |it: &FoundRouter| it.common.id == router && self.is_ours(&it.common);
            let is_gateway = |it: &subnet::Found| port.is_gateway_of(&it.common.id, it.gateway_ip.as_deref());
            return self.routers.iter().any(is_own) || self.subnets.iter().any(is_gateway);
        }
        let of_balancer = |it: &Balancer| {
            let is_its = it.vip_port_id == port.common.id || port.is_of_balancer(&it.common.id);
            is_its && (self.is_ours(&it.common) || self.is_made(&it.common))
        };
        self.is_ours(&port.common) || port.is_of_service() || self.balancers.iter().any(of_balancer)
    }
}

fn id(kind: usize, id: &str) -> String {
    format!("{}/{id}", KINDS[kind].0)
}

fn object(
    kind: usize,
    own: &str,
    name: &str,
    spec: UnmanagedObject<Closed>,
) -> Object<UnmanagedObject<Closed>> {
    Object::owned(id(kind, own), format!("{}/{name}", KINDS[kind].0), spec).dependent(MAKER.to_owned())
}

#[async_trait]
impl Handler for UnmanagedObjects {
    type Kind = UnmanagedObject;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    /// As long as there are machines of the control plane, their controllers create deleted objects again.
    fn delete_after(&self) -> &'static [&'static str] {
        &["NovaServer"]
    }

    fn timing(&self) -> Timing {
        balancing::timing()
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<UnmanagedObject<Closed>>>> {
        match query.filter {
            Filter::Scope { dissolving: false, .. } => Ok(Vec::new()),
            Filter::Scope { .. } => Ok(self.project(query).await?.found()),
            Filter::Ids(ids) => {
                let fresh = query.cx.fresh();
                let found = self.project(&Query::new(query.scope, query.filter, &fresh)).await?.found();
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
        let unknown = || Error::internal(format!("controllers do not create {}", request.object.id));
        let (kind, id) = request.object.id.split_once('/').ok_or_else(unknown)?;
        let (kind, service, path) = KINDS.iter().find(|it| it.0 == kind).ok_or_else(unknown)?;
        let call = Call::delete(*service, format!("{path}/{id}"));
        // A load balancer goes with everything in it.
        let call = if *kind == "loadbalancer" { call.query(&[("cascade", "true".to_owned())]) } else { call };
        rest::gone_is_fine(self.0.send(request.cx, call).await)?;
        Ok(if matches!(*kind, "loadbalancer" | "volume") { Deletion::Pending } else { Deletion::Done })
    }
}

fn not_here() -> Error {
    Error::new(ErrorKind::Unsupported, "only controllers in a cluster create and change objects of this kind")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_tells_the_cluster_and_no_other() {
        let scope = Scope::new("ha.example.com");
        let text = |cluster: &str| format!("Kubernetes external service default/web from cluster {cluster}");
        assert!(is_for(Some(&text("ha.example.com")), &scope));
        assert!(is_for(
            Some("Security Group for default/web Service LoadBalancer in cluster ha.example.com"),
            &scope
        ));
        for other in ["x.ha.example.com", "ha.example.com.au", ""] {
            assert!(!is_for(Some(&text(other)), &scope), "{other}");
        }
        assert!(!is_for(Some("from cluster ha.example.com"), &scope) && !is_for(None, &scope));
    }
}
