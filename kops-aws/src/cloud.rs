//! The provider.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use kops_core::Result;
use kops_core::clock::Clock;
use kops_core::cloud::{Capabilities, Class, Cloud, Context, DynHandler, Machines, Permissions, Scope};
use kops_core::graph::TaskGraph;
use kops_core::lower::{Native, passing};

use crate::AwsBuilder;
use crate::clients::Clients;
use crate::{kinds, lower};

/// An AWS account in one region.
#[derive(Clone)]
pub struct Aws {
    clients: Clients,
    region: String,
    handlers: Arc<[Arc<dyn DynHandler>]>,
}

impl Aws {
    /// Configures a connection.
    pub fn builder() -> AwsBuilder {
        AwsBuilder::new()
    }

    /// Connects like AWS's own tools; see [`AwsBuilder::from_env`].
    pub async fn from_env() -> Result<Self> {
        AwsBuilder::from_env().build().await
    }

    pub(crate) fn new(clients: Clients, region: String) -> Self {
        let handlers = kinds::handlers(&clients, &region).into();
        Self { clients, region, handlers }
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The caller's ARN, for example `arn:aws:iam::123456789012:user/ada`.
    pub async fn identity(&self) -> Result<String> {
        self.identity_in(&Context::default()).await
    }

    /// A caller compiles every future that it waits for, except for those in boxes.
    pub(crate) fn identity_in<'a>(&'a self, cx: &'a Context) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move {
            let request = self.clients.sts.get_caller_identity().send();
            let caller = self.clients.call(cx, "sts:GetCallerIdentity", request).await?;
            Ok(caller.arn.unwrap_or_default())
        })
    }

    pub(crate) fn clients(&self) -> &Clients {
        &self.clients
    }
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Cloud for Aws {
    fn name(&self) -> &'static str {
        "aws"
    }

    fn location(&self) -> String {
        self.region.clone()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .nat_gateways(true)
            .public_load_balancers(true)
            .internal_load_balancers(true)
            .public_dns(true)
            .private_dns(true)
            .prefix_lists(true)
            .spot(true)
            .ipv6(true)
            .shared_networks(true)
            .zonal_subnets(true)
            .zonal_nat_gateways(true)
            .surge(true)
    }

    fn handlers(&self) -> &[Arc<dyn DynHandler>] {
        &self.handlers
    }

    fn class(&self, kind: &str) -> Option<Class> {
        Class::in_table(kinds::CLASSES, kind)
    }

    fn lower(&self, graph: &TaskGraph, scope: &Scope, own: &[&str]) -> Result<Native> {
        lower::lower(graph, scope, &self.region, &passing(&self.handlers, own))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.clients.clock.clone()
    }

    fn machines(&self) -> Option<&dyn Machines> {
        Some(self)
    }

    fn permissions(&self) -> Option<&dyn Permissions> {
        Some(self)
    }
}
