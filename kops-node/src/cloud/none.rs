//! No cloud: the machine's name and address are those it has.

use std::net::UdpSocket;
use std::path::PathBuf;

use super::{Attached, Cloud, Identity, planned};
use crate::bundle::Volume;
use crate::error::{Error, Result};
use crate::joining;

/// A machine without a cloud.
#[derive(Clone, Debug)]
pub struct NoCloud {
    hostname: PathBuf,
    machine_id: PathBuf,
}

impl NoCloud {
    /// This machine.
    pub fn new() -> Self {
        Self { hostname: "/proc/sys/kernel/hostname".into(), machine_id: "/etc/machine-id".into() }
    }
}

impl Default for NoCloud {
    fn default() -> Self {
        Self::new()
    }
}

impl Cloud for NoCloud {
    fn identity(&self) -> Result<Identity> {
        let failed =
            |e: std::io::Error| Error::failed("finding out this machine's name and address", e.to_string());
        let node_name = std::fs::read_to_string(&self.hostname).map_err(failed)?.trim().to_lowercase();
        let id = std::fs::read_to_string(&self.machine_id)
            .map_or_else(|_| node_name.clone(), |it| it.trim().to_owned());
        // No packet is sent: the kernel chooses the address of the route. TEST-NET-1 is nobody's (RFC 5737).
        let socket = UdpSocket::bind("0.0.0.0:0").map_err(failed)?;
        socket.connect("192.0.2.1:9").map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?.ip().to_string();
        Ok(Identity { id, node_name, provider_id: None, address, zone: None })
    }

    fn volume(&self, candidates: &[String], volume: &Volume, _: &Identity) -> Result<Attached> {
        planned(candidates, volume)
    }

    fn machines(&self, _: &str) -> Result<Vec<joining::Machine>> {
        Err(Error::invalid("listing machines", "without a cloud nobody knows which machines are alive"))
    }
}
