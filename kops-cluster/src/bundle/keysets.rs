//! Keysets in bundles: names, ids, and the paths of their files in kubeadm.

use kops_node::bundle::Keyset;
use sha2::{Digest as _, Sha256};

use crate::pki::{ETCD_CA, Keysets, authorities};
use crate::spec::Cluster;

/// All keysets of a control plane, as referenced by its bundle.
pub(super) fn references(cluster: &Cluster, keysets: &Keysets) -> Vec<Keyset> {
    let reference = |name: &str, file: &str| Keyset {
        name: name.to_owned(),
        file: file.to_owned(),
        ids: keysets.ids(name).to_vec(),
    };
    authorities(cluster).iter().map(|it| reference(it.name, it.file)).collect()
}

/// A string that two clusters of the same name do not share: ids of etcd's members are derived from names and
/// token, so without it a leftover disk of a previous cluster would be taken for one of this cluster.
///
/// It is the id of the oldest key of etcd's authority. When that key is removed the token changes, which does
/// not affect running members: etcd only reads it when a cluster is initialized.
pub(super) fn word(keysets: &Keysets, cluster: &str) -> String {
    let oldest = keysets.ids(ETCD_CA).iter().min_by_key(|id| (id.len(), id.as_str()));
    let digest = Sha256::new()
        .chain_update(cluster)
        .chain_update([0_u8])
        .chain_update(oldest.map_or("", String::as_str));
    digest.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
