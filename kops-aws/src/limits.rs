//! AWS's rate limits.
//!
//! AWS limits calls per account and region with token buckets. EC2 has one bucket for each action, so
//! creating subnets does not slow down creating routes; Route 53 has one for everything. Published limits are
//! used as they are; where nothing is published, a cautious guess is, and
//! [`Limiter`](kops_core::cloud::Limiter) adapts when AWS throttles.
//!
//! | service | source |
//! |---|---|
//! | EC2 | <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html> |
//! | Elastic Load Balancing | <https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html> |
//! | Route 53 | <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html> |
//! | Key Management Service | <https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html> |
//! | Auto Scaling, Certificate Manager, IAM, STS | not published |
//!
//! The documents describe the defaults; an account may have higher limits. S3 has no limit that a state store
//! comes near (3,500 writes per second and prefix).

use std::collections::BTreeMap;

use kops_core::cloud::{Actions, TokenBucket};

use crate::actions;

/// The maximum number of calls in flight. A plan makes some 30 listings concurrently; a full bucket admits 50
/// creating calls at once. More than that would only queue at AWS, and take sockets and memory here.
pub(crate) const SLOTS: usize = 64;

/// Route 53: five requests per second and account, of any kind.
const ROUTE53: &str = "route53";
/// IAM: the documentation only says that limits cannot be raised; reads and writes share the guess.
const IAM: &str = "iam";

/// The bucket that a call takes a token from.
pub(crate) fn bucket_of(call: &str) -> &str {
    match call.split(':').next() {
        Some("route53") => ROUTE53,
        Some("iam") => IAM,
        _ => call,
    }
}

/// All buckets of the calls in use.
pub(crate) fn buckets() -> Vec<TokenBucket> {
    let buckets: BTreeMap<_, _> = Actions::names(actions::ALL)
        .into_iter()
        .filter_map(|call| {
            let (capacity, per_second) = rate(call)?;
            let name = bucket_of(call);
            Some((name, TokenBucket::new(name, capacity, per_second)))
        })
        .collect();
    buckets.into_values().collect()
}

/// Capacity and refill per second; `None` if there is no limit.
fn rate(call: &str) -> Option<(f64, f64)> {
    let (service, action) = call.split_once(':')?;
    let rate = match (service, action) {
        ("ec2", action) => ec2(action),
        ("route53", _) => (5.0, 5.0),
        // The capacity of reads is published for Elastic Load Balancing; the rest is a guess, and Auto
        // Scaling is assumed to be the same.
        ("elasticloadbalancing" | "autoscaling", action) if action.starts_with("Describe") => (40.0, 10.0),
        ("elasticloadbalancing" | "autoscaling", _) => (20.0, 3.0),
        // The quota of `DescribeKey`.
        ("kms", _) => (2000.0, 2000.0),
        // A guess.
        ("iam" | "sts" | "acm", _) => (20.0, 10.0),
        _ => return None,
    };
    Some(rate)
}

/// Every listing here is filtered or paginated, for which the larger read bucket applies.
fn ec2(action: &str) -> (f64, f64) {
    match action {
        "CreateTags" | "DeleteTags" => (100.0, 10.0),
        "CreateLaunchTemplateVersion" | "CreateVolume" | "TerminateInstances" => (100.0, 5.0),
        "CreateNatGateway" | "DeleteNatGateway" => (10.0, 1.0),
        "RunInstances" => (5.0, 2.0),
        action if action.starts_with("Describe") => (100.0, 20.0),
        _ => (50.0, 5.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ec2_meters_by_action_and_route53_as_a_whole() {
        let buckets = buckets();
        let of = |call: &str| buckets.iter().find(|bucket| bucket.name == bucket_of(call)).copied();
        assert_ne!(of("ec2:CreateSubnet").unwrap().name, of("ec2:CreateRoute").unwrap().name);
        assert!(of("ec2:CreateNatGateway").unwrap().per_second < of("ec2:CreateSubnet").unwrap().per_second);
        assert_eq!(of("route53:ListHostedZones"), of("route53:ChangeResourceRecordSets"));
        assert_eq!(of("s3:PutObject"), None);
    }

    #[test]
    fn every_call_but_those_of_s3_is_metered() {
        for call in Actions::names(actions::ALL).into_iter().filter(|call| !call.starts_with("s3:")) {
            assert!(buckets().iter().any(|bucket| bucket.name == bucket_of(call)), "{call}");
        }
    }
}
