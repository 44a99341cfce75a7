//! Specifications in files.

use super::{CREATE, HA, desk};
use crate::common::{Desk, changes, summary};

/// The specification of the cluster of most tests, as a text.
fn text(desk: &Desk) -> String {
    let mut arguments = CREATE.to_vec();
    arguments.extend(["--dry-run", "-o", "yaml"]);
    desk.ok(&arguments)
}

#[test]
fn a_dry_run_prints_what_create_reads() {
    let desk = Desk::new();
    let text = text(&desk);
    assert!(text.starts_with("apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\n"), "{text}");
    assert_eq!(desk.files("state").len(), 0);

    let run = desk.run_with(&["create", "-f", "-"], &text);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(summary(&desk.plan(HA, &["--yes"])), [45, 0, 0, 0, 1]);

    // What is got from the store can be read, too, and is the same.
    let got = desk.ok(&["get", "all", "--name", HA, "-o", "yaml"]);
    let file = desk.write("got.yaml", &got);
    desk.ok(&["replace", "-f", &file]);
    assert_eq!(desk.ok(&["get", "all", "--name", HA, "-o", "yaml"]), got);
    assert_eq!(summary(&desk.plan(HA, &[])), [0, 0, 0, 0, 46]);
}

#[test]
fn a_cluster_can_come_in_several_files() {
    let desk = Desk::new();
    let text = text(&desk);
    let documents: Vec<&str> = text.split("---\n").collect();
    let cluster = desk.write("cluster.yaml", documents[0]);
    let groups = desk.write("groups.yaml", &documents[1..].join("---\n"));
    // A cluster whose groups come later.
    let run = desk.run(&["create", "-f", &cluster]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.err.contains("Warning: ") && run.err.contains("no instance group"), "{}", run.err);
    let error = desk.fails(&["update", "cluster", HA, "--yes"]);
    assert!(error.contains("no instance group has role Master"), "{error}");
    desk.ok(&["create", "-f", &groups]);
    assert_eq!(summary(&desk.plan(HA, &[])), [45, 0, 0, 0, 1]);

    let second = Desk::new();
    second.ok(&["create", "-f", &groups, "-f", &cluster]);
    assert_eq!(summary(&second.plan(HA, &[])), [45, 0, 0, 0, 1]);
}

#[test]
fn create_and_replace_do_not_mistake_each_other() {
    let desk = Desk::new();
    let file = desk.write("ha.yaml", &text(&desk));
    let error = desk.fails(&["replace", "-f", &file]);
    assert!(error.contains("kops create -f") || error.contains("there is no cluster"), "{error}");
    assert_eq!(desk.files("state").len(), 0);
    desk.ok(&["replace", "--force", "-f", &file]);
    let before = desk.files("state");
    let error = desk.fails(&["create", "-f", &file]);
    assert!(error.contains("already") && error.contains("kops replace -f"), "{error}");
    assert_eq!(desk.files("state"), before);
}

#[test]
fn a_file_made_from_an_older_generation_is_refused() {
    let desk = desk();
    let got = desk.ok(&["get", "ig", "nodes-zone-1a", "--name", HA, "-o", "yaml"]);
    let file = desk.write("group.yaml", &got.replace("maxSize: 2", "maxSize: 5"));
    desk.ok(&["edit", "ig", "nodes-zone-1a", "--name", HA, "--set", "spec.maxSize=3"]);
    desk.ok(&["edit", "ig", "nodes-zone-1a", "--name", HA, "--set", "spec.maxSize=4"]);
    // A text without a generation asks for nothing to be compared, one with an old one does.
    let got = desk.ok(&["get", "ig", "nodes-zone-1a", "--name", HA, "-o", "yaml"]);
    let old = desk.write("old.yaml", &got.replace("generation: 2", "generation: 1"));
    let error = desk.fails(&["replace", "-f", &old]);
    assert!(error.contains("generation 1") && error.contains("generation 2"), "{error}");
    desk.ok(&["replace", "-f", &file]);
    assert!(desk.ok(&["get", "ig", "nodes-zone-1a", "--name", HA, "-o", "yaml"]).contains("maxSize: 5"));
}

#[test]
fn delete_takes_what_files_name() {
    let desk = desk();
    let group = desk.ok(&["get", "ig", "nodes-zone-1a", "--name", HA, "-o", "yaml"]);
    let group = desk.write("group.yaml", &group);
    assert!(desk.ok(&["delete", "-f", &group]).contains("Nothing was deleted"));
    desk.ok(&["delete", "-f", &group, "--yes"]);
    assert!(!desk.ok(&["get", "ig", "--name", HA]).contains("nodes-zone-1a"));
    assert_eq!(changes(&desk.plan(HA, &["--prune"])), [""; 0]);
    let cluster = desk.ok(&["get", "cluster", HA, "-o", "yaml"]);
    let cluster = desk.write("cluster.yaml", &cluster);
    desk.ok(&["delete", "-f", &cluster, "--yes"]);
    assert_eq!(desk.ok(&["get", "clusters"]), "");
}

#[test]
fn an_ssh_key_comes_with_the_cluster_and_is_replaced() {
    const ANN: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ann@desk";
    let desk = Desk::new();
    let key = desk.write("key.pub", ANN);
    let mut create = CREATE.to_vec();
    let flag = format!("--ssh-public-key={key}");
    create.extend([flag.as_str(), "--yes"]);
    let printed = desk.ok(&create);
    assert!(printed.contains("SshKey") && printed.contains("46 to create"), "{printed}");

    let bob = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA bob@lap";
    let credential = format!(
        "apiVersion: kops.k8s.io/v1alpha2\nkind: SSHCredential\nmetadata:\n  name: admin\n  labels:\n    \
         kops.k8s.io/cluster: {HA}\nspec:\n  publicKey: {bob}\n"
    );
    let file = desk.write("key.yaml", &credential);
    let error = desk.fails(&["create", "-f", &file]);
    assert!(error.contains("already"), "{error}");
    desk.ok(&["replace", "-f", &file]);
    let plan = desk.plan(HA, &["--prune", "--yes"]);
    assert_eq!(plan["summary"]["create"], 1, "{plan}");
    assert_eq!(plan["summary"]["delete"], 1, "{plan}");
    assert_eq!(changes(&desk.plan(HA, &["--prune"])), [""; 0]);
}
