//! The provider.

use std::fmt;
use std::sync::Arc;

use kops_core::Result;
use kops_core::clock::Clock;
use kops_core::cloud::{Capabilities, Class, Cloud, DynHandler, Machines, Permissions, Scope};
use kops_core::graph::TaskGraph;
use kops_core::lower::{Native, passing};

use crate::AzureBuilder;
use crate::clients::Clients;
use crate::{kinds, lower};

/// An Azure subscription in one region.
#[derive(Clone)]
pub struct Azure {
    clients: Clients,
    admin_user: String,
    handlers: Arc<[Arc<dyn DynHandler>]>,
}

impl Azure {
    /// Configures a connection.
    pub fn builder() -> AzureBuilder {
        AzureBuilder::new()
    }

    /// Connects with the settings of the environment; see [`AzureBuilder::from_env`].
    pub async fn from_env() -> Result<Self> {
        AzureBuilder::from_env().build().await
    }

    pub(crate) fn new(clients: Clients, admin_user: String) -> Self {
        let handlers = kinds::handlers(&clients).into();
        Self { clients, admin_user, handlers }
    }

    /// The region.
    pub fn location(&self) -> &str {
        &self.clients.location
    }

    /// The subscription.
    pub fn subscription(&self) -> &str {
        &self.clients.subscription
    }

    /// The name of the resource group of a scope's objects.
    pub fn resource_group(&self, scope: &Scope) -> String {
        self.clients.group(scope)
    }

    pub(crate) fn clients(&self) -> &Clients {
        &self.clients
    }
}

impl fmt::Debug for Azure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Azure").field("clients", &self.clients).finish_non_exhaustive()
    }
}

impl Cloud for Azure {
    fn name(&self) -> &'static str {
        "azure"
    }

    fn location(&self) -> String {
        format!("{}/{}", self.clients.subscription, self.clients.location)
    }

    fn capabilities(&self) -> Capabilities {
        // No surge: a machine cannot be detached from a uniform scale set and keep running; see `machines.rs`.
        Capabilities::new()
            .nat_gateways(true)
            .public_load_balancers(true)
            .internal_load_balancers(true)
            .public_dns(true)
            .private_dns(true)
            .spot(true)
            .shared_networks(true)
    }

    fn handlers(&self) -> &[Arc<dyn DynHandler>] {
        &self.handlers
    }

    fn class(&self, kind: &str) -> Option<Class> {
        Class::in_table(kinds::CLASSES, kind)
    }

    fn lower(&self, graph: &TaskGraph, scope: &Scope, own: &[&str]) -> Result<Native> {
        let site = lower::Site {
            location: self.clients.location.clone(),
            group: self.clients.group(scope),
            shared_group: self.clients.group_is_shared(),
            admin_user: self.admin_user.clone(),
        };
        lower::lower(graph, scope, &site, &passing(&self.handlers, own))
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
