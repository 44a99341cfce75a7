mod keysets;
mod upload;
mod whole;

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::spec::{AdditionalObject, CLUSTER_LABEL, Cluster, InstanceGroup, Role};
use kops_core::ErrorKind;
use kops_core::clock::SystemClock;
use kops_core::cloud::{Machine, MachineState};
use kops_core::store::{
    Holder, IntentLog as _, LeaseRequest, LocalStore, MemoryStore, Precondition, StateStore,
    StateStoreExt as _,
};
use kops_core::testing::FaultyStore;

const NAME: &str = "ha.example.com";
const SSH: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ann@desk";
const SSH_AT: &str = "ha.example.com/pki/ssh/public/admin/0fa20ad7383e6545086b63841cffdcba";

/// As kOps writes it, with a field that only a later version of it knows.
const CONFIG_TEXT: &str = "\
apiVersion: kops.k8s.io/v1alpha2
kind: Cluster
metadata:
  creationTimestamp: \"2026-08-01T12:00:00Z\"
  generation: 3
  name: ha.example.com
spec:
  channel: stable
  cloudProvider: aws
  fromTheFuture: true
  networkCIDR: 172.20.0.0/16
";

fn registry(store: &FaultyStore) -> ClusterRegistry {
    ClusterRegistry::new(Arc::new(store.clone()), Arc::new(SystemClock::new()))
}

fn cluster(store: &FaultyStore) -> ClusterStore {
    registry(store).cluster(NAME).unwrap()
}

fn group(name: &str) -> InstanceGroup {
    InstanceGroup::named(name, Role::Node, NAME)
}

async fn write(store: &FaultyStore, key: &str, text: &str) {
    store.inner.put(&StoreKey::new(key).unwrap(), text.into(), Precondition::Any).await.unwrap();
}

async fn text(store: &FaultyStore, key: &str) -> String {
    String::from_utf8(store.inner.read(&StoreKey::new(key).unwrap()).await.unwrap().bytes).unwrap()
}

async fn written_by_kops() -> FaultyStore {
    let store = FaultyStore::default();
    write(&store, "ha.example.com/config", CONFIG_TEXT).await;
    for name in ["nodes", "bastions"] {
        let text = format!(
            "apiVersion: kops.k8s.io/v1alpha2\nkind: InstanceGroup\nmetadata:\n  labels:\n    {CLUSTER_LABEL}: {NAME}\n  \
             name: {name}\nspec:\n  role: Node\n"
        );
        write(&store, &format!("ha.example.com/instancegroup/{name}"), &text).await;
    }
    write(&store, SSH_AT, SSH).await;
    for key in [
        "addons/bootstrap-channel.yaml",
        "backups/etcd/main/2026-08-01T00:00:00Z-000001/etcd.backup.gz",
        "cluster-completed.spec",
        "igconfig/node/nodes/nodeupconfig.yaml",
        "kops-version.txt",
        "manifests/etcd/main-a.yaml",
        "pki/private/kubernetes-ca/keyset.yaml",
        "secrets/admin",
    ] {
        write(&store, &format!("{NAME}/{key}"), "1.36.0\n").await;
    }
    let addons = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: motd\n  namespace: kube-system\n";
    write(&store, &format!("{NAME}/clusteraddons/default"), addons).await;
    store
}

#[tokio::test]
async fn a_cluster_written_by_kops_is_read_with_one_list_and_each_object_once() {
    let store = written_by_kops().await;
    let state = cluster(&store).read().await.unwrap();
    assert_eq!(state.cluster.generation(), 3);
    assert_eq!(state.cluster.spec.networking.network_cidr, Some("172.20.0.0/16".parse().unwrap()));
    let names: Vec<_> = state.instance_groups.iter().map(|group| group.metadata.name.as_str()).collect();
    assert_eq!(names, ["bastions", "nodes"]);
    assert_eq!(state.ssh_keys[0].spec.public_key, SSH);
    let additional: Vec<_> = state.additional.objects.iter().map(AdditionalObject::title).collect();
    assert_eq!(additional, ["ConfigMap/kube-system/motd"]);
    assert_eq!(cluster(&store).applied_version().await.unwrap().as_deref(), Some("1.36.0"));

    let calls = store.calls();
    let mut read: Vec<_> = calls.iter().filter(|call| call.starts_with("get")).collect();
    read.sort();
    read.dedup();
    assert_eq!(calls.len(), 7, "{calls:?}");
    assert_eq!(read.len(), 6, "{calls:?}");
    // Side by side: the list does not wait for the specification.
    assert_eq!(calls[..2], ["get ha.example.com/config", "list ha.example.com/"]);
}

#[tokio::test]
async fn the_specification_is_there_before_the_rest_is_read() {
    let store = written_by_kops().await;
    store.calls();
    let cluster = cluster(&store);
    let opened = cluster.open().await.unwrap();
    assert_eq!(opened.cluster().name(), "ha.example.com");
    assert_eq!(store.calls(), ["get ha.example.com/config", "list ha.example.com/"]);
    let read = opened.read().await.unwrap();
    let calls = store.calls();
    assert!(calls.iter().all(|call| call.starts_with("get") && !call.ends_with("/config")), "{calls:?}");
    assert_eq!(read, cluster.read().await.unwrap());
}

#[tokio::test]
async fn unknown_fields_are_warned_of_and_survive_an_edit() {
    let store = written_by_kops().await;
    let base = cluster(&store).cluster().await.unwrap();
    assert!(base.warnings[0].to_string().contains("fromTheFuture"), "{:?}", base.warnings);
    let mut edited = base.clone().into_inner();
    edited.spec.channel = Some("alpha".to_owned());
    cluster(&store).update(&base, &edited).await.unwrap();
    let expected = CONFIG_TEXT.replace("stable", "alpha").replace("generation: 3", "generation: 4");
    assert_eq!(text(&store, "ha.example.com/config").await, expected);
}

#[tokio::test]
async fn of_two_edits_the_second_is_refused_with_both_generations() {
    let store = written_by_kops().await;
    let cluster = cluster(&store);
    let (ann, bob) = (cluster.cluster().await.unwrap(), cluster.cluster().await.unwrap());
    let edit = |channel: &str| {
        let mut edited = ann.clone().into_inner();
        edited.spec.channel = Some(channel.to_owned());
        edited
    };
    let written = cluster.update(&ann, &edit("alpha")).await.unwrap();
    assert_eq!(written.generation(), 4);
    let error = cluster.update(&bob, &edit("beta")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let says = format!(
        "Cluster/ha.example.com was changed in the meantime: this change is based on generation 3 (version {}), but \
         the state store has generation 4 (version {})",
        bob.version, written.version
    );
    assert_eq!(error.message(), says);
    // What was written serves as the base of the next edit.
    assert_eq!(cluster.update(&written, &edit("beta")).await.unwrap().generation(), 5);

    let groups =
        [cluster.instance_group("nodes").await.unwrap(), cluster.instance_group("nodes").await.unwrap()];
    let edit = |size| {
        let mut edited = groups[0].clone().into_inner();
        edited.spec.max_size = Some(size);
        edited
    };
    cluster.update_instance_group(&groups[0], &edit(3)).await.unwrap();
    let error = cluster.update_instance_group(&groups[1], &edit(5)).await.unwrap_err();
    assert!(error.message().contains("generation 0") && error.message().contains("generation 1"), "{error}");
    assert_eq!(cluster.delete_instance_group(&groups[1]).await.unwrap_err().kind(), ErrorKind::Conflict);
    let now = cluster.instance_group("nodes").await.unwrap();
    cluster.delete_instance_group(&now).await.unwrap();
    let error = cluster.update_instance_group(&now, &edit(7)).await.unwrap_err();
    assert!(error.message().contains("it was deleted"), "{error}");
    let error = cluster.instance_group("nodes").await.unwrap_err();
    assert!(error.message().contains("cluster ha.example.com has no instance group nodes"), "{error}");
}

#[tokio::test]
async fn only_a_changed_specification_grows_the_generation() {
    let store = written_by_kops().await;
    let cluster = cluster(&store);
    let base = cluster.cluster().await.unwrap();
    store.calls();
    let same = cluster.update(&base, &base.clone().into_inner()).await.unwrap();
    assert_eq!((same.version, store.calls().len()), (base.version.clone(), 0));

    let mut labelled = base.clone().into_inner();
    labelled.metadata.labels.insert("team".to_owned(), "storage".to_owned());
    // Neither an old generation nor a lost time stamp in what a user hands in counts.
    labelled.metadata.generation = Some(1);
    labelled.metadata.creation_timestamp = None;
    let written = cluster.update(&base, &labelled).await.unwrap();
    assert_eq!(written.generation(), 3);
    assert_eq!(written.metadata.creation_timestamp.as_deref(), Some("2026-08-01T12:00:00Z"));
    assert_ne!(written.version, base.version);
}

#[tokio::test]
async fn a_new_cluster_is_stamped_labelled_and_made_once() {
    let store = FaultyStore::default();
    let cluster = cluster(&store);
    let created = cluster.create(&Cluster::named(NAME)).await.unwrap();
    let stamp = created.metadata.creation_timestamp.clone().unwrap();
    assert!(stamp.len() == "2026-08-01T12:00:00Z".len() && stamp.ends_with('Z'), "{stamp}");
    let error = cluster.create(&Cluster::named(NAME)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(
        error.message().contains("Cluster/ha.example.com already exists in state store memory://"),
        "{error}"
    );
    assert_eq!(cluster.create(&Cluster::named("other")).await.unwrap_err().kind(), ErrorKind::Invalid);

    let mut unlabelled = group("nodes");
    unlabelled.metadata.labels.clear();
    let created = cluster.create_instance_group(&unlabelled).await.unwrap();
    assert_eq!(created.metadata.cluster(), Some(NAME));
    let foreign = InstanceGroup::named("more", Role::Node, "other.example.com");
    let error = cluster.create_instance_group(&foreign).await.unwrap_err();
    assert!(error.message().contains("has the label of cluster other.example.com"), "{error}");
    let error = cluster.create_instance_group(&group("a/b")).await.unwrap_err();
    assert!(error.message().contains("not a valid instance group name"), "{error}");

    let mut renamed = created.clone().into_inner();
    renamed.metadata.name = "others".to_owned();
    assert!(
        cluster
            .update_instance_group(&created, &renamed)
            .await
            .unwrap_err()
            .message()
            .contains("cannot be renamed")
    );
}

#[tokio::test]
async fn ssh_keys_are_where_kops_looks_for_them() {
    let store = FaultyStore::default();
    let cluster = cluster(&store);
    cluster.add_ssh_key(SSH).await.unwrap();
    cluster.add_ssh_key(SSH).await.unwrap();
    assert_eq!(text(&store, SSH_AT).await, SSH);
    assert_eq!(cluster.ssh_keys().await.unwrap()[0].spec.public_key, SSH);
    cluster.delete_ssh_key(SSH).await.unwrap();
    assert!(cluster.ssh_keys().await.unwrap().is_empty());
    assert!(cluster.add_ssh_key("-----BEGIN RSA PRIVATE KEY-----").await.is_err());
}

#[tokio::test]
async fn the_list_of_clusters_shows_broken_ones_too() {
    let store = written_by_kops().await;
    write(&store, "broken.example.com/config", "apiVersion: [").await;
    write(&store, "notes/about/config", "not a cluster").await;
    write(&store, "logs/today", "not a cluster").await;
    cluster(&store).journal().unwrap().intend("A/1", "d", &[]).await.unwrap();
    store.calls();
    let listed = registry(&store).list().await.unwrap();
    let names: Vec<_> = listed.iter().map(|listed| (listed.name.as_str(), listed.cluster.is_ok())).collect();
    assert_eq!(names, [("broken.example.com", false), (NAME, true)]);
    let error = listed[0].cluster.as_ref().unwrap_err().to_string();
    assert!(error.contains("memory:///broken.example.com/config: malformed YAML"), "{error}");
    assert_eq!(store.calls().iter().filter(|call| !call.starts_with("get")).count(), 1);
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_told_and_others_are_not_named() {
    let store = written_by_kops().await;
    let other = registry(&store).cluster("hb.example.com").unwrap();
    for error in [
        other.read().await.map(drop),
        other.cluster().await.map(drop),
        other.delete(ClusterDeletion::KnownOnly).await,
    ] {
        assert_eq!(
            error.unwrap_err().to_string(),
            "not found: there is no cluster hb.example.com in the state store memory:// (check its name and the URL \
             of the store, or create it first)"
        );
    }
    let gone =
        ClusterRegistry::new(Arc::new(LocalStore::new("/nowhere/at/all")), Arc::new(SystemClock::new()));
    let error = gone.cluster(NAME).unwrap().read().await.unwrap_err();
    assert!(error.message().contains("the directory of the state store"), "{error}");
    for name in ["", "../x", "a/b", ".kops", "-x", "a b"] {
        assert_eq!(registry(&store).cluster(name).unwrap_err().kind(), ErrorKind::Invalid, "{name}");
    }
}

#[tokio::test]
async fn a_file_of_another_name_is_refused() {
    let store = written_by_kops().await;
    let moved = text(&store, "ha.example.com/instancegroup/nodes").await;
    write(&store, "ha.example.com/instancegroup/copy", &moved).await;
    let error = cluster(&store).read().await.unwrap_err();
    assert!(
        error.message().contains("instancegroup/copy holds the InstanceGroup nodes, not copy"),
        "{error}"
    );
}

#[tokio::test]
async fn deleting_takes_all_of_the_cluster_and_nothing_else() {
    let store = written_by_kops().await;
    write(&store, "ha.example.com.au/config", "another").await;
    let cluster = cluster(&store);
    cluster.journal().unwrap().intend("A/1", "d", &[]).await.unwrap();
    let lease = cluster.lock(LeaseRequest::new(Holder::new("ann@desk", "delete cluster"))).await.unwrap();
    store.calls();
    cluster.delete(ClusterDeletion::KnownOnly).await.unwrap();
    lease.remove().await.unwrap();
    let left = store.inner.list(&Prefix::root(), None).await.unwrap();
    assert_eq!(left.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["ha.example.com.au/config"]);
    let deletions: Vec<_> = store.calls().into_iter().filter(|call| call.starts_with("delete")).collect();
    // The lease was the very last.
    assert_eq!(deletions[deletions.len() - 2], "delete ha.example.com/config");
}

#[tokio::test]
async fn foreign_objects_keep_a_cluster_from_being_deleted() {
    let store = written_by_kops().await;
    let before = store.inner.list(&Prefix::root(), None).await.unwrap().len();
    for key in ["notes.txt", "terraform/state", "configuration"] {
        write(&store, &format!("{NAME}/{key}"), "precious").await;
    }
    let error = cluster(&store).delete(ClusterDeletion::KnownOnly).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(
        error.message().ends_with("that kOps does not know: configuration, notes.txt, terraform/state"),
        "{error}"
    );
    assert_eq!(store.inner.list(&Prefix::root(), None).await.unwrap().len(), before + 3);
    cluster(&store).delete(ClusterDeletion::Everything).await.unwrap();
    assert!(store.inner.list(&Prefix::root(), None).await.unwrap().is_empty());
}

#[tokio::test]
async fn why_a_machine_may_not_join_is_among_its_events_in_the_order_of_time() {
    let store = written_by_kops().await;
    let event = |second: u32, what: &str| json!({"at": format!("2026-11-30T12:00:{second}Z"), "what": what});
    let status = json!({
        "node": "i-1", "state": "waiting", "since": "2026-11-30T12:00:00Z", "kubernetesVersion": "v1.34.4",
        "bundle": "abc", "attempts": 1, "events": [event(10, "joining"), event(30, "the disk is full")],
    });
    write(&store, "ha.example.com/machines/nodes/i-1/status", &status.to_string()).await;
    let machine = Machine::new("i-1", "nodes.ha.example.com", "zone-1a", "large", MachineState::Running);
    for (second, wanted) in
        [(20, ["joining", "held", "the disk is full"]), (40, ["joining", "the disk is full", "held"])]
    {
        let held = event(second, "held").to_string();
        write(&store, "ha.example.com/machines/nodes/i-1/held", &held).await;
        let statuses = cluster(&store).machine_statuses(&[("nodes", &machine)]).await.unwrap();
        let events = statuses[0].as_ref().unwrap().events.iter().map(|it| it.what.as_str());
        assert_eq!(events.collect::<Vec<_>>(), wanted);
    }
}

/// What the original kOps would trip over: it takes every key that ends in `/config` for a cluster, and
/// deletes no cluster with files it does not know.
#[tokio::test]
async fn a_kops_beside_us_is_not_disturbed() {
    let store = MemoryStore::new();
    let registry = ClusterRegistry::new(Arc::new(store.clone()), Arc::new(SystemClock::new()));
    for name in [NAME, "config"] {
        let cluster = registry.cluster(name).unwrap();
        cluster.create(&Cluster::named(name)).await.unwrap();
        cluster.journal().unwrap().intend("A/1", "d", &[]).await.unwrap();
        let _lease =
            cluster.lock(LeaseRequest::new(Holder::new("ann@desk", "update cluster"))).await.unwrap();
    }
    let keys: Vec<StoreKey> =
        store.list(&Prefix::root(), None).await.unwrap().into_iter().map(|entry| entry.key).collect();
    let clusters: Vec<&str> = keys.iter().filter_map(|key| key.as_str().strip_suffix("/config")).collect();
    assert_eq!(clusters, ["config", NAME]);
    let under = Prefix::new(NAME).unwrap();
    assert!(keys.iter().filter_map(|key| under.relative(key)).all(is_known));
    assert_eq!(keys.len(), 6, "{keys:?}");
}

#[tokio::test]
async fn secrets_show_in_no_debug() {
    let store = written_by_kops().await;
    write(&store, "ha.example.com/pki/private/ca/keyset.yaml", "hunter2").await;
    let object =
        store.inner.read(&StoreKey::new("ha.example.com/pki/private/ca/keyset.yaml").unwrap()).await.unwrap();
    write(&store, "ha.example.com/config", "hunter2: [").await;
    let error = cluster(&store).read().await.unwrap_err();
    for shown in [format!("{object:?}"), format!("{store:?}"), format!("{error}"), format!("{error:?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
