//! Existing networks, for specifications that leave ranges to the cloud.

use kops_cluster::{ExistingNetwork, ExistingSubnet};
use kops_core::cloud::Context;
use kops_core::{Error, Result};
use serde::Deserialize;

use crate::clients::Clients;
use crate::kinds::rest::Collection;

const NETWORKS: Collection = Collection::network("networks", "network");
const SUBNETS: Collection = Collection::network("subnets", "subnet");

#[derive(Deserialize)]
struct Network {
    id: String,
}

#[derive(Deserialize)]
struct Subnet {
    id: String,
    network_id: String,
    cidr: ipnet::IpNet,
}

/// The network with an identifier, or the one that contains the subnet with it. A network has no range of its own; new
/// subnets have to leave out those that it has already.
pub(super) async fn network(clients: &Clients, id: &str) -> Result<ExistingNetwork> {
    let cx = Context::default();
    let networks: Vec<Network> = NETWORKS.with_ids(clients, &cx, &[id]).await?;
    let network = if let Some(network) = networks.into_iter().next() {
        network.id
    } else {
        let subnets: Vec<Subnet> = SUBNETS.with_ids(clients, &cx, &[id]).await?;
        subnets.into_iter().next().map(|subnet| subnet.network_id).ok_or_else(|| {
            Error::not_found(format!("there is no network or subnet {id}"))
                .with_hint("check its identifier, the region and the project")
        })?
    };
    let inside: Vec<Subnet> = SUBNETS.list(clients, &cx, &[("network_id", network.clone())]).await?;
    let subnets = inside.into_iter().map(|subnet| ExistingSubnet::new(subnet.id, None, subnet.cidr));
    Ok(ExistingNetwork::new(network, [], subnets))
}
