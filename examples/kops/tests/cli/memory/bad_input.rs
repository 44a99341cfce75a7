//! Wrong input: each time exit code 1, one clear error that says what to do, and nothing changed.

use std::fs;

use super::{CREATE, HA, desk};
use crate::common::Desk;

/// Runs a command that must fail with an error that says all of this, and must change nothing.
#[track_caller]
fn refused(desk: &Desk, arguments: &[&str], says: &[&str]) {
    let before = desk.files("state");
    let run = desk.run(arguments);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert_eq!(run.out, "");
    assert_eq!(run.err.matches("Error: ").count(), 1, "{}", run.err);
    for text in says {
        assert!(run.err.contains(text), "{text:?} is not in: {}", run.err);
    }
    assert_eq!(desk.files("state"), before);
}

/// The specification of the cluster as a text, changed, and given to `create -f`.
#[track_caller]
fn refused_file(change: impl FnOnce(String) -> String, says: &[&str]) {
    let desk = Desk::new();
    let mut arguments = CREATE.to_vec();
    arguments.extend(["--dry-run", "-o", "yaml"]);
    let text = desk.ok(&arguments);
    let changed = change(text.clone());
    assert_ne!(changed, text, "nothing is wrong with it");
    let file = desk.write("ha.yaml", &changed);
    refused(&desk, &["create", "-f", &file], says);
}

#[test]
fn malformed_yaml_is_shown_with_its_place() {
    let desk = Desk::new();
    let file =
        desk.write("bad.yaml", "apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\nmetadata: {name: x\n");
    refused(&desk, &["create", "-f", &file], &["bad.yaml", "line ", "column "]);
    refused(&desk, &["create", "-f", &desk.path("missing.yaml").display().to_string()], &["missing.yaml"]);
    let empty = desk.write("empty.yaml", "");
    refused(&desk, &["replace", "-f", &empty], &["empty.yaml", "it contains no objects"]);
}

#[test]
fn unknown_kinds_and_fields_are_named() {
    refused_file(
        |text| text.replace("kind: Cluster", "kind: Clustr"),
        &["\"Clustr\" is not supported", "did you mean Cluster?"],
    );
    refused_file(
        |text| text.replace("  machineType:", "  machineTyp:"),
        &["line ", "unknown field \"machineTyp\"", "did you mean machineType?"],
    );
    refused_file(|text| text.replace("v1alpha2", "v1beta7"), &["v1beta7"]);
}

#[test]
fn addresses_must_fit() {
    refused_file(
        |text| text.replacen("cidr: 172.20.128.0/18", "cidr: 172.20.64.0/18", 1),
        &["spec.subnets", "172.20.64.0/18", "overlap"],
    );
    refused_file(
        |text| text.replacen("cidr: 172.20.128.0/18", "cidr: 172.20.128.0/30", 1),
        &["spec.subnets", "172.20.128.0/30", "too small"],
    );
    refused_file(
        |text| text.replacen("cidr: 172.20.128.0/18", "cidr: 10.0.0.0/18", 1),
        &["outside the network"],
    );
}

#[test]
fn groups_must_fit_their_role_and_cluster() {
    refused_file(
        |text| text.replacen("  maxSize: 1\n  minSize: 1\n", "  maxSize: 2\n  minSize: 2\n", 1),
        &[
            "InstanceGroup/control-plane-zone-1a: line ",
            "a control-plane group must have exactly one machine",
        ],
    );
    refused_file(
        |text| text.replace("subnets:\n  - zone-1a\n", "subnets:\n  - zone-9z\n"),
        &["zone-9z", "spec.subnets"],
    );
    let desk = desk();
    refused(
        &desk,
        &[
            "edit",
            "ig",
            "control-plane-zone-1a",
            "--name",
            HA,
            "--set=spec.minSize=2",
            "--set=spec.maxSize=2",
        ],
        &["InstanceGroup/control-plane-zone-1a", "spec.m"],
    );
    refused(&desk, &["create", "ig", "more", "--name", HA, "--subnet=nowhere"], &["nowhere"]);
    refused(
        &desk,
        &["edit", "ig", "mor", "--name", HA, "--set=spec.minSize=2"],
        &["no instance group mor", "it has bastions"],
    );
}

#[test]
fn flags_are_named_when_they_are_wrong() {
    let desk = Desk::new();
    let create = |more: &[&'static str]| [&["create", "cluster", HA][..], more].concat();
    refused(&desk, &create(&["--zones=zone-1a"]), &["--cloud", "memory"]);
    refused(&desk, &create(&["--cloud=memory"]), &["--zones"]);
    refused(&desk, &create(&["--cloud=awz", "--zones=zone-1a"]), &["awz", "aws"]);
    refused(
        &desk,
        &create(&["--cloud=memory", "--zones=zone-1a", "--topology=privat"]),
        &["--topology privat", "private"],
    );
    refused(
        &desk,
        &create(&["--cloud=memory", "--zones=zone-1a", "--networking=celium"]),
        &["did you mean cilium?"],
    );
    refused(
        &desk,
        &create(&["--cloud=memory", "--zones=zone-1a", "--control-plane-count=2"]),
        &["control-plane-count"],
    );
    refused(
        &desk,
        &create(&["--cloud=memory", "--zones=zone-1a", "--network-cidr=10.0.0.0/33"]),
        &["10.0.0.0/33"],
    );
    refused(
        &desk,
        &create(&["--cloud=memory", "--zones=zone-1a", "--set=spec.nothing=1"]),
        &["spec.nothing"],
    );
    refused(
        &desk,
        &create(&["--cloud=memory", "--zones=zone-1a", "--ssh-public-key=missing.pub"]),
        &["missing.pub"],
    );
    let private = desk.write("private", "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n");
    let flag = format!("--ssh-public-key={private}");
    let arguments = ["create", "cluster", HA, "--cloud=memory", "--zones=zone-1a", &flag];
    refused(&desk, &arguments, &["public SSH key"]);
    assert!(!desk.run(&arguments).err.contains("hunter2"));
    refused(
        &desk,
        &["create", "cluster", "ha", "--cloud=memory", "--zones=zone-1a", "--dns=public"],
        &["not a full DNS name"],
    );
}

#[test]
fn a_cluster_is_made_once() {
    let desk = desk();
    let mut create = CREATE.to_vec();
    refused(&desk, &create, &["cluster ha.example.com", "already"]);
    create.push("--yes");
    refused(&desk, &create, &["cluster ha.example.com", "already"]);
}

#[test]
fn a_cluster_must_be_named_and_exist() {
    let desk = desk();
    refused(&desk, &["update", "cluster"], &["no cluster is specified", "--name"]);
    refused(
        &desk,
        &["update", "cluster", "hb.example.com"],
        &["there is no cluster hb.example.com", "it has ha.example.com"],
    );
    refused(&desk, &["update", "cluster", "../x"], &["is not a valid cluster name"]);
    refused(&desk, &["update", "cluster", HA, "--name=other.example.com"], &["two clusters are specified"]);
    refused(&desk, &["get", "cluster", "hb.example.com"], &["there is no cluster hb.example.com"]);
}

#[test]
fn a_state_store_must_be_there() {
    let mut desk = Desk::new();
    let missing = format!("file://{}", desk.path("nowhere").display());
    for arguments in [&["get", "clusters"][..], &["update", "cluster", HA], &CREATE] {
        let arguments = [arguments, &["--state", &missing]].concat();
        refused(&desk, &arguments, &["nowhere"]);
    }
    assert!(!desk.path("nowhere").exists());
    refused(
        &desk,
        &["get", "clusters", "--state=ftp://x"],
        &["ftp://x", "azureblob, file, gs, memory, s3, swift"],
    );
    refused(&desk, &["get", "clusters", "--state=/tmp"], &["`/tmp` is not a state store URL", "file:///"]);
    desk.set("KOPS_STATE_STORE", "");
    refused(&desk, &["get", "clusters"], &["no state store is set", "KOPS_STATE_STORE"]);
}

#[test]
#[cfg(unix)]
fn a_state_store_that_cannot_be_written_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = desk();
    let directory = desk.path("state");
    let everything = || walk(&directory);
    for path in everything() {
        let mode = if path.is_dir() { 0o555 } else { 0o444 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    // For root nothing is read-only.
    let permitted = fs::write(desk.path("state/probe"), "").is_ok();
    if !permitted {
        refused(&desk, &["edit", "cluster", HA, "--set=spec.cloudLabels.a=b"], &["state"]);
        refused(&desk, &["update", "cluster", HA, "--yes"], &["state"]);
    }
    for path in everything() {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[cfg(unix)]
fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![directory.to_owned()];
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_broken_specification_in_the_store_is_told_with_its_place() {
    let desk = desk();
    let config = desk.path("state/ha.example.com/config");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("metadata:", "metadata: [")).unwrap();
    refused(&desk, &["update", "cluster", HA], &["ha.example.com/config", "line "]);
    // It hides no other cluster.
    let run = desk.run(&["get", "clusters"]);
    assert_eq!(run.code, Some(0));
    assert!(run.err.contains("Warning: ") && run.err.contains("config"), "{}", run.err);
}
