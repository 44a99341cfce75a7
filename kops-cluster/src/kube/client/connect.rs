//! The connection.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use crate::kubeconfig::{Current, Pem};
use kops_core::{Error, Result};

/// The timeout of a connection: allows for two lost packets.
const CONNECT: Duration = Duration::from_secs(10);

/// A pool of connections.
pub(super) type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A pool of connections to the server of a context. Nothing is sent yet.
pub(super) fn connect(current: &Current) -> Result<Http> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_connect_timeout(Some(CONNECT));
    let mut https = HttpsConnectorBuilder::new().with_tls_config(tls(current)?).https_only();
    if let Some(name) = &current.tls_server_name {
        let name = ServerName::try_from(name.clone()).map_err(|_| {
            Error::invalid(format!("the kubeconfig's tls-server-name {name:?} is not a name"))
        })?;
        https = https.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    Ok(Client::builder(TokioExecutor::new()).build(https.enable_http1().wrap_connector(http)))
}

/// TLS for this connection alone: nothing is installed process-wide.
fn tls(current: &Current) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match &current.authorities {
        Some(authorities) => {
            for certificate in certificates(authorities)? {
                roots.add(certificate).map_err(|error| unusable(&error))?;
            }
        }
        // Like kubectl: the system's authorities, for an API with a public certificate.
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?
        .with_root_certificates(roots);
    let Some((certificate, key)) = &current.identity else {
        return Ok(builder.with_no_client_auth());
    };
    let key = PrivateKeyDer::from_pem_slice(&key.0)
        .map_err(|_| Error::invalid("the kubeconfig's client key cannot be read"))?;
    builder.with_client_auth_cert(certificates(certificate)?, key).map_err(|error| unusable(&error))
}

fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem.0).collect();
    read.map_err(|_| Error::invalid("a certificate of the kubeconfig cannot be read"))
}

fn unusable(error: &rustls::Error) -> Error {
    Error::invalid(format!("the kubeconfig's credentials cannot be used: {error}"))
        .with_hint("export it again with `kops export kubeconfig --admin`")
}
