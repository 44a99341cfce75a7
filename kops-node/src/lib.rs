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
//! | [`etcd`] | how a member of etcd starts: a pure function, and what carries it out |
//! | [`joining`] | which machine may become a node: a pure function |
//! | `pki`, `kubeadm`, `machine` | keys, kubeadm by phases, everything below the kubelet |
//! | `cloud`, `store` | who am I, where is my disk, who is alive; the state store |
//! | `boot`, `keep` | the program's two verbs |
//! | `status` | what a machine tells of itself |
//!
//! Without the default feature `program` the crate is the first four and the status' document: documents and decisions
//! alone, for whoever renders bundles and reads what machines tell.

pub mod bundle;
pub mod etcd;
pub mod joining;
pub mod stage0;
pub mod status;

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
pub mod store;
#[cfg(feature = "program")]
pub mod world;

#[cfg(feature = "program")]
#[cfg(test)]
mod testing;
