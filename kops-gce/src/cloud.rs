//! The provider.

use std::fmt;
use std::sync::Arc;

use kops_core::Result;
use kops_core::clock::Clock;
use kops_core::cloud::{Capabilities, Class, Cloud, DynHandler, Machines, Permissions, Scope};
use kops_core::graph::TaskGraph;
use kops_core::lower::{Native, passing};

use crate::clients::Clients;
use crate::{GceBuilder, kinds, lower};

/// A Google Cloud project in one region.
#[derive(Clone)]
pub struct Gce {
    clients: Clients,
    handlers: Arc<[Arc<dyn DynHandler>]>,
}

impl Gce {
    /// Configures a connection.
    pub fn builder() -> GceBuilder {
        GceBuilder::new()
    }

    pub(crate) fn new(clients: Clients) -> Self {
        let handlers = kinds::handlers(&clients);
        Self { clients, handlers }
    }

    /// The project.
    pub fn project(&self) -> &str {
        &self.clients.project
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.clients.region
    }

    pub(crate) fn clients(&self) -> &Clients {
        &self.clients
    }
}

impl fmt::Debug for Gce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gce")
            .field("project", &self.project())
            .field("region", &self.region())
            .finish_non_exhaustive()
    }
}

impl Cloud for Gce {
    fn name(&self) -> &'static str {
        "gce"
    }

    fn location(&self) -> String {
        format!("{}/{}", self.project(), self.region())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .nat_gateways(true)
            .public_load_balancers(true)
            .internal_load_balancers(true)
            .public_dns(true)
            .private_dns(true)
            .spot(true)
            .shared_networks(true)
            .surge(true)
    }

    fn handlers(&self) -> &[Arc<dyn DynHandler>] {
        &self.handlers
    }

    fn class(&self, kind: &str) -> Option<Class> {
        Class::in_table(kinds::CLASSES, kind)
    }

    fn lower(&self, graph: &TaskGraph, scope: &Scope, own: &[&str]) -> Result<Native> {
        let site = lower::Site { project: self.project().to_owned(), region: self.region().to_owned() };
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
