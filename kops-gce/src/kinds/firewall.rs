//! Firewall rules: allowed traffic between some peers and the machines with a tag, in one direction.

use std::collections::BTreeSet;

use async_trait::async_trait;
use google_cloud_compute_v1::model::firewall::{Allowed, Denied};
use google_cloud_compute_v1::model::{Firewall, Operation};
use kops_core::Result;
use kops_core::cloud::{Context, Mutability, Wanted};
use kops_core::graph::{Closed, Document, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::collection::{Changing, Collection, Facts, Header, Level, Step, Writing};
use super::convert::{count, id, int, text};
use super::{GceNetwork, NetworkTag};
use crate::clients::Clients;
use crate::paging::listed;
use crate::path::Path;

/// A firewall rule of a network: one direction, one set of peers, any number of protocols and ports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct GceFirewall<S: Stage = Open> {
    /// The network.
    pub network: At<S, Id<GceNetwork>>,
    /// The project of the network, in which the rule has to be, if it is another than the connection's.
    #[serde(default)]
    pub project: Option<String>,
    /// `INGRESS` or `EGRESS`.
    pub direction: String,
    /// The priority, 0 to 65535; the lowest number wins.
    pub priority: u32,
    /// The traffic it allows.
    pub allowed: BTreeSet<Traffic>,
    /// The traffic it denies; a rule either allows or denies.
    pub denied: BTreeSet<Traffic>,
    /// The source ranges.
    pub source_ranges: BTreeSet<At<S, String>>,
    /// The destination ranges.
    pub destination_ranges: BTreeSet<At<S, String>>,
    /// The tags of source machines.
    pub source_tags: BTreeSet<At<S, Id<NetworkTag>>>,
    /// The tags of the machines it applies to; all machines of the network if empty.
    pub target_tags: BTreeSet<At<S, Id<NetworkTag>>>,
    /// The service accounts of source machines; not together with tags.
    pub source_service_accounts: BTreeSet<String>,
    /// The service accounts of the machines it applies to; not together with tags.
    pub target_service_accounts: BTreeSet<String>,
}

impl GceFirewall {
    /// A rule that allows nothing yet.
    pub fn of(network: At<Open, Id<GceNetwork>>, direction: &str) -> Self {
        Self {
            network,
            project: None,
            direction: direction.to_owned(),
            priority: PRIORITY,
            allowed: BTreeSet::new(),
            denied: BTreeSet::new(),
            source_ranges: BTreeSet::new(),
            destination_ranges: BTreeSet::new(),
            source_tags: BTreeSet::new(),
            target_tags: BTreeSet::new(),
            source_service_accounts: BTreeSet::new(),
            target_service_accounts: BTreeSet::new(),
        }
    }
}

/// Google's default.
const PRIORITY: u32 = 1000;

/// A protocol with ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Traffic {
    /// `tcp`, `udp`, `icmp`, `esp`, `ah`, `sctp`, `ipip`, `all`, or a number.
    pub protocol: String,
    /// Ports and port ranges, `443` or `30000-32767`; all of them if empty.
    pub ports: BTreeSet<String>,
}

impl Resource for GceFirewall {
    const KIND: &'static str = "GceFirewall";
    type Resolved = GceFirewall<Closed>;
}

pub(crate) struct Firewalls;

#[async_trait]
impl Collection for Firewalls {
    type Kind = GceFirewall;
    type Model = Firewall;

    const PLURAL: &'static str = "firewalls";
    const LEVEL: Level = Level::Global;
    const CREATE: &'static str = "compute.firewalls.create";
    const DELETE: &'static str = "compute.firewalls.delete";
    const UPDATE: &'static str = "compute.firewalls.update";

    fn mutability(field: &str) -> Mutability {
        match field {
            "network" | "project" | "direction" => Mutability::Replace,
            _ => Mutability::InPlace,
        }
    }

    /// Objects that controllers have created are found by the tags that these rules are for.
    fn delete_after() -> &'static [&'static str] {
        &["UnmanagedObject"]
    }

    async fn list(clients: &Clients, project: &str, filter: &str, cx: &Context) -> Result<Vec<Firewall>> {
        let list = || clients.firewalls.list().set_project(project);
        listed!(clients, cx, "compute.firewalls.list", filter, list(), |page| page.items)
    }

    fn header(model: &Firewall) -> Header<'_> {
        Header { self_link: model.self_link.as_deref(), description: model.description.as_deref() }
    }

    fn project(spec: &GceFirewall<Closed>) -> Option<&str> {
        spec.project.as_deref()
    }

    /// Of a shared VPC, the rules are in the host project. Without tasks that say which, it is asked for.
    async fn further_projects(
        clients: &Clients,
        wanted: &[Wanted<'_>],
        cx: &Context,
    ) -> Result<BTreeSet<String>> {
        if wanted.is_empty() {
            return Ok(clients.host(cx).await?.into_iter().collect());
        }
        let named = wanted.iter().filter_map(|task| task.spec.get("project")?.as_str());
        Ok(named.map(str::to_owned).collect())
    }

    fn facts(
        clients: &Clients,
        path: &Path,
        model: &Firewall,
        _: Option<&Document>,
    ) -> Result<Facts<GceFirewall<Closed>>> {
        let set = |texts: &[String]| texts.iter().cloned().collect::<BTreeSet<_>>();
        let traffic = |protocol: Option<&str>, ports: &[String]| Traffic {
            protocol: text(protocol),
            ports: set(ports),
        };
        Ok(Facts::ready(GceFirewall {
            network: id(model.network.as_deref()),
            project: Some(path.project.clone()).filter(|project| *project != clients.project),
            direction: text(model.direction.as_ref().and_then(|direction| direction.name())),
            priority: count(model.priority),
            allowed: model.allowed.iter().map(|it| traffic(it.ip_protocol.as_deref(), &it.ports)).collect(),
            denied: model.denied.iter().map(|it| traffic(it.ip_protocol.as_deref(), &it.ports)).collect(),
            source_ranges: set(&model.source_ranges),
            destination_ranges: set(&model.destination_ranges),
            source_tags: model.source_tags.iter().map(Id::new).collect(),
            target_tags: model.target_tags.iter().map(Id::new).collect(),
            source_service_accounts: set(&model.source_service_accounts),
            target_service_accounts: set(&model.target_service_accounts),
        }))
    }

    async fn insert(
        clients: &Clients,
        path: &Path,
        mark: String,
        request_id: String,
        spec: &GceFirewall<Closed>,
        cx: &Context,
    ) -> Result<Operation> {
        let firewall = written(Firewall::new().set_name(&path.name).set_description(mark), spec)?;
        let insert = clients.firewalls.insert().set_project(&path.project).set_request_id(request_id);
        clients.call(cx, Self::CREATE, insert.set_body(firewall).send()).await
    }

    /// Writes the whole rule: a patch keeps fields that it omits, and empty lists are omitted.
    async fn update(clients: &Clients, change: Changing<'_, Self>) -> Result<Option<Step>> {
        let request_id = change.request_id("update");
        let model = written(change.model, change.spec)?;
        let writing = Writing { model, request_id: Some(request_id), cx: change.cx };
        Self::write(clients, change.path, writing).await.map(|operation| Some(Step::last(operation)))
    }

    const ADOPTS: bool = true;

    fn described(model: Firewall, description: String) -> Firewall {
        model.set_description(description)
    }

    async fn write(clients: &Clients, path: &Path, writing: Writing<'_, Self>) -> Result<Operation> {
        let Writing { model, request_id, cx } = writing;
        let update = clients.firewalls.update().set_project(&path.project).set_firewall(&path.name);
        let update = update.set_or_clear_request_id(request_id).set_body(model);
        clients.call(cx, Self::UPDATE, update.send()).await
    }

    async fn delete(clients: &Clients, path: &Path, cx: &Context) -> Result<Operation> {
        let delete = clients.firewalls.delete().set_project(&path.project).set_firewall(&path.name);
        clients.call(cx, Self::DELETE, delete.send()).await
    }
}

fn written(firewall: Firewall, spec: &GceFirewall<Closed>) -> Result<Firewall> {
    let allowed = spec
        .allowed
        .iter()
        .map(|it| Allowed::new().set_ip_protocol(&it.protocol).set_ports(it.ports.clone()));
    let denied =
        spec.denied.iter().map(|it| Denied::new().set_ip_protocol(&it.protocol).set_ports(it.ports.clone()));
    Ok(firewall
        .set_network(spec.network.as_str())
        .set_direction(spec.direction.as_str())
        .set_priority(int(spec.priority)?)
        .set_allowed(allowed)
        .set_denied(denied)
        .set_source_ranges(spec.source_ranges.clone())
        .set_destination_ranges(spec.destination_ranges.clone())
        .set_source_tags(spec.source_tags.iter().map(Id::as_str))
        .set_target_tags(spec.target_tags.iter().map(Id::as_str))
        .set_source_service_accounts(spec.source_service_accounts.clone())
        .set_target_service_accounts(spec.target_service_accounts.clone()))
}
