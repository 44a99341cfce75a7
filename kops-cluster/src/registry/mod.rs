//! Clusters in a state store, in kOps' own layout: either program can read the clusters of the other.
//!
//! | key | content | by |
//! |---|---|---|
//! | `<cluster>/config` | the Cluster, as its users specify it | [`ClusterStore::cluster`] |
//! | `<cluster>/instancegroup/<name>` | an InstanceGroup | [`ClusterStore::instance_group`] |
//! | `<cluster>/pki/ssh/public/admin/<fingerprint>` | a public SSH key, as one line | [`ClusterStore::ssh_keys`] |
//! | `<cluster>/clusteraddons/default` | objects of Kubernetes to install, as one file | [`ClusterStore::update_additional`] |
//! | `<cluster>/pki/private/<name>/keyset.yaml` | a [keyset](crate::pki), private keys included | [`ClusterStore::keyset`] |
//! | `<cluster>/secrets/<name>` | a secret, as `{"Data": "<base64>"}` | [`ClusterStore::secret`] |
//! | `<cluster>/machines/<group>/<id>/status` | what a machine tells of itself | [`ClusterStore::machine_statuses`] |
//! | `<cluster>/machines/<group>/<node>/held` | why its certificate request is held | [`ClusterStore::machine_statuses`] |
//! | `<cluster>/cluster-completed.spec` | the Cluster with all defaults, as last applied | [`ClusterStore::write_completed`] |
//! | `<cluster>/igconfig/<role>/<group>/<sha256>.json`, `<cluster>/kops-node/<arch>/<sha256>` | the bundles of machines, and the program that applies them | [`ClusterStore::upload`] |
//! | `<cluster>/igconfig/groups.json` | what keepers know of the instance groups | [`ClusterStore::upload`] |
//! | `<cluster>/kops-version.txt` | the version of the program that last applied | [`ClusterStore::write_applied_version`] |
//! | `.kops/<cluster>/lock` | the [lease](kops_core::store::lease) | [`ClusterStore::lock`] |
//! | `.kops/<cluster>/journal/<digest>` | an [intent](kops_core::store::journal) | [`ClusterStore::journal`] |
//!
//! # Coexistence with kOps
//! kOps does not delete a cluster if it finds an unknown file under `<cluster>/`. Therefore the lease and the
//! journal, which kOps does not have, are outside of it, under `.kops/`. kOps treats every key of the store
//! that ends in `/config` as a cluster, so none of our keys does, not even for a cluster of that name.
//! Machines of our clusters write below `<cluster>/control-plane/`, `<cluster>/join/` and
//! `<cluster>/machines/`, which is if they may: `kops delete cluster` of this project deletes that, kOps'
//! does not. kOps neither takes our lease nor checks generations: working on the same cluster with both *at
//! the same time* is as unsafe as with two instances of kOps.
//!
//! # Edits
//! A value that was read is [`Versioned`], and an update requires it: every write names the version it
//! replaces. Of two edits based on the same version, the second is rejected, and the error names both
//! generations. As in kOps, `metadata.generation` increases when the specification changes, not when only
//! labels or annotations do.
//!
//! # Whole clusters
//! [`ClusterStore::create_all`] and [`ClusterStore::replace_all`] write a cluster as one operation: everything is
//! checked before the first write, and `<cluster>/config`, which makes a cluster exist, is written last. If
//! interrupted, they can be repeated.
//!
//! # Reading
//! [`ClusterStore::read`] reads a whole cluster with one list call and one read per object, concurrently. The
//! list starts before `<cluster>/clusteraddons/` and skips the thousands of etcd backups under
//! `<cluster>/backups/` that a cluster accumulates over the years.

mod additional;
mod cluster;
mod clusters;
mod document;
mod keysets;
mod machines;
mod secrets;
mod ssh;
#[cfg(test)]
mod tests;
mod upload;
mod whole;

pub use self::additional::AdditionalObjects;
pub use self::cluster::{ClusterDeletion, ClusterState, ClusterStore, OpenedCluster};
pub use self::clusters::{ClusterRegistry, Listed};
pub use self::document::{Stored, Versioned};
pub use self::secrets::SecretData;
pub use self::ssh::ssh_fingerprint;
use kops_core::store::{Prefix, StoreKey};
use kops_core::{Error, Result};

/// The top-level name of objects that kOps does not know.
const OURS: &str = ".kops";

const CONFIG: &str = "config";
const INSTANCE_GROUPS: &str = "instancegroup";
const ADDITIONAL: &str = "clusteraddons";
const KEYSETS: &str = "pki/private";
const MACHINES: &str = "machines";
const SECRETS: &str = "secrets";
const SSH_KEYS: &str = "pki/ssh/public/admin";
const COMPLETED: &str = "cluster-completed.spec";
const APPLIED_VERSION: &str = "kops-version.txt";

/// Whether kOps or the cluster's machines write objects with this key, relative to the cluster's directory.
fn is_known(relative: &str) -> bool {
    // `cluster.spec` is what versions before 1.12 called the completed specification.
    const FILES: [&str; 4] = [CONFIG, COMPLETED, APPLIED_VERSION, "cluster.spec"];
    const DIRECTORIES: [&str; 8] =
        ["addons", "backups", "clusteraddons", "igconfig", INSTANCE_GROUPS, "manifests", "pki", SECRETS];
    /// Those that the machines of a cluster have: kops-node's README has the table.
    const OURS: [&str; 6] = ["control", "control-plane", "join", "kops-node", MACHINES, "openstack"];
    FILES.contains(&relative)
        || relative
            .split_once('/')
            .is_some_and(|(directory, _)| DIRECTORIES.contains(&directory) || OURS.contains(&directory))
}

/// The keys of one cluster.
#[derive(Clone, Debug)]
struct Paths {
    cluster: Prefix,
    ours: Prefix,
}

impl Paths {
    fn of(cluster: &str) -> Result<Self> {
        let letters = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        let starts_well = cluster.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !starts_well || !cluster.chars().all(letters) {
            return Err(Error::invalid(format!("`{}` is not a valid cluster name", cluster.escape_debug()))
                .with_hint("use a DNS name, such as ha.example.com"));
        }
        Ok(Self { cluster: Prefix::new(cluster)?, ours: Prefix::new(format!("{OURS}/{cluster}"))? })
    }

    fn config(&self) -> Result<StoreKey> {
        self.cluster.key(CONFIG)
    }

    fn additional(&self) -> Result<StoreKey> {
        self.cluster.join(ADDITIONAL)?.key("default")
    }

    fn instance_group(&self, name: &str) -> Result<StoreKey> {
        if name.is_empty() || name.contains('/') {
            return Err(Error::invalid(format!(
                "`{}` is not a valid instance group name",
                name.escape_debug()
            )));
        }
        self.cluster.join(INSTANCE_GROUPS)?.key(name)
    }
}
