//! Volumes attached to servers.

use std::collections::HashMap;

use async_trait::async_trait;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mark, Mutability, Object, Query,
    State, Update, refers_to,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::volume::FoundVolume;
use super::{CinderVolume, NovaServer, rest, server, volume};
use crate::clients::{Call, Clients, Service};

/// An attachment of a volume to a server. It carries no mark: it is owned by the scope if a task requests it
/// and the volume is owned.
///
/// Volumes that a server attaches by itself, as control-plane machines do with etcd disks, are not returned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct VolumeAttachment<S: Stage = Open> {
    /// The server.
    pub server: At<S, Id<NovaServer>>,
    /// The volume.
    pub volume: At<S, Id<CinderVolume>>,
}

impl Resource for VolumeAttachment {
    const KIND: &'static str = "VolumeAttachment";
    type Resolved = VolumeAttachment<Closed>;
}

#[derive(Debug)]
pub(crate) struct VolumeAttachments(pub(crate) Clients);

/// The attachments, as pairs of volume and server.
fn pairs(volumes: &[FoundVolume]) -> Vec<(&FoundVolume, &str)> {
    let mut pairs = Vec::new();
    for volume in volumes {
        pairs.extend(volume.attachments.iter().map(|attached| (volume, attached.server_id.as_str())));
    }
    pairs
}

/// A volume is attached to one server at a time.
fn id_of(server: &str, volume: &str) -> String {
    format!("{server}/{volume}")
}

#[async_trait]
impl Handler for VolumeAttachments {
    type Kind = VolumeAttachment;

    /// A second attempt fails because the volume is in use already.
    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, _: &str) -> Mutability {
        Mutability::Replace
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<VolumeAttachment<Closed>>>> {
        let wanted = query.wanted_as::<VolumeAttachment>()?;
        if let Filter::Scope { .. } = query.filter
            && wanted.is_empty()
        {
            return Ok(Vec::new());
        }
        let volumes = volume::of_project(&self.0, query).await?;
        let pairs = pairs(&volumes);
        let object = |server: &str, volume: &str| {
            let spec = VolumeAttachment { server: Id::new(server), volume: Id::new(volume) };
            Object::foreign(id_of(server, volume), spec)
        };
        if let Filter::Ids(ids) = query.filter {
            let found = pairs.into_iter().map(|(it, server)| object(server, &it.id));
            return Ok(found.filter(|it| ids.contains(&it.id)).collect());
        }
        let servers = server::of_project(&self.0, query).await?;
        let tasks: HashMap<&str, Mark> = servers
            .iter()
            .filter_map(|it| Some((it.id.as_str(), server::mark(&self.0, query.scope, it)?)))
            .collect();
        let found = pairs.into_iter().filter_map(|(it, server)| {
            let volume_mark = volume::mark(&self.0, query.scope, it)?;
            let task = tasks.get(server).map(|mark| mark.task.as_str());
            let is_wanted = |spec: &VolumeAttachment| {
                refers_to(&spec.server, server, task)
                    && refers_to(&spec.volume, &it.id, Some(&volume_mark.task))
            };
            let (name, _) = wanted.iter().find(|(_, spec)| is_wanted(spec))?;
            let object = object(server, &it.id);
            Some(Object::owned(object.id, *name, object.spec))
        });
        Ok(found.collect())
    }

    async fn create(
        &self,
        request: Create<'_, VolumeAttachment<Closed>>,
    ) -> Result<Object<VolumeAttachment<Closed>>> {
        let spec = request.spec;
        let (server, volume) = (spec.server.as_str(), spec.volume.as_str());
        attach(&self.0, request.cx, server, volume).await?;
        Ok(Object::owned(id_of(server, volume), request.name, spec.clone()).state(State::Pending))
    }

    async fn update(
        &self,
        request: Update<'_, VolumeAttachment<Closed>>,
    ) -> Result<Object<VolumeAttachment<Closed>>> {
        // No field can be changed in place.
        Ok(request.object.clone())
    }

    async fn delete(&self, request: Delete<'_, VolumeAttachment<Closed>>) -> Result<Deletion> {
        let VolumeAttachment { server, volume } = &request.object.spec;
        let path = format!("servers/{}/os-volume_attachments/{}", server.as_str(), volume.as_str());
        rest::gone_is_fine(self.0.send(request.cx, Call::delete(Service::Compute, path)).await)?;
        Ok(Deletion::Pending)
    }
}

/// Attaches a volume to a server, also if an earlier call did so whose response was lost.
pub(crate) async fn attach(clients: &Clients, cx: &Context, server: &str, volume: &str) -> Result<()> {
    let body = json!({ "volumeAttachment": { "volumeId": volume } });
    let path = format!("servers/{server}/os-volume_attachments");
    let error = match clients.send(cx, Call::post(Service::Compute, path, body)).await {
        Err(error) if is_attached(&error, server) => error,
        answer => return answer.map(drop),
    };
    // Nova says the same of a volume that it is still detaching.
    let list = Call::get(Service::Volume, volume::VOLUMES);
    let volumes: Vec<FoundVolume> = clients.all(cx, list, "volumes").await?;
    match volumes.iter().find(|it| it.id == volume).map(|it| it.status.as_str()) {
        Some(status) if stays(status) => Ok(()),
        Some(status) => Err(Error::new(
            ErrorKind::DependencyViolation,
            format!("volume {volume} is attached to server {server}, but its status is {status}"),
        )
        .with_source(error)),
        None => Err(error),
    }
}

/// Nova's "volume … is already attached to instances: …", if the server is one of them; or, of this server alone,
/// "volume … already attached".
fn is_attached(error: &Error, server: &str) -> bool {
    let text = error.to_string();
    match text.split_once("already attached to instances:") {
        Some((_, servers)) => servers.contains(server),
        None => text.contains("already attached"),
    }
}

/// Whether an attached volume with this status is attached, or about to be; not `detaching`.
fn stays(status: &str) -> bool {
    matches!(status, "reserved" | "attaching" | "in-use")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_attached_if_nova_says_so_of_the_server() {
        let said = |server: &str| {
            Error::invalid(format!("Invalid volume: volume v is already attached to instances: {server}"))
                .with_call("POST compute/servers/mine/os-volume_attachments")
        };
        assert!(is_attached(&said("mine"), "mine"));
        assert!(!is_attached(&said("another"), "mine"));
        assert!(is_attached(&Error::invalid("Invalid volume: volume v already attached"), "mine"));
        assert!(!is_attached(&Error::invalid("Invalid volume: v"), "mine"));
    }

    #[test]
    fn a_volume_that_is_being_detached_does_not_stay() {
        assert!(["reserved", "attaching", "in-use"].into_iter().all(stays));
        assert!(!["detaching", "available", "error"].into_iter().any(stays));
    }
}
