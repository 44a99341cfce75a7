//! The in-memory cloud keeps the contract, in each of its moods; and the suite finds out who does not.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod fixture;
mod flaws;

use std::time::Duration;

use kops_core::cloud::{Cloud, IdentityClass};
use kops_core::resource::{Address, Resource};
use kops_core::testing::conformance;
use kops_core::testing::{Latencies, MemoryCloud, MemoryCloudBuilder};

use fixture::Memory;

async fn conforms(cloud: MemoryCloudBuilder, stride: usize) {
    let report = conformance::run(&Memory::new(cloud.page(10).build(), stride)).await;
    // It can do everything.
    report.assert_held(&["unsupported"]);
}

#[tokio::test(start_paused = true)]
async fn at_once() {
    conforms(MemoryCloud::builder(), 1).await;
}

#[tokio::test(start_paused = true)]
async fn at_its_leisure() {
    conforms(MemoryCloud::builder().latencies(Latencies::realistic()), 4).await;
}

#[tokio::test(start_paused = true)]
async fn with_rate_limits() {
    conforms(MemoryCloud::builder().paced(8), 4).await;
}

#[tokio::test(start_paused = true)]
async fn with_objects_that_cannot_be_told_apart() {
    let cloud = MemoryCloud::builder().identity(Address::KIND, IdentityClass::Journal);
    conforms(cloud, 2).await;
}

#[tokio::test(start_paused = true)]
async fn with_little_to_offer() {
    let capabilities = MemoryCloud::new().capabilities().ipv6(false);
    let cloud = MemoryCloud::builder()
        .capabilities(capabilities)
        .latencies(Latencies::default().call(Duration::from_millis(10)));
    let memory = Memory::new(cloud.build(), 1);
    let report = conformance::run_only(&memory, |rule| rule == "unsupported").await;
    assert_eq!(report.rules, [("unsupported", conformance::Verdict::Held)]);
}
