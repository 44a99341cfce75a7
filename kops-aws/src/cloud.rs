//! The cloud itself.

use kops_core::Result;

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
        let sts = &self.clients.sts;
        let caller = self.clients.call("sts:GetCallerIdentity", sts.get_caller_identity().send()).await?;
        Ok(caller.arn.unwrap_or_default())
    }
}
