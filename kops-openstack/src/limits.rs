//! Rate limits.
//!
//! OpenStack itself has none since Nova dropped its own in 2014; an operator may put some in front, and then says
//! so by 413 or 429 with `Retry-After`. So there is a bucket for each service that never empties of its own accord,
//! and that a throttled call empties: from then on the calls of that service come slower for a while. What is
//! limited from the start is how many calls are in flight.

use kops_core::cloud::TokenBucket;

use crate::clients::Service;

/// How many calls are in flight at most. Services of a small cloud run a few workers with one database connection
/// each: more than this only queues up there, and runs into their timeouts.
pub(crate) const SLOTS: usize = 16;

/// The bucket of a service.
pub(crate) fn bucket_of(service: Service) -> &'static str {
    service.name()
}

/// More than a service can answer, until it says otherwise.
pub(crate) fn buckets() -> Vec<TokenBucket> {
    Service::ALL.map(|service| TokenBucket::new(bucket_of(service), 50.0, 50.0)).to_vec()
}
