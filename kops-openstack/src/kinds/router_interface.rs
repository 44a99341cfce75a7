//! Interfaces of routers in subnets.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use kops_core::cloud::{
    Create, Delete, Deletion, Filter, Handler, IdentityClass, Mark, Mutability, Object, Query, Update,
    refers_to,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::port::{self, FoundPort};
use super::router::{FoundRouter, ROUTERS};
use super::{NeutronSubnet, Router, rest, subnet};
use crate::clients::{Call, Clients, Service};

/// A router's interface in a subnet, at the address of the subnet's gateway.
///
/// It carries no mark: it is owned by the scope if both the router and the subnet are, or if a task requests
/// it and one of them is. When everything is to be deleted, so is the gateway of an own subnet, of whatever router. Foreign
/// interfaces of a shared router are not returned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct RouterInterface<S: Stage = Open> {
    /// The router.
    pub router: At<S, Id<Router>>,
    /// The subnet.
    pub subnet: At<S, Id<NeutronSubnet>>,
}

impl Resource for RouterInterface {
    const KIND: &'static str = "RouterInterface";
    type Resolved = RouterInterface<Closed>;
}

#[derive(Debug)]
pub(crate) struct RouterInterfaces(pub(crate) Clients);

#[async_trait]
impl Handler for RouterInterfaces {
    type Kind = RouterInterface;

    /// A subnet's gateway address can be used once only.
    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, _: &str) -> Mutability {
        Mutability::Replace
    }

    fn delete_after(&self) -> &'static [&'static str] {
        // Floating IP addresses of machines in the subnet block the deletion of the interface.
        &["FloatingIp", "UnmanagedObject"]
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<RouterInterface<Closed>>>> {
        let ids = match query.filter {
            Filter::Ids(ids) => {
                let ports = port::with_ids(&self.0, query, ids).await?;
                return Ok(ports.iter().filter_map(interface).collect());
            }
            Filter::Scope { .. } => port::of_project(&self.0, query).await?,
        };
        let routers = ROUTERS.of_project::<FoundRouter>(&self.0, query).await?;
        let subnets = subnet::of_project(&self.0, query).await?;
        let marks = |common: &rest::Common| Some((common.id.clone(), common.mark(&self.0, query.scope)?));
        let routers: HashMap<String, Mark> = routers.iter().filter_map(|it| marks(&it.common)).collect();
        let dissolving = matches!(query.filter, Filter::Scope { dissolving: true, .. });
        let gateways: HashSet<(&str, &str)> = subnets
            .iter()
            .filter_map(|it| Some((it.common.id.as_str(), it.gateway_ip.as_deref()?)))
            .filter(|_| dissolving)
            .collect();
        let subnets: HashMap<String, Mark> = subnets.iter().filter_map(|it| marks(&it.common)).collect();
        let wanted = query.wanted_as::<RouterInterface>()?;
        let owned = |port: &FoundPort| {
            let object = interface(port)?;
            let (router, subnet) = (object.spec.router.as_str(), object.spec.subnet.as_str());
            let (router_mark, subnet_mark) = (routers.get(router), subnets.get(subnet));
            let task = |mark: Option<&Mark>| mark.map(|mark| mark.task.clone());
            let is_wanted = |spec: &RouterInterface| {
                refers_to(&spec.router, router, task(router_mark).as_deref())
                    && refers_to(&spec.subnet, subnet, task(subnet_mark).as_deref())
            };
            let asked_for = wanted.iter().find(|(_, spec)| is_wanted(spec));
            let name = match (asked_for, router_mark, subnet_mark) {
                (Some((name, _)), Some(_), _) | (Some((name, _)), _, Some(_)) => (*name).to_owned(),
                (None, Some(_), Some(subnet)) => subnet.task.clone(),
                (None, None, Some(mark)) if gateways.contains(&(subnet, port.address()?)) => {
                    mark.task.clone()
                }
                _ => return None,
            };
            let retained = subnet_mark.or(router_mark).is_some_and(|mark| mark.retained);
            Some(Object::owned(object.id.clone(), name, object.spec).retained(retained))
        };
        Ok(ids.iter().filter_map(owned).collect())
    }

    async fn create(
        &self,
        request: Create<'_, RouterInterface<Closed>>,
    ) -> Result<Object<RouterInterface<Closed>>> {
        let spec = request.spec;
        let mut answer =
            self.change(&request.spec.router, &spec.subnet, "add_router_interface", request.cx).await?;
        let Some(Value::String(id)) = answer.get_mut("port_id").map(Value::take) else {
            return Err(Error::new(ErrorKind::Unavailable, "the response does not contain the new port"));
        };
        Ok(Object::owned(id, request.name, spec.clone()).retained(request.retained))
    }

    async fn update(
        &self,
        request: Update<'_, RouterInterface<Closed>>,
    ) -> Result<Object<RouterInterface<Closed>>> {
        // No field can be changed in place.
        Ok(request.object.clone())
    }

    async fn delete(&self, request: Delete<'_, RouterInterface<Closed>>) -> Result<Deletion> {
        let spec = &request.object.spec;
        let answer = self.change(&spec.router, &spec.subnet, "remove_router_interface", request.cx).await;
        rest::done(rest::gone_is_fine(answer))
    }
}

impl RouterInterfaces {
    async fn change(
        &self,
        router: &Id<Router>,
        subnet: &Id<NeutronSubnet>,
        verb: &str,
        cx: &kops_core::cloud::Context,
    ) -> Result<Value> {
        let path = format!("routers/{}/{verb}", router.as_str());
        self.0.send(cx, Call::put(Service::Network, path, json!({ "subnet_id": subnet.as_str() }))).await
    }
}

/// The port of a router as an interface, foreign until its ownership is determined.
fn interface(port: &FoundPort) -> Option<Object<RouterInterface<Closed>>> {
    let subnet = port.fixed_ips.first()?;
    let spec = RouterInterface { router: Id::new(port.router()?), subnet: Id::new(&subnet.subnet_id) };
    Some(Object::foreign(port.common.id.clone(), spec))
}
