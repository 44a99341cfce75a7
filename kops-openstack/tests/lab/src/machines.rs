//! Servers that are real machines.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{Lab, text, up};

/// How long another test may have the machines.
const LONGEST_WAIT: Duration = Duration::from_mins(90);
const PAUSE: Duration = Duration::from_millis(500);

/// The machines of a project: from here on, each of its servers is a machine of `kops-node/tests/lab`, with systemd,
/// cloud-init and containerd. It boots with the server's user data, at the address of its port (subnets must be in
/// 10.77.0.0/16), with the metadata service, volumes of tasks as virtio devices, and the services at the loopback, where
/// the catalogue has them. Load balancers forward.
///
/// One project at a time on a host has them: others wait. Dropping ends the machines.
#[derive(Debug)]
pub struct Machines {
    process: Child,
    /// None only while it is dropped.
    talk: Mutex<(Option<ChildStdin>, BufReader<ChildStdout>)>,
    cache: PathBuf,
}

/// A machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The server's identifier.
    pub server: String,
    /// Its name, which is the Node's.
    pub name: String,
    /// Its address.
    pub address: String,
    /// `booting`, `on`, `off`, `dead`, `gone` or `failed`.
    pub state: String,
}

impl Lab {
    /// Makes the project's servers real machines. `layers` are what their image has beside the operating system: `v1.34.4` is
    /// Kubernetes of that version.
    ///
    /// None, and a loud message, if machines cannot be had here (they need Linux, root and the image of
    /// `kops-node/tests/lab`); with `KOPS_CI` set, that is a failure.
    pub fn machines(&self, layers: &[&str]) -> Option<Machines> {
        let (command, cache) = match available() {
            Ok(found) => found,
            Err(why) => {
                assert!(std::env::var_os("KOPS_CI").is_none(), "{why}");
                // not eprintln!, which is not shown of a test that passes
                drop(writeln!(std::io::stderr(), "NOT TESTED: {why}"));
                return None;
            }
        };
        let end = Instant::now() + LONGEST_WAIT;
        loop {
            let mut process = up::python("oslab.machines")
                .arg(self.project())
                .arg(up::first_port().to_string())
                .arg(&command)
                .args(layers)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap_or_else(|error| panic!("the machines: {error}"));
            let Some(output) = process.stdout.take() else { panic!("the machines say nothing") };
            let mut talk = (process.stdin.take(), BufReader::new(output));
            let busy = read(&mut talk.1)["busy"] == true;
            let machines = Machines { process, talk: Mutex::new(talk), cache: cache.clone() };
            if !busy {
                return Some(machines);
            }
            assert!(Instant::now() < end, "another test has the machines, and does not end");
            std::thread::sleep(Duration::from_secs(2));
        }
    }
}

/// The command of the machines' lab, and its cache, if they can be used here.
fn available() -> Result<(PathBuf, PathBuf), String> {
    let command = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../kops-node/tests/lab/machine");
    if std::fs::metadata("/proc/self").map_or(true, |it| it.uid() != 0) {
        return Err("machines need Linux, and root".to_owned());
    }
    let cache = std::env::var_os("KUBELAB_CACHE").map_or_else(
        || {
            let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
            std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("kubelab")
        },
        PathBuf::from,
    );
    if !cache.join("rootfs/.kubelab").exists() {
        return Err(format!("machines need the image in {}: see kops-node/tests/lab", cache.display()));
    }
    Ok((command, cache))
}

impl Machines {
    /// All machines there were.
    pub fn all(&self) -> Vec<Machine> {
        let said = self.ask(&json!({ "do": "show" }));
        let all = said["machines"].as_array().cloned().unwrap_or_default();
        let failed: Vec<_> = all.iter().filter_map(|it| it["error"].as_str()).collect();
        assert!(failed.is_empty(), "{}", failed.join("\n"));
        let machine = |it: &Value| Machine {
            server: text(&it["server"]),
            name: text(&it["name"]),
            address: text(&it["address"]),
            state: text(&it["state"]),
        };
        all.iter().map(machine).collect()
    }

    /// Those that are on.
    pub fn on(&self) -> Vec<Machine> {
        self.all().into_iter().filter(|it| it.state == "on").collect()
    }

    /// Runs a command on a machine: its standard output, or what it said when it failed.
    ///
    /// # Errors
    /// When the command fails, or the machine is off.
    pub fn execute(&self, server: &str, command: &[&str]) -> Result<String, String> {
        let output = self.ask(&json!({ "do": "execute", "server": server, "command": command }));
        if output["status"] == 0 { Ok(text(&output["stdout"])) } else { Err(output.to_string()) }
    }

    /// Ends a machine at once, as a failing host does. Nova does not notice.
    pub fn kill(&self, server: &str) {
        self.ask(&json!({ "do": "kill", "server": server }));
    }

    /// Waits until something succeeds, and says how long that took.
    pub fn wait<T>(&self, what: &str, limit: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
        let start = Instant::now();
        loop {
            match look() {
                Ok(found) => {
                    eprintln!("{what}: {:.0} s", start.elapsed().as_secs_f64());
                    return found;
                }
                Err(why) => assert!(
                    start.elapsed() < limit,
                    "waited {} s for {what}: {why}; machines: {:#?}",
                    limit.as_secs(),
                    self.all()
                ),
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The cache of the machines' lab: `ca/registry` has the name under which machines find images.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    fn ask(&self, wanted: &Value) -> Value {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let said = talk.0.as_mut().map(|input| writeln!(input, "{wanted}"));
        assert!(matches!(said, Some(Ok(()))), "the machines have ended: {said:?}");
        let said = read(&mut talk.1);
        assert!(said["failed"].is_null(), "{said}");
        said
    }
}

fn read(output: &mut BufReader<ChildStdout>) -> Value {
    let mut line = String::new();
    output.read_line(&mut line).unwrap_or_else(|error| panic!("the machines: {error}"));
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("the machines have ended ({error}): {line:?}"))
}

impl Drop for Machines {
    fn drop(&mut self) {
        // Its input ends with this; then it ends the machines.
        self.talk.get_mut().unwrap_or_else(PoisonError::into_inner).0 = None;
        drop(self.process.wait());
    }
}
