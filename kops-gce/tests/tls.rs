//! Connecting leaves the cryptography of the process to the program. One test, since a process has one provider for good.

use kops_core::ErrorKind;
use kops_gce::Gce;
use rustls::crypto::CryptoProvider;

#[tokio::test]
async fn a_provider_is_installed_on_demand_only() {
    let builder = || Gce::builder().project("p").region("r").anonymous();
    let error = builder().build().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("install_ring"), "{error}");
    assert!(CryptoProvider::get_default().is_none(), "it was installed all the same");

    builder().install_ring().build().await.unwrap();
    let installed = CryptoProvider::get_default().unwrap().clone();

    // Once there is one, nothing more is needed, and nothing changes.
    builder().build().await.unwrap();
    builder().install_ring().build().await.unwrap();
    assert!(std::sync::Arc::ptr_eq(&installed, CryptoProvider::get_default().unwrap()));
}
