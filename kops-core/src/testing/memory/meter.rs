//! The server's rate limits: token buckets that throttle frequent calls.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::cloud::TokenBucket;
use crate::resource::{DnsRecord, DnsZone, Identity, NatGateway, Resource as _, Volume};
use crate::testing::Op;

/// A bucket, and the calls that use it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    pub(super) bucket: TokenBucket,
    draws: fn(&str, Op) -> bool,
}

/// AWS' buckets, as documented; the first that matches a call is used.
///
/// EC2: <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>. Route 53:
/// <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html>. IAM's are not documented; five
/// per second is a safe assumption.
pub(super) fn realistic() -> Vec<Allowance> {
    let bucket = |name, capacity, per_second, draws| Allowance {
        bucket: TokenBucket { name, capacity, per_second },
        draws,
    };
    vec![
        bucket("dns", 5.0, 5.0, |kind, _| kind == DnsZone::KIND || kind == DnsRecord::KIND),
        bucket("identities", 5.0, 5.0, |kind, _| kind == Identity::KIND),
        bucket("nat-gateways", 10.0, 1.0, |kind, op| kind == NatGateway::KIND && op.mutates()),
        bucket("volumes", 100.0, 5.0, |kind, op| kind == Volume::KIND && op == Op::Create),
        bucket("writes", 50.0, 5.0, |_, op| op.mutates()),
        bucket("reads", 100.0, 20.0, |_, _| true),
    ]
}

/// The bucket that a call uses.
pub(super) fn bucket_of(allowance: &[Allowance], kind: &str, op: Op) -> Option<TokenBucket> {
    allowance.iter().find(|it| (it.draws)(kind, op)).map(|it| it.bucket)
}

/// The levels of the buckets.
#[derive(Debug, Default)]
pub(super) struct Meter {
    levels: Mutex<BTreeMap<&'static str, (f64, Duration)>>,
}

impl Meter {
    /// Takes a token, if there is one.
    pub(super) fn draw(&self, bucket: TokenBucket, now: Duration) -> bool {
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        let (tokens, at) = levels.entry(bucket.name).or_insert((bucket.capacity, now));
        let refilled = now.saturating_sub(*at).as_secs_f64() * bucket.per_second;
        *tokens = (*tokens + refilled).min(bucket.capacity);
        *at = now;
        // A client that paces itself exactly must not fail because of a rounding error.
        let there = *tokens > 1.0 - 1e-6;
        if there {
            *tokens -= 1.0;
        }
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_refills() {
        let bucket = TokenBucket { name: "b", capacity: 2.0, per_second: 1.0 };
        let meter = Meter::default();
        let at = Duration::from_millis;
        let drawn = [at(0), at(0), at(0), at(500), at(1500), at(1500)].map(|now| meter.draw(bucket, now));
        assert_eq!(drawn, [true, true, false, false, true, false]);
    }

    #[test]
    fn calls_draw_from_the_narrowest_bucket() {
        let of = |kind, op| bucket_of(&realistic(), kind, op).map(|bucket| bucket.name);
        assert_eq!(of("NatGateway", Op::Create), Some("nat-gateways"));
        assert_eq!(of("NatGateway", Op::List), Some("reads"));
        assert_eq!(of("DnsRecord", Op::List), Some("dns"));
        assert_eq!(of("Subnet", Op::Delete), Some("writes"));
    }
}
