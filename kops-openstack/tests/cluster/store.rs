//! Swift as a state store: the contract, on the real service.

use std::sync::Arc;

use kops_core::clock::SystemClock;
use kops_core::store::{Key, Precondition, StateStore, Stores, conformance};
use kops_core::{ErrorKind, Result};
use kops_openstack::{Openstack, SwiftStores};
use kops_openstack_lab::Lab;
use serde_json::Value;

async fn open(lab: &Lab, url: &str) -> Result<Arc<dyn StateStore>> {
    let builder = Openstack::builder().auth(lab.entry());
    Stores::new().with("swift", SwiftStores::new(builder, Arc::new(SystemClock::new()))).open(url).await
}

fn key(key: &str) -> Key {
    Key::new(key).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_a_state_store() {
    let Some(lab) = Lab::start() else { return };
    lab.rest().call("swift", "PUT", "v1/AUTH_{project}/state", &Value::Null);
    let store = open(&lab, "swift://state/clusters").await.unwrap();
    // Two who replace one version at the very same moment are not kept apart: Swift has no compare-and-swap.
    conformance::run_except(store.clone(), &["no-lost-update"]).await.unwrap();
    store.put(&key("a"), b"1".to_vec(), Precondition::Absent).await.unwrap();
    let again = store.put(&key("a"), b"2".to_vec(), Precondition::Absent).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_missing_container_is_told() {
    let Some(lab) = Lab::start() else { return };
    let store = open(&lab, "swift://nowhere").await.unwrap();
    for error in [
        store.get(&key("a")).await.unwrap_err(),
        store.put(&key("a"), Vec::new(), Precondition::Absent).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("openstack container create nowhere"), "{error}");
    }
}
