//! Health checks of machines behind a load balancer.

use async_trait::async_trait;
use google_cloud_compute_v1::model::{HTTPSHealthCheck, HealthCheck, Operation, TCPHealthCheck};
use kops_core::Result;
use kops_core::cloud::{Context, Mutability};
use kops_core::graph::Document;
use kops_core::resource::Resource;
use serde::{Deserialize, Serialize};

use super::collection::{Changing, Collection, Facts, Header, Level, Step, Writing};
use super::convert::{count, int};
use crate::clients::Clients;
use crate::paging::listed;
use crate::path::Path;

/// A health check of the region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionHealthCheck {
    /// The port to check.
    pub port: u32,
    /// The path of an HTTPS request; a bare TCP connection if `None`.
    pub https_path: Option<String>,
    /// The interval between checks and the timeout of a check, in seconds.
    pub interval: u32,
    /// The number of consecutive successes after which a machine is healthy.
    pub healthy: u32,
    /// The number of consecutive failures after which it is unhealthy.
    pub unhealthy: u32,
}

impl Resource for RegionHealthCheck {
    const KIND: &'static str = "RegionHealthCheck";
    type Resolved = Self;
}

pub(crate) struct RegionHealthChecks;

#[async_trait]
impl Collection for RegionHealthChecks {
    type Kind = RegionHealthCheck;
    type Model = HealthCheck;

    const PLURAL: &'static str = "healthChecks";
    const LEVEL: Level = Level::Regional;
    const CREATE: &'static str = "compute.regionHealthChecks.create";
    const DELETE: &'static str = "compute.regionHealthChecks.delete";
    const UPDATE: &'static str = "compute.regionHealthChecks.update";

    fn mutability(_: &str) -> Mutability {
        Mutability::InPlace
    }

    async fn list(clients: &Clients, project: &str, filter: &str, cx: &Context) -> Result<Vec<HealthCheck>> {
        let list = || clients.region_health_checks.list().set_project(project).set_region(&clients.region);
        listed!(clients, cx, "compute.regionHealthChecks.list", filter, list(), |page| page.items)
    }

    fn header(model: &HealthCheck) -> Header<'_> {
        Header { self_link: model.self_link.as_deref(), description: model.description.as_deref() }
    }

    fn facts(
        _: &Clients,
        _: &Path,
        model: &HealthCheck,
        _: Option<&Document>,
    ) -> Result<Facts<RegionHealthCheck>> {
        let tcp = model.tcp_health_check.as_ref().and_then(|it| it.port);
        let https = model.https_health_check.as_ref();
        Ok(Facts::ready(RegionHealthCheck {
            port: count(https.and_then(|it| it.port).or(tcp)),
            https_path: https.map(|it| it.request_path.clone().unwrap_or_else(|| "/".to_owned())),
            interval: count(model.check_interval_sec),
            healthy: count(model.healthy_threshold),
            unhealthy: count(model.unhealthy_threshold),
        }))
    }

    async fn insert(
        clients: &Clients,
        path: &Path,
        mark: String,
        request_id: String,
        spec: &RegionHealthCheck,
        cx: &Context,
    ) -> Result<Operation> {
        let check = written(HealthCheck::new().set_name(&path.name).set_description(mark), spec)?;
        let insert =
            clients.region_health_checks.insert().set_project(&path.project).set_region(path.region());
        clients.call(cx, Self::CREATE, insert.set_request_id(request_id).set_body(check).send()).await
    }

    async fn update(clients: &Clients, change: Changing<'_, Self>) -> Result<Option<Step>> {
        let request_id = change.request_id("update");
        let model = written(change.model, change.spec)?;
        let writing = Writing { model, request_id: Some(request_id), cx: change.cx };
        Self::write(clients, change.path, writing).await.map(|operation| Some(Step::last(operation)))
    }

    const ADOPTS: bool = true;

    fn described(model: HealthCheck, description: String) -> HealthCheck {
        model.set_description(description)
    }

    async fn write(clients: &Clients, path: &Path, writing: Writing<'_, Self>) -> Result<Operation> {
        let Writing { model, request_id, cx } = writing;
        let update =
            clients.region_health_checks.update().set_project(&path.project).set_region(path.region());
        let update = update.set_health_check(&path.name).set_or_clear_request_id(request_id).set_body(model);
        clients.call(cx, Self::UPDATE, update.send()).await
    }

    async fn delete(clients: &Clients, path: &Path, cx: &Context) -> Result<Operation> {
        let delete =
            clients.region_health_checks.delete().set_project(&path.project).set_region(path.region());
        clients.call(cx, Self::DELETE, delete.set_health_check(&path.name).send()).await
    }
}

fn written(check: HealthCheck, spec: &RegionHealthCheck) -> Result<HealthCheck> {
    let check = check
        .set_check_interval_sec(int(spec.interval)?)
        // A check must not take longer than the interval.
        .set_timeout_sec(int(spec.interval)?)
        .set_healthy_threshold(int(spec.healthy)?)
        .set_unhealthy_threshold(int(spec.unhealthy)?);
    let port = int(spec.port)?;
    Ok(match &spec.https_path {
        Some(path) => check
            .set_type("HTTPS")
            .set_https_health_check(HTTPSHealthCheck::new().set_port(port).set_request_path(path))
            .set_or_clear_tcp_health_check(None::<TCPHealthCheck>),
        None => check
            .set_type("TCP")
            .set_tcp_health_check(TCPHealthCheck::new().set_port(port))
            .set_or_clear_https_health_check(None::<HTTPSHealthCheck>),
    })
}
