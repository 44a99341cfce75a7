//! Objects of others.

use serde_json::{Value, json};

use crate::rest::Rest;
use crate::text;

/// A key that nobody has the other half of.
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f theirs";

/// Something of every kind that others have in the project.
pub(crate) fn seed(rest: &Rest) {
    let make = |path: &str, item: &str, body: Value| {
        let made = rest.call("neutron", "POST", &format!("v2.0/{path}"), &json!({ (item): body }));
        text(&made[item]["id"])
    };
    let network = make("networks", "network", json!({ "name": "theirs", "description": "theirs" }));
    let subnet = json!({ "network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24" });
    let subnet = make("subnets", "subnet", subnet);
    let router = make("routers", "router", json!({ "name": "theirs" }));
    let interface = json!({ "subnet_id": subnet });
    rest.call("neutron", "PUT", &format!("v2.0/routers/{router}/add_router_interface"), &interface);
    let group = make("security-groups", "security_group", json!({ "name": "nodes" }));
    let port = json!({ "network_id": network, "security_groups": [group] });
    make("ports", "port", port);
    let key = json!({ "keypair": { "name": "theirs", "public_key": KEY } });
    rest.call("nova", "POST", "v2.1/os-keypairs", &key);
    let servers = json!({ "server_group": { "name": "nodes", "policies": ["affinity"] } });
    rest.call("nova", "POST", "v2.1/os-server-groups", &servers);
    let volume = json!({ "volume": { "size": 1, "name": "theirs" } });
    rest.call("cinder", "POST", "v3/{project}/volumes", &volume);
}
