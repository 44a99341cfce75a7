//! Cloud Storage as a state store: the contract on the emulator, and what goes wrong with buckets.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::net::TcpListener;
use std::sync::Arc;

use kops_core::clock::SystemClock;
use kops_core::store::{
    ClusterRegistry, Holder, Key, LeaseRequest, Precondition, Prefix, StateStore, StateStoreExt as _, Stores,
    conformance,
};
use kops_core::{Error, ErrorKind};
use kops_gce::{Gce, GceBuilder, GcsStores};
use kops_gce_emulator::{Emulator, Fault};

const PUT: &str = "storage.objects.insert";

fn builder(endpoint: &str) -> GceBuilder {
    Gce::builder().endpoint(endpoint).anonymous()
}

fn stores(endpoint: &str) -> Stores {
    Stores::new().with("gs", GcsStores::new(builder(endpoint), Arc::new(SystemClock::new())))
}

async fn open(google: &Emulator, url: &str) -> Arc<dyn StateStore> {
    stores(&google.endpoint()).open(url).await.unwrap()
}

/// A store in a new bucket of a new project.
async fn new_store(google: &Emulator) -> (Arc<dyn StateStore>, String) {
    let bucket = google.create_bucket("state");
    (open(google, &format!("gs://{bucket}/clusters")).await, bucket)
}

fn key(key: &str) -> Key {
    Key::new(key).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let google = Emulator::start();
    let (store, bucket) = new_store(&google).await;
    conformance::run(store).await.unwrap();
    // At the root of a bucket as well, beside others' objects.
    let other = open(&google, &format!("gs://{bucket}/clusters/other")).await;
    other.put(&key("a"), vec![], Precondition::Any).await.unwrap();
    conformance::run(open(&google, &format!("gs://{bucket}")).await).await.unwrap();
}

#[tokio::test]
async fn objects_lie_under_the_prefix_and_others_are_not_seen() {
    let google = Emulator::start();
    let (store, bucket) = new_store(&google).await;
    assert_eq!(store.location(), format!("gs://{bucket}/clusters"));
    store.put(&key("x/config"), b"c".to_vec(), Precondition::Absent).await.unwrap();
    let root = open(&google, &format!("gs://{bucket}/")).await;
    root.put(&key("clustersx/config"), vec![], Precondition::Absent).await.unwrap();
    let listed = |entries: Vec<kops_core::store::Entry>| {
        entries.into_iter().map(|entry| entry.key).collect::<Vec<_>>()
    };
    assert_eq!(listed(store.list(&Prefix::root(), None).await.unwrap()), [key("x/config")]);
    let all = listed(root.list(&Prefix::root(), None).await.unwrap());
    assert_eq!(all, [key("clusters/x/config"), key("clustersx/config")]);
}

#[tokio::test]
async fn failures_that_pass_are_repeated_and_lost_answers_are_understood() {
    let google = Emulator::start();
    let (store, _) = new_store(&google).await;
    for (n, fault) in [Fault::throttle(PUT), Fault::unavailable(PUT), Fault::drop(PUT), Fault::lose(PUT)]
        .into_iter()
        .enumerate()
    {
        google.forget_calls();
        google.inject(fault.times(1));
        store.put(&key(&n.to_string()), b"x".to_vec(), Precondition::Absent).await.unwrap();
        assert_eq!(google.calls().count(PUT), 2);
    }
    google.inject(Fault::lose("storage.objects.delete").times(1));
    let version = store.read(&key("0")).await.unwrap().version;
    store.delete(&key("0"), Some(&version)).await.unwrap();
    assert!(store.get(&key("0")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_lease_lives_in_a_bucket() {
    let google = Emulator::start();
    let (store, _) = new_store(&google).await;
    let registry = ClusterRegistry::new(store, Arc::new(SystemClock::new()));
    let cluster = registry.cluster("x.example.com").unwrap();
    let request = |who: &str| LeaseRequest::new(Holder::new(who, "update cluster"));
    let lease = cluster.lock(request("ann@desk")).await.unwrap();
    let error = cluster.lock(request("bob@lap")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    lease.release().await.unwrap();
    cluster.lock(request("bob@lap")).await.unwrap().remove().await.unwrap();
}

async fn all_calls(store: &dyn StateStore) -> Vec<Error> {
    let a = key("a");
    vec![
        store.get(&a).await.unwrap_err(),
        store.put(&a, b"hunter2".to_vec(), Precondition::Absent).await.unwrap_err(),
        store.delete(&a, None).await.unwrap_err(),
        store.list(&Prefix::root(), None).await.unwrap_err(),
        store.directories(&Prefix::root()).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn a_missing_bucket_is_told_and_not_made() {
    let google = Emulator::start();
    for error in all_calls(&*open(&google, "gs://no-such-bucket-here").await).await {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.message().contains("no-such-bucket-here, does not exist"), "{error}");
        assert!(error.advice().unwrap().contains("create gs://no-such-bucket-here"), "{error}");
    }
}

#[tokio::test]
async fn a_denied_bucket_is_told_with_what_is_needed() {
    let google = Emulator::start();
    let (store, bucket) = new_store(&google).await;
    google.deny(&["storage.*"]);
    for error in all_calls(&*store).await {
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.message().contains(&format!("no access to the bucket {bucket}")), "{error}");
        assert!(error.advice().unwrap().contains("storage.objects.list"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_does_not_answer_is_named() {
    // A port that nobody listens on: it was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap().port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let store = stores(&endpoint).open("gs://bucket").await.unwrap();
    let error = store.get(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&endpoint), "{error}");
}

#[tokio::test]
async fn wrong_urls_are_refused() {
    let stores = stores("http://127.0.0.1:1");
    for (url, says) in
        [("gs://", "names no bucket"), ("gs:///prefix", "names no bucket"), ("gs://b/a//b", "no key")]
    {
        let error = stores.open(url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(says), "{error}");
    }
}
