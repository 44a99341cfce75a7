//! Carries out the decisions of the table, step by step, until the member serves.

use std::collections::BTreeSet;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::gateway::Gateway;
use super::memory::Memory;
use super::record::Record;
use super::{
    Began, ClusterId, Decision, Disk, Lease, Marker, Member, MemberId, Predecessor, Quorum, Situation, Start,
    Step, Waiting, decide, wal,
};
use crate::bundle::Etcd;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::machine::Host;
use crate::store::{Held, Leases, Precondition, Store};

/// The lease for changes of membership.
pub const CHANGE: &str = "control-plane/change";
/// The duration of the lease: longer than a learner with 8 GB takes to be in sync.
const LEASE: Duration = Duration::from_mins(10);
/// The pause between two observations.
const PAUSE: Duration = Duration::from_secs(2);
/// The timeout for connecting to a member.
const CONNECT: Duration = Duration::from_secs(2);
/// The name of the file in the data directory that identifies the disk. It is moved with the data.
pub(crate) const DISK_ID: &str = ".kops-disk";

/// The environment of the runner: kubeadm's manifest, names, restoring a snapshot.
pub trait Environment {
    /// Starts etcd.
    ///
    /// # Errors
    /// If it was not started.
    fn start(&mut self, start: &Start) -> Result<()>;
    /// Stops etcd and waits until it has exited.
    ///
    /// # Errors
    /// If it may still be running.
    fn stop(&mut self) -> Result<()>;
    /// Whether etcd has been started, now or before a reboot.
    ///
    /// # Errors
    /// If that cannot be determined.
    fn started(&mut self) -> Result<bool>;
    /// Makes the members' names resolve to their current addresses.
    ///
    /// # Errors
    /// If the file cannot be written.
    fn names(&mut self, records: &[(String, Record)]) -> Result<()>;
    /// Restores a snapshot of the store into the empty data directory.
    ///
    /// # Errors
    /// If it was not restored; the directory is then empty.
    fn restore(&mut self, snapshot: &str) -> Result<()>;
    /// Reports an event.
    fn event(&mut self, what: &str);
    /// Called from time to time while waiting, to store events that have not been stored yet.
    fn tick(&mut self) {}
    /// The URL of a member's client port; this machine's own with `None`.
    fn client_url(&self, member: Option<&str>) -> String;
    /// The host and port of a member's peer port.
    fn peer_address(&self, member: &Member) -> Option<String>;
}

/// A member on this machine.
pub struct Runner<'a> {
    /// The machine.
    pub host: &'a dyn Host,
    /// The state store.
    pub store: &'a dyn Store,
    /// The time.
    pub clock: &'a dyn Clock,
    /// The other members.
    pub gateway: &'a Gateway,
    /// The cluster of etcd.
    pub etcd: &'a Etcd,
    /// This machine's member.
    pub member: &'a str,
    /// The cloud's id of this machine.
    pub instance: &'a str,
    /// The data directory.
    pub data: String,
    /// The address of the machine that was previously this member, if it was another one.
    pub predecessor: Option<String>,
}

impl std::fmt::Debug for Runner<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("member", &self.member).finish_non_exhaustive()
    }
}

/// The marker, as stored.
#[derive(Serialize, Deserialize)]
struct Mark {
    cluster: ClusterId,
    by: String,
}

/// The content of the store.
struct Stored {
    records: Vec<(String, Record)>,
    marker: Marker,
    lease: Lease,
    restore: Restore,
}

/// The object `control/restore`: a line for each cluster, with the key of a snapshot of this cluster and
/// optionally further words. Each line is carried out once.
#[derive(Default)]
struct Restore {
    /// The line for this cluster.
    line: Option<String>,
    /// Why there is none, although the object exists.
    why: Option<String>,
}

impl Restore {
    /// Parses the object's text, for a cluster for which a line was carried out before.
    fn of(text: &str, cluster: &str, before: Option<&String>) -> Self {
        let prefix = format!("backups/etcd/{cluster}/");
        let mut lines = text.lines().map(str::trim).filter(|it| !it.is_empty());
        let found = lines.clone().find(|it| it.starts_with(&prefix));
        let why = match found {
            Some(line) if before.is_some_and(|it| it == line) => Some(format!(
                "the snapshot {line} of control/restore has been restored before; to restore it again, \
                 add another word to its line"
            )),
            None if lines.next().is_some() => Some(format!("control/restore names nothing below {prefix}")),
            _ => None,
        };
        Self { line: found.filter(|_| why.is_none()).map(str::to_owned), why }
    }

    /// The snapshot's key.
    fn key(&self) -> Option<&str> {
        self.line.as_deref()?.split_whitespace().next()
    }
}

/// The last events, so that they are not repeated at every observation.
#[derive(Default)]
struct Told {
    step: String,
    /// Why that step fails, as [`gist`] has it; empty if it does not.
    error: String,
    /// The same of reading the store.
    store: String,
}

/// The result of one turn.
enum Turn {
    /// A step was done: the next one may be due immediately.
    Acted,
    /// Nothing to do yet.
    Waits,
    /// The member serves, or an operator is needed.
    Over(Result<()>),
}

/// Everything that was observed in one turn.
struct Look {
    records: Vec<(String, Record)>,
    disk: Disk,
    disk_id: String,
    began: Began,
    started: bool,
    marker: Marker,
    quorum: Option<Quorum>,
    hearsay: Option<Quorum>,
    /// The member that responded.
    by: Option<String>,
    answering: BTreeSet<MemberId>,
    lease: Lease,
    restore: Restore,
}

impl Runner<'_> {
    /// The marker's key.
    pub fn marker_key(cluster: &str) -> String {
        if cluster == "main" {
            "control-plane/initialized".to_owned()
        } else {
            format!("control-plane/initialized-{cluster}")
        }
    }

    /// Runs until the API server may start, or until an operator has to intervene.
    ///
    /// # Errors
    /// If an operator has to intervene: the message says why.
    pub fn run(&self, env: &mut dyn Environment) -> Result<()> {
        let mut silent_since = self.clock.elapsed();
        let mut last = Told::default();
        loop {
            match self.turn(env, &mut silent_since, &mut last) {
                Ok(Turn::Over(result)) => return result,
                Ok(Turn::Acted) => last.error.clear(),
                Ok(Turn::Waits) => {
                    last.error.clear();
                    env.tick();
                    self.clock.sleep(PAUSE);
                }
                Err(e) => {
                    let gist = gist(&e);
                    if gist != last.error {
                        env.event(&e.to_string());
                        last.error = gist;
                    }
                    env.tick();
                    self.clock.sleep(PAUSE);
                }
            }
        }
    }

    /// One observation, one step.
    fn turn(&self, env: &mut dyn Environment, silent_since: &mut Duration, last: &mut Told) -> Result<Turn> {
        let look = self.look(env, &mut last.store)?;
        if self.predecessor.as_ref().is_some_and(|it| connects(&format!("{it}:{}", self.etcd.peer_port))) {
            *silent_since = self.clock.elapsed();
        }
        let silence = match self.predecessor {
            Some(_) => self.clock.elapsed().saturating_sub(*silent_since),
            None => Duration::MAX,
        };
        let Decision { row, step } = decide(&Situation {
            me: self.member,
            spec: &self.etcd.members,
            disk: look.disk,
            disk_id: &look.disk_id,
            began: &look.began,
            running: look.started,
            marker: look.marker,
            quorum: look.quorum.as_ref(),
            hearsay: look.hearsay.as_ref(),
            answering: &look.answering,
            predecessor: Predecessor::Silent(silence),
            lease: look.lease,
            restore: look.restore.key(),
        });
        let text = told(row, &step);
        let new = text != last.step;
        if new {
            env.event(&text);
            last.step = text;
            last.error.clear();
        }
        match step {
            Step::Stop(Waiting::DataLost) if look.restore.why.is_some() => {
                let why = look.restore.why.unwrap_or_default();
                Ok(Turn::Over(Err(Error::waiting("starting etcd", format!("{}; {why}", Waiting::DataLost)))))
            }
            Step::Stop(why) => Ok(Turn::Over(Err(Error::waiting("starting etcd", why.to_string())))),
            Step::Serve => Ok(Turn::Over(Ok(()))),
            Step::Wait(_) => Ok(Turn::Waits),
            step => {
                self.act(step, &look, env)?;
                // The same step again: its effect is not visible yet.
                Ok(if new { Turn::Acted } else { Turn::Waits })
            }
        }
    }

    fn look(&self, env: &mut dyn Environment, unread: &mut String) -> Result<Look> {
        let mut memory = Memory::read(self.host, &self.etcd.name)?;
        let disk = wal::read(self.host, &self.data)?;
        let disk_id = self.disk_id()?;
        let stored = self.read_store(&disk_id);
        let reached = stored.is_ok();
        let why = stored.as_ref().err();
        let gist = why.map(gist).unwrap_or_default();
        if gist != *unread {
            if let Some(e) = why {
                env.event(&format!("etcd, without the state store: {e}"));
            }
            *unread = gist;
        }
        let Stored { records, marker, lease, restore } = stored.unwrap_or_else(|_| {
            // The marker is never removed. A machine that has read it, and has the disk that it ran with,
            // does not need the store.
            let same = disk != Disk::Empty && memory.disk == disk_id;
            let marker = memory.marker.filter(|_| same).map_or(Marker::Unknown, Marker::Present);
            Stored { records: Vec::new(), marker, lease: Lease::Unknown, restore: Restore::default() }
        });
        let record = records.iter().find(|(name, _)| name == self.member);
        let began = match record {
            Some((_, record)) => record.began.get(&self.etcd.name).cloned().unwrap_or_default(),
            None if reached => Began::default(),
            None => Began { disk: memory.disk.clone(), new: false, id: memory.member },
        };
        if let (Marker::Present(cluster), true) = (marker, memory.marker.is_none()) {
            memory.marker = Some(cluster);
            memory.write(self.host, &self.etcd.name)?;
        }
        env.names(&records)?; // before a member is called by name
        let started = env.started()?;
        let others: Vec<&str> = if reached {
            // A name without an entry costs five seconds of DNS.
            records.iter().map(|(name, _)| name.as_str()).filter(|it| *it != self.member).collect()
        } else {
            self.etcd.members.iter().map(|it| it.name.as_str()).filter(|it| *it != self.member).collect()
        };
        let asked = || others.iter().map(|it| Some(*it)).chain(started.then_some(None));
        let answer = |linearizable| {
            asked().find_map(|it| {
                let url = env.client_url(it);
                self.gateway.members(&url, linearizable).ok().map(|list| (it.map(str::to_owned), list))
            })
        };
        let (by, quorum) = answer(true).map_or((None, None), |(by, list)| (by, Some(list)));
        let hearsay = if quorum.is_none() && !started { answer(false).map(|(_, list)| list) } else { None };
        let answering = quorum.iter().flat_map(|it| &it.members).filter(|it| it.name != self.member);
        let answering = answering
            .filter(|it| env.peer_address(it).is_some_and(|address| connects(&address)))
            .map(|it| it.id)
            .collect();
        Ok(Look {
            records,
            disk,
            disk_id,
            began,
            started,
            marker,
            quorum,
            hearsay,
            by,
            answering,
            lease,
            restore,
        })
    }

    fn read_store(&self, disk_id: &str) -> Result<Stored> {
        let mut records = Vec::new();
        for peer in &self.etcd.members {
            if let Some(record) = Record::read(self.store, &peer.name)? {
                records.push((peer.name.clone(), record));
            }
        }
        let marker = match self.store.read(&Self::marker_key(&self.etcd.name))? {
            None => Marker::Absent,
            Some(object) => {
                let mark: Mark = serde_json::from_slice(&object.bytes)
                    .map_err(|e| Error::invalid("reading the marker", e.to_string()))?;
                Marker::Present(mark.cluster)
            }
        };
        let leases = Leases { store: self.store, holder: self.instance };
        let lease = match leases.look(CHANGE, self.clock.now())? {
            Held::Free => Lease::Free,
            Held::Mine => Lease::Mine,
            Held::Other(_) => Lease::Others,
        };
        let restore = match self.store.read("control/restore")? {
            None => Restore::default(),
            Some(object) => {
                let cluster = &self.etcd.name;
                let mine = records.iter().find(|(name, _)| name == self.member).map(|(_, it)| it);
                let over = mine.filter(|it| it.restoring.get(cluster).is_none_or(|disk| disk != disk_id));
                let before = over.and_then(|it| it.restored.get(cluster));
                Restore::of(&String::from_utf8_lossy(&object.bytes), cluster, before)
            }
        };
        Ok(Stored { records, marker, lease, restore })
    }

    /// The identifier of this disk: a random string in the data directory, created if it does not exist.
    fn disk_id(&self) -> Result<String> {
        let path = format!("{}/{DISK_ID}", self.data);
        if let Some(bytes) = self.host.read(&path)? {
            return Ok(String::from_utf8_lossy(&bytes).trim().to_owned());
        }
        let id = crate::random::word(16)?;
        self.host.make_directory(&self.data, 0o700)?;
        self.host.write(&path, id.as_bytes(), 0o600)?;
        Ok(id)
    }

    /// This member's record.
    fn record(&self, look: &Look) -> Result<Record> {
        let found = look.records.iter().find(|(name, _)| name == self.member);
        found
            .map(|(_, it)| it.clone())
            .ok_or_else(|| Error::waiting("starting etcd", "this member's record is not in the store yet"))
    }

    fn act(&self, step: Step, look: &Look, env: &mut dyn Environment) -> Result<()> {
        let leases = Leases { store: self.store, holder: self.instance };
        let peer = || env.client_url(look.by.as_deref());
        match step {
            Step::Wait(_) | Step::Serve | Step::Stop(_) => Ok(()),
            Step::SetAside => {
                env.stop()?;
                let stamp = self.clock.now().strftime("%Y%m%dT%H%M%SZ");
                self.host.rename(&self.data, &format!("{}.aside-{stamp}", self.data))
            }
            Step::TakeLease => leases.take(CHANGE, self.clock.now(), LEASE).map(drop),
            Step::Release => leases.release(CHANGE, self.clock.now()),
            Step::Remove(id) => self.gateway.remove(&peer(), id),
            Step::AddLearner => {
                let url = self.etcd.members.iter().find(|it| it.name == self.member).map(|it| it.url.clone());
                self.gateway.add_learner(&peer(), &url.unwrap_or_default())
            }
            Step::Record(began) => {
                let mut record = self.record(look)?;
                record.began.insert(self.etcd.name.clone(), began);
                record.write(self.store, self.member)
            }
            Step::Restore(snapshot) => {
                let (mut record, cluster) = (self.record(look)?, self.etcd.name.clone());
                let line = look.restore.line.clone().unwrap_or_else(|| snapshot.clone());
                // Before any data is on the disk: with data, this step is not reached again to make up for it.
                record.restored.insert(cluster.clone(), line);
                record.restoring.insert(cluster.clone(), look.disk_id.clone());
                record.write(self.store, self.member)?;
                env.restore(&snapshot)?;
                record.restoring.remove(&cluster);
                record.write(self.store, self.member)
            }
            Step::Start(start) => {
                env.start(&start)?;
                let mut memory = Memory::read(self.host, &self.etcd.name)?;
                memory.data.clone_from(&self.data);
                memory.disk.clone_from(&look.disk_id);
                memory.member = match look.disk {
                    Disk::Holds { member, .. } => Some(member),
                    Disk::Empty => look.began.id,
                };
                memory.write(self.host, &self.etcd.name)
            }
            Step::Promote(id) => self.gateway.promote(&peer(), id),
            Step::CreateMarker(cluster) => {
                if !self.gateway.healthy(&env.client_url(None)) {
                    return Err(Error::waiting("starting etcd", "it is not healthy yet"));
                }
                let mark = Mark { cluster, by: self.instance.to_owned() };
                let bytes = serde_json::to_vec(&mark)
                    .map_err(|e| Error::invalid("writing the marker", e.to_string()))?;
                self.store.write(&Self::marker_key(&self.etcd.name), &bytes, Precondition::Absent).map(drop)
            }
        }
    }
}

/// The event for a decision.
fn told(row: u8, step: &Step) -> String {
    let what = match step {
        Step::Wait(why) | Step::Stop(why) => why.to_string(),
        Step::SetAside => "this data no longer belongs to a member: moving it aside".to_owned(),
        Step::TakeLease => "taking the lease for changes of membership".to_owned(),
        Step::Remove(id) => format!("removing the lost member {id}"),
        Step::AddLearner => "adding this member as a learner".to_owned(),
        Step::Record(_) => "recording that this member starts on an empty disk".to_owned(),
        Step::Restore(snapshot) => format!("restoring {snapshot}"),
        Step::Start(Start::New) => "starting as a member of a new cluster".to_owned(),
        Step::Start(Start::WithData) => "starting with the data on the disk".to_owned(),
        Step::Start(Start::Existing(_)) => "starting as a member that was added to the cluster".to_owned(),
        Step::Promote(id) => format!("promoting {id} to a voter once it is in sync"),
        Step::CreateMarker(cluster) => format!("marking cluster {cluster} as initialized"),
        Step::Release => "releasing the lease for changes of membership".to_owned(),
        Step::Serve => "serving".to_owned(),
    };
    if row == 0 { format!("etcd: {what}") } else { format!("etcd, row {row}: {what}") }
}

/// What does not change while the same call fails again and again; the text may contain the id of a request.
fn gist(error: &Error) -> String {
    format!("{:?}: {}", error.kind(), error.doing())
}

fn connects(address: &str) -> bool {
    let mut found = address.to_socket_addrs().into_iter().flatten();
    found.any(|it| TcpStream::connect_timeout(&it, CONNECT).is_ok())
}

#[cfg(test)]
mod tests;
