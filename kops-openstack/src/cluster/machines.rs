//! What a cluster's machines have to know of OpenStack.

use kops_cluster::cloud::{NodeFacts, state_store, unreadable};
use kops_cluster::{Cluster, Problems};
use kops_node::bundle::{self, Store};
use kops_node::stage0::Get;

/// The facts of machines, which OpenStack gives no identity: they ask no cloud, and read a directory or a web server.
pub(super) fn facts(cluster: &Cluster) -> Result<NodeFacts, Problems> {
    let base = state_store(cluster)?;
    let cloud = bundle::Cloud::None {};
    let facts = if base.starts_with("swift://") {
        let store = Store { url: base.to_owned(), endpoint: None, region: None };
        Some(NodeFacts::new(cloud, store, Get::Plain { base: base.to_owned() }))
    } else {
        NodeFacts::of_plain_store(cloud, base)
    };
    let facts = facts.ok_or_else(|| unreadable(base, "OpenStack", "swift://, file:// or https://"))?;
    Ok(facts.incomplete(
        "machines have no credential for Swift, and nothing attaches the volumes of etcd's members",
        "use a state store that machines read without one (file:// or https://), and mount the volumes at /mnt/etcd-main",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_machines_cannot_do_yet_is_told() {
        let mut cluster = Cluster::named("ha.example.com");
        cluster.spec.config_store.base = Some("swift://state/ha.example.com".to_owned());
        let (missing, _) = facts(&cluster).unwrap().incomplete.unwrap();
        assert!(missing.contains("no credential for Swift"), "{missing}");
        cluster.spec.config_store.base = Some("s3://state/ha.example.com".to_owned());
        assert!(facts(&cluster).is_err());
    }
}
