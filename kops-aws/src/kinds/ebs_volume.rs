//! EBS volumes that outlive machines.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, Filter as By, ResourceType, VolumeState, VolumeType};
use futures_util::future::try_join_all;
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Owner, Query, Scope,
    State, Timing, Update, pages,
};
use kops_core::graph::{Document, Setting};
use kops_core::resource::Resource;
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::convert::{count, int};
use super::listing;
use crate::clients::Clients;
use crate::tags::{self, Tags};

/// A disk in a zone that machines find by its tags and attach.
///
/// The disks that are created and deleted with machines carry the cluster's tags too, but no task's: they are
/// not of this kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EbsVolume {
    /// The zone.
    pub zone: String,
    /// Size in GiB; grows in place.
    pub size: u32,
    /// The type: `gp3`, `io2`, …
    pub volume_type: String,
    /// Provisioned I/O operations per second.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub iops: Setting<u32>,
    /// Provisioned throughput in MiB/s.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub throughput: Setting<u32>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The key it is encrypted with: identifier, ARN or alias.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub kms_key: Setting<String>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for EbsVolume {
    const KIND: &'static str = "EbsVolume";
    type Resolved = Self;
}

pub(crate) struct EbsVolumes(pub(crate) Clients);

#[async_trait]
impl Handler for EbsVolumes {
    type Kind = EbsVolume;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Token
    }

    fn mutability(&self, field: &str) -> Mutability {
        match field {
            // A new disk would be empty.
            "zone" | "encrypted" | "kms_key" => Mutability::Immutable,
            _ => Mutability::InPlace,
        }
    }

    /// Machines that are terminated detach their disks.
    fn delete_after(&self) -> &'static [&'static str] {
        &["AutoScalingGroup", "Ec2Instance"]
    }

    fn timing(&self) -> Timing {
        Timing::new().settle(Duration::from_secs(3)).poll(Duration::from_secs(5))
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<EbsVolume>>> {
        let describe = |by: By| {
            pages(move |token| {
                let request = self.0.ec2.describe_volumes().filters(by.clone()).set_next_token(token);
                let request = request.max_results(500);
                async move {
                    let page = self.0.call(query.cx, "ec2:DescribeVolumes", request.send()).await?;
                    Ok((page.volumes.unwrap_or_default(), page.next_token))
                }
            })
        };
        let filters = listing::filters(query, "volume-id");
        let volumes = try_join_all(filters.into_iter().map(describe)).await?;
        let wanted = |name: &str| match query.filter {
            Filter::Scope { wanted, .. } => wanted.iter().find(|it| it.name == name).map(|it| it.spec),
            Filter::Ids(_) => None,
        };
        let objects = volumes.iter().flatten().filter_map(|volume| {
            let object = object(query.scope, volume, wanted)?;
            let goes_with_machine =
                volume.attachments().iter().any(|it| it.delete_on_termination == Some(true));
            if !listing::is_dissolving(query) || goes_with_machine {
                return Some(object);
            }
            Some(tags::with_dependents(query.scope, &tags::read(volume.tags()), object))
        });
        Ok(listing::each_once(objects.collect()))
    }

    async fn create(&self, request: Create<'_, EbsVolume>) -> Result<Object<EbsVolume>> {
        let spec = request.spec;
        let tags = tags::of_new(&request, &spec.tags);
        let create = self
            .0
            .ec2
            .create_volume()
            .client_token(request.token)
            .availability_zone(&spec.zone)
            .size(int(spec.size)?)
            .volume_type(VolumeType::from(spec.volume_type.as_str()))
            .set_iops(spec.iops.managed().copied().map(int).transpose()?)
            .set_throughput(spec.throughput.managed().copied().map(int).transpose()?)
            .encrypted(spec.encrypted)
            .set_kms_key_id(spec.kms_key.managed().cloned())
            .tag_specifications(tags::specification(ResourceType::Volume, &tags));
        let made = self.0.call(request.cx, "ec2:CreateVolume", create.send()).await?;
        let id = made.volume_id.ok_or_else(|| Error::internal("the response contains no volume"))?;
        let state = state(made.state.as_ref());
        Ok(Object::owned(id, request.name, spec.clone()).state(state))
    }

    async fn update(&self, request: Update<'_, EbsVolume>) -> Result<Object<EbsVolume>> {
        let (object, spec) = (request.object, request.spec);
        if spec.size < object.spec.size {
            return Err(Error::invalid(format!(
                "a volume cannot shrink: it has {} GiB, but {} are requested",
                object.spec.size, spec.size
            ))
            .with_hint("restore the size; to use less, create another volume and copy the data"));
        }
        if request.changed.contains("tags") {
            tags::set(&self.0, request.cx, &object.id, &spec.tags).await?;
        }
        if request.changed.iter().any(|member| member != "tags") {
            let modify = self
                .0
                .ec2
                .modify_volume()
                .volume_id(&object.id)
                .size(int(spec.size)?)
                .volume_type(VolumeType::from(spec.volume_type.as_str()))
                .set_iops(spec.iops.managed().copied().map(int).transpose()?)
                .set_throughput(spec.throughput.managed().copied().map(int).transpose()?);
            self.0.call(request.cx, "ec2:ModifyVolume", modify.send()).await?;
        }
        Ok(object.clone().spec(spec.clone()))
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, EbsVolume>) -> Result<Object<EbsVolume>> {
        tags::adopt(&self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, EbsVolume>) -> Result<Deletion> {
        let delete = self.0.ec2.delete_volume().volume_id(&request.object.id);
        self.0.call(request.cx, "ec2:DeleteVolume", delete.send()).await?;
        Ok(Deletion::Pending)
    }
}

fn state(state: Option<&VolumeState>) -> State {
    match state {
        Some(VolumeState::Creating) => State::Pending,
        Some(VolumeState::Deleting) => State::Deleting,
        Some(VolumeState::Deleted) => State::Gone,
        Some(VolumeState::Error) => State::Failed("EC2 reports the volume as failed".to_owned()),
        _ => State::Ready,
    }
}

fn object<'a>(
    scope: &Scope,
    volume: &types::Volume,
    wanted: impl Fn(&str) -> Option<&'a Document>,
) -> Option<Object<EbsVolume>> {
    let id = volume.volume_id.as_deref()?;
    let tags = tags::read(volume.tags());
    let spec = EbsVolume {
        zone: volume.availability_zone.clone().unwrap_or_default(),
        size: count(volume.size),
        volume_type: volume.volume_type.as_ref().map(ToString::to_string).unwrap_or_default(),
        iops: volume.iops.map_or(Setting::Unmanaged, |iops| Setting::To(count(Some(iops)))),
        throughput: volume.throughput.map_or(Setting::Unmanaged, |it| Setting::To(count(Some(it)))),
        encrypted: volume.encrypted.unwrap_or_default(),
        kms_key: volume.kms_key_id.clone().map_or(Setting::Unmanaged, Setting::To),
        tags: tags::further(&tags),
    };
    let mut object = tags::object(scope, id, &tags, spec).state(state(volume.state.as_ref()));
    if !tags::says_task(&tags) && !is_etcds(&tags) {
        // A machine's own disk, whose name is that of its group.
        object = object.owner(Owner::Other).name(None);
    }
    // AWS returns the ARN of a key, whichever form was specified.
    if let Some(wanted) = object.name.as_deref().and_then(wanted)
        && let Some(key) = wanted.get("kms_key").and_then(|key| key.as_str())
        && object.spec.kms_key.managed().is_some_and(|arn| is_key(arn, key))
    {
        object.spec.kms_key = Setting::To(key.to_owned());
    }
    Some(object)
}

/// kOps marks its etcd volumes with a tag for the etcd cluster that they store: `k8s.io/etcd/main = a/a,b,c`.
fn is_etcds(tags: &Tags) -> bool {
    tags.keys().any(|key| key.starts_with("k8s.io/etcd/"))
}

/// Whether the ARN may be that of the key. Only KMS can resolve an alias; it is assumed to match.
fn is_key(arn: &str, key: &str) -> bool {
    arn == key || arn.rsplit('/').next() == Some(key) || key.contains("alias/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(tags: &[(&str, &str)]) -> types::Volume {
        let tags = tags.iter().map(|(key, value)| types::Tag::builder().key(*key).value(*value).build());
        let key = "arn:aws:kms:us-east-1:1:key/k-1";
        types::Volume::builder().volume_id("vol-1").kms_key_id(key).set_tags(Some(tags.collect())).build()
    }

    const OWNED: [(&str, &str); 3] = [
        ("KubernetesCluster", "ha.example.com"),
        ("kubernetes.io/cluster/ha.example.com", "owned"),
        ("Name", "nodes.ha.example.com"),
    ];

    #[test]
    fn a_machines_disk_is_not_ours_but_kops_etcd_volume_is() {
        let scope = Scope::new("ha.example.com");
        let disk = object(&scope, &volume(&OWNED), |_| None).unwrap();
        assert_eq!((disk.owner, disk.name), (Owner::Other, None));
        let etcd: Vec<_> = OWNED.into_iter().chain([("k8s.io/etcd/main", "a/a")]).collect();
        assert_eq!(object(&scope, &volume(&etcd), |_| None).unwrap().owner, Owner::Scope);
    }

    #[test]
    fn a_key_given_otherwise_than_by_its_arn_is_the_same_key() {
        let scope = Scope::new("ha.example.com");
        let tags: Vec<_> = OWNED.into_iter().chain([("kops.k8s.io/task", "a")]).collect();
        for (key, same) in [("k-1", true), ("alias/etcd", true), ("k-2", false)] {
            let wanted = Document::from(serde_json::json!({ "kms_key": key }));
            let found = object(&scope, &volume(&tags), |_| Some(&wanted)).unwrap();
            assert_eq!(found.spec.kms_key.managed().unwrap() == key, same, "{key}");
        }
    }
}
