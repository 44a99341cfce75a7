//! Every public future of this crate can be given to any executor: that it compiles is the test, and a body that is
//! never polled runs nothing.

use kops_cluster::registry::{ClusterDeletion, ClusterRegistry, ClusterState, ClusterStore, Versioned};
use kops_cluster::{Cluster, ClusterFiles, InstanceGroup};
use kops_core::CancellationToken;
use kops_core::store::{LeaseRequest, Operation};

fn sends(_: impl Send) {}

#[expect(clippy::too_many_arguments, reason = "one value of each type that a future borrows")]
fn all(
    registry: &ClusterRegistry,
    store: &ClusterStore,
    cluster: &Cluster,
    group: &InstanceGroup,
    files: &ClusterFiles,
    state: &ClusterState,
    base: (&Versioned<Cluster>, &Versioned<InstanceGroup>),
    request: &LeaseRequest,
) {
    sends(registry.list());
    sends(store.open());
    sends(store.read());
    sends(store.cluster());
    sends(store.create(cluster));
    sends(store.update(base.0, cluster));
    sends(store.create_all(files));
    sends(store.replace_all(state, files));
    sends(store.instance_group("nodes"));
    sends(store.create_instance_group(group));
    sends(store.update_instance_group(base.1, group));
    sends(store.delete_instance_group(base.1));
    sends(store.ssh_keys());
    sends(store.add_ssh_key(""));
    sends(store.delete_ssh_key(""));
    sends(store.write_completed(cluster));
    sends(store.applied_version());
    sends(store.write_applied_version(""));
    sends(store.delete(ClusterDeletion::KnownOnly));
    sends(store.lock(request.clone()));
    // With work that borrows, as a program's does.
    sends(store.operate(request.clone(), CancellationToken::new(), |operation: Operation| async move {
        let _cancel = operation.cancel();
        store.delete(ClusterDeletion::Everything).await
    }));
}

#[test]
fn every_public_future_is_send() {
    let _ = all;
    // None is missing above.
    let sources = ["cluster.rs", "clusters.rs", "whole.rs"].map(|file| {
        let path = format!("{}/src/registry/{file}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    });
    let here = include_str!("send.rs");
    for source in sources {
        for name in source.split("pub async fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next()) {
            assert!(
                here.contains(&format!("sends(store.{name}("))
                    || here.contains(&format!("sends(registry.{name}(")),
                "{name}"
            );
        }
    }
}
