//! The program on the in-memory cloud, with a state store in a directory.

mod additional;
mod bad_input;
mod editing;
mod field;
mod flags;
mod health;
mod keys;
mod life;
mod locks;
mod machines;
mod manifests;

use crate::common::Desk;

/// The cluster of most tests.
const HA: &str = "ha.example.com";

/// The command that creates it: 3 control planes in 3 zones, private, 3 instance groups of nodes, a bastion,
/// a public load balancer for the API, and public DNS.
const CREATE: [&str; 15] = [
    "create",
    "cluster",
    HA,
    "--cloud=memory",
    "--zones=zone-1a,zone-1b,zone-1c",
    "--control-plane-count=3",
    "--node-count=6",
    "--topology=private",
    "--bastion",
    "--api-loadbalancer-type=public",
    "--dns=public",
    "--dns-zone=example.com",
    "--networking=cilium",
    "--admin-access=192.0.2.0/24",
    "--kubernetes-version=1.34.1",
];

/// A user who has just made the cluster.
fn desk() -> Desk {
    let desk = Desk::new();
    let mut create = CREATE.to_vec();
    create.push("--yes");
    desk.ok(&create);
    desk
}
