//! Server groups.

use async_trait::async_trait;
use kops_core::Result;
use kops_core::cloud::{
    Create, Delete, Deletion, Filter, Handler, IdentityClass, Mark, Mutability, Object, Query, Scope, Update,
};
use kops_core::resource::Resource;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::rest;
use crate::clients::{Call, Clients, Service};
use crate::tags;

/// Servers that the scheduler keeps apart or together. The mark is its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerGroup {
    /// One of [`POLICIES`](Self::POLICIES). `anti-affinity`: never two on a host; `soft-anti-affinity`: if
    /// possible.
    pub policy: String,
}

impl ServerGroup {
    /// Whether servers are kept apart or together; the soft policies only if possible.
    pub const POLICIES: [&'static str; 4] =
        ["anti-affinity", "soft-anti-affinity", "affinity", "soft-affinity"];
}

impl Resource for ServerGroup {
    const KIND: &'static str = "ServerGroup";
    type Resolved = Self;
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FoundGroup {
    pub(crate) id: String,
    name: String,
    policies: Vec<String>,
    /// The identifiers of its servers.
    #[serde(default)]
    pub(crate) members: Vec<String>,
    #[serde(default)]
    project_id: Option<String>,
}

/// Soft policies exist since 2.15.
const WITH_SOFT_POLICIES: &str = "2.15";
/// Groups per page; the listing has no links, so a full page may not be the last.
const PAGE: usize = 1000;

#[derive(Debug)]
pub(crate) struct ServerGroups(pub(crate) Clients);

#[async_trait]
impl Handler for ServerGroups {
    type Kind = ServerGroup;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, _: &str) -> Mutability {
        Mutability::Replace
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<ServerGroup>>> {
        let found = of_project(&self.0, query).await?;
        let objects = found.iter().map(|it| self.observed(query.scope, it));
        let asked_for = |object: &Object<ServerGroup>| match query.filter {
            Filter::Ids(ids) => ids.contains(&object.id),
            Filter::Scope { shared, .. } => object.name.is_some() || shared.contains(&object.id.as_str()),
        };
        Ok(objects.filter(asked_for).collect())
    }

    async fn create(&self, request: Create<'_, ServerGroup>) -> Result<Object<ServerGroup>> {
        let name = Mark::of_new(&request).text();
        let body = json!({ "server_group": { "name": name, "policies": [request.spec.policy] } });
        let call = Call::post(Service::Compute, "os-server-groups", body).microversion(WITH_SOFT_POLICIES);
        let made: FoundGroup = self.0.fetch(request.cx, call, "server_group").await?;
        Ok(self.observed(request.scope, &made))
    }

    async fn update(&self, request: Update<'_, ServerGroup>) -> Result<Object<ServerGroup>> {
        // No field can be changed in place.
        Ok(request.object.clone())
    }

    async fn delete(&self, request: Delete<'_, ServerGroup>) -> Result<Deletion> {
        let call = Call::delete(Service::Compute, format!("os-server-groups/{}", request.object.id));
        rest::done(rest::gone_is_fine(self.0.send(request.cx, call).await))
    }
}

impl ServerGroups {
    fn observed(&self, scope: &Scope, found: &FoundGroup) -> Object<ServerGroup> {
        let ours = found.project_id.as_deref().is_none_or(|project| project == self.0.project());
        let mark = Mark::read(scope, &found.name).filter(|_| ours);
        let policy = found.policies.first().cloned().unwrap_or_default();
        tags::object(mark, &found.id, ServerGroup { policy })
    }
}

/// The groups of the project, listed once per observation.
pub(crate) async fn of_project(
    clients: &Clients,
    query: &Query<'_>,
) -> Result<std::sync::Arc<Vec<FoundGroup>>> {
    let list = async || {
        let mut all: Vec<FoundGroup> = Vec::new();
        loop {
            let range = [("limit", PAGE.to_string()), ("offset", all.len().to_string())];
            let call = Call::get(Service::Compute, "os-server-groups").query(&range);
            let call = call.microversion(WITH_SOFT_POLICIES);
            let page: Vec<FoundGroup> = clients.fetch(query.cx, call, "server_groups").await?;
            let full = page.len() >= PAGE;
            all.extend(page);
            if !full {
                return Ok(all);
            }
        }
    };
    query.cx.memo.get_or_try("compute/os-server-groups", list).await
}
