//! Managed disks.

use std::time::Duration;

use async_trait::async_trait;
use azure_mgmt_compute::models;
use kops_core::Result;
use kops_core::cloud::{Context, Mutability, Object, Timing};
use kops_core::graph::{Closed, Id, Open, Setting, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::ResourceGroup;
use super::arm::{ArmKind, Calls, Head, Site, calls, model, text};
use crate::clients::{Clients, Pages, Sent, pages, sent};
use crate::names;
use crate::tags::{self, Tags};

/// An empty disk that outlives machines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct ManagedDisk<S: Stage = Open> {
    /// The resource group it is in.
    pub group: At<S, Id<ResourceGroup>>,
    /// The zone of the region, `1`, `2` or `3`; none for a regional disk.
    pub zone: Option<String>,
    /// The size in GiB. Disks can grow, but not shrink.
    pub size: u32,
    /// The SKU, such as `StandardSSD_LRS`.
    pub sku: String,
    /// Provisioned I/O operations per second, for SKUs that support it.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub iops: Setting<u32>,
    /// Provisioned throughput in MB/s, for SKUs that support it.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub throughput: Setting<u32>,
    /// The disk encryption set with the encryption key; Azure's own key if `None`.
    pub encryption_set: Option<String>,
    /// Whether Azure's last operation on it succeeded. Writing it again repairs a failure; a new disk would
    /// be empty.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub provisioned: Setting<bool>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for ManagedDisk {
    const KIND: &'static str = "ManagedDisk";
    type Resolved = ManagedDisk<Closed>;
}

pub(crate) struct ManagedDisks;

model!(models::Disk);

#[async_trait]
impl ArmKind for ManagedDisks {
    type Kind = ManagedDisk;
    type Model = models::Disk;
    type Around = ();

    const TYPE: &'static str = "Microsoft.Compute/disks";
    const CALLS: Calls = calls!("Microsoft.Compute/disks");

    fn name(task: &str) -> String {
        names::dashed(task, 80)
    }

    fn mutability(field: &str) -> Mutability {
        // The content of the disk would be lost.
        if field == "group" || field == "zone" { Mutability::Immutable } else { Mutability::InPlace }
    }

    fn mends() -> bool {
        true
    }

    fn timing() -> Timing {
        Timing::new().settle(Duration::from_secs(3)).vanish(Duration::from_secs(3))
    }

    fn list(clients: &Clients, group: &str) -> Pages<Self::Model> {
        let list = clients.compute.disks_client().list_by_resource_group(&clients.subscription, group);
        pages(list.into_stream(), |page| page.value)
    }

    fn get(clients: &Clients, group: &str, name: &str) -> Sent {
        sent(clients.compute.disks_client().get(&clients.subscription, group, name).send())
    }

    fn put(clients: &Clients, group: &str, name: &str, model: Self::Model, _: bool) -> Result<Sent> {
        let client = clients.compute.disks_client();
        Ok(sent(client.create_or_update(&clients.subscription, group, name, model).send()))
    }

    fn delete(clients: &Clients, group: &str, name: &str) -> Sent {
        sent(clients.compute.disks_client().delete(&clients.subscription, group, name).send())
    }

    fn blank(location: &str) -> Self::Model {
        models::Disk::new(models::Resource::new(location.to_owned()))
    }

    fn fill(spec: &ManagedDisk<Closed>, model: &mut Self::Model, _: &Site<'_>) -> Result<()> {
        use models::creation_data::CreateOption;
        model.sku.get_or_insert_default().name = Some(super::parsed(&spec.sku, "a SKU of disks")?);
        model.zones = spec.zone.iter().cloned().collect();
        let properties = model.properties.get_or_insert_with(|| {
            models::DiskProperties::new(models::CreationData::new(CreateOption::Empty))
        });
        properties.disk_size_gb = i32::try_from(spec.size).ok();
        if let Setting::To(iops) = spec.iops {
            properties.disk_iops_read_write = Some(i64::from(iops));
        }
        if let Setting::To(throughput) = spec.throughput {
            properties.disk_m_bps_read_write = Some(i64::from(throughput));
        }
        if let Some(set) = &spec.encryption_set {
            let encryption = properties.encryption.get_or_insert_default();
            encryption.disk_encryption_set_id = Some(set.clone());
            encryption.type_ = Some(models::EncryptionType::EncryptionAtRestWithCustomerKey);
        }
        Ok(())
    }

    fn tags(spec: &ManagedDisk<Closed>) -> Tags {
        spec.tags.clone()
    }

    fn observe(
        site: &Site<'_>,
        head: &Head,
        model: &Self::Model,
        (): &(),
    ) -> Result<Object<ManagedDisk<Closed>>> {
        let properties = model.properties.as_ref();
        let count = |number: Option<i64>| match number.and_then(|it| u32::try_from(it).ok()) {
            Some(number) => Setting::To(number),
            None => Setting::Unmanaged,
        };
        let set =
            properties.and_then(|it| it.encryption.as_ref()).and_then(|it| it.disk_encryption_set_id.clone());
        let gigabytes = properties.and_then(|it| it.disk_size_gb).and_then(|it| u32::try_from(it).ok());
        let spec = ManagedDisk {
            group: site.group_of(head),
            zone: model.zones.first().cloned(),
            size: gigabytes.unwrap_or_default(),
            sku: text(model.sku.as_ref().and_then(|it| it.name.as_ref())).unwrap_or_default(),
            iops: count(properties.and_then(|it| it.disk_iops_read_write)),
            throughput: count(properties.and_then(|it| it.disk_m_bps_read_write)),
            encryption_set: set,
            provisioned: Setting::To(head.state.as_deref() != Some("Failed")),
            tags: tags::further(&head.tags),
        };
        Ok(site.object(head, spec))
    }

    async fn around(_: &Clients, _: &Context, _: &str) -> Result<()> {
        Ok(())
    }
}
