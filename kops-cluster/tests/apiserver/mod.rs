//! A real API server with etcd, on the loopback.
//!
//! The binaries are those that the lab of machines builds, in `$KUBELAB_CACHE` or the user's cache. The cluster's keys
//! are those of `kops_cluster::pki`: its authority of clients, and its key of service accounts.

use std::env;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kops_cluster::kubeconfig::{Kubeconfig, KubeconfigEntry};
use kops_cluster::pki::{Client, KUBERNETES_CA, Keyset, SERVICE_ACCOUNT};

/// A running API server, which ends with the value.
pub(crate) struct ApiServer {
    authority: Keyset,
    port: u16,
    directory: tempfile::TempDir,
    processes: Vec<Child>,
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl ApiServer {
    /// Starts one; none if the binaries are not there, which is said loudly.
    pub(crate) fn start() -> Option<Self> {
        let (server, etcd) = binaries()?;
        let directory = tempfile::tempdir().unwrap();
        let now = jiff::Timestamp::now();
        let authority = Keyset::generate(KUBERNETES_CA, now).unwrap();
        let accounts = Keyset::generate(SERVICE_ACCOUNT, now).unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        fs::write(path("clients.crt"), authority.bundle()).unwrap();
        // The server reads public keys from a certificate, but not from PKCS#8.
        fs::write(path("sa.crt"), accounts.bundle()).unwrap();
        fs::write(path("sa.key"), accounts.primary().private_key().unwrap().reveal()).unwrap();
        let [port, clients, peers] = free_ports();
        let (clients, peers) = (format!("http://127.0.0.1:{clients}"), format!("http://127.0.0.1:{peers}"));
        let etcd = Command::new(etcd)
            .args(["--data-dir", &path("etcd"), "--unsafe-no-fsync"])
            .args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients])
            .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
            .args(["--initial-cluster", &format!("default={peers}")])
            .stderr(log(&directory.path().join("etcd.log")))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = Command::new(server)
            .args(["--etcd-servers", &clients, "--secure-port", &port.to_string()])
            .args(["--bind-address", "127.0.0.1", "--advertise-address", "192.0.2.1"])
            .args(["--cert-dir", &path("certs"), "--client-ca-file", &path("clients.crt")])
            .args(["--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.96.0.0/16"])
            .args(["--service-account-issuer", "https://kubernetes.default.svc"])
            .args(["--service-account-key-file", &path("sa.crt")])
            .args(["--service-account-signing-key-file", &path("sa.key")])
            .stderr(log(&directory.path().join("apiserver.log")))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut started = Self { authority, port, directory, processes: vec![etcd, server] };
        started.wait();
        Some(started)
    }

    /// Until the server has made its own certificate and listens.
    fn wait(&mut self) {
        let began = Instant::now();
        while self.serving().is_none() || std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.processes.iter_mut().any(|it| it.try_wait().unwrap().is_some());
            let patient = !ended && began.elapsed() <= Duration::from_mins(1);
            assert!(patient, "the API server does not start:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The ends of the logs.
    pub(crate) fn log(&self) -> String {
        let end = |name: &str| {
            let text = fs::read_to_string(self.directory.path().join(name)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            format!("== {name}\n{}\n", lines[lines.len().saturating_sub(20)..].join("\n"))
        };
        end("etcd.log") + &end("apiserver.log")
    }

    /// The URL.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The keyset that clients are signed with.
    pub(crate) fn authority(&self) -> &Keyset {
        &self.authority
    }

    /// The authority of the server's own certificate, which it made itself.
    pub(crate) fn serving(&self) -> Option<String> {
        fs::read_to_string(self.directory.path().join("certs/apiserver.crt")).ok()
    }

    /// A kubeconfig of a client.
    pub(crate) fn kubeconfig(&self, client: &Client) -> Kubeconfig {
        let mut entry = KubeconfigEntry::new("lab", self.url());
        entry.authorities = self.serving();
        entry.credentials = Some(self.authority.primary().sign(client, jiff::Timestamp::now()).unwrap());
        let mut kubeconfig = Kubeconfig::default();
        kubeconfig.set(&entry);
        kubeconfig
    }
}

fn binaries() -> Option<(PathBuf, PathBuf)> {
    let set = |name: &str| env::var_os(name).map(PathBuf::from);
    let caches = || set("XDG_CACHE_HOME").or_else(|| Some(env::home_dir()?.join(".cache")));
    let cache = set("KUBELAB_CACHE").or_else(|| Some(caches()?.join("kubelab")))?;
    let newest = |name: &str| {
        let directories =
            fs::read_dir(cache.join("bin")).ok()?.filter_map(|it| Some(it.ok()?.path().join(name)));
        directories.filter(|it| it.exists()).max()
    };
    let found = newest("kube-apiserver").zip(newest("etcd"));
    if found.is_none() {
        let message = format!("there are no kube-apiserver and etcd below {}", cache.join("bin").display());
        // Continuous integration builds them.
        assert!(env::var_os("KOPS_CI").is_none(), "{message}");
        // not eprintln!, which is not shown of a test that passes
        drop(writeln!(std::io::stderr(), "SKIPPED: {message}"));
    }
    found
}

/// All at once, so that they differ.
fn free_ports() -> [u16; 3] {
    let sockets = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    sockets.map(|it| it.local_addr().unwrap().port())
}

fn log(path: &Path) -> fs::File {
    fs::File::create(path).unwrap()
}
