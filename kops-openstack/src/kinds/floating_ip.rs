//! Floating IP addresses.

use async_trait::async_trait;
use kops_core::Result;
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Handler, IdentityClass, Mark, Mutability, Object, Query, Scope, State,
    Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Output, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ExternalNetwork;
use super::rest::{self, Collection, Common};
use crate::clients::Clients;
use crate::tags::Tags;

/// A public address, associated with a port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct FloatingIp<S: Stage = Open> {
    /// The external network of the address.
    pub external_network: At<S, Id<ExternalNetwork>>,
    /// The identifier of the port, a machine's or a load balancer's; not associated if `None`.
    pub port: Option<At<S, String>>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl FloatingIp {
    /// The address.
    pub const IP: Output<Self, String> = Output::new("ip");
}

impl Resource for FloatingIp {
    const KIND: &'static str = "FloatingIp";
    const OUTPUTS: &'static [&'static str] = &[Self::IP.name()];
    type Resolved = FloatingIp<Closed>;
}

pub(super) const ADDRESSES: Collection = Collection::network("floatingips", "floatingip");

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FoundAddress {
    #[serde(flatten)]
    common: Common,
    floating_network_id: String,
    pub(crate) floating_ip_address: String,
    #[serde(default)]
    pub(crate) port_id: Option<String>,
    #[serde(default)]
    status: Option<String>,
}

#[derive(Debug)]
pub(crate) struct FloatingIps(pub(crate) Clients);

#[async_trait]
impl Handler for FloatingIps {
    type Kind = FloatingIp;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        if field == "external_network" { Mutability::Replace } else { Mutability::InPlace }
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<FloatingIp<Closed>>>> {
        let found: Vec<FoundAddress> = ADDRESSES.asked_for(&self.0, query).await?;
        let objects = found.iter().map(|it| self.observed(query.scope, it).alias(&it.floating_ip_address));
        Ok(rest::each_once(objects.collect()))
    }

    async fn create(&self, request: Create<'_, FloatingIp<Closed>>) -> Result<Object<FloatingIp<Closed>>> {
        let spec = request.spec;
        let mut body = json!({ "floating_network_id": spec.external_network.as_str() });
        if let Some(port) = &spec.port {
            body["port_id"] = port.as_str().into();
        }
        let mark = Mark::of_new(&request);
        let body = rest::marked(&mark, body);
        let made: FoundAddress = ADDRESSES.create(&self.0, request.cx, body).await?;
        Ok(self.observed(request.scope, &made))
    }

    async fn update(&self, request: Update<'_, FloatingIp<Closed>>) -> Result<Object<FloatingIp<Closed>>> {
        let Update { scope, name, object, spec, changed, cx, .. } = request;
        let mut now = object.clone();
        if changed.contains("port") {
            let port = spec.port.as_deref().map_or(Value::Null, Value::from);
            let body = json!({ "port_id": port });
            let found: FoundAddress = ADDRESSES.update(&self.0, cx, &object.id, body).await?;
            now = self.observed(scope, &found);
        }
        if changed.contains("tags") {
            ADDRESSES.set_tags(&self.0, cx, &object.id, &Mark::of(scope, name, object), &spec.tags).await?;
            now.spec.tags.extend(spec.tags.clone());
        }
        Ok(now)
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, FloatingIp<Closed>>) -> Result<Object<FloatingIp<Closed>>> {
        ADDRESSES.adopt(&self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, FloatingIp<Closed>>) -> Result<Deletion> {
        rest::done(ADDRESSES.delete(&self.0, request.cx, &request.object.id).await)
    }
}

impl FloatingIps {
    fn observed(&self, scope: &Scope, found: &FoundAddress) -> Object<FloatingIp<Closed>> {
        let spec = FloatingIp {
            external_network: Id::new(&found.floating_network_id),
            port: found.port_id.clone(),
            tags: found.common.further_tags(),
        };
        let object = found.common.object(&self.0, scope, spec);
        let object = object.output(FloatingIp::IP, found.floating_ip_address.clone());
        match found.status.as_deref() {
            Some("ERROR") => {
                object.state(State::Failed("Networking could not provision the address".to_owned()))
            }
            // `DOWN` is an address without a port, or with a port without a machine.
            _ => object,
        }
    }
}

/// The addresses of the project, listed once per observation.
pub(crate) async fn of_project(
    clients: &Clients,
    query: &Query<'_>,
) -> Result<std::sync::Arc<Vec<FoundAddress>>> {
    ADDRESSES.of_project(clients, query).await
}
