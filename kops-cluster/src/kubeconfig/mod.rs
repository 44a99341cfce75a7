//! Kubeconfigs: how a person or a program reaches a cluster's API.

mod address;
#[cfg(feature = "kube")]
mod current;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

pub use address::{ApiAddress, Server};
#[cfg(feature = "kube")]
pub(crate) use current::{Current, Exec, Pem, Token};

use crate::pki::Keypair;
use kops_core::{Error, Result};

/// A kubeconfig. The entries of other clusters and tools are kept.
///
/// ```
/// use kops_cluster::kubeconfig::{KubeconfigEntry, Kubeconfig};
///
/// let mut kubeconfig = Kubeconfig::default();
/// kubeconfig.set(&KubeconfigEntry::new("ha.example.com", "https://api.ha.example.com"));
/// assert_eq!(kubeconfig.current_context(), Some("ha.example.com"));
/// assert!(kubeconfig.to_yaml()?.contains("server: https://api.ha.example.com"));
/// # Ok::<(), kops_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Kubeconfig(Value);

/// The names of its contexts only: the rest may be secret.
impl fmt::Debug for Kubeconfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kubeconfig({})", self.contexts().collect::<Vec<_>>().join(", "))
    }
}

/// One without entries.
impl Default for Kubeconfig {
    fn default() -> Self {
        Self(json!({"apiVersion": "v1", "kind": "Config"}))
    }
}

/// The entry of a cluster in a kubeconfig: cluster, context and user.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KubeconfigEntry {
    /// The name of the cluster and of its context.
    pub name: String,
    /// The URL of the API.
    pub server: String,
    /// The certificates of its authority, as PEM; if there are none, the system's authorities are trusted.
    pub authorities: Option<String>,
    /// The name in the server's certificate, if it is not that of the URL.
    pub tls_server_name: Option<String>,
    /// The name of the user; the cluster's by default.
    pub user: Option<String>,
    /// The certificate of the user, with its private key.
    pub credentials: Option<Keypair>,
}

impl KubeconfigEntry {
    /// A cluster at a URL, without credentials.
    pub fn new(name: impl Into<String>, server: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            server: server.into(),
            authorities: None,
            tls_server_name: None,
            user: None,
            credentials: None,
        }
    }
}

impl Kubeconfig {
    /// Reads a kubeconfig; an empty text is one without entries.
    ///
    /// # Errors
    /// `Invalid` if it is not a kubeconfig. The error does not quote it.
    pub fn parse(text: &str) -> Result<Self> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let read: Option<Value> = serde_saphyr::from_str(text).ok();
        let read = read.filter(|it| it.is_object() && it.get("kind").is_none_or(|kind| kind == "Config"));
        read.map(Self).ok_or_else(|| {
            Error::invalid("the file is not a kubeconfig")
                .with_hint("use a file that `kubectl config view` can read")
        })
    }

    /// The kubeconfig as YAML, secrets included.
    ///
    /// # Errors
    /// Only in case of a bug.
    pub fn to_yaml(&self) -> Result<String> {
        serde_saphyr::to_string(&self.0)
            .map_err(|error| Error::internal("a kubeconfig cannot be written").with_source(error))
    }

    /// Its document, secrets included.
    pub fn document(&self) -> &Value {
        &self.0
    }

    /// The names of its contexts.
    pub fn contexts(&self) -> impl Iterator<Item = &str> {
        self.0["contexts"].as_array().into_iter().flatten().filter_map(|it| it["name"].as_str())
    }

    /// The context that is used by default.
    pub fn current_context(&self) -> Option<&str> {
        self.0["current-context"].as_str().filter(|it| !it.is_empty())
    }

    /// Makes a context the current one.
    ///
    /// # Errors
    /// `NotFound` if there is none of that name.
    pub fn use_context(&mut self, name: &str) -> Result<()> {
        if !self.contexts().any(|it| it == name) {
            let known: Vec<_> = self.contexts().collect();
            return Err(Error::not_found(format!("the kubeconfig has no context {name}"))
                .with_hint(format!("it has {}; `kops export kubeconfig {name}` adds it", known.join(", "))));
        }
        self.0["current-context"] = json!(name);
        Ok(())
    }

    /// Adds the entry of a cluster, in place of an earlier one, and makes it the current one. An entry
    /// without credentials keeps the existing ones of the user.
    pub fn set(&mut self, entry: &KubeconfigEntry) {
        let mut cluster = json!({"server": entry.server});
        if let Some(authorities) = &entry.authorities {
            cluster["certificate-authority-data"] = json!(STANDARD.encode(authorities));
        }
        if let Some(name) = &entry.tls_server_name {
            cluster["tls-server-name"] = json!(name);
        }
        let user = entry.user.as_ref().unwrap_or(&entry.name);
        self.put("clusters", &entry.name, "cluster", &cluster);
        self.put("contexts", &entry.name, "context", &json!({"cluster": entry.name, "user": user}));
        if let Some(keypair) = &entry.credentials {
            let key = keypair.private_key().map(|it| STANDARD.encode(it.reveal()));
            let certificate = STANDARD.encode(keypair.certificate().pem());
            self.put(
                "users",
                user,
                "user",
                &json!({"client-certificate-data": certificate, "client-key-data": key}),
            );
        }
        self.0["current-context"] = json!(entry.name);
    }

    /// Makes its paths, which are relative to its directory, absolute.
    pub fn resolve(&mut self, directory: &Path) {
        for (list, one, fields) in [
            ("clusters", "cluster", &["certificate-authority"][..]),
            ("users", "user", &["client-certificate", "client-key", "tokenFile"][..]),
        ] {
            for item in self.0[list].as_array_mut().into_iter().flatten() {
                for field in fields {
                    if let Some(Value::String(path)) = item.pointer_mut(&format!("/{one}/{field}"))
                        && !path.is_empty()
                    {
                        *path = directory.join(&*path).to_string_lossy().into_owned();
                    }
                }
            }
        }
    }

    fn put(&mut self, list: &str, name: &str, one: &str, value: &Value) {
        let item = json!({"name": name, one: value});
        let Value::Array(items) = &mut self.0[list] else {
            self.0[list] = json!([item]);
            return;
        };
        match items.iter_mut().find(|it| it["name"] == name) {
            Some(known) => *known = item,
            None => items.push(item),
        }
    }
}
