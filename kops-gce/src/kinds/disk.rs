//! Disks that outlive machines. They are zonal.
//!
//! Disks that are created and deleted with machines are not of this kind: their descriptions carry no mark.

use std::time::Duration;

use async_trait::async_trait;
use google_cloud_compute_v1::model::disk::Status;
use google_cloud_compute_v1::model::{
    CustomerEncryptionKey, Disk as Model, DisksResizeRequest, Operation, ZoneSetLabelsRequest,
};
use google_cloud_wkt::FieldMask;
use kops_core::cloud::{Context, Mutability, Outputs, State, Timing};
use kops_core::graph::{Document, Setting};
use kops_core::resource::Resource;
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::collection::{Changing, Collection, Facts, Header, Level, Step};
use super::convert::count;
use crate::clients::Clients;
use crate::labels::Labels;
use crate::paging::listed;
use crate::path::{Path, last};

/// A disk in a zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disk {
    /// The zone.
    pub zone: String,
    /// Size in GiB; grows in place.
    pub size: u32,
    /// The type: `pd-ssd`, `pd-balanced`, `hyperdisk-balanced`, …
    pub disk_type: String,
    /// Provisioned I/O operations per second.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub iops: Setting<u32>,
    /// Provisioned throughput in MiB/s.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub throughput: Setting<u32>,
    /// The Cloud KMS key it is encrypted with; Google's own by default: every disk is encrypted.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub kms_key: Setting<String>,
    /// Labels; foreign labels are kept.
    #[serde(default)]
    pub labels: Labels,
}

impl Resource for Disk {
    const KIND: &'static str = "Disk";
    type Resolved = Self;
}

pub(crate) struct Disks;

#[async_trait]
impl Collection for Disks {
    type Kind = Disk;
    type Model = Model;

    const PLURAL: &'static str = "disks";
    const LEVEL: Level = Level::Zonal;
    const CREATE: &'static str = "compute.disks.create";
    const DELETE: &'static str = "compute.disks.delete";
    const UPDATE: &'static str = "compute.disks.update";

    fn mutability(field: &str) -> Mutability {
        match field {
            "size" | "iops" | "throughput" | "labels" => Mutability::InPlace,
            // A new disk would be empty.
            _ => Mutability::Immutable,
        }
    }

    /// Machines that are deleted detach their disks.
    fn delete_after() -> &'static [&'static str] {
        &["InstanceGroupManager", "GceInstance"]
    }

    fn timing() -> Timing {
        Timing::new().settle(Duration::from_secs(3)).poll(Duration::from_secs(3))
    }

    fn zone(spec: &Disk) -> Option<&str> {
        Some(&spec.zone)
    }

    async fn list(clients: &Clients, project: &str, filter: &str, cx: &Context) -> Result<Vec<Model>> {
        let list = || clients.disks.aggregated_list().set_project(project);
        listed!(clients, cx, "compute.disks.list", filter, list(), |page| page
            .items
            .into_values()
            .flat_map(|zone| zone.disks))
    }

    fn header(model: &Model) -> Header<'_> {
        Header { self_link: model.self_link.as_deref(), description: model.description.as_deref() }
    }

    fn facts(_: &Clients, path: &Path, model: &Model, wanted: Option<&Document>) -> Result<Facts<Disk>> {
        let setting =
            |number: Option<i64>| number.map_or(Setting::Unmanaged, |it| Setting::To(count(Some(it))));
        // The key is returned with its version, which specifications omit.
        let key = model.disk_encryption_key.as_ref().and_then(|key| key.kms_key_name.as_deref());
        let key = key.map(|key| key.split("/cryptoKeyVersions/").next().unwrap_or(key).to_owned());
        let asked = wanted.and_then(|wanted| wanted.get("kms_key")?.as_str());
        let key = match (key, asked) {
            (Some(key), Some(asked)) if asked.starts_with(&format!("{key}/")) => Some(asked.to_owned()),
            (key, _) => key,
        };
        let state = match model.status {
            Some(Status::Creating | Status::Restoring) => State::Pending,
            Some(Status::Deleting) => State::Deleting,
            Some(Status::Failed) => State::Failed("Google reports the disk as failed".to_owned()),
            _ => State::Ready,
        };
        let spec = Disk {
            zone: path.zone().to_owned(),
            size: count(model.size_gb),
            disk_type: last(model.r#type.as_deref().unwrap_or_default()),
            iops: setting(model.provisioned_iops),
            throughput: setting(model.provisioned_throughput),
            kms_key: key.map_or(Setting::Unmanaged, Setting::To),
            labels: model.labels.clone().into_iter().collect(),
        };
        Ok(Facts { spec, state, outputs: Outputs::default() })
    }

    async fn insert(
        clients: &Clients,
        path: &Path,
        mark: String,
        request_id: String,
        spec: &Disk,
        cx: &Context,
    ) -> Result<Operation> {
        let kind = format!("projects/{}/{}/diskTypes/{}", path.project, path.place, spec.disk_type);
        let key = spec.kms_key.managed().map(|key| CustomerEncryptionKey::new().set_kms_key_name(key));
        let disk = Model::new()
            .set_name(&path.name)
            .set_description(mark)
            .set_size_gb(i64::from(spec.size))
            .set_type(kind)
            .set_or_clear_provisioned_iops(spec.iops.managed().copied().map(i64::from))
            .set_or_clear_provisioned_throughput(spec.throughput.managed().copied().map(i64::from))
            .set_or_clear_disk_encryption_key(key)
            .set_labels(&spec.labels);
        let insert = clients.disks.insert().set_project(&path.project).set_zone(path.zone());
        clients.call(cx, Self::CREATE, insert.set_request_id(request_id).set_body(disk).send()).await
    }

    async fn update(clients: &Clients, change: Changing<'_, Self>) -> Result<Option<Step>> {
        let (path, spec, model) = (change.path, change.spec, &change.model);
        let size = count(model.size_gb);
        if spec.size < size {
            return Err(Error::invalid(format!(
                "a disk cannot shrink: it has {size} GiB, but {} are requested",
                spec.size
            ))
            .with_hint("restore the size; to use less, create another disk and copy the data"));
        }
        let differs = |wanted: &Setting<u32>, now: Option<i64>| {
            wanted.managed().filter(|wanted| i64::from(**wanted) != now.unwrap_or_default()).copied()
        };
        let iops = differs(&spec.iops, model.provisioned_iops);
        let throughput = differs(&spec.throughput, model.provisioned_throughput);
        let provisions = iops.is_some() || throughput.is_some();
        let labels = spec.labels.iter().any(|(key, value)| model.labels.get(key) != Some(value));
        if spec.size > size {
            let body = DisksResizeRequest::new().set_size_gb(i64::from(spec.size));
            let resize = clients.disks.resize().set_project(&path.project).set_zone(path.zone());
            let resize =
                resize.set_disk(&path.name).set_request_id(change.request_id("resize")).set_body(body);
            let operation = clients.call(change.cx, "compute.disks.resize", resize.send()).await?;
            return Ok(Some(Step { operation, more: labels || provisions }));
        }
        if labels {
            let mut labels = model.labels.clone();
            labels.extend(spec.labels.clone());
            let body = ZoneSetLabelsRequest::new()
                .set_labels(labels)
                .set_or_clear_label_fingerprint(model.label_fingerprint.clone());
            let set = clients.disks.set_labels().set_project(&path.project).set_zone(path.zone());
            let set =
                set.set_resource(&path.name).set_request_id(change.request_id("setLabels")).set_body(body);
            let operation = clients.call(change.cx, "compute.disks.setLabels", set.send()).await?;
            return Ok(Some(Step { operation, more: provisions }));
        }
        if !provisions {
            return Ok(None);
        }
        let mask: Vec<_> = [iops.map(|_| "provisionedIops"), throughput.map(|_| "provisionedThroughput")]
            .into_iter()
            .flatten()
            .collect();
        let body = Model::new()
            .set_name(&path.name)
            .set_or_clear_provisioned_iops(iops.map(i64::from))
            .set_or_clear_provisioned_throughput(throughput.map(i64::from));
        let update = clients.disks.update().set_project(&path.project).set_zone(path.zone());
        let update = update.set_disk(&path.name).set_update_mask(FieldMask::default().set_paths(mask));
        let update = update.set_request_id(change.request_id("update")).set_body(body);
        clients
            .call(change.cx, Self::UPDATE, update.send())
            .await
            .map(|operation| Some(Step::last(operation)))
    }

    async fn delete(clients: &Clients, path: &Path, cx: &Context) -> Result<Operation> {
        let delete = clients.disks.delete().set_project(&path.project).set_zone(path.zone());
        clients.call(cx, Self::DELETE, delete.set_disk(&path.name).send()).await
    }
}
