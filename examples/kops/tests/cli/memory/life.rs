//! The whole life of a cluster, and what the program prints about it.

use std::collections::BTreeSet;

use kops_core::testing::{MemoryCloud, MemoryObject};
use serde_json::Value;

use super::{CREATE, HA, desk};
use crate::common::{Desk, changes, summary};

#[test]
fn a_cluster_is_made_changed_and_deleted() {
    let desk = Desk::new();
    let mut create = CREATE.to_vec();
    create.push("--yes");
    let run = desk.run(&create);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.out.starts_with("ha.example.com on memory: 45 to create"), "{}", run.out);
    assert!(run.out.trim_end().lines().last().unwrap().starts_with("Applied 45 changes in"), "{}", run.out);
    // Not on a terminal: a line for each object that is done.
    assert_eq!(run.err.lines().filter(|line| line.contains("] ") && line.contains(" created ")).count(), 45);

    assert_eq!(summary(&desk.plan(HA, &[])), [0, 0, 0, 0, 46]);

    desk.ok(&["edit", "ig", "nodes-zone-1a", "--name", HA, "--set", "spec.machineType=large"]);
    desk.ok(&["edit", "ig", "nodes-zone-1b", "--name", HA, "--set=spec.minSize=1", "--set=spec.maxSize=9"]);
    desk.ok(&["create", "ig", "more", "--name", HA, "--subnet=zone-1a"]);
    let plan = desk.plan(HA, &[]);
    assert_eq!(
        changes(&plan),
        [
            "create InstanceGroup/more.ha.example.com",
            "update InstanceGroup/nodes-zone-1a.ha.example.com",
            "update InstanceGroup/nodes-zone-1b.ha.example.com",
        ]
    );
    desk.ok(&["update", "cluster", HA, "--yes"]);
    assert_eq!(summary(&desk.plan(HA, &[])), [0, 0, 0, 0, 47]);

    desk.ok(&["delete", "cluster", HA, "--yes"]);
    assert!(desk.files("state").iter().all(|(path, _)| path.ends_with(".memory-cloud.json")));
    let error = desk.fails(&["delete", "cluster", HA, "--yes"]);
    assert!(error.contains("there is no cluster ha.example.com"), "{error}");
}

#[test]
fn without_yes_nothing_is_made() {
    let desk = Desk::new();
    let printed = desk.ok(&CREATE);
    assert!(printed.contains("kops update cluster ha.example.com --yes"), "{printed}");
    let printed = desk.ok(&["update", "cluster", HA]);
    assert!(printed.contains("45 to create"), "{printed}");
    assert!(printed.ends_with("run again with --yes to apply the plan.\n"), "{printed}");
    assert_eq!(summary(&desk.plan(HA, &[])), [45, 0, 0, 0, 1]);

    desk.ok(&["update", "cluster", HA, "--yes"]);
    let before = desk.files("state");
    let printed = desk.ok(&["delete", "cluster", HA]);
    assert!(printed.contains("45 to delete") && printed.contains("Nothing was deleted"), "{printed}");
    let printed = desk.ok(&["delete", "ig", "nodes-zone-1a", "--name", HA]);
    assert!(printed.contains("1 to delete") && printed.contains("Nothing was deleted"), "{printed}");
    assert_eq!(desk.files("state"), before);
}

#[test]
fn exit_codes_tell_whether_changes_are_pending() {
    let desk = Desk::new();
    desk.ok(&CREATE);
    let update = ["update", "cluster", HA];
    let detailed = ["update", "cluster", HA, "--detailed-exitcode"];
    assert_eq!(desk.run(&update).code, Some(0));
    assert_eq!(desk.run(&detailed).code, Some(2));
    assert_eq!(desk.run(&["update", "cluster", HA, "--detailed-exitcode", "--yes"]).code, Some(0));
    assert_eq!(desk.run(&detailed).code, Some(0));
    assert_eq!(desk.run(&["update", "cluster", "no.example.com", "--detailed-exitcode"]).code, Some(1));
    // Wrong arguments are not pending changes either.
    assert_eq!(desk.run(&["update", "cluster", HA, "--detailed-exitcodes"]).code, Some(1));
}

#[test]
fn json_is_one_document_and_nothing_else() {
    let desk = Desk::new();
    desk.ok(&CREATE);
    let plan = desk.plan(HA, &[]);
    let members: BTreeSet<&str> = plan.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "changes",
        "cloud",
        "deferred",
        "digest",
        "fingerprint",
        "format",
        "location",
        "pending",
        "pruning",
        "scope",
        "summary",
        "unchanged",
        "warnings",
    ];
    assert_eq!(members, expected.into());
    assert_eq!(plan["format"], "kops.plan/v1");
    let change = &plan["changes"][0];
    assert_eq!(
        (change["action"].as_str(), change["task"].as_str()),
        (Some("create"), Some("Network/ha.example.com"))
    );

    let run = desk.run(&["update", "cluster", HA, "--yes", "-o", "json"]);
    let applied: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(summary(&applied), [45, 0, 0, 0, 1]);
    let result = &applied["result"];
    assert_eq!((&result["format"], &result["complete"]), (&"kops.report/v1".into(), &true.into()));
    assert_eq!(result["done"].as_array().unwrap().len(), 45);
    assert!(result["done"][0]["id"].is_string() && result["done"][0]["took_ms"].is_number());
    for empty in ["failed", "cancelled", "blocked", "not_started"] {
        assert_eq!(result[empty].as_array().unwrap().len(), 0, "{empty}");
    }
}

#[test]
fn secrets_show_nowhere() {
    let desk = Desk::new();
    desk.ok(&CREATE);
    let secret = "#cloud-config\nwrite_files: [{content: hunter2}]\n";
    let data = format!("[{{name: a, type: text/cloud-config, content: {secret:?}}}]");
    desk.ok(&[
        "edit",
        "ig",
        "nodes-zone-1a",
        "--name",
        HA,
        "--set",
        &format!("spec.additionalUserData={data}"),
    ]);
    for arguments in [
        &["update", "cluster", HA, "--full"][..],
        &["update", "cluster", HA, "-o", "json"],
        &["update", "cluster", HA, "-o", "dot"],
        &["update", "cluster", HA, "--yes", "-o", "json"],
    ] {
        let run = desk.run(arguments);
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert!(!run.out.contains("hunter2") && !run.err.contains("hunter2"), "{arguments:?}");
    }
}

#[test]
fn the_plan_can_be_drawn() {
    let desk = Desk::new();
    desk.ok(&CREATE);
    assert!(desk.ok(&["update", "cluster", HA, "-o", "dot"]).starts_with("digraph plan {"));
    assert!(desk.ok(&["update", "cluster", HA, "-o", "mermaid"]).starts_with("flowchart LR\n"));
}

#[test]
fn what_is_no_longer_wanted_goes_only_with_prune() {
    let desk = desk();
    let group = desk.ok(&["get", "ig", "nodes-zone-1c", "--name", HA, "-o", "yaml"]);
    std::fs::remove_file(desk.path("state/ha.example.com/instancegroup/nodes-zone-1c")).unwrap();
    let plan = desk.plan(HA, &[]);
    assert_eq!(changes(&plan), [""; 0]);
    assert_eq!(plan["deferred"][0]["task"], "InstanceGroup/nodes-zone-1c.ha.example.com");
    assert!(desk.ok(&["update", "cluster", HA]).contains("deleted only with pruning"));

    let plan = desk.plan(HA, &["--prune", "--yes"]);
    assert_eq!(changes(&plan), ["delete InstanceGroup/nodes-zone-1c.ha.example.com"]);
    assert_eq!(summary(&desk.plan(HA, &["--prune"])), [0, 0, 0, 0, 45]);

    let file = desk.write("group.yaml", &group);
    desk.ok(&["create", "-f", &file]);
    assert_eq!(changes(&desk.plan(HA, &[])), ["create InstanceGroup/nodes-zone-1c.ha.example.com"]);
}

#[test]
fn deleting_a_group_leaves_other_changes_pending() {
    let desk = desk();
    desk.ok(&["edit", "ig", "nodes-zone-1a", "--name", HA, "--set", "spec.maxSize=4"]);
    let printed = desk.ok(&["delete", "ig", "nodes-zone-1b", "--name", HA, "--yes"]);
    assert!(printed.ends_with("Deleted instance group nodes-zone-1b.\n"), "{printed}");
    let groups = desk.ok(&["get", "ig", "--name", HA]);
    assert!(!groups.contains("nodes-zone-1b") && groups.contains("nodes-zone-1a"), "{groups}");
    assert_eq!(changes(&desk.plan(HA, &["--prune"])), ["update InstanceGroup/nodes-zone-1a.ha.example.com"]);
}

#[test]
fn clusters_groups_and_machines_are_shown_as_kops_shows_them() {
    let desk = desk();
    assert_eq!(
        desk.ok(&["get", "clusters"]),
        "NAME            CLOUD   ZONES\nha.example.com  memory  zone-1a,zone-1b,zone-1c\n"
    );
    let groups = desk.ok(&["get", "ig", "--name", HA]);
    let lines: Vec<Vec<&str>> = groups.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "ROLE", "MACHINETYPE", "MIN", "MAX", "ZONES"]);
    assert_eq!(lines[2], ["control-plane-zone-1a", "ControlPlane", "medium", "1", "1", "zone-1a"]);
    assert_eq!(lines[5], ["nodes-zone-1a", "Node", "medium", "2", "2", "zone-1a"]);

    let machines = desk.ok(&["get", "instances", HA]);
    assert_eq!(machines.lines().count(), 1 + 3 + 6 + 1, "{machines}");
    assert!(machines.starts_with("ID "), "{machines}");
    assert!(machines.lines().skip(1).all(|line| line.contains("UpToDate")), "{machines}");
    let machines: Value = serde_json::from_str(&desk.ok(&["get", "instances", HA, "-o", "json"])).unwrap();
    assert_eq!(machines[0]["instanceGroup"], "bastions");

    desk.ok(&["edit", "ig", "bastions", "--name", HA, "--set", "spec.machineType=tiny"]);
    desk.ok(&["update", "cluster", HA, "--yes"]);
    let machines: Value = serde_json::from_str(&desk.ok(&["get", "instances", HA, "-o", "json"])).unwrap();
    assert_eq!(machines[0]["status"], "NeedsUpdate");

    let all = desk.ok(&["get", "all", "--name", HA]);
    assert!(all.starts_with("Cluster\nNAME ") && all.contains("\nInstance Groups\nNAME "), "{all}");
}

#[test]
fn a_cluster_can_be_in_an_existing_network() {
    // Those of another cluster stand in for what somebody made by hand.
    let desk = desk();
    let cloud = MemoryCloud::builder().file(desk.path("state/.memory-cloud.json")).build();
    let objects = cloud.objects().unwrap();
    let id = |kind: &str, task: &str| {
        let named = |it: &&MemoryObject| it.kind == kind && it.task.as_deref() == Some(task);
        objects.iter().find(named).unwrap().id.clone()
    };
    let guest = |network: &str| {
        let network = format!("--network-id={network}");
        let subnets = format!("--subnets={}", id("Subnet", "zone-1a.ha.example.com"));
        let utility = format!("--utility-subnets={}", id("Subnet", "utility-zone-1a.ha.example.com"));
        desk.run(&[
            "create",
            "cluster",
            "guest.example.com",
            "--cloud=memory",
            "--zones=zone-1a",
            "--topology=private",
            "--network-cidr=172.20.0.0/16",
            &network,
            &subnets,
            &utility,
            "--yes",
        ])
    };
    let run = guest("network-missing");
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("there is no Network \"network-missing\""), "{}", run.err);
    // What is not possible on the cloud is not written either.
    assert!(!desk.path("state/guest.example.com").exists());

    let run = guest(&id("Network", HA));
    assert_eq!(run.code, Some(0), "{run:#?}");
    desk.ok(&["delete", "cluster", "guest.example.com", "--yes"]);
    assert_eq!(cloud.objects().unwrap(), objects);
    assert_eq!(summary(&desk.plan(HA, &[])), [0, 0, 0, 0, 46]);
}

#[test]
fn help_version_and_completions_need_no_store() {
    let mut desk = Desk::new();
    desk.set("KOPS_STATE_STORE", "");
    assert_eq!(desk.ok(&["version"]), format!("kops {}\n", env!("CARGO_PKG_VERSION")));
    assert!(desk.ok(&["--help"]).contains("update"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(desk.ok(&["completion", shell]).contains("kops"));
    }
}
