//! Static addresses: of NAT gateways, and of public and internal load balancers.

use async_trait::async_trait;
use google_cloud_compute_v1::model::address::{Purpose, Status};
use google_cloud_compute_v1::model::{Address, Operation, RegionSetLabelsRequest};
use kops_core::Result;
use kops_core::cloud::{Context, Mutability, Outputs, State};
use kops_core::graph::{Closed, Document, Id, Open, Stage};
use kops_core::resource::{At, Output, Resource};
use serde::{Deserialize, Serialize};

use super::Subnetwork;
use super::collection::{Changing, Collection, Facts, Header, Level, Step};
use super::convert::id;
use crate::clients::Clients;
use crate::labels::Labels;
use crate::paging::listed;
use crate::path::Path;

/// A static IPv4 address in the region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct GceAddress<S: Stage = Open> {
    /// The subnetwork of an internal address; public if `None`.
    pub subnetwork: Option<At<S, Id<Subnetwork>>>,
    /// Labels; foreign labels are kept.
    #[serde(default)]
    pub labels: Labels,
}

impl GceAddress {
    /// The address, in dotted form.
    pub const IP: Output<Self, String> = Output::new("ip");
}

impl Resource for GceAddress {
    const KIND: &'static str = "GceAddress";
    const OUTPUTS: &'static [&'static str] = &[Self::IP.name()];
    type Resolved = GceAddress<Closed>;
}

pub(crate) struct Addresses;

#[async_trait]
impl Collection for Addresses {
    type Kind = GceAddress;
    type Model = Address;

    const PLURAL: &'static str = "addresses";
    const LEVEL: Level = Level::Regional;
    const CREATE: &'static str = "compute.addresses.create";
    const DELETE: &'static str = "compute.addresses.delete";
    const UPDATE: &'static str = "compute.addresses.setLabels";

    fn mutability(field: &str) -> Mutability {
        match field {
            "labels" => Mutability::InPlace,
            _ => Mutability::Replace,
        }
    }

    /// A rule returns its address in dotted form, which refers to no object.
    fn delete_after() -> &'static [&'static str] {
        &["ForwardingRule"]
    }

    async fn list(clients: &Clients, project: &str, filter: &str, cx: &Context) -> Result<Vec<Address>> {
        let list = || clients.addresses.list().set_project(project).set_region(&clients.region);
        listed!(clients, cx, "compute.addresses.list", filter, list(), |page| page.items)
    }

    fn header(model: &Address) -> Header<'_> {
        Header { self_link: model.self_link.as_deref(), description: model.description.as_deref() }
    }

    fn facts(
        _: &Clients,
        _: &Path,
        model: &Address,
        _: Option<&Document>,
    ) -> Result<Facts<GceAddress<Closed>>> {
        let state = if model.status == Some(Status::Reserving) { State::Pending } else { State::Ready };
        let mut outputs = Outputs::default();
        if let Some(ip) = model.address.as_ref().filter(|ip| !ip.is_empty()) {
            outputs.set(GceAddress::IP, ip.clone());
        }
        let spec = GceAddress {
            subnetwork: model.subnetwork.as_deref().map(|subnetwork| id(Some(subnetwork))),
            labels: model.labels.clone().into_iter().collect(),
        };
        Ok(Facts { spec, state, outputs })
    }

    fn inserted(spec: &GceAddress<Closed>) -> GceAddress<Closed> {
        GceAddress { labels: Labels::new(), ..spec.clone() }
    }

    async fn insert(
        clients: &Clients,
        path: &Path,
        mark: String,
        request_id: String,
        spec: &GceAddress<Closed>,
        cx: &Context,
    ) -> Result<Operation> {
        let mut address = Address::new()
            .set_name(&path.name)
            .set_description(mark)
            .set_address_type(if spec.subnetwork.is_some() { "INTERNAL" } else { "EXTERNAL" });
        if let Some(subnetwork) = &spec.subnetwork {
            // Several rules may share it: TCP and UDP of one load balancer.
            address = address.set_subnetwork(subnetwork.as_str()).set_purpose(Purpose::SharedLoadbalancerVip);
        }
        let insert = clients.addresses.insert().set_project(&path.project).set_region(path.region());
        clients.call(cx, Self::CREATE, insert.set_request_id(request_id).set_body(address).send()).await
    }

    async fn update(clients: &Clients, change: Changing<'_, Self>) -> Result<Option<Step>> {
        let mut labels = change.model.labels.clone();
        labels.extend(change.spec.labels.clone());
        let body = RegionSetLabelsRequest::new()
            .set_labels(labels)
            .set_or_clear_label_fingerprint(change.model.label_fingerprint.clone());
        let path = change.path;
        let set = clients.addresses.set_labels().set_project(&path.project).set_region(path.region());
        let set = set.set_resource(&path.name).set_request_id(change.request_id("setLabels")).set_body(body);
        clients.call(change.cx, Self::UPDATE, set.send()).await.map(|operation| Some(Step::last(operation)))
    }

    async fn delete(clients: &Clients, path: &Path, cx: &Context) -> Result<Operation> {
        let delete = clients.addresses.delete().set_project(&path.project).set_region(path.region());
        clients.call(cx, Self::DELETE, delete.set_address(&path.name).send()).await
    }
}
