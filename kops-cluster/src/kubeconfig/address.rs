//! Where clients reach the API of a cluster.

use crate::model::Names;
use crate::spec::{Cluster, DnsType};
use kops_core::graph::Handle;
use kops_core::resource::LoadBalancer;
use kops_core::{Error, Result};

/// The port for clients with their own certificates, if the load balancer terminates TLS on the usual one.
const PLAIN_PORT: u16 = 8443;

/// How clients reach the API, from the specification alone.
#[derive(Clone, Debug)]
pub enum ApiAddress {
    /// By a published name.
    Name(String),
    /// By the load balancer's own name or address, which only the cloud knows: the output
    /// [`DNS_NAME`](LoadBalancer::DNS_NAME) of this task of the cluster's graph.
    Balancer(Handle<LoadBalancer>),
}

impl ApiAddress {
    /// How clients reach the API, or how machines do with `internal`. kOps' rule: by name, unless the name cannot be
    /// resolved from outside.
    ///
    /// # Errors
    /// `Invalid` if the cluster has neither DNS names nor a load balancer.
    pub fn of(cluster: &Cluster, internal: bool) -> Result<Self> {
        let spec = &cluster.spec;
        let balancer = spec.api.load_balancer.as_ref();
        let resolved = match spec.networking.dns_type() {
            DnsType::None => false,
            DnsType::Public => true,
            // Clients of an internal load balancer are in the network, and so can resolve its names.
            DnsType::Private => internal || balancer.is_none_or(|it| !it.is_public()),
        };
        match (resolved, balancer) {
            (true, _) => Ok(Self::Name(name(cluster, internal))),
            (false, Some(_)) => Ok(Self::Balancer(Handle::named(&Names::of(cluster.name()).scoped("api")))),
            (false, None) => Err(Error::invalid(format!(
                "the API of {} has neither a name nor a load balancer",
                cluster.name()
            ))
            .with_hint("set spec.api.loadBalancer, or use --api-server with the address of a control plane")),
        }
    }
}

/// The server's URL, and how clients verify it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Server {
    /// The URL.
    pub url: String,
    /// The name in its certificate, if it is not that of the URL.
    pub tls_server_name: Option<String>,
    /// Whether its certificate is of the cluster's own authority.
    pub own_authority: bool,
}

impl Server {
    /// The API at a host, perhaps with a port, for clients with or without certificates of the cluster.
    ///
    /// The API server's certificate is issued for the cluster's own names, which are known before the name of
    /// a load balancer: so at any other host, clients expect the cluster's internal name.
    pub fn at(cluster: &Cluster, host: &str, certificates: bool) -> Self {
        let (host, port) = match host.rsplit_once(':') {
            // An IPv6 address has several colons.
            Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
            _ => (host, None),
        };
        // A load balancer with its own certificate cannot pass on those of clients: they use the other port.
        let balancer = cluster.spec.api.load_balancer.as_ref();
        let terminates = balancer.is_some_and(|it| it.ssl_certificate.is_some());
        let internal = host == cluster.api_internal_name();
        let own_authority = !terminates || certificates || internal;
        let named = internal || host == name(cluster, false);
        let host =
            if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
        let port = match port {
            Some(port) => format!(":{port}"),
            None if terminates && certificates && !internal => format!(":{PLAIN_PORT}"),
            None => String::new(),
        };
        Self {
            url: format!("https://{host}{port}"),
            tls_server_name: (own_authority && !named).then(|| cluster.api_internal_name()),
            own_authority,
        }
    }
}

fn name(cluster: &Cluster, internal: bool) -> String {
    let public = cluster.spec.api.public_name.clone().filter(|it| !it.is_empty() && !internal);
    match (internal, public) {
        (true, _) => cluster.api_internal_name(),
        (false, Some(public)) => public,
        (false, None) => Names::of(cluster.name()).scoped("api"),
    }
}
