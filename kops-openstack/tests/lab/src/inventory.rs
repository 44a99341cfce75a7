//! All that a project holds, to compare before and after.

use std::collections::BTreeMap;

use kops_emulator::Snapshot;
use serde_json::{Value, json};

use crate::rest::Rest;

/// Service, path, and the member of the listing with the objects.
const LISTINGS: &[(&str, &str, &str)] = &[
    ("neutron", "v2.0/networks", "networks"),
    ("neutron", "v2.0/subnets", "subnets"),
    ("neutron", "v2.0/routers", "routers"),
    ("neutron", "v2.0/ports", "ports"),
    ("neutron", "v2.0/floatingips", "floatingips"),
    ("neutron", "v2.0/security-groups", "security_groups"),
    ("nova", "v2.1/servers/detail", "servers"),
    ("nova", "v2.1/os-server-groups", "server_groups"),
    ("nova", "v2.1/os-keypairs", "keypairs"),
    ("cinder", "v3/{project}/volumes/detail", "volumes"),
    ("octavia", "v2/lbaas/loadbalancers", "loadbalancers"),
    ("octavia", "v2/lbaas/listeners", "listeners"),
    ("octavia", "v2/lbaas/pools", "pools"),
    ("octavia", "v2/lbaas/healthmonitors", "healthmonitors"),
    ("designate", "v2/zones", "zones"),
    ("designate", "v2/recordsets?limit=1000", "recordsets"),
];

/// What changes by itself, or says how an object fares rather than what it is.
const FLEETING: &[&str] = &[
    "updated_at",
    "updated",
    "revision_number",
    "status",
    "action",
    "serial",
    "version",
    "provisioning_status",
    "operating_status",
    "progress",
    "links",
    "OS-EXT-STS:task_state",
    "OS-EXT-STS:vm_state",
    "OS-EXT-STS:power_state",
    "OS-SRV-USG:launched_at",
    "hostId",
    "addresses",
    "project_ids",
    "masters",
    "transferred_at",
    "members",
];

/// The objects of a project, by kind and identifier.
pub(crate) fn of(rest: &Rest, project: &str, credentials: Vec<Value>) -> Snapshot {
    let mut kinds = BTreeMap::new();
    let listed = LISTINGS.iter().map(|(service, path, items)| (*items, rest.list(service, path, items)));
    for (items, listed) in listed.chain([("application_credentials", credentials)]) {
        let mut objects = BTreeMap::new();
        for mut object in listed {
            let owner = ["project_id", "tenant_id"].iter().find_map(|key| object[*key].as_str());
            if owner.is_some_and(|owner| owner != project) {
                continue;
            }
            if object["keypair"].is_object() {
                object = object["keypair"].take();
            }
            // A zone's own records count its changes.
            if ["SOA", "NS"].iter().any(|kind| object["type"] == *kind) {
                continue;
            }
            if let Some(members) = object.as_object_mut() {
                members.retain(|name, _| !FLEETING.contains(&name.as_str()));
            }
            let object = sorted(object);
            let id = object["id"].as_str().or(object["name"].as_str()).unwrap_or_default().to_owned();
            objects.insert(id, object);
        }
        kinds.insert(items.to_owned(), objects);
    }
    Snapshot::from_json(json!(kinds))
}

/// Listings have no order of their own.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<_> = items.into_iter().map(sorted).collect();
            items.sort_by_cached_key(Value::to_string);
            items.into()
        }
        Value::Object(members) => members
            .into_iter()
            .map(|(name, member)| (name, sorted(member)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        plain => plain,
    }
}
