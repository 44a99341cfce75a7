//! Objects of Kubernetes that are kept with a cluster.

use super::{CREATE, HA, desk};
use crate::common::Desk;

const OBJECTS: &str = "apiVersion: v1
kind: Namespace
metadata:
  name: platform
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: motd
  namespace: platform
data:
  text: hello
";

#[test]
fn they_are_kept_shown_replaced_and_deleted() {
    let desk = desk();
    let group = desk.ok(&["get", "ig", "nodes-zone-1a", "--name", HA, "-o", "yaml"]);
    let file = desk.write("objects.yaml", OBJECTS);
    let run = desk.run(&["create", "-f", &file, "--name", HA]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(
        run.out.contains("Created Namespace/platform") && run.out.contains("Created ConfigMap/platform/motd"),
        "{run:#?}"
    );
    assert!(run.err.contains("nothing installs them yet"), "{run:#?}");
    let kept = std::fs::read_to_string(desk.path(&format!("state/{HA}/clusteraddons/default"))).unwrap();
    assert!(kept.contains("kind: Namespace") && kept.contains("\n---\n"), "{kept}");
    let all = desk.ok(&["get", "all", "--name", HA, "-o", "yaml"]);
    assert!(all.contains("kind: ConfigMap") && all.contains("text: hello"), "{all}");
    let table = desk.ok(&["get", "all", "--name", HA]);
    assert!(table.contains("Additional Objects") && table.contains("motd"), "{table}");
    let run = desk.run(&["update", "cluster", HA]);
    assert!(
        run.err.contains("Namespace/platform, ConfigMap/platform/motd are kept with cluster"),
        "{run:#?}"
    );

    assert!(desk.fails(&["create", "-f", &file, "--name", HA]).contains("Namespace/platform already exists"));
    let changed = desk.write("all.yaml", &all.replace("text: hello", "text: bye"));
    desk.ok(&["replace", "-f", &changed]);
    let all = desk.ok(&["get", "all", "--name", HA, "-o", "yaml"]);
    assert!(
        all.contains("text: bye") && !all.contains("hello") && all.matches("kind: ConfigMap").count() == 1,
        "{all}"
    );
    let json = desk.ok(&["get", "all", "--name", HA, "-o", "json"]);
    desk.ok(&["replace", "-f", &desk.write("all.json", &json)]);
    assert_eq!(desk.ok(&["get", "all", "--name", HA, "-o", "yaml"]), all);

    let namespace = OBJECTS.split("---").next().unwrap();
    let file = desk.write("namespace.yaml", namespace);
    assert!(desk.ok(&["delete", "-f", &file, "--name", HA]).contains("would be deleted"));
    desk.ok(&["delete", "-f", &file, "--name", HA, "--yes"]);
    let all = desk.ok(&["get", "all", "--name", HA, "-o", "yaml"]);
    assert!(!all.contains("Namespace") && all.contains("ConfigMap"), "{all}");
    let error = desk.fails(&["delete", "-f", &file, "--name", HA, "--yes"]);
    assert!(error.contains("Namespace/platform is not kept with cluster"), "{error}");
    // What else belongs to the cluster is as it was.
    assert_eq!(desk.ok(&["get", "ig", "nodes-zone-1a", "--name", HA, "-o", "yaml"]), group);
    desk.ok(&["delete", "cluster", HA, "--yes"]);
    let left =
        desk.files("state").into_iter().filter(|(path, _)| path.to_string_lossy().contains(HA)).count();
    assert_eq!(left, 0);
}

#[test]
fn they_come_in_one_file_with_a_new_cluster() {
    let desk = Desk::new();
    let mut create = CREATE.to_vec();
    create.extend(["--dry-run", "-o", "yaml"]);
    let cluster = desk.ok(&create);
    let both = format!("{}\n---\n{OBJECTS}", cluster.trim_end());
    // Which of two is meant is not known.
    let twice = format!("{both}---\n{}", OBJECTS.split("---\n").nth(1).unwrap().replace("hello", "bye"));
    let error = desk.fails(&["create", "-f", &desk.write("twice.yaml", &twice)]);
    assert!(error.contains("twice.yaml: ConfigMap/platform/motd is there twice"), "{error}");
    assert_eq!(desk.files("state").len(), 0);

    let out = desk.ok(&["create", "-f", &desk.write("both.yaml", &both)]);
    assert!(
        out.contains("Created Namespace/platform") && out.contains(&format!("Created Cluster/{HA}")),
        "{out}"
    );
    let all = desk.ok(&["get", "all", "--name", HA, "-o", "yaml"]);
    assert!(all.contains("kind: Namespace") && all.contains("text: hello"), "{all}");
}

#[test]
fn misspelt_headers_are_still_told() {
    let desk = desk();
    for (text, expected) in [
        (
            "apiVersion: kops.k8.io/v1alpha2\nkind: InstanceGroup\nmetadata: {name: x}\n",
            "\"kops.k8.io/v1alpha2\" is not supported",
        ),
        ("apiVersion: v1\nkind: Cluster\nmetadata: {name: x}\n", "\"v1\" is not supported"),
        ("apiVersion: kops.k8s.io/v1alpha2\nkind: Clutser\nmetadata: {name: x}\n", "did you mean Cluster?"),
        ("apiVersion: v1\nkind: ConfigMap\n", "lacks metadata.name"),
    ] {
        let error = desk.fails(&["create", "-f", &desk.write("x.yaml", text), "--name", HA]);
        assert!(error.contains(expected) && error.contains("line "), "{expected}\n{error}");
    }
}
