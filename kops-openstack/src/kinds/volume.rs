//! Volumes.

use std::time::Duration;

use async_trait::async_trait;
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query, Scope, State,
    Timing, Update,
};
use kops_core::graph::Setting;
use kops_core::resource::Resource;
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::rest;
use crate::clients::{Call, Clients, Service};
use crate::tags::{self, Metadata};

/// A disk that outlives servers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CinderVolume {
    /// The size in GiB. It can grow, but not shrink.
    pub size: u32,
    /// The cloud's name of the volume type.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub volume_type: Setting<String>,
    /// The availability zone.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub zone: Setting<String>,
    /// Metadata in addition to the ownership metadata.
    #[serde(default)]
    pub metadata: Metadata,
}

impl Resource for CinderVolume {
    const KIND: &'static str = "CinderVolume";
    type Resolved = Self;
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FoundVolume {
    pub(crate) id: String,
    pub(crate) status: String,
    size: u32,
    #[serde(default)]
    volume_type: Option<String>,
    #[serde(default)]
    availability_zone: Option<String>,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default, rename = "os-vol-tenant-attr:tenant_id")]
    project: Option<String>,
    #[serde(default)]
    pub(crate) attachments: Vec<Attached>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Attached {
    pub(crate) server_id: String,
}

pub(crate) const VOLUMES: &str = "volumes/detail";
/// Since 3.42 a volume that is in use can be extended.
const EXTENDS_IN_USE: &str = "3.42";

/// The volumes of the project, listed once per observation.
pub(crate) async fn of_project(
    clients: &Clients,
    query: &Query<'_>,
) -> Result<std::sync::Arc<Vec<FoundVolume>>> {
    if !clients.has(Service::Volume) {
        return Ok(std::sync::Arc::default());
    }
    let list = async || clients.all(query.cx, Call::get(Service::Volume, VOLUMES), "volumes").await;
    query.cx.memo.get_or_try(VOLUMES, list).await
}

#[derive(Debug)]
pub(crate) struct Volumes(pub(crate) Clients);

#[async_trait]
impl Handler for Volumes {
    type Kind = CinderVolume;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        match field {
            // A new volume would be empty.
            "volume_type" | "zone" => Mutability::Immutable,
            _ => Mutability::InPlace,
        }
    }

    fn timing(&self) -> Timing {
        Timing::new()
            .settle(Duration::from_secs(3))
            .vanish(Duration::from_secs(3))
            .poll(Duration::from_secs(3))
    }

    fn delete_after(&self) -> &'static [&'static str] {
        // A server may have attached it by itself.
        &["NovaServer"]
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<CinderVolume>>> {
        let found = of_project(&self.0, query).await?;
        let objects = found.iter().map(|it| self.observed(query.scope, it));
        let asked_for = |object: &Object<CinderVolume>| match query.filter {
            Filter::Ids(ids) => ids.contains(&object.id),
            Filter::Scope { shared, .. } => object.name.is_some() || shared.contains(&object.id.as_str()),
        };
        Ok(objects.filter(asked_for).collect())
    }

    async fn create(&self, request: Create<'_, CinderVolume>) -> Result<Object<CinderVolume>> {
        let spec = request.spec;
        let mut volume = json!({
            "name": request.name,
            "size": spec.size,
            "metadata": tags::metadata(&request, &spec.metadata),
        });
        if let Some(kind) = spec.volume_type.managed() {
            volume["volume_type"] = kind.as_str().into();
        }
        if let Some(zone) = spec.zone.managed() {
            volume["availability_zone"] = zone.as_str().into();
        }
        let call = Call::post(Service::Volume, "volumes", json!({ "volume": volume }));
        let made: FoundVolume = self.0.fetch(request.cx, call, "volume").await?;
        Ok(self.observed(request.scope, &made))
    }

    async fn update(&self, request: Update<'_, CinderVolume>) -> Result<Object<CinderVolume>> {
        let Update { object, spec, changed, cx, .. } = request;
        let mut now = object.clone();
        let path = |rest: &str| format!("volumes/{}/{rest}", object.id);
        if changed.contains("size") {
            if spec.size < object.spec.size {
                return Err(Error::invalid(format!(
                    "a volume cannot shrink: it has {} GiB, but {} are requested",
                    object.spec.size, spec.size
                ))
                .with_hint("restore the size, or replace the volume manually"));
            }
            let body = json!({ "os-extend": { "new_size": spec.size } });
            let call = Call::post(Service::Volume, path("action"), body).microversion(EXTENDS_IN_USE);
            self.0.send(cx, call).await?;
            now.spec.size = spec.size;
            now.state = State::Pending;
        }
        if changed.contains("metadata") {
            let body = json!({ "metadata": spec.metadata });
            self.0.send(cx, Call::post(Service::Volume, path("metadata"), body)).await?;
            now.spec.metadata.extend(spec.metadata.clone());
        }
        Ok(now)
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, CinderVolume>) -> Result<Object<CinderVolume>> {
        let path = format!("volumes/{}/metadata", request.object.id);
        let call = Call::get(Service::Volume, path.as_str());
        let present: Metadata = self.0.fetch(request.cx, call, "metadata").await?;
        let body = json!({ "metadata": tags::metadata_of_adopted(&request, &present)? });
        self.0.send(request.cx, Call::post(Service::Volume, path, body)).await?;
        Ok(request.adopted())
    }

    async fn delete(&self, request: Delete<'_, CinderVolume>) -> Result<Deletion> {
        let call = Call::delete(Service::Volume, format!("volumes/{}", request.object.id));
        rest::gone_is_fine(self.0.send(request.cx, call).await)?;
        Ok(Deletion::Pending)
    }
}

impl Volumes {
    fn observed(&self, scope: &Scope, found: &FoundVolume) -> Object<CinderVolume> {
        let spec = CinderVolume {
            size: found.size,
            volume_type: Setting::To(found.volume_type.clone().unwrap_or_default()),
            zone: Setting::To(found.availability_zone.clone().unwrap_or_default()),
            metadata: tags::further_metadata(&found.metadata),
        };
        // https://docs.openstack.org/api-ref/block-storage/v3/#volumes-volumes
        let state = match found.status.as_str() {
            "creating" | "extending" | "retyping" | "downloading" => State::Pending,
            "deleting" => State::Deleting,
            "error" => State::Failed("Block Storage could not create the volume".to_owned()),
            _ => State::Ready,
        };
        let other = tags::other_of_metadata(scope, &found.metadata);
        tags::object(mark(&self.0, scope, found), &found.id, spec).state(state).held_by(other)
    }
}

/// The mark of a volume.
pub(crate) fn mark(clients: &Clients, scope: &Scope, found: &FoundVolume) -> Option<kops_core::cloud::Mark> {
    let ours = found.project.as_deref().is_none_or(|project| project == clients.project());
    tags::mark_of_metadata(scope, &found.metadata).filter(|_| ours)
}
