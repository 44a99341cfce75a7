//! Rate limits.
//!
//! OpenStack itself has none since Nova dropped its own in 2014; an operator may add some in front, which
//! answer with 413 or 429 and `Retry-After`. So there is a bucket for each service that never empties by
//! itself, and that a throttled call empties: from then on the calls of that service are slower for a while.
//! What is limited from the start is the number of calls in flight.

use kops_core::cloud::TokenBucket;

use crate::clients::Service;

/// The maximum number of calls in flight. Services of a small cloud run a few workers with one database
/// connection each: more than this only queues up there, and runs into their timeouts.
pub(crate) const SLOTS: usize = 16;

/// The bucket of a service.
pub(crate) fn bucket_of(service: Service) -> &'static str {
    service.name()
}

/// More than a service can answer, until it throttles.
pub(crate) fn buckets() -> Vec<TokenBucket> {
    Service::ALL.map(|service| TokenBucket::new(bucket_of(service), 50.0, 50.0)).to_vec()
}
