//! The situation that a decision depends on.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The id of a member, in etcd's notation: 64 bits, in hexadecimal.
///
/// The id of an initial member is derived from its peer URL and the cluster's token; that of a member that
/// was added is random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemberId(pub u64);

/// The id of a cluster, derived from the ids of its initial members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterId(pub u64);

/// A member that the specification names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its name, for example `a`.
    pub name: String,
    /// Its peer URL, for example `https://a.etcd.internal.ha.example.com:2380`.
    pub url: String,
}

/// An entry in etcd's list of members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: MemberId,
    /// Its name; empty if it was added and has not started yet.
    pub name: String,
    /// Its peer URLs.
    pub peer_urls: Vec<String>,
    /// Whether it has published client URLs, which happens soon after its first start.
    pub started: bool,
    /// Whether it is a learner, which receives all data but has no vote.
    pub learner: bool,
}

/// The response of a quorum: the linearizable list of members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// The cluster's id.
    pub cluster: ClusterId,
    /// All members.
    pub members: Vec<Member>,
}

/// The content of the data directory on this machine's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// No data.
    Empty,
    /// The data of a member, by the ids in its write-ahead log.
    Holds {
        /// The member that the data belongs to.
        member: MemberId,
        /// The cluster that it was a member of.
        cluster: ClusterId,
    },
}

/// The marker in the store: whether the cluster has been initialized.
///
/// A machine that has read the marker may cache it, because it is never removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// The store says that there is none. A denial, an error or a timeout is not such a response.
    Absent,
    /// It exists, and names the cluster.
    Present(ClusterId),
    /// The store gave no clear answer.
    Unknown,
}

/// How this member was last started on an empty disk, according to its record in the store.
///
/// It is written before etcd starts. If the disk in the record is empty nevertheless, etcd has not written
/// anything: it syncs before it votes or acknowledges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Began {
    /// The UUID of the disk's filesystem; empty if this member never started.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub disk: String,
    /// Whether it started as an initial member of a new cluster. Never reset.
    #[serde(default)]
    pub new: bool,
    /// The id of the member that it started as, the last one if there were several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<MemberId>,
}

impl Began {
    /// Whether the listed member may have run on a disk other than this empty one, and so may have
    /// acknowledged something, although the list says that it never started. (It says so until the member has
    /// published its client URLs.)
    pub fn may_have_run(&self, entry: &Member, disk: &str) -> bool {
        let as_this = (self.new && !entry.learner) || self.id == Some(entry.id);
        entry.started || (as_this && self.disk != disk)
    }
}

/// The lease for changes of membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// Nobody holds it, or it has expired.
    Free,
    /// This machine holds it.
    Mine,
    /// Another machine holds it.
    Others,
    /// The store gave no clear answer.
    Unknown,
}

/// The state of the machine that was previously this member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Predecessor {
    /// It has responded at its address recently, or has not been contacted yet.
    Answers,
    /// It has not responded for this long. Without a predecessor: forever.
    Silent(Duration),
}

/// Everything that the decision depends on, as just observed.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// This machine's member.
    pub me: &'a str,
    /// All members by the specification.
    pub spec: &'a [Peer],
    /// This machine's disk, which must be mounted.
    pub disk: Disk,
    /// The UUID of the disk's filesystem.
    pub disk_id: &'a str,
    /// This member's record. If it cannot be read, the marker is not known either.
    pub began: &'a Began,
    /// Whether etcd has been started on this machine with the data that is on the disk.
    pub running: bool,
    /// The marker.
    pub marker: Marker,
    /// The response of a quorum, if there is one. This machine itself may only have been queried if
    /// `running`.
    pub quorum: Option<&'a Quorum>,
    /// The list of one other member if no quorum responds, which may be outdated.
    pub hearsay: Option<&'a Quorum>,
    /// The members that currently respond at their peer ports.
    pub answering: &'a BTreeSet<MemberId>,
    /// The machine that was previously this member.
    pub predecessor: Predecessor,
    /// The lease for changes of membership.
    pub lease: Lease,
    /// The key in the store of the snapshot that an operator has requested to restore.
    pub restore: Option<&'a str>,
}

impl Situation<'_> {
    /// This member's entry in the list, by name or by peer URL: a member that was added has no name until it
    /// starts.
    pub fn entry<'q>(&self, list: &'q Quorum) -> Option<&'q Member> {
        let url = self.spec.iter().find(|peer| peer.name == self.me).map(|peer| &peer.url);
        let mine =
            |it: &&Member| it.name == self.me || url.is_some_and(|url| it.peer_urls.iter().any(|u| u == url));
        list.members.iter().find(mine)
    }
}

macro_rules! hexadecimal {
    ($($id:ident)*) => {$(
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }
    )*};
}
hexadecimal!(MemberId ClusterId);
