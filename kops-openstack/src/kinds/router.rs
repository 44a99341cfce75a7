//! Routers.

use async_trait::async_trait;
use kops_core::Result;
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mark, Object, Query, Scope, State,
    Timing, Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Output, Resource};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use super::ExternalNetwork;
use super::port::{self, FoundPort};
use super::rest::{self, Collection, Common};
use crate::clients::Clients;
use crate::tags::Tags;

/// A router: it connects subnets, and translates the addresses of their machines for the internet.
///
/// A router with an interface in a network can also be shared by the network's identifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Router<S: Stage = Open> {
    /// The external network; not connected to the internet if `None`.
    pub external_network: Option<At<S, Id<ExternalNetwork>>>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Router {
    /// The public IPv4 address of machines without one of their own.
    pub const EXTERNAL_IP: Output<Self, String> = Output::new("external_ip");
}

impl Resource for Router {
    const KIND: &'static str = "Router";
    const OUTPUTS: &'static [&'static str] = &[Self::EXTERNAL_IP.name()];
    type Resolved = Router<Closed>;
}

pub(super) const ROUTERS: Collection = Collection::network("routers", "router");

#[derive(Clone, Debug, Deserialize)]
pub(super) struct FoundRouter {
    #[serde(flatten)]
    pub(super) common: Common,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    external_gateway_info: Option<Gateway>,
}

#[derive(Clone, Debug, Deserialize)]
struct Gateway {
    network_id: String,
    #[serde(default)]
    external_fixed_ips: Vec<FixedIp>,
}

#[derive(Clone, Debug, Deserialize)]
struct FixedIp {
    #[serde(default)]
    ip_address: String,
}

#[derive(Debug)]
pub(crate) struct Routers(pub(crate) Clients);

#[async_trait]
impl Handler for Routers {
    type Kind = Router;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn timing(&self) -> Timing {
        Timing::new().call(Duration::from_secs(2))
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Router<Closed>>>> {
        let mut found: Vec<FoundRouter> = ROUTERS.asked_for(&self.0, query).await?;
        let mut interfaces = Arc::default();
        if let Filter::Scope { shared, .. } = query.filter
            && !shared.is_empty()
        {
            // A network's identifier selects the router in it.
            interfaces = port::of_project(&self.0, query).await?;
            let routers: Vec<&str> = interfaces
                .iter()
                .filter(|it| shared.contains(&it.network_id.as_str()))
                .filter_map(FoundPort::router)
                .collect();
            if !routers.is_empty() {
                found.extend(ROUTERS.with_ids::<FoundRouter, _>(&self.0, query.cx, &routers).await?);
            }
        }
        let objects = found.iter().map(|it| {
            let networks = interfaces.iter().filter(|port| port.router() == Some(&it.common.id));
            networks.fold(self.observed(query.scope, it), |object, port| object.alias(&port.network_id))
        });
        Ok(rest::each_once(objects.collect()))
    }

    async fn create(&self, request: Create<'_, Router<Closed>>) -> Result<Object<Router<Closed>>> {
        let spec = request.spec;
        let mut body = json!({ "name": request.name, "admin_state_up": true });
        if let Some(network) = &spec.external_network {
            body["external_gateway_info"] = json!({ "network_id": network.as_str() });
        }
        let mark = Mark::of_new(&request);
        let body = rest::marked(&mark, body);
        let made: FoundRouter = ROUTERS.create(&self.0, request.cx, body).await?;
        Ok(self.observed(request.scope, &made))
    }

    async fn update(&self, request: Update<'_, Router<Closed>>) -> Result<Object<Router<Closed>>> {
        let Update { scope, name, object, spec, changed, cx, .. } = request;
        let mut now = object.clone();
        if changed.contains("external_network") {
            let gateway = match &spec.external_network {
                Some(network) => json!({ "network_id": network.as_str() }),
                None => json!({}),
            };
            let body = json!({ "external_gateway_info": gateway });
            let found: FoundRouter = ROUTERS.update(&self.0, cx, &object.id, body).await?;
            now = self.observed(scope, &found);
        }
        if changed.contains("tags") {
            ROUTERS.set_tags(&self.0, cx, &object.id, &Mark::of(scope, name, object), &spec.tags).await?;
            now.spec.tags.extend(spec.tags.clone());
        }
        Ok(now)
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, Router<Closed>>) -> Result<Object<Router<Closed>>> {
        ROUTERS.adopt(&self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, Router<Closed>>) -> Result<Deletion> {
        rest::done(ROUTERS.delete(&self.0, request.cx, &request.object.id).await)
    }
}

impl Routers {
    fn observed(&self, scope: &Scope, found: &FoundRouter) -> Object<Router<Closed>> {
        let gateway = found.external_gateway_info.as_ref();
        let spec = Router {
            external_network: gateway.map(|gateway| Id::new(&gateway.network_id)),
            tags: found.common.further_tags(),
        };
        let object = found.common.object(&self.0, scope, spec);
        let object = match found.status.as_deref() {
            Some("ERROR") => {
                object.state(State::Failed("Networking could not provision the router".to_owned()))
            }
            _ => object,
        };
        // Where the external network has both families, there is an address of each.
        let is_four = |fixed: &&FixedIp| fixed.ip_address.parse::<Ipv4Addr>().is_ok();
        match gateway.and_then(|gateway| gateway.external_fixed_ips.iter().find(is_four)) {
            Some(fixed) => object.output(Router::EXTERNAL_IP, fixed.ip_address.clone()),
            None => object,
        }
    }
}
