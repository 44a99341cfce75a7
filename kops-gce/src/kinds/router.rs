//! Cloud routers, used for their NAT: a router's NAT gateways are parts of it and change with it.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use google_cloud_compute_v1::model::router_nat::{NatIpAllocateOption, SourceSubnetworkIpRangesToNat};
use google_cloud_compute_v1::model::router_nat_subnetwork_to_nat::SourceIpRangesToNat;
use google_cloud_compute_v1::model::{Operation, Router as Model, RouterNat, RouterNatSubnetworkToNat};
use kops_core::Result;
use kops_core::cloud::{Context, Mutability, Object};
use kops_core::graph::{Closed, Document, Id, Open, Stage};
use kops_core::resource::{At, Output, Resource};
use serde::{Deserialize, Serialize};

use super::collection::{Changing, Collection, Facts, Header, Level, Step, Writing};
use super::convert::{id, text};
use super::{GceAddress, GceNetwork, Subnetwork};
use crate::clients::Clients;
use crate::paging::listed;
use crate::path::{Path, short};

/// A router of a network in the region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Router<S: Stage = Open> {
    /// The network.
    pub network: At<S, Id<GceNetwork>>,
    /// Its NAT gateways, by name.
    pub nats: BTreeMap<String, Nat<S>>,
}

/// A NAT gateway: lets machines without public addresses open connections to the internet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Nat<S: Stage = Open> {
    /// The public addresses of its connections; chosen by Google if empty.
    pub addresses: BTreeSet<At<S, Id<GceAddress>>>,
    /// The subnetworks it serves, with all their ranges; all of the network's if empty.
    pub subnetworks: BTreeSet<At<S, Id<Subnetwork>>>,
}

impl Router {
    /// The public address of its first NAT gateway, in dotted form; known for shared routers.
    pub const PUBLIC_IP: Output<Self, String> = Output::new("public_ip");
}

impl Resource for Router {
    const KIND: &'static str = "Router";
    const OUTPUTS: &'static [&'static str] = &[Self::PUBLIC_IP.name()];
    type Resolved = Router<Closed>;
}

pub(crate) struct Routers;

#[async_trait]
impl Collection for Routers {
    type Kind = Router;
    type Model = Model;

    const PLURAL: &'static str = "routers";
    const LEVEL: Level = Level::Regional;
    const CREATE: &'static str = "compute.routers.create";
    const DELETE: &'static str = "compute.routers.delete";
    const UPDATE: &'static str = "compute.routers.update";

    fn mutability(field: &str) -> Mutability {
        match field {
            "nats" => Mutability::InPlace,
            _ => Mutability::Replace,
        }
    }

    async fn list(clients: &Clients, project: &str, filter: &str, cx: &Context) -> Result<Vec<Model>> {
        let list = || clients.routers.list().set_project(project).set_region(&clients.region);
        listed!(clients, cx, "compute.routers.list", filter, list(), |page| page.items)
    }

    fn header(model: &Model) -> Header<'_> {
        Header { self_link: model.self_link.as_deref(), description: model.description.as_deref() }
    }

    fn facts(_: &Clients, _: &Path, model: &Model, _: Option<&Document>) -> Result<Facts<Router<Closed>>> {
        let nat = |nat: &RouterNat| Nat {
            addresses: nat.nat_ips.iter().map(|address| id(Some(address))).collect(),
            subnetworks: nat.subnetworks.iter().map(|it| id(it.name.as_deref())).collect(),
        };
        Ok(Facts::ready(Router {
            network: id(model.network.as_deref()),
            nats: model.nats.iter().map(|it| (text(it.name.as_deref()), nat(it))).collect(),
        }))
    }

    /// The addresses in use are returned separately from those that were requested.
    async fn complete(clients: &Clients, object: &mut Object<Router<Closed>>, cx: &Context) -> Result<()> {
        let path = Path::parse(&object.id)?;
        let get = clients.routers.get_router_status().set_project(&path.project).set_region(path.region());
        let answer = clients.call(cx, "compute.routers.get", get.set_router(&path.name).send()).await?;
        let status = answer.result.unwrap_or_default();
        let nats = status.nat_status.iter();
        let mut addresses =
            nats.flat_map(|nat| nat.user_allocated_nat_ips.iter().chain(&nat.auto_allocated_nat_ips));
        if let Some(address) = addresses.next() {
            object.outputs.set(Router::PUBLIC_IP, address.clone());
        }
        Ok(())
    }

    async fn insert(
        clients: &Clients,
        path: &Path,
        mark: String,
        request_id: String,
        spec: &Router<Closed>,
        cx: &Context,
    ) -> Result<Operation> {
        let router = Model::new()
            .set_name(&path.name)
            .set_description(mark)
            .set_network(spec.network.as_str())
            .set_nats(spec.nats.iter().map(|(name, nat)| written(RouterNat::new().set_name(name), nat)));
        let insert = clients.routers.insert().set_project(&path.project).set_region(path.region());
        clients.call(cx, Self::CREATE, insert.set_request_id(request_id).set_body(router).send()).await
    }

    async fn update(clients: &Clients, change: Changing<'_, Self>) -> Result<Option<Step>> {
        let request_id = change.request_id("update");
        let mut router = change.model;
        // Foreign NAT gateways are kept, and so are settings of ours that are not managed here.
        let mut nats = std::mem::take(&mut router.nats);
        for (name, nat) in &change.spec.nats {
            let at = nats.iter().position(|it| it.name.as_ref() == Some(name));
            let old = at.map_or_else(|| RouterNat::new().set_name(name), |at| nats.swap_remove(at));
            nats.push(written(old, nat));
        }
        let model = router.set_nats(nats);
        let writing = Writing { model, request_id: Some(request_id), cx: change.cx };
        Self::write(clients, change.path, writing).await.map(|operation| Some(Step::last(operation)))
    }

    const ADOPTS: bool = true;

    fn described(model: Model, description: String) -> Model {
        model.set_description(description)
    }

    async fn write(clients: &Clients, path: &Path, writing: Writing<'_, Self>) -> Result<Operation> {
        let Writing { model, request_id, cx } = writing;
        let update = clients.routers.update().set_project(&path.project).set_region(path.region());
        let update = update.set_router(&path.name).set_or_clear_request_id(request_id).set_body(model);
        clients.call(cx, Self::UPDATE, update.send()).await
    }

    async fn delete(clients: &Clients, path: &Path, cx: &Context) -> Result<Operation> {
        let delete = clients.routers.delete().set_project(&path.project).set_region(path.region());
        clients.call(cx, Self::DELETE, delete.set_router(&path.name).send()).await
    }
}

fn written(nat: RouterNat, spec: &Nat<Closed>) -> RouterNat {
    let allocation = if spec.addresses.is_empty() {
        NatIpAllocateOption::AutoOnly
    } else {
        NatIpAllocateOption::ManualOnly
    };
    let serves = if spec.subnetworks.is_empty() {
        SourceSubnetworkIpRangesToNat::AllSubnetworksAllIpRanges
    } else {
        SourceSubnetworkIpRangesToNat::ListOfSubnetworks
    };
    let subnetwork = |id: &Id<Subnetwork>| {
        RouterNatSubnetworkToNat::new()
            .set_name(short(id.as_str()))
            .set_source_ip_ranges_to_nat([SourceIpRangesToNat::AllIpRanges])
    };
    nat.set_nat_ip_allocate_option(allocation)
        .set_nat_ips(spec.addresses.iter().map(Id::as_str))
        .set_source_subnetwork_ip_ranges_to_nat(serves)
        .set_subnetworks(spec.subnetworks.iter().map(subnetwork))
}
