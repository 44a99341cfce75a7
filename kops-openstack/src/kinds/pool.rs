//! Pools: the targets of a listener.

use async_trait::async_trait;
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Handler, IdentityClass, Mark, Mutability, Object, Query, Scope, Timing,
    Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Listener;
use super::balancing::{self, Balanced};
use super::listener::Reference;
use super::rest::Collection;
use crate::clients::Clients;
use crate::tags::Tags;

/// The machines behind a listener, and how connections are distributed to them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Pool<S: Stage = Open> {
    /// The listener.
    pub listener: At<S, Id<Listener>>,
    /// `TCP` or `UDP`.
    pub protocol: String,
    /// The algorithm, one of [`ALGORITHMS`](Self::ALGORITHMS); drivers support some of them.
    pub algorithm: String,
}

impl Pool {
    /// The algorithms. <https://docs.openstack.org/api-ref/load-balancer/v2/#general-api-overview>
    pub const ALGORITHMS: &'static [&'static str] =
        &["ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP", "SOURCE_IP_PORT"];
}

impl Resource for Pool {
    const KIND: &'static str = "Pool";
    type Resolved = Pool<Closed>;
}

const POOLS: Collection = Collection::balancing("lbaas/pools", "pools", "pool");

#[derive(Clone, Debug, Deserialize)]
pub(super) struct FoundPool {
    #[serde(flatten)]
    pub(super) balanced: Balanced,
    protocol: String,
    lb_algorithm: String,
    #[serde(default)]
    listeners: Vec<Reference>,
    #[serde(default)]
    pub(super) loadbalancers: Vec<Reference>,
}

/// The pools of the project, listed once per observation.
pub(super) async fn of_project(
    clients: &Clients,
    query: &Query<'_>,
) -> Result<std::sync::Arc<Vec<FoundPool>>> {
    POOLS.of_project(clients, query).await
}

#[derive(Debug)]
pub(crate) struct Pools(pub(crate) Clients);

#[async_trait]
impl Handler for Pools {
    type Kind = Pool;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        if field == "algorithm" { Mutability::InPlace } else { Mutability::Replace }
    }

    fn timing(&self) -> Timing {
        balancing::timing()
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Pool<Closed>>>> {
        let found: Vec<FoundPool> =
            balancing::asked_for(&POOLS, &self.0, query, |it: &FoundPool| &it.balanced.common).await?;
        Ok(found.iter().map(|it| self.observed(query.scope, it)).collect())
    }

    async fn create(&self, request: Create<'_, Pool<Closed>>) -> Result<Object<Pool<Closed>>> {
        let spec = request.spec;
        let body = json!({
            "name": request.name,
            "listener_id": spec.listener.as_str(),
            "protocol": spec.protocol,
            "lb_algorithm": spec.algorithm,
        });
        let body = balancing::marked(&Mark::of_new(&request), &Tags::new(), body);
        let made: FoundPool = POOLS.create(&self.0, request.cx, body).await.map_err(with_method)?;
        Ok(self.observed(request.scope, &made))
    }

    async fn update(&self, request: Update<'_, Pool<Closed>>) -> Result<Object<Pool<Closed>>> {
        let Update { scope, object, spec, cx, .. } = request;
        let body = json!({ "lb_algorithm": spec.algorithm });
        let found: FoundPool = POOLS.update(&self.0, cx, &object.id, body).await.map_err(with_method)?;
        Ok(self.observed(scope, &found))
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, Pool<Closed>>) -> Result<Object<Pool<Closed>>> {
        balancing::adopt(&POOLS, &self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, Pool<Closed>>) -> Result<Deletion> {
        balancing::delete(&POOLS, &self.0, request.cx, &request.object.id).await
    }
}

/// What to set if the driver, which may be the cloud's default, lacks the algorithm.
fn with_method(error: Error) -> Error {
    if error.kind() != ErrorKind::Unsupported {
        return error;
    }
    error.with_hint(
        "name the driver and what it supports: in cloudProvider.openstack.loadbalancer, provider: ovn, and method: \
         SOURCE_IP_PORT",
    )
}

impl Pools {
    fn observed(&self, scope: &Scope, found: &FoundPool) -> Object<Pool<Closed>> {
        let listener = found.listeners.first().map(|it| it.id.as_str()).unwrap_or_default();
        let spec = Pool {
            listener: Id::new(listener),
            protocol: found.protocol.clone(),
            algorithm: found.lb_algorithm.clone(),
        };
        found.balanced.object(&self.0, scope, spec)
    }
}
