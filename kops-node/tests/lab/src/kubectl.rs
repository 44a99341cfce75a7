//! kubectl on the lab's network, through the balancer.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::{BALANCER, Lab, output};

impl Lab {
    /// Takes a machine's administrator's kubeconfig for [`kubectl`](Self::kubectl).
    ///
    /// # Errors
    /// When the machine has none yet.
    pub fn become_admin(&self, machine: &str) -> Result<(), String> {
        let config = self.exec(machine, &["cat", "/etc/kubernetes/admin.conf"])?;
        fs::write(self.kubeconfig(), config).map_err(|error| format!("admin.conf: {error}"))
    }

    /// Runs kubectl: its standard output.
    ///
    /// # Errors
    /// What it said when it failed.
    pub fn kubectl(&self, words: &[&str]) -> Result<String, String> {
        output(self.command_of_kubectl().args(words))
    }

    /// The objects that `kubectl get` finds.
    ///
    /// # Errors
    /// What it said when it failed.
    pub fn objects(&self, words: &[&str]) -> Result<Vec<Value>, String> {
        let text = output(self.command_of_kubectl().arg("get").args(words).args(["-o", "json"]))?;
        let mut found: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        match found["items"].take() {
            Value::Array(items) => Ok(items),
            _ => Ok(vec![found]),
        }
    }

    fn command_of_kubectl(&self) -> Command {
        let mut command = self.inside(self.program("kubectl"));
        command.arg("--kubeconfig").arg(self.kubeconfig()).args(["--request-timeout", "10s"]);
        command.args(["--server", &format!("https://{BALANCER}:6443")]);
        command
    }

    fn kubeconfig(&self) -> PathBuf {
        self.state().join("admin.conf")
    }
}
