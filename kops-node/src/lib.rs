//! The program on machines.
//!
//! A machine starts with [stage 0](stage0) as user data. It fetches this program and the machine's
//! [bundle] from the state store, compares both hashes, and starts `kops-node boot`, which makes the machine what the
//! bundle says: at every boot, again and again until it succeeds. On control planes `kops-node keep` runs every minute
//! after that.
//!
//! The rooms, from decisions to deeds:
//!
//! | module | what |
//! |---|---|
//! | [`bundle`] | the document that says what a machine becomes; holds no secrets |
//! | [`stage0`] | the user data: POSIX sh |
//! | [`etcd`] | how a member of etcd starts: a pure function |
//! | [`joining`] | which machine may become a node: a pure function |
//!
//! Without the default feature `program` the crate is these four alone, for whoever renders bundles.

pub mod bundle;
pub mod etcd;
pub mod joining;
pub mod stage0;

#[cfg(feature = "program")]
pub mod boot;
#[cfg(feature = "program")]
pub mod clock;
#[cfg(feature = "program")]
pub mod cloud;
#[cfg(feature = "program")]
pub mod error;
#[cfg(feature = "program")]
pub mod hash;
#[cfg(feature = "program")]
pub mod http;
#[cfg(feature = "program")]
pub mod keep;
#[cfg(feature = "program")]
pub mod kube;
#[cfg(feature = "program")]
pub mod kubeadm;
#[cfg(feature = "program")]
pub mod machine;
#[cfg(feature = "program")]
pub mod pki;
#[cfg(feature = "program")]
mod random;
#[cfg(feature = "program")]
pub mod status;
#[cfg(feature = "program")]
pub mod store;
#[cfg(feature = "program")]
pub mod world;

#[cfg(feature = "program")]
#[cfg(test)]
mod testing;
