//! The program on machines.
//!
//! A machine starts with [stage 0](stage0) as user data. It fetches this program and the machine's [bundle]
//! from the state store, verifies both hashes, and starts `kops-node boot`, which configures the machine as
//! the bundle specifies: at every boot, repeatedly until it succeeds. On control planes `kops-node keep` then
//! runs every minute.
//!
//! The modules, from decisions to actions:
//!
//! | module | contents |
//! |---|---|
//! | [`bundle`] | the document that configures a machine; contains no secrets |
//! | [`stage0`] | the user data: POSIX sh |
//! | [`etcd`] | how an etcd member starts: a pure function, and the runner that follows it |
//! | [`joining`] | which machines may become nodes: a pure function |
//! | `pki`, `kubeadm`, `machine` | keys, kubeadm by phases, everything below the kubelet |
//! | `cloud`, `store` | the machine's identity, its disk, the cluster's machines; the state store |
//! | `boot`, `keep` | the program's two commands |
//! | `status` | the status that a machine reports |
//!
//! Without the default feature `program` the crate only contains the first four and the status document:
//! documents and decisions, for programs that render bundles and read the status of machines.

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
