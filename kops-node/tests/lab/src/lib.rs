//! Machines for tests: real Kubernetes on one host, without a cloud.
//!
//! A [`Machine`] is systemd, cloud-init and containerd over a Debian image, in namespaces of its own on a bridge of the
//! [`Lab`]'s; it boots from user data, as on a cloud. In the lab are a load balancer of the API, an image registry under
//! the real one's name, and a state store that can be made to fail ([`Fault`]). Kubernetes' own programs are built from
//! their Go modules once per version, and the image is made once, both in the user's cache; the README beside this
//! crate tells how long that takes and what a host must have.
//!
//! Machines are not children of the test. A guard takes the lab down when the test's process ends, however it ends.
//!
//! Where it cannot be had (not Linux, not root, no Go), tests say so loudly and do nothing; with `KOPS_CI` set they
//! fail. Everything panics on failure: a test can do no better.

#![expect(clippy::missing_panics_doc, reason = "everything here panics on failure, and says so above")]
#![expect(
    clippy::print_stderr,
    reason = "a test that is skipped says so, and one that waits says for how long"
)]
#![expect(clippy::disallowed_methods, reason = "machines live in real time")]

mod home;
mod kubectl;
mod machine;
mod store;
mod wait;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub use machine::Machine;
pub use store::{Call, Fault};
pub use wait::{Stopwatch, never, until};

/// The load balancer of the API, at port 6443.
pub const BALANCER: &str = "10.77.0.10";
/// The state store's URL.
pub const STORE: &str = "http://10.77.0.1:8080";

/// A network of machines.
#[derive(Debug)]
pub struct Lab {
    name: String,
    version: String,
    cache: PathBuf,
    /// Takes the lab down when this process ends, and keeps another of its name waiting until then.
    guard: Child,
}

impl Lab {
    /// A new lab with machines of this version of Kubernetes (`v1.34.4`); `None`, and a loud message, when it cannot be
    /// had here. `name` tells labs of one host apart: eight letters at most.
    pub fn start(name: &str, version: &str) -> Option<Self> {
        match home::prepare(version) {
            Ok(cache) => Some(Self::up(name, version, cache)),
            Err(why) if std::env::var_os("KOPS_CI").is_some() => panic!("{why}"),
            Err(why) => {
                // not eprintln!, which is not shown of a test that passes
                drop(writeln!(
                    std::io::stderr(),
                    "\n*** SKIPPED, because machines cannot be had here: {why}\n"
                ));
                None
            }
        }
    }

    fn up(name: &str, version: &str, cache: PathBuf) -> Self {
        let guard = command(name, &cache, "lab-guard").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut guard = guard.unwrap_or_else(|error| panic!("the lab's guard: {error}"));
        let mut ready = String::new();
        let said = guard.stdout.take().map(BufReader::new);
        let said = said.map(|mut it| it.read_line(&mut ready));
        assert!(matches!(said, Some(Ok(1..))), "the lab's guard has ended");
        let lab = Self { name: name.to_owned(), version: version.to_owned(), cache, guard };
        drop(fs::remove_dir_all(lab.state()));
        fs::create_dir_all(lab.store()).unwrap_or_else(|error| panic!("the state store: {error}"));
        run(lab.command("lab-up").arg("--store").arg(lab.store()));
        lab
    }

    /// The version of Kubernetes of the machines' image.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The host that images are pulled from: the real registry's name.
    pub fn registry(&self) -> String {
        let name = fs::read_to_string(self.cache.join("ca/registry"));
        name.unwrap_or_else(|error| panic!("the registry's name: {error}"))
    }

    /// One of the programs of Kubernetes, to be run on the host.
    pub fn program(&self, name: &str) -> PathBuf {
        self.cache.join("bin").join(&self.version).join(name)
    }

    /// What the lab keeps while it runs. It goes with the lab.
    pub fn state(&self) -> PathBuf {
        state(&self.cache, &self.name)
    }

    /// A command of `machine`.
    fn command(&self, verb: &str) -> Command {
        command(&self.name, &self.cache, verb)
    }

    /// A command on the lab's network.
    fn inside(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program.as_ref()).stdin(Stdio::null());
        command
    }

    /// What an HTTP server says to a client on the lab's network that is no machine of it.
    ///
    /// # Errors
    /// When it is not reached within five seconds, or answers with an error.
    pub fn get(&self, url: &str) -> Result<String, String> {
        output(self.inside("curl").args(["-fsS", "-m", "5", url]))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.guard.stdin.take()); // tells the guard to take the lab down
        drop(self.guard.wait());
    }
}

fn command(name: &str, cache: &Path, verb: &str) -> Command {
    let mut command = Command::new(home::script("machine"));
    command.arg(verb).env("KUBELAB_NAME", name).env("KUBELAB_CACHE", cache);
    command.env("KUBELAB_STATE", state(cache, name)).stdin(Stdio::null());
    command
}

fn state(cache: &Path, name: &str) -> PathBuf {
    cache.join(format!("state-{name}"))
}

/// Runs a command that must succeed, and gives its standard output.
fn run(command: &mut Command) -> String {
    output(command).unwrap_or_else(|why| panic!("{why}"))
}

/// Runs a command: its standard output, or what it said when it failed.
fn output(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().display().to_string();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name} failed ({}): {stdout}{stderr}", output.status))
}
