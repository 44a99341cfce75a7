//! Networks.

use async_trait::async_trait;
use kops_core::Result;
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Handler, IdentityClass, Mark, Object, Query, Scope, State, Update,
};
use kops_core::resource::Resource;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::rest::{self, Collection, Common};
use crate::clients::Clients;
use crate::tags::Tags;

/// A network of the project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NeutronNetwork {
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for NeutronNetwork {
    const KIND: &'static str = "NeutronNetwork";
    type Resolved = Self;
}

pub(super) const NETWORKS: Collection = Collection::network("networks", "network");

#[derive(Clone, Debug, Deserialize)]
struct Found {
    #[serde(flatten)]
    common: Common,
    #[serde(default)]
    status: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Networks(pub(crate) Clients);

#[async_trait]
impl Handler for Networks {
    type Kind = NeutronNetwork;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<NeutronNetwork>>> {
        let found: Vec<Found> = NETWORKS.asked_for(&self.0, query).await?;
        Ok(rest::each_once(found.iter().map(|it| self.observed(query.scope, it)).collect()))
    }

    async fn create(&self, request: Create<'_, NeutronNetwork>) -> Result<Object<NeutronNetwork>> {
        let mark = Mark::of_new(&request);
        let body = json!({ "name": request.name, "admin_state_up": true });
        let body = rest::marked(&mark, body);
        let made: Found = NETWORKS.create(&self.0, request.cx, body).await?;
        Ok(self.observed(request.scope, &made))
    }

    async fn update(&self, request: Update<'_, NeutronNetwork>) -> Result<Object<NeutronNetwork>> {
        let Update { scope, name, object, spec, cx, .. } = request;
        NETWORKS.set_tags(&self.0, cx, &object.id, &Mark::of(scope, name, object), &spec.tags).await?;
        let mut now = object.clone();
        now.spec.tags.extend(spec.tags.clone());
        Ok(now)
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, NeutronNetwork>) -> Result<Object<NeutronNetwork>> {
        NETWORKS.adopt(&self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, NeutronNetwork>) -> Result<Deletion> {
        rest::done(NETWORKS.delete(&self.0, request.cx, &request.object.id).await)
    }
}

impl Networks {
    fn observed(&self, scope: &Scope, found: &Found) -> Object<NeutronNetwork> {
        let spec = NeutronNetwork { tags: found.common.further_tags() };
        let state = match found.status.as_deref() {
            Some("ERROR") => State::Failed("Networking could not provision the network".to_owned()),
            // Without an agent that reports its status, a network stays `BUILD` or `DOWN`, but can be used
            // all the same.
            _ => State::Ready,
        };
        found.common.object(&self.0, scope, spec).state(state)
    }
}
