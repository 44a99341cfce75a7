//! The cloud itself.

use kops_core::Result;
use kops_core::cloud::Context;

use crate::AwsBuilder;
use crate::clients::Clients;

/// An account of AWS in one region.
#[derive(Clone, Debug)]
pub struct Aws {
    clients: Clients,
    region: String,
}

impl Aws {
    /// Configures a connection.
    pub fn builder() -> AwsBuilder {
        AwsBuilder::new()
    }

    /// Connects as AWS's own tools do; see [`AwsBuilder::from_env`].
    pub async fn from_env() -> Result<Self> {
        AwsBuilder::from_env().build().await
    }

    pub(crate) fn new(clients: Clients, region: String) -> Self {
        Self { clients, region }
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Whose credentials these are: the caller's ARN, e.g. `arn:aws:iam::123456789012:user/ada`.
    pub async fn identity(&self) -> Result<String> {
        self.identity_in(&Context::default()).await
    }

    pub(crate) async fn identity_in(&self, cx: &Context) -> Result<String> {
        let request = self.clients.sts.get_caller_identity().send();
        let caller = self.clients.call(cx, "sts:GetCallerIdentity", request).await?;
        Ok(caller.arn.unwrap_or_default())
    }

    pub(crate) fn clients(&self) -> &Clients {
        &self.clients
    }
}
