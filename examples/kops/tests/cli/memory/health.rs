//! `kops validate` and what machines tell.

use std::fs;

use serde_json::{Value, json};

use super::{HA, desk};
use crate::common::Desk;

fn instances(desk: &Desk) -> Vec<Value> {
    serde_json::from_str(&desk.ok(&["get", "instances", HA, "-o", "json"])).unwrap()
}

/// What a machine tells of itself, as its program writes it.
fn tell(desk: &Desk, machine: &Value, state: &str, event: &str) {
    let [group, id] = ["instanceGroup", "id"].map(|name| machine[name].as_str().unwrap());
    let directory = desk.path("state").join(HA).join("machines").join(group).join(id);
    fs::create_dir_all(&directory).unwrap();
    let status = json!({
        "node": format!("{id}.internal"), "state": state, "since": "2026-11-30T12:00:00Z",
        "kubernetesVersion": "v1.34.4", "bundle": "abc", "attempts": 2,
        "events": [{"at": "2026-11-30T12:00:00Z", "what": event}],
    });
    fs::write(directory.join("status"), status.to_string()).unwrap();
}

#[test]
fn what_machines_tell_is_shown() {
    let desk = desk();
    let machines = instances(&desk);
    assert_eq!(machines[0]["boot"], Value::Null);
    assert!(!desk.ok(&["get", "instances", HA]).contains("LAST-EVENT"));
    tell(&desk, &machines[0], "failed", "packages: no route to pkgs.k8s.io");
    let shown = desk.ok(&["get", "instances", HA]);
    assert!(shown.lines().next().unwrap().ends_with("LAST-EVENT"), "{shown}");
    assert!(shown.contains("failed: packages: no route to pkgs.k8s.io"), "{shown}");
    let again = instances(&desk);
    assert_eq!(again[0]["boot"]["state"], "failed");
    assert_eq!(again[0]["nodeName"], format!("{}.internal", machines[0]["id"].as_str().unwrap()));
}

#[test]
fn a_cluster_that_does_not_answer_is_not_valid_and_says_why() {
    let desk = desk();
    let machines = instances(&desk);
    // A bastion is no member of the cluster.
    let machine = machines.iter().find(|it| it["instanceGroup"] != "bastions").unwrap();
    tell(&desk, machine, "waiting", "keyset kubernetes-ca is not in the state store");
    // Nothing listens there.
    let validate = ["validate", "cluster", HA, "--api-server", "127.0.0.1:1"];
    let run = desk.run(&[&validate[..], &["-o", "json"]].concat());
    assert_eq!(run.code, Some(2), "{run:?}");
    let health: Value = serde_json::from_str(&run.out).unwrap();
    let failures = health["failures"].as_array().unwrap();
    assert_eq!((&failures[0]["type"], &failures[0]["name"]), (&json!("APIServer"), &json!(HA)));
    assert!(failures[0]["message"].as_str().unwrap().contains("https://127.0.0.1:1"), "{run:?}");
    let of = failures.iter().find(|it| it["name"] == machine["id"]).unwrap();
    assert_eq!((&of["type"], &of["instanceGroup"]), (&json!("Machine"), &machine["instanceGroup"]));
    assert!(
        of["message"].as_str().unwrap().ends_with("keyset kubernetes-ca is not in the state store"),
        "{of}"
    );

    let run = desk.run(&validate);
    assert_eq!(run.code, Some(2), "{run:?}");
    for part in [
        "Validating cluster ha.example.com",
        "INSTANCE GROUPS",
        "NODE STATUS",
        "VALIDATION ERRORS",
        "Validation Failed",
    ] {
        assert!(run.out.contains(part), "{part}: {}", run.out);
    }
    let run = desk.run(&[&validate[..], &["--wait=2s", "--interval=1s"]].concat());
    assert_eq!(run.code, Some(2), "{run:?}");
    assert_eq!(
        run.err.matches("not healthy yet: APIServer").count(),
        1,
        "what did not change is told once: {}",
        run.err
    );
}
