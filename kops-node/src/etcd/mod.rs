//! How a member of etcd starts.
//!
//! Members have names, not addresses: `<member>.etcd.internal.<cluster>`, which every control plane resolves
//! from the records in the state store. A cluster is bootstrapped *statically*: each member starts with the
//! list of all names. So no machine is the first one, and a machine that is replaced but keeps its disk is
//! the same member at another address, without a change of membership.
//!
//! The decision at each boot depends on four things: the disk, the *marker* (an object in the store with the
//! cluster's id, created once before any API server serves and never removed), whether a quorum responds, and
//! the list of members. [`decide`] makes this decision from a [`Situation`] alone. It returns one [`Step`];
//! the runner carries it out, observes the situation again and calls it again, until the step is
//! [`Step::Serve`]. So a crash between two steps is not a special case.
//!
//! # Guarantees
//! - A new cluster is never bootstrapped once the marker exists. Without a clear response from the store (a
//!   denial or a timeout is not one) nothing is started.
//! - A member that may have acknowledged anything and has lost its disk never returns under its old id: it is
//!   removed and added again. Its record ([`Began`]), written before etcd starts on an empty disk, and the id
//!   of that disk show whether it may have done so. (etcd's own list says "never started" until the member
//!   has published its URLs, which happens after its first vote.)
//! - A member is only removed if the others have a quorum without it, and only one change is made at a time.
//! - Data is moved aside, never deleted.
//! - Data of a different cluster than the marker's is never served, nor is a disk that this member has
//!   replaced.
//!
//! # Example
//! The disk is empty although the cluster has served, and no member responds: wait, regardless of everything
//! else.
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
//! If a majority of the disks is lost before the cluster has served, no member bootstraps a new cluster by
//! itself, although nothing would be lost: the remaining members cannot know that.

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
