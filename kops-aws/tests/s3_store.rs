//! S3 as a state store: the contract on the emulator, and what goes wrong with buckets.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use kops_aws::{Aws, AwsBuilder, S3Stores};
use kops_core::clock::SystemClock;
use kops_core::store::{
    ClusterRegistry, Holder, Key, LeaseRequest, Precondition, Prefix, StateStore, StateStoreExt as _, Stores,
    conformance,
};
use kops_core::{Error, ErrorKind};
use kops_moto::{Fault, Moto};

const GET: &str = "s3:GetObject";
const PUT: &str = "s3:PutObject";

fn builder(endpoint: &str, access_key: &str) -> AwsBuilder {
    Aws::builder().region(kops_moto::REGION).endpoint(endpoint).static_credentials(access_key, "secret", None)
}

fn stores(endpoint: &str, access_key: &str) -> Stores {
    Stores::new().with("s3", S3Stores::new(builder(endpoint, access_key), Arc::new(SystemClock::new())))
}

async fn open(moto: &Moto, url: &str) -> Arc<dyn StateStore> {
    stores(&moto.endpoint(), &moto.access_key()).open(url).await.unwrap()
}

/// A store in a new bucket of a new account.
async fn new_store(moto: &Moto) -> (Arc<dyn StateStore>, String) {
    let bucket = moto.create_bucket("state");
    (open(moto, &format!("s3://{bucket}/clusters")).await, bucket)
}

fn key(key: &str) -> Key {
    Key::new(key).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let moto = Moto::start();
    let (store, bucket) = new_store(&moto).await;
    // moto checks a condition and writes in two steps, where S3 does both at once; the harness lets it work on
    // one request at a time, so that the rules about racers hold on it too.
    conformance::run(store).await.unwrap();
    // At the root of a bucket as well, beside others' objects.
    let other = open(&moto, &format!("s3://{bucket}/clusters/other")).await;
    other.put(&key("a"), vec![], Precondition::Any).await.unwrap();
    conformance::run(open(&moto, &format!("s3://{bucket}")).await).await.unwrap();
}

#[tokio::test]
async fn objects_lie_under_the_prefix_and_others_are_not_seen() {
    let moto = Moto::start();
    let (store, bucket) = new_store(&moto).await;
    assert_eq!(store.location(), format!("s3://{bucket}/clusters"));
    store.put(&key("x/config"), b"c".to_vec(), Precondition::Absent).await.unwrap();
    let root = open(&moto, &format!("s3://{bucket}/")).await;
    root.put(&key("clustersx/config"), vec![], Precondition::Absent).await.unwrap();
    // What the console makes when it is asked for a folder.
    let folder = serde_json::json!({"Bucket": bucket, "Key": "clusters/x/"});
    moto.boto("s3", "put_object", folder);
    let listed = |entries: Vec<kops_core::store::Entry>| {
        entries.into_iter().map(|entry| entry.key).collect::<Vec<_>>()
    };
    assert_eq!(listed(store.list(&Prefix::root(), None).await.unwrap()), [key("x/config")]);
    let all = listed(root.list(&Prefix::root(), None).await.unwrap());
    assert_eq!(all, [key("clusters/x/config"), key("clustersx/config")]);
    assert_eq!(root.location(), format!("s3://{bucket}"));
}

/// The clusters of a store are found without listing what is in them, and one is read in two steps.
#[tokio::test]
async fn a_cluster_is_read_with_one_list_and_each_object_once() {
    let moto = Moto::start();
    let (store, _) = new_store(&moto).await;
    let config = "apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\nmetadata:\n  name: x.example.com\nspec:\n  \
                  cloudProvider: aws\n";
    store.put(&key("x.example.com/config"), config.into(), Precondition::Absent).await.unwrap();
    for n in 0..20 {
        let group = format!(
            "apiVersion: kops.k8s.io/v1alpha2\nkind: InstanceGroup\nmetadata:\n  name: nodes-{n:02}\nspec:\n  role: Node\n"
        );
        store
            .put(&key(&format!("x.example.com/instancegroup/nodes-{n:02}")), group.into(), Precondition::Any)
            .await
            .unwrap();
    }
    let registry = ClusterRegistry::new(store, Arc::new(SystemClock::new()));
    moto.forget_calls();
    let state = registry.cluster("x.example.com").unwrap().read().await.unwrap();
    assert_eq!(state.instance_groups.len(), 20);
    let calls = moto.calls();
    assert_eq!((calls.count(GET), calls.count("s3:ListObjectsV2"), calls.total()), (21, 1, 22));

    moto.forget_calls();
    assert_eq!(registry.list().await.unwrap().len(), 1);
    assert_eq!(moto.calls().total(), 2);
}

#[tokio::test]
async fn failures_that_pass_are_repeated_and_lost_answers_are_understood() {
    let moto = Moto::start();
    let (store, _) = new_store(&moto).await;
    for (n, fault) in [Fault::throttle(PUT), Fault::unavailable(PUT), Fault::drop(PUT), Fault::lose(PUT)]
        .into_iter()
        .enumerate()
    {
        moto.forget_calls();
        moto.inject(fault.times(1));
        store.put(&key(&n.to_string()), b"x".to_vec(), Precondition::Absent).await.unwrap();
        assert_eq!(moto.calls().count(PUT), 2);
    }
    moto.inject(Fault::lose("s3:DeleteObject").times(1));
    let version = store.read(&key("0")).await.unwrap().version;
    store.delete(&key("0"), Some(&version)).await.unwrap();
    assert!(store.get(&key("0")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_lease_lives_in_a_bucket() {
    let moto = Moto::start();
    let (store, _) = new_store(&moto).await;
    let registry = ClusterRegistry::new(store, Arc::new(SystemClock::new()));
    let cluster = registry.cluster("x.example.com").unwrap();
    let request = |who: &str| LeaseRequest::new(Holder::new(who, "update cluster"));
    let lease = cluster.lock(request("ann@desk")).await.unwrap();
    let error = cluster.lock(request("bob@lap")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.message().contains("ann@desk"), "{error}");
    lease.release().await.unwrap();
    let lease = cluster.lock(request("bob@lap")).await.unwrap();
    assert_eq!(lease.epoch(), 2);
    lease.remove().await.unwrap();
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
    let moto = Moto::start();
    for error in all_calls(&*open(&moto, "s3://no-such-bucket-here").await).await {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.message().contains("no-such-bucket-here, does not exist"), "{error}");
        assert!(error.advice().unwrap().contains("aws s3 mb s3://no-such-bucket-here"), "{error}");
    }
}

#[tokio::test]
async fn a_denied_bucket_is_told_with_what_is_needed() {
    let moto = Moto::start();
    let (store, bucket) = new_store(&moto).await;
    moto.deny(&["s3:*"]);
    for error in all_calls(&*store).await {
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.message().contains(&format!("no access to the bucket {bucket}")), "{error}");
        assert!(error.advice().unwrap().contains("s3:ListBucket"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_does_not_answer_is_named() {
    // A port that nobody listens on: it was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap().port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let store = stores(&endpoint, "key").open("s3://bucket").await.unwrap();
    let error = store.get(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&endpoint), "{error}");
}

#[tokio::test]
async fn wrong_urls_are_refused() {
    let stores = stores("http://127.0.0.1:1", "key");
    for (url, says) in
        [("s3://", "names no bucket"), ("s3:///prefix", "names no bucket"), ("s3://b/a//b", "no key")]
    {
        let error = stores.open(url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(says), "{error}");
    }
}

/// A bucket in another region: S3 says where, and from then on requests go there. (The emulator serves every
/// region; this is what S3 answers, once for an unsigned-region redirect and once for the signature.)
#[tokio::test]
async fn a_bucket_is_followed_to_its_region() {
    for (status, code) in
        [("301 Moved Permanently", "PermanentRedirect"), ("400 Bad Request", "AuthorizationHeaderMalformed")]
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let elsewhere = format!(
            "HTTP/1.1 {status}\r\nx-amz-bucket-region: eu-west-1\r\nContent-Type: application/xml\r\n{{}}<Error><Code>{code}</Code>\
             <Message>elsewhere</Message></Error>"
        );
        let server = std::thread::spawn(move || {
            let mut regions = Vec::new();
            for _ in 0..3 {
                let (mut stream, _) = listener.accept().unwrap();
                let region = signed_region(&mut stream);
                let body = if region == "eu-west-1" {
                    "HTTP/1.1 200 OK\r\nETag: \"e\"\r\n{}here"
                } else {
                    &elsewhere
                };
                let (_, content) = body.split_once("{}").unwrap();
                let rest = format!("Content-Length: {}\r\nConnection: close\r\n\r\n", content.len());
                stream.write_all(body.replace("{}", &rest).as_bytes()).unwrap();
                regions.push(region);
            }
            regions
        });
        let store = stores(&endpoint, "key").open("s3://bucket").await.unwrap();
        for _ in 0..2 {
            assert_eq!(store.read(&key("a")).await.unwrap().bytes, b"here");
        }
        assert_eq!(server.join().unwrap(), [kops_moto::REGION, "eu-west-1", "eu-west-1"]);
    }
}

/// The region that a request is signed for.
fn signed_region(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        request.extend(byte);
    }
    let text = String::from_utf8(request).unwrap();
    let scope = text.split("Credential=").nth(1).unwrap();
    scope.split('/').nth(2).unwrap().to_owned()
}
