//! Existing VPCs, for specifications that leave zones or ranges to AWS.

use futures_util::future::try_join;
use kops_cluster::{ExistingNetwork, ExistingSubnet};
use kops_core::cloud::Context;
use kops_core::{Error, Result};

use crate::clients::Clients;
use crate::kinds::{listing, vpc_blocks};

/// The VPC with an identifier, or the one that contains the subnet with it.
pub(super) async fn network(clients: &Clients, id: &str) -> Result<ExistingNetwork> {
    let cx = Context::default();
    let subnets = async |name: &str, id: &str| {
        let filters = listing::any_of(name, &[id]);
        listing::find(filters, |filter| listing::subnets(clients, &cx, filter)).await
    };
    let vpc = if id.starts_with("subnet-") {
        let found = subnets("subnet-id", id).await?;
        found.first().and_then(|subnet| subnet.vpc_id.clone()).ok_or_else(|| missing("subnet", id))?
    } else {
        id.to_owned()
    };
    let filters = listing::any_of("vpc-id", &[&vpc]);
    let vpcs = listing::find(filters, |filter| listing::vpcs(clients, &cx, filter));
    let (vpcs, subnets) = try_join(vpcs, subnets("vpc-id", &vpc)).await?;
    let found = vpcs.first().ok_or_else(|| missing("VPC", &vpc))?;
    let subnets = subnets.iter().map(|subnet| {
        let cidr = listing::cidr(subnet.cidr_block())?;
        let id = subnet.subnet_id().unwrap_or_default();
        Ok(ExistingSubnet::new(id, subnet.availability_zone.clone(), cidr))
    });
    Ok(ExistingNetwork::new(vpc.clone(), vpc_blocks(found)?, subnets.collect::<Result<Vec<_>>>()?))
}

fn missing(what: &str, id: &str) -> Error {
    Error::not_found(format!("there is no {what} {id}"))
        .with_hint("check its identifier, the region and the account")
}
