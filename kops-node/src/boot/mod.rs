//! `kops-node boot`: makes of the machine what its bundle says, at every boot, again and again until it succeeds.
//!
//! Every step compares before it changes, so the whole of it runs each time. What fails is tried again after 30 s, then
//! twice as long up to five minutes, for ever; what waits for a store, a role or another machine, after five seconds up to
//! one minute. So a store that is back, a role that works at last, a package mirror that is repaired need nobody who logs
//! in.

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

/// What a boot works with.
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
                    reporter.enter(state, &format!("{e}; trying again in {} s", pause.as_secs()));
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
        machine::prepare(self.host, &self.world.http, self.bundle, &mut |it| reporter.event(it))?;
        match self.bundle.role {
            Role::ControlPlane => control_plane::boot(self, reporter),
            Role::Node => node::boot(self, reporter),
        }
    }
}

/// What can be told at once: a kubelet of 1.35 or later does not run on cgroup v1.
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

/// The names in `/etc/hosts`. On control planes those of the API lead to the machine itself: no hairpin through a
/// balancer, and no dependence on its health. On nodes it leads to the balancer, unless it is published.
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

/// `kops-node guard`, before the kubelet starts: an old manifest must not start etcd over a disk that is empty or another
/// member's. (The kubelet would run it as soon as the directory is there, before anything has decided.)
///
/// # Errors
/// When the manifest cannot be removed.
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
