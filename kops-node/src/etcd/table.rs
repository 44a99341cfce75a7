//! The table: from a situation to the next step.

use std::fmt;
use std::time::Duration;

use super::{Began, ClusterId, Disk, Lease, Marker, Member, MemberId, Predecessor, Quorum, Situation};

/// How long a member must not have answered before it is removed: longer than a reboot of etcd's pod (12 to 28 s,
/// measured) and than an election, shorter than anybody's patience.
pub const SILENCE: Duration = Duration::from_mins(1);

/// What to do next, and by which row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The row of the table; 0 once etcd runs.
    pub row: u8,
    /// What to do.
    pub step: Step,
}

/// One step. After it the situation is looked at anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Do nothing, and look again soon.
    Wait(Waiting),
    /// Stop etcd if it runs, and rename the data directory.
    SetAside,
    /// Take the lease for changes of membership.
    TakeLease,
    /// Remove this member at the others.
    Remove(MemberId),
    /// Add this member at the others, as a learner.
    AddLearner,
    /// Write into this member's record that it begins on an empty disk.
    Record(Began),
    /// Restore this snapshot into the empty data directory, as a new cluster of one.
    Restore(String),
    /// Start etcd.
    Start(Start),
    /// Make this member, a learner, a voter; refused until it is in sync, so try again each second.
    Promote(MemberId),
    /// Create the marker, unless there is one.
    CreateMarker(ClusterId),
    /// Release the lease.
    Release,
    /// Done: the API server may start.
    Serve,
    /// An operator is needed.
    Stop(Waiting),
}

/// How etcd is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// As one of the first members of a new cluster: `initial-cluster-state: new`, and all members of the
    /// specification.
    New,
    /// With the data on the disk. Etcd does not read the initial cluster then.
    WithData,
    /// As a member that the others know already: `initial-cluster-state: existing`, and this list of names and peer
    /// URLs, which must be theirs.
    Existing(Vec<(String, String)>),
}

/// Why nothing happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The store does not say whether the cluster has begun.
    Store,
    /// Fewer members than a quorum answer.
    Quorum,
    /// The only member's data is lost.
    DataLost,
    /// The members that answer belong to another cluster than the store's marker or the data says.
    ForeignCluster,
    /// This member has begun on another disk, and no quorum answers to take it in anew.
    BeganElsewhere,
    /// The specification does not name this member.
    NotNamed,
    /// Another machine changes the membership.
    Lease,
    /// Another member is a learner or has not started yet.
    ChangeUnderWay,
    /// Without this member the others would have no quorum.
    NoQuorumLeft,
    /// The machine that was this member before has answered less than a minute ago.
    PredecessorAlive,
    /// Etcd was started but has no data yet.
    NoDataYet,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store => "the state store does not say whether the cluster has begun",
            Self::Quorum => "waiting for a quorum of etcd members to answer",
            Self::DataLost => {
                "the disk of the only etcd member is empty although the cluster has served: attach the right disk, or \
                 restore a snapshot"
            }
            Self::ForeignCluster => {
                "the etcd members that answer belong to another cluster than this machine's disk or state store"
            }
            Self::BeganElsewhere => {
                "this etcd member's first disk was lost before the cluster served: waiting for a quorum of the others. If \
                 no other disk is left either, delete control-plane/ in the state store to begin anew"
            }
            Self::NotNamed => "the cluster's specification does not name this etcd member",
            Self::Lease => "another machine is changing etcd's membership",
            Self::ChangeUnderWay => "another etcd member is being added",
            Self::NoQuorumLeft => "the other etcd members would lose their quorum by a change of membership",
            Self::PredecessorAlive => "the machine that was this etcd member before may still run",
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
        return at(4, Step::SetAside); // this member has begun anew on another disk since
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
        // A machine that has never seen the marker, and cannot now, knows too little to start anything.
        (_, Marker::Unknown, _) => at(0, Step::Wait(Waiting::Store)),
        (Disk::Holds { cluster, .. }, _, Some(quorum)) if quorum.cluster != cluster => {
            at(2, Step::Wait(Waiting::ForeignCluster)) // their marker decides, which they are about to create
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

/// The record of a member that begins a new cluster on this disk.
fn first(now: &Situation<'_>) -> Began {
    Began { disk: now.disk_id.to_owned(), new: true, id: None }
}

/// Whether this member may begin a new cluster: it never ran anywhere, or there is no other member to remember what it
/// has forgotten.
fn may_begin(now: &Situation<'_>) -> bool {
    *now.began == Began::default() || *now.began == first(now) || now.spec.len() == 1
}

/// Row 1: nothing has begun as far as anybody says.
fn begin(now: &Situation<'_>) -> Step {
    if !now.spec.iter().any(|peer| peer.name == now.me) {
        Step::Stop(Waiting::NotNamed)
    } else if *now.began == first(now) {
        Step::Start(Start::New)
    } else {
        Step::Record(first(now))
    }
}

/// Row 8: the cluster has served, this disk is empty, and nobody answers.
fn alone(now: &Situation<'_>) -> Step {
    match (now.spec.len(), now.restore) {
        (1, Some(_)) if *now.began != first(now) => Step::Record(first(now)),
        (1, Some(snapshot)) => Step::Restore(snapshot.to_owned()),
        (1, None) => Step::Stop(Waiting::DataLost),
        _ => Step::Wait(Waiting::Quorum),
    }
}

/// One of the first members that has never run, so that it has acknowledged nothing and may start whenever it comes. If
/// another one has lost its disk meanwhile, the quorum has been waiting for this one.
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

/// A change of membership, if the others can bear it: `step`, or what must come before it.
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

/// Etcd runs: what is left to do before the API server may start.
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
