//! The provider.

use std::fmt;
use std::sync::Arc;

use kops_core::Result;
use kops_core::clock::Clock;
use kops_core::cloud::{Capabilities, Class, Cloud, DynHandler, Machines, Permissions, Scope};
use kops_core::graph::TaskGraph;
use kops_core::lower::{Native, passing};

use crate::clients::{Clients, Service};
use crate::lower::Site;
use crate::{OpenstackBuilder, kinds, lower};

/// A project of an OpenStack cloud.
#[derive(Clone)]
pub struct Openstack {
    clients: Clients,
    site: Arc<Site>,
    handlers: Arc<[Arc<dyn DynHandler>]>,
}

impl Openstack {
    /// Configures a connection.
    pub fn builder() -> OpenstackBuilder {
        OpenstackBuilder::new()
    }

    /// Connects like OpenStack's own tools; see [`OpenstackBuilder::from_env`].
    pub async fn from_env() -> Result<Self> {
        OpenstackBuilder::from_env().build().await
    }

    pub(crate) fn new(clients: Clients, region: &str, site: Site) -> Self {
        let handlers = kinds::handlers(&clients, region).into();
        Self { clients, site: Arc::new(site), handlers }
    }

    /// The identifier of the project.
    pub fn project(&self) -> &str {
        self.clients.project()
    }

    #[cfg(feature = "cluster")]
    pub(crate) fn site(&self) -> &Site {
        &self.site
    }

    pub(crate) fn clients(&self) -> &Clients {
        &self.clients
    }
}

impl fmt::Debug for Openstack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Openstack").field("project", &self.project()).finish_non_exhaustive()
    }
}

impl Cloud for Openstack {
    fn name(&self) -> &'static str {
        "openstack"
    }

    fn location(&self) -> String {
        format!("{}/{}", self.project(), self.site.region)
    }

    fn capabilities(&self) -> Capabilities {
        let balancers = self.clients.has(Service::LoadBalancer);
        // No NAT gateways, because the router translates addresses.
        Capabilities::new()
            .public_load_balancers(balancers)
            .internal_load_balancers(balancers)
            .public_dns(self.clients.has(Service::Dns))
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
        lower::lower(graph, scope, &self.site, &passing(&self.handlers, own))
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
