//! Certificates of load balancers.

use async_trait::async_trait;
use futures_util::future::try_join_all;
use kops_core::cloud::{Lookup, Object, Query};
use kops_core::resource::Resource;
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::managed_policy::named;
use crate::clients::Clients;

/// A certificate of Certificate Manager, or a server certificate of IAM; looked up by its ARN, which is its identifier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// Its status: `ISSUED`, `PENDING_VALIDATION`, `EXPIRED`, …; `None` if it has none, or it may not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

impl Resource for Certificate {
    const KIND: &'static str = "Certificate";
    type Resolved = Self;
}

/// The status of a certificate that a listener can have.
pub(crate) const ISSUED: &str = "ISSUED";

pub(crate) struct Certificates(pub(crate) Clients);

impl Certificates {
    async fn find(&self, arn: &str, query: &Query<'_>) -> Result<Option<Certificate>> {
        // `arn:aws:iam::<account>:server-certificate/<path><name>`
        if let Some((_, path)) = arn.split_once(":server-certificate/") {
            let name = path.rsplit('/').next().unwrap_or(path);
            let request = self.0.iam.get_server_certificate().server_certificate_name(name);
            let answer = self.0.call(query.cx, "iam:GetServerCertificate", request.send()).await;
            return named(answer, |_| Certificate::default());
        }
        let request = self.0.acm.describe_certificate().certificate_arn(arn);
        let answer = self.0.call(query.cx, "acm:DescribeCertificate", request.send()).await;
        named(answer, |found| {
            let status = found.certificate.and_then(|details| details.status);
            Certificate { status: status.map(|status| status.as_str().to_owned()) }
        })
    }
}

#[async_trait]
impl Lookup for Certificates {
    type Kind = Certificate;

    async fn look_up(&self, selectors: &[&str], query: &Query<'_>) -> Result<Vec<Object<Certificate>>> {
        let found = try_join_all(selectors.iter().map(async |arn| {
            let certificate = self.find(arn, query).await?;
            Ok::<_, Error>(certificate.map(|certificate| Object::foreign(*arn, certificate)))
        }));
        Ok(found.await?.into_iter().flatten().collect())
    }
}
