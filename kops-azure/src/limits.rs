//! Azure's rate limits.
//!
//! Azure Resource Manager limits calls by subscription, region and principal: a bucket of 250 reads, 200
//! writes and 200 deletions, each refilled by 10 per second
//! (<https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/request-limits-and-throttling>).
//! In addition the network provider allows 1,000 writes and 10,000 reads in five minutes (same page), which
//! is less than ARM's own refill for writes. The compute provider publishes its limits only as names of
//! policies in responses; the limiter adapts when Azure throttles.
//! limiter learns them when Azure throttles.

use kops_core::cloud::TokenBucket;

/// The maximum number of calls in flight: a plan makes some 25 listings concurrently.
pub(crate) const SLOTS: usize = 48;

const READ: &str = "arm/read";
const WRITE: &str = "arm/write";
const DELETE: &str = "arm/delete";
const NETWORK_WRITE: &str = "network/write";

/// The bucket that a call takes a token from; calls are named after their permission.
pub(crate) fn bucket_of(call: &str) -> &'static str {
    let network = call.starts_with("Microsoft.Network/");
    match call.rsplit('/').next() {
        Some("read") => READ,
        Some("delete") if network => NETWORK_WRITE,
        Some("delete") => DELETE,
        _ if network => NETWORK_WRITE,
        _ => WRITE,
    }
}

/// Whether a call is read-only.
pub(crate) fn only_looks(call: &str) -> bool {
    call.ends_with("/read")
}

/// All buckets.
pub(crate) fn buckets() -> Vec<TokenBucket> {
    vec![
        TokenBucket::new(READ, 250.0, 10.0),
        TokenBucket::new(WRITE, 200.0, 10.0),
        TokenBucket::new(DELETE, 200.0, 10.0),
        TokenBucket::new(NETWORK_WRITE, 200.0, 1000.0 / 300.0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_draws_from_a_bucket() {
        for (call, bucket) in [
            ("Microsoft.Network/natGateways/read", READ),
            ("Microsoft.Network/natGateways/write", NETWORK_WRITE),
            ("Microsoft.Network/natGateways/delete", NETWORK_WRITE),
            ("Microsoft.Compute/virtualMachineScaleSets/write", WRITE),
            ("Microsoft.Compute/virtualMachineScaleSets/delete/action", WRITE),
            ("Microsoft.Compute/disks/delete", DELETE),
        ] {
            assert_eq!(bucket_of(call), bucket, "{call}");
            assert!(buckets().iter().any(|it| it.name == bucket));
        }
        assert!(only_looks("Microsoft.Compute/disks/read") && !only_looks("Microsoft.Compute/disks/write"));
    }
}
