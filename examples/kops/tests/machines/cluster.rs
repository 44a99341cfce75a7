//! A cluster on machines, and who works on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use kops_moto::{Machines, Moto};
use serde_json::Value;

use crate::common::Desk;

pub(crate) const CLUSTER: &str = "ha.example.com";
/// The version of Kubernetes that is in the machines' image.
pub(crate) const VERSION: &str = "1.34.4";
/// What a cluster of five may take on two busy processors, with much to spare.
pub(crate) const LONG: Duration = Duration::from_mins(20);

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ann@desk";

/// A user on the machines' network, and an account.
pub(crate) struct User<'a> {
    pub(crate) desk: Desk,
    pub(crate) machines: &'a Machines<'a>,
    /// The bucket of the state store.
    pub(crate) bucket: String,
}

impl<'a> User<'a> {
    pub(crate) fn new(moto: &Moto, machines: &'a Machines<'a>) -> Self {
        let mut desk = Desk::new();
        for (name, value) in moto.env() {
            desk.set(name, &value);
        }
        let bucket = moto.create_bucket("state");
        let store = format!("s3://{bucket}/clusters");
        desk.set("KOPS_STATE_STORE", &store);
        desk.set("KUBECONFIG", &desk.path("kubeconfig").display().to_string());
        desk.set("KOPS_NODE_PROGRAM", &program(&desk).display().to_string());
        desk.write("id.pub", KEY);
        Self { desk, machines, bucket }
    }

    /// Runs the command where the cluster's names and addresses are known.
    pub(crate) fn kops(&self, arguments: &[&str]) -> Output {
        self.run(Path::new(env!("CARGO_BIN_EXE_kops")), arguments)
    }

    /// Runs the command, which must succeed; its standard output.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.kops(arguments);
        assert!(output.status.success(), "kops {}: {output:#?}", arguments.join(" "));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs kubectl; its standard output, or what it said.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.run(&self.machines.cache().join(format!("bin/v{VERSION}/kubectl")), arguments);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// Applies a manifest of the lab, with the lab's registry for `HOST`.
    pub(crate) fn apply(&self, name: &str, pods: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kops-node/tests/lab/manifests");
        let registry = fs::read_to_string(self.machines.cache().join("ca/registry")).unwrap();
        let text = fs::read_to_string(folder.join(name)).unwrap();
        let text = text.replace("HOST/", &format!("{}/", registry.trim())).replace("POD_CIDR_VALUE", pods);
        let file = self.desk.write(name, &text);
        wait("the API to take a manifest", LONG, || self.kubectl(&["apply", "-f", &file]));
    }

    /// The objects that `kubectl get` finds.
    pub(crate) fn objects(&self, kind: &str) -> Result<Vec<Value>, String> {
        let found: Value = serde_json::from_str(&self.kubectl(&["get", kind, "-o", "json"])?)
            .map_err(|it| it.to_string())?;
        Ok(found["items"].as_array().cloned().unwrap_or_default())
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Output {
        let mut command: Command = self.machines.inside(program);
        command
            .args(arguments)
            .env_clear()
            .envs(self.desk.environment.iter().map(|(name, value)| (name, value)))
            .env("HOME", self.desk.path("."))
            .current_dir(self.desk.path("."));
        command.output().unwrap()
    }
}

/// The program for machines, without what debuggers need: it goes to each of them.
fn program(desk: &Desk) -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_kops")).with_file_name("kops-node");
    assert!(built.is_file(), "{} is not there: cargo build -p kops-node", built.display());
    let into = desk.path("program");
    let stripped = Command::new("strip").arg("-o").arg(&into).arg(&built).status();
    if stripped.is_ok_and(|it| it.success()) { into } else { built }
}

/// Waits until something succeeds, and says how long that took.
///
/// # Panics
///
/// When it takes longer than `limit`: why it did not succeed at last.
#[track_caller]
pub(crate) fn wait<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match look() {
            Ok(found) => {
                eprintln!("{what}: {:.0} s", start.elapsed().as_secs_f64());
                return found;
            }
            Err(why) => assert!(start.elapsed() < limit, "waited {} s for {what}: {why}", limit.as_secs()),
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}
