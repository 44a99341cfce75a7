//! Azurite: Microsoft's own emulator of blobs, installed into the target directory at pinned versions.
//!
//! One server serves the tests of a process, each with containers of its own. As all servers of tests it ends with the
//! process: see `server.rs`. `azurite/serve.js` starts it, and lets fail in front of it what tests order.

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use kops_emulator::{installed, run};
use serde_json::{Value, json};

/// The versions and digests of Azurite and all that it needs, and what starts it.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/azurite");

/// The account that Azurite has: <https://learn.microsoft.com/en-us/azure/storage/common/storage-use-azurite>.
pub const ACCOUNT: &str = "devstoreaccount1";
/// Its key, as known to everybody.
pub const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A part of a storage account that is a test's own.
#[derive(Debug)]
pub struct Azurite {
    server: &'static Server,
    container: String,
}

impl Azurite {
    /// With an empty container; `None`, and a loud message, when Azurite cannot be had here. With `KOPS_CI` set that
    /// is a failure.
    ///
    /// # Panics
    ///
    /// When Azurite is there and does not start.
    pub fn start() -> Option<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let home = match home() {
            Ok(home) => home,
            Err(why) if std::env::var_os("KOPS_CI").is_some() => panic!("{why}"),
            Err(why) => {
                // not eprintln!, which is not shown of a test that passes
                let mut out = std::io::stderr();
                drop(writeln!(out, "\n*** SKIPPED, because Azurite cannot be had here: {why}\n"));
                return None;
            }
        };
        let container = format!("state-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let azurite = Self { server: Server::get(home), container };
        azurite.server.put(&azurite.container, "&restype=container");
        Some(azurite)
    }

    /// The address of the account.
    pub fn endpoint(&self) -> String {
        format!("{}/{ACCOUNT}", self.server.address)
    }

    /// The container's name.
    pub fn container(&self) -> &str {
        &self.container
    }

    /// Puts an empty blob into the container.
    pub fn put(&self, blob: &str) {
        self.server.put(&format!("{}/{blob}", self.container), "");
    }

    /// Lets the next call with a method fail: `throttle`, `unavailable`, `drop` (nothing is done and nothing answered)
    /// or `lose` (it is done, and not answered).
    pub fn fail(&self, method: &str, what: &str) {
        self.control(json!({ "method": method, "what": what }));
    }

    /// Denies all calls from now on.
    pub fn deny(&self) {
        self.control(json!({ "deny": true }));
    }

    /// How many times a blob has been written.
    pub fn writes(&self) -> usize {
        let count = self.control(json!({}));
        count.parse().unwrap_or_else(|error| panic!("Azurite, asked for its writes: {error}: {count}"))
    }

    fn control(&self, mut order: Value) -> String {
        order["container"] = self.container.as_str().into();
        let address = format!("{}/_control", self.server.address);
        let answer = ureq::post(&address).send(order.to_string());
        let text = answer.and_then(|mut answer| answer.body_mut().read_to_string());
        text.unwrap_or_else(|error| panic!("Azurite, told {order}: {error}"))
    }
}

#[derive(Debug)]
struct Server {
    address: String,
    /// A query that permits a call.
    signature: String,
    // Holds the pipe at whose end the server ends.
    _process: Child,
}

impl Server {
    fn get(home: &Path) -> &'static Self {
        static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
        match SERVER.get_or_init(|| Self::start(home)) {
            Ok(server) => server,
            Err(error) => panic!("{error}"),
        }
    }

    fn start(home: &Path) -> Result<Self, String> {
        let mut process = Command::new("node")
            .arg(Path::new(SOURCE).join("serve.js"))
            .arg(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("Azurite does not start: {error}"))?;
        let mut line = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output)
                .read_line(&mut line)
                .map_err(|error| format!("Azurite does not tell its port: {error}"))?;
        }
        let (port, signature) = line.trim().split_once(' ').ok_or_else(|| {
            "Azurite ended before it listened; its own words are on standard error".to_owned()
        })?;
        Ok(Self {
            address: format!("http://127.0.0.1:{port}"),
            signature: signature.to_owned(),
            _process: process,
        })
    }

    /// Makes a container or an empty blob.
    fn put(&self, path: &str, query: &str) {
        let address = format!("{}/{ACCOUNT}/{path}?{}{query}", self.address, self.signature);
        let made = ureq::put(&address)
            .header("x-ms-version", "2021-12-02")
            .header("x-ms-blob-type", "BlockBlob")
            .send_empty();
        made.unwrap_or_else(|error| panic!("Azurite, told to make {path}: {error}"));
    }
}

/// The directory that Azurite is installed in, once for a target directory.
fn home() -> Result<&'static Path, String> {
    static HOME: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    HOME.get_or_init(install).as_deref().map_err(Clone::clone)
}

fn install() -> Result<PathBuf, String> {
    let version = run(Command::new("node").arg("--version"))
        .map_err(|error| format!("it needs Node.js (20 or later) with npm: {error}"))?;
    let from = ["package.json", "package-lock.json"].map(|name| Path::new(SOURCE).join(name));
    installed("azurite", &version, &from, |home| {
        for file in &from {
            let copy = home.join(file.file_name().unwrap_or_default());
            fs::copy(file, &copy).map_err(|error| format!("{}: {error}", copy.display()))?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(home);
        run(&mut npm).map(drop).map_err(|error| format!("is an npm registry within reach? {error}"))
    })
}
