//! The identity of a process, so that the next run on the same machine knows at once that the previous one was
//! killed.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// A globally unique identity of a process.
///
/// A process ID is not sufficient: other machines and containers have the same ones, and they are reused. So it
/// consists of the machine's boot ID, the PID namespace, the process ID, and the start time. It is known on Linux; on
/// other systems leases have to expire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    boot: String,
    namespace: String,
    pid: u32,
    started: u64,
}

impl Process {
    /// This process.
    pub fn this() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// The local process with an ID.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let (boot, namespace) = here()?;
        Some(Self { boot, namespace, pid, started: started(pid)? })
    }

    /// Whether the process ran in the same place as this one, and no longer does. In doubt, it counts as running.
    pub fn is_gone(&self) -> bool {
        here().is_some_and(|(boot, namespace)| boot == self.boot && namespace == self.namespace)
            // A system that hides processes from each other shows at least this one, and process 1 always exists.
            && Path::new("/proc/1/stat").exists()
            && started(self.pid) != Some(self.started)
    }
}

/// The machine's boot ID, and the PID namespace.
fn here() -> Option<(String, String)> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some((boot.trim().to_owned(), namespace.to_str()?.to_owned()))
}

/// When a process started, in clock ticks since boot; `None` if it is gone or a zombie.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses and may contain anything: the rest follows the last one.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    match fields.next()? {
        "Z" | "X" => None,
        // The state is field 3 of proc(5), the start field 22.
        _ => fields.nth(18)?.parse().ok(),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_gone_once_it_is_killed() {
        assert!(!Process::this().unwrap().is_gone());

        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::of(child.id()).unwrap();
        assert!(!process.is_gone());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(process.is_gone());
    }

    #[test]
    fn a_number_used_again_is_another_process() {
        let mut earlier = Process::this().unwrap();
        earlier.started -= 1;
        assert!(earlier.is_gone());
    }

    #[test]
    fn nothing_is_known_of_other_machines_and_containers() {
        let mut elsewhere = Process::this().unwrap();
        elsewhere.started -= 1;
        elsewhere.boot = "00000000-0000-0000-0000-000000000000".to_owned();
        assert!(!elsewhere.is_gone());
        let mut inside = Process::this().unwrap();
        inside.started -= 1;
        inside.namespace = "pid:[1]".to_owned();
        assert!(!inside.is_gone());
    }
}
