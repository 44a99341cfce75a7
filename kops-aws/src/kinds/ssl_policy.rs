//! Security policies of listeners.

use async_trait::async_trait;
use futures_util::future::try_join_all;
use kops_core::cloud::{Lookup, Object, Query};
use kops_core::resource::Resource;
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::managed_policy::named;
use crate::clients::Clients;

/// A security policy of TLS listeners, one of AWS's; looked up by its name, which is its identifier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SslPolicy {}

impl Resource for SslPolicy {
    const KIND: &'static str = "SslPolicy";
    type Resolved = Self;
}

pub(crate) struct SslPolicies(pub(crate) Clients);

#[async_trait]
impl Lookup for SslPolicies {
    type Kind = SslPolicy;

    async fn look_up(&self, selectors: &[&str], query: &Query<'_>) -> Result<Vec<Object<SslPolicy>>> {
        let found = try_join_all(selectors.iter().map(async |name| {
            let request = self.0.elb.describe_ssl_policies().names(*name);
            let answer =
                self.0.call(query.cx, "elasticloadbalancing:DescribeSSLPolicies", request.send()).await;
            // Services that are compatible with AWS may answer with nothing instead of an error.
            let count = named(answer, |found| Some(found.ssl_policies().len()))?;
            let policy = count.filter(|count| *count != Some(0));
            Ok::<_, Error>(policy.map(|_| Object::foreign(*name, SslPolicy {})))
        }));
        Ok(found.await?.into_iter().flatten().collect())
    }
}
