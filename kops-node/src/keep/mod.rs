//! `kops-node keep`, every minute on control planes: maintenance of a running cluster.
//!
//! Each machine maintains its own names and certificates. Tasks of the cluster are done by one keeper at a
//! time, under a lease, one in each pass, and none if in doubt: a keeper that cannot list the cloud's
//! machines approves nothing and deletes nothing. All of it may safely be done twice, because leases are only
//! advisory on some stores.

mod certificates;
mod joiners;
mod nodes;
mod snapshots;
mod strays;
mod token;

use std::cell::{OnceCell, RefCell};
use std::time::Duration;

use crate::boot::{names, once};
use crate::bundle::{Bundle, Etcd, Groups};
use crate::clock::Clock;
use crate::cloud::Identity;
use crate::error::{Error, ErrorKind, Result};
use crate::etcd::record::Record;
use crate::joining::Machine;
use crate::kube::Api;
use crate::kubeadm::Kubeadm;
use crate::machine::{Host, hosts};
use crate::store::{Held, Leases};
use crate::world::World;

/// The lease of the keepers.
const LEASE: &str = "control-plane/keeper";
/// The duration of the lease: for this long no machine joins after a keeper has failed. A snapshot may take
/// longer, and is then taken twice.
const LEASE_TIME: Duration = Duration::from_mins(2);
/// How long an idle keeper polls for machines that join, and how often: at its own API server, so that no
/// calls to the cloud and the store are needed. With one pass per minute alone, each of them would wait for
/// up to a minute.
const ATTENTION: (Duration, Duration) = (Duration::from_secs(45), Duration::from_secs(2));
/// The maximum number of passes in one run.
const PASSES: usize = 50;

/// The context of a pass.
#[derive(Debug)]
pub struct Keep<'a> {
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

/// The cluster's part of a pass.
struct Pass<'a> {
    keep: &'a Keep<'a>,
    api: &'a Api,
    /// Listed on first use, once in each pass.
    machines: OnceCell<Result<Vec<Machine>>>,
    /// Read on first use, once in each pass.
    groups: OnceCell<Result<Groups>>,
    /// What to report although nothing was done: unlike a finished task, it does not end the pass.
    told: RefCell<Vec<String>>,
}

impl Keep<'_> {
    /// Does what is due now, pass by pass, and then serves requests of machines for a minute.
    ///
    /// # Errors
    /// The first error.
    pub fn run(&self, event: &mut dyn FnMut(&str)) -> Result<()> {
        let end = self.clock.elapsed() + ATTENTION.0;
        for _ in 0..PASSES {
            match self.pass(event)? {
                Some(done) => event(&done),
                None if self.attends()? && self.is_asked(&self.api()?, end)? => {}
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Whether this keeper, and no other, serves machines that join.
    fn attends(&self) -> Result<bool> {
        let leases = Leases { store: &*self.world.store, holder: &self.me.id };
        Ok(leases.look(LEASE, self.clock.now())? == Held::Mine)
    }

    /// Waits for a machine that requests a certificate; `false` if none does until then.
    fn is_asked(&self, api: &Api, end: Duration) -> Result<bool> {
        let known = joiners::undecided(api)?;
        while self.clock.elapsed() < end {
            self.clock.sleep(ATTENTION.1);
            if !joiners::undecided(api)?.is_subset(&known) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn api(&self) -> Result<Api> {
        Api::local(self.host, "/etc/kubernetes/super-admin.conf", self.bundle.api.port)
    }

    /// Runs one pass, and returns what was done, if anything.
    ///
    /// # Errors
    /// The first error. The next pass retries.
    pub fn pass(&self, event: &mut dyn FnMut(&str)) -> Result<Option<String>> {
        let etcd =
            self.bundle.etcd.first().ok_or_else(|| Error::invalid("keeping", "the bundle names no etcd"))?;
        let settings =
            self.bundle.keep.ok_or_else(|| Error::invalid("keeping", "this is not a control plane"))?;
        if let Some(done) = self.names(etcd)? {
            return Ok(Some(done));
        }
        if let Some(done) = certificates::keep(self, settings)? {
            return Ok(Some(done));
        }
        let api = match self.api() {
            Err(e) if e.kind() == ErrorKind::Waiting => return Ok(None), // this machine has not booted yet
            other => other?,
        };
        self.cluster(&api, event)
    }

    /// The cluster's part, if this keeper has the lease and its API server is ready.
    fn cluster(&self, api: &Api, event: &mut dyn FnMut(&str)) -> Result<Option<String>> {
        if !api.ready() {
            return Ok(None);
        }
        let leases = Leases { store: &*self.world.store, holder: &self.me.id };
        if leases.take(LEASE, self.clock.now(), LEASE_TIME)? != Held::Mine {
            return Ok(None);
        }
        let (machines, groups) = (OnceCell::new(), OnceCell::new());
        let pass = Pass { keep: self, api, machines, groups, told: RefCell::default() };
        let done = pass.first_due(event);
        for it in pass.told.take() {
            event(&it);
        }
        // A keeper that has found nothing to do only hands over when it fails: the lease then expires.
        if done.is_err() {
            leases.release(LEASE, self.clock.now())?;
        }
        done
    }

    /// The members' current addresses.
    fn names(&self, etcd: &Etcd) -> Result<Option<String>> {
        let mut records = Vec::new();
        for peer in &etcd.members {
            if let Some(record) = Record::read(&*self.world.store, &peer.name)? {
                records.push((peer.name.clone(), record));
            }
        }
        if records.is_empty() {
            return Ok(None); // not even this machine has booted
        }
        let changed = hosts::write(self.host, &names(self.bundle, &records, &[]))?;
        Ok(changed.then(|| "etcd members have new addresses".to_owned()))
    }
}

impl Pass<'_> {
    fn first_due(&self, event: &mut dyn FnMut(&str)) -> Result<Option<String>> {
        if !once::begun(self.api)? {
            return self.once(event); // no machine can join before
        }
        // First, what other machines wait for.
        let due = [
            joiners::approve,
            token::refresh,
            nodes::label,
            nodes::forget,
            strays::remove,
            snapshots::take,
            snapshots::prune,
        ];
        // An error does not prevent the other tasks.
        let mut failed = None;
        for thing in due {
            match thing(self) {
                Ok(Some(done)) => return Ok(Some(done)),
                Ok(None) => {}
                Err(e) => failed = failed.or(Some(e)),
            }
        }
        if let Some(e) = failed {
            return Err(e);
        }
        self.once(event)
    }

    /// Tasks that are done once for each version.
    fn once(&self, event: &mut dyn FnMut(&str)) -> Result<Option<String>> {
        let keep = self.keep;
        let kubeadm = Kubeadm { host: keep.host, bundle: keep.bundle, me: keep.me };
        let mut done = None;
        once::work(keep.bundle, &kubeadm, self.api, &mut |it| {
            event(it);
            done = Some(it.to_owned());
        })?;
        Ok(done)
    }

    /// The machines that the cloud lists. This one must be among them; otherwise the listing is not reliable.
    fn machines(&self) -> Result<&[Machine]> {
        let listed = self.machines.get_or_init(|| {
            let machines = self.keep.world.cloud.machines(&self.keep.bundle.cluster)?;
            if machines.iter().any(|it| it.node_name == self.keep.me.node_name) {
                Ok(machines)
            } else {
                Err(Error::failed(
                    "listing the cluster's machines",
                    "the cloud's listing does not contain this machine",
                ))
            }
        });
        listed.as_deref().map_err(Clone::clone)
    }

    /// The cluster's groups, as currently stored.
    fn groups(&self) -> Result<&Groups> {
        let read = || {
            let doing = "reading the cluster's groups";
            let object =
                self.keep.world.store.read(Groups::KEY)?.ok_or_else(|| {
                    Error::failed(doing, format!("{} is not in the state store", Groups::KEY))
                })?;
            Groups::parse(&object.bytes).map_err(|e| Error::failed(doing, e.to_string()))
        };
        self.groups.get_or_init(read).as_ref().map_err(Clone::clone)
    }
}

#[cfg(test)]
mod tests;
