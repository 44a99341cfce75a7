//! Security groups.

use std::sync::Arc;

use async_trait::async_trait;
use kops_core::Result;
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Handler, IdentityClass, Mark, Object, Query, Scope, Update,
};
use kops_core::resource::Resource;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::rest::{self, Collection, Common};
use super::security_group_rules::FoundRule;
use crate::clients::Clients;
use crate::tags::Tags;

/// A set of ports that share rules. It belongs to the project, not to a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for SecurityGroup {
    const KIND: &'static str = "SecurityGroup";
    type Resolved = Self;
}

/// The path differs from the name of the field in listings.
pub(super) const GROUPS: Collection =
    Collection { path: "security-groups", ..Collection::network("security_groups", "security_group") };

#[derive(Clone, Debug, Deserialize)]
pub(super) struct FoundGroup {
    #[serde(flatten)]
    pub(super) common: Common,
    #[serde(default)]
    pub(super) security_group_rules: Vec<FoundRule>,
}

#[derive(Debug)]
pub(crate) struct SecurityGroups(pub(crate) Clients);

#[async_trait]
impl Handler for SecurityGroups {
    type Kind = SecurityGroup;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<SecurityGroup>>> {
        let found: Vec<FoundGroup> = GROUPS.asked_for(&self.0, query).await?;
        Ok(rest::each_once(found.iter().map(|it| self.observed(query.scope, it)).collect()))
    }

    async fn create(&self, request: Create<'_, SecurityGroup>) -> Result<Object<SecurityGroup>> {
        let mark = Mark::of_new(&request);
        let body = json!({ "name": request.name });
        let body = rest::marked(&mark, body);
        let made: FoundGroup = GROUPS.create(&self.0, request.cx, body).await?;
        Ok(self.observed(request.scope, &made))
    }

    async fn update(&self, request: Update<'_, SecurityGroup>) -> Result<Object<SecurityGroup>> {
        let Update { scope, name, object, spec, cx, .. } = request;
        GROUPS.set_tags(&self.0, cx, &object.id, &Mark::of(scope, name, object), &spec.tags).await?;
        let mut now = object.clone();
        now.spec.tags.extend(spec.tags.clone());
        Ok(now)
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, SecurityGroup>) -> Result<Object<SecurityGroup>> {
        GROUPS.adopt(&self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, SecurityGroup>) -> Result<Deletion> {
        rest::done(GROUPS.delete(&self.0, request.cx, &request.object.id).await)
    }
}

impl SecurityGroups {
    fn observed(&self, scope: &Scope, found: &FoundGroup) -> Object<SecurityGroup> {
        found.common.object(&self.0, scope, SecurityGroup { tags: found.common.further_tags() })
    }
}

/// The groups of the project with their rules, listed once per observation.
pub(super) async fn of_project(clients: &Clients, query: &Query<'_>) -> Result<Arc<Vec<FoundGroup>>> {
    GROUPS.of_project(clients, query).await
}

/// Groups with their rules, by identifier.
pub(super) async fn with_ids<I: AsRef<str>>(
    clients: &Clients,
    cx: &kops_core::cloud::Context,
    ids: &[I],
) -> Result<Vec<FoundGroup>> {
    GROUPS.with_ids(clients, cx, ids).await
}
