//! Listeners of load balancers.

use std::collections::BTreeSet;

use async_trait::async_trait;
use kops_core::Result;
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Handler, IdentityClass, Mark, Mutability, Object, Query, Scope, Timing,
    Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::OctaviaLoadBalancer;
use super::balancing::{self, Balanced};
use super::rest::Collection;
use crate::clients::Clients;
use crate::tags::Tags;

/// A port that a load balancer listens on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Listener<S: Stage = Open> {
    /// The load balancer.
    pub load_balancer: At<S, Id<OctaviaLoadBalancer>>,
    /// `TCP` or `UDP`.
    pub protocol: String,
    /// The port.
    pub port: u16,
    /// The CIDRs that may connect; any if empty.
    pub allowed_cidrs: BTreeSet<At<S, String>>,
}

impl Resource for Listener {
    const KIND: &'static str = "Listener";
    type Resolved = Listener<Closed>;
}

const LISTENERS: Collection = Collection::balancing("lbaas/listeners", "listeners", "listener");

#[derive(Clone, Debug, Deserialize)]
struct Found {
    #[serde(flatten)]
    balanced: Balanced,
    protocol: String,
    protocol_port: u16,
    #[serde(default)]
    loadbalancers: Vec<Reference>,
    #[serde(default)]
    allowed_cidrs: Option<BTreeSet<String>>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Reference {
    pub(super) id: String,
}

#[derive(Debug)]
pub(crate) struct Listeners(pub(crate) Clients);

#[async_trait]
impl Handler for Listeners {
    type Kind = Listener;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        if field == "allowed_cidrs" { Mutability::InPlace } else { Mutability::Replace }
    }

    fn timing(&self) -> Timing {
        balancing::timing()
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Listener<Closed>>>> {
        let found: Vec<Found> =
            balancing::asked_for(&LISTENERS, &self.0, query, |it: &Found| &it.balanced.common).await?;
        Ok(found.iter().map(|it| self.observed(query.scope, it)).collect())
    }

    async fn create(&self, request: Create<'_, Listener<Closed>>) -> Result<Object<Listener<Closed>>> {
        let spec = request.spec;
        let mut body = json!({
            "name": request.name,
            "loadbalancer_id": spec.load_balancer.as_str(),
            "protocol": spec.protocol,
            "protocol_port": spec.port,
        });
        if !spec.allowed_cidrs.is_empty() {
            body["allowed_cidrs"] = json!(spec.allowed_cidrs);
        }
        let body = balancing::marked(&Mark::of_new(&request), &Tags::new(), body);
        let made: Found = LISTENERS.create(&self.0, request.cx, body).await?;
        Ok(self.observed(request.scope, &made))
    }

    async fn update(&self, request: Update<'_, Listener<Closed>>) -> Result<Object<Listener<Closed>>> {
        let Update { scope, object, spec, cx, .. } = request;
        let cidrs = (!spec.allowed_cidrs.is_empty()).then_some(&spec.allowed_cidrs);
        let body = json!({ "allowed_cidrs": cidrs });
        let found: Found = LISTENERS.update(&self.0, cx, &object.id, body).await?;
        Ok(self.observed(scope, &found))
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, Listener<Closed>>) -> Result<Object<Listener<Closed>>> {
        balancing::adopt(&LISTENERS, &self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, Listener<Closed>>) -> Result<Deletion> {
        balancing::delete(&LISTENERS, &self.0, request.cx, &request.object.id).await
    }
}

impl Listeners {
    fn observed(&self, scope: &Scope, found: &Found) -> Object<Listener<Closed>> {
        let balancer = found.loadbalancers.first().map(|it| it.id.as_str()).unwrap_or_default();
        let spec = Listener {
            load_balancer: Id::new(balancer),
            protocol: found.protocol.clone(),
            port: found.protocol_port,
            allowed_cidrs: found.allowed_cidrs.clone().unwrap_or_default(),
        };
        found.balanced.object(&self.0, scope, spec)
    }
}
