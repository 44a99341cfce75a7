//! How a member of etcd starts.
//!
//! Members have names, not addresses: `<member>.etcd.internal.<cluster>`, which every control plane resolves from the
//! records in the state store. A cluster begins *statically*: each member starts with the list of all names. So no
//! machine is the first one, and a machine that is replaced but keeps its disk is the same member at another address,
//! without a change of membership.
//!
//! What remains to be decided at each boot depends on four things: the disk, the *marker* (an object in the store,
//! created once before any API server serves, never removed, which holds the cluster's id), whether a quorum
//! answers, and the list of members. [`decide`] is that decision, and [`Situation`] all it may depend on. It names one
//! [`Step`]; whoever carries it out looks again and asks again, until the step is [`Step::Serve`]. A crash between two
//! steps therefore needs no case of its own.
//!
//! # What holds
//! - A new cluster never begins once the marker is there. Without a clear answer from the store (a denial or a
//!   time-out is none) nothing begins at all.
//! - A member that may have acknowledged anything and lost its disk never comes back under its old id: it is removed
//!   and added anew. That it may have is told by its record ([`Began`]), written before etcd starts on an empty disk,
//!   and by the id of that disk. (Etcd's own list says "never started" until the member has published its URLs, which
//!   is later than its first vote.)
//! - Nothing is removed unless the others keep a quorum without it, one change at a time.
//! - Data is set aside, never deleted.
//! - Data of another cluster than the marker's never serves, nor does a disk that this member has replaced since.
//!
//! # Example
//! A disk that is empty although the cluster has served, and nobody who answers: wait, whatever else is true.
//!
//! ```
//! use kops_node::etcd::{
//!     Began, ClusterId, Disk, Lease, Marker, Peer, Predecessor, Situation, Step, Waiting, decide,
//! };
//! use std::collections::BTreeSet;
//! use std::time::Duration;
//!
//! let spec = ["a", "b", "c"].map(|it| Peer { name: it.to_owned(), url: format!("https://{it}.example.com:2380") });
//! let decision = decide(&Situation {
//!     me: "a",
//!     spec: &spec,
//!     disk: Disk::Empty,
//!     disk_id: "a-new-disk",
//!     began: &Began { disk: "the-lost-one".to_owned(), new: true, id: None },
//!     running: false,
//!     marker: Marker::Present(ClusterId(0x2a)),
//!     quorum: None,
//!     hearsay: None,
//!     answering: &BTreeSet::new(),
//!     predecessor: Predecessor::Silent(Duration::MAX),
//!     lease: Lease::Free,
//!     restore: None,
//! });
//! assert_eq!((decision.row, decision.step), (8, Step::Wait(Waiting::Quorum)));
//! ```
//!
//! # Known weakness
//! When a majority of the disks is lost before the cluster has served, nobody begins anew by himself, although nothing
//! would be lost: the members that are left cannot know it.

#[cfg(feature = "program")]
pub mod gateway;
#[cfg(feature = "program")]
pub mod memory;
#[cfg(feature = "program")]
pub mod record;
#[cfg(feature = "program")]
pub mod runner;
mod situation;
pub mod strays;
mod table;
#[cfg(feature = "program")]
pub mod wal;

pub use situation::{
    Began, ClusterId, Disk, Lease, Marker, Member, MemberId, Peer, Predecessor, Quorum, Situation,
};
pub use table::{Decision, SILENCE, Start, Step, Waiting, decide};
