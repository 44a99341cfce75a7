//! Instances that are real machines.

#![expect(clippy::disallowed_methods, reason = "machines live in real time")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;

use crate::Moto;

/// How long another test may have the machines.
const LONGEST_WAIT: Duration = Duration::from_mins(90);
const PAUSE: Duration = Duration::from_millis(200);

/// The machines of an account: from here on, each of its instances is a machine of the lab (`kops-node/tests/lab`), with
/// systemd, cloud-init and containerd. It boots with the instance's user data, at its private address (subnets must be in
/// 10.77.0.0/16), with the metadata service, its volumes as NVMe devices, and the services of AWS under their own
/// names, over TLS, with the permissions of its role. Groups replace what dies, and load balancers forward.
///
/// Faults and denials hit machines' calls like all others: `Fault::drop("s3:*")` is a store that is away,
/// `deny(&["s3:*"])` an identity that does not work yet. The log tells which [machine](crate::Call::by) made a call.
///
/// One account at a time on a host has them: others wait. Dropping ends the machines.
#[derive(Debug)]
pub struct Machines<'a> {
    moto: &'a Moto,
    namespace: String,
    resolver: String,
    cache: PathBuf,
}

/// A machine.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Machine {
    /// The instance's id.
    pub instance: String,
    /// Its private address.
    pub address: String,
    /// `booting`, `on`, `off`, `gone` or `failed`.
    pub state: String,
    /// Why it failed: an error of the lab, not of the machine.
    pub error: Option<String>,
}

/// What a command on a machine left.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Output {
    /// Its exit status.
    pub status: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Moto {
    /// Makes the account's instances real machines. `layers` are what their images have beside the operating system, by
    /// image, or under `*` for all others: `v1.34.4` is Kubernetes of that version.
    ///
    /// None, and a loud message, if machines cannot be had here (they need Linux, root and the lab's image); with `KOPS_CI`
    /// set, that is a failure.
    ///
    /// # Panics
    ///
    /// When the lab does not start.
    pub fn machines(&self, layers: &[(&str, &[&str])]) -> Option<Machines<'_>> {
        let (command, cache) = match available() {
            Ok(found) => found,
            Err(why) => {
                assert!(std::env::var_os("KOPS_CI").is_none(), "{why}");
                // not eprintln!, which is not shown of a test that passes
                drop(writeln!(std::io::stderr(), "NOT TESTED: {why}"));
                return None;
            }
        };
        let layers: BTreeMap<_, _> = layers.iter().copied().collect();
        let end = Instant::now() + LONGEST_WAIT;
        loop {
            let lab = self.control("start-machines", &json!({ "command": command, "layers": layers }));
            if let (Some(namespace), Some(resolver)) = (lab["namespace"].as_str(), lab["resolver"].as_str()) {
                return Some(Machines {
                    moto: self,
                    namespace: namespace.to_owned(),
                    resolver: resolver.to_owned(),
                    cache,
                });
            }
            assert!(Instant::now() < end, "another test has the machines, and does not end");
            std::thread::sleep(Duration::from_secs(2));
        }
    }
}

/// The lab's command and its cache, if they can be used here.
fn available() -> Result<(PathBuf, PathBuf), String> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../kops-node/tests/lab/machine");
    let command = std::env::var_os("KUBELAB_MACHINE").map_or(beside, PathBuf::from);
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
    if !command.exists() || !cache.join("rootfs/.kubelab").exists() {
        return Err(format!("machines need the lab's image in {}: see kops-node/tests/lab", cache.display()));
    }
    Ok((command, cache))
}

impl Machines<'_> {
    /// All machines there were, in the order of their instances' start.
    ///
    /// # Panics
    ///
    /// When one could not be made or changed as its instance demands.
    pub fn all(&self) -> Vec<Machine> {
        let all: Vec<Machine> = serde_json::from_value(self.moto.control("machines", &json!({})))
            .unwrap_or_else(|error| panic!("the machines: {error}"));
        let failed: Vec<_> = all.iter().filter_map(|it| it.error.as_deref()).collect();
        assert!(failed.is_empty(), "{}", failed.join("\n"));
        all
    }

    /// Those that are on.
    pub fn on(&self) -> Vec<Machine> {
        self.all().into_iter().filter(|it| it.state == "on").collect()
    }

    /// Waits until there are so many that are on, and no others under way.
    ///
    /// # Panics
    ///
    /// When that takes longer than `timeout`.
    pub fn wait_on(&self, count: usize, timeout: Duration) -> Vec<Machine> {
        self.until(&format!("{count} machines to be on"), timeout, || {
            let all = self.all();
            let on: Vec<_> = all.iter().filter(|it| it.state == "on").cloned().collect();
            (on.len() == count && all.iter().all(|it| it.state != "booting")).then_some(on)
        })
    }

    /// Waits until a command on a machine succeeds, and gives its standard output.
    ///
    /// # Panics
    ///
    /// When that takes longer than `timeout`.
    pub fn wait_for(&self, instance: &str, command: &[&str], timeout: Duration) -> String {
        let what = format!("{instance} to succeed with {}", command.join(" "));
        self.until(&what, timeout, || {
            let output = self.execute(instance, command);
            (output.status == 0).then_some(output.stdout)
        })
    }

    /// Waits for something about the machines.
    ///
    /// # Panics
    ///
    /// When it takes longer than `timeout`.
    pub fn until<T>(&self, what: &str, timeout: Duration, mut look: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + timeout;
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(
                Instant::now() < end,
                "waited {} s for {what}; machines: {:#?}",
                timeout.as_secs(),
                self.all()
            );
            std::thread::sleep(PAUSE);
        }
    }

    /// Runs a command on a machine. If the machine is off, that is a failure like others.
    pub fn execute(&self, instance: &str, command: &[&str]) -> Output {
        let output =
            self.moto.control("machine-execute", &json!({ "instance": instance, "command": command }));
        serde_json::from_value(output).unwrap_or_else(|error| panic!("a command's output: {error}"))
    }

    /// Ends a machine at once, as a failing host does: its instance is terminated, and its group replaces it.
    pub fn kill(&self, instance: &str) {
        self.moto.control("machine-kill", &json!({ "instance": instance }));
    }

    /// Cuts the power of a machine; its instance goes on.
    pub fn cut_power(&self, instance: &str) {
        self.moto.control("machine-power", &json!({ "instance": instance, "on": false }));
    }

    /// Gives the power back: the machine boots from its disk.
    pub fn restore_power(&self, instance: &str) {
        self.moto.control("machine-power", &json!({ "instance": instance, "on": true }));
    }

    /// The lab's cache: `bin/v1.34.4/` has the programs of that version of Kubernetes, `ca/registry` the name under which
    /// machines find images.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// A program that runs on the machines' network, as an operator with a VPN: it reaches machines and load balancers,
    /// knows their names, and reaches the emulator at [`Moto::endpoint`] as everybody else.
    pub fn inside(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.namespace));
        command.args(["unshare", "--mount", "sh", "-c"]);
        command.args([r#"mount --bind "$0" /etc/resolv.conf && exec "$@""#, &self.resolver]).arg(program);
        command
    }
}

impl Drop for Machines<'_> {
    fn drop(&mut self) {
        self.moto.control("stop-machines", &json!({}));
    }
}
