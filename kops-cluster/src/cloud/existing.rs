//! What a specification leaves to the cloud: the zones of existing subnets.

use kops_core::{Error, Result};

use super::ClusterCloud;
use crate::spec::ClusterFiles;

/// A specification with the zones of existing subnets, which users may leave out. The cloud is asked only if there are
/// such subnets; what it does not know stays open.
///
/// # Errors
/// Those of the cloud.
pub async fn with_existing_zones(files: &ClusterFiles, cloud: &dyn ClusterCloud) -> Result<ClusterFiles> {
    let mut files = files.clone();
    let networking = &mut files.cluster.spec.networking;
    let open = |zone: &Option<String>| zone.as_deref().is_none_or(str::is_empty);
    let without = networking.subnets.iter().find(|subnet| subnet.is_shared() && open(&subnet.zone));
    let Some(subnet) = without.and_then(|subnet| subnet.id.clone()) else { return Ok(files) };
    if !cloud.capabilities().zonal_subnets {
        return Ok(files);
    }
    let network = networking.network_id.clone().unwrap_or(subnet);
    let Some(network) = cloud.existing_network(&network).await? else { return Ok(files) };
    for (at, subnet) in networking.subnets.iter_mut().enumerate() {
        let Some(id) = subnet.id.as_ref().filter(|_| open(&subnet.zone)) else { continue };
        let found = network.subnets.iter().find(|found| found.id == *id).ok_or_else(|| {
            Error::not_found(format!(
                "spec.subnets[{at}].id: there is no subnet {id} in network {}",
                network.id
            ))
            .with_hint("check the identifiers of network and subnet, and the region")
        })?;
        subnet.zone.clone_from(&found.zone);
    }
    Ok(files)
}
