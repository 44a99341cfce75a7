//! What bundles say of keysets: names, ids, and where kubeadm has their files.

use kops_node::bundle::Keyset;
use sha2::{Digest as _, Sha256};

use crate::pki::{ETCD_CA, Keysets, authorities};
use crate::spec::Cluster;

/// All keysets of a control plane, as its bundle names them.
pub(super) fn references(cluster: &Cluster, keysets: &Keysets) -> Vec<Keyset> {
    let reference = |name: &str, file: &str| Keyset {
        name: name.to_owned(),
        file: file.to_owned(),
        ids: keysets.ids(name).to_vec(),
    };
    authorities(cluster).iter().map(|it| reference(it.name, it.file)).collect()
}

/// A word that two clusters of one name do not share: ids of etcd's members follow from names and token, so that without it
/// the forgotten disk of a predecessor would pass for this cluster's.
///
/// It is made of the oldest key of etcd's authority. When that is gone the word changes, which no running member notices:
/// etcd reads the token only when a cluster begins.
pub(super) fn word(keysets: &Keysets, cluster: &str) -> String {
    let oldest = keysets.ids(ETCD_CA).iter().min_by_key(|id| (id.len(), id.as_str()));
    let digest = Sha256::new()
        .chain_update(cluster)
        .chain_update([0_u8])
        .chain_update(oldest.map_or("", String::as_str));
    digest.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
