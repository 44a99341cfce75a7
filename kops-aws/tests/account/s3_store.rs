//! S3 as a state store, on moto.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use kops_aws::{Aws, S3Stores};
use kops_cluster::registry::ClusterRegistry;
use kops_core::clock::{Clock, SystemClock};
use kops_core::store::conformance::bucket::{self, BucketFixture, Mishap, Verb};
use kops_core::store::{Precondition, StateStoreExt as _, StoreKey, Stores};
use kops_moto::{Fault, Moto};

const PUT: &str = "s3:PutObject";

struct Buckets(Moto);

fn stores(endpoint: &str, access_key: &str, clock: Arc<dyn Clock>) -> Stores {
    let builder = Aws::builder().region(kops_moto::REGION).endpoint(endpoint);
    Stores::new().with("s3", S3Stores::new(builder.static_credentials(access_key, "secret", None), clock))
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

fn key(key: &str) -> StoreKey {
    StoreKey::new(key).unwrap()
}

impl BucketFixture for Buckets {
    fn stores(&self, clock: Arc<dyn Clock>, endpoint: Option<&str>) -> Stores {
        stores(endpoint.unwrap_or(&self.0.endpoint()), &self.0.access_key(), clock)
    }

    fn make(&self) -> String {
        format!("s3://{}", self.0.create_bucket("state"))
    }

    fn missing(&self) -> (String, String) {
        ("s3://no-such-bucket-here".to_owned(), "aws s3 mb s3://no-such-bucket-here".to_owned())
    }

    fn put(&self, bucket: &str, object: &str) {
        let bucket = bucket.strip_prefix("s3://").unwrap();
        self.0.boto("s3", "put_object", serde_json::json!({"Bucket": bucket, "Key": object}));
    }

    fn fail(&self, _: &str, verb: Verb, how: Mishap) {
        let call = match verb {
            Verb::Put => PUT,
            Verb::Delete => "s3:DeleteObject",
        };
        let fault = match how {
            Mishap::Throttled => Fault::throttle(call),
            Mishap::Unavailable => Fault::unavailable(call),
            Mishap::Dropped => Fault::drop(call),
            Mishap::Lost => Fault::lose(call),
        };
        self.0.inject(fault.times(1));
    }

    fn writes(&self) -> usize {
        self.0.calls().count(PUT)
    }

    fn deny(&self) {
        self.0.deny(&["s3:*"]);
    }
}

/// moto checks a condition and writes in two steps, where S3 does both at once; the harness lets it work on one request
/// at a time, so that the rules about racers hold on it too.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_a_state_store() {
    bucket::run(|| Buckets(Moto::start())).await.unwrap();
}

/// The clusters of a store are found without listing what is in them, and one is read in two steps.
#[tokio::test]
async fn a_cluster_is_read_with_one_list_and_each_object_once() {
    let buckets = Buckets(Moto::start());
    let store = buckets.stores(clock(), None).open(&buckets.make()).await.unwrap();
    let moto = &buckets.0;
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
    let registry = ClusterRegistry::new(store, clock());
    moto.forget_calls();
    let state = registry.cluster("x.example.com").unwrap().read().await.unwrap();
    assert_eq!(state.instance_groups.len(), 20);
    let calls = moto.calls();
    assert_eq!((calls.count("s3:GetObject"), calls.count("s3:ListObjectsV2"), calls.total()), (21, 1, 22));

    moto.forget_calls();
    assert_eq!(registry.list().await.unwrap().len(), 1);
    assert_eq!(moto.calls().total(), 2);
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
        let store = stores(&endpoint, "key", clock()).open("s3://bucket").await.unwrap();
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
