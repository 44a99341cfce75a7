//! The table: from a situation to the next step.

use std::fmt;
use std::time::Duration;

use super::{Began, ClusterId, Disk, Lease, Marker, Member, MemberId, Predecessor, Quorum, Situation};

/// How long a member must not have responded before it is removed: longer than a restart of etcd's pod (12 to
/// 28 s, measured) and than an election, but short enough for people who wait.
pub const SILENCE: Duration = Duration::from_mins(1);

/// The next step, and the row of the table that determined it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The row of the table; 0 once etcd runs.
    pub row: u8,
    /// The step.
    pub step: Step,
}

/// One step. After it the situation is observed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Do nothing, and observe again soon.
    Wait(Waiting),
    /// Stop etcd if it runs, and rename the data directory.
    SetAside,
    /// Take the lease for changes of membership.
    TakeLease,
    /// Remove this member through the others.
    Remove(MemberId),
    /// Add this member as a learner, through the others.
    AddLearner,
    /// Write into this member's record that it starts on an empty disk.
    Record(Began),
    /// Restore this snapshot into the empty data directory, as a new cluster of one.
    Restore(String),
    /// Start etcd.
    Start(Start),
    /// Promote this member from learner to voter; rejected until it is in sync, so it is retried every
    /// second.
    Promote(MemberId),
    /// Create the marker, unless there is one.
    CreateMarker(ClusterId),
    /// Release the lease.
    Release,
    /// Done: the API server may start.
    Serve,
    /// An operator has to intervene.
    Stop(Waiting),
}

/// How etcd is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// As an initial member of a new cluster: `initial-cluster-state: new`, and all members of the
    /// specification.
    New,
    /// With the data on the disk. etcd then ignores the initial cluster.
    WithData,
    /// As a member that was added to the cluster: `initial-cluster-state: existing`, and this list of names
    /// and peer URLs, which must be that of the other members.
    Existing(Vec<(String, String)>),
}

/// Why nothing happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The store does not say whether the cluster is initialized.
    Store,
    /// Fewer members than a quorum respond.
    Quorum,
    /// The only member's data is lost.
    DataLost,
    /// The members that respond belong to a different cluster than the store's marker or the data.
    ForeignCluster,
    /// This member has started on another disk, and no quorum responds to add it again.
    BeganElsewhere,
    /// The specification does not name this member.
    NotNamed,
    /// Another machine is changing the membership.
    Lease,
    /// Another member is a learner or has not started yet.
    ChangeUnderWay,
    /// Without this member the others would have no quorum.
    NoQuorumLeft,
    /// The machine that was previously this member responded less than a minute ago.
    PredecessorAlive,
    /// Etcd was started but has no data yet.
    NoDataYet,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store => "the state store does not say whether the cluster is initialized",
            Self::Quorum => "waiting for a quorum of etcd members to respond",
            Self::DataLost => {
                "the disk of the only etcd member is empty although the cluster has served: attach the right disk, or \
                 restore a snapshot"
            }
            Self::ForeignCluster => {
                "the etcd members that respond belong to a different cluster than this machine's disk or state store"
            }
            Self::BeganElsewhere => {
                "this etcd member's first disk was lost before the cluster served: waiting for a quorum of the others. If \
                 all other disks are lost as well, delete control-plane/ in the state store to create a new cluster"
            }
            Self::NotNamed => "the cluster's specification does not name this etcd member",
            Self::Lease => "another machine is changing etcd's membership",
            Self::ChangeUnderWay => "another etcd member is being added",
            Self::NoQuorumLeft => "the other etcd members would lose their quorum by a change of membership",
            Self::PredecessorAlive => "the machine that was previously this etcd member may still be running",
            Self::NoDataYet => "waiting for etcd to write its first data",
        })
    }
}

/// The next step in this situation.
pub fn decide(now: &Situation<'_>) -> Decision {
    let at = |row, step| Decision { row, step };
    if let (Marker::Present(marked), Disk::Holds { cluster, .. }) = (now.marker, now.disk)
        && marked != cluster
    {
        return at(4, Step::SetAside);
    }
    let superseded = *now.began != Began::default() && now.began.disk != now.disk_id;
    if matches!(now.disk, Disk::Holds { .. }) && superseded && now.marker != Marker::Unknown {
        return at(4, Step::SetAside); // this member has since been started on another disk
    }
    if let (Marker::Present(marked), Some(quorum)) = (now.marker, now.quorum)
        && marked != quorum.cluster
    {
        return at(0, Step::Wait(Waiting::ForeignCluster));
    }
    if now.running {
        return settle(now);
    }
    match (now.disk, now.marker, now.quorum) {
        // A machine that has never read the marker, and cannot read it now, must not start anything.
        (_, Marker::Unknown, _) => at(0, Step::Wait(Waiting::Store)),
        (Disk::Holds { cluster, .. }, _, Some(quorum)) if quorum.cluster != cluster => {
            at(2, Step::Wait(Waiting::ForeignCluster)) // the marker that they are about to create decides
        }
        (Disk::Holds { .. }, Marker::Absent, _) => at(2, Step::Start(Start::WithData)),
        (Disk::Holds { .. }, Marker::Present(_), None) => at(3, Step::Start(Start::WithData)),
        (Disk::Holds { member, .. }, Marker::Present(_), Some(quorum)) => {
            if quorum.members.iter().any(|it| it.id == member) {
                at(3, Step::Start(Start::WithData))
            } else {
                at(4, Step::SetAside)
            }
        }
        (Disk::Empty, marker, None) => match (marker, may_begin(now), late(now)) {
            (Marker::Absent, true, _) => at(1, begin(now)),
            (_, _, Some((heard, mine))) => at(5, first_start(now, heard, mine)),
            (Marker::Absent, false, None) => at(1, Step::Wait(Waiting::BeganElsewhere)),
            _ => at(8, alone(now)),
        },
        (Disk::Empty, _, Some(quorum)) => match now.entry(quorum) {
            None => at(6, change(now, quorum, None, Step::AddLearner)),
            Some(it) if !now.began.may_have_run(it, now.disk_id) => at(5, first_start(now, quorum, it)),
            Some(it) => at(7, replace(now, quorum, it)),
        },
    }
}

/// The record of a member that bootstraps a new cluster on this disk.
fn first(now: &Situation<'_>) -> Began {
    Began { disk: now.disk_id.to_owned(), new: true, id: None }
}

/// Whether this member may bootstrap a new cluster: it never ran anywhere, or there is no other member that
/// could still have what it has lost.
fn may_begin(now: &Situation<'_>) -> bool {
    *now.began == Began::default() || *now.began == first(now) || now.spec.len() == 1
}

/// Row 1: no evidence of an initialized cluster.
fn begin(now: &Situation<'_>) -> Step {
    if !now.spec.iter().any(|peer| peer.name == now.me) {
        Step::Stop(Waiting::NotNamed)
    } else if *now.began == first(now) {
        Step::Start(Start::New)
    } else {
        Step::Record(first(now))
    }
}

/// Row 8: the cluster has served, this disk is empty, and no member responds.
fn alone(now: &Situation<'_>) -> Step {
    match (now.spec.len(), now.restore) {
        (1, Some(_)) if *now.began != first(now) => Step::Record(first(now)),
        (1, Some(snapshot)) => Step::Restore(snapshot.to_owned()),
        (1, None) => Step::Stop(Waiting::DataLost),
        _ => Step::Wait(Waiting::Quorum),
    }
}

/// An initial member that has never run has acknowledged nothing and may start at any time. If another one
/// has lost its disk in the meantime, the quorum has been waiting for this one.
fn late<'a>(now: &Situation<'a>) -> Option<(&'a Quorum, &'a Member)> {
    let marked = |it: &&Quorum| now.marker == Marker::Absent || now.marker == Marker::Present(it.cluster);
    let heard = now.hearsay.filter(marked)?;
    let mine = now.entry(heard).filter(|it| !it.learner && !it.started)?;
    let once = now.began.id.is_none_or(|id| id == mine.id);
    (once && !now.began.may_have_run(mine, now.disk_id)).then_some((heard, mine))
}

/// Row 5: the others know this member, and it has never run.
fn first_start(now: &Situation<'_>, quorum: &Quorum, mine: &Member) -> Step {
    let began = Began { disk: now.disk_id.to_owned(), new: now.began.new, id: Some(mine.id) };
    if *now.began != began {
        return Step::Record(began);
    }
    let name = |it: &Member| if it.id == mine.id { now.me.to_owned() } else { it.name.clone() };
    let entry = |it: &Member| Some((name(it), it.peer_urls.first()?.clone()));
    Step::Start(Start::Existing(quorum.members.iter().filter_map(entry).collect()))
}

/// Row 7: this member has run, and its data is lost.
fn replace(now: &Situation<'_>, quorum: &Quorum, mine: &Member) -> Step {
    match now.predecessor {
        Predecessor::Silent(time) if time >= SILENCE => {
            change(now, quorum, Some(mine.id), Step::Remove(mine.id))
        }
        _ => Step::Wait(Waiting::PredecessorAlive),
    }
}

/// A change of membership, if the others keep their quorum: `step`, or what must precede it.
fn change(now: &Situation<'_>, quorum: &Quorum, mine: Option<MemberId>, step: Step) -> Step {
    if !now.spec.iter().any(|peer| peer.name == now.me) {
        return Step::Stop(Waiting::NotNamed);
    }
    let others = || quorum.members.iter().filter(|it| Some(it.id) != mine);
    if others().any(|it| it.learner || !it.started) {
        return Step::Wait(Waiting::ChangeUnderWay);
    }
    let healthy = others().filter(|it| now.answering.contains(&it.id)).count();
    if healthy < others().count() / 2 + 1 {
        return Step::Wait(Waiting::NoQuorumLeft);
    }
    match now.lease {
        Lease::Mine => step,
        Lease::Free => Step::TakeLease,
        Lease::Others => Step::Wait(Waiting::Lease),
        Lease::Unknown => Step::Wait(Waiting::Store),
    }
}

/// etcd runs: what remains to be done before the API server may start.
fn settle(now: &Situation<'_>) -> Decision {
    let at = |row, step| Decision { row, step };
    let Disk::Holds { member, cluster } = now.disk else {
        return at(0, Step::Wait(Waiting::NoDataYet));
    };
    let Some(quorum) = now.quorum else { return at(0, Step::Wait(Waiting::Quorum)) };
    if quorum.cluster != cluster {
        return at(0, Step::Wait(Waiting::ForeignCluster));
    }
    let Some(mine) = quorum.members.iter().find(|it| it.id == member) else {
        return at(4, Step::SetAside);
    };
    if mine.learner {
        return at(0, Step::Promote(member));
    }
    match (now.marker, now.lease) {
        (Marker::Unknown, _) => at(0, Step::Wait(Waiting::Store)),
        (Marker::Absent, _) => at(0, Step::CreateMarker(cluster)),
        (Marker::Present(_), Lease::Mine) => at(0, Step::Release),
        (Marker::Present(_), _) => at(0, Step::Serve),
    }
}
