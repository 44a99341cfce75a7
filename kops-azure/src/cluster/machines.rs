//! What a cluster's machines have to know of Azure.

use kops_cluster::cloud::{Architecture, NodeFacts, state_store, unreadable};
use kops_cluster::{Cluster, Problems};
use kops_node::bundle::{self, Store};
use kops_node::stage0::Get;

/// The facts of machines in a resource group: credentials are the scale set's managed identity's, the state store is in
/// Blob Storage.
pub(super) fn facts(subscription: &str, group: &str, cluster: &Cluster) -> Result<NodeFacts, Problems> {
    let base = state_store(cluster)?;
    let azure = bundle::Azure {
        subscription: subscription.to_owned(),
        resource_group: group.to_owned(),
        ..bundle::Azure::default()
    };
    let cloud = bundle::Cloud::Azure(azure);
    let facts = match base.strip_prefix("azureblob://") {
        Some(place) => {
            let (account, rest) = place.split_once('/').unwrap_or((place, ""));
            let store = Store { url: base.to_owned(), endpoint: None, region: None };
            let url = format!("https://{account}.blob.core.windows.net/{rest}");
            Some(NodeFacts::new(cloud, store, Get::Azure { base: url, client_id: String::new() }))
        }
        None => NodeFacts::of_plain_store(cloud, base),
    };
    let facts = facts.ok_or_else(|| unreadable(base, "Azure", "azureblob://, file:// or https://"))?;
    Ok(facts.architecture(architecture).incomplete(
        "nothing attaches the disks of etcd's members to control planes, and nodes have no access to the storage account",
        "attach each disk and mount it at /mnt/etcd-<cluster of etcd>, and let nodes read igconfig/node and join",
    ))
}

/// Among the features of a size, `p` is an Arm processor: `Standard_D2ps_v5`.
/// <https://learn.microsoft.com/en-us/azure/virtual-machines/vm-naming-conventions>.
fn architecture(machine_type: &str) -> Architecture {
    let size = machine_type.split('_').nth(1).unwrap_or_default();
    let features = size.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let features = features.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
    if features.contains('p') { Architecture::Arm64 } else { Architecture::Amd64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arm_is_told_by_the_features() {
        for arm in ["Standard_D2ps_v5", "Standard_E8pds_v6", "Standard_D2pls_v5"] {
            assert_eq!(architecture(arm), Architecture::Arm64, "{arm}");
        }
        for intel in ["Standard_B2s", "Standard_D4s_v3", "Standard_NP10s", "Standard_M8-2ms_v2"] {
            assert_eq!(architecture(intel), Architecture::Amd64, "{intel}");
        }
    }

    #[test]
    fn the_state_store_is_in_blob_storage_or_plain() {
        let mut cluster = Cluster::named("ha.example.com");
        cluster.spec.config_store.base = Some("azureblob://account/container/ha.example.com".to_owned());
        let known = facts("sub", "group", &cluster).unwrap();
        let base = "https://account.blob.core.windows.net/container/ha.example.com".to_owned();
        assert_eq!(known.get, Get::Azure { base, client_id: String::new() });
        cluster.spec.config_store.base = Some("s3://state/ha.example.com".to_owned());
        assert!(facts("sub", "group", &cluster).is_err());
    }
}
