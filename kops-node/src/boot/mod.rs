//! `kops-node boot`: configures the machine as its bundle specifies, at every boot, repeatedly until it
//! succeeds.
//!
//! Every step compares before it changes anything, so all steps run each time. A failure is retried after 30
//! s, with a pause that doubles up to five minutes, without limit; waiting for a store, a role or another
//! machine is retried after five seconds up to one minute. So once a store is available again, a role takes
//! effect or a package mirror is repaired, nobody has to log in.

pub mod api;
pub(crate) mod control_plane;
pub mod node;
pub(crate) mod once;
mod restore;

use std::time::Duration;

use crate::bundle::{Bundle, Role};
use crate::clock::Clock;
use crate::cloud::Identity;
use crate::error::{Error, ErrorKind, Result};
use crate::etcd::memory::Memory;
use crate::etcd::record::Record;
use crate::etcd::{Disk, wal};
use crate::kubeadm::{documents, manifest_of};
use crate::machine::{self, Host, WORK};
use crate::status::{Reporter, State};
use crate::world::World;

pub use once::due;

/// The first pause after a failure, and the longest.
const FAILED: (Duration, Duration) = (Duration::from_secs(30), Duration::from_mins(5));
/// The same while the machine waits for others.
const WAITING: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(1));

/// The context of a boot.
#[derive(Debug)]
pub struct Boot<'a> {
    /// The machine.
    pub host: &'a dyn Host,
    /// The time.
    pub clock: &'a dyn Clock,
    /// The bundle.
    pub bundle: &'a Bundle,
    /// Its cloud and store.
    pub world: &'a World,
    /// Who this machine is.
    pub me: &'a Identity,
}

impl Boot<'_> {
    /// Boots until it succeeds.
    pub fn run(&self, reporter: &mut Reporter<'_>) {
        let mut pause = Duration::ZERO;
        loop {
            reporter.status.attempts += 1;
            match self.attempt(reporter) {
                Ok(()) => {
                    if let Some(most) = memory(self.host) {
                        reporter.event(&format!("kops-node used {most} MB of memory at most"));
                    }
                    reporter.enter(State::Joined, "this machine is a member of the cluster");
                    return;
                }
                Err(e) => {
                    let (state, (first, longest)) = match e.kind() {
                        ErrorKind::Waiting | ErrorKind::Denied | ErrorKind::Unreachable => {
                            (State::Waiting, WAITING)
                        }
                        _ => (State::Failed, FAILED),
                    };
                    pause = (2 * pause).clamp(first, longest);
                    reporter.enter(state, &format!("{e}; retrying in {} s", pause.as_secs()));
                }
            }
            self.clock.sleep(pause);
        }
    }

    /// Boots once.
    ///
    /// # Errors
    /// The first step that failed.
    pub fn attempt(&self, reporter: &mut Reporter<'_>) -> Result<()> {
        check(self.host, self.bundle)?;
        machine::prepare(self.host, &self.world.http, self.bundle, &mut |it| {
            reporter.event(it);
            reporter.flush(); // any part may take long, for example where the network is slow
        })?;
        match self.bundle.role {
            Role::ControlPlane => control_plane::boot(self, reporter),
            Role::Node => node::boot(self, reporter),
        }
    }
}

/// Checks that can be done immediately: a kubelet of 1.35 or later does not run on cgroup v1.
fn check(host: &dyn Host, bundle: &Bundle) -> Result<()> {
    let unified = host.path("/sys/fs/cgroup/cgroup.controllers").exists();
    let documents = bundle.kubeadm.cluster.iter().chain(&bundle.kubeadm.join);
    let mut allowed =
        documents.chain(bundle.kubeadm.patches.values()).filter(|it| it["failCgroupV1"] == false);
    if unified || once::number(&bundle.kubernetes_version) < [1, 35, 0] || allowed.next().is_some() {
        return Ok(());
    }
    Err(Error::failed(
        "checking this machine",
        format!(
            "Kubernetes {} does not run on cgroup v1: use an image of a newer distribution, or boot with \
             systemd.unified_cgroup_hierarchy=1",
            bundle.kubernetes_version
        ),
    ))
}

/// The most memory that this process has used so far, in MB.
fn memory(host: &dyn Host) -> Option<u64> {
    let status = host.read("/proc/self/status").ok()??;
    let text = String::from_utf8_lossy(&status);
    let line = text.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib.div_ceil(1024))
}

/// The names in `/etc/hosts`. On control planes the API's names resolve to the machine itself: no hairpin
/// through a load balancer, and no dependence on its health. On nodes the name resolves to the load balancer,
/// unless it is published.
pub fn names(bundle: &Bundle, records: &[(String, Record)], balancer: &[String]) -> Vec<(String, String)> {
    let api = std::iter::once(&bundle.api.name).chain(&bundle.api.aliases);
    match bundle.role {
        Role::Node => balancer.iter().map(|it| (it.clone(), bundle.api.name.clone())).collect(),
        Role::ControlPlane => {
            let mut all: Vec<_> = api.map(|it| ("127.0.0.1".to_owned(), it.clone())).collect();
            for peer in bundle.etcd.first().iter().flat_map(|it| &it.members) {
                if let Some((_, record)) = records.iter().find(|(name, _)| *name == peer.name) {
                    all.push((record.address.clone(), documents::host_of(&peer.url).to_owned()));
                }
            }
            all
        }
    }
}

/// `kops-node guard`, before the kubelet starts: an old manifest must not start etcd on an empty disk or on
/// that of another member. (The kubelet would run it as soon as the directory exists, before the decision is
/// made.)
///
/// # Errors
/// If the manifest cannot be removed.
pub fn guard(host: &dyn Host) -> Result<bool> {
    let mut removed = false;
    let known = host.list(WORK)?;
    let others = known.iter().filter_map(|it| it.strip_prefix("etcd-")?.strip_suffix(".json"));
    for cluster in others.filter(|it| *it != "main").chain(["main"]) {
        let memory = Memory::read(host, cluster)?;
        let same = match wal::read(host, &memory.data) {
            Ok(Disk::Holds { member, .. }) => memory.member.is_none_or(|it| it == member),
            Ok(Disk::Empty) | Err(_) => false,
        };
        if !same {
            removed |= host.remove(&manifest_of(cluster))?;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests;
