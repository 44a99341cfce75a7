//! The state store in blobs, on Azurite.

use std::sync::Arc;

use kops_azure::{AzureBuilder, BlobStores};
use kops_azure_emulator::azurite::{ACCOUNT, Azurite, KEY};
use kops_core::ErrorKind;
use kops_core::clock::{Clock, SystemClock};
use kops_core::store::conformance::bucket::{self, BucketFixture, Mishap, Verb};
use kops_core::store::{Precondition, StoreKey, Stores};

struct Blobs(Azurite);

fn stores(key: &str, endpoint: &str, clock: Arc<dyn Clock>) -> Stores {
    let builder = AzureBuilder::new().storage_key(key);
    Stores::new().with("azureblob", BlobStores::new(builder, clock).endpoint(endpoint))
}

impl BucketFixture for Blobs {
    fn stores(&self, clock: Arc<dyn Clock>, endpoint: Option<&str>) -> Stores {
        stores(KEY, endpoint.unwrap_or(&self.0.endpoint()), clock)
    }

    fn make(&self) -> String {
        format!("azureblob://{ACCOUNT}/{}", self.0.container())
    }

    fn missing(&self) -> (String, String) {
        let make =
            format!("az storage container create --auth-mode login --account-name {ACCOUNT} --name nowhere");
        (format!("azureblob://{ACCOUNT}/nowhere"), make)
    }

    fn put(&self, _: &str, object: &str) {
        self.0.put(object);
    }

    fn fail(&self, _: &str, verb: Verb, how: Mishap) {
        let method = match verb {
            Verb::Put => "PUT",
            Verb::Delete => "DELETE",
        };
        let what = match how {
            Mishap::Throttled => "throttle",
            Mishap::Unavailable => "unavailable",
            Mishap::Dropped => "drop",
            Mishap::Lost => "lose",
        };
        self.0.fail(method, what);
    }

    fn writes(&self) -> usize {
        self.0.writes()
    }

    fn deny(&self) {
        self.0.deny();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_a_state_store() {
    if Azurite::start().is_none() {
        return;
    }
    bucket::run(|| Blobs(Azurite::start().unwrap())).await.unwrap();
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_not_shown() {
    let Some(azurite) = Azurite::start() else { return };
    let wrong = KEY.replace("Eby8", "wrng");
    let stores = stores(&wrong, &azurite.endpoint(), Arc::new(SystemClock::new()));
    let url = format!("azureblob://{ACCOUNT}/{}", azurite.container());
    let store = stores.open(&url).await.unwrap();
    let error = store.put(&StoreKey::new("a").unwrap(), b"x".to_vec(), Precondition::Any).await.unwrap_err();
    // Azure says AuthenticationFailed, Azurite AuthorizationFailure.
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert_eq!(azurite.writes(), 1, "what cannot succeed is not repeated");
    for text in [format!("{error:?}"), format!("{store:?}")] {
        assert!(!text.contains(&wrong), "{text}");
    }
}
