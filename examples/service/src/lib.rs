//! A platform service: clusters over HTTP, on the public API of the crates alone.
//!
//! | request | does |
//! |---|---|
//! | `POST /clusters` | writes a new cluster's specification into the state store |
//! | `GET /clusters/{name}/plan` | plans it; the answer's `fingerprint` is what to apply |
//! | `POST /clusters/{name}/apply` | applies exactly the plan of a `fingerprint`; progress as server-sent events |
//! | `GET /metrics` | what has been done, for Prometheus |
//!
//! Of two requests that would change the same cluster, the second is rejected with `423 Locked`, which names the
//! holder: the cluster's lease in the state store excludes concurrent runs, also of other replicas of the service. A
//! client that disconnects cancels its run: no further step is started, calls in flight are allowed to finish, and
//! the lease is released. A policy, [`KeepData`], rejects plans that would delete or replace objects with data.

mod apply;
mod failure;
mod metrics;
mod policy;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use kops_cluster::registry::{ClusterRegistry, ClusterStore};
use kops_cluster::{ClusterCloud, ClusterFiles, ClusterGraph, NewCluster, cluster_graph, new_cluster};
use kops_core::Engine;
use kops_core::plan::Plan;
use serde::Deserialize;
use serde_json::{Value, json};

pub use failure::Failure;
pub use metrics::Metrics;
pub use policy::KeepData;

/// The state shared by all requests.
#[derive(Clone, Debug)]
pub struct Service {
    registry: ClusterRegistry,
    cloud: Arc<dyn ClusterCloud>,
    metrics: Metrics,
}

impl Service {
    /// A service for the clusters in a state store, on one cloud.
    pub fn new(registry: ClusterRegistry, cloud: Arc<dyn ClusterCloud>) -> Self {
        Self { registry, cloud, metrics: Metrics::new() }
    }

    /// Its routes.
    pub fn router(self) -> Router {
        Router::new()
            .route("/clusters", post(create))
            .route("/clusters/{name}/plan", get(plan))
            .route("/clusters/{name}/apply", post(apply::apply))
            .route("/metrics", get(metrics))
            .with_state(self)
    }

    /// A cluster by name, with an engine and a graph.
    async fn target(&self, name: &str) -> Result<Target, Failure> {
        let store = self.registry.cluster(name)?;
        let files = store.to_plan(store.read().await?);
        let ClusterGraph { scope, graph, .. } = cluster_graph(&files, &*self.cloud)?;
        let engine = Engine::new(self.cloud.clone(), scope)
            .journal(Arc::new(store.journal()?))
            .policy(Arc::new(KeepData));
        Ok(Target { store, engine, graph })
    }
}

/// A cluster to be planned.
struct Target {
    store: ClusterStore,
    engine: Engine,
    graph: kops_core::graph::TaskGraph,
}

/// The request of a client; everything else has the defaults of `kops create cluster`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    name: String,
    zones: Vec<String>,
}

async fn create(
    State(service): State<Service>,
    Json(order): Json<Order>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let wanted = NewCluster::new(order.name, service.cloud.name()).zones(order.zones);
    let (cluster, groups) = new_cluster(&wanted)?;
    let files = ClusterFiles::new(cluster, groups, Vec::new());
    // Unsupported settings are an error now, not only when planning.
    cluster_graph(&files, &*service.cloud)?;
    service.registry.cluster(files.cluster.name())?.create_all(&files).await?;
    Ok((StatusCode::CREATED, Json(json!({ "name": files.cluster.name() }))))
}

async fn plan(State(service): State<Service>, Path(name): Path<String>) -> Result<Json<Plan>, Failure> {
    let target = service.target(&name).await?;
    Ok(Json(target.engine.plan(&target.graph).await?))
}

async fn metrics(State(service): State<Service>) -> String {
    service.metrics.text()
}
