//! Etcd, as far as the table can harm it.
//!
//! A member has a log; an election and the replication that follows are one step. A leader needs the votes of a
//! majority of the voters that it knows of, and a voter votes only for a log that is at least as good as its own. So a
//! member that forgot its log, a second cluster under the same name, or a voter that is counted twice do here what they
//! do to real clusters. Left out: two elections at once, whose votes etcd writes to disk.

use std::collections::{BTreeMap, BTreeSet};

use kops_node::etcd::{ClusterId, Member, MemberId, Quorum};

/// What a log holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// What a new leader commits first, and with it all that it found in its log.
    Elected,
    Write(u64),
    Add {
        id: MemberId,
        name: String,
    },
    Remove(MemberId),
    Promote(MemberId),
    Publish(MemberId, String),
}

/// The data on one disk.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    pub(crate) id: MemberId,
    pub(crate) cluster: ClusterId,
    /// The first members; empty until the first contact of a member that joins.
    pub(crate) first: Vec<(MemberId, String)>,
    pub(crate) log: Vec<(u64, Entry)>,
    pub(crate) commit: usize,
}

impl Data {
    pub(crate) fn new(name: &str, all: &[String]) -> Self {
        let first: Vec<_> = all.iter().map(|it| (static_id(it), it.clone())).collect();
        let cluster = first.iter().fold(17, |sum, (id, _)| hash(sum ^ id.0));
        Self { id: static_id(name), cluster: ClusterId(cluster), first, log: Vec::new(), commit: 0 }
    }

    pub(crate) fn joining(id: MemberId, cluster: ClusterId) -> Self {
        Self { id, cluster, first: Vec::new(), log: Vec::new(), commit: 0 }
    }

    pub(crate) fn members(&self) -> BTreeMap<MemberId, Member> {
        let voter = |(id, name): &(MemberId, String)| (*id, member(*id, name, name, false));
        let mut all: BTreeMap<_, _> = self.first.iter().map(voter).collect();
        for (_, entry) in &self.log[..self.commit] {
            match entry {
                Entry::Elected | Entry::Write(_) => {}
                Entry::Add { id, name } => {
                    all.insert(*id, member(*id, "", name, true));
                }
                Entry::Remove(id) => {
                    all.remove(id);
                }
                Entry::Promote(id) => {
                    if let Some(it) = all.get_mut(id) {
                        it.learner = false;
                    }
                }
                Entry::Publish(id, name) => {
                    if let Some(it) = all.get_mut(id) {
                        (it.started, it.name) = (true, name.clone());
                    }
                }
            }
        }
        all
    }

    pub(crate) fn voters(&self) -> BTreeSet<MemberId> {
        self.members().into_values().filter(|it| !it.learner).map(|it| it.id).collect()
    }

    /// The first members that never started.
    pub(crate) fn unstarted(&self) -> BTreeSet<String> {
        self.members().into_values().filter(|it| !it.started && !it.learner).map(|it| it.name).collect()
    }

    fn rank(&self) -> (u64, usize) {
        (self.log.last().map_or(1, |(term, _)| *term), self.log.len())
    }
}

fn member(id: MemberId, name: &str, host: &str, learner: bool) -> Member {
    Member { id, name: name.to_owned(), peer_urls: vec![url(host)], started: false, learner }
}

pub(crate) fn url(name: &str) -> String {
    format!("https://{name}.etcd:2380")
}

/// As etcd does: the id of a first member follows from its name alone.
fn static_id(name: &str) -> MemberId {
    MemberId(name.bytes().fold(7, |sum, byte| hash(sum ^ u64::from(byte))))
}

fn hash(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) | 1
}

/// The members that run, by machine, as one machine reaches them.
pub(crate) struct Reach<'a> {
    pub(crate) running: BTreeMap<usize, &'a mut Data>,
    /// The last term: no two leaders ever share one.
    pub(crate) term: &'a mut u64,
    pub(crate) connected: &'a dyn Fn(usize, usize) -> bool,
}

/// What became of a proposal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Committed,
    /// Written somewhere, by too few: it may be committed later, or vanish.
    Unknown,
    Refused,
}

impl Reach<'_> {
    /// The machine that leads a quorum and is reached from `from`, and the voters that follow it.
    pub(crate) fn leader(&self, from: usize) -> Option<(usize, Vec<usize>)> {
        let mut candidates: Vec<_> =
            self.running.iter().filter(|(at, _)| **at == from || (self.connected)(from, **at)).collect();
        candidates.sort_by_key(|(_, data)| std::cmp::Reverse(data.rank()));
        candidates.into_iter().find_map(|(at, data)| {
            let voters = data.voters();
            if !voters.contains(&data.id) {
                return None;
            }
            let follows = |(other, it): (&usize, &&mut Data)| {
                (*other == *at || (self.connected)(*at, *other))
                    && it.cluster == data.cluster
                    && voters.contains(&it.id)
                    && it.rank() <= data.rank()
            };
            let followers: Vec<usize> = self
                .running
                .iter()
                .filter(|(other, it)| follows((other, it)))
                .map(|(other, _)| *other)
                .collect();
            (followers.len() > voters.len() / 2).then_some((*at, followers))
        })
    }

    /// The leader brings all it reaches to its own state, which commits what it has.
    fn replicate(&mut self, leader: usize, reached: &[usize]) -> Result<(), String> {
        let source = self.running[&leader].clone();
        for at in reached.iter().filter(|at| **at != leader) {
            let data = self.data(*at);
            if source.log.len() < data.commit || source.log[..data.commit] != data.log[..data.commit] {
                return Err(format!("committed entries of member {} are overwritten", data.id));
            }
            data.first.clone_from(&source.first);
            data.log.clone_from(&source.log);
            data.commit = data.commit.max(source.commit);
        }
        Ok(())
    }

    /// The voters and learners that the leader reaches.
    fn audience(&self, leader: usize) -> Vec<usize> {
        let data = &self.running[&leader];
        let members = data.members();
        let hears = |(at, it): (&usize, &&mut Data)| {
            (*at == leader || (self.connected)(leader, *at))
                && it.cluster == data.cluster
                && members.contains_key(&it.id)
        };
        self.running.iter().filter(|(at, it)| hears((at, it))).map(|(at, _)| *at).collect()
    }

    /// A leader that has committed all of its log: before that it neither answers nor changes members.
    fn established(&mut self, from: usize) -> Result<Option<(usize, Vec<usize>)>, String> {
        let Some((leader, _)) = self.leader(from) else { return Ok(None) };
        let data = &self.running[&leader];
        if data.commit < data.log.len() {
            let audience = self.audience(leader);
            let term = self.next_term();
            self.data(leader).log.push((term, Entry::Elected));
            self.commit(leader, &audience)?;
        }
        Ok(self.leader(from))
    }

    fn data(&mut self, at: usize) -> &mut Data {
        self.running.get_mut(&at).unwrap_or_else(|| panic!("machine {at} runs no etcd"))
    }

    fn next_term(&mut self) -> u64 {
        *self.term += 1;
        *self.term
    }

    fn commit(&mut self, leader: usize, audience: &[usize]) -> Result<(), String> {
        self.replicate(leader, audience)?;
        for at in audience {
            let data = self.data(*at);
            data.commit = data.log.len();
        }
        Ok(())
    }

    /// The linearizable list of members.
    pub(crate) fn list(&mut self, from: usize) -> Result<Option<Quorum>, String> {
        let Some((leader, _)) = self.established(from)? else { return Ok(None) };
        let data = &self.running[&leader];
        Ok(Some(Quorum { cluster: data.cluster, members: data.members().into_values().collect() }))
    }

    /// What the first other member that is reached says by itself.
    pub(crate) fn hearsay(&self, from: usize) -> Option<Quorum> {
        let (_, data) = self.running.iter().find(|(at, it)| {
            **at != from && (self.connected)(from, **at) && it.members().contains_key(&it.id)
        })?;
        Some(Quorum { cluster: data.cluster, members: data.members().into_values().collect() })
    }

    /// Proposes an entry through a member that `from` reaches. `partial`: the leader dies after this many members
    /// have written it.
    pub(crate) fn propose(
        &mut self,
        from: usize,
        entry: Entry,
        partial: Option<usize>,
        acknowledged: &[u64],
    ) -> Result<Outcome, String> {
        let Some((leader, followers)) = self.established(from)? else { return Ok(Outcome::Refused) };
        let log = &self.running[&leader].log;
        let has: BTreeSet<u64> =
            log.iter().filter_map(|(_, it)| if let Entry::Write(n) = it { Some(*n) } else { None }).collect();
        if let Some(lost) = acknowledged.iter().find(|n| !has.contains(n)) {
            return Err(format!(
                "acknowledged write {lost} is lost: member {} leads",
                self.running[&leader].id
            ));
        }
        if !self.allowed(leader, &followers, &entry) {
            return Ok(Outcome::Refused);
        }
        let audience = self.audience(leader);
        let term = self.next_term();
        let voters = self.running[&leader].voters();
        self.data(leader).log.push((term, entry));
        if let Some(count) = partial {
            let some: Vec<_> = followers.iter().copied().filter(|at| *at != leader).take(count).collect();
            if some.len() < voters.len() / 2 {
                self.replicate(leader, &some)?;
                return Ok(Outcome::Unknown);
            }
        }
        self.commit(leader, &audience)?;
        Ok(Outcome::Committed)
    }

    /// Etcd's own checks (`etcdserver/server.go`, 3.6).
    fn allowed(&self, leader: usize, followers: &[usize], entry: &Entry) -> bool {
        let data = &self.running[&leader];
        let (members, voters) = (data.members(), data.voters());
        let active: BTreeSet<MemberId> = followers.iter().map(|at| self.running[at].id).collect();
        match entry {
            Entry::Elected | Entry::Write(_) => true,
            Entry::Publish(id, _) => members.contains_key(id),
            Entry::Add { name, .. } => {
                voters.is_subset(&active)
                    && members.values().all(|it| !it.learner && it.peer_urls != [url(name)])
            }
            Entry::Remove(id) => {
                let rest = voters.iter().filter(|it| *it != id).count();
                let alive = active.iter().filter(|it| *it != id).count();
                members.contains_key(id) && (!active.contains(id) || alive > rest / 2)
            }
            Entry::Promote(id) => {
                let in_sync = self.audience(leader).iter().any(|at| self.running[at].id == *id);
                members.get(id).is_some_and(|it| it.learner) && in_sync
            }
        }
    }
}
