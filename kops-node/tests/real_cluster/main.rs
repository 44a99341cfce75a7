//! Real machines become a real cluster, and stay one.
//!
//! Each machine boots from user data alone: [stage 0](kops_node::stage0), which fetches this program and a bundle from
//! a state store. Everything above is real: kubeadm, kubelet, etcd, containerd, systemd, cloud-init. Times are printed
//! (`--nocapture`).
//!
//! `cargo test -p kops-node --test real_cluster` brings a cluster up and replaces a machine; with `-- --ignored` it goes
//! through all other failures. Needs root and Linux, and the first time a quarter of an hour; see `tests/lab/README.md`.

#![expect(clippy::unwrap_used, reason = "a test's harness can do no better than panic")]

mod bundles;
mod cluster;
mod failures;
mod first_boot;
mod keysets;
mod security;
