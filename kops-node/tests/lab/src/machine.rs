//! Machines: booted, killed, replaced.

use std::path::PathBuf;

use crate::{Lab, output, run};

/// A machine that is to be booted.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Its host name.
    pub name: String,
    /// The last number of its address in the lab's network: 11 to 19 are behind the balancer of the API.
    pub number: u8,
    /// Its user data.
    pub user_data: String,
    /// Volumes: a name, under which it is mounted at `/mnt/<name>`, and a folder, which outlives the machine.
    pub volumes: Vec<(String, PathBuf)>,
}

impl Machine {
    /// Its address.
    pub fn address(&self) -> String {
        format!("10.77.0.{}", self.number)
    }
}

impl Lab {
    /// Makes a machine and boots it.
    pub fn boot(&self, machine: &Machine) {
        let user_data = self.state().join(format!("{}.user-data", machine.name));
        std::fs::write(&user_data, &machine.user_data).unwrap_or_else(|error| panic!("user data: {error}"));
        let mut command = self.command("up");
        command.args([&machine.name, "--kube", self.version(), "--ip", &machine.number.to_string()]);
        command.arg("--user-data").arg(&user_data);
        for (name, folder) in &machine.volumes {
            command.arg("--disk").arg(format!("{name}={}", folder.display()));
        }
        run(&mut command);
    }

    /// Cuts a machine's power: every process ends at once.
    pub fn kill(&self, machine: &str) {
        run(self.command("kill").arg(machine));
    }

    /// Switches a machine on that is off.
    pub fn start_again(&self, machine: &str) {
        run(self.command("start").arg(machine));
    }

    /// Cuts a machine's power for good, and deletes its own disk. Volumes stay.
    pub fn delete(&self, machine: &str) {
        run(self.command("down").arg(machine));
    }

    /// Runs a command on a machine: its standard output.
    ///
    /// # Errors
    /// What it said when it failed.
    pub fn exec(&self, machine: &str, words: &[&str]) -> Result<String, String> {
        output(self.command("exec").args([machine, "--"]).args(words))
    }
}
