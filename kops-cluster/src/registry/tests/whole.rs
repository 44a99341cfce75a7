//! Clusters written as one operation, and worked on as one.

use super::*;
use crate::spec::{ClusterFiles, SshCredential};
use kops_core::CancellationToken;
use kops_core::Result;
use kops_core::testing::StoreFault;

const OTHER_SSH: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA bob@lap";

fn key(public_key: &str) -> SshCredential {
    let mut credential = SshCredential::default();
    public_key.clone_into(&mut credential.spec.public_key);
    credential
}

fn files(groups: &[&str], keys: &[&str]) -> ClusterFiles {
    ClusterFiles {
        cluster: Cluster::named(NAME),
        instance_groups: groups.iter().map(|name| group(name)).collect(),
        ssh_keys: keys.iter().map(|text| key(text)).collect(),
        ..ClusterFiles::default()
    }
}

/// Group names, SSH keys.
fn parts(state: &ClusterState) -> (Vec<&str>, Vec<&str>) {
    let groups = state.instance_groups.iter().map(|group| group.metadata.name.as_str());
    (groups.collect(), state.ssh_keys.iter().map(|key| key.spec.public_key.as_str()).collect())
}

/// Scripts one fault for the `n`th write from now.
fn fail_at(store: &FaultyStore, n: usize, fault: StoreFault) {
    store.script(std::iter::repeat_n(StoreFault::Pass, n).chain([fault]));
}

#[tokio::test]
async fn a_cluster_is_created_as_a_whole_with_its_specification_last() {
    let store = FaultyStore::default();
    let wanted = files(&["nodes", "bastions"], &[SSH]);
    let created = cluster(&store).create_all(&wanted).await.unwrap();
    let writes: Vec<_> = store.calls().into_iter().filter(|call| call.starts_with("put")).collect();
    assert_eq!(
        writes,
        [
            "put ha.example.com/instancegroup/bastions".to_owned(),
            "put ha.example.com/instancegroup/nodes".to_owned(),
            format!("put {SSH_AT}"),
            "put ha.example.com/config".to_owned(),
        ]
    );
    // What it returns is what is read.
    assert_eq!(cluster(&store).read().await.unwrap(), created);
    let again = cluster(&store).create_all(&wanted).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
}

/// Broken off at any write, whether the write arrived or not: nothing is seen of it, and it can be repeated, also as
/// another cluster.
#[tokio::test]
async fn a_creation_broken_off_anywhere_can_be_repeated() {
    for fault in [StoreFault::Refuse, StoreFault::LoseAnswer] {
        for n in 0..4 {
            for (groups, keys) in
                [(vec!["bastions", "nodes"], vec![SSH]), (vec!["nodes", "spot"], vec![OTHER_SSH])]
            {
                let store = FaultyStore::default();
                fail_at(&store, n, fault);
                let broken = cluster(&store).create_all(&files(&["nodes", "bastions"], &[SSH])).await;
                assert_eq!(broken.unwrap_err().kind(), ErrorKind::Unavailable, "{n}");
                let complete = n == 3 && fault == StoreFault::LoseAnswer;
                assert_eq!(registry(&store).list().await.unwrap().len(), usize::from(complete), "{n}");
                let repeated = cluster(&store).create_all(&files(&groups, &keys)).await;
                if complete {
                    assert_eq!(repeated.unwrap_err().kind(), ErrorKind::AlreadyExists);
                    continue;
                }
                repeated.unwrap();
                let state = cluster(&store).read().await.unwrap();
                assert_eq!(parts(&state), (groups, keys), "{fault:?} at {n}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_before_anything_is_written() {
    let mut other = files(&["nodes"], &[]);
    "other.example.com".clone_into(&mut other.cluster.metadata.name);
    let mut foreign = files(&["nodes"], &[]);
    foreign.instance_groups.push(InstanceGroup::named("more", Role::Node, "other.example.com"));
    let base = cluster(&written_by_kops().await).read().await.unwrap();
    let wrongs = vec![
        (other, "is of cluster other.example.com"),
        (foreign, "InstanceGroup/more has the label of cluster other.example.com"),
        (files(&["nodes", "nodes"], &[]), "InstanceGroup/nodes occurs twice"),
        (files(&["a/b"], &[]), "not a valid instance group name"),
        (files(&["nodes"], &["ssh-none"]), "not a public SSH key"),
    ];
    for (wrong, says) in wrongs {
        let store = FaultyStore::default();
        for error in [
            cluster(&store).create_all(&wrong).await.unwrap_err(),
            cluster(&store).replace_all(&base, &wrong).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.message().contains(says), "{error}");
        }
        assert!(store.calls().is_empty());
    }
}

/// The files of a cluster with one group changed, one new, one gone, and another key.
fn changed(base: &ClusterState) -> ClusterFiles {
    let mut files = ClusterFiles::from(base.clone());
    files.instance_groups.retain(|group| group.metadata.name != "bastions");
    files.instance_groups[0].spec.max_size = Some(7);
    files.instance_groups.push(group("spot"));
    files.ssh_keys = vec![key(OTHER_SSH)];
    files.cluster.spec.channel = Some("alpha".to_owned());
    files
}

#[tokio::test]
async fn a_cluster_is_replaced_as_a_whole() {
    let store = written_by_kops().await;
    let base = cluster(&store).read().await.unwrap();
    let wanted = changed(&base);
    let replaced = cluster(&store).replace_all(&base, &wanted).await.unwrap();
    let state = cluster(&store).read().await.unwrap();
    assert_eq!(parts(&state), (vec!["nodes", "spot"], vec![OTHER_SSH]));
    assert_eq!(state.cluster.spec.channel.as_deref(), Some("alpha"));
    assert_eq!((state.cluster.generation(), state.instance_groups[0].spec.max_size), (4, Some(7)));
    assert_eq!(state.instance_groups, replaced.instance_groups);
    // Repeated from what is there now, it changes nothing.
    store.calls();
    cluster(&store).replace_all(&state, &wanted).await.unwrap();
    assert!(!store.calls().iter().any(|call| call.starts_with("put") || call.starts_with("delete")));
}

#[tokio::test]
async fn a_replacement_broken_off_anywhere_can_be_repeated() {
    for fault in [StoreFault::Refuse, StoreFault::LoseAnswer] {
        // The changed and the new group, the key, the cluster, the group and the key that are gone.
        for n in 0..6 {
            let store = written_by_kops().await;
            let base = cluster(&store).read().await.unwrap();
            let wanted = changed(&base);
            fail_at(&store, n, fault);
            let broken = cluster(&store).replace_all(&base, &wanted).await;
            assert_eq!(broken.unwrap_err().kind(), ErrorKind::Unavailable, "{n}");
            let base = cluster(&store).read().await.unwrap();
            cluster(&store).replace_all(&base, &wanted).await.unwrap();
            let state = cluster(&store).read().await.unwrap();
            assert_eq!(parts(&state), (vec!["nodes", "spot"], vec![OTHER_SSH]), "{fault:?} at {n}");
        }
    }
}

/// Somebody changes one thing between reading and replacing: all of it is refused, and nothing written.
#[tokio::test]
async fn a_replacement_that_was_overtaken_writes_nothing() {
    for at in ["config", "instancegroup/nodes", "instancegroup/bastions", "instancegroup/spot"] {
        let store = written_by_kops().await;
        let base = cluster(&store).read().await.unwrap();
        let place = format!("{NAME}/{at}");
        if at == "instancegroup/spot" {
            cluster(&store).create_instance_group(&group("spot")).await.unwrap();
        } else {
            let edited = text(&store, &place).await.replace("spec:\n", "spec:\n  kubelet: {}\n");
            write(&store, &place, &edited).await;
        }
        store.calls();
        let error = cluster(&store).replace_all(&base, &changed(&base)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{at}: {error}");
        assert!(error.to_string().contains("nothing was written"), "{error}");
        assert!(
            !store.calls().iter().any(|call| call.starts_with("put") || call.starts_with("delete")),
            "{at}"
        );
    }
}

async fn operate<T>(store: &FaultyStore, work: impl AsyncFnOnce(&ClusterStore) -> Result<T>) -> Result<T> {
    let cluster = cluster(store);
    let request = LeaseRequest::new(Holder::new("ann@desk", "update cluster"));
    cluster.operate(request, CancellationToken::new(), |_| work(&cluster)).await
}

#[tokio::test]
async fn work_on_a_cluster_that_is_not_there_leaves_no_lock() {
    let store = FaultyStore::default();
    let lock = cluster(&store).lock_key().unwrap();
    let error = operate(&store, async |cluster| cluster.read().await).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(store.inner.get(&lock).await.unwrap().is_none());
    // Something else is not found: the cluster is there, and so its lock and epoch stay.
    let store = written_by_kops().await;
    let error = operate(&store, async |cluster| cluster.instance_group("none").await).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let record = kops_core::store::lease::holder(&store.inner, &lock).await.unwrap();
    assert!(record.is_none() && store.inner.get(&lock).await.unwrap().is_some());
}

#[tokio::test]
async fn the_lock_is_held_while_a_cluster_is_worked_on() {
    let store = written_by_kops().await;
    operate(&store, async |cluster| {
        let other = LeaseRequest::new(Holder::new("bob@lap", "delete cluster"));
        assert_eq!(cluster.lock(other).await.unwrap_err().kind(), ErrorKind::Locked);
        Ok(())
    })
    .await
    .unwrap();
    let other = LeaseRequest::new(Holder::new("bob@lap", "delete cluster"));
    assert_eq!(cluster(&store).lock(other).await.unwrap().epoch(), 2);
}
