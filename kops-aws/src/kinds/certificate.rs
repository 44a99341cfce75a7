//! Certificates of load balancers.

use async_trait::async_trait;
use futures_util::future::try_join_all;
use kops_core::cloud::{Lookup, Object, Query};
use kops_core::resource::Resource;
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::managed_policy::exists;
use crate::clients::Clients;

/// A certificate of Certificate Manager, or a server certificate of IAM; looked up by its ARN, which is its identifier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Certificate {}

impl Resource for Certificate {
    const KIND: &'static str = "Certificate";
    type Resolved = Self;
}

pub(crate) struct Certificates(pub(crate) Clients);

impl Certificates {
    async fn exists(&self, arn: &str, query: &Query<'_>) -> Result<bool> {
        // `arn:aws:iam::<account>:server-certificate/<path><name>`
        if let Some((_, path)) = arn.split_once(":server-certificate/") {
            let name = path.rsplit('/').next().unwrap_or(path);
            let request = self.0.iam.get_server_certificate().server_certificate_name(name);
            return exists(self.0.call(query.cx, "iam:GetServerCertificate", request.send()).await);
        }
        let request = self.0.acm.describe_certificate().certificate_arn(arn);
        exists(self.0.call(query.cx, "acm:DescribeCertificate", request.send()).await)
    }
}

#[async_trait]
impl Lookup for Certificates {
    type Kind = Certificate;

    async fn look_up(&self, selectors: &[&str], query: &Query<'_>) -> Result<Vec<Object<Certificate>>> {
        let found = try_join_all(selectors.iter().map(async |arn| {
            Ok::<_, Error>(self.exists(arn, query).await?.then(|| Object::foreign(*arn, Certificate {})))
        }));
        Ok(found.await?.into_iter().flatten().collect())
    }
}
