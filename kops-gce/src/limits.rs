//! Google Cloud's rate limits.
//!
//! Quotas are counted per project and, for regional calls, region, over a minute, and are restored at the
//! start of the next minute, all at once. A bucket that holds a sixth of a minute's calls and refills evenly
//! stays below that, whenever the minute starts. Other users of the project are not known here;
//! [`Limiter`](kops_core::cloud::Limiter) adapts when Google throttles.
//!
//! | service | calls per minute | source |
//! |---|---:|---|
//! | Compute Engine: changes, reads, lists, each | 1,500 | <https://cloud.google.com/compute/api-quota> |
//! | Compute Engine: reads of operations | 1,500 | the same |
//! | IAM: reads, writes | 6,000, 600 | <https://cloud.google.com/iam/quotas> |
//! | Resource Manager: reads of policies, writes | 600 each | <https://cloud.google.com/resource-manager/quotas> |
//! | Cloud DNS | 600 used; a project has 6,000 | <https://cloud.google.com/dns/quotas> |
//!
//! Cloud Storage has no limit that a state store comes near, except one write per second to the same object
//! (<https://cloud.google.com/storage/quotas>), which it answers with 429 and the store retries.

use kops_core::cloud::TokenBucket;

use crate::actions;

/// The maximum number of calls in flight: a plan makes some 25 listings concurrently, and the quota of
/// changes admits 25 per second in the long run.
pub(crate) const SLOTS: usize = 64;

const COMPUTE_LISTS: &str = "compute lists";
const COMPUTE_READS: &str = "compute reads";
const COMPUTE_CHANGES: &str = "compute changes";
const OPERATION_READS: &str = "compute operation reads";
const IAM_READS: &str = "iam reads";
const IAM_CHANGES: &str = "iam changes";
const POLICY_READS: &str = "policy reads";
const POLICY_CHANGES: &str = "policy changes";
const DNS: &str = "dns";

/// The bucket that a call takes a token from.
pub(crate) fn bucket_of(call: &str) -> &'static str {
    let looks = actions::only_looks(call);
    let (service, rest) = call.split_once('.').unwrap_or((call, ""));
    match service {
        "compute" if rest.contains("Operations.") => OPERATION_READS,
        "compute" if rest.rsplit('.').next() == Some("list") => COMPUTE_LISTS,
        "compute" if looks => COMPUTE_READS,
        "compute" => COMPUTE_CHANGES,
        "iam" if looks => IAM_READS,
        "iam" => IAM_CHANGES,
        "resourcemanager" if looks => POLICY_READS,
        "resourcemanager" => POLICY_CHANGES,
        "dns" => DNS,
        _ => "none",
    }
}

/// All buckets.
pub(crate) fn buckets() -> Vec<TokenBucket> {
    let a_minute = |name, calls: f64| TokenBucket::new(name, calls / 6.0, calls * 5.0 / 6.0 / 60.0);
    vec![
        a_minute(COMPUTE_LISTS, 1500.0),
        a_minute(COMPUTE_READS, 1500.0),
        a_minute(COMPUTE_CHANGES, 1500.0),
        a_minute(OPERATION_READS, 1500.0),
        a_minute(IAM_READS, 6000.0),
        a_minute(IAM_CHANGES, 600.0),
        a_minute(POLICY_READS, 600.0),
        a_minute(POLICY_CHANGES, 600.0),
        a_minute(DNS, 600.0),
    ]
}

#[cfg(test)]
mod tests {
    use kops_core::cloud::Actions;

    use super::*;

    #[test]
    fn a_minute_never_sees_more_than_the_quota() {
        for bucket in buckets() {
            let minute = bucket.capacity + bucket.per_second * 60.0;
            assert!((599.9..=6000.1).contains(&minute), "{}: {minute}", bucket.name);
        }
    }

    #[test]
    fn calls_draw_from_the_bucket_of_their_quota() {
        let buckets = buckets();
        for call in Actions::names(actions::ALL).into_iter().filter(|call| !call.starts_with("storage.")) {
            assert!(buckets.iter().any(|bucket| bucket.name == bucket_of(call)), "{call}");
        }
        assert_eq!(bucket_of("compute.zoneOperations.list"), OPERATION_READS);
        assert_eq!(bucket_of("compute.routers.get"), COMPUTE_READS);
    }
}
