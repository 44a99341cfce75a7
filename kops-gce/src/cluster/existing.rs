//! Existing networks, for specifications that leave ranges to the cloud.

use google_cloud_compute_v1::model::{Network, Subnetwork};
use kops_cluster::{ExistingNetwork, ExistingSubnet};
use kops_core::cloud::Context;
use kops_core::{Error, ErrorKind, Result};

use crate::clients::Clients;
use crate::paging::listed;
use crate::path::{Path, project_in, short};

/// The network that an identifier names (`name`, `project/name`, a path), or the one of the subnetwork that it names. A
/// network has no range of its own; new subnetworks have to leave out those that it has already.
pub(super) async fn network(clients: &Clients, id: &str) -> Result<ExistingNetwork> {
    let cx = Context::default();
    let missing = |error: Error| missing(error, id);
    let project = project_in(id).unwrap_or_else(|| clients.project.clone());
    let name = id.rsplit('/').next().unwrap_or(id);
    let is_network = Path::parse(id).is_ok_and(|path| path.collection == "networks");
    let is_subnetwork = Path::parse(id).is_ok_and(|path| path.collection == "subnetworks");
    let networks = || clients.networks.list().set_project(&project);
    let networks: Vec<Network> =
        listed!(clients, &cx, "compute.networks.list", "", networks(), |page| page.items).map_err(missing)?;
    let subnets = || clients.subnetworks.aggregated_list().set_project(&project);
    let subnets: Vec<Subnetwork> =
        listed!(clients, &cx, "compute.subnetworks.list", "", subnets(), |page| page
            .items
            .into_values()
            .flat_map(|region| region.subnetworks))
        .map_err(missing)?;
    let by_name = || networks.iter().find(|network| network.name.as_deref() == Some(name));
    let by_subnet = || {
        let here = |link: &str| link.ends_with(&format!("/regions/{}/subnetworks/{name}", clients.region));
        let subnet = subnets.iter().find(|subnet| subnet.self_link.as_deref().is_some_and(here))?;
        let its = subnet.network.as_deref().map(short);
        networks.iter().find(|network| network.self_link.as_deref().map(short) == its)
    };
    let found = by_name().filter(|_| !is_subnetwork).or_else(|| by_subnet().filter(|_| !is_network));
    let found = found.ok_or_else(|| missing(Error::not_found("neither is listed")))?;
    let link = found.self_link.as_deref().map(short).unwrap_or_default();
    let inside = subnets.iter().filter(|subnet| subnet.network.as_deref().map(short).as_ref() == Some(&link));
    let ranges = inside.flat_map(|subnet| {
        let id = selector(clients, &project, subnet.name.as_deref().unwrap_or_default());
        let further = subnet.secondary_ip_ranges.iter().filter_map(|range| range.ip_cidr_range.as_deref());
        let all = subnet.ip_cidr_range.as_deref().into_iter().chain(further);
        all.filter_map(move |cidr| Some(ExistingSubnet::new(id.clone(), None, cidr.parse().ok()?)))
    });
    let id = selector(clients, &project, found.name.as_deref().unwrap_or_default());
    Ok(ExistingNetwork::new(id, [], ranges.collect::<Vec<_>>()))
}

/// An object of a project as specifications name it.
fn selector(clients: &Clients, project: &str, name: &str) -> String {
    if project == clients.project { name.to_owned() } else { format!("{project}/{name}") }
}

fn missing(error: Error, id: &str) -> Error {
    // Of a project, when it is not there or not visible.
    if error.kind() != ErrorKind::NotFound {
        return error;
    }
    Error::not_found(format!("there is no network or subnetwork {id}"))
        .with_hint("check its name, its project and the region")
        .with_source(error)
}
