//! Buckets of S3.

use async_trait::async_trait;
use futures_util::future::try_join_all;
use kops_core::cloud::{Lookup, Object, Query};
use kops_core::resource::Resource;
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::managed_policy::named;
use crate::clients::Clients;

/// A bucket, in which a load balancer keeps its log; looked up by its name, which is its identifier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bucket {}

impl Resource for Bucket {
    const KIND: &'static str = "Bucket";
    type Resolved = Self;
}

pub(crate) struct Buckets(pub(crate) Clients);

#[async_trait]
impl Lookup for Buckets {
    type Kind = Bucket;

    async fn look_up(&self, selectors: &[&str], query: &Query<'_>) -> Result<Vec<Object<Bucket>>> {
        let found = try_join_all(selectors.iter().map(async |name| {
            let request = self.0.s3.head_bucket().bucket(*name);
            let answer = self.0.call(query.cx, "s3:HeadBucket", request.send()).await;
            let bucket = named(answer, |_| Bucket {})?;
            Ok::<_, Error>(bucket.map(|bucket| Object::foreign(*name, bucket)))
        }));
        Ok(found.await?.into_iter().flatten().collect())
    }
}
