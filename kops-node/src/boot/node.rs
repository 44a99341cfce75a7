//! A node: joins with the join object that the keepers maintain in the store.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Boot, api, names};
use crate::error::{Error, ErrorKind, Result};
use crate::kubeadm::Kubeadm;
use crate::machine::{Command, WORK, hosts};
use crate::pki::leaves;
use crate::status::Reporter;
use crate::store::Store;

/// The join object's key.
pub const JOIN: &str = "join/nodes";
/// How long to wait for it before reporting, and the pause between two reads.
const WAIT: (Duration, Duration) = (Duration::from_mins(5), Duration::from_secs(3));
const KUBELET_CONF: &str = "/etc/kubernetes/kubelet.conf";

/// The join object: a kubeconfig with a bootstrap token, and its expiration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Join {
    /// A kubeconfig.
    pub discovery: Value,
    /// When the token expires.
    pub expires: Timestamp,
}

impl Join {
    /// Reads the join object; `None` while it does not exist.
    ///
    /// # Errors
    /// If the store cannot be read. The message does not quote the object.
    pub fn read(store: &dyn Store) -> Result<Option<Self>> {
        let Some(object) = store.read(JOIN)? else { return Ok(None) };
        let wrong = |_| Error::invalid(format!("reading {JOIN}"), "it is not a join object");
        serde_json::from_slice(&object.bytes).map_err(wrong).map(Some)
    }
}

pub(super) fn boot(boot: &Boot<'_>, reporter: &mut Reporter<'_>) -> Result<()> {
    let balancer = api::addresses(boot.host, boot.bundle)?;
    hosts::write(boot.host, &names(boot.bundle, &[], &balancer))?;
    boot.host.must(["systemctl", "enable", "kubelet"])?;
    if boot.host.read(KUBELET_CONF)?.is_some() {
        if expired(boot)? {
            reporter
                .event("the kubelet's certificate expired while the machine was off: requesting a new one");
            let join = wait(boot, reporter)?;
            boot.host.write(
                "/etc/kubernetes/bootstrap-kubelet.conf",
                join.discovery.to_string().as_bytes(),
                0o600,
            )?;
        }
        return boot.host.must(["systemctl", "start", "kubelet"]).map(drop);
    }
    let join = wait(boot, reporter)?;
    let discovery = format!("{WORK}/discovery.conf");
    boot.host.write(&discovery, join.discovery.to_string().as_bytes(), 0o600)?;
    if boot.host.read("/var/lib/kubelet/config.yaml")?.is_some() {
        // A join was interrupted, for example by a power failure. On a node, and only there, a reset is
        // harmless.
        reporter.event("cleaning up after an interrupted join");
        boot.host.run(&Command::new(["kubeadm", "reset", "-f"]))?;
    }
    reporter.event("joining the cluster");
    reporter.flush(); // kubeadm waits for its certificate for minutes
    let joined = Kubeadm { host: boot.host, bundle: boot.bundle, me: boot.me }.join(&discovery);
    boot.host.remove(&discovery)?;
    joined
}

/// Waits for a join object that does not expire soon.
fn wait(boot: &Boot<'_>, reporter: &mut Reporter<'_>) -> Result<Join> {
    let end = boot.clock.elapsed() + WAIT.0;
    let mut told = false;
    loop {
        let found = Join::read(&*boot.world.store);
        let soon = boot.clock.now() + Duration::from_mins(1);
        // Without permission to list, S3 denies access to objects that do not exist yet, and a role may take
        // minutes to take effect.
        let why = match found {
            Ok(Some(join)) if join.expires > soon => return Ok(join),
            Ok(_) => Error::waiting(
                "joining the cluster",
                "the state store has no valid join token: no control plane is running yet, or none has been \
                 running for two hours",
            ),
            Err(e) if matches!(e.kind(), ErrorKind::Denied | ErrorKind::Unreachable) => e,
            Err(e) => return Err(e),
        };
        if boot.clock.elapsed() > end {
            return Err(why);
        }
        if !told {
            reporter.event("waiting for a control plane to provide a join token");
            told = true;
        }
        reporter.tick();
        boot.clock.sleep(WAIT.1);
    }
}

fn expired(boot: &Boot<'_>) -> Result<bool> {
    let Some(pem) = boot.host.read("/var/lib/kubelet/pki/kubelet-client-current.pem")? else {
        return Ok(true);
    };
    Ok(leaves::end(&pem).is_ok_and(|end| end <= boot.clock.now()))
}
