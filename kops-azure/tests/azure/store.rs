//! The state store in blobs.

use std::sync::Arc;

use kops_azure::{AzureBuilder, BlobStores};
use kops_azure_emulator::{Emulator, Fault, TOKEN};
use kops_core::ErrorKind;
use kops_core::clock::SystemClock;
use kops_core::store::{Key, Precondition, Prefix, StateStore, Stores, conformance};

async fn open(emulator: &Emulator, url: &str) -> Arc<dyn StateStore> {
    let clock = Arc::new(SystemClock::new());
    let stores = BlobStores::new(AzureBuilder::new().token(TOKEN), clock).endpoint(emulator.blob_endpoint());
    Stores::new().with("azureblob", stores).open(url).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_is_kept() {
    let emulator = Emulator::start();
    emulator.create_container("clusters");
    conformance::run(open(&emulator, "azureblob://account/clusters").await).await.unwrap();
    conformance::run(open(&emulator, "azureblob://account/clusters/under/this").await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_repeated_and_a_missing_container_is_told() {
    let emulator = Emulator::start();
    emulator.create_container("clusters");
    let store = open(&emulator, "azureblob://account/clusters").await;
    let key = Key::new("a/config").unwrap();
    emulator.inject(Fault::lose("blobs.put").times(1));
    store.put(&key, b"x".to_vec(), Precondition::Absent).await.unwrap();
    let missing = open(&emulator, "azureblob://account/nothing-here").await;
    let error = missing.list(&Prefix::root(), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("nothing-here"), "{error}");
}
