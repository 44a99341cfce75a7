//! Every public future of this crate can be given to any executor: that it compiles is the test, and a body that is
//! never polled runs nothing.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "../../kops-core/tests/sources/public_futures.rs"]
mod public_futures;
#[path = "../../kops-core/tests/sources/mod.rs"]
mod sources;

use kops_cluster::bundle::StoreFiles;
use kops_cluster::health::{Validator, WaitOptions};
use kops_cluster::kube::{Kube, KubeExt as _, NodeChange, ObjectQuery, ObjectRef, PodQuery};
use kops_cluster::pki::Keypair;
use kops_cluster::registry::{
    AdditionalObjects, ClusterDeletion, ClusterRegistry, ClusterState, ClusterStore, OpenedCluster,
    SecretData, Versioned,
};
use kops_cluster::{Cluster, ClusterCloud, ClusterFiles, InstanceGroup, testing};
use kops_core::CancellationToken;
use kops_core::cloud::Machine;
use kops_core::store::{LeaseRequest, Operation};
use serde_json::Value;

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

fn keys_and_secrets(
    store: &ClusterStore,
    cluster: &Cluster,
    opened: OpenedCluster<'_>,
    keypair: Keypair,
    secret: &SecretData,
) {
    sends(opened.keysets());
    sends(opened.read());
    sends(store.keysets(cluster));
    sends(store.create_keysets(&[]));
    sends(store.ensure_keysets(cluster));
    sends(store.keyset(""));
    sends(store.all_keysets());
    sends(store.add_keypair("", keypair, true));
    sends(store.secrets());
    sends(store.secret(""));
    sends(store.put_secret("", secret, true));
}

fn what_machines_read_and_write(
    store: &ClusterStore,
    files: &StoreFiles,
    additional: &AdditionalObjects,
    machine: &Machine,
) {
    sends(store.upload(files));
    sends(store.update_additional(additional, &[]));
    sends(store.machine_statuses(&[("", machine)]));
}

fn clouds_and_health(files: &ClusterFiles, cloud: &dyn ClusterCloud, validator: Validator<'_>) {
    sends(kops_cluster::with_existing_zones(files, cloud));
    sends(cloud.existing_network(""));
    sends(validator.validate());
    sends(validator.wait(WaitOptions::default(), |_| {}));
    sends(validator.observe());
}

fn the_api(
    kube: &dyn Kube,
    (object, query, document): (&ObjectRef, &ObjectQuery, &Value),
    (change, pods): (&NodeChange, &PodQuery),
) {
    sends(kube.version());
    sends(kube.failing_checks());
    sends(kube.get(object));
    sends(kube.list(query));
    sends(kube.apply(document, "", true));
    sends(kube.patch(object, document));
    sends(kube.delete(object, None));
    sends(kube.evict("", "", None));
    sends(kube.nodes());
    sends(kube.node(""));
    sends(kube.change_node("", change));
    sends(kube.delete_node("", None));
    sends(kube.pods(pods));
    sends(testing::kube_conformance(kube));
}

#[test]
fn every_public_future_is_send() {
    let _ = (all, keys_and_secrets, what_machines_read_and_write, clouds_and_health, the_api);
    let missing = public_futures::not_listed(env!("CARGO_MANIFEST_DIR"), include_str!("send.rs"));
    assert!(missing.is_empty(), "add {missing:?}");
}
