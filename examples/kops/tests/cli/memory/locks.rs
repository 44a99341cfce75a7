//! Two operators at once, and operators that die.

use std::sync::Arc;
use std::time::Duration;

use kops_cluster::registry::{ClusterRegistry, ClusterStore};
use kops_core::clock::SystemClock;
use kops_core::store::{Holder, LeaseRequest, LocalStore};

use super::{CREATE, HA, desk};
use crate::common::{Desk, Run, summary};

fn store(desk: &Desk) -> ClusterStore {
    let store = Arc::new(LocalStore::new(desk.path("state")));
    ClusterRegistry::new(store, Arc::new(SystemClock::new())).cluster(HA).unwrap()
}

#[tokio::test]
async fn whoever_comes_second_is_told_who_is_at_work_and_since_when() {
    let desk = desk();
    let lease = store(&desk).lock(LeaseRequest::new(Holder::new("bob@lap", "update cluster"))).await.unwrap();
    for arguments in [
        &["update", "cluster", HA, "--yes"][..],
        &["delete", "cluster", HA, "--yes"],
        &["delete", "ig", "bastions", "--name", HA, "--yes"],
    ] {
        let before = desk.files("state");
        let error = desk.fails(arguments);
        assert!(error.contains("is held by bob@lap (process ") && error.contains(") since 20"), "{error}");
        assert_eq!(desk.files("state"), before);
    }
    // Looking is free.
    assert_eq!(summary(&desk.plan(HA, &[])), [0, 0, 0, 0, 46]);

    // Who is patient waits.
    let waiting = desk.start(&["update", "cluster", HA, "--yes", "--lock-timeout=60"]);
    tokio::time::timeout(Duration::from_secs(2), std::future::pending::<()>()).await.unwrap_err();
    lease.release().await.unwrap();
    let run = tokio::task::spawn_blocking(move || Run::of(waiting)).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.err.contains("waiting for the lock, held by bob@lap"), "{}", run.err);
}

#[test]
fn of_two_updates_at_once_none_does_harm() {
    let desk = Desk::new();
    desk.ok(&CREATE);
    let both = [0, 1].map(|_| desk.start(&["update", "cluster", HA, "--yes", "-o", "json"])).map(Run::of);
    let done = both.iter().filter(|run| run.code == Some(0)).count();
    assert!(done >= 1, "{both:#?}");
    for refused in both.iter().filter(|run| run.code != Some(0)) {
        assert_eq!(refused.code, Some(1));
        assert!(
            refused.err.contains("is held by ann@") && refused.err.contains(") since 20"),
            "{}",
            refused.err
        );
    }
    assert_eq!(summary(&desk.plan(HA, &[])), [0, 0, 0, 0, 46]);
}

#[test]
fn a_lock_left_behind_expires() {
    let desk = desk();
    let request = LeaseRequest::new(Holder::new("bob@lap", "update cluster")).ttl(Duration::from_secs(1));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let killed = runtime();
    // Neither dropped nor released, and renewed no more: as if its holder had been killed.
    std::mem::forget(killed.block_on(store(&desk).lock(request)).unwrap());
    drop(killed);
    let later = async { tokio::time::timeout(Duration::from_secs(2), std::future::pending::<()>()).await };
    runtime().block_on(later).unwrap_err();
    let run = desk.run(&["update", "cluster", HA, "--yes"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.err.contains("waiting for the lock, held by bob@lap"), "{}", run.err);
}

#[tokio::test]
async fn a_deletion_that_lost_only_its_lock_is_done() {
    let desk = desk();
    let lease = store(&desk).lock(LeaseRequest::new(Holder::new("bob@lap", "delete cluster"))).await.unwrap();
    lease.release().await.unwrap();
    std::fs::remove_dir_all(desk.path("state/ha.example.com")).unwrap();
    let printed = desk.ok(&["delete", "cluster", HA, "--yes"]);
    assert!(printed.contains("had been deleted already"), "{printed}");
    assert!(!desk.path("state/.kops/ha.example.com/lock").exists());
}

#[test]
fn a_cluster_that_does_not_exist_gets_no_lock() {
    let desk = Desk::new();
    for arguments in [["update", "cluster", HA, "--yes"], ["delete", "cluster", HA, "--yes"]] {
        let error = desk.fails(&arguments);
        assert!(error.contains("there is no cluster ha.example.com"), "{error}");
        assert!(!desk.path("state/.kops/ha.example.com/lock").exists());
    }
}
