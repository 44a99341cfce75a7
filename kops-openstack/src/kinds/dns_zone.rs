//! DNS zones.

use async_trait::async_trait;
use kops_core::Result;
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mark, Mutability, Object, Query, Scope,
    State, Timing, Update,
};
use kops_core::resource::{self, Resource};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

use super::rest;
use crate::clients::{Call, Clients, Service};
use crate::tags;

/// A public zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DesignateZone {
    /// Its name, without the final dot.
    pub name: String,
}

impl Resource for DesignateZone {
    const KIND: &'static str = "DesignateZone";
    type Resolved = Self;
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct FoundZone {
    pub(super) id: String,
    pub(super) name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    status: String,
    #[serde(default)]
    action: String,
}

/// The zones of the project, listed once per observation.
pub(super) async fn of_project(
    clients: &Clients,
    query: &Query<'_>,
) -> Result<std::sync::Arc<Vec<FoundZone>>> {
    if !clients.has(Service::Dns) {
        return Ok(std::sync::Arc::default());
    }
    let list = async || clients.all(query.cx, Call::get(Service::Dns, "zones"), "zones").await;
    query.cx.memo.get_or_try("dns/zones", list).await
}

/// The state of DNS objects.
pub(super) fn state(status: &str, action: &str) -> State {
    match (status, action) {
        ("PENDING", "DELETE") => State::Deleting,
        ("PENDING", _) => State::Pending,
        ("ERROR", _) => State::Failed("the name servers rejected it".to_owned()),
        ("DELETED", _) => State::Gone,
        _ => State::Ready,
    }
}

/// It takes seconds until the name servers have a change.
pub(super) fn timing() -> Timing {
    Timing::new().settle(Duration::from_secs(2)).vanish(Duration::from_secs(3)).poll(Duration::from_secs(2))
}

#[derive(Debug)]
pub(crate) struct Zones(pub(crate) Clients);

#[async_trait]
impl Handler for Zones {
    type Kind = DesignateZone;

    /// A zone name is unique in the service, across projects.
    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, _: &str) -> Mutability {
        Mutability::Immutable
    }

    fn timing(&self) -> Timing {
        timing()
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<DesignateZone>>> {
        let wanted = query.wanted_as::<DesignateZone>()?;
        let found = of_project(&self.0, query).await?;
        let objects = found.iter().map(|it| {
            let object = observed(query.scope, it);
            let taken = wanted.iter().find(|(_, spec)| spec.name == object.spec.name);
            match (&object.name, taken) {
                (None, Some((name, _))) => object.name((*name).to_owned()),
                _ => object,
            }
        });
        let asked_for = |object: &Object<DesignateZone>| match query.filter {
            Filter::Ids(ids) => ids.contains(&object.id),
            Filter::Scope { shared, .. } => {
                object.name.is_some() || shared.iter().any(|selector| object.matches(selector))
            }
        };
        Ok(objects.filter(asked_for).collect())
    }

    async fn create(&self, request: Create<'_, DesignateZone>) -> Result<Object<DesignateZone>> {
        let name = &request.spec.name;
        let body = json!({
            "name": format!("{name}."),
            // For the zone's SOA record, which requires one.
            "email": format!("hostmaster@{name}"),
            "description": Mark::of_new(&request).text(),
        });
        let made: FoundZone = crate::clients::parse(
            "POST dns/zones",
            self.0.send(request.cx, Call::post(Service::Dns, "zones", body)).await?,
        )?;
        Ok(observed(request.scope, &made))
    }

    async fn update(&self, request: Update<'_, DesignateZone>) -> Result<Object<DesignateZone>> {
        // No field can be changed in place.
        Ok(request.object.clone())
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, DesignateZone>) -> Result<Object<DesignateZone>> {
        let (id, scope) = (&request.object.id, request.scope);
        let path = format!("zones/{id}");
        let found: FoundZone = crate::clients::parse(
            "GET dns/zones",
            self.0.send(request.cx, Call::get(Service::Dns, path.as_str())).await?,
        )?;
        let other = found.description.as_deref().and_then(|text| Mark::other(scope, text));
        let body = json!({ "description": request.mark(other)?.text() });
        self.0.send(request.cx, Call::patch(Service::Dns, path, body)).await?;
        Ok(request.adopted())
    }

    async fn delete(&self, request: Delete<'_, DesignateZone>) -> Result<Deletion> {
        let call = Call::delete(Service::Dns, format!("zones/{}", request.object.id));
        rest::gone_is_fine(self.0.send(request.cx, call).await)?;
        Ok(Deletion::Pending)
    }
}

fn observed(scope: &Scope, found: &FoundZone) -> Object<DesignateZone> {
    let name = found.name.trim_end_matches('.').to_owned();
    let mark = found.description.as_deref().and_then(|text| Mark::read(scope, text));
    let selector = resource::DnsZone::selector(&name, false);
    let object = tags::object(mark, &found.id, DesignateZone { name: name.clone() });
    let other = found.description.as_deref().and_then(|text| Mark::other(scope, text));
    object.state(state(&found.status, &found.action)).held_by(other).alias(selector).alias(name)
}
