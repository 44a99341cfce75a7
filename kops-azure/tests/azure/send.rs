//! Every public future of this crate can be given to any executor: that it compiles is the test, and a body that is
//! never polled runs nothing.

use kops_azure::{Azure, AzureBuilder};

use crate::public_futures;

fn sends(_: impl Send) {}

fn all(builder: AzureBuilder) {
    sends(Azure::from_env());
    sends(builder.build());
}

#[test]
fn every_public_future_is_send() {
    let _ = all;
    let missing = public_futures::not_listed(env!("CARGO_MANIFEST_DIR"), include_str!("send.rs"));
    assert!(missing.is_empty(), "add {missing:?}");
}
