//! Swift as a state store, on the real service.

use std::sync::Arc;

use kops_core::clock::Clock;
use kops_core::store::Stores;
use kops_core::store::conformance::bucket::{self, BucketFixture, Mishap, Verb};
use kops_openstack::{Openstack, SwiftStores};
use kops_openstack_lab::{Fault, Lab};
use serde_json::Value;

/// Objects of any container.
const OBJECTS: &str = "^/v1/AUTH_[^/]+/[^/]+/.+";

struct Containers(Lab);

impl Containers {
    fn swift(&self, method: &str, path: &str) {
        self.0.rest().call("swift", method, &format!("v1/AUTH_{{project}}/{path}"), &Value::Null);
    }
}

impl BucketFixture for Containers {
    fn stores(&self, clock: Arc<dyn Clock>, endpoint: Option<&str>) -> Stores {
        let mut entry = self.0.entry();
        if let Some(endpoint) = endpoint {
            entry["auth"]["auth_url"] = endpoint.into();
        }
        let builder = Openstack::builder().auth(entry);
        Stores::new().with("swift", SwiftStores::new(builder, clock))
    }

    fn make(&self) -> String {
        self.swift("PUT", "state");
        "swift://state".to_owned()
    }

    fn missing(&self) -> (String, String) {
        ("swift://nowhere".to_owned(), "openstack container create nowhere".to_owned())
    }

    fn put(&self, _: &str, object: &str) {
        self.swift("PUT", &format!("state/{object}"));
    }

    fn fail(&self, _: &str, verb: Verb, how: Mishap) {
        let method = match verb {
            Verb::Put => "PUT",
            Verb::Delete => "DELETE",
        };
        let fault = match how {
            Mishap::Throttled => Fault::answer("swift", method, OBJECTS, 429),
            Mishap::Unavailable => Fault::answer("swift", method, OBJECTS, 503),
            // What a proxy says whose connection to Swift has broken off.
            Mishap::Dropped => Fault::answer("swift", method, OBJECTS, 502),
            Mishap::Lost => Fault::lose("swift", method, OBJECTS),
        };
        self.0.inject(&[fault.times(0, 1)]);
    }

    fn writes(&self) -> usize {
        let calls = self.0.calls();
        calls.iter().filter(|call| call.service == "swift" && call.method == "PUT").count()
    }

    fn deny(&self) {
        let denied = ["GET", "HEAD", "PUT", "DELETE"].map(|method| Fault::answer("swift", method, "", 403));
        self.0.inject(&denied);
    }

    /// Two who replace one version at the very same moment are not kept apart: Swift has no compare-and-swap.
    fn cannot(&self) -> &[&str] {
        &["no-lost-update"]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_a_state_store() {
    if Lab::start().is_none() {
        return;
    }
    bucket::run(|| Containers(Lab::start().unwrap())).await.unwrap();
}
