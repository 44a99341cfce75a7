//! HTTP, blocking, with the machine's own trusted authorities and without a process-wide TLS provider.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, TlsProvider, parse_pem};

use crate::error::{Error, ErrorKind, Result};

/// The maximum size of a response that is read into memory, in bytes: the program is to stay below 30 MB.
const LONGEST: u64 = 8 << 20;
/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How many redirections a download follows.
const REDIRECTS: usize = 5;
/// The default timeout of a call.
const CALL: Duration = Duration::from_secs(30);

/// A client.
#[derive(Clone)]
pub struct Http {
    agent: ureq::Agent,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}

/// Trusted authorities and the client's identity.
#[derive(Clone, Default)]
pub struct Tls {
    /// Certificates of authorities, PEM; `None` for the system's.
    pub authorities: Option<Vec<u8>>,
    /// A client certificate and its key, PEM.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// A request.
#[derive(Debug)]
pub struct Request<'a> {
    /// `GET`, `PUT`, `POST`, `PATCH`, `DELETE`.
    pub method: &'a str,
    /// The whole URL, escaped.
    pub url: &'a str,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body<'a>,
    /// The timeout; 30 s by default.
    pub timeout: Option<Duration>,
}

/// The body of a request.
pub enum Body<'a> {
    /// None.
    Empty,
    /// Bytes.
    Bytes(&'a [u8]),
    /// A file from its current position, and its length.
    File(&'a File, u64),
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body(..)") // it may hold a secret
    }
}

impl<'a> Request<'a> {
    /// A request without a body.
    pub fn new(method: &'a str, url: &'a str) -> Self {
        Self { method, url, headers: Vec::new(), body: Body::Empty, timeout: None }
    }

    /// The same with a header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The same with a body.
    pub fn body(mut self, bytes: &'a [u8]) -> Self {
        self.body = Body::Bytes(bytes);
        self
    }

    /// The same with a time limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// A response, with any status.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// The body of a successful response.
    ///
    /// # Errors
    /// For any other status.
    pub fn success(self, doing: &str) -> Result<Vec<u8>> {
        if (200..300).contains(&self.status) {
            Ok(self.body)
        } else {
            Err(Error::status(doing, self.status, &self.body))
        }
    }

    /// The same as JSON.
    ///
    /// # Errors
    /// For any other status, and if it is not JSON.
    pub fn json(self, doing: &str) -> Result<serde_json::Value> {
        let body = self.success(doing)?;
        serde_json::from_slice(&body).map_err(|e| Error::invalid(doing, e.to_string()))
    }
}

impl Http {
    /// A client for external services: through the proxy in the environment, if any.
    ///
    /// # Errors
    /// If certificates or the key cannot be read.
    pub fn new(tls: &Tls) -> Result<Self> {
        Self::with_proxy(tls, ureq::Proxy::try_from_env())
    }

    /// A client for the metadata service, for peers and for this machine: never through a proxy.
    ///
    /// # Errors
    /// If certificates or the key cannot be read.
    pub fn direct(tls: &Tls) -> Result<Self> {
        Self::with_proxy(tls, None)
    }

    fn with_proxy(tls: &Tls, proxy: Option<ureq::Proxy>) -> Result<Self> {
        let roots = match &tls.authorities {
            Some(pem) => certificates(pem)?,
            None => rustls_native_certs::load_native_certs()
                .certs
                .iter()
                .map(|it| Certificate::from_der(it).to_owned())
                .collect(),
        };
        let client = match &tls.client {
            None => None,
            Some((chain, key)) => {
                let key = PrivateKey::from_pem(key).map_err(|_| {
                    Error::invalid("reading a client's key", "it is not a private key in PEM")
                })?;
                Some(ClientCert::new_with_certs(&certificates(chain)?, key))
            }
        };
        let config = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::new_with_certs(&roots))
            .client_cert(client)
            .build();
        let agent = ureq::Agent::config_builder()
            .tls_config(config)
            .proxy(proxy)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("kops-node/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .build()
            .new_agent();
        Ok(Self { agent })
    }

    /// Sends a request and reads the response into memory.
    ///
    /// # Errors
    /// `Unreachable` if there was no response in time. A status is not an error.
    pub fn send(&self, request: &Request<'_>) -> Result<Response> {
        let doing = doing(request);
        let (status, headers, mut body) = self.start(request, &doing)?;
        let body = body
            .with_config()
            .limit(LONGEST)
            .read_to_vec()
            .map_err(|e| Error::new(ErrorKind::Unreachable, &doing, e.to_string()))?;
        Ok(Response { status, headers, body })
    }

    /// Sends a request and passes the body of a success to `into`, in chunks. A request without headers,
    /// which has no credentials, follows redirections, as public files often need.
    ///
    /// # Errors
    /// As [`Http::send`], for other statuses than success, and what `into` returns.
    pub fn download(
        &self,
        request: &Request<'_>,
        into: &mut dyn FnMut(&mut dyn Read) -> Result<()>,
    ) -> Result<()> {
        let doing = doing(request);
        let (mut status, mut headers, mut body) = self.start(request, &doing)?;
        for _ in 0..REDIRECTS {
            let next = headers.iter().find(|(name, _)| name == "location").map(|(_, url)| url.clone());
            let Some(next) = next.filter(|_| (300..400).contains(&status) && request.headers.is_empty())
            else {
                break;
            };
            let again = Request { timeout: request.timeout, ..Request::new(request.method, &next) };
            (status, headers, body) = self.start(&again, &doing)?;
        }
        if !(200..300).contains(&status) {
            let text = body.with_config().limit(LONGEST).read_to_vec().unwrap_or_default();
            return Err(Error::status(doing, status, &text));
        }
        into(&mut body.as_reader())
    }

    fn start(&self, request: &Request<'_>, doing: &str) -> Result<Started> {
        let failed = |e: &dyn fmt::Display| Error::new(ErrorKind::Unreachable, doing, e.to_string());
        let mut builder = ureq::http::Request::builder().method(request.method).uri(request.url);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let timeout = Some(request.timeout.unwrap_or(CALL));
        let wrong = |e: ureq::http::Error| Error::invalid(doing, e.to_string());
        macro_rules! run {
            ($body:expr) => {{
                let request = builder.body($body).map_err(wrong)?;
                let request = self
                    .agent
                    .configure_request(request)
                    .timeout_global(timeout)
                    .allow_non_standard_methods(true)
                    .build();
                self.agent.run(request).map_err(|e| failed(&e))?
            }};
        }
        let response = match request.body {
            Body::Empty if matches!(request.method, "PUT" | "POST" | "PATCH") => run!(&[][..]),
            Body::Empty => run!(()),
            Body::Bytes(bytes) => run!(bytes),
            Body::File(mut file, length) => {
                builder = builder.header("content-length", length.to_string());
                run!(ureq::SendBody::from_reader(&mut file))
            }
        };
        let (parts, body) = response.into_parts();
        let headers = parts
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        Ok((parts.status.as_u16(), headers, body))
    }
}

/// The status, the headers and the unread body.
type Started = (u16, Vec<(String, String)>, ureq::Body);

/// A request in messages: without its query, which may contain a signature.
fn doing(request: &Request<'_>) -> String {
    let url = request.url.split(['?', '#']).next().unwrap_or_default();
    format!("{} {url}", request.method)
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>> {
    let doing = "reading certificates";
    let mut all = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(it) = item.map_err(|e| Error::invalid(doing, e.to_string()))? {
            all.push(it);
        }
    }
    if all.is_empty() { Err(Error::invalid(doing, "there is none")) } else { Ok(all) }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::testing::{http, ok, serve};

    /// A directory of certificates as kubeadm makes them: keys of elliptic curves in SEC 1, names and addresses.
    fn certificates() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let script = "set -e
            key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }
            key ca; openssl req -x509 -new -key ca.key -subj /CN=ca -days 2 -out ca.crt
            for who in server client stranger; do
              key $who; openssl req -new -key $who.key -subj /CN=$who -out $who.csr
              printf 'subjectAltName=IP:127.0.0.1,DNS:localhost' > ext
              openssl x509 -req -in $who.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out $who.crt
            done
            key other; openssl req -x509 -new -key other.key -subj /CN=other -days 2 -out other.crt";
        let made = Command::new("sh").args(["-c", script]).current_dir(&directory).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        directory
    }

    struct Server(Child);

    impl Drop for Server {
        fn drop(&mut self) {
            let _ended = self.0.kill().and_then(|()| self.0.wait());
        }
    }

    #[test]
    fn both_sides_show_certificates() {
        let directory = certificates();
        let read = |name: &str| std::fs::read(directory.path().join(name)).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("openssl")
            .args(["s_server", "-quiet", "-www", "-accept", &format!("127.0.0.1:{port}")])
            .args(["-cert", "server.crt", "-key", "server.key", "-CAfile", "ca.crt", "-Verify", "1"])
            .args(["-verify_return_error"])
            .current_dir(&directory)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let _server = Server(child);
        let url = format!("https://127.0.0.1:{port}/");
        let call = |authority: &str, client: Option<&str>| {
            let client = client.map(|it| (read(&format!("{it}.crt")), read(&format!("{it}.key"))));
            let tls = Tls { authorities: Some(read(authority)), client };
            Http::direct(&tls).unwrap().send(&Request::new("GET", &url))
        };
        let started = (0..100).any(|_| {
            let up = call("ca.crt", Some("client")).is_ok_and(|it| it.status == 200);
            if !up {
                std::thread::yield_now();
                let _waited = Command::new("sleep").arg("0.1").status();
            }
            up
        });
        assert!(started, "the client is let in");
        let stranger = call("other.crt", Some("client")).unwrap_err();
        assert_eq!(stranger.kind(), ErrorKind::Unreachable, "the server is a stranger: {stranger}");
        assert!(call("ca.crt", None).is_err(), "the client is a stranger");
        assert!(call("ca.crt", Some("other")).is_err(), "of another authority");
    }

    #[test]
    fn redirects_are_answers_and_statuses_are_no_errors() {
        let url = serve(|seen| match seen.path.as_str() {
            "/moved" => (302, vec![("location".to_owned(), "http://127.0.0.1:1/".to_owned())], vec![]),
            _ => ok("x"),
        });
        let status = |path: &str| http().send(&Request::new("GET", &format!("{url}{path}"))).unwrap().status;
        assert_eq!((status("/moved"), status("/")), (302, 200), "a signature is for one place");
    }

    #[test]
    fn downloads_follow_redirections_unless_they_show_a_credential() {
        let url = serve(|seen| match seen.path.as_str() {
            "/moved" => {
                (302, vec![("location".to_owned(), format!("http://{}/file", seen.header("host")))], vec![])
            }
            "/round" => {
                (302, vec![("location".to_owned(), format!("http://{}/round", seen.header("host")))], vec![])
            }
            _ => ok("x"),
        });
        let fetch = |path: &str, header: bool| {
            let (url, mut found) = (format!("{url}{path}"), Vec::new());
            let request = Request::new("GET", &url);
            let request = if header { request.header("authorization", "secret") } else { request };
            let mut keep = |body: &mut dyn Read| {
                body.read_to_end(&mut found).map(drop).map_err(|e| Error::failed("reading", e.to_string()))
            };
            http().download(&request, &mut keep).map(|()| found)
        };
        assert_eq!(fetch("/moved", false).unwrap(), b"x");
        assert!(fetch("/moved", true).is_err() && fetch("/round", false).is_err());
    }

    #[test]
    fn a_query_is_not_told() {
        let error =
            http().send(&Request::new("GET", "http://127.0.0.1:1/a?temp_url_sig=secret")).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
