//! A cluster's history from a seed: machines, disks, the store, partitions, crashes, and the table on every machine.
//!
//! One machine and one disk for each member. A machine looks at its situation in one step and acts in a later one, so
//! that every decision may be out of date when it is carried out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;
use kops_node::etcd::{
    Began, ClusterId, Decision, Disk, Lease, Marker, MemberId, Peer, Predecessor, Quorum, Situation, Start,
    Step,
};

use super::raft::{Data, Entry, Outcome, Reach, url};

/// The table, or one with a flaw.
pub(crate) type Table = fn(&Situation<'_>) -> Decision;

/// How long a lease lasts, in ticks.
const LEASE: u64 = 120;

#[derive(Default)]
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) alive: bool,
    pub(super) booted: u64,
    pub(super) disk: Option<Data>,
    pub(super) aside: Vec<Data>,
    /// Disks that were lost, and may be found again.
    pub(super) lost: Vec<(u32, Option<Data>)>,
    /// Which disk it is: a lost one is replaced by another.
    pub(super) disk_id: u32,
    pub(super) disks: u32,
    pub(super) running: bool,
    pub(super) serving: bool,
    pub(super) store: bool,
    /// The marker, once this machine has seen it.
    pub(super) seen: Option<ClusterId>,
    pub(super) next: Option<(Step, Option<Quorum>)>,
    pub(super) side: u8,
}

pub(crate) struct World {
    pub(super) rng: Rng,
    pub(super) now: u64,
    pub(super) spec: usize,
    pub(super) machines: Vec<Machine>,
    pub(super) marker: Option<ClusterId>,
    pub(super) began: BTreeMap<String, Began>,
    pub(super) lease: Option<(usize, u64)>,
    /// A store without compare-and-swap: the lease excludes nobody.
    pub(super) courtesy: bool,
    pub(super) writes: u64,
    pub(super) acknowledged: Vec<u64>,
    pub(super) table: Table,
    pub(super) ids: u64,
    pub(super) term: u64,
    pub(super) rows: [u64; 9],
    /// The faults have ended.
    pub(super) calm: bool,
}

impl World {
    /// How often each row of the table was decided by.
    pub(crate) fn rows(&self) -> [u64; 9] {
        self.rows
    }

    pub(crate) fn new(seed: u64, table: Table) -> Self {
        let mut rng = Rng::with_seed(seed);
        let spec = if rng.u8(..4) == 0 { 1 } else { 3 };
        let machine = |name: &str| Machine { name: name.to_owned(), store: true, ..Machine::default() };
        Self {
            now: 0,
            spec,
            machines: ["a", "b", "c"].map(machine).into(),
            marker: None,
            began: BTreeMap::new(),
            lease: None,
            courtesy: rng.u8(..4) == 0,
            writes: 0,
            acknowledged: Vec::new(),
            table,
            ids: 0,
            term: 1,
            rows: [0; 9],
            calm: false,
            rng,
        }
    }

    /// Lives through faults, then without: an error is a promise broken.
    pub(crate) fn run(&mut self) -> Result<u64, String> {
        let ticks = self.rng.u64(50..1500);
        for _ in 0..ticks {
            self.now += 1;
            match self.rng.u8(..32) {
                0 => self.fault(),
                1 if self.spec == 1 => self.spec = 3,
                2 | 3 => self.write()?,
                _ => self.turn()?,
            }
        }
        self.heal();
        for _ in 0..4000 {
            self.now += 1;
            if self.whole()? {
                let before = self.acknowledged.len();
                self.write()?;
                return if self.acknowledged.len() > before {
                    Ok(self.now)
                } else {
                    Err("a whole cluster takes no write".to_owned())
                };
            }
            self.turn()?;
        }
        Err(format!("no progress: {}", self.state()))
    }

    fn connected(machines: &[(bool, u8)], a: usize, b: usize) -> bool {
        machines[a].0 && machines[b].0 && (a == b || machines[a].1 == machines[b].1)
    }

    /// Etcd, as it runs at the moment.
    fn etcd<T>(&mut self, f: impl FnOnce(&mut Reach<'_>) -> T) -> T {
        let links: Vec<_> = self.machines.iter().map(|it| (it.alive, it.side)).collect();
        let connected = |a, b| Self::connected(&links, a, b);
        let running = self
            .machines
            .iter_mut()
            .enumerate()
            .filter(|(_, it)| it.alive && it.running)
            .filter_map(|(at, it)| Some((at, it.disk.as_mut()?)))
            .collect();
        f(&mut Reach { running, term: &mut self.term, connected: &connected })
    }

    /// One machine does one thing.
    fn turn(&mut self) -> Result<(), String> {
        let at = self.rng.usize(..self.spec);
        if !self.machines[at].alive {
            return Ok(());
        }
        if self.machines[at].running && self.rng.u8(..4) == 0 {
            return self.publish(at);
        }
        if let Some((step, quorum)) = self.machines[at].next.take() {
            return self.act(at, step, quorum);
        }
        let (decision, quorum) = self.look(at)?;
        self.rows[usize::from(decision.row)] += 1;
        self.machines[at].next = Some((decision.step, quorum));
        Ok(())
    }

    fn publish(&mut self, at: usize) -> Result<(), String> {
        let Some(id) = self.machines[at].disk.as_ref().map(|it| it.id) else { return Ok(()) };
        let name = self.machines[at].name.clone();
        let unpublished =
            |it: Quorum| it.members.iter().any(|it| it.id == id && (!it.started || it.name != name));
        if self.etcd(|etcd| etcd.list(at))?.is_some_and(unpublished) {
            self.propose(at, Entry::Publish(id, self.machines[at].name.clone()))?;
        }
        Ok(())
    }

    fn look(&mut self, at: usize) -> Result<(Decision, Option<Quorum>), String> {
        let running = self.machines[at].running;
        let quorum = self.etcd(|etcd| etcd.list(at))?;
        let hearsay = if quorum.is_some() { None } else { self.etcd(|etcd| etcd.hearsay(at)) };
        let links: Vec<_> = self.machines.iter().map(|it| (it.alive, it.side)).collect();
        let answering: BTreeSet<MemberId> = self
            .machines
            .iter()
            .enumerate()
            .filter(|(other, it)| it.running && Self::connected(&links, at, *other))
            .filter_map(|(_, it)| Some(it.disk.as_ref()?.id))
            .collect();
        let spec: Vec<Peer> = self.machines[..self.spec]
            .iter()
            .map(|it| Peer { name: it.name.clone(), url: url(&it.name) })
            .collect();
        let reached = self.machines[at].store;
        if let (true, Some(marker)) = (reached, self.marker) {
            self.machines[at].seen = Some(marker);
        }
        let machine = &self.machines[at];
        let disk_id = machine.disk_id.to_string();
        let began = self.record(at);
        let situation = Situation {
            me: &machine.name,
            spec: &spec,
            disk: match &machine.disk {
                Some(data) => Disk::Holds { member: data.id, cluster: data.cluster },
                None => Disk::Empty,
            },
            disk_id: &disk_id,
            began: &began,
            running,
            marker: match (reached, machine.seen) {
                (_, Some(cluster)) => Marker::Present(cluster),
                (true, None) => Marker::Absent,
                (false, None) => Marker::Unknown,
            },
            quorum: quorum.as_ref(),
            hearsay: hearsay.as_ref(),
            answering: &answering,
            predecessor: Predecessor::Silent(Duration::from_secs(self.now - machine.booted)),
            lease: match (reached, self.lease) {
                (false, _) => Lease::Unknown,
                (true, Some((holder, until))) if until > self.now => {
                    if holder == at {
                        Lease::Mine
                    } else if self.courtesy {
                        Lease::Free
                    } else {
                        Lease::Others
                    }
                }
                (true, _) => Lease::Free,
            },
            restore: None,
        };
        Ok(((self.table)(&situation), quorum.or(hearsay)))
    }

    fn act(&mut self, at: usize, step: Step, quorum: Option<Quorum>) -> Result<(), String> {
        let now = self.now;
        let name = self.machines[at].name.clone();
        let store = self.machines[at].store;
        let machine = &mut self.machines[at];
        match step {
            Step::SetAside => {
                (machine.running, machine.serving) = (false, false);
                machine.aside.extend(machine.disk.take());
                // What tells the disk apart goes with the data.
                machine.disks = machine.disks.max(machine.disk_id) + 1;
                machine.disk_id = machine.disks;
            }
            Step::TakeLease if store => {
                let held = self.lease.is_some_and(|(holder, until)| until > now && holder != at);
                if !held || self.courtesy {
                    self.lease = Some((at, now + LEASE));
                }
            }
            Step::Release if store => {
                if self.lease.is_some_and(|(holder, _)| holder == at) {
                    self.lease = None;
                }
            }
            Step::Record(began) if store => {
                self.began.insert(name, began);
            }
            Step::CreateMarker(cluster) if store => {
                self.marker.get_or_insert(cluster);
            }
            // Nothing to do, or the store is not reached.
            Step::Wait(_)
            | Step::Restore(_)
            | Step::Stop(_)
            | Step::Record(_)
            | Step::TakeLease
            | Step::Release
            | Step::CreateMarker(_) => {}
            Step::Remove(id) => self.propose(at, Entry::Remove(id)).map(drop)?,
            Step::Promote(id) => self.propose(at, Entry::Promote(id)).map(drop)?,
            Step::AddLearner => {
                self.ids += 1;
                let id = MemberId(self.ids << 8);
                self.propose(at, Entry::Add { id, name }).map(drop)?;
            }
            Step::Start(start) => self.start(at, &start, quorum),
            Step::Serve => machine.serving = true,
        }
        Ok(())
    }

    fn start(&mut self, at: usize, start: &Start, quorum: Option<Quorum>) {
        let name = self.machines[at].name.clone();
        let all: Vec<_> = self.machines[..self.spec].iter().map(|it| it.name.clone()).collect();
        let machine = &mut self.machines[at];
        if machine.disk.is_none() {
            machine.disk = match (start, quorum) {
                (Start::New, _) => Some(Data::new(&name, &all)),
                (Start::Existing(list), Some(quorum)) => {
                    let mine = list.iter().find(|(it, _)| *it == name);
                    let entry = mine
                        .and_then(|(_, url)| quorum.members.iter().find(|it| it.peer_urls == [url.clone()]));
                    entry.map(|it| Data::joining(it.id, quorum.cluster))
                }
                _ => None,
            };
        }
        machine.running = machine.disk.is_some();
    }

    /// A client writes through one API server.
    fn write(&mut self) -> Result<(), String> {
        let serving: Vec<usize> =
            (0..self.spec).filter(|at| self.machines[*at].alive && self.machines[*at].serving).collect();
        let Some(at) = self.rng.choice(serving) else { return Ok(()) };
        if self.marker.is_none() {
            return Err("an API server serves without a marker".to_owned());
        }
        if self.machines[at].disk.as_ref().map(|it| it.cluster) != self.marker {
            return Err("two clusters: an API server serves another one than the marker's".to_owned());
        }
        self.writes += 1;
        let write = self.writes;
        if self.propose(at, Entry::Write(write))? == Outcome::Committed {
            self.acknowledged.push(write);
        }
        Ok(())
    }

    fn propose(&mut self, at: usize, entry: Entry) -> Result<Outcome, String> {
        let partial = (!self.calm && self.rng.u8(..16) == 0).then(|| self.rng.usize(..2));
        let acknowledged = std::mem::take(&mut self.acknowledged);
        let marker = self.marker;
        let outcome = self.etcd(|etcd| {
            // A cluster that is not the marker's holds nobody's data.
            let leads = etcd.leader(at).map(|(leader, _)| etcd.running[&leader].cluster);
            let promised = if leads == marker { acknowledged.as_slice() } else { &[] };
            etcd.propose(at, entry, partial, promised)
        });
        self.acknowledged = acknowledged;
        outcome
    }

    fn whole(&mut self) -> Result<bool, String> {
        let all = (0..self.spec).all(|at| self.machines[at].serving && self.machines[at].running);
        let lease = self.lease.is_none_or(|(_, until)| until <= self.now);
        let all_names: BTreeSet<String> =
            self.machines[..self.spec].iter().map(|it| it.name.clone()).collect();
        let list = self.etcd(|etcd| etcd.list(0))?;
        let voters = |it: &Quorum| it.members.iter().all(|it| !it.learner && it.started);
        let named =
            |it: &Quorum| it.members.iter().map(|it| it.name.clone()).collect::<BTreeSet<_>>() == all_names;
        Ok(all && lease && list.is_some_and(|it| voters(&it) && named(&it)))
    }

    fn state(&mut self) -> String {
        let looks: Vec<_> = (0..self.spec).map(|at| self.look(at)).collect();
        let line = |(it, next): (&Machine, _)| {
            let disk = it.disk.as_ref().map(|it| (it.id, it.cluster, it.log.len(), it.commit));
            let began = self.began.get(&it.name);
            let Machine { name, alive, running, serving, .. } = it;
            format!("{name}: {alive} {running} {serving} began {began:?} disk {disk:?} next {next:?}")
        };
        self.machines.iter().zip(looks).map(line).collect::<Vec<_>>().join("\n")
    }
}
