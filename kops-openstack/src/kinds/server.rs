//! Servers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kops_core::Result;
use kops_core::cloud::{
    Adopt, Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query,
    Scope, State, Timing, Update,
};
use kops_core::graph::{Closed, Id, Open, Secret, Setting, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::server_group::{self, FoundGroup};
use super::volume::{self, FoundVolume};
use super::{
    ApplicationCredential, AvailabilityZone, CinderVolume, Flavor, Image, KeyPair, NeutronPort, ServerGroup,
    TempUrlKey, port, rest, volume_attachment,
};
use crate::clients::{Call, Clients, Service};
use crate::names;
use crate::tags::{self, Metadata};
use crate::temp_url::{SLOT, Signer};

/// A server: it boots from an image, on the flavor's disk or on a volume of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct NovaServer<S: Stage = Open> {
    /// The machine type.
    pub flavor: At<S, Id<Flavor>>,
    /// The image of its disk.
    pub image: At<S, Id<Image>>,
    /// Its network interface.
    pub port: At<S, Id<NeutronPort>>,
    /// The key pair that may log in, whose identifier is its name.
    pub key_pair: Option<At<S, Id<KeyPair>>>,
    /// Its server group, which keeps servers apart or together.
    pub server_group: Option<At<S, Id<ServerGroup>>>,
    /// The availability zone; the cloud's choice if unmanaged.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub zone: Setting<At<S, Id<AvailabilityZone>>>,
    /// The user data, which runs on first boot, as plain text. The cloud does not return it: a digest in the
    /// metadata does.
    pub user_data: Option<At<S, Secret>>,
    /// The volume that it boots from; the flavor's disk if `None`.
    pub root_volume: Option<BootVolume>,
    /// Additional volumes that are created with it, in order.
    pub volumes: Vec<BootVolume>,
    /// Volumes that are there without it, and are attached to it from its first boot on. They stay when it goes.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub attached: Setting<BTreeSet<At<S, Id<CinderVolume>>>>,
    /// The key by which the URLs in its user data are signed when it is created. There, `<kops-signed GET 3600 a/b/>`
    /// stands for the query of a URL that reads what begins with `a/b/` in the key's container, for an hour.
    pub temp_url_key: Option<At<S, Id<TempUrlKey>>>,
    /// The credential that it finds by such a URL: with another one, it is another server.
    pub credential: Option<At<S, Id<ApplicationCredential>>>,
    /// Metadata in addition to the ownership metadata.
    #[serde(default)]
    pub metadata: Metadata,
}

/// A volume that is created with a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootVolume {
    /// In GiB.
    pub size: u32,
    /// The cloud's name of the volume type; the cloud's default if `None`.
    pub volume_type: Option<String>,
    /// Whether it outlives the server.
    pub keep: bool,
}

impl Resource for NovaServer {
    const KIND: &'static str = "NovaServer";
    type Resolved = NovaServer<Closed>;
}

/// The instance group of a server.
pub(crate) const GROUP: &str = "KopsInstanceGroup";
/// Metadata for what a server's listing omits.
const IMAGE: &str = "KopsImage";
const USER_DATA: &str = "KopsUserData";
const DISKS: &str = "KopsDisks";
const SIGNED_BY: &str = "KopsSignedBy";
const CREDENTIAL: &str = "KopsCredential";
/// Since 2.67 a volume that is created with a server can have a type.
const WITH_VOLUME_TYPES: &str = "2.67";

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FoundServer {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) tenant_id: Option<String>,
    /// An empty text if it boots from a volume.
    #[serde(default)]
    image: Value,
    #[serde(default)]
    pub(crate) flavor: Value,
    #[serde(default)]
    key_name: Option<String>,
    #[serde(default)]
    pub(crate) metadata: Metadata,
    #[serde(default, rename = "OS-EXT-AZ:availability_zone")]
    pub(crate) zone: Option<String>,
    #[serde(default, rename = "OS-EXT-STS:task_state")]
    task_state: Option<String>,
    #[serde(default)]
    fault: Option<Fault>,
    #[serde(default, rename = "os-extended-volumes:volumes_attached")]
    volumes: Vec<Attached>,
}

#[derive(Clone, Debug, Deserialize)]
struct Attached {
    id: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Fault {
    #[serde(default)]
    message: String,
}

const SERVERS: &str = "servers/detail";

/// The servers of the project, listed once per observation.
pub(crate) async fn of_project(clients: &Clients, query: &Query<'_>) -> Result<Arc<Vec<FoundServer>>> {
    let list = async || clients.all(query.cx, Call::get(Service::Compute, SERVERS), "servers").await;
    query.cx.memo.get_or_try(SERVERS, list).await
}

#[derive(Debug)]
pub(crate) struct Servers(pub(crate) Clients);

#[async_trait]
impl Handler for Servers {
    type Kind = NovaServer;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        if ["attached", "metadata"].contains(&field) { Mutability::InPlace } else { Mutability::Replace }
    }

    fn timing(&self) -> Timing {
        Timing::new()
            .call(Duration::from_secs(2))
            .settle(Duration::from_secs(40))
            .vanish(Duration::from_secs(10))
            .poll(Duration::from_secs(3))
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<NovaServer<Closed>>>> {
        // The listing does not accept a list of identifiers; filtered by project it is needed in any case.
        let servers = of_project(&self.0, query).await?;
        let asked_for = |it: &&FoundServer| match query.filter {
            Filter::Ids(ids) => ids.contains(&it.id),
            Filter::Scope { shared, .. } => {
                self.is_marked(query.scope, it) || shared.contains(&it.id.as_str())
            }
        };
        let servers: Vec<_> = servers.iter().filter(asked_for).collect();
        if servers.is_empty() {
            return Ok(Vec::new());
        }
        let (ports, groups, volumes) = futures_util::future::try_join3(
            port::of_project(&self.0, query),
            server_group::of_project(&self.0, query),
            volume::of_project(&self.0, query),
        )
        .await?;
        let objects = servers.into_iter().map(|it| {
            let port = ports.iter().find(|port| port.device() == it.id).map(|port| port.common.id.as_str());
            let group = groups.iter().find(|group| group.members.contains(&it.id));
            let attached = self.attached(query.scope, it, &volumes);
            self.observed(query.scope, it, (port.unwrap_or_default(), group), attached)
        });
        Ok(objects.collect())
    }

    async fn create(&self, request: Create<'_, NovaServer<Closed>>) -> Result<Object<NovaServer<Closed>>> {
        let spec = request.spec;
        let mut metadata = tags::metadata(&request, &spec.metadata);
        metadata.insert(IMAGE.to_owned(), spec.image.as_str().to_owned());
        metadata.insert(DISKS.to_owned(), disks(spec));
        for (key, id) in [
            (SIGNED_BY, spec.temp_url_key.as_ref().map(Id::as_str)),
            (CREDENTIAL, spec.credential.as_ref().map(Id::as_str)),
        ] {
            metadata.extend(id.map(|id| (key.to_owned(), id.to_owned())));
        }
        let mut user_data = None;
        if let Some(secret) = &spec.user_data {
            metadata.insert(USER_DATA.to_owned(), secret.digest());
            user_data = Some(self.signed(request.cx, spec, secret).await?);
        }
        let mut server = json!({
            "name": names::server(request.name),
            "flavorRef": spec.flavor.as_str(),
            "networks": [{ "port": spec.port.as_str() }],
            "metadata": metadata,
            // The metadata service may be unreachable before the network is up.
            "config_drive": true,
        });
        if let Some(key) = &spec.key_pair {
            server["key_name"] = key.as_str().into();
        }
        if let Some(zone) = spec.zone.managed() {
            server["availability_zone"] = zone.as_str().into();
        }
        if let Some(user_data) = user_data {
            server["user_data"] = STANDARD.encode(user_data.as_bytes()).into();
        }
        let devices = devices(spec);
        if spec.root_volume.is_none() {
            server["imageRef"] = spec.image.as_str().into();
        }
        if !devices.is_empty() {
            server["block_device_mapping_v2"] = devices.into();
        }
        let mut body = json!({ "server": server });
        if let Some(group) = &spec.server_group {
            body["os:scheduler_hints"] = json!({ "group": group.as_str() });
        }
        let mut call = Call::post(Service::Compute, "servers", body);
        if spec.root_volume.iter().chain(&spec.volumes).any(|volume| volume.volume_type.is_some()) {
            call = call.microversion(WITH_VOLUME_TYPES);
        }
        let made: Made = self.0.fetch(request.cx, call, "server").await?;
        // The response contains the identifier only.
        let object = Object::owned(made.id, request.name, spec.clone()).state(State::Pending);
        Ok(object.retained(request.retained))
    }

    async fn update(&self, request: Update<'_, NovaServer<Closed>>) -> Result<Object<NovaServer<Closed>>> {
        let Update { object, spec, changed, cx, .. } = request;
        let mut now = object.clone();
        if changed.contains("metadata") {
            set_metadata(&self.0, cx, &object.id, &spec.metadata).await?;
            now.spec.metadata.extend(spec.metadata.clone());
        }
        if let (true, Some(wanted)) = (changed.contains("attached"), spec.attached.managed()) {
            let nothing = BTreeSet::new();
            let there = object.spec.attached.managed().unwrap_or(&nothing);
            let path = format!("servers/{}/os-volume_attachments", object.id);
            for volume in there.difference(wanted) {
                let call = Call::delete(Service::Compute, format!("{path}/{volume}"));
                rest::gone_is_fine(self.0.send(cx, call).await)?;
            }
            for volume in wanted.difference(there) {
                volume_attachment::attach(&self.0, cx, &object.id, volume.as_str()).await?;
            }
            now.spec.attached = spec.attached.clone();
        }
        Ok(now)
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, NovaServer<Closed>>) -> Result<Object<NovaServer<Closed>>> {
        let (cx, id) = (request.cx, &request.object.id);
        let present: Metadata = self
            .0
            .fetch(cx, Call::get(Service::Compute, format!("servers/{id}/metadata")), "metadata")
            .await?;
        set_metadata(&self.0, cx, id, &tags::metadata_of_adopted(&request, &present)?).await?;
        Ok(request.adopted())
    }

    async fn delete(&self, request: Delete<'_, NovaServer<Closed>>) -> Result<Deletion> {
        end(&self.0, request.cx, &request.object.id).await?;
        Ok(Deletion::Pending)
    }
}

#[derive(Deserialize)]
struct Made {
    id: String,
}

/// Sets metadata of a server; other metadata is kept.
pub(crate) async fn set_metadata(
    clients: &Clients,
    cx: &Context,
    id: &str,
    metadata: &Metadata,
) -> Result<()> {
    let call =
        Call::post(Service::Compute, format!("servers/{id}/metadata"), json!({ "metadata": metadata }));
    clients.send(cx, call).await.map(drop)
}

/// Deletes a server; it is not an error if it is gone already.
pub(crate) async fn end(clients: &Clients, cx: &Context, id: &str) -> Result<()> {
    rest::gone_is_fine(clients.send(cx, Call::delete(Service::Compute, format!("servers/{id}"))).await)
}

/// The disks that are created with a server, in the call's form; the first is the boot disk.
fn devices(spec: &NovaServer<Closed>) -> Vec<Value> {
    let mut devices = Vec::new();
    let attached = spec.attached.managed().map(BTreeSet::iter).unwrap_or_default();
    let device = |volume: &BootVolume, source: &str| {
        let mut device = json!({
            "source_type": source,
            "destination_type": "volume",
            "volume_size": volume.size,
            "delete_on_termination": !volume.keep,
            "boot_index": -1,
        });
        if let Some(kind) = &volume.volume_type {
            device["volume_type"] = kind.as_str().into();
        }
        device
    };
    match &spec.root_volume {
        Some(root) => {
            let mut root = device(root, "image");
            root["uuid"] = spec.image.as_str().into();
            root["boot_index"] = 0.into();
            devices.push(root);
        }
        // With additional disks the local one has to be listed as well.
        None if attached.len() > 0 || !spec.volumes.is_empty() => devices.push(json!({
            "source_type": "image",
            "destination_type": "local",
            "uuid": spec.image.as_str(),
            "boot_index": 0,
            "delete_on_termination": true,
        })),
        None => {}
    }
    devices.extend(spec.volumes.iter().map(|volume| device(volume, "blank")));
    devices.extend(attached.map(|volume| {
        json!({
            "source_type": "volume",
            "destination_type": "volume",
            "uuid": volume.as_str(),
            "boot_index": -1,
            "delete_on_termination": false,
        })
    }));
    devices
}

/// The disks as a line of text, for the metadata: `root 20 ssd; 100 -`.
fn disks(spec: &NovaServer<Closed>) -> String {
    let one = |volume: &BootVolume| {
        let kept = if volume.keep { " keep" } else { "" };
        format!("{} {}{kept}", volume.size, volume.volume_type.as_deref().unwrap_or("-"))
    };
    let root = spec.root_volume.as_ref().map_or_else(|| "local".to_owned(), one);
    std::iter::once(root).chain(spec.volumes.iter().map(one)).collect::<Vec<_>>().join("; ")
}

/// Parses the text of [`disks`].
fn read_disks(text: &str) -> (Option<BootVolume>, Vec<BootVolume>) {
    let one = |part: &str| {
        let mut words = part.split(' ');
        let size = words.next()?.parse().ok()?;
        let volume_type = words.next().filter(|kind| *kind != "-").map(str::to_owned);
        Some(BootVolume { size, volume_type, keep: words.next() == Some("keep") })
    };
    let mut parts = text.split("; ");
    (parts.next().and_then(one), parts.filter_map(one).collect())
}

impl Servers {
    /// The user data, with signatures in place of their slots. It is compared as it was before.
    async fn signed(&self, cx: &Context, spec: &NovaServer<Closed>, user_data: &Secret) -> Result<String> {
        let text = user_data.expose();
        match &spec.temp_url_key {
            Some(container) if text.contains(SLOT) => {
                let signer = Signer::of(&self.0, cx, container.as_str()).await?;
                signer.fill(text, self.0.clock.now().as_second())
            }
            _ => Ok(text.to_owned()),
        }
    }

    /// The scope's own volumes that a server has; those that were created with it have no marks.
    fn attached(
        &self,
        scope: &Scope,
        found: &FoundServer,
        volumes: &[FoundVolume],
    ) -> BTreeSet<Id<CinderVolume>> {
        let ours =
            |id: &str| volumes.iter().any(|it| it.id == id && volume::mark(&self.0, scope, it).is_some());
        let ids = found.volumes.iter().map(|it| it.id.as_str());
        ids.filter(|id| ours(id)).map(Id::new).collect()
    }

    fn is_marked(&self, scope: &Scope, found: &FoundServer) -> bool {
        mark(&self.0, scope, found).is_some()
    }

    fn observed(
        &self,
        scope: &Scope,
        found: &FoundServer,
        (port, group): (&str, Option<&FoundGroup>),
        attached: BTreeSet<Id<CinderVolume>>,
    ) -> Object<NovaServer<Closed>> {
        let mut metadata = tags::further_metadata(&found.metadata);
        let image = metadata.remove(IMAGE);
        let user_data = metadata.remove(USER_DATA).map(|digest| Secret::of_digest(&digest));
        let (root_volume, volumes) = metadata.remove(DISKS).map(|text| read_disks(&text)).unwrap_or_default();
        let temp_url_key = metadata.remove(SIGNED_BY).map(Id::new);
        let credential = metadata.remove(CREDENTIAL).map(Id::new);
        let text = |value: &Value| value.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let shown = text(&found.image);
        let spec = NovaServer {
            flavor: Id::new(text(&found.flavor)),
            // The image of the last rebuild counts.
            image: Id::new(if shown.is_empty() { image.unwrap_or_default() } else { shown }),
            port: Id::new(port),
            key_pair: found.key_name.as_deref().map(Id::new),
            server_group: group.map(|group| Id::new(&group.id)),
            zone: Setting::To(Id::new(found.zone.as_deref().unwrap_or_default())),
            user_data,
            root_volume,
            volumes,
            attached: Setting::To(attached),
            temp_url_key,
            credential,
            metadata,
        };
        let object = tags::object(mark(&self.0, scope, found), &found.id, spec).state(state(found));
        object.held_by(tags::other_of_metadata(scope, &found.metadata))
    }
}

/// The mark of a server.
pub(crate) fn mark(clients: &Clients, scope: &Scope, found: &FoundServer) -> Option<kops_core::cloud::Mark> {
    let ours = found.tenant_id.as_deref().is_none_or(|project| project == clients.project());
    tags::mark_of_metadata(scope, &found.metadata).filter(|_| ours)
}

/// The state of a server. <https://docs.openstack.org/api-guide/compute/server_concepts.html>
pub(crate) fn state(found: &FoundServer) -> State {
    if found.task_state.as_deref() == Some("deleting") {
        return State::Deleting;
    }
    match found.status.as_str() {
        "BUILD" | "REBUILD" | "UNKNOWN" => State::Pending,
        "ERROR" => {
            let why = found.fault.as_ref().map(|fault| fault.message.as_str()).unwrap_or_default();
            let why = if why.is_empty() { "Compute gives no reason" } else { why };
            State::Failed(why.to_owned())
        }
        "DELETED" | "SOFT_DELETED" => State::Gone,
        // Stopped, paused or shelved on purpose.
        _ => State::Ready,
    }
}

/// Labels as metadata of a server.
pub(crate) fn of_labels(labels: &BTreeMap<String, String>) -> Metadata {
    labels.iter().map(|(key, value)| (tags::metadata_key(key), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_are_read_as_they_were_written() {
        let volume =
            |size, kind: Option<&str>, keep| BootVolume { size, volume_type: kind.map(str::to_owned), keep };
        for (root, volumes) in [
            (None, vec![]),
            (Some(volume(20, Some("ssd"), false)), vec![volume(100, None, true)]),
            (None, vec![volume(5, Some("hdd"), false), volume(6, None, false)]),
        ] {
            let spec = NovaServer::<Closed> {
                flavor: Id::new("f"),
                image: Id::new("i"),
                port: Id::new("p"),
                key_pair: None,
                server_group: None,
                zone: Setting::Unmanaged,
                user_data: None,
                root_volume: root.clone(),
                volumes: volumes.clone(),
                attached: Setting::Unmanaged,
                temp_url_key: None,
                credential: None,
                metadata: Metadata::new(),
            };
            assert_eq!(read_disks(&disks(&spec)), (root, volumes));
        }
    }
}
