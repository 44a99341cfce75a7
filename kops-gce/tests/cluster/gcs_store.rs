//! Cloud Storage as a state store, on the emulator.

use std::sync::Arc;

use kops_core::clock::Clock;
use kops_core::store::Stores;
use kops_core::store::conformance::bucket::{self, BucketFixture, Mishap, Verb};
use kops_gce::{Gce, GcsStores};
use kops_gce_emulator::{Emulator, Fault};

const PUT: &str = "storage.objects.insert";

struct Buckets(Emulator);

impl BucketFixture for Buckets {
    fn stores(&self, clock: Arc<dyn Clock>, endpoint: Option<&str>) -> Stores {
        let builder =
            Gce::builder().install_ring().endpoint(endpoint.unwrap_or(&self.0.endpoint())).anonymous();
        Stores::new().with("gs", GcsStores::new(builder, clock))
    }

    fn make(&self) -> String {
        format!("gs://{}", self.0.create_bucket("state"))
    }

    fn missing(&self) -> (String, String) {
        let name = "no-such-bucket-here";
        (format!("gs://{name}"), format!("gcloud storage buckets create gs://{name}"))
    }

    fn put(&self, bucket: &str, object: &str) {
        let name = bucket.strip_prefix("gs://").unwrap();
        let address =
            format!("{}/upload/storage/v1/b/{name}/o?uploadType=media&name={object}", self.0.endpoint());
        ureq::post(&address).send_empty().unwrap();
    }

    fn fail(&self, _: &str, verb: Verb, how: Mishap) {
        let call = match verb {
            Verb::Put => PUT,
            Verb::Delete => "storage.objects.delete",
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
        self.0.deny(&["storage.*"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_a_state_store() {
    bucket::run(|| Buckets(Emulator::start())).await.unwrap();
}
