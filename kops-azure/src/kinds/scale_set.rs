//! Scale sets: groups of identical machines.
//!
//! Uniform, as in kOps, and with upgrade policy Manual: a change of the model applies to machines when they
//! are replaced, which is what rolling updates are for.
//!
//! A scale set has a number of machines, not a range. The range is stored in tags, and the number is changed
//! only if it is outside of the range; so changes by an autoscaler within the range are kept.
//!
//! Azure never returns custom data. A digest of it is stored in a tag and compared.
//!
//! Some properties can only be set when a scale set is created:
//! <https://learn.microsoft.com/azure/virtual-machine-scale-sets/virtual-machine-scale-sets-upgrade-scale-set#create-time-properties>.
//! A change of one of them means another scale set, which is created before the old one is deleted, under the task's
//! name followed by a digest of these properties.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kops_core::cloud::{Context, Create, Mutability, Object, Replacement, Timing};
use kops_core::graph::{Closed, Id, Open, Secret, Setting, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::arm::{ArmKind, Calls, Head, Model as _, Site, calls};
use super::image::Image;
use super::load_balancer::pool;
use super::scale_set_document::{self as document, ScaleSetDocument};
use super::vm_size::VmSize;
use super::{
    ApplicationSecurityGroup, AzureLoadBalancer, AzureSubnet, NetworkSecurityGroup, ResourceGroup,
    UserAssignedIdentity,
};
use crate::clients::{Clients, Pages, Sent};
use crate::tags::{self, OWN, Tags};
use crate::{ids, names};

/// A group of identical machines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct VirtualMachineScaleSet<S: Stage = Open> {
    /// The resource group it is in.
    pub group: At<S, Id<ResourceGroup>>,
    /// The machine type.
    pub machine_type: At<S, Id<VmSize>>,
    /// The minimum number of machines.
    pub min_size: u32,
    /// The maximum number of machines.
    pub max_size: u32,
    /// The zones of the region over which machines are distributed: `1`, `2`, `3`.
    pub zones: BTreeSet<String>,
    /// The image.
    pub image: At<S, Id<Image>>,
    /// The publisher and offer of a marketplace image, `Canonical:ubuntu-24_04-lts`; empty for other images. Only SKU and
    /// version of an image can be changed.
    pub image_offer: String,
    /// The size of the machines' OS disks in GiB.
    pub os_disk_size: u32,
    /// The SKU of the machines' OS disks, such as `StandardSSD_LRS`.
    pub os_disk_sku: String,
    /// Data disks, by LUN.
    #[serde(default)]
    pub data_disks: BTreeMap<u8, ScaleSetDisk>,
    /// The subnet of the machines.
    pub subnet: At<S, Id<AzureSubnet>>,
    /// The application security groups of the machines.
    pub security_groups: BTreeSet<At<S, Id<ApplicationSecurityGroup>>>,
    /// The security group of the machines' interfaces, whose rules hold in whatever subnet they are; that of the subnet
    /// applies as well.
    #[serde(default)]
    pub security_group: Option<At<S, Id<NetworkSecurityGroup>>>,
    /// Whether each machine has a public address.
    pub public_ip: bool,
    /// The load balancers of the machines.
    pub load_balancers: BTreeSet<At<S, Id<AzureLoadBalancer>>>,
    /// The identities of the machines, which grant their cloud permissions.
    pub identities: BTreeSet<At<S, Id<UserAssignedIdentity>>>,
    /// The user that may log in.
    pub admin_user: String,
    /// The user's public key, in OpenSSH's format.
    pub ssh_key: At<S, String>,
    /// The user data, which runs on first boot, as plain text (not encoded): at most 65,535 bytes.
    #[serde(default)]
    pub custom_data: Option<At<S, Secret>>,
    /// Spot options; not spot machines if `None`.
    #[serde(default)]
    pub spot: Option<SpotTerms>,
    /// Whether Azure's last operation on it succeeded. Writing it again repairs a failure, without deleting
    /// machines.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub provisioned: Setting<bool>,
    /// Tags in addition to the ownership tags; machines inherit them.
    #[serde(default)]
    pub tags: Tags,
}

/// A disk of each machine of a scale set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaleSetDisk {
    /// Size in GiB.
    pub size: u32,
    /// The SKU, such as `StandardSSD_LRS`.
    pub sku: String,
}

/// Spot options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpotTerms {
    /// The maximum price per machine and hour, in US dollars; the list price if `None`.
    pub max_price: Option<String>,
}

impl Resource for VirtualMachineScaleSet {
    const KIND: &'static str = "VirtualMachineScaleSet";
    type Resolved = VirtualMachineScaleSet<Closed>;
}

/// The maximum size of custom data in bytes, before encoding.
/// <https://learn.microsoft.com/en-us/azure/virtual-machines/custom-data>
pub(crate) const MOST_CUSTOM_DATA: usize = 65_535;

fn min_tag() -> String {
    format!("{OWN}min")
}

fn max_tag() -> String {
    format!("{OWN}max")
}

fn data_tag() -> String {
    format!("{OWN}custom-data")
}

/// Scale sets, for machines too.
#[derive(Debug)]
pub(crate) struct ScaleSets;

#[async_trait]
impl ArmKind for ScaleSets {
    type Kind = VirtualMachineScaleSet;
    type Model = ScaleSetDocument;
    type Around = ();

    const TYPE: &'static str = "Microsoft.Compute/virtualMachineScaleSets";
    const CALLS: Calls = calls!("Microsoft.Compute/virtualMachineScaleSets");
    const CONDITIONAL: bool = true;

    fn name(task: &str) -> String {
        names::dashed(task, 64)
    }

    fn is_named_after(task: &str, called: &str) -> bool {
        let is_digest = |rest: &str| rest.len() == DIGEST && rest.chars().all(|c| c.is_ascii_hexdigit());
        Self::name(task).eq_ignore_ascii_case(called)
            || called
                .rsplit_once('-')
                .is_some_and(|(start, end)| is_digest(end) && start.eq_ignore_ascii_case(&short_name(task)))
    }

    /// The task's name, or with a digest if that is still the name of the scale set that is replaced.
    async fn free_name(
        clients: &Clients,
        cx: &Context,
        group: &str,
        request: &Create<'_, VirtualMachineScaleSet<Closed>>,
    ) -> Result<String> {
        let name = Self::name(request.name);
        let get = document::get(clients, group, &name);
        let found: ScaleSetDocument = match clients.fetch(cx, Self::CALLS.read, get).await {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(name),
            Err(error) => return Err(error),
        };
        let head = found.head();
        let site = Site { clients, scope: request.scope, group, name: &name };
        let is_ours = tags::task(request.scope, &head.name, &head.tags) == Some(request.name);
        let old = Self::observe(&site, &head, &found, &())?.spec;
        if is_ours && fixed(&old) != fixed(request.spec) {
            let digest = names::guid(&fixed(request.spec).to_string()).replace('-', "");
            return Ok(format!("{}-{}", short_name(request.name), digest.get(..DIGEST).unwrap_or(&digest)));
        }
        Ok(name)
    }

    fn mutability(field: &str) -> Mutability {
        match field {
            "group" | "zones" | "admin_user" | "spot" | "image_offer" | "os_disk_sku" => Mutability::Replace,
            _ => Mutability::InPlace,
        }
    }

    /// The machines of the old one run until those of the new one do.
    fn replacement() -> Replacement {
        Replacement::CreateFirst
    }

    /// Replacing it would delete its machines.
    fn mends() -> bool {
        true
    }

    fn timing() -> Timing {
        // As documented for a handful of machines: a minute and a half to create, as long to delete.
        let settle = Duration::from_secs(90);
        Timing::new().settle(settle).vanish(Duration::from_mins(1))
    }

    fn list(clients: &Clients, group: &str) -> Pages<Self::Model> {
        document::list(clients, group)
    }

    fn get(clients: &Clients, group: &str, name: &str) -> Sent {
        document::get(clients, group, name)
    }

    fn put(clients: &Clients, group: &str, name: &str, model: Self::Model, fresh: bool) -> Result<Sent> {
        document::put(clients, group, name, &model, fresh)
    }

    fn delete(clients: &Clients, group: &str, name: &str) -> Sent {
        let delete = clients.compute.virtual_machine_scale_sets_client();
        crate::clients::sent(delete.delete(group, name, &clients.subscription).send())
    }

    fn blank(location: &str) -> Self::Model {
        ScaleSetDocument(json!({
            "location": location,
            "properties": {
                "orchestrationMode": "Uniform",
                "upgradePolicy": { "mode": "Manual" },
                "overprovision": false,
                "singlePlacementGroup": false,
            },
        }))
    }

    fn fill(spec: &VirtualMachineScaleSet<Closed>, model: &mut Self::Model, site: &Site<'_>) -> Result<()> {
        let document = &mut model.0;
        let now = document.pointer("/sku/capacity").and_then(Value::as_u64);
        let now = now.and_then(|it| u32::try_from(it).ok()).unwrap_or(spec.min_size);
        let capacity = now.clamp(spec.min_size, spec.max_size.max(spec.min_size));
        document["sku"] =
            json!({ "name": spec.machine_type.as_str(), "tier": "Standard", "capacity": capacity });
        document["zones"] = json!(spec.zones);
        document["identity"] = identity(spec);
        let properties = &mut document["properties"];
        let profile = &mut properties["virtualMachineProfile"];
        profile["osProfile"] = os_profile(spec, site.name);
        profile["storageProfile"] = storage_profile(spec);
        profile["networkProfile"] = network_profile(spec);
        if let Some(spot) = &spec.spot {
            profile["priority"] = json!("Spot");
            profile["evictionPolicy"] = json!("Delete");
            profile["billingProfile"] = json!({ "maxPrice": price(spot)? });
        }
        Ok(())
    }

    fn tags(spec: &VirtualMachineScaleSet<Closed>) -> Tags {
        let mut tags = spec.tags.clone();
        tags.insert(min_tag(), spec.min_size.to_string());
        tags.insert(max_tag(), spec.max_size.to_string());
        if let Some(data) = &spec.custom_data {
            tags.insert(data_tag(), data.digest());
        }
        tags
    }

    fn observe(
        site: &Site<'_>,
        head: &Head,
        model: &Self::Model,
        (): &(),
    ) -> Result<Object<VirtualMachineScaleSet<Closed>>> {
        let at = |path: &str| model.0.pointer(path);
        let text = |path: &str| at(path).and_then(Value::as_str);
        let profile = "/properties/virtualMachineProfile";
        let of_profile = |path: &str| text(&format!("{profile}{path}"));
        let address = format!(
            "{profile}/networkProfile/networkInterfaceConfigurations/0/properties/ipConfigurations/0/properties"
        );
        let linked = |path: &str| -> Vec<String> {
            let items = at(&format!("{address}{path}")).and_then(Value::as_array);
            items.into_iter().flatten().map(|it| site.id(it["id"].as_str())).collect()
        };
        let capacity = at("/sku/capacity").and_then(Value::as_u64).and_then(|it| u32::try_from(it).ok());
        let capacity = capacity.unwrap_or_default();
        let bound = |tag: &str| head.tags.get(tag).and_then(|it| it.parse::<u32>().ok()).unwrap_or(capacity);
        let disks = at(&format!("{profile}/storageProfile/dataDisks")).and_then(Value::as_array);
        let identities = at("/identity/userAssignedIdentities").and_then(Value::as_object);
        let spot = of_profile("/priority").filter(|priority| *priority == "Spot").map(|_| SpotTerms {
            max_price: at(&format!("{profile}/billingProfile/maxPrice"))
                .and_then(Value::as_f64)
                .and_then(shown_price),
        });
        let os_disk = disk(at(&format!("{profile}/storageProfile/osDisk")));
        let image = image_of(at(&format!("{profile}/storageProfile/imageReference")));
        let interface = format!("{profile}/networkProfile/networkInterfaceConfigurations/0/properties");
        let security_group = text(&format!("{interface}/networkSecurityGroup/id"));
        let spec = VirtualMachineScaleSet {
            group: site.group_of(head),
            machine_type: Id::new(text("/sku/name").unwrap_or_default()),
            min_size: bound(&min_tag()).min(capacity),
            max_size: bound(&max_tag()).max(capacity),
            zones: strings(at("/zones")),
            image_offer: offer_of(&image),
            image: Id::new(image),
            os_disk_size: os_disk.size,
            os_disk_sku: os_disk.sku,
            data_disks: disks.into_iter().flatten().filter_map(numbered_disk).collect(),
            subnet: Id::new(site.id(text(&format!("{address}/subnet/id")))),
            security_groups: linked("/applicationSecurityGroups").into_iter().map(Id::new).collect(),
            security_group: security_group.map(|id| Id::new(site.id(Some(id)))),
            public_ip: at(&format!("{address}/publicIPAddressConfiguration")).is_some_and(Value::is_object),
            load_balancers: linked("/loadBalancerBackendAddressPools")
                .iter()
                .map(|pool| Id::new(ids::parent(pool)))
                .collect(),
            identities: identities.into_iter().flatten().map(|(id, _)| Id::new(site.id(Some(id)))).collect(),
            admin_user: of_profile("/osProfile/adminUsername").unwrap_or_default().to_owned(),
            ssh_key: of_profile("/osProfile/linuxConfiguration/ssh/publicKeys/0/keyData")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            custom_data: head.tags.get(&data_tag()).map(|digest| Secret::of_digest(digest)),
            spot,
            provisioned: Setting::To(head.state.as_deref() != Some("Failed")),
            tags: tags::further(&head.tags),
        };
        Ok(site.object(head, spec))
    }

    async fn around(_: &Clients, _: &Context, _: &str) -> Result<()> {
        Ok(())
    }
}

fn identity(spec: &VirtualMachineScaleSet<Closed>) -> Value {
    if spec.identities.is_empty() {
        return json!({ "type": "None" });
    }
    let members = spec.identities.iter().map(|id| (id.as_str().to_owned(), json!({})));
    json!({ "type": "UserAssigned", "userAssignedIdentities": Value::Object(members.collect()) })
}

fn os_profile(spec: &VirtualMachineScaleSet<Closed>, name: &str) -> Value {
    let user = &spec.admin_user;
    let key = json!({ "path": format!("/home/{user}/.ssh/authorized_keys"), "keyData": spec.ssh_key });
    let mut profile = json!({
        "computerNamePrefix": names::computer_prefix(name),
        "adminUsername": user,
        "linuxConfiguration": { "disablePasswordAuthentication": true, "ssh": { "publicKeys": [key] } },
    });
    if let Some(data) = &spec.custom_data {
        profile["customData"] = json!(STANDARD.encode(data.expose()));
    }
    profile
}

fn storage_profile(spec: &VirtualMachineScaleSet<Closed>) -> Value {
    let managed = |disk: &ScaleSetDisk| json!({ "storageAccountType": disk.sku });
    let data = spec.data_disks.iter().map(|(number, disk)| {
        json!({
            "lun": number, "createOption": "Empty", "diskSizeGB": disk.size, "managedDisk": managed(disk),
        })
    });
    json!({
        "imageReference": image_reference(spec.image.as_str()),
        "osDisk": {
            "createOption": "FromImage", "caching": "ReadWrite", "diskSizeGB": spec.os_disk_size,
            "managedDisk": { "storageAccountType": spec.os_disk_sku },
        },
        "dataDisks": data.collect::<Vec<_>>(),
    })
}

fn network_profile(spec: &VirtualMachineScaleSet<Closed>) -> Value {
    let ids = |ids: Vec<String>| ids.into_iter().map(|id| json!({ "id": id })).collect::<Vec<_>>();
    let mut address = json!({
        "primary": true,
        "subnet": { "id": spec.subnet.as_str() },
        "applicationSecurityGroups": ids(spec.security_groups.iter().map(|it| it.as_str().to_owned()).collect()),
        "loadBalancerBackendAddressPools": ids(spec.load_balancers.iter().map(|it| pool(it.as_str())).collect()),
    });
    if spec.public_ip {
        address["publicIPAddressConfiguration"] = json!({ "name": PART, "sku": { "name": "Standard" } });
    }
    let mut interface = json!({
        "primary": true,
        // Pods have addresses other than the interface's.
        "enableIPForwarding": true,
        "ipConfigurations": [{ "name": PART, "properties": address }],
    });
    if let Some(group) = &spec.security_group {
        interface["networkSecurityGroup"] = json!({ "id": group.as_str() });
    }
    json!({ "networkInterfaceConfigurations": [{ "name": PART, "properties": interface }] })
}

/// The name of a machine's only interface, and of its only IP configuration.
const PART: &str = "kops";

/// What can only be set when a scale set is created.
fn fixed(spec: &VirtualMachineScaleSet<Closed>) -> Value {
    json!([spec.zones, spec.admin_user, spec.spot, spec.image_offer, spec.os_disk_sku])
}

/// The number of digits in the name of a scale set that replaces another.
const DIGEST: usize = 6;

/// A task's name with room for a hyphen and a digest.
fn short_name(task: &str) -> String {
    names::dashed(task, 64 - 1 - DIGEST)
}

/// The publisher and offer of an image; empty for images that are resources.
pub(crate) fn offer_of(image: &str) -> String {
    match image.split(':').collect::<Vec<_>>()[..] {
        [publisher, offer, _, _] => format!("{publisher}:{offer}"),
        _ => String::new(),
    }
}

/// An image as a scale set refers to it: the identifier of a resource, or `publisher:offer:sku:version`.
fn image_reference(image: &str) -> Value {
    let parts: Vec<_> = image.split(':').collect();
    match parts[..] {
        [publisher, offer, sku, version] => {
            json!({ "publisher": publisher, "offer": offer, "sku": sku, "version": version })
        }
        _ => json!({ "id": image }),
    }
}

fn image_of(reference: Option<&Value>) -> String {
    let Some(reference) = reference else { return String::new() };
    let text = |name: &str| reference[name].as_str();
    match (text("publisher"), text("offer"), text("sku"), text("version")) {
        (Some(publisher), Some(offer), Some(sku), Some(version)) => {
            format!("{publisher}:{offer}:{sku}:{version}")
        }
        _ => text("id").unwrap_or_default().to_owned(),
    }
}

fn disk(value: Option<&Value>) -> ScaleSetDisk {
    let size = value.and_then(|it| it["diskSizeGB"].as_u64()).and_then(|it| u32::try_from(it).ok());
    let sku = value.and_then(|it| it["managedDisk"]["storageAccountType"].as_str());
    ScaleSetDisk { size: size.unwrap_or_default(), sku: sku.unwrap_or_default().to_owned() }
}

fn numbered_disk(value: &Value) -> Option<(u8, ScaleSetDisk)> {
    Some((value["lun"].as_u64().and_then(|it| u8::try_from(it).ok())?, disk(Some(value))))
}

fn strings(value: Option<&Value>) -> BTreeSet<String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A price in Azure's form: -1 is the list price.
fn price(spot: &SpotTerms) -> Result<f64> {
    let Some(text) = &spot.max_price else { return Ok(-1.0) };
    let price = text.parse::<f64>().ok().filter(|price| *price > 0.0);
    price.ok_or_else(|| {
        Error::invalid(format!("{text:?} is not a price")).with_hint("specify US dollars, such as 0.05")
    })
}

fn shown_price(price: f64) -> Option<String> {
    (price > 0.0).then(|| price.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_read_as_they_are_written() {
        for image in ["Canonical:ubuntu-24_04-lts:server:latest", "/subscriptions/s/x/images/y"] {
            assert_eq!(image_of(Some(&image_reference(image))), image);
        }
    }

    #[test]
    fn prices_are_read_as_they_are_written() {
        let terms = |price: Option<&str>| SpotTerms { max_price: price.map(str::to_owned) };
        assert_eq!(shown_price(price(&terms(None)).unwrap()), None);
        assert_eq!(shown_price(price(&terms(Some("0.05"))).unwrap()).as_deref(), Some("0.05"));
        assert!(price(&terms(Some("cheap"))).is_err());
    }
}
