//! Subnets.
//!
//! They are parts of a virtual network and carry no tags. A subnet is owned by the scope if its network is,
//! or if it has a name of the scope. The listing of networks contains them.

use std::time::Duration;

use async_trait::async_trait;
use azure_mgmt_network::models;
use futures_util::future::try_join_all;
use ipnet::IpNet;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Owner, Query,
    Scope, State, Timing, Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::arm::{self, Calls, Model as _, Site, calls, text};
use super::virtual_network::VirtualNetworks;
use super::{AzureNatGateway, NetworkSecurityGroup, RouteTable, VirtualNetwork};
use crate::clients::{Clients, sent};
use crate::tags::{self, Tags};
use crate::{ids, names};

/// A part of a virtual network. It spans the zones of the region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct AzureSubnet<S: Stage = Open> {
    /// The network.
    pub network: At<S, Id<VirtualNetwork>>,
    /// Its CIDR, within the network's.
    pub cidr: IpNet,
    /// Its network security group.
    pub security_group: Option<At<S, Id<NetworkSecurityGroup>>>,
    /// Its route table, for routes in addition to Azure's own.
    pub route_table: Option<At<S, Id<RouteTable>>>,
    /// The NAT gateway for machines without public addresses.
    pub nat_gateway: Option<At<S, Id<AzureNatGateway>>>,
}

impl Resource for AzureSubnet {
    const KIND: &'static str = "AzureSubnet";
    type Resolved = AzureSubnet<Closed>;
}

const CALLS: Calls = calls!("Microsoft.Network/virtualNetworks/subnets");

#[derive(Debug)]
pub(crate) struct Subnets(pub(crate) Clients);

fn name(task: &str) -> String {
    names::plain(task, 80)
}

#[async_trait]
impl Handler for Subnets {
    type Kind = AzureSubnet;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, field: &str) -> Mutability {
        if field == "network" || field == "cidr" { Mutability::Replace } else { Mutability::InPlace }
    }

    fn timing(&self) -> Timing {
        Timing::new().settle(Duration::from_secs(5)).vanish(Duration::from_secs(10))
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<AzureSubnet<Closed>>>> {
        let mut cx = Context::default();
        let query = &arm::looking_anew(query, &mut cx);
        let own = self.0.group(query.scope);
        let site = Site { clients: &self.0, scope: query.scope, group: &own, name: "" };
        let wanted = query.wanted_as::<AzureSubnet>()?;
        let mut groups = arm::groups(&self.0, query);
        // Our subnets may be in a shared network, in another group.
        let known = wanted
            .iter()
            .filter_map(|(_, spec)| spec.network.known())
            .filter_map(|id| ids::group(id.as_str()));
        for group in known {
            if !groups.iter().any(|it| ids::same(it, group)) {
                groups.push(group.to_owned());
            }
        }
        let lists = groups.iter().map(|group| arm::all::<VirtualNetworks>(&self.0, query.cx, group));
        let mut objects = Vec::new();
        for network in try_join_all(lists).await?.iter().flat_map(|networks| networks.iter()) {
            let head = network.head();
            let mine = tags::task(query.scope, &head.name, &head.tags);
            let within = Within { id: site.id(Some(&head.id)), tags: &head.tags, owned: mine.is_some() };
            for subnet in network.properties.iter().flat_map(|it| &it.subnets) {
                let mut object = observed(&site, &within, subnet)?;
                if let State::Failed(_) = object.state {
                    object.state = State::Failed(self.0.failure(query.cx, &object.id).await);
                }
                if object.owner == Owner::Scope {
                    let called = |(task, spec): &&(&str, AzureSubnet)| {
                        name(task).eq_ignore_ascii_case(ids::name(&object.id))
                            && kops_core::cloud::refers_to(&spec.network, &within.id, mine)
                    };
                    object.name = match wanted.iter().find(called) {
                        Some((task, _)) => Some((*task).to_owned()),
                        None => object.name,
                    };
                }
                objects.push(object);
            }
        }
        Ok(match query.filter {
            Filter::Ids(_) => arm::asked_for(query, &own, objects, name),
            Filter::Scope { shared, .. } => {
                let meant = |object: &Object<_>| shared.iter().any(|it| ids::same(it, &object.id));
                objects.retain(|object| object.owner == Owner::Scope || meant(object));
                let named = |object: Object<AzureSubnet<Closed>>| {
                    let selector =
                        shared.iter().find(|it| ids::same(it, &object.id)).map(|it| (*it).to_owned());
                    match selector {
                        Some(selector) => object.alias(selector),
                        None => object,
                    }
                };
                objects.into_iter().map(named).collect()
            }
        })
    }

    async fn create(&self, request: Create<'_, AzureSubnet<Closed>>) -> Result<Object<AzureSubnet<Closed>>> {
        let (network, name) = (request.spec.network.as_str(), name(request.name));
        let (group, parent) = (ids::group(network).unwrap_or_default(), ids::name(network));
        let client = self.0.network.subnets_client();
        let get = client.get(group, parent, &name, &self.0.subscription);
        match self.0.call(request.cx, CALLS.read, sent(get.send())).await {
            Ok(_) => return Err(arm::exists(&name).with_call(CALLS.write)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let subnet = self.put(request.cx, request.spec, &name, models::Subnet::default()).await?;
        self.made(request.cx, request.scope, request.name, request.spec, &subnet, request.retained)
    }

    async fn update(&self, request: Update<'_, AzureSubnet<Closed>>) -> Result<Object<AzureSubnet<Closed>>> {
        let id = &request.object.id;
        let network = ids::parent(id);
        let (group, parent) = (ids::group(network).unwrap_or_default(), ids::name(network));
        let get = self.0.network.subnets_client().get(group, parent, ids::name(id), &self.0.subscription);
        let now = self.0.fetch(request.cx, CALLS.read, sent(get.send())).await?;
        let subnet = self.put(request.cx, request.spec, ids::name(id), now).await?;
        self.made(request.cx, request.scope, request.name, request.spec, &subnet, request.object.retained)
    }

    async fn delete(&self, request: Delete<'_, AzureSubnet<Closed>>) -> Result<Deletion> {
        let id = &request.object.id;
        let network = ids::parent(id);
        let (group, parent) = (ids::group(network).unwrap_or_default(), ids::name(network));
        let delete =
            self.0.network.subnets_client().delete(group, parent, ids::name(id), &self.0.subscription);
        arm::deleted(&self.0, request.cx, CALLS.delete, id, sent(delete.send())).await
    }
}

impl Subnets {
    async fn put(
        &self,
        cx: &Context,
        spec: &AzureSubnet<Closed>,
        name: &str,
        mut subnet: models::Subnet,
    ) -> Result<models::Subnet> {
        let network = spec.network.as_str();
        let (group, parent) = (ids::group(network).unwrap_or_default(), ids::name(network));
        let properties = subnet.properties.get_or_insert_default();
        properties.address_prefix = Some(spec.cidr.to_string());
        properties.address_prefixes.clear();
        // The models of whole groups and tables, of which only the identifier is used.
        let resource = |id: &str| models::Resource { id: Some(id.to_owned()), ..models::Resource::default() };
        properties.network_security_group =
            spec.security_group.as_ref().map(|id| models::NetworkSecurityGroup {
                resource: resource(id.as_str()),
                ..models::NetworkSecurityGroup::default()
            });
        properties.route_table = spec.route_table.as_ref().map(|id| models::RouteTable {
            resource: resource(id.as_str()),
            ..models::RouteTable::default()
        });
        properties.nat_gateway =
            spec.nat_gateway.as_ref().map(|id| models::SubResource { id: Some(id.as_str().to_owned()) });
        let client = self.0.network.subnets_client();
        let put = client.create_or_update(group, parent, name, subnet, &self.0.subscription);
        let answer = self.0.call(cx, CALLS.write, sent(put.send())).await?;
        self.0.remember(&format!("{network}/subnets/{name}"), &answer);
        let broken = |error| crate::error::from_sdk(CALLS.write, None, error);
        let bytes = answer.into_body().collect().await.map_err(broken)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::internal("malformed response").with_call(CALLS.write).with_source(error))
    }

    /// A subnet that was just written, and is therefore ours.
    fn made(
        &self,
        _: &Context,
        scope: &Scope,
        task: &str,
        spec: &AzureSubnet<Closed>,
        subnet: &models::Subnet,
        retained: bool,
    ) -> Result<Object<AzureSubnet<Closed>>> {
        let group = self.0.group(scope);
        let site = Site { clients: &self.0, scope, group: &group, name: task };
        let none = Tags::new();
        let within = Within { id: spec.network.as_str().to_owned(), tags: &none, owned: true };
        let object = observed(&site, &within, subnet)?;
        Ok(object.name(task.to_owned()).retained(retained))
    }
}

/// The network that contains a subnet.
struct Within<'a> {
    id: String,
    tags: &'a Tags,
    owned: bool,
}

fn observed(
    site: &Site<'_>,
    within: &Within<'_>,
    subnet: &models::Subnet,
) -> Result<Object<AzureSubnet<Closed>>> {
    let properties = subnet.properties.clone().unwrap_or_default();
    let prefix =
        properties.address_prefix.as_deref().or(properties.address_prefixes.first().map(String::as_str));
    let group = properties.network_security_group.as_ref().and_then(|it| it.resource.id.as_deref());
    let table = properties.route_table.as_ref().and_then(|it| it.resource.id.as_deref());
    let gateway = properties.nat_gateway.as_ref().and_then(|it| it.id.as_deref());
    let spec = AzureSubnet {
        network: Id::new(&within.id),
        cidr: super::cidr(prefix.unwrap_or_default())?,
        security_group: group.map(|id| Id::new(site.id(Some(id)))),
        route_table: table.map(|id| Id::new(site.id(Some(id)))),
        nat_gateway: gateway.map(|id| Id::new(site.id(Some(id)))),
    };
    let called = subnet.name.clone().unwrap_or_default();
    let id = format!("{}/subnets/{called}", within.id);
    // In a network that a scope of the same name elsewhere has marked, the subnets are that scope's.
    let elsewhere = !within.owned && tags::names_cluster(within.tags, site.scope);
    let ours = within.owned || (!elsewhere && names::is_called_after(&called, site.scope));
    let object = if ours {
        Object::owned(id, called, spec).retained(tags::is_retained(within.tags))
    } else {
        Object::foreign(id, spec)
    };
    Ok(object.state(arm::state(text(properties.provisioning_state.as_ref()).as_deref())))
}
