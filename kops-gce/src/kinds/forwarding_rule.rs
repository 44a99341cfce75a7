//! Forwarding rules: the address and ports of a load balancer.

use std::collections::BTreeSet;

use async_trait::async_trait;
use google_cloud_compute_v1::model::{ForwardingRule as Model, Operation, RegionSetLabelsRequest};
use kops_core::Result;
use kops_core::cloud::{Context, Mutability};
use kops_core::graph::{Closed, Document, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::collection::{Changing, Collection, Facts, Header, Level, Step};
use super::convert::{id, text};
use super::{BackendService, GceNetwork, Subnetwork};
use crate::clients::Clients;
use crate::labels::Labels;
use crate::paging::listed;
use crate::path::Path;

/// An address and ports that are forwarded to a backend service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct ForwardingRule<S: Stage = Open> {
    /// `EXTERNAL` or `INTERNAL`.
    pub scheme: String,
    /// `TCP` or `UDP`.
    pub protocol: String,
    /// The address, in dotted form.
    pub ip: At<S, String>,
    /// The ports, at most five; all of them if empty.
    pub ports: BTreeSet<String>,
    /// The target of the connections.
    pub backend_service: At<S, Id<BackendService>>,
    /// The network of an internal rule.
    pub network: Option<At<S, Id<GceNetwork>>>,
    /// The subnetwork of an internal rule.
    pub subnetwork: Option<At<S, Id<Subnetwork>>>,
    /// Labels; foreign labels are kept.
    #[serde(default)]
    pub labels: Labels,
}

impl Resource for ForwardingRule {
    const KIND: &'static str = "ForwardingRule";
    type Resolved = ForwardingRule<Closed>;
}

pub(crate) struct ForwardingRules;

#[async_trait]
impl Collection for ForwardingRules {
    type Kind = ForwardingRule;
    type Model = Model;

    const PLURAL: &'static str = "forwardingRules";
    const LEVEL: Level = Level::Regional;
    const CREATE: &'static str = "compute.forwardingRules.create";
    const DELETE: &'static str = "compute.forwardingRules.delete";
    const UPDATE: &'static str = "compute.forwardingRules.setLabels";

    fn mutability(field: &str) -> Mutability {
        match field {
            "labels" => Mutability::InPlace,
            _ => Mutability::Replace,
        }
    }

    async fn list(clients: &Clients, project: &str, filter: &str, cx: &Context) -> Result<Vec<Model>> {
        let list = || clients.forwarding_rules.list().set_project(project).set_region(&clients.region);
        listed!(clients, cx, "compute.forwardingRules.list", filter, list(), |page| page.items)
    }

    fn header(model: &Model) -> Header<'_> {
        Header { self_link: model.self_link.as_deref(), description: model.description.as_deref() }
    }

    fn facts(
        _: &Clients,
        _: &Path,
        model: &Model,
        _: Option<&Document>,
    ) -> Result<Facts<ForwardingRule<Closed>>> {
        let scheme = text(model.load_balancing_scheme.as_ref().and_then(|scheme| scheme.name()));
        // External rules return values that they were not given.
        let internal = scheme == "INTERNAL";
        Ok(Facts::ready(ForwardingRule {
            scheme,
            protocol: text(model.ip_protocol.as_ref().and_then(|protocol| protocol.name())),
            ip: text(model.ip_address.as_deref()),
            ports: ports(model),
            backend_service: id(model.backend_service.as_deref()),
            network: model.network.as_deref().filter(|_| internal).map(|network| id(Some(network))),
            subnetwork: model.subnetwork.as_deref().filter(|_| internal).map(|subnet| id(Some(subnet))),
            labels: model.labels.clone().into_iter().collect(),
        }))
    }

    fn inserted(spec: &ForwardingRule<Closed>) -> ForwardingRule<Closed> {
        ForwardingRule { labels: Labels::new(), ..spec.clone() }
    }

    async fn insert(
        clients: &Clients,
        path: &Path,
        mark: String,
        request_id: String,
        spec: &ForwardingRule<Closed>,
        cx: &Context,
    ) -> Result<Operation> {
        let mut rule = Model::new()
            .set_name(&path.name)
            .set_description(mark)
            .set_load_balancing_scheme(spec.scheme.as_str())
            .set_ip_protocol(spec.protocol.as_str())
            .set_ip_address(&spec.ip)
            .set_backend_service(spec.backend_service.as_str())
            .set_or_clear_network(spec.network.as_ref().map(Id::as_str))
            .set_or_clear_subnetwork(spec.subnetwork.as_ref().map(Id::as_str));
        rule =
            if spec.ports.is_empty() { rule.set_all_ports(true) } else { rule.set_ports(spec.ports.clone()) };
        let insert = clients.forwarding_rules.insert().set_project(&path.project).set_region(path.region());
        clients.call(cx, Self::CREATE, insert.set_request_id(request_id).set_body(rule).send()).await
    }

    async fn update(clients: &Clients, change: Changing<'_, Self>) -> Result<Option<Step>> {
        let mut labels = change.model.labels.clone();
        labels.extend(change.spec.labels.clone());
        let body = RegionSetLabelsRequest::new()
            .set_labels(labels)
            .set_or_clear_label_fingerprint(change.model.label_fingerprint.clone());
        let path = change.path;
        let set = clients.forwarding_rules.set_labels().set_project(&path.project).set_region(path.region());
        let set = set.set_resource(&path.name).set_request_id(change.request_id("setLabels")).set_body(body);
        clients.call(change.cx, Self::UPDATE, set.send()).await.map(|operation| Some(Step::last(operation)))
    }

    async fn delete(clients: &Clients, path: &Path, cx: &Context) -> Result<Operation> {
        let delete = clients.forwarding_rules.delete().set_project(&path.project).set_region(path.region());
        clients.call(cx, Self::DELETE, delete.set_forwarding_rule(&path.name).send()).await
    }
}

/// The ports, in whichever form they are returned: a single one may come back as a range of one.
fn ports(model: &Model) -> BTreeSet<String> {
    if !model.ports.is_empty() {
        return model.ports.iter().cloned().collect();
    }
    let range = model.port_range.as_deref().filter(|_| model.all_ports != Some(true));
    let one = range.map(|range| match range.split_once('-') {
        Some((first, last)) if first == last => first.to_owned(),
        _ => range.to_owned(),
    });
    one.into_iter().collect()
}
