//! Single machines, outside of groups.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use google_cloud_compute_v1::model::instance::Status;
use google_cloud_compute_v1::model::{
    AccessConfig, Instance as Model, InstancesSetLabelsRequest, Operation, Tags,
};
use kops_core::Result;
use kops_core::cloud::{Context, Mutability, Outputs, State, Timing};
use kops_core::graph::{Closed, Document, Id, Open, Secret, Stage};
use kops_core::resource::{At, Output, Resource};
use serde::{Deserialize, Serialize};

use super::collection::{Changing, Collection, Facts, Header, Level, Step};
use super::convert::id;
use super::machine::{self, Machine, MachineDisk};
use super::{NetworkTag, ServiceAccount, Subnetwork};
use crate::clients::Clients;
use crate::labels::Labels;
use crate::paging::listed;
use crate::path::{Path, last};

/// A machine in a zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct GceInstance<S: Stage = Open> {
    /// The zone.
    pub zone: String,
    /// The machine type.
    pub machine_type: String,
    /// Its disks; an instance does not return the images they were created from, so they are not compared.
    pub disks: Vec<MachineDisk<S>>,
    /// The subnetwork it is in.
    pub subnetwork: At<S, Id<Subnetwork>>,
    /// Whether it has a public address.
    pub public_ip: bool,
    /// Its fixed public address, in dotted decimal notation; one that Google chooses if `None`.
    #[serde(default)]
    pub address: Option<At<S, String>>,
    /// Its network tags, to which firewall rules apply.
    pub tags: BTreeSet<At<S, Id<NetworkTag>>>,
    /// What happens during maintenance of its host: `MIGRATE`, or `TERMINATE` for machines that cannot be migrated.
    pub on_host_maintenance: At<S, String>,
    /// The service account, which grants its cloud permissions.
    pub service_account: Option<At<S, Id<ServiceAccount>>>,
    /// Its metadata, which programs read from the metadata server.
    pub metadata: BTreeMap<String, At<S, Secret>>,
    /// Labels; foreign labels are kept.
    pub labels: Labels,
}

impl GceInstance {
    /// Its private address.
    pub const PRIVATE_IP: Output<Self, String> = Output::new("private_ip");
    /// Its public address, if it has one.
    pub const PUBLIC_IP: Output<Self, String> = Output::new("public_ip");
}

impl Resource for GceInstance {
    const KIND: &'static str = "GceInstance";
    const OUTPUTS: &'static [&'static str] = &[Self::PRIVATE_IP.name(), Self::PUBLIC_IP.name()];
    type Resolved = GceInstance<Closed>;
}

pub(crate) struct Instances;

/// The instances that match a filter, in all zones.
pub(crate) async fn list(clients: &Clients, project: &str, filter: &str, cx: &Context) -> Result<Vec<Model>> {
    let list = || clients.instances.aggregated_list().set_project(project);
    listed!(clients, cx, "compute.instances.list", filter, list(), |page| page
        .items
        .into_values()
        .flat_map(|zone| zone.instances))
}

#[async_trait]
impl Collection for Instances {
    type Kind = GceInstance;
    type Model = Model;

    const PLURAL: &'static str = "instances";
    const LEVEL: Level = Level::Zonal;
    const CREATE: &'static str = "compute.instances.create";
    const DELETE: &'static str = "compute.instances.delete";
    const UPDATE: &'static str = "compute.instances.setLabels";

    fn mutability(field: &str) -> Mutability {
        match field {
            "labels" | "tags" | "public_ip" | "address" => Mutability::InPlace,
            "disks" => Mutability::WriteOnly,
            _ => Mutability::Replace,
        }
    }

    fn volatile_outputs(changed: &BTreeSet<String>) -> &'static [&'static str] {
        const IP: &[&str] = &[GceInstance::PUBLIC_IP.name()];
        if changed.contains("public_ip") || changed.contains("address") { IP } else { &[] }
    }

    fn timing() -> Timing {
        Timing::new()
            .settle(Duration::from_secs(15))
            .vanish(Duration::from_secs(45))
            .poll(Duration::from_secs(5))
    }

    fn zone(spec: &GceInstance<Closed>) -> Option<&str> {
        Some(&spec.zone)
    }

    async fn list(clients: &Clients, project: &str, filter: &str, cx: &Context) -> Result<Vec<Model>> {
        list(clients, project, filter, cx).await
    }

    fn header(model: &Model) -> Header<'_> {
        Header { self_link: model.self_link.as_deref(), description: model.description.as_deref() }
    }

    fn facts(
        _: &Clients,
        path: &Path,
        model: &Model,
        _: Option<&Document>,
    ) -> Result<Facts<GceInstance<Closed>>> {
        let interface = model.network_interfaces.first();
        let state = match model.status {
            Some(Status::Provisioning | Status::Staging | Status::Pending | Status::Repairing) => {
                State::Pending
            }
            Some(Status::Stopping | Status::Deprovisioning | Status::PendingStop) => State::Deleting,
            _ => State::Ready,
        };
        let mut outputs = Outputs::default();
        if let Some(ip) = interface.and_then(|it| it.network_ip.as_ref()) {
            outputs.set(GceInstance::PRIVATE_IP, ip.clone());
        }
        let access = interface.and_then(|it| it.access_configs.first());
        let public = access.and_then(|it| it.nat_ip.clone());
        if let Some(ip) = &public {
            outputs.set(GceInstance::PUBLIC_IP, ip.clone());
        }
        let spec = GceInstance {
            zone: path.zone().to_owned(),
            machine_type: last(model.machine_type.as_deref().unwrap_or_default()),
            disks: Vec::new(),
            subnetwork: id(interface.and_then(|it| it.subnetwork.as_deref())),
            public_ip: access.is_some(),
            address: public.filter(|_| access.and_then(|it| it.name.as_deref()) == Some(machine::FIXED)),
            tags: model.tags.iter().flat_map(|tags| tags.items.iter().map(Id::new)).collect(),
            on_host_maintenance: model
                .scheduling
                .as_ref()
                .and_then(|it| it.on_host_maintenance.as_ref()?.name())
                .unwrap_or_default()
                .to_owned(),
            service_account: model.service_accounts.first().and_then(|it| it.email.as_deref()).map(Id::new),
            metadata: machine::metadata(model.metadata.as_ref()),
            labels: model.labels.clone().into_iter().collect(),
        };
        Ok(Facts { spec, state, outputs })
    }

    async fn insert(
        clients: &Clients,
        path: &Path,
        mark: String,
        request_id: String,
        spec: &GceInstance<Closed>,
        cx: &Context,
    ) -> Result<Operation> {
        let machine = Machine {
            machine_type: spec.machine_type.clone(),
            disks: spec.disks.clone(),
            subnetwork: spec.subnetwork.clone(),
            public_ip: spec.public_ip,
            pod_range: None,
            can_ip_forward: false,
            tags: spec.tags.clone(),
            service_account: spec.service_account.clone(),
            metadata: spec.metadata.clone(),
            labels: spec.labels.clone(),
            spot: false,
            on_host_maintenance: spec.on_host_maintenance.clone(),
            accelerators: BTreeMap::new(),
        };
        let mut properties = machine::written(&machine, Some(path.zone()));
        if let (Some(address), [interface]) = (&spec.address, &mut properties.network_interfaces[..]) {
            interface.access_configs = vec![machine::access(Some(address))];
        }
        let instance = Model::new()
            .set_name(&path.name)
            .set_description(mark)
            .set_or_clear_machine_type(properties.machine_type)
            .set_disks(properties.disks)
            .set_network_interfaces(properties.network_interfaces)
            .set_or_clear_tags(properties.tags)
            .set_service_accounts(properties.service_accounts)
            .set_or_clear_metadata(properties.metadata)
            .set_labels(properties.labels)
            .set_or_clear_scheduling(properties.scheduling);
        let insert = clients.instances.insert().set_project(&path.project).set_zone(path.zone());
        clients.call(cx, Self::CREATE, insert.set_request_id(request_id).set_body(instance).send()).await
    }

    async fn update(clients: &Clients, change: Changing<'_, Self>) -> Result<Option<Step>> {
        let (path, spec, model) = (change.path, change.spec, &change.model);
        let labels = spec.labels.iter().any(|(key, value)| model.labels.get(key) != Some(value));
        let tags = model.tags.iter().flat_map(|tags| &tags.items).map(Id::new).collect::<BTreeSet<_>>();
        if tags != spec.tags {
            let fingerprint = model.tags.as_ref().and_then(|tags| tags.fingerprint.clone());
            let body =
                Tags::new().set_items(spec.tags.iter().map(Id::as_str)).set_or_clear_fingerprint(fingerprint);
            let set = clients.instances.set_tags().set_project(&path.project).set_zone(path.zone());
            let set =
                set.set_instance(&path.name).set_request_id(change.request_id("setTags")).set_body(body);
            let operation = clients.call(change.cx, "compute.instances.setTags", set.send()).await?;
            let more = labels || changes_access(&change);
            return Ok(Some(Step { operation, more }));
        }
        let interface = model.network_interfaces.first();
        let now = interface.and_then(|it| it.access_configs.first());
        let wanted = spec.public_ip.then(|| machine::access(spec.address.as_deref()));
        if !fits(now, wanted.as_ref()) {
            let nic = interface.and_then(|it| it.name.clone()).unwrap_or_default();
            let (operation, more) = match (now, wanted) {
                (Some(now), wanted) => {
                    let delete = clients.instances.delete_access_config().set_project(&path.project);
                    let delete = delete.set_zone(path.zone()).set_instance(&path.name);
                    let delete = delete.set_access_config(now.name.clone().unwrap_or_default());
                    let delete = delete
                        .set_network_interface(nic)
                        .set_request_id(change.request_id("deleteAccessConfig"));
                    let call = "compute.instances.deleteAccessConfig";
                    (clients.call(change.cx, call, delete.send()).await?, wanted.is_some() || labels)
                }
                (None, wanted) => {
                    let add = clients.instances.add_access_config().set_project(&path.project);
                    let add = add.set_zone(path.zone()).set_instance(&path.name).set_network_interface(nic);
                    let add = add.set_request_id(change.request_id("addAccessConfig"));
                    let add = add.set_body(wanted.unwrap_or_default());
                    (clients.call(change.cx, "compute.instances.addAccessConfig", add.send()).await?, labels)
                }
            };
            return Ok(Some(Step { operation, more }));
        }
        if !labels {
            return Ok(None);
        }
        let mut labels = model.labels.clone();
        labels.extend(spec.labels.clone());
        let body = InstancesSetLabelsRequest::new()
            .set_labels(labels)
            .set_or_clear_label_fingerprint(model.label_fingerprint.clone());
        let set = clients.instances.set_labels().set_project(&path.project).set_zone(path.zone());
        let set = set.set_instance(&path.name).set_request_id(change.request_id("setLabels")).set_body(body);
        clients.call(change.cx, Self::UPDATE, set.send()).await.map(|operation| Some(Step::last(operation)))
    }

    async fn delete(clients: &Clients, path: &Path, cx: &Context) -> Result<Operation> {
        let delete = clients.instances.delete().set_project(&path.project).set_zone(path.zone());
        clients.call(cx, Self::DELETE, delete.set_instance(&path.name).send()).await
    }
}

/// Whether a machine has the wanted public address.
fn fits(now: Option<&AccessConfig>, wanted: Option<&AccessConfig>) -> bool {
    match (now, wanted) {
        (Some(now), Some(wanted)) => {
            now.name == wanted.name && (wanted.nat_ip.is_none() || now.nat_ip == wanted.nat_ip)
        }
        (now, wanted) => now.is_none() && wanted.is_none(),
    }
}

fn changes_access(change: &Changing<'_, Instances>) -> bool {
    ["public_ip", "address"].iter().any(|member| change.changed.contains(*member))
}
