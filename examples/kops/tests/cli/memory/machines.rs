//! What machines find in the state store, and what puts it there.

use std::path::Path;

use super::{CREATE, HA, desk};
use crate::common::{Desk, changes};

/// ELF's number of 64-bit ARM.
const AARCH64: u8 = 183;

/// The keys below a directory of the cluster in the state store.
fn stored(desk: &Desk, directory: &str) -> Vec<String> {
    let root = desk.path("state").join(HA);
    let all = desk.files("state").into_iter().map(|(path, _)| path);
    let within = all.filter(|path| path.starts_with(root.join(directory)));
    within.map(|path| path.strip_prefix(&root).unwrap().display().to_string()).collect()
}

#[test]
fn bundles_and_program_are_there_before_machines_are_and_written_once() {
    let desk = Desk::new();
    desk.ok(&CREATE);
    desk.ok(&["update", "cluster", HA]);
    assert_eq!(stored(&desk, "igconfig"), Vec::<String>::new(), "a plan that is shown writes nothing");

    desk.ok(&["update", "cluster", HA, "--yes"]);
    let bundles = stored(&desk, "igconfig");
    let of = |role: &str| bundles.iter().filter(|it| it.starts_with(&format!("igconfig/{role}/"))).count();
    assert_eq!((of("control-plane"), of("node"), bundles.len()), (3, 3, 7), "{bundles:?}");
    assert_eq!(stored(&desk, "kops-node").len(), 1);
    let before = desk.files("state");
    let settled = desk.run(&["update", "cluster", HA, "--yes"]);
    assert!(settled.code == Some(0) && !settled.out.contains("Applied"), "{settled:?}");
    let unchanged = |all: Vec<(std::path::PathBuf, Vec<u8>)>| -> Vec<_> {
        all.into_iter().filter(|(path, _)| !path.to_string_lossy().contains("/.kops/")).collect()
    };
    assert_eq!(unchanged(before), unchanged(desk.files("state")));
}

#[test]
fn another_group_of_nodes_is_told_to_keepers_and_replaces_no_control_plane() {
    let desk = desk();
    let groups =
        || desk.files("state").into_iter().find(|it| it.0.ends_with("igconfig/groups.json")).unwrap().1;
    let before = groups();
    desk.ok(&["create", "ig", "more", "--name", HA, "--role=node", "--subnet=zone-1a"]);
    let planned = changes(&desk.plan(HA, &[]));
    assert!(!planned.is_empty() && planned.iter().all(|it| it.contains("more")), "{planned:?}");
    desk.ok(&["update", "cluster", HA, "--yes"]);
    assert!(String::from_utf8(groups()).unwrap().contains("\"more\"") && groups() != before);
}

#[test]
fn a_new_key_makes_control_planes_out_of_date() {
    let desk = desk();
    desk.ok(&["create", "keypair", "kubernetes-ca", "--name", HA]);
    let planned = changes(&desk.plan(HA, &[]));
    assert!(!planned.is_empty() && planned.iter().all(|it| it.contains("control-plane")), "{planned:?}");
}

#[test]
fn a_program_that_is_missing_or_wrong_is_found_before_anything_is_made() {
    let mut desk = Desk::new();
    let program = |desk: &Desk, place: &str| {
        let mut arguments = CREATE.to_vec();
        arguments.extend(["--yes", "--node-program", place]);
        desk.fails(&arguments)
    };
    let script = desk.write("script", "#!/bin/sh\n");
    assert!(program(&desk, &script).contains("it is not an ELF file"));
    let gone = desk.path("gone").display().to_string();
    assert!(program(&desk, &gone).contains("No such file"));
    let error = program(&desk, "https://example.com/kops-node");
    assert!(error.contains("it is no https URL with a hash") && error.contains("#sha256="), "{error}");
    let escape = format!("https://example.com/kops-node#sha256={}", "../".repeat(22).get(..64).unwrap());
    assert!(program(&desk, &escape).contains("it is no https URL with a hash"));

    // A machine type of the other architecture.
    let arm = desk.write_program("arm", AARCH64);
    let error = program(&desk, &arm);
    assert!(error.contains("need the node program for amd64") && error.contains("--node-program"), "{error}");
    assert!(!Path::new(&desk.path("state").join(HA)).exists());

    // Both at once, by the environment.
    let both = format!("{arm},{}", desk.path("kops-node").display());
    desk.set("KOPS_NODE_PROGRAM", &both);
    desk.ok(&[&CREATE[..], &["--yes"]].concat());
}
