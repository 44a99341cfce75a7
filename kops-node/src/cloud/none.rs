//! No cloud: name and address are taken from the machine.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use super::{Attached, Cloud, Identity, addresses, age, planned};
use crate::bundle::Volume;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::joining;
use crate::store::Store;

/// The object with the list of the cluster's machines, which operators write if no cloud lists them: a JSON
/// list of `{"nodeName", "group", "addresses": [], "started": "<RFC 3339>"}`.
const MACHINES: &str = "control/machines";

/// A machine without a cloud.
#[derive(Clone, Debug)]
pub struct NoCloud {
    hostname: PathBuf,
    machine_id: PathBuf,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    node_name: String,
    group: String,
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    started: String,
}

impl NoCloud {
    /// This machine.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self {
            hostname: "/proc/sys/kernel/hostname".into(),
            machine_id: "/etc/machine-id".into(),
            store,
            clock,
        }
    }
}

impl Cloud for NoCloud {
    fn identity(&self) -> Result<Identity> {
        let failed =
            |e: std::io::Error| Error::failed("determining this machine's name and address", e.to_string());
        let node_name = std::fs::read_to_string(&self.hostname).map_err(failed)?.trim().to_lowercase();
        let id = std::fs::read_to_string(&self.machine_id)
            .map_or_else(|_| node_name.clone(), |it| it.trim().to_owned());
        // No packet is sent: the kernel chooses the address of the route. TEST-NET-1 is reserved (RFC 5737).
        let socket = UdpSocket::bind("0.0.0.0:0").map_err(failed)?;
        socket.connect("192.0.2.1:9").map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?.ip().to_string();
        Ok(Identity { id, node_name, provider_id: None, address, zone: None })
    }

    fn volume(&self, candidates: &[String], volume: &Volume, _: &Identity) -> Result<Attached> {
        planned(candidates, volume)
    }

    fn machines(&self, _: &str) -> Result<Vec<joining::Machine>> {
        let doing = "listing the cluster's machines";
        let object = self.store.read(MACHINES)?;
        let object = object.ok_or_else(|| {
            Error::waiting(
                doing,
                format!("without a cloud operators list them in {MACHINES} of the state store"),
            )
        })?;
        let entries: Vec<Entry> =
            serde_json::from_slice(&object.bytes).map_err(|e| Error::invalid(doing, e.to_string()))?;
        let machine = |it: Entry| joining::Machine {
            age: age(&it.started, self.clock.now()),
            addresses: addresses(it.addresses.iter().map(String::as_str)),
            node_name: it.node_name,
            group: it.group,
        };
        Ok(entries.into_iter().map(machine).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Directory, Precondition};
    use crate::testing::TestClock;

    #[test]
    fn machines_are_those_that_operators_list() {
        let root = tempfile::tempdir().unwrap();
        let store = Arc::new(Directory::new(root.path()));
        let cloud = NoCloud::new(store.clone(), Arc::new(TestClock::real()));
        assert!(
            cloud.machines("c").unwrap_err().to_string().contains("operators list them in control/machines")
        );
        let text = br#"[{"nodeName": "n", "group": "nodes", "started": "2026-01-01T00:00:00Z"}]"#;
        store.write(MACHINES, text, Precondition::None).unwrap();
        let machines = cloud.machines("c").unwrap();
        assert!(machines[0].node_name == "n" && machines[0].age.unwrap() > joining::NEW);
    }
}
