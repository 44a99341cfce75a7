//! What can go wrong: machines die, with and without their disks, links and the store fail. A majority of the disks
//! survives: the loss of more is an operator's case.

use std::collections::BTreeSet;

use kops_node::etcd::{Began, ClusterId, Step};

use super::world::World;

impl World {
    pub(super) fn fault(&mut self) {
        let at = self.rng.usize(..self.spec);
        match self.rng.u8(..10) {
            0 | 1 => self.crash(at),
            2 | 3 => self.lose(at),
            4 => self.machines[at].side ^= 1,
            5 => self.machines[at].store = !self.machines[at].store,
            6 => self.machines.iter_mut().for_each(|it| (it.side, it.store) = (0, true)),
            _ => self.power_on(at),
        }
    }

    pub(super) fn heal(&mut self) {
        self.calm = true;
        for at in 0..self.spec {
            (self.machines[at].side, self.machines[at].store) = (0, true);
            self.power_on(at);
        }
    }

    fn power_on(&mut self, at: usize) {
        let machine = &mut self.machines[at];
        if !machine.alive {
            (machine.alive, machine.booted) = (true, self.now);
            // The same machine again: the kubelet starts etcd from the old manifest if there is data.
            machine.running &= machine.disk.is_some();
        }
    }

    fn crash(&mut self, at: usize) {
        let replaced = self.rng.bool();
        let machine = &mut self.machines[at];
        (machine.alive, machine.serving, machine.next) = (false, false, None);
        if replaced {
            (machine.running, machine.seen) = (false, None);
        }
    }

    pub(super) fn record(&self, at: usize) -> Began {
        self.began.get(&self.machines[at].name).cloned().unwrap_or_default()
    }

    /// A machine dies with its disk, unless that would lose what a quorum holds: that is an operator's case.
    fn lose(&mut self, at: usize) {
        if !self.can_lose(at) {
            return;
        }
        self.crash(at);
        let machine = &mut self.machines[at];
        let found = if self.rng.bool() { machine.lost.pop() } else { None };
        machine.disks = machine.disks.max(machine.disk_id) + 1;
        let (id, data) = found.unwrap_or((machine.disks, None));
        machine.lost.push((machine.disk_id, machine.disk.take()));
        (machine.disk, machine.disk_id, machine.running, machine.seen) = (data, id, false, None);
    }

    fn can_lose(&self, at: usize) -> bool {
        // A marker that is on its way counts: whoever writes it has seen its quorum.
        let coming = self.machines.iter().find_map(|it| match it.next {
            Some((Step::CreateMarker(cluster), _)) => Some(cluster),
            _ => None,
        });
        let others = || (0..self.spec).filter(|other| *other != at);
        let fresh = |other: usize| {
            let began = self.record(other);
            let here = began.disk == self.machines[other].disk_id.to_string() && began.id.is_none();
            self.machines[other].disk.is_none() && (began == Began::default() || here)
        };
        let holds = |other: usize, cluster: ClusterId| {
            self.machines[other].disk.as_ref().is_some_and(|it| it.cluster == cluster)
        };
        let newest = |cluster: ClusterId| {
            let disks = self.machines.iter().filter_map(|it| it.disk.as_ref());
            disks.filter(|it| it.cluster == cluster).max_by_key(|it| it.commit)
        };
        // The cluster can go on with those who hold its data and those of its first members who never ran.
        let goes_on = |cluster: ClusterId| {
            newest(cluster).is_some_and(|it| {
                let (voters, unstarted) = (it.voters(), it.unstarted());
                let counts = |other: &usize| {
                    let machine = &self.machines[*other];
                    let voter = machine.disk.as_ref().is_some_and(|it| voters.contains(&it.id));
                    (voter && holds(*other, cluster)) || (fresh(*other) && unstarted.contains(&machine.name))
                };
                others().any(|other| holds(other, cluster))
                    && others().filter(counts).count() > voters.len() / 2
            })
        };
        if let Some(marker) = self.marker.or(coming) {
            return goes_on(marker);
        }
        let all: BTreeSet<ClusterId> =
            others().filter_map(|it| Some(self.machines[it].disk.as_ref()?.cluster)).collect();
        self.spec == 1 || all.into_iter().any(goes_on) || others().filter(|it| fresh(*it)).count() > 1
    }
}
