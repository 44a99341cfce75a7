//! What the decision depends on.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The id of a member, as etcd shows it: 64 bits, written in hexadecimal.
///
/// A member that was there from the beginning has an id that follows from its peer URL and the cluster's token; one
/// that was added has a random one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemberId(pub u64);

/// The id of a cluster. It follows from the ids of its first members.
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
    /// Its name; empty when it was added and has not started yet.
    pub name: String,
    /// Its peer URLs.
    pub peer_urls: Vec<String>,
    /// Whether it has published client URLs, which it does soon after its first start.
    pub started: bool,
    /// Whether it is a learner: gets all data, has no vote.
    pub learner: bool,
}

/// What a quorum of members says: their linearizable list of members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// The cluster's id.
    pub cluster: ClusterId,
    /// All members.
    pub members: Vec<Member>,
}

/// What is in the data directory of this machine's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// No data.
    Empty,
    /// The data of a member, by the ids in its write-ahead log.
    Holds {
        /// The member whose data it is.
        member: MemberId,
        /// The cluster that it was a member of.
        cluster: ClusterId,
    },
}

/// The marker in the store: whether the cluster has begun to serve.
///
/// Once a machine has seen the marker it may remember it, for the marker is never removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// The store says that there is none. A denial, an error or a time-out does not say so.
    Absent,
    /// It is there, and names the cluster.
    Present(ClusterId),
    /// The store gave no clear answer.
    Unknown,
}

/// How this member last began on an empty disk, as its record in the store says.
///
/// It is written before etcd starts. If this very disk is empty nevertheless, etcd has not come to write anything: it
/// syncs before it votes or acknowledges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Began {
    /// The disk, by the UUID of its filesystem; empty if this member never began.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub disk: String,
    /// As one of the first members of a new cluster. Never taken back.
    #[serde(default)]
    pub new: bool,
    /// As the member of this id, the last one if there were several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<MemberId>,
}

impl Began {
    /// Whether the member of the list may have run on another disk than this empty one, and so may have acknowledged
    /// something, although the list says that it never started. (It says so until the member has published its client
    /// URLs.)
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

/// What is known of the machine that was this member before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Predecessor {
    /// It has answered at its address lately, or has not been asked yet.
    Answers,
    /// It has not answered for so long. No predecessor is one that has been silent for ever.
    Silent(Duration),
}

/// All that the decision depends on, as it was seen just now.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// This machine's member.
    pub me: &'a str,
    /// All members by the specification.
    pub spec: &'a [Peer],
    /// This machine's disk, which must be mounted.
    pub disk: Disk,
    /// The disk, by the UUID of its filesystem.
    pub disk_id: &'a str,
    /// This member's record. Whoever cannot read it does not know the marker either.
    pub began: &'a Began,
    /// Whether etcd has been started on this machine with the data that is on the disk.
    pub running: bool,
    /// The marker.
    pub marker: Marker,
    /// What a quorum says, if one answers. Only if `running` may this machine itself have been asked.
    pub quorum: Option<&'a Quorum>,
    /// What one other member says by itself when no quorum answers: its own list, which may be old.
    pub hearsay: Option<&'a Quorum>,
    /// The members that answer at their peer ports at the moment.
    pub answering: &'a BTreeSet<MemberId>,
    /// The machine that was this member before.
    pub predecessor: Predecessor,
    /// The lease for changes of membership.
    pub lease: Lease,
    /// The snapshot that an operator wants restored, by its key in the store.
    pub restore: Option<&'a str>,
}

impl Situation<'_> {
    /// This member's entry in the list, by name or by peer URL: one that was added has no name until it starts.
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
