//! Health monitors of pools.

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

use super::Pool;
use super::balancing::{self, Balanced};
use super::listener::Reference;
use super::rest::Collection;
use crate::clients::Clients;
use crate::tags::Tags;

/// The health check of a pool's machines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct HealthMonitor<S: Stage = Open> {
    /// The pool.
    pub pool: At<S, Id<Pool>>,
    /// `TCP`, `HTTPS` or `UDP-CONNECT`.
    pub kind: String,
    /// The interval between checks, in seconds.
    pub interval: u32,
    /// The timeout of a check, in seconds; less than the interval.
    pub timeout: u32,
    /// The number of consecutive successes after which a machine is healthy: 1 to 10.
    pub healthy: u32,
    /// The number of consecutive failures after which it is unhealthy: 1 to 10.
    pub unhealthy: u32,
    /// The path of an HTTPS request.
    pub path: Option<String>,
}

impl Resource for HealthMonitor {
    const KIND: &'static str = "HealthMonitor";
    type Resolved = HealthMonitor<Closed>;
}

const MONITORS: Collection = Collection::balancing("lbaas/healthmonitors", "healthmonitors", "healthmonitor");

#[derive(Clone, Debug, Deserialize)]
struct Found {
    #[serde(flatten)]
    balanced: Balanced,
    #[serde(rename = "type")]
    kind: String,
    delay: u32,
    timeout: u32,
    max_retries: u32,
    max_retries_down: u32,
    #[serde(default)]
    url_path: Option<String>,
    #[serde(default)]
    pools: Vec<Reference>,
}

#[derive(Debug)]
pub(crate) struct HealthMonitors(pub(crate) Clients);

#[async_trait]
impl Handler for HealthMonitors {
    type Kind = HealthMonitor;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        if ["pool", "kind"].contains(&field) { Mutability::Replace } else { Mutability::InPlace }
    }

    fn timing(&self) -> Timing {
        balancing::timing()
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<HealthMonitor<Closed>>>> {
        let found: Vec<Found> =
            balancing::asked_for(&MONITORS, &self.0, query, |it: &Found| &it.balanced.common).await?;
        Ok(found.iter().map(|it| self.observed(query.scope, it)).collect())
    }

    async fn create(
        &self,
        request: Create<'_, HealthMonitor<Closed>>,
    ) -> Result<Object<HealthMonitor<Closed>>> {
        let spec = request.spec;
        let mut body = json!({
            "name": request.name,
            "pool_id": spec.pool.as_str(),
            "type": spec.kind,
            "delay": spec.interval,
            "timeout": spec.timeout,
            "max_retries": spec.healthy,
            "max_retries_down": spec.unhealthy,
        });
        if let Some(path) = &spec.path {
            body["url_path"] = path.as_str().into();
        }
        let body = balancing::marked(&Mark::of_new(&request), &Tags::new(), body);
        let made: Found = MONITORS.create(&self.0, request.cx, body).await?;
        Ok(self.observed(request.scope, &made))
    }

    async fn update(
        &self,
        request: Update<'_, HealthMonitor<Closed>>,
    ) -> Result<Object<HealthMonitor<Closed>>> {
        let Update { scope, object, spec, cx, .. } = request;
        let mut body = json!({
            "delay": spec.interval,
            "timeout": spec.timeout,
            "max_retries": spec.healthy,
            "max_retries_down": spec.unhealthy,
        });
        if let Some(path) = &spec.path {
            body["url_path"] = path.as_str().into();
        }
        let found: Found = MONITORS.update(&self.0, cx, &object.id, body).await?;
        Ok(self.observed(scope, &found))
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(
        &self,
        request: Adopt<'_, HealthMonitor<Closed>>,
    ) -> Result<Object<HealthMonitor<Closed>>> {
        balancing::adopt(&MONITORS, &self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, HealthMonitor<Closed>>) -> Result<Deletion> {
        balancing::delete(&MONITORS, &self.0, request.cx, &request.object.id).await
    }
}

impl HealthMonitors {
    fn observed(&self, scope: &Scope, found: &Found) -> Object<HealthMonitor<Closed>> {
        let pool = found.pools.first().map(|it| it.id.as_str()).unwrap_or_default();
        let spec = HealthMonitor {
            pool: Id::new(pool),
            kind: found.kind.clone(),
            interval: found.delay,
            timeout: found.timeout,
            healthy: found.max_retries,
            unhealthy: found.max_retries_down,
            path: found.url_path.clone(),
        };
        found.balanced.object(&self.0, scope, spec)
    }
}
