//! Subnetworks. They are regional and span the zones of their region.

use std::collections::BTreeMap;

use async_trait::async_trait;
use google_cloud_compute_v1::model::{
    Operation, Subnetwork as Model, SubnetworkSecondaryRange, SubnetworksSetPrivateIpGoogleAccessRequest,
};
use ipnet::IpNet;
use kops_core::cloud::{Context, Mutability};
use kops_core::graph::{Closed, Document, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::GceNetwork;
use super::collection::{Changing, Collection, Facts, Header, Level, Step};
use super::convert::{id, text};
use crate::clients::Clients;
use crate::paging::listed;
use crate::path::Path;

/// A part of a network, in a region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Subnetwork<S: Stage = Open> {
    /// The network.
    pub network: At<S, Id<GceNetwork>>,
    /// The CIDR of the machines' addresses.
    pub cidr: IpNet,
    /// Secondary ranges by name, for pods and services as alias IP ranges.
    #[serde(default)]
    pub secondary_ranges: BTreeMap<String, IpNet>,
    /// Whether machines without public addresses can reach Google's APIs.
    pub private_google_access: bool,
}

impl Resource for Subnetwork {
    const KIND: &'static str = "Subnetwork";
    type Resolved = Subnetwork<Closed>;
}

pub(crate) struct Subnetworks;

#[async_trait]
impl Collection for Subnetworks {
    type Kind = Subnetwork;
    type Model = Model;

    const PLURAL: &'static str = "subnetworks";
    const LEVEL: Level = Level::Regional;
    const CREATE: &'static str = "compute.subnetworks.create";
    const DELETE: &'static str = "compute.subnetworks.delete";
    const UPDATE: &'static str = "compute.subnetworks.update";

    fn mutability(field: &str) -> Mutability {
        match field {
            "secondary_ranges" | "private_google_access" => Mutability::InPlace,
            _ => Mutability::Replace,
        }
    }

    async fn list(clients: &Clients, project: &str, filter: &str, cx: &Context) -> Result<Vec<Model>> {
        let list = || clients.subnetworks.list().set_project(project).set_region(&clients.region);
        listed!(clients, cx, "compute.subnetworks.list", filter, list(), |page| page.items)
    }

    fn header(model: &Model) -> Header<'_> {
        Header { self_link: model.self_link.as_deref(), description: model.description.as_deref() }
    }

    fn facts(
        _: &Clients,
        path: &Path,
        model: &Model,
        _: Option<&Document>,
    ) -> Result<Facts<Subnetwork<Closed>>> {
        let range = |text: Option<&str>| {
            text.unwrap_or_default().parse::<IpNet>().map_err(|error| {
                Error::internal(format!("the CIDR of the subnetwork {} is invalid", path.name))
                    .with_source(error)
            })
        };
        let secondary = model.secondary_ip_ranges.iter();
        let secondary =
            secondary.map(|it| Ok((text(it.range_name.as_deref()), range(it.ip_cidr_range.as_deref())?)));
        Ok(Facts::ready(Subnetwork {
            network: id(model.network.as_deref()),
            cidr: range(model.ip_cidr_range.as_deref())?,
            secondary_ranges: secondary.collect::<Result<_>>()?,
            private_google_access: model.private_ip_google_access.unwrap_or_default(),
        }))
    }

    async fn insert(
        clients: &Clients,
        path: &Path,
        mark: String,
        request_id: String,
        spec: &Subnetwork<Closed>,
        cx: &Context,
    ) -> Result<Operation> {
        let subnetwork = Model::new()
            .set_name(&path.name)
            .set_description(mark)
            .set_network(spec.network.as_str())
            .set_ip_cidr_range(spec.cidr.to_string())
            .set_secondary_ip_ranges(spec.secondary_ranges.iter().map(secondary))
            .set_private_ip_google_access(spec.private_google_access);
        let insert = clients.subnetworks.insert().set_project(&path.project).set_region(path.region());
        let insert = insert.set_request_id(request_id).set_body(subnetwork);
        clients.call(cx, Self::CREATE, insert.send()).await
    }

    async fn update(clients: &Clients, change: Changing<'_, Self>) -> Result<Option<Step>> {
        let (path, spec, model) = (change.path, change.spec, &change.model);
        let ranges: BTreeMap<_, _> = model
            .secondary_ip_ranges
            .iter()
            .map(|it| (text(it.range_name.as_deref()), text(it.ip_cidr_range.as_deref())))
            .collect();
        let more =
            spec.secondary_ranges.iter().any(|(name, range)| ranges.get(name) != Some(&range.to_string()));
        if model.private_ip_google_access.unwrap_or_default() != spec.private_google_access {
            let body = SubnetworksSetPrivateIpGoogleAccessRequest::new()
                .set_private_ip_google_access(spec.private_google_access);
            let set = clients.subnetworks.set_private_ip_google_access().set_project(&path.project);
            let set = set.set_region(path.region()).set_subnetwork(&path.name).set_body(body);
            let set = set.set_request_id(change.request_id("setPrivateIpGoogleAccess"));
            let call = "compute.subnetworks.setPrivateIpGoogleAccess";
            let operation = clients.call(change.cx, call, set.send()).await?;
            return Ok(Some(Step { operation, more }));
        }
        if !more {
            return Ok(None);
        }
        // Foreign ranges are kept.
        let mut ranges = model.secondary_ip_ranges.clone();
        ranges
            .retain(|it| it.range_name.as_ref().is_none_or(|name| !spec.secondary_ranges.contains_key(name)));
        ranges.extend(spec.secondary_ranges.iter().map(secondary));
        let body =
            Model::new().set_secondary_ip_ranges(ranges).set_or_clear_fingerprint(model.fingerprint.clone());
        let request = clients.subnetworks.patch().set_project(&path.project).set_region(path.region());
        let request =
            request.set_subnetwork(&path.name).set_request_id(change.request_id("patch")).set_body(body);
        clients
            .call(change.cx, Self::UPDATE, request.send())
            .await
            .map(|operation| Some(Step::last(operation)))
    }

    async fn delete(clients: &Clients, path: &Path, cx: &Context) -> Result<Operation> {
        let delete = clients.subnetworks.delete().set_project(&path.project).set_region(path.region());
        clients.call(cx, Self::DELETE, delete.set_subnetwork(&path.name).send()).await
    }
}

fn secondary((name, range): (&String, &IpNet)) -> SubnetworkSecondaryRange {
    SubnetworkSecondaryRange::new().set_range_name(name).set_ip_cidr_range(range.to_string())
}
