//! `kops edit`: in an editor, which is a script here, and field by field.

use std::fs;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt as _;

use super::{HA, desk};
use crate::common::Desk;

/// An editor that is a script; the file to edit is `$1`.
fn editor(desk: &mut Desk, script: &str) {
    let path = desk.write("editor.sh", &format!("#!/bin/sh\nset -e\n{script}\n"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    desk.set("EDITOR", &path);
}

fn max_size(desk: &Desk) -> String {
    let text = desk.ok(&["get", "ig", "nodes-zone-1a", "--name", HA, "-o", "yaml"]);
    text.lines().find(|line| line.contains("maxSize")).unwrap().trim().to_owned()
}

#[test]
fn a_text_is_edited_and_written() {
    let mut desk = desk();
    editor(&mut desk, "sed -i 's/maxSize: 2/maxSize: 7/' \"$1\"");
    let printed = desk.ok(&["edit", "ig", "nodes-zone-1a", "--name", HA]);
    assert!(printed.contains("kops update cluster ha.example.com --yes"), "{printed}");
    assert_eq!(max_size(&desk), "maxSize: 7");

    editor(&mut desk, "sed -i 's/kubernetesVersion: .*/kubernetesVersion: 1.34.2/' \"$1\"");
    desk.ok(&["edit", "cluster", HA]);
    assert!(desk.ok(&["get", "cluster", HA, "-o", "yaml"]).contains("kubernetesVersion: \"1.34.2\""));

    editor(&mut desk, "true");
    assert!(desk.ok(&["edit", "cluster", HA]).contains("is unchanged"));
    // Nothing lies about.
    assert!(
        !fs::read_dir(desk.path("")).unwrap().any(|it| it
            .unwrap()
            .file_name()
            .to_string_lossy()
            .ends_with(".yaml"))
    );
}

#[test]
fn a_text_that_is_wrong_is_kept() {
    let mut desk = desk();
    let before = desk.files("state");
    editor(&mut desk, "sed -i 's/maxSize: 2/maxSiez: 7/' \"$1\"");
    let error = desk.fails(&["edit", "ig", "nodes-zone-1a", "--name", HA]);
    assert!(error.contains("did you mean maxSize?") && error.contains("line "), "{error}");
    assert_eq!(desk.files("state"), before);
    let kept = error.split_whitespace().find(|word| word.ends_with(".yaml:")).unwrap().trim_end_matches(':');
    assert!(fs::read_to_string(kept).unwrap().contains("maxSiez: 7"));

    // Mended, it can be written.
    let text = fs::read_to_string(kept).unwrap().replace("maxSiez", "maxSize");
    fs::write(kept, text).unwrap();
    desk.ok(&["replace", "-f", kept]);
    assert_eq!(max_size(&desk), "maxSize: 7");

    editor(&mut desk, "sed -i 's/subnets:/subnets:\\n  - nowhere/' \"$1\"");
    let error = desk.fails(&["edit", "ig", "nodes-zone-1a", "--name", HA]);
    assert!(error.contains("nowhere") && error.contains("saved in"), "{error}");

    editor(&mut desk, "exit 3");
    let error = desk.fails(&["edit", "cluster", HA]);
    assert!(error.contains("exited with exit status: 3"), "{error}");
    desk.set("EDITOR", "/no/such/editor");
    let error = desk.fails(&["edit", "cluster", HA]);
    assert!(error.contains("/no/such/editor"), "{error}");
}

/// While the editor is open somebody else writes: the second of two edits is refused, and names both.
#[test]
fn an_edit_that_was_overtaken_is_refused() {
    let mut desk = desk();
    desk.ok(&["edit", "ig", "nodes-zone-1a", "--name", HA, "--set", "spec.maxSize=3"]);
    let kops = env!("CARGO_BIN_EXE_kops");
    editor(
        &mut desk,
        &format!(
            "{kops} edit ig nodes-zone-1a --name {HA} --set spec.maxSize=5 >&2\nsed -i 's/maxSize: 3/maxSize: 9/' \"$1\""
        ),
    );
    let error = desk.fails(&["edit", "ig", "nodes-zone-1a", "--name", HA]);
    assert!(error.contains("based on generation 1") && error.contains("generation 2"), "{error}");
    assert!(error.contains("saved in"), "{error}");
    assert_eq!(max_size(&desk), "maxSize: 5");
}

#[test]
fn fields_are_set_and_unset() {
    let desk = desk();
    desk.ok(&["edit", "cluster", HA, "--set", "spec.cloudLabels.team=storage", "--unset", "spec.sshAccess"]);
    let text = desk.ok(&["get", "cluster", HA, "-o", "yaml"]);
    assert!(text.contains("team: storage") && !text.contains("sshAccess"), "{text}");
    for (flags, expected) in [
        (&["--set", "spec.kubernetesVersio=1.34.2"][..], "did you mean kubernetesVersion?"),
        (&["--set", "spec.kubernetesVersion"], "no value"),
        (&["--set", "spec.kubernetesVersion=1.2.3"], "is too old"),
        (&["--unset", "spec.nothing"], "spec.nothing"),
    ] {
        let before = desk.files("state");
        let mut arguments = vec!["edit", "cluster", HA];
        arguments.extend(flags);
        let error = desk.fails(&arguments);
        assert!(error.contains(expected), "{error}");
        assert_eq!(desk.files("state"), before);
    }
}

#[test]
fn a_new_group_is_a_draft_for_the_editor() {
    let mut desk = desk();
    editor(
        &mut desk,
        "grep -q 'role: Node' \"$1\"; sed -i 's/minSize: .*/minSize: 3/; s/maxSize: .*/maxSize: 3/' \"$1\"",
    );
    desk.ok(&["create", "ig", "drafted", "--name", HA, "--edit"]);
    let text = desk.ok(&["get", "ig", "drafted", "--name", HA, "-o", "yaml"]);
    assert!(
        text.contains("maxSize: 3") && text.contains("- zone-1a") && text.contains("machineType: medium"),
        "{text}"
    );
    let error = desk.fails(&["create", "ig", "drafted", "--name", HA]);
    assert!(error.contains("already") && error.contains("kops edit ig"), "{error}");

    let text =
        desk.ok(&["create", "ig", "printed", "--name", HA, "--role=bastion", "--dry-run", "-o", "yaml"]);
    assert!(text.contains("role: Bastion") && text.contains("- utility-zone-1a"), "{text}");
    let error = desk.fails(&["get", "ig", "printed", "--name", HA]);
    assert!(error.contains("it has bastions"), "{error}");
}
