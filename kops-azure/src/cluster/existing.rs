//! Existing networks, for specifications that leave ranges to the cloud.

use azure_mgmt_network::models;
use kops_cluster::{ExistingNetwork, ExistingSubnet};
use kops_core::cloud::Context;
use kops_core::{Error, ErrorKind, Result};

use crate::clients::{Clients, sent};
use crate::ids;

const READ: &str = "Microsoft.Network/virtualNetworks/read";

/// The virtual network with an identifier, or the one that contains the subnet with it.
pub(super) async fn network(clients: &Clients, id: &str) -> Result<ExistingNetwork> {
    let network = if ids::after(id, "subnets").is_some() { ids::parent(id) } else { id };
    let (Some(group), true) = (ids::group(network), ids::after(network, "virtualNetworks").is_some()) else {
        return Err(Error::invalid(format!("{id:?} is not the identifier of a virtual network or subnet"))
            .with_hint(
                "use /subscriptions/…/resourceGroups/…/providers/Microsoft.Network/virtualNetworks/…",
            ));
    };
    let get = clients.network.virtual_networks_client();
    let get = get.get(group, ids::name(network), &clients.subscription);
    let found: models::VirtualNetwork =
        clients.fetch(&Context::default(), READ, sent(get.send())).await.map_err(|error| {
            if error.kind() != ErrorKind::NotFound {
                return error;
            }
            Error::not_found(format!("there is no virtual network {network}"))
                .with_hint("check its identifier and the subscription")
                .with_source(error)
        })?;
    let properties = found.properties.unwrap_or_default();
    let cidrs = properties.address_space.iter().flat_map(|space| &space.address_prefixes);
    let cidrs: Vec<_> = cidrs.filter_map(|cidr| cidr.parse().ok()).collect();
    let subnets = properties.subnets.iter().flat_map(|subnet| {
        let id = subnet.sub_resource.id.clone().unwrap_or_default();
        let format = subnet.properties.as_ref();
        let ranges = format.iter().flat_map(|it| it.address_prefix.iter().chain(&it.address_prefixes));
        let ranges: Vec<_> = ranges.filter_map(|cidr| cidr.parse().ok()).collect();
        ranges.into_iter().map(move |cidr| ExistingSubnet::new(id.clone(), None, cidr))
    });
    Ok(ExistingNetwork::new(network, cidrs, subnets.collect::<Vec<_>>()))
}
