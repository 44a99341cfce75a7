//! The current context of a kubeconfig.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::Kubeconfig;
use kops_core::{Error, ErrorKind, Result};

/// The current context, as a client needs it.
#[derive(Debug)]
pub(crate) struct Current {
    /// The URL of the server.
    pub(crate) server: String,
    /// The name in its certificate, if it is not that of the URL.
    pub(crate) tls_server_name: Option<String>,
    /// The certificates of its authority, as PEM; if there are none, the system's authorities are trusted.
    pub(crate) authorities: Option<Pem>,
    /// The client's certificate and key, as PEM.
    pub(crate) identity: Option<(Pem, Pem)>,
    /// The token that the client sends instead of a certificate.
    pub(crate) token: Option<Token>,
}

/// PEM that may be secret.
pub(crate) struct Pem(pub(crate) Zeroizing<Vec<u8>>);

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pem(…)")
    }
}

/// The source of a token.
pub(crate) enum Token {
    /// The kubeconfig.
    Text(Zeroizing<String>),
    /// A file that another program renews.
    File(String),
    /// A program that prints an ExecCredential.
    Exec(Exec),
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(…)"),
            Self::File(path) => write!(f, "File({path})"),
            Self::Exec(exec) => write!(f, "Exec({})", exec.command),
        }
    }
}

/// A program that obtains a token.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exec {
    pub(crate) api_version: String,
    pub(crate) command: String,
    #[serde(default)]
    pub(crate) args: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) env: Option<Vec<Variable>>,
    #[serde(default)]
    pub(crate) install_hint: Option<String>,
}

/// A variable of the program's environment.
#[derive(Clone, Deserialize)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Kubeconfig {
    /// Reads the current context, and the files that it names.
    ///
    /// # Errors
    /// `Invalid` if it is not complete; `Unsupported` if its method of authentication is not supported; `Io`
    /// if a file cannot be read.
    pub(crate) fn current(&self) -> Result<Current> {
        let name = self.current_context().ok_or_else(|| {
            Error::invalid("the kubeconfig has no current context")
                .with_hint("set one with `kubectl config use-context`")
        })?;
        let context = self.named("contexts", name, "context")?;
        let of = |field: &str| context[field].as_str().unwrap_or_default();
        let cluster = self.named("clusters", of("cluster"), "cluster")?;
        // Without a user, or with one that does not exist, kubectl sends requests without credentials.
        let user = self.named("users", of("user"), "user").unwrap_or(&Value::Null);
        unsupported(
            cluster,
            &["insecure-skip-tls-verify", "proxy-url"],
            "use certificate-authority-data and a direct connection",
        )?;
        unsupported(user, &["username", "auth-provider", "as"], "use a client certificate, a token or exec")?;
        let server = cluster["server"].as_str().filter(|it| it.starts_with("https://"));
        let server = server.ok_or_else(|| {
            Error::invalid(format!("the kubeconfig's server of context {name} is not an https:// URL"))
                .with_hint("export it again with `kops export kubeconfig`")
        })?;
        let certificate = pem(user, "client-certificate")?;
        Ok(Current {
            server: server.trim_end_matches('/').to_owned(),
            tls_server_name: cluster["tls-server-name"].as_str().map(str::to_owned),
            authorities: pem(cluster, "certificate-authority")?,
            identity: certificate.zip(pem(user, "client-key")?),
            token: token(user)?,
        })
    }

    fn named(&self, list: &str, name: &str, one: &str) -> Result<&Value> {
        let found = self.document()[list].as_array().into_iter().flatten().find(|it| it["name"] == name);
        found.map(|it| &it[one]).ok_or_else(|| {
            Error::invalid(format!("the kubeconfig has no {one} {name:?}"))
                .with_hint("export it again with `kops export kubeconfig`")
        })
    }
}

fn unsupported(entry: &Value, fields: &[&str], fix: &str) -> Result<()> {
    let set = |field: &&&str| !matches!(entry[**field], Value::Null | Value::Bool(false));
    match fields.iter().find(set) {
        Some(field) => {
            Err(Error::unsupported(format!("the kubeconfig sets {field}, which is not supported"))
                .with_hint(fix))
        }
        None => Ok(()),
    }
}

/// The data of an entry: base64 (`…-data`), or the content of a file.
fn pem(entry: &Value, field: &str) -> Result<Option<Pem>> {
    if let Some(data) = entry[format!("{field}-data")].as_str().filter(|it| !it.is_empty()) {
        let bytes = STANDARD
            .decode(data)
            .map_err(|_| Error::invalid(format!("the kubeconfig's {field}-data is not base64")))?;
        return Ok(Some(Pem(Zeroizing::new(bytes))));
    }
    let Some(path) = entry[field].as_str().filter(|it| !it.is_empty()) else { return Ok(None) };
    let bytes = std::fs::read(path).map_err(|error| {
        Error::new(ErrorKind::Io, format!("{path}, which the kubeconfig names, cannot be read: {error}"))
    })?;
    Ok(Some(Pem(Zeroizing::new(bytes))))
}

fn token(user: &Value) -> Result<Option<Token>> {
    let text = |field: &str| user[field].as_str().filter(|it| !it.is_empty()).map(str::to_owned);
    if let Some(path) = text("tokenFile") {
        return Ok(Some(Token::File(path)));
    }
    if let Some(token) = text("token") {
        return Ok(Some(Token::Text(Zeroizing::new(token))));
    }
    if user["exec"].is_null() {
        return Ok(None);
    }
    let exec = Exec::deserialize(&user["exec"])
        .map_err(|_| Error::invalid("the kubeconfig's exec has no apiVersion or command"))?;
    Ok(Some(Token::Exec(exec)))
}
